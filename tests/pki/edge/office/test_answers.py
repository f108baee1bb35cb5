"""OCSP answers: true at the moment they are given, kept while they are, and a row for each signature."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library

from pki import encode, ocsp
from pki.edge import calls, clock
from pki.edge.office import answers
from pki.edge.office.answers import presign
from pki.edge.office.memory import Budget
from pki.edge.office.signers import renew_signers
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

PAPER = Paper.of(1)
HASHES = (hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())  # noqa: S303 - RFC 5019


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that serves status."""
    return make_home(tmp_path, status=True)


async def issued(desk: Desk) -> list[x509.Certificate]:
    """A station's chain; signers are there too."""
    await renew_signers(desk.office._desk)
    await desk.ask(PAPER.add, calls.StationAdded)
    return x509.load_pem_x509_certificates((await desk.ask(PAPER.issue, calls.CertificateIssued)).chain.encode())


def question(chain: list[x509.Certificate], using: hashes.HashAlgorithm = HASHES[0], nonce: bytes = b"") -> bytes:
    """A question about the leaf."""
    builder = library.OCSPRequestBuilder().add_certificate(chain[0], chain[1], using)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


async def told(desk: Desk, request: bytes) -> tuple[library.OCSPResponse, calls.OcspAnswer]:
    """The answer, as the library reads it and as the authority gave it."""
    given = await desk.ask(calls.AnswerOcsp(request), calls.OcspAnswer)
    return library.load_der_ocsp_response(given.der), given


async def rows(desk: Desk, what: str = "status") -> list[object]:
    """What the ledger keeps of answers."""
    sql = f"SELECT {what} FROM ocsp_answer ORDER BY id"  # noqa: S608 - the column is ours
    return [row[0] for row in await desk.office._desk.ledger.read(lambda database: database.execute(sql).fetchall())]


@pytest.mark.parametrize("using", HASHES, ids=lambda using: str(using.name))
def test_an_answer_follows_the_status_at_once(home: Home, using: hashes.HashAlgorithm) -> None:
    """Good, on hold, good again, revoked: whatever was kept before is not given again."""

    async def story(desk: Desk) -> None:
        chain = await issued(desk)
        serial = f"{chain[0].serial_number:x}"
        said = []
        for call in (
            None,
            calls.RevokeCertificate(serial, "hold"),
            calls.ReleaseCertificate(serial),
            calls.RevokeCertificate(serial, "superseded"),
        ):
            if call:
                await desk.ask(call, calls.Done)
            said.append((await told(desk, question(chain, using)))[0])
        assert [(each.certificate_status.name, each.revocation_reason) for each in said] == [
            ("GOOD", None),
            ("REVOKED", x509.ReasonFlags.certificate_hold),
            ("GOOD", None),
            ("REVOKED", x509.ReasonFlags.superseded),
        ]
        assert await rows(desk) == ["superseded", "superseded", "superseded", "valid"]

    at_the_desk(home, story)


def test_the_same_question_gets_the_same_bytes_until_half_of_their_life(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed once, also through a restart."""
    given: list[calls.OcspAnswer] = []
    requests: list[bytes] = []

    async def story(desk: Desk) -> None:
        requests.append(question(await issued(desk)))
        given.extend([(await told(desk, requests[0]))[1], (await told(desk, requests[0]))[1]])

    async def after(desk: Desk) -> None:
        given.append((await told(desk, requests[0]))[1])
        moment = clock.now() + answers.LIFE / 2
        monkeypatch.setattr(clock, "now", lambda: moment)
        given.append((await told(desk, requests[0]))[1])

    at_the_desk(home, story)
    at_the_desk(home, after)
    assert given[0] == given[1] == given[2]
    assert given[3].der != given[0].der
    assert given[0].serial
    assert given[0].keep_until is not None
    assert given[0].next_update is not None
    assert given[0].next_update - given[0].keep_until == answers.LIFE / 2


def test_a_serial_that_was_never_issued_is_unknown_and_not_kept(home: Home) -> None:
    """Never good, whatever the number."""

    async def story(desk: Desk) -> None:
        chain = await issued(desk)
        name = ocsp.identify("sha256", chain[1])
        request = encode.sequence(encode.sequence(encode.sequence(encode.sequence(ocsp.write_cert_id(name, 4711)))))
        said, given = await told(desk, request)
        assert said.certificate_status is library.OCSPCertStatus.UNKNOWN
        assert given.serial == ""

    at_the_desk(home, story)


def test_an_abandoned_certificate_is_revoked(home: Home) -> None:
    """Its signature may exist, though nobody got it."""

    async def story(desk: Desk) -> None:
        chain = await issued(desk)
        sql = "UPDATE certificate SET status = 'abandoned', der = NULL WHERE serial = :serial"
        serial = f"{chain[0].serial_number:x}"
        await desk.office._desk.ledger.write(lambda tx: tx.database.execute(sql, {"serial": serial}))
        assert (await told(desk, question(chain)))[0].certificate_status is library.OCSPCertStatus.REVOKED

    at_the_desk(home, story)


def test_of_others_certificates_and_of_our_roots_we_do_not_speak(home: Home) -> None:
    """RFC 5019 2.2.3; nor in a question that names two of our authorities."""

    async def story(desk: Desk) -> None:
        chain, mine = await issued(desk), desk.office._desk
        root, csms = mine.mine("root").certificate, mine.mine("csms").certificate
        mixed = [ocsp.write_cert_id(ocsp.identify("sha1", each), 5) for each in (chain[1], csms)]
        both = encode.sequence(encode.sequence(encode.sequence(*map(encode.sequence, mixed))))
        for request in (question([chain[1], root]), question([chain[0], chain[0]]), both):
            assert (await told(desk, request))[0].response_status is library.OCSPResponseStatus.UNAUTHORIZED
        assert (await told(desk, b"\x30\x00"))[0].response_status is library.OCSPResponseStatus.MALFORMED_REQUEST
        assert await rows(desk) == []

    at_the_desk(home, story)


def test_several_certificates_get_one_answer_each(home: Home) -> None:
    """In the order asked, in one signed answer that nobody else is given."""

    async def story(desk: Desk) -> None:
        chain = await issued(desk)
        name = ocsp.identify("sha256", chain[1])
        ids = [encode.sequence(ocsp.write_cert_id(name, serial)) for serial in (chain[0].serial_number, 5)]
        said, given = await told(desk, encode.sequence(encode.sequence(encode.sequence(*ids))))
        assert [each.certificate_status.name for each in said.responses] == ["GOOD", "UNKNOWN"]
        assert given.serial == ""

    at_the_desk(home, story)


def test_a_nonce_is_given_back_in_an_answer_of_its_own_within_a_budget(home: Home) -> None:
    """Strangers who ask faster than that are told to come later; questions without a nonce go on."""

    async def story(desk: Desk) -> None:
        chain = await issued(desk)
        first, given = await told(desk, question(chain, nonce=b"n" * 32))
        assert first.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32
        assert given.serial == ""
        desk.office._desk.memory.live = Budget(rate=0, burst=1, _level=1)
        states = [(await told(desk, question(chain, nonce=bytes([n]))))[0].response_status.name for n in range(2)]
        assert states == ["SUCCESSFUL", "TRY_LATER"]
        assert (await told(desk, question(chain)))[0].response_status is library.OCSPResponseStatus.SUCCESSFUL

    at_the_desk(home, story)


def test_an_answer_that_is_overtaken_by_a_revocation_while_it_is_signed_is_not_given(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made once more: nobody hears good after the revocation was confirmed."""
    seal_each = answers._seal_each

    async def story(desk: Desk) -> None:
        chain, loop = await issued(desk), asyncio.get_running_loop()
        revoke = calls.RevokeCertificate(f"{chain[0].serial_number:x}", "key_compromise")

        def overtaken(*given: Any) -> list[bytes]:
            monkeypatch.setattr(answers, "_seal_each", seal_each)
            asyncio.run_coroutine_threadsafe(desk.ask(revoke, calls.Done), loop).result()
            return seal_each(*given)

        monkeypatch.setattr(answers, "_seal_each", overtaken)
        said, _ = await told(desk, question(chain))
        assert said.certificate_status is library.OCSPCertStatus.REVOKED
        assert await rows(desk) == ["superseded", "valid"]

    at_the_desk(home, story)


def test_answers_are_signed_before_anybody_asks(home: Home) -> None:
    """Each certificate that has not ended, once; the first to ask with SHA-1 costs no signature."""

    async def story(desk: Desk) -> None:
        chain, mine = await issued(desk), desk.office._desk
        assert await presign(mine) == len(await rows(desk))
        before = len(await rows(desk))
        assert before >= 4
        assert await presign(mine) == 0
        assert (await told(desk, question(chain)))[1].serial
        assert len(await rows(desk)) == before
        signers = (await desk.ask(calls.ListSigners(), calls.Signers)).signers
        assert [each.issuer for each in signers] == ["csms", "station"]
        assert sum(each.answers for each in signers) == before

    at_the_desk(home, story)


def test_rows_go_when_answers_have_ended(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger does not grow with every day."""

    async def story(desk: Desk) -> None:
        chain = await issued(desk)
        await told(desk, question(chain))
        await told(desk, question(chain, nonce=b"n"))
        assert len(await rows(desk)) == 2
        moment = clock.now() + answers.LIFE + dt.timedelta(seconds=1)
        monkeypatch.setattr(clock, "now", lambda: moment)
        signed = await presign(desk.office._desk)
        assert len(await rows(desk)) == signed

    at_the_desk(home, story)
