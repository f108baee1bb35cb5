"""Two machines, real commands: a home asks, an offline root signs from a reviewed file, the home takes over, a station
enrols, and openssl accepts the chain up to the offline root.

Then the same again with the ceremony or the import killed at every step, and with a result that somebody touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.edge import calls, clock
from pki.edge.asking import ask_once
from pki.edge.ceremony import Draft, draft, perform, prepare, verify
from pki.edge.crashpoints import CEREMONY_POINTS, IMPORT_POINTS
from pki.errors import ConflictError, RefusedError
from pki.names import Organisation
from pki.services import Published
from tests.ceremonies import NAMES, WITNESSES, Held, ceremony_of, passphrase, requests_in, waiting_home
from tests.certs import request
from tests.worlds import Paper, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home

ORGANISATION = "Example Charging"
PEOPLE = ("Ada Example", "Bob Example")


@dataclass(frozen=True, slots=True)
class Machines:
    """One folder with a home in it, one for the root; a stick between them is the folder above."""

    stick: Path

    @property
    def home(self) -> Path:
        """The online home."""
        return self.stick / "online" / "home"

    def online(self, *words: object, crash_at: str = "", code: int = 0) -> str:
        """Run a command on the home; return what it prints."""
        return self._run({"BOLLARD_HOME": str(self.home)}, words, crash_at, code)

    def offline(self, *words: object, crash_at: str = "", code: int = 0) -> str:
        """Run a command where the root is, with its own passphrase and no home."""
        secret = {"BOLLARD_PASSPHRASE": "the root's own", "BOLLARD_HOME": str(self.stick / "no home")}
        return self._run(secret, words, crash_at, code)

    def _run(self, environment: dict[str, str], words: tuple[object, ...], crash_at: str, code: int) -> str:
        argv = [sys.executable, "-m", "bollard", *map(str, words)]
        surroundings = {**os.environ, **environment, "BOLLARD_CRASH_AT": crash_at}
        ended = subprocess.run(argv, cwd=self.stick, env=surroundings, capture_output=True, text=True, check=False)
        assert ended.returncode == code, ended.stderr
        return ended.stdout

    def ask(self) -> None:
        """Make the home, and carry its requests to the root."""
        self.online("init", "--org", ORGANISATION, "--csms-host", "csms.example.org", "--offline-root")
        self.carry("requests")

    def carry(self, folder: str) -> None:
        """Carry the requests that have no certificate yet."""
        (self.stick / folder).mkdir()
        for asked in (self.home / "ca").glob("*.csr"):
            if not asked.with_suffix(".pem").exists():
                shutil.copy(asked, self.stick / folder)

    def plan(self, file: str, requests: str, *more: str) -> None:
        """Write the file."""
        people = [word for name in PEOPLE for word in ("--witness", f"{name}, auditor")]
        self.offline(
            "ca", "ceremony", "plan", "--org", ORGANISATION, "--requests", requests, *people, *more, "--out", file
        )

    def sign(self, file: str, requests: str, out: str, crash_at: str = "", code: int = 0) -> str:
        """Perform the ceremony; return the digest that people write down."""
        phrase = hashlib.sha256((self.stick / file).read_bytes()).hexdigest()[:8]
        people = [word for name in PEOPLE for word in ("--witness", f"{name}={phrase}")]
        words = ("-o", "json", "ca", "ceremony", "run", file, "--requests", requests, "--out", out, *people)
        told = self.offline(*words, "--unsafe-networked", crash_at=crash_at, code=code)
        return str(json.loads(told)["digest"]) if told else ""

    def bring(self, out: str) -> Path:
        """Copy a result without the root's key, as onto a stick."""
        return shutil.copytree(self.stick / out, self.stick / f"{out} brought", ignore=shutil.ignore_patterns("keys"))

    def take(self, folder: Path, digest: str, crash_at: str = "", code: int = 0) -> None:
        """Import it."""
        self.online("ca", "ceremony", "import", folder, "--digest", digest, crash_at=crash_at, code=code)

    def openssl(self, *words: object) -> str:
        """Ask openssl."""
        argv = ["openssl", *map(str, words)]
        return subprocess.run(argv, cwd=self.stick, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    """Two machines and a stick."""
    (tmp_path / "online").mkdir()
    return Machines(tmp_path)


def enrol(machines: Machines) -> None:
    """A station gets its certificate from the online home; its chain ends at the offline root, by openssl's word."""
    (machines.stick / "station.csr").write_text(request(station_key(1), "SN-001", ORGANISATION))
    machines.online("station", "add", "CP-001", "--serial", "SN-001", "--profile", "3")
    machines.online("cert", "issue", "--station", "CP-001", "--csr", "station.csr", "--out", "station.pem")
    anchor = ("-CAfile", "result/ca/root.pem")

    assert machines.openssl("verify", *anchor, "-untrusted", "station.pem", "station.pem") == "station.pem: OK\n"
    server = machines.home / "ca" / "server-rsa.pem"
    above = machines.home / "ca" / "csms.pem"
    assert machines.openssl("verify", *anchor, "-untrusted", above, server) == f"{server}: OK\n"


def test_a_station_enrols_below_a_root_that_was_never_here(machines: Machines) -> None:
    """From an empty folder to a chain, and on to a successor and a renewed list, by commands alone."""
    machines.ask()
    machines.plan("ceremony.toml", "requests", "--status-url", "http://csms.example.org:8480")
    digest = machines.sign("ceremony.toml", "requests", "result")
    replayed = machines.offline(
        "-o", "json", "ca", "ceremony", "verify", "result", "--file", "ceremony.toml", "--with-key"
    )
    assert json.loads(replayed)["digest"] == digest
    machines.take(machines.bring("result"), digest)
    enrol(machines)
    text = machines.openssl("x509", "-in", "result/ca/station.pem", "-noout", "-text")
    where = Published.at_home("http://csms.example.org:8480", "root")
    assert f"URI:{where.list_url}\n" in text
    assert f"CA Issuers - URI:{where.certificate}\n" in text
    lists = ("--crl", "result/ca/root.crl")
    machines.online("cert", "verify", "--anchor", "result/ca/root.pem", *lists, "result/ca/station.pem")
    assert not (machines.home / "keys" / "root.pem").exists()

    machines.online("ca", "ceremony", "request", "station")
    machines.carry("more")
    machines.plan("second.toml", "more", "--existing", "result")
    second = machines.sign("second.toml", "more", "second")
    machines.take(machines.bring("second"), second)
    rows = json.loads(machines.online("-o", "json", "ca", "list"))["issuers"]
    states = {row["name"]: row["state"] for row in rows if row["slot"] == "station"}
    assert states == {"station": "active", "station-2": "next"}
    successor, renewed = (machines.home / "ca" / name for name in ("station-2.pem", "root.crl"))
    assert machines.openssl("verify", "-CAfile", "result/ca/root.pem", successor) == f"{successor}: OK\n"
    numbers = x509.load_der_x509_crl(renewed.read_bytes()).extensions.get_extension_for_class(x509.CRLNumber)
    assert numbers.value.crl_number == 2
    machines.online("audit", "verify")


@pytest.mark.parametrize("point", CEREMONY_POINTS)
def test_a_killed_ceremony_says_how_far_it_got_and_is_held_again_elsewhere(machines: Machines, point: str) -> None:
    """Nothing of it is valid, its folder is never used again, and every signature that may exist stands in it."""
    requests = requests_in(machines.stick / "requests", NAMES)
    file, killed = machines.stick / "ceremony.toml", machines.stick / "killed"
    file.write_text(draft(Draft(Organisation(ORGANISATION), clock.now(), WITNESSES, requests)))
    machines.sign("ceremony.toml", "requests", "killed", crash_at=point, code=-signal.SIGKILL)
    entries = [json.loads(entry) for entry in (killed / "transcript.jsonl").read_text().splitlines()]
    intended = {entry["what"]["name"] for entry in entries if entry["act"].endswith(".intended")}
    assert {path.stem for path in (killed / "ca").iterdir()} <= intended
    with pytest.raises(ConflictError, match=rf"ceremony\.unfinished.*{entries[-1]['act']}"):
        verify(killed)

    with passphrase():
        prepared = prepare(file, requests)
        with pytest.raises(ConflictError, match=r"ceremony\.exists"):
            perform(prepared, killed, [])
        assert perform(prepared, machines.stick / "result", []).certificates.keys() == NAMES.keys()


@pytest.mark.parametrize("point", [*IMPORT_POINTS, "issue.signed"])
def test_a_killed_import_is_made_up_for_by_the_next(machines: Machines, point: str) -> None:
    """Taken over in one step or not at all; the same command again completes the home."""
    home = waiting_home(machines.stick / "online")
    held = ceremony_of(home, machines.stick / "c")
    shutil.rmtree(held.folder / "keys")
    machines.take(held.folder, held.done.digest, crash_at=point, code=-signal.SIGKILL)
    if point == "import.completed":
        with pytest.raises(ConflictError, match=r"ceremony\.imported"):
            ask_once(home, held.call, calls.CeremonyImported)
    else:
        ask_once(home, held.call, calls.CeremonyImported)

    ask_once(home, Paper.of(1).add, calls.StationAdded)
    assert ask_once(home, Paper.of(1).issue, calls.CertificateIssued).chain
    assert ask_once(home, calls.FetchCredentials(), calls.Credentials).ecdsa_chain
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)
    rows = ask_once(home, calls.ListAudit(first=0, limit=1000), calls.AuditRows).rows
    assert [json.loads(row.entry)["act"] for row in rows].count("ceremony.imported") == 1


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Held]:
    """A home that waits, and what was signed for it."""
    place = tmp_path_factory.mktemp("brought")
    home = waiting_home(place)
    return home, ceremony_of(home, place / "c")


FILES = ("ca/station.pem", "ca/root.crl", "requests/csms.csr", "transcript.jsonl", "transcript.note", "ceremony.toml")


@pytest.mark.parametrize("name", FILES)
def test_a_result_that_somebody_touched_is_refused_on_both_machines(
    brought: tuple[Home, Held], tmp_path: Path, name: str
) -> None:
    """One byte in the middle of any of its files."""
    home, held = brought
    folder = shutil.copytree(held.folder, tmp_path / "stick")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(RefusedError):
        verify(folder, held.file)
    with pytest.raises(RefusedError):
        ask_once(home, replace(held, folder=folder).call, calls.CeremonyImported)

    assert ask_once(home, calls.ListIssuers(), calls.Issuers).issuers == ()
