"""The authority is killed at every step of its work, and never is there a certificate that the ledger does not know.

Each test runs the real process, has it kill itself with SIGKILL at a named point, starts it again and looks: what a
client received is in the ledger as valid, what was only intended is abandoned with an entry in the log, and the log
verifies.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.blueprint import TREE
from pki.edge.crashpoints import INIT_POINTS, ISSUE_POINTS, RELEASE_POINTS, REVOKE_POINTS
from pki.edge.creation import create
from pki.edge.home import Home
from pki.errors import BollardError, InputError, UnreachableError
from pki.names import Host, Organisation
from tests.worlds import HOST, ORGANISATION, Paper, at_the_desk, connected, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk

_INIT = (
    "import sys, pathlib; from pki.edge.creation import create; from pki.names import Host, Organisation;"
    "create(pathlib.Path(sys.argv[1]), Organisation.parse(sys.argv[2]), Host.parse(sys.argv[3]))"
)

EXPECTED = {
    "issue.planned": [],
    "issue.intending": [],
    "issue.intended": ["abandoned"],
    "issue.signed": ["abandoned"],
    "issue.sealing": ["abandoned"],
    "issue.sealed": ["valid"],
}
"""What the ledger says of the station's certificate after the crash and the restart."""


def registered(folder: Path) -> Home:
    """A home with one station."""
    home = make_home(folder)
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    return home


def entries(home: Home, act: str) -> list[str]:
    """The serials of all log entries of one act."""
    rows = ask_once(home, calls.ListAudit(first=0, limit=1000), calls.AuditRows).rows
    return [entry["what"]["serial"] for entry in map(json.loads, (row.entry for row in rows)) if entry["act"] == act]


def everything(home: Home) -> tuple[calls.CertificateRow, ...]:
    """Every certificate that the ledger holds."""
    return ask_once(home, calls.ListCertificates(), calls.Certificates).certificates


def crash(home: Home, point: str, call: calls.Call) -> None:
    """Ask while the authority is armed: it dies, and nothing is answered."""
    with running_authority(home, crash_at=point) as process:
        with pytest.raises(UnreachableError, match=r"authority\.lost"):
            asyncio.run(_ask(home, call))
        assert process.wait(20) == -signal.SIGKILL


async def _ask(home: Home, call: calls.Call) -> calls.Row:
    async with connected(home) as authority:
        return await authority.ask(call, type(call).Answer)


@pytest.mark.parametrize("point", ISSUE_POINTS)
def test_a_crash_at_any_step_of_issuing_leaves_no_signature_without_a_row(tmp_path: Path, point: str) -> None:
    """Before the first record there is nothing; after it there is a row, and only a sealed row is valid.

    The station simply asks again: nothing has to be repaired by hand, and what was abandoned stays abandoned.
    """
    home = registered(tmp_path)
    crash(home, point, Paper.of(1).issue)
    held = ask_once(home, calls.ListCertificates(station="CP-001"), calls.Certificates).certificates
    assert [row.status for row in held] == EXPECTED[point]
    abandoned = [row.serial for row in held if row.status == "abandoned"]
    assert entries(home, "certificate.abandoned") == abandoned
    issued = ask_once(home, Paper.of(1).issue, calls.CertificateIssued)
    status = {row.serial: row.status for row in everything(home)}
    assert len(status) == len(everything(home)), "a serial was used twice"
    assert status[issued.certificate.serial] == "valid"
    assert [status[serial] for serial in abandoned] == ["abandoned"] * len(abandoned)
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


def test_every_certificate_that_clients_received_before_a_crash_is_valid_in_the_ledger(tmp_path: Path) -> None:
    """Killed from outside, at no chosen moment, with fifty requests under way."""
    home = make_home(tmp_path)
    papers = [Paper.of(number) for number in range(50)]
    seeds = tuple(calls.StationSeed(paper.identity, paper.serial, 3) for paper in papers)
    ask_once(home, calls.AddStations(seeds), calls.StationsAdded)

    async def story() -> list[calls.CertificateIssued]:
        with running_authority(home) as process:
            async with connected(home) as authority:
                asked = [asyncio.create_task(authority.ask(paper.issue, calls.CertificateIssued)) for paper in papers]
                await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                process.kill()
                ended = await asyncio.gather(*asked, return_exceptions=True)
        return [one for one in ended if isinstance(one, calls.CertificateIssued)]

    received = asyncio.run(story())
    status = {row.serial: row.status for row in everything(home)}
    assert received
    assert {status[one.certificate.serial] for one in received} == {"valid"}
    assert "intended" not in status.values()
    assert ask_once(home, calls.VerifyAudit(), calls.AuditVerified).size > len(received)


@pytest.mark.parametrize(("reason", "state"), [("key_compromise", "revoked"), ("hold", "held")])
@pytest.mark.parametrize("point", REVOKE_POINTS)
def test_a_crash_while_revoking_leaves_it_revoked_with_its_entry_or_not_at_all(
    tmp_path: Path, point: str, reason: str, state: str
) -> None:
    """There is no revoked certificate without its entry, and no entry without the revocation; so with holds."""
    home = registered(tmp_path)
    serial = ask_once(home, Paper.of(1).issue, calls.CertificateIssued).certificate.serial
    crash(home, point, calls.RevokeCertificate(serial, reason))
    row = ask_once(home, calls.ListCertificates(serial=serial), calls.Certificates).certificates[0]
    done = point == "revoke.recorded"
    assert row.status == (state if done else "valid")
    assert entries(home, f"certificate.{state}") == ([serial] if done else [])
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


@pytest.mark.parametrize("point", RELEASE_POINTS)
def test_a_crash_while_lifting_a_hold_leaves_it_lifted_with_its_entry_or_not_at_all(tmp_path: Path, point: str) -> None:
    """The other way round as well."""
    home = registered(tmp_path)
    serial = ask_once(home, Paper.of(1).issue, calls.CertificateIssued).certificate.serial
    ask_once(home, calls.RevokeCertificate(serial, "hold"), calls.Done)
    crash(home, point, calls.ReleaseCertificate(serial))
    row = ask_once(home, calls.ListCertificates(serial=serial), calls.Certificates).certificates[0]
    done = point == "release.recorded"
    assert row.status == ("valid" if done else "held")
    assert entries(home, "certificate.released") == ([serial] if done else [])
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


@pytest.mark.parametrize("point", [*INIT_POINTS, "issue.intended", "issue.sealing"])
def test_an_interrupted_init_is_no_home_and_a_second_run_makes_one(tmp_path: Path, point: str) -> None:
    """Whatever the first run left, the second one succeeds, and the home it makes is whole."""
    path = tmp_path / "home"
    command = [sys.executable, "-c", _INIT, str(path), ORGANISATION, HOST]
    environment = {**os.environ, "BOLLARD_CRASH_AT": point}
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    if point == "init.settings":  # the last step was done: it is a home
        home = Home.at(path)
    else:
        with pytest.raises(InputError, match=r"home\.missing"):
            Home.at(path)
        home = create(path, Organisation.parse(ORGANISATION), Host.parse(HOST)).home
    assert ask_once(home, calls.VerifyAudit(), calls.AuditVerified).size == 1 + 2 * len(TREE)
    assert {row.status for row in everything(home)} == {"valid"}
    x509.load_pem_x509_certificate((home.ca / "root.pem").read_bytes())


def test_a_full_disk_lets_no_signature_out(tmp_path: Path) -> None:
    """The record comes first: where it cannot be written, nothing is signed, and the error says why."""
    home = registered(tmp_path)

    async def story(desk: Desk) -> None:
        await desk.fill_disk()
        with pytest.raises(BollardError, match=r"ledger\.full"):
            await desk.until_refused(Paper.of(1).issue)
        await desk.free_disk()

    at_the_desk(home, story)
    statuses = [row.status for row in everything(home)]
    assert set(statuses) <= {"valid", "abandoned"}
    assert len(entries(home, "certificate.issued")) == statuses.count("valid")
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


def test_the_ledger_has_no_row_in_between_after_any_restart(tmp_path: Path) -> None:
    """The sweep asks the file itself: not one row is left intended."""
    home = registered(tmp_path)
    for point in ("issue.intended", "issue.signed"):
        crash(home, point, Paper.of(1).issue)
    with running_authority(home):
        ledger = sqlite3.connect(home.ledger)
        count = ledger.execute(
            "SELECT status, count(*) FROM certificate WHERE station IS NOT NULL GROUP BY 1"
        ).fetchall()
        ledger.close()
    assert count == [("abandoned", 2)]
