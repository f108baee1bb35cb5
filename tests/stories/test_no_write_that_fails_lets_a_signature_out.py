"""The disk fails at every step of issuing, revoking, holding, releasing, and signing lists and answers.

Full, or broken; for one write, or from then on until the authority was started again. Real SQLite is told so by its own
file layer. Whatever the step: what left the authority has a row that says so, what was not signed or not recorded is
told as abandoned, and the log and every table that follows from it hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import CRL_POINTS, ISSUE_POINTS, OCSP_POINTS, RELEASE_POINTS, REVOKE_POINTS
from pki.edge.home import Home
from pki.edge.office import answers, crls, issuing, revoking
from pki.errors import BollardError
from tests.faults import BROKEN, FULL, Disk, failing_disk
from tests.worlds import Paper, make_home, open_office

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEW, LIVE, STOPPED = Paper.of(1), Paper.of(2), Paper.of(3)


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is asked, and what the rows it is about say before and after. ``rows`` is the query for them."""

    points: tuple[str, ...]
    ask: Callable[[Home], calls.Call]
    rows: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    signs: bool = False

    def expected(self, point: str) -> tuple[str, ...]:
        """What the rows say in the end, when the disk failed from this step on."""
        place = self.points.index(point)
        if place == len(self.points) - 1:
            return self.after
        return ("abandoned",) if self.signs and place >= 2 else self.before


def serial(home: Home, paper: Paper) -> str:
    """The serial of a station's certificate."""
    found = ask_once(home, calls.ListCertificates(station=paper.identity), calls.Certificates).certificates
    return found[0].serial


def question(home: Home) -> calls.AnswerOcsp:
    """About our own server certificate, which nobody asked about before."""
    chain = [x509.load_pem_x509_certificate((home.ca / f"{name}.pem").read_bytes()) for name in ("server-rsa", "csms")]
    builder = ocsp.OCSPRequestBuilder().add_certificate(chain[0], chain[1], hashes.SHA256())
    return calls.AnswerOcsp(builder.build().public_bytes(Encoding.DER))


def of(paper: Paper) -> str:
    """Query for the state of a station's certificates."""
    return f"SELECT status FROM certificate WHERE station = '{paper.identity}' ORDER BY id"  # noqa: S608 - ours


ACTS: Final = {
    "issue": Act(ISSUE_POINTS, lambda _: NEW.issue, of(NEW), (), ("valid",), signs=True),
    "revoke": Act(
        REVOKE_POINTS,
        lambda home: calls.RevokeCertificate(serial(home, LIVE), "key_compromise"),
        of(LIVE),
        ("valid",),
        ("revoked",),
    ),
    "hold": Act(
        REVOKE_POINTS, lambda home: calls.RevokeCertificate(serial(home, LIVE), "hold"), of(LIVE), ("valid",), ("held",)
    ),
    "release": Act(
        RELEASE_POINTS, lambda home: calls.ReleaseCertificate(serial(home, STOPPED)), of(STOPPED), ("held",), ("valid",)
    ),
    "crl": Act(
        CRL_POINTS,
        lambda _: calls.SignCrls("root", now=True),
        "SELECT status FROM crl ORDER BY id",
        (),
        ("valid",),
        signs=True,
    ),
    "ocsp": Act(OCSP_POINTS, question, "SELECT status FROM ocsp_answer ORDER BY id", (), ("valid",), signs=True),
}
STEPS: Final = [(name, point) for name, act in ACTS.items() for point in act.points]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with three stations: one without a certificate, one with, one whose certificate is on hold."""
    home = make_home(tmp_path_factory.mktemp("made"))
    for paper in (NEW, LIVE, STOPPED):
        ask_once(home, paper.add, calls.StationAdded)
    for paper in (LIVE, STOPPED):
        ask_once(home, paper.issue, calls.CertificateIssued)
    ask_once(home, calls.RevokeCertificate(serial(home, STOPPED), "hold"), calls.Done)
    return home


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    """A copy of it."""
    return Home(shutil.copytree(made.path, tmp_path / "home"))


def look(home: Home, sql: str) -> tuple[str, ...]:
    """Look into the file, past all our code."""
    with closing(sqlite3.connect(home.ledger)) as ledger:
        return tuple(row[0] for row in ledger.execute(sql))


async def ask_on_a_failing_disk(home: Home, disk: Disk, call: calls.Call, times: int) -> calls.Row | BollardError:
    """Ask; the disk fails when the step is reached, and, unless it does so once, until the authority has ended."""
    told: list[calls.Row | BollardError] = []
    with contextlib.suppress(BollardError):  # it cannot sign its last checkpoint
        async with open_office(home) as desk:
            try:
                told.append(await desk.ask(call, calls.Row))
            except BollardError as refused:
                told.append(refused)
            if times > 0:
                await desk.office.tend()
                assert not look(home, INTENDED), "what came to nothing was not given up at once"
    return told[0]


INTENDED: Final = " UNION ALL ".join(
    f"SELECT status FROM {table} WHERE status = 'intended'"  # noqa: S608 - ours
    for table in ("certificate", "crl", "ocsp_answer")
)


@pytest.mark.parametrize("times", [-1, 1], ids=["until the restart", "once"])
@pytest.mark.parametrize("problem", [FULL, BROKEN], ids=["full", "broken"])
@pytest.mark.parametrize(("name", "point"), STEPS)
def test_a_disk_that_fails_at_any_step_lets_nothing_out_without_a_row(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, point: str, problem: int, times: int
) -> None:
    """Seen from outside: what was answered stands in the ledger; what was not is as before, or abandoned."""
    act = ACTS[name]
    call = act.ask(home)
    with failing_disk(home.path) as disk:

        def reach(reached: str) -> None:
            if reached == point and not disk.failed:
                disk.fail(problem, times)

        for module in (issuing, revoking, crls, answers):
            monkeypatch.setattr(module, "reach", reach)
        answer = asyncio.run(ask_on_a_failing_disk(home, disk, call, times))
        assert disk.failed, "nothing was written after this step"
        disk.heal()
    if isinstance(answer, BollardError):
        assert answer.code == {FULL: "ledger.full", BROKEN: "ledger.failed"}[problem]
    proved = ask_once(home, calls.VerifyAudit(), calls.AuditVerified)  # a new start, which sweeps
    assert look(home, act.rows) == act.expected(point)
    assert isinstance(answer, BollardError) is (point != act.points[-1])
    assert (look(home, INTENDED), proved.rows_in_part) == ((), 0)
