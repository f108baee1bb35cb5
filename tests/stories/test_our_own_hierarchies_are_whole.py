"""From the first authority to what hangs below it, with the real command and the real openssl.

A manufacturer's root of ours signs a signer, whose image is imported; a V2G hierarchy signs what a station shows to
cars, and openssl agrees with the chain; an authority of others is taken in, and stations under it are let in.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import TAKE_IN_POINTS
from pki.errors import UnreachableError
from tests.certs import Party
from tests.pki.specimens import SECC_ID
from tests.worlds import make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def bollard(home: Home, *words: str, code: int = 0) -> str:
    """Run the command; return what it printed."""
    command = [sys.executable, "-m", "bollard", "--home", str(home.path), *words]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == code, told.stderr
    return told.stdout


def openssl(folder: Path, *words: str) -> str:
    """Run openssl in a folder; it must agree."""
    told = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout


def asked_for(folder: Path, name: str, subject: str, curve: str = "P-256") -> str:
    """A key and a request for it, as openssl makes them; returns the request's path."""
    ec = ("-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}")
    openssl(folder, "req", "-new", *ec, "-nodes", "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
    return str(folder / f"{name}.csr")


def test_a_signer_below_our_manufacturer_s_root_signs_firmware(home: Home, tmp_path: Path) -> None:
    """Once the root is trusted for that vendor, and for no other (A00.FR.601, .707)."""
    csr = asked_for(tmp_path, "signer", "/O=Volta/CN=Volta Signer")
    signer, root, image = (str(tmp_path / name) for name in ("signer.pem", "volta.pem", "image.bin"))
    bollard(home, "ca", "create", "volta", "--purpose", "manufacturer", "--vendor", "Volta")
    words = ("--certificate-profile", "firmware-signer", "--vendor", "Volta", "--csr", csr, "--out", signer)
    bollard(home, "cert", "issue", *words)
    (tmp_path / "image.bin").write_bytes(b"new firmware" * 1000)
    openssl(tmp_path, "dgst", "-sha256", "-sign", "signer.key", "-out", "image.sig", "image.bin")
    importing = (
        "firmware", "import", image, "--vendor", "Volta", "--model", "One", "--version", "2.0",
        "--signature", str(tmp_path / "image.sig"), "--certificate", signer, "--policy", "strict",
    )  # fmt: skip
    bollard(home, *importing, code=5)

    bollard(home, "ca", "export", "volta", "--out", root)
    bollard(home, "ca", "trust", "add", root, "--purpose", "firmware", "--vendor", "Ampere", code=5)
    bollard(home, "ca", "trust", "add", root, "--purpose", "firmware", "--vendor", "Volta")
    bollard(home, *importing)
    openssl(tmp_path, "verify", "-CAfile", root, "signer.pem")


@pytest.mark.parametrize(("edition", "curve", "room"), [("2", "P-256", 800), ("20", "P-521", 1600)])
def test_what_a_station_shows_to_cars_is_verified_by_openssl(
    home: Home, tmp_path: Path, edition: str, curve: str, room: int
) -> None:
    """Leaf, Sub-CA 2, Sub-CA 1 up to the V2G root; it fits into a car's room (V2G2-010)."""
    csr = asked_for(tmp_path, "secc", f"/O=Example Charging/CN={SECC_ID}", curve)
    bollard(home, "station", "add", "CP-1", "--serial", "SN-1", "--profile", "3")
    bollard(home, "ca", "create", "v2g", "--purpose", "v2g", "--edition", edition)
    words = ("--certificate-profile", f"v2g-secc-{edition}", "--station", "CP-1", "--csr", csr, "--seccid", SECC_ID)
    (tmp_path / "secc.pem").write_text(bollard(home, "cert", "issue", *words))
    (tmp_path / "root.pem").write_text(bollard(home, "ca", "export", "v2g-root"))

    openssl(tmp_path, "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "secc.pem", "secc.pem")
    openssl(tmp_path, "x509", "-in", "secc.pem", "-outform", "DER", "-out", "secc.der")
    assert (tmp_path / "secc.der").stat().st_size <= room
    assert bollard(home, "cert", "lint", str(tmp_path / "secc.pem")) == ""


@pytest.mark.parametrize("point", ["issue.intended", "issue.signed", "issue.sealed"])
def test_an_authority_whose_making_was_cut_short_is_whole_after_the_second_run(home: Home, point: str) -> None:
    """Killed while it is made: nothing is half there, and the same command makes it."""
    call = calls.CreateIssuer("station-2", "station")
    _killed(home, point, call)
    rows = ask_once(home, calls.ListIssuers(), calls.Issuers).issuers
    there = "station-2" in {row.name for row in rows}

    assert there is (point == "issue.sealed")
    if not there:
        ask_once(home, call, calls.IssuersCreated)
    rows = ask_once(home, calls.ListIssuers(), calls.Issuers).issuers
    assert [(row.name, row.state) for row in rows if row.slot == "station"] == [
        ("station", "active"), ("station-2", "next"),
    ]  # fmt: skip
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


@pytest.mark.parametrize("point", TAKE_IN_POINTS)
def test_an_authority_whose_taking_in_was_cut_short_is_there_whole_or_not_at_all(home: Home, point: str) -> None:
    """With those above it, in one act; the second run finishes what the first began."""
    root = Party.root("Their Root", "Others")
    theirs = root.issue("Their CA", "Others", ca=True)
    call = calls.ImportIssuer("theirs", "station", theirs.pem, root.pem, theirs.key_pem)
    _killed(home, point, call)
    names = {row.name for row in ask_once(home, calls.ListIssuers(), calls.Issuers).issuers}

    assert names & {"theirs", "theirs-above-1"} in (
        [{"theirs", "theirs-above-1"}] if point == "taking.recorded" else [set()]
    )
    if point != "taking.recorded":
        ask_once(home, call, calls.IssuerImported)
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


def _killed(home: Home, point: str, call: calls.Call) -> None:
    """Ask an authority that kills itself at this point."""
    with running_authority(home, crash_at=point) as process:
        with pytest.raises(UnreachableError, match=r"authority\.lost"):
            ask_once(home, call, type(call).Answer)
        assert process.wait(20) == -signal.SIGKILL
