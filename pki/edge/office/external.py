"""Certificates that an authority of others issues on our request: judged, recorded, sent on, judged again, recorded.

A request is kept before it is sent and until it is answered, so a crash or a network that fails loses nothing: a duty
sends it again. A certificate that came is kept before its chain is asked for, so nobody issues a second one. Asking
twice for one key gives the certificate that is there. What we cannot verify is never handed out.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import key_id, read_certificates, to_pem
from pki.edge import calls, clock
from pki.edge.est_client import fetch_above, read_bag, request_certificate
from pki.edge.ledger import audit as log
from pki.edge.ledger import certificates, stations, waiting
from pki.edge.ledger import external as received
from pki.edge.office import certificates as issued
from pki.edge.office import issuing
from pki.edge.office.approvals import forget_ended
from pki.edge.office.desk import sha256
from pki.edge.office.enrolment import told
from pki.errors import BollardError, ConflictError, InputError, RefusedError, UnreachableError
from pki.est import Wanted, arrange
from pki.external import ExternalIssuer, examine_vehicle_side
from pki.findings import refuse_errors
from pki.names import StationIdentity
from pki.pem import PEM_LENGTH
from pki.request import SigningRequest, examine_holder, examine_key, examine_secc_id, read_request, read_request_der
from pki.station import CertificateStatus
from pki.waiting import DAYS, Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509
    from sqlite_utils import Database

    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk
    from pki.findings import Finding

WAY: Final = "external"  # how such a request is called among those that wait
SELF: Final = "authority"  # who acts, in the audit log, when the duty sends on
PAUSE_SECONDS: Final = 60  # before a request is sent again that nobody answered; also how long one exchange may take
ROUND_MOST: Final = 8  # requests sent on in one round of the duty; the others have theirs in the next

_EXPECTED: Final = (UnreachableError, ConflictError, RefusedError)  # kept and due again, or recorded as refused


@dataclass(frozen=True, slots=True)
class Sending:
    """One request on its way: whom it is for, whom it goes to, its number among those that wait, and itself."""

    station: str
    issuer: ExternalIssuer
    number: int
    request: SigningRequest

    @property
    def key(self) -> bytes:
        """The id of the key it is for."""
        return key_id(self.request.public_key)


async def issue(desk: Desk, call: calls.IssueCertificate, who: str) -> calls.CertificateIssued:
    """Issue by the external authority that is named for the certificate profile, else by ours."""
    issuer = _named(desk, lambda each: each.certificate_profile == call.profile)
    if issuer is None:
        return await issued.issue(desk, call, who)
    row = await desk.ledger.read(partial(stations.plain, identity=StationIdentity.parse(call.station).text))
    request = read_request(call.csr)
    if call.vendor or (call.name and request.common_names != (call.name,)):
        says = "a vendor was given, or a name that is not the request's common name"
        raise InputError("issue.words", says, "An external authority takes its names from the request.")
    sending = Sending(row.identity, issuer, 0, request)
    look = partial(received.find, station=row.identity, issuer=issuer.name, key_id=sending.key)
    had = await desk.ledger.read(look)
    if had is not None:
        return calls.CertificateIssued(had[0], had[1], (await desk.ledger.read(log.edge)).size - 1)
    _wanted(desk, sending)  # a profile that is not there would leave nothing to judge the answer by
    await _examine(desk, sending, who)
    kept = await desk.ledger.write(partial(_keep, desk, sending, who))
    return await _send(desk, Sending(row.identity, issuer, kept.id, request), who)


async def send_due(desk: Desk) -> int:
    """Send on what is due, all at once, and say how much of it was answered. A duty of the authority's."""
    due = await desk.ledger.read(partial(waiting.due, now=clock.now(), most=ROUND_MOST))
    ended = await asyncio.gather(*(_send_kept(desk, kept) for kept in due), return_exceptions=True)
    for problem in ended:
        if isinstance(problem, BaseException) and not isinstance(problem, _EXPECTED):
            raise problem
    return sum(isinstance(each, calls.CertificateIssued) for each in ended)


async def _send_kept(desk: Desk, kept: waiting.Kept) -> calls.CertificateIssued:
    issuer = _named(desk, lambda each: each.name == kept.issuer)
    if issuer is None:
        raise InputError(
            "external.file",
            f"request {kept.id} waits for {kept.issuer}, which bollard.toml does not name any more",
            "Name it again, or give the request up: bollard cert deny.",
        )
    return await _send(desk, Sending(kept.station, issuer, kept.id, read_request_der(kept.csr)), SELF)


async def _send(desk: Desk, sending: Sending, who: str) -> calls.CertificateIssued:
    wanted = _wanted(desk, sending)
    kept = await desk.ledger.write(partial(_begin, sending))
    try:
        bag = kept or await _request(desk, sending)
        above, anchors = await fetch_above(sending.issuer), _anchors(sending.issuer)
        path = arrange(read_bag(bag), above, anchors, wanted, clock.now())
        return await desk.ledger.write(partial(_receive, desk, sending, path, who))
    except RefusedError as refused:
        await desk.ledger.write(partial(_refuse, desk, sending, refused, who))
        raise


async def _request(desk: Desk, sending: Sending) -> bytes:
    """Send the request; what is issued for it is in the ledger before anything else is asked."""
    answer = await request_certificate(sending.issuer, sending.request.csr.public_bytes(Encoding.DER))
    if not answer.bag:
        await desk.ledger.write(partial(_put_off, sending, answer.retry))
        raise _pending(sending)
    await desk.ledger.write(lambda tx: waiting.keep_answer(tx.database, sending.number, answer.bag))
    return answer.bag


def _wanted(desk: Desk, sending: Sending) -> Wanted:
    profile = desk.profile(sending.issuer.certificate_profile)
    if profile.purpose.is_ca:
        says = f"{sending.issuer.name} is named for {sending.issuer.certificate_profile}, which is for authorities"
        raise InputError("external.authority", says, "Name a leaf's profile in [[external_issuer]].")
    return Wanted(profile.purpose, sending.request.public_key, sending.request.common_names, profile.chain_length)


def _begin(sending: Sending, tx: Tx) -> bytes:
    """Take the request for this exchange: nobody else sends it meanwhile, nor before the time it was put off to.

    What was issued for it before is returned; empty where nothing was.
    """
    now = clock.now()
    row = waiting.numbered(tx.database, sending.number, now)
    if row.state == Decision.DENIED:
        raise ConflictError("enrolment.decided", "the request was given up", "Ask with a new key.")
    if not waiting.is_due(tx.database, sending.number, now):
        raise _pending(sending)
    waiting.put_off(tx.database, sending.number, now + dt.timedelta(seconds=PAUSE_SECONDS))
    return waiting.answer(tx.database, sending.number)


def _put_off(sending: Sending, seconds: int, tx: Tx) -> None:
    waiting.put_off(tx.database, sending.number, clock.now() + dt.timedelta(seconds=seconds))


def _receive(
    desk: Desk, sending: Sending, path: tuple[x509.Certificate, ...], who: str, tx: Tx
) -> calls.CertificateIssued:
    row, chain = _row(sending, path), to_pem(path)
    _refuse_known(row, tx)
    parts = path[0].tbs_certificate_bytes, path[0].public_bytes(Encoding.DER)
    received.keep(tx.database, row, parts, (sending.issuer.name, sending.key), chain)
    waiting.end(tx.database, sending.number)
    proof = {"tbs_sha256": sha256(parts[0]), "der_sha256": sha256(parts[1]), "chain_sha256": sha256(chain)}
    came: dict[str, Json] = {"id": sending.number, "from": sending.issuer.name, "key_id": sending.key.hex()}
    said = {**issuing.what_of(row), **issuing.proof_of(row)}
    index = desk.record(tx, "certificate.received", who, {**came, **said, **proof})
    desk.tell_of_station(tx, sending.station)
    return calls.CertificateIssued(row, chain, index)


def _refuse_known(row: calls.CertificateRow, tx: Tx) -> None:
    """RFC 5280 4.1.2.2: an issuer's serial number stands for one certificate, revoked ones too."""
    found = certificates.listed(tx.database, serial=row.serial)
    if any(each.issuer_key_id == row.issuer_key_id for each in found):
        raise RefusedError(
            "external.known",
            f"the certificate {row.serial} of {row.issuer[:96]!r} is in the ledger already (RFC 5280 4.1.2.2)",
            "Ask with a new key, or ask those who run the external authority.",
        )


def _row(sending: Sending, path: tuple[x509.Certificate, ...]) -> calls.CertificateRow:
    leaf = path[0]
    above = path[1] if len(path) > 1 else _anchors(sending.issuer)[0]
    return calls.CertificateRow(
        serial=f"{leaf.serial_number:x}",
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        issuer_key_id=key_id(above),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        status=CertificateStatus.VALID.value,
        purpose=sending.issuer.certificate_profile,
        station=sending.station,
    )


async def _examine(desk: Desk, sending: Sending, who: str) -> None:
    """The key and its proof as for every request; the names by the rules of the certificate profile, if it has any."""
    request, profile = sending.request, sending.issuer.certificate_profile
    compromised = await desk.ledger.read(partial(certificates.is_compromised, key=sending.key))
    found = [
        *examine_key(request, compromised=compromised),
        *await desk.ledger.read(partial(_find_taken, sending=sending)),
        *examine_vehicle_side(profile, request.common_names, request.public_key),
    ]
    try:
        refuse_errors(found, "csr.refused", f"the request of station {sending.station}", "Let it make a new request.")
    except RefusedError as refused:
        await desk.ledger.write(partial(_refuse, desk, sending, refused, who))
        raise


def _find_taken(database: Database, sending: Sending) -> list[Finding]:
    """A00.FR.427: neither key nor SECCID are another's."""
    now, names = clock.stamp(clock.now()), sending.request.common_names
    found = examine_holder(certificates.other_holder(database, sending.key, now, station=sending.station))
    other = certificates.secc_id_holder(database, names[0], sending.station, now) if names else ""
    return [*found, *examine_secc_id(names[0] if names else "", other)]


def _keep(desk: Desk, sending: Sending, who: str, tx: Tx) -> calls.WaitingRow:
    now, issuer = clock.now(), sending.issuer.name
    forget_ended(desk, tx)
    found = waiting.find(tx.database, sending.station, sending.key, issuer, now)
    if found is not None:
        return found
    subject = sending.request.csr.subject.rfc4514_string()
    expires = now + dt.timedelta(days=DAYS)
    row = calls.WaitingRow(0, sending.station, WAY, Decision.PENDING, sending.key, subject, now, expires, issuer)
    number = waiting.keep(tx.database, row, sending.request.csr.public_bytes(Encoding.DER))
    what = told(number, row, sending.request.csr.public_bytes(Encoding.DER))
    desk.record(tx, "certificate.requested", who, {**what, "purpose": sending.issuer.certificate_profile})
    return waiting.numbered(tx.database, number, now)


def _refuse(desk: Desk, sending: Sending, refused: RefusedError, who: str, tx: Tx) -> None:
    codes = sorted({finding.code for finding in refused.findings})
    what: dict[str, Json] = {"station": sending.station, "from": sending.issuer.name, "code": refused.code}
    if sending.number:
        waiting.end(tx.database, sending.number)
        desk.record(tx, "enrolment.refused", who, {**what, "id": sending.number, "findings": codes})
    else:
        desk.record(tx, "certificate.refused", who, {**what, "findings": codes})


def _anchors(issuer: ExternalIssuer) -> list[x509.Certificate]:
    try:
        with Path(issuer.chain_anchor).open("rb") as file:
            return read_certificates(file.read(PEM_LENGTH + 1))
    except (OSError, BollardError):
        raise InputError(
            "external.file",
            f"{issuer.chain_anchor!r} holds no certificates in PEM",
            "Correct chain_anchor in [[external_issuer]].",
        ) from None


def _named(desk: Desk, is_meant: Callable[[ExternalIssuer], bool]) -> ExternalIssuer | None:
    return next((issuer for issuer in desk.settings.external_issuers if is_meant(issuer)), None)


def _pending(sending: Sending) -> ConflictError:
    return ConflictError(
        "external.pending",
        f"{sending.issuer.name} has not decided about the request of {sending.station} yet (RFC 7030 4.2.3)",
        "It is asked again by itself; give the same command later to have the certificate.",
    )
