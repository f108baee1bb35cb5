"""Answering OCSP: what was asked, by whom it may be signed, and how long the answer is kept.

* A plain question (one certificate, no nonce) is answered alike for everybody: such an answer is signed once, kept in
  the ledger, given again until half its life is over, and dropped when the status changes, even while it is signed.
* Every other answer (a nonce, several certificates, a serial never issued) is signed for one asker within a budget;
  above it the asker is told to try later. A serial that we never issued is ``unknown``, never good.
* Record before sign: each answer has a row with the digest of its bytes before the key is used.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pki import ocsp
from pki.certificate import key_id
from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.ledger import answers
from pki.edge.office.services import below_the_root
from pki.edge.office.settling import give_up
from pki.edge.office.signers import signer_of
from pki.edge.office.troubles import alone
from pki.errors import InputError
from pki.names import CertificateSerial
from pki.revocation import is_half_spent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509
    from sqlite_utils import Database

    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.strength import SigningKey

LIFE: Final = dt.timedelta(hours=12)  # of an answer; kept and given again for half of it
LIVE_LIFE: Final = dt.timedelta(hours=1)  # of one for a single asker, who has no use for it later
LOOKED_AT: Final = 2_000  # certificates looked at beforehand in one round of duties
SIGNED: Final = 500  # and answers signed: 1.4 million a day, at about half a second of a core each round
BATCH: Final = 50  # of them recorded in one transaction
FOR_ALL: Final = (
    "sha1"  # what is signed beforehand is named as RFC 5019 2.1.1 has it; other hashes, when first asked for
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to be signed: by whose signer, about which certificates, kept under ``cert_id`` or not at all."""

    issuer: OwnCertificate
    signer: OwnCertificate
    about: tuple[tuple[bytes, CertificateSerial], ...]
    nonce: bytes | None = None
    keep: bytes = b""


async def answer(desk: Desk, call: calls.AnswerOcsp, who: str) -> calls.OcspAnswer:  # noqa: ARG001 - one shape
    """Answer one OCSP request; whatever it is, there is an answer to give back."""
    try:
        question = ocsp.read_question(call.request)
    except InputError:
        return _refused(ocsp.Trouble.MALFORMED)
    issuer = _issuer(desk, question)
    signer = issuer and signer_of(desk, issuer)
    if issuer is None or signer is None:
        return _refused(ocsp.Trouble.UNAUTHORIZED)
    about = tuple((each.whole, CertificateSerial(each.serial)) for each in question.certificates)
    if question.is_plain and (kept := await _kept(desk, about[0][0], issuer, about[0][1])):
        return kept
    known = question.is_plain and await _is_known(desk, issuer, about[0][1])
    if not known and not desk.memory.live.take(asyncio.get_running_loop().time()):
        return _refused(ocsp.Trouble.TRY_LATER)
    reply = Reply(issuer, signer, about, question.nonce, about[0][0] if known else b"")
    [given] = await _sign(desk, [reply])
    return given


async def presign(desk: Desk) -> int:
    """Sign answers about certificates that have not ended before anybody asks; return how many."""
    if not desk.settings.status_url:
        return 0
    await desk.ledger.write(_prune)
    signed = 0
    for issuer in below_the_root(desk):
        signer = signer_of(desk, issuer)
        if signer is not None:
            work = _presign(desk, issuer, signer, SIGNED - signed)
            signed += await alone(desk, f"OCSP answers of {issuer.name}", work) or 0
    return signed


async def listed(desk: Desk, call: calls.ListSigners, who: str) -> calls.Signers:  # noqa: ARG001 - one shape
    """List the signers of answers and how many answers are kept."""
    rows = []
    for issuer in below_the_root(desk):
        signer = signer_of(desk, issuer)
        count = await desk.ledger.read(partial(answers.count, issuer_key_id=key_id(issuer.certificate)))
        ends = signer.certificate.not_valid_after_utc if signer else None
        rows.append(calls.SignerRow(issuer.name, signer.name if signer else "", ends, count))
    return calls.Signers(tuple(rows), f"{desk.settings.status_url}/ocsp" if desk.settings.status_url else "")


def sweep(tx: Tx) -> None:
    """Give up what a crash left between two records."""
    answers.sweep(tx.database)


def _issuer(desk: Desk, question: ocsp.Question) -> OwnCertificate | None:
    """The one authority of ours that all certificates in a question are named below."""
    ours = below_the_root(desk)
    index = ocsp.index([own.certificate for own in ours])
    found = {index.get(each.issuer) for each in question.certificates}
    return next((own for own in ours if found == {own.certificate}), None)


async def _kept(
    desk: Desk, cert_id: bytes, issuer: OwnCertificate, serial: CertificateSerial
) -> calls.OcspAnswer | None:
    kept = await desk.ledger.read(partial(answers.kept, cert_id=cert_id))
    if kept is None or is_half_spent(kept.this_update, kept.next_update, clock.now()):
        return None
    times = ocsp.Times(kept.this_update, kept.next_update)
    return _given(kept.der, times, key_id(issuer.certificate), serial.hex)


async def _is_known(desk: Desk, issuer: OwnCertificate, serial: CertificateSerial) -> bool:
    look = partial(answers.standing, issuer_key_id=key_id(issuer.certificate), serial=serial.hex)
    return await desk.ledger.read(look) is not None


async def _presign(desk: Desk, issuer: OwnCertificate, signer: OwnCertificate, most: int) -> int:
    key = key_id(issuer.certificate)
    cursor = desk.memory.cursors.get(key, 0)
    look = partial(_unanswered, issuer=issuer, after=cursor, most=most)
    due, cursor = await desk.ledger.read(look)
    replies = [Reply(issuer, signer, ((cert_id, serial),), keep=cert_id) for cert_id, serial in due]
    for first in range(0, len(replies), BATCH):
        await _sign(desk, replies[first : first + BATCH])
    desk.memory.cursors[key] = cursor
    return len(replies)


def _unanswered(
    database: Database, issuer: OwnCertificate, after: int, most: int
) -> tuple[list[tuple[bytes, CertificateSerial]], int]:
    """Return the next certificates that need an answer, and where to go on; 0 begins anew."""
    key, name = key_id(issuer.certificate), ocsp.identify(FOR_ALL, issuer.certificate)
    found: list[tuple[bytes, CertificateSerial]] = []
    page = answers.unanswered(database, key, after, clock.now(), LOOKED_AT)
    for each in page:
        if len(found) >= most:
            return found, after
        serial = CertificateSerial.parse(each.serial)
        cert_id = ocsp.write_cert_id(name, serial.number)
        kept = answers.kept(database, cert_id)
        if kept is None or is_half_spent(kept.this_update, kept.next_update, clock.now()):
            found.append((cert_id, serial))
        after = each.id
    return found, after if len(page) == LOOKED_AT else 0


async def _sign(desk: Desk, replies: Sequence[Reply]) -> list[calls.OcspAnswer]:
    """Look, write, record, sign, record; an answer whose certificate changed meanwhile is made once more."""
    reach("ocsp.asked")
    key = desk.keys.key(replies[0].signer.name)
    drafts = await desk.ledger.write(partial(_intend, replies))
    reach("ocsp.intended")
    try:
        ders = await asyncio.to_thread(_seal_each, drafts, replies[0].signer.certificate, key)
        reach("ocsp.signed")
        true = await desk.ledger.write(partial(_seal, drafts, ders))
    except Exception:
        await give_up(desk, partial(_abandon, [number for number, _, _ in drafts]))
        raise
    reach("ocsp.sealed")
    found = []
    for reply, (_, draft, _), der, holds in zip(replies, drafts, ders, true, strict=True):
        times = ocsp.Times(draft.this_update, draft.next_update)
        named = (draft.issuer_key_id, draft.serial) if reply.keep else (b"", "")
        found += [_given(der, times, *named)] if holds else await _sign(desk, [reply])
    return found


Drafted = tuple[int, answers.Draft, bytes]


def _intend(replies: Sequence[Reply], tx: Tx) -> list[Drafted]:
    found = [_draft(tx.database, reply) for reply in replies]
    rows = [(answers.intend(tx.database, draft), draft, tbs) for draft, tbs in found]
    reach("ocsp.intending")
    return rows


def _draft(database: Database, reply: Reply) -> tuple[answers.Draft, bytes]:
    """Write an answer by what the ledger says in the very transaction that records it."""
    key, now = key_id(reply.issuer.certificate), clock.now()
    end = min(now + (LIFE if reply.keep else LIVE_LIFE), reply.signer.certificate.not_valid_after_utc)
    about = [(cert_id, answers.standing(database, key, serial.hex)) for cert_id, serial in reply.about]
    tbs = ocsp.write_tbs(reply.signer.certificate, about, ocsp.Times(now, end), reply.nonce)
    digest = hashlib.sha256(tbs).digest()
    return answers.Draft(key, reply.about[0][1].hex, reply.keep, now, end, digest), tbs


def _seal_each(drafts: Sequence[Drafted], signer: x509.Certificate, key: SigningKey) -> list[bytes]:
    return [ocsp.seal(tbs, signer, key) for _, _, tbs in drafts]


def _seal(drafts: Sequence[Drafted], ders: Sequence[bytes], tx: Tx) -> list[bool]:
    true = [answers.seal(tx.database, row, draft, der) for (row, draft, _), der in zip(drafts, ders, strict=True)]
    reach("ocsp.sealing")
    return true


def _abandon(numbers: Sequence[int], tx: Tx) -> None:
    for number in numbers:
        answers.abandon(tx.database, number)


def _prune(tx: Tx) -> None:
    answers.prune(tx.database, clock.now())


def _given(der: bytes, times: ocsp.Times, issuer_key_id: bytes, serial: str) -> calls.OcspAnswer:
    keep_until = times.this_update + (times.next_update - times.this_update) / 2
    return calls.OcspAnswer(der, times.this_update, times.next_update, keep_until, issuer_key_id, serial)


def _refused(trouble: ocsp.Trouble) -> calls.OcspAnswer:
    return calls.OcspAnswer(ocsp.refuse(trouble))
