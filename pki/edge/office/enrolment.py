"""Stations that ask for their certificate over EST: who asks, whether it must wait, and the one way it is issued.

The web process relays what it was shown and judges nothing. Whoever is not known, disabled, or comes with a spent token
hears the same. What is issued went through ``certificates.certify`` like every other; a token is spent in the very
transaction that records the intention, so a refused request does not cost it, and of two uses at once one is too late.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import key_id, read_certificate, read_certificates, to_pem
from pki.edge import calls, clock
from pki.edge.ledger import anchors, certificates, stations, tokens, waiting
from pki.edge.office.anchors import own_keys
from pki.edge.office.approvals import forget_ended
from pki.edge.office.certificates import Asked, certify, examine, version_of
from pki.edge.office.desk import sha256
from pki.edge.office.tokens import refuse_off
from pki.enrolment import Holder, examine_renewal, judge_holder, refused_holder
from pki.errors import ForbiddenError, InputError, RefusedError
from pki.holding import KeyState
from pki.names import StationIdentity
from pki.request import SigningRequest, read_request, read_request_der
from pki.station import CertificateStatus, StationStatus
from pki.token import check_token, refused_credentials
from pki.waiting import DAYS, RETRY_SECONDS, Decision, Way

if TYPE_CHECKING:
    from cryptography import x509

    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

DAILY_MOST: Final = 24  # certificates a station may have in a day; one is due in a year, a program in a loop takes all
CHAIN_MOST: Final = 8  # certificates looked at of those a client shows; OCPP allows four above a leaf
REMOTE_LENGTH: Final = 64  # characters of an address; an IPv6 address with its zone and port has about 60


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, proved. ``token`` is the hash of the token that proved it, ``held`` the certificate."""

    station: calls.StationRow
    way: Way
    token: bytes = b""
    held: x509.Certificate | None = None


async def ca_certificates(desk: Desk, call: calls.ListCaCertificates, who: str) -> calls.CaCertificates:  # noqa: ARG001 - one shape for all
    """List our authorities for stations, the one in use first, and the roots."""
    found = [*_authorities(desk, "station"), *_authorities(desk, "root")]
    return calls.CaCertificates(tuple(each.public_bytes(Encoding.DER) for each in found))


async def enroll(desk: Desk, call: calls.Enroll, who: str) -> calls.Enrolled:
    """Issue to whoever proves to be a station of ours, or let the request wait for a person."""
    refuse_off(desk)
    asker = await _who_asks(desk, call)
    acting = f"{asker.station.identity} by {asker.way} from {call.shown.remote[:REMOTE_LENGTH]!r}, told by {who}"
    try:
        return await _enroll(desk, asker, read_request_der(call.csr), acting)
    except (InputError, RefusedError) as refused:
        if asker.token:
            await desk.ledger.write(partial(_count_try, desk, asker, refused.code, acting))
        raise


async def renew_expired(desk: Desk, call: calls.RenewExpired, who: str) -> calls.LateRenewed:
    """Renew for a station that shows an expired certificate and was listed for that; all else is as for any other."""
    row = await desk.ledger.read(partial(stations.plain, identity=StationIdentity.parse(call.identity).text))
    if row.expired_until is None or row.expired_until <= clock.now():
        raise refused_holder("the station is not listed for renewing an expired certificate (A00.FR.429)")
    asker = await _by_certificate(desk, call.chain[:CHAIN_MOST], late=True)
    if asker.station.identity != row.identity:
        raise refused_holder("the certificate shown is another station's (A00.FR.405)")
    acting = f"{row.identity} by an expired certificate from {call.remote[:REMOTE_LENGTH]!r}, told by {who}"
    enrolled = await _enroll(desk, asker, read_request(call.csr), acting)
    if not enrolled.certificate:
        return calls.LateRenewed("", enrolled.audit_index)
    leaf = to_pem([read_certificate(enrolled.certificate)])
    return calls.LateRenewed(leaf + desk.chain_pem(desk.active("station")), enrolled.audit_index)


async def _enroll(desk: Desk, asker: Asker, request: SigningRequest, who: str) -> calls.Enrolled:
    await _refuse_often(desk, asker.station.identity)
    found = tuple(examine_renewal(request, asker.held)) if asker.way is Way.RENEWAL and asker.held else ()
    kind = desk.profile("station", version_of(asker.station))
    row = await desk.ledger.read(
        partial(
            waiting.find, station=asker.station.identity, key_id=key_id(request.public_key), issuer="", now=clock.now()
        )
    )
    if row is None and asker.way in desk.settings.approval:
        await examine(desk, Asked(asker.station, request, kind, findings=found), who)
        row = await desk.ledger.write(partial(_keep, desk, asker, request, who))
    if row is not None and row.state != Decision.APPROVED:
        return _wait(row)
    done = partial(_use, desk, asker, 0 if row is None else row.id, who)
    sealed = await certify(desk, Asked(asker.station, request, kind, findings=found, with_it=done), who)
    return calls.Enrolled(sealed.certificate.public_bytes(Encoding.DER), 0, sealed.audit_index)


def _wait(row: calls.WaitingRow) -> calls.Enrolled:
    if row.state == Decision.DENIED:
        says = f"the request was denied: {row.reason}" if row.reason else "the request was denied"
        raise ForbiddenError("enrolment.denied", says, "Ask the operator; a request with a new key is a new one.")
    return calls.Enrolled(b"", RETRY_SECONDS, -1)


def _keep(desk: Desk, asker: Asker, request: SigningRequest, who: str, tx: Tx) -> calls.WaitingRow:
    """Let it wait; the same request that came a moment earlier is found, not kept twice."""
    now, key = clock.now(), key_id(request.public_key)
    forget_ended(desk, tx)
    found = waiting.find(tx.database, asker.station.identity, key, "", now)
    if found is not None:
        return found
    expires = now + dt.timedelta(days=DAYS)
    subject = request.csr.subject.rfc4514_string()
    row = calls.WaitingRow(0, asker.station.identity, asker.way, Decision.PENDING, key, subject, now, expires)
    number = waiting.keep(tx.database, row, request.csr.public_bytes(Encoding.DER))
    until = tokens.prolong(tx.database, row.station, asker.token, expires) if asker.token else ""
    csr = request.csr.public_bytes(Encoding.DER)
    desk.record(tx, "enrolment.waiting", who, {**told(number, row, csr), "token_expires": until})
    return row


def told(number: int, row: calls.WaitingRow, csr: bytes) -> dict[str, Json]:
    """Write what the log must tell of a request that waits, so that the row can be held against it (pki/replay.py)."""
    return {
        "id": number,
        "station": row.station,
        "way": row.way,
        "issuer": row.issuer,
        "key_id": row.key_id.hex(),
        "csr_sha256": sha256(csr),
        "expires": clock.stamp(row.expires),
    }


def _use(desk: Desk, asker: Asker, number: int, who: str, tx: Tx) -> None:
    """What is done in the transaction that records the intention."""
    if asker.token:
        tokens.spend(tx.database, asker.station.identity, asker.token)
        desk.record(tx, "token.spent", who, {"station": asker.station.identity})
    if number:
        waiting.end(tx.database, number)
        desk.record(tx, "enrolment.answered", who, {"id": number, "station": asker.station.identity})


def _count_try(desk: Desk, asker: Asker, code: str, who: str, tx: Tx) -> None:
    tokens.count_try(tx.database, asker.station.identity, asker.token)
    desk.record(tx, "token.tried", who, {"station": asker.station.identity, "code": code})


async def _who_asks(desk: Desk, call: calls.Enroll) -> Asker:
    shown = call.shown
    if call.renewal and (shown.user or shown.token):
        raise refused_holder("a certificate is renewed by showing it, not with a token (RFC 7030 4.2.2)")
    if shown.user or shown.token or not shown.chain:
        return await _by_token(desk, shown)
    asker = await _by_certificate(desk, shown.chain[:CHAIN_MOST])
    if call.renewal and asker.way is not Way.RENEWAL:
        raise refused_holder("only a certificate of ours can be renewed here (RFC 7030 4.2.2)")
    return asker


async def _by_token(desk: Desk, shown: calls.Shown) -> Asker:
    try:
        identity = StationIdentity.parse(shown.user).text
    except InputError:
        raise refused_credentials() from None
    kept = await desk.ledger.read(partial(tokens.live, station=identity, now=clock.now()))
    token = check_token(shown.token, kept)
    row = await desk.ledger.read(partial(stations.plain, identity=identity))
    if row.status != StationStatus.ACTIVE:
        raise refused_credentials()
    return Asker(row, Way.TOKEN, token)


async def _by_certificate(desk: Desk, chain: tuple[bytes, ...], *, late: bool = False) -> Asker:
    """Judge who shows these now; ``late``: as they were while the leaf's was still good."""
    try:
        shown = [read_certificate(der) for der in chain]
    except InputError as problem:
        raise refused_holder(problem.cause) from None
    ours = {*own_keys(desk), *desk.fallen_keys()}  # trusted before it came to be ours, or fallen, it vouches for none
    rows = await desk.ledger.read(anchors.every)
    trusted = [row.pem for row in rows if row.purpose == "station" and row.key_id not in ours]
    others = [certificate for pem in trusted for certificate in read_certificates(pem)]
    moment = min(clock.now(), shown[0].not_valid_after_utc) if late and shown else clock.now()
    holder = judge_holder(shown, _authorities(desk, "station"), others, moment)
    row = await desk.ledger.read(partial(stations.by_serial, serial=holder.common_name))
    if row is None or row.status != StationStatus.ACTIVE:
        raise refused_holder("the certificate shown is of no station that may ask here (A00.FR.405)")
    if holder.way is Way.RENEWAL:
        await _refuse_unlisted(desk, holder, row)
    return Asker(row, holder.way, held=holder.certificate)


async def _refuse_unlisted(desk: Desk, holder: Holder, row: calls.StationRow) -> None:
    """A00.FR.705: of our own, what the ledger lists as this station's and valid is valid, and nothing else."""
    serial = f"{holder.certificate.serial_number:x}"
    listed = await desk.ledger.read(partial(certificates.listed, station=row.identity, serial=serial))
    if (holder.issuer_key_id, CertificateStatus.VALID) not in {(each.issuer_key_id, each.status) for each in listed}:
        raise refused_holder("the certificate shown was revoked, or is not in the ledger (A00.FR.705)")


async def _refuse_often(desk: Desk, identity: str) -> None:
    after = clock.stamp(clock.now() - dt.timedelta(days=1))
    if await desk.ledger.read(partial(certificates.count_begun, station=identity, after=after)) >= DAILY_MOST:
        raise ForbiddenError(
            "enrolment.often",
            f"{DAILY_MOST} certificates were issued to the station within a day",
            "Find out why it asks again and again; it may go on tomorrow.",
        )


def _authorities(desk: Desk, purpose: str) -> list[x509.Certificate]:
    """Ours of one purpose that are trusted, the one in use first."""
    mine = [own for own in desk.own.values() if own.purpose == purpose and own.holding.state is not KeyState.RETIRED]
    held = [own for own in mine if desk.fallen(own) is None]
    return [own.certificate for own in sorted(held, key=lambda own: own.holding.state is not KeyState.ACTIVE)]
