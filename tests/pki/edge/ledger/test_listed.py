"""What was signed about certificates is held against their rows: whoever would keep a revocation quiet is found."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.edge import calls, clock
from pki.edge.asking import ask_once
from pki.edge.home import Home
from pki.errors import RefusedError
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.worlds import Desk

PLAIN: Final = calls.VerifyAudit()
SIGN: Final = calls.SignCrls("station", now=True)


async def _lived(desk: Desk) -> None:
    """Three stations: one revoked and one on hold, both listed, and a kept answer about the third."""
    serials = []
    for number in range(3):
        await desk.ask(Paper.of(number).add, calls.StationAdded)
        issued = await desk.ask(Paper.of(number).issue, calls.CertificateIssued)
        serials.append(issued.certificate.serial)
        chain = x509.load_pem_x509_certificates(issued.chain.encode())
    await desk.ask(calls.RevokeCertificate(serials[0], "superseded"), calls.Done)
    await desk.ask(calls.RevokeCertificate(serials[1], "hold"), calls.Done)
    await desk.ask(SIGN, calls.Crls)
    await desk.ask(calls.SignCrls("station", whole=True), calls.Crls)
    await desk.office.tend()  # signs what OCSP will be asked
    question = ocsp.OCSPRequestBuilder().add_certificate(chain[0], chain[1], hashes.SHA256()).build()
    await desk.ask(calls.AnswerOcsp(question.public_bytes(Encoding.DER)), calls.OcspAnswer)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that serves status, as nobody touched it."""
    home = make_home(tmp_path_factory.mktemp("honest"), status=True)
    at_the_desk(home, _lived)
    return home


@pytest.fixture
def home(honest: Home, tmp_path: Path) -> Home:
    """A copy of it to do wrong to."""
    return Home(shutil.copytree(honest.path, tmp_path / "home"))


def edit(home: Home, *statements: str) -> None:
    """Change the file."""
    with closing(sqlite3.connect(home.ledger)) as ledger:
        for statement in statements:
            ledger.execute(statement)
        ledger.commit()


def serial(home: Home, number: int) -> str:
    """The serial of a station's certificate."""
    found = ask_once(home, calls.ListCertificates(station=f"CP-{number:03}"), calls.Certificates).certificates
    return found[0].serial


def refused(home: Home) -> str:
    """What the proof says against the ledger."""
    with pytest.raises(RefusedError) as told:
        ask_once(home, PLAIN, calls.AuditVerified)
    assert told.value.code == "audit.rows"
    return told.value.cause


@pytest.mark.parametrize("signed", [False, True], ids=["before the next list", "after it"])
def test_an_honest_ledger_is_proved_whatever_happened_since_its_lists(home: Home, signed: bool) -> None:
    """Revoked, released, held for good: what is not yet listed is noted as such; what is expired may be left out."""
    ask_once(home, calls.RevokeCertificate(serial(home, 2), "key_compromise"), calls.Done)
    ask_once(home, calls.ReleaseCertificate(serial(home, 1)), calls.Done)
    if signed:
        ask_once(home, SIGN, calls.Crls)
    proved = ask_once(home, PLAIN, calls.AuditVerified)
    assert proved.rows_in_part == 0


def test_what_has_ended_may_be_left_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lists after its end a revoked certificate is on none (RFC 5280 3.3)."""
    later = clock.now() + dt.timedelta(days=3 * 365)
    monkeypatch.setattr(clock, "now", lambda: later)

    async def story(desk: Desk) -> list[int]:
        for _ in range(2):
            found = await desk.ask(SIGN, calls.Crls)
        await desk.ask(PLAIN, calls.AuditVerified)
        return [row.entries for row in found.crls]

    assert sum(at_the_desk(home, story)) == 0


def test_a_revocation_that_is_not_to_be_listed_is_found(home: Home) -> None:
    """The change was taken out of the table of what is to come: the next list would leave it out."""
    revoked = serial(home, 2)
    ask_once(home, calls.RevokeCertificate(revoked, "key_compromise"), calls.Done)
    edit(home, "DELETE FROM crl_change")
    assert f"lacks {revoked}, which is gone for key_compromise" in refused(home)


def test_a_hold_that_is_final_by_now_and_not_to_be_listed_is_found(home: Home) -> None:
    """The list still says that it can be lifted."""
    ask_once(home, calls.RevokeCertificate(serial(home, 1), "key_compromise"), calls.Done)
    edit(home, "DELETE FROM crl_change")
    assert "says certificate_hold of" in refused(home)


def test_a_release_that_is_not_to_be_listed_is_found(home: Home) -> None:
    """The list would go on closing a station out."""
    released = serial(home, 1)
    ask_once(home, calls.ReleaseCertificate(released), calls.Done)
    edit(home, "DELETE FROM crl_change")
    assert f"holds {released}, which is not revoked" in refused(home)


FORMER: Final = "UPDATE crl SET der = (SELECT der FROM crl WHERE shard = 1) WHERE shard = 0"
MOVED: Final = "UPDATE crl SET issuer_key_id = zeroblob(32) WHERE id = (SELECT max(id) FROM crl WHERE shard = 6)"
FAR: Final = "UPDATE crl SET next_update = '2099-01-01T00:00:00Z' WHERE shard = 2 AND status = 'valid'"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE crl SET der = zeroblob(9) WHERE shard = 3", "der_sha256 is"),
        (FORMER, "der_sha256 is"),
        (FAR, "next_update is"),
        ("UPDATE crl SET this_update = '2020-01-01T00:00:00Z' WHERE shard = 2", "this_update is"),
        ("UPDATE crl SET entries = entries + 1 WHERE shard = 4", "entries is"),
        ("UPDATE crl SET tbs_digest = zeroblob(32) WHERE shard = 5", "tbs_sha256 is"),
        (MOVED, "the crl row ' / 6 / "),
        ("UPDATE crl SET status = 'abandoned', der = NULL WHERE shard = 7", "status is 'abandoned'"),
        (
            "UPDATE crl SET status = 'superseded', der = NULL WHERE shard = 7",
            "the newest_crl row 'station / 7' is gone",
        ),
        ("UPDATE crl SET number = number + 1 WHERE shard = 8", "is there, yet no entry"),
        ("DELETE FROM crl WHERE shard = 9", "the newest_crl row 'station / 9' is gone"),
        ("DELETE FROM crl_scope", "into how many its issuer's list is cut is gone"),
        ("UPDATE crl_scope SET shards = 1", "and nothing says it is to"),
        ("UPDATE crl_scope SET shards = 256 WHERE shards > 1", "are cut into 256, and certificates say otherwise"),
        ("UPDATE crl_scope SET shards = 8 WHERE shards > 1", "are cut into 8, and certificates say otherwise"),
    ],
)
def test_a_list_that_is_not_the_one_that_was_signed_is_found(home: Home, statement: str, says: str) -> None:
    """Its bytes, its row, its place: by the log, or by the certificates that belong on it."""
    edit(home, statement)
    assert says in refused(home)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ocsp_answer SET der = zeroblob(9) WHERE der IS NOT NULL",
        "UPDATE ocsp_answer SET tbs_digest = zeroblob(32)",
        "UPDATE ocsp_answer SET serial = '1a'",
        "UPDATE ocsp_answer SET serial = (SELECT serial FROM certificate WHERE status = 'held')",
        "UPDATE ocsp_answer SET next_update = '2099-01-01T00:00:00Z'",
        "UPDATE ocsp_answer SET this_update = '2020-01-01T00:00:00Z'",
        "UPDATE ocsp_answer SET cert_id = CAST('0' || id AS BLOB)",
        "UPDATE ocsp_answer SET cert_id = NULL",
        "UPDATE ocsp_answer SET issuer_key_id = (SELECT issuer_key_id FROM certificate WHERE purpose = 'csms')",
    ],
)
def test_a_kept_answer_that_is_not_the_one_that_was_signed_is_found(home: Home, statement: str) -> None:
    """It would be given to whoever asks, for as long as it holds."""
    edit(home, statement)
    assert "the kept OCSP answer about" in refused(home)


def spoil(home: Home, change: Callable[[bytes, bytes], bytes]) -> None:
    """Make something else of every kept answer, out of its bytes and its signer's certificate."""
    with closing(sqlite3.connect(home.ledger)) as ledger:
        for number, der in ledger.execute("SELECT id, der FROM ocsp_answer WHERE der IS NOT NULL").fetchall():
            signer = ocsp.load_der_ocsp_response(der).certificates[0].public_bytes(Encoding.DER)
            ledger.execute("UPDATE ocsp_answer SET der = ? WHERE id = ?", [change(der, signer), number])
        ledger.commit()


@pytest.mark.parametrize("behind", [False, True], ids=["signature", "signer"])
def test_a_kept_answer_that_no_signer_of_ours_signed_is_found(home: Home, behind: bool) -> None:
    """One bit of the signature, or of the certificate beside it: nobody would believe what we give."""

    def change(der: bytes, signer: bytes) -> bytes:
        at = len(der) - 1 if behind else der.rindex(signer) - 10
        return der[:at] + bytes((der[at] ^ 1,)) + der[at + 1 :]

    spoil(home, change)
    assert "the kept OCSP answer about" in refused(home)


def test_a_kept_answer_that_is_not_true_any_more_is_found(home: Home) -> None:
    """The revocation dropped it; somebody put it back."""
    good = "SELECT id, der, tbs_digest FROM ocsp_answer WHERE der IS NOT NULL"
    with closing(sqlite3.connect(home.ledger)) as ledger:
        kept = ledger.execute(good).fetchall()
    ask_once(home, calls.RevokeCertificate(serial(home, 2), "key_compromise"), calls.Done)
    ask_once(home, PLAIN, calls.AuditVerified)
    with closing(sqlite3.connect(home.ledger)) as ledger:
        for number, der, digest in kept:
            sql = "UPDATE ocsp_answer SET status = 'valid', der = ?, tbs_digest = ? WHERE id = ?"
            ledger.execute(sql, [der, digest, number])
        ledger.commit()
    assert "not true any more" in refused(home)
