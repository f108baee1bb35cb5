"""A home whose authorities' keys lie in a hardware token (SoftHSM2): made, used, unplugged, plugged in again.

The authority is a process of its own; what it signs is recorded before it is signed, as with any other key.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from pki.certificate import read_certificates
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.home import Home
from pki.errors import BollardError, ForbiddenError
from tests.tokens import LABEL, PIN, WRONG, SoftToken, soft_token
from tests.worlds import HOST, Paper, connected, running_authority, start_authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography import x509

    from pki.edge.client import Authority


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """A real token, and its PIN in a file, as an operator would have it."""
    for token in soft_token(tmp_path, monkeypatch):
        (tmp_path / "pin").write_text(f"{PIN}\n")
        monkeypatch.delenv("BOLLARD_HSM_PIN")
        monkeypatch.setenv("BOLLARD_HSM_PIN_FILE", str(tmp_path / "pin"))
        yield token


def bollard(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "bollard", "--home", str(home), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def home(token: SoftToken, tmp_path: Path) -> Home:
    """A home made with the token, by the command line."""
    token_words = ("--hsm-module", token.module, "--hsm-token", LABEL)
    made = bollard(tmp_path / "home", "init", "--org", "Example Charging", "--csms-host", HOST, *token_words)
    assert made.returncode == 0, made.stderr
    return Home.at(tmp_path / "home")


def issued(home: Home) -> x509.Certificate:
    """Have a certificate issued to the station, and check who signed it."""
    chain = read_certificates(ask_once(home, Paper.of(1).issue, calls.CertificateIssued).chain)
    chain[0].verify_directly_issued_by(chain[1])
    return chain[0]


def statuses(home: Home) -> list[str]:
    """What became of each certificate of the station, in the order of the log."""
    rows = ask_once(home, calls.ListCertificates(station="CP-001"), calls.Certificates).certificates
    return sorted(row.status for row in rows)


def test_the_keys_of_the_authorities_are_nowhere_in_the_home(home: Home, token: SoftToken) -> None:
    """Only their names are; the keys that other processes need stay files, and the PIN is in no file of ours."""
    names = {path.name for path in home.keys.iterdir()}
    assert {"root.hsm", "csms.hsm", "station.hsm", "server-rsa.pem", "server-ecdsa.pem", "audit.pem"} <= names
    assert {"root.pem", "csms.pem", "station.pem"}.isdisjoint(names)
    for path in home.path.rglob("*"):
        assert not path.is_file() or PIN.encode() not in path.read_bytes()

    ask_once(home, Paper.of(1).add, calls.StationAdded)
    issued(home)


def test_a_token_that_is_pulled_stops_signing_and_nothing_else(home: Home, token: SoftToken) -> None:
    """Stations are still listed, the refusal says what to do, and after it is plugged in again all goes on."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)

    async def story(authority: Authority) -> None:
        await authority.ask(Paper.of(1).issue, calls.CertificateIssued)
        token.pull()
        with pytest.raises(BollardError, match=r"^hsm\.") as refused:
            await authority.ask(Paper.of(1).issue, calls.CertificateIssued)
        assert refused.value.advice
        assert (await authority.ask(calls.ListStations(), calls.Stations)).stations
        token.plug()
        await authority.ask(Paper.of(1).issue, calls.CertificateIssued)

    async def play() -> None:
        async with connected(home) as authority:
            await story(authority)

    with running_authority(home):
        asyncio.run(play())
    assert statuses(home) == ["abandoned", "valid", "valid"]
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


def test_a_wrong_pin_is_said_at_the_start_and_costs_one_try(
    home: Home, token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority runs on, for the proxies; who asks for a certificate is told, and nothing is recorded of it."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    (tmp_path / "pin").write_text(WRONG)
    (tmp_path / "pin").chmod(0o600)  # else that is warned of as well
    process = start_authority(home)
    assert process.stderr is not None
    try:
        warning, ready = process.stderr.readline(), process.stderr.readline()
        assert "hsm.pin_wrong" in warning
        assert warning.startswith("WARNING: ")
        assert ready == "authority ready\n"
        (tmp_path / "pin").write_text(PIN)  # too late: this process has had its try
        with pytest.raises(ForbiddenError, match=r"hsm\.pin_wrong: .*not tried again"):
            ask_once(home, Paper.of(1).issue, calls.CertificateIssued)
    finally:
        process.terminate()
        said = process.stderr.read()
        process.wait()
        process.stderr.close()
    assert WRONG not in warning + said
    assert statuses(home) == []
    issued(home)


def test_an_authority_that_was_closed_is_logged_out(home: Home, token: SoftToken) -> None:
    """What comes after it in the same process finds the token locked: it sees no private key there."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    issued(home)
    with pkcs11.lib(token.module).get_token(token_label=LABEL).open() as session:
        assert list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})) == []
        assert list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY})) != []


def test_an_init_with_a_wrong_pin_leaves_no_home_and_a_second_one_makes_it(token: SoftToken, tmp_path: Path) -> None:
    """The first one says what is wrong and costs one try; what it left is cleared."""
    words = ("init", "--org", "Example", "--csms-host", HOST, "--hsm-module", token.module, "--hsm-token", LABEL)
    (tmp_path / "pin").write_text(WRONG)
    refused = bollard(tmp_path / "home", *words)
    assert refused.returncode == 3
    assert "error[hsm.pin_wrong]" in refused.stderr
    assert WRONG not in refused.stderr + refused.stdout
    assert not (tmp_path / "home" / "bollard.toml").exists()

    (tmp_path / "pin").write_text(PIN)
    assert bollard(tmp_path / "home", *words).returncode == 0


def test_commands_that_sign_nothing_need_neither_token_nor_pin(
    home: Home, token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking things up must work while the token lies in a safe."""
    token.pull()
    monkeypatch.delenv("BOLLARD_HSM_PIN_FILE")
    assert bollard(home.path, "station", "list").returncode == 0
    assert bollard(home.path, "audit", "verify").returncode == 0
    assert "BOLLARD_HSM_PIN" not in os.environ
