"""The one way a certificate comes to be: planned, approved by the lint, recorded, signed, recorded again, handed out.

The first record reserves the serial and keeps the very bytes that will be signed; it is on the disk before the key is
used. The second keeps the signature; it is on the disk before anybody sees it. A crash at any step leaves a row, and
what is still only intended at the next start is abandoned, which counts as revoked.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from pki import issue as signing
from pki import lint
from pki.certificate import der_to_pem, key_id
from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.ledger import certificates, crls, stations
from pki.edge.office.desk import OwnCertificate, sha256
from pki.edge.office.settling import give_up
from pki.errors import BollardError, ConflictError, RefusedError
from pki.findings import refuse_errors
from pki.names import CertificateSerial
from pki.request import examine_holder, examine_secc_id
from pki.station import CertificateStatus, StationStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509
    from sqlite_utils import Database

    from pki import audit
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk
    from pki.findings import Finding
    from pki.holding import Holding
    from pki.plan import Plan
    from pki.strength import SigningKey

SERIAL_BYTES: Final = 20  # RFC 5280 4.1.2.2: at most 20 octets, and as many of them random as possible


@dataclass(frozen=True, slots=True)
class Order:
    """A certificate to be made: what it will say, and the key of ours that signs it.

    ``station`` is the identity it is for, or empty. ``holds`` is the key of ours that it certifies, if it is one;
    ``asked`` says that the key is one of others, so that it must be nobody else's.
    ``with_it`` runs in the transaction that records the intention; what it raises undoes that, and nothing is signed.
    ``findings`` is what was noticed about the request.
    """

    plan: Plan
    key: SigningKey
    station: str = ""
    holds: Holding | None = None
    asked: bool = False
    with_it: Callable[[Tx], None] | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A certificate that is in the ledger as valid, and the audit entry that says so. ``findings`` is what was noticed
    on the way, of request, plan and lint, and did not refuse."""

    row: calls.CertificateRow
    issued: signing.Issued
    audit_index: int
    findings: tuple[Finding, ...] = ()

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate."""
        return self.issued.certificate

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return der_to_pem(self.issued.der)


def draw_serial() -> CertificateSerial:
    """Draw a serial from the system's random source."""
    return CertificateSerial.from_random(secrets.token_bytes(SERIAL_BYTES))


async def issue(desk: Desk, order: Order, who: str) -> Sealed:
    """Record, sign, record; what is returned may be handed out."""
    reach("issue.planned")
    approved = lint.approve(order.plan, clock.now())
    row = _row(order)
    number = await desk.ledger.write(partial(_intend, desk, order, row, approved.tbs, who))
    reach("issue.intended")
    try:
        issued = signing.sign(approved, order.key)
        reach("issue.signed")
        noticed = tuple(dict.fromkeys((*order.findings, *approved.findings)))
        sealed = await desk.ledger.write(partial(_seal, desk, order, noticed, row, number, issued, who))
    except Exception as problem:  # noqa: BLE001 - whatever it is, the intention is given up, and it is raised
        lost = certificates.Identified(number, row.serial, "", "", row.issuer_key_id)
        await give_up(desk, partial(abandon, desk, lost, who))
        raise _only_intended(problem, row.serial) from None
    reach("issue.sealed")
    return sealed


def _only_intended(problem: Exception, serial: str) -> Exception:
    """Say what became of the intention where the ledger failed, for it does stand in the ledger."""
    if not isinstance(problem, BollardError) or not problem.code.startswith("ledger."):
        return problem
    cause = f"{problem.cause}; the certificate {serial} stays intended until that can be recorded, then it is abandoned"
    return type(problem)(problem.code, cause, problem.advice)


def abandon(desk: Desk, lost: certificates.Identified, who: str, tx: Tx) -> None:
    """Record that an intended certificate was never handed out."""
    certificates.abandon(tx.database, lost.id)
    crls.changed(tx.database, lost.issuer_key_id, lost.serial)
    desk.record(tx, "certificate.abandoned", who, {"serial": lost.serial})
    if lost.station:
        desk.tell_soon_of_station(tx, lost.station)  # who was removed meanwhile is told of no more


def _intend(desk: Desk, order: Order, row: calls.CertificateRow, tbs: bytes, who: str, tx: Tx) -> int:
    if order.station:
        _refuse_disabled(order.station, stations.status(tx.database, order.station))
    if order.asked:
        refuse_taken(tx.database, order)
    if order.plan.issuer is not None:
        certificates.refuse_fallen(tx.database, order.plan.issuer.name)
    if order.with_it:
        order.with_it(tx)
    number = certificates.intend(tx.database, row, tbs, key_id(order.plan.public_key))
    desk.record(tx, "certificate.intended", who, {**what_of(row), **proof_of(row), "tbs_sha256": sha256(tbs)})
    reach("issue.intending")
    return number


def _seal(
    desk: Desk,
    order: Order,
    findings: tuple[Finding, ...],
    row: calls.CertificateRow,
    number: int,
    issued: signing.Issued,
    who: str,
    tx: Tx,
) -> Sealed:
    certificates.seal(tx.database, number, issued.der)
    held: dict[str, audit.Json] = {}
    if order.holds:
        held = held_of(order.holds, certificates.hold(tx.database, order.holds, number))
        tx.after.append(partial(desk.adopt, OwnCertificate(order.holds, issued.certificate)))
    noticed: dict[str, audit.Json] = {"noticed": [*codes]} if (codes := _codes(findings)) else {}
    what = {**what_of(row), **held, "der_sha256": sha256(issued.der), **noticed}
    index = desk.record(tx, "certificate.issued", who, what)
    reach("issue.sealing")
    if order.station:
        stations.status(tx.database, order.station)  # one that was removed meanwhile is refused, and nothing is sealed
        desk.tell_soon_of_station(tx, order.station)
    return Sealed(msgspec.structs.replace(row, status=CertificateStatus.VALID.value), issued, index, findings)


def _row(order: Order) -> calls.CertificateRow:
    plan, subject = order.plan, order.plan.subject_text
    issuer = plan.issuer
    return calls.CertificateRow(
        serial=plan.serial.hex,
        subject=subject,
        issuer=subject if issuer is None else issuer.subject,
        issuer_key_id=key_id(plan.public_key) if issuer is None else issuer.key_id,
        not_before=plan.not_before,
        not_after=plan.not_after,
        status=CertificateStatus.INTENDED.value,
        purpose=plan.profile.purpose.value,
        station=order.station,
    )


def what_of(row: calls.CertificateRow) -> dict[str, audit.Json]:
    """Say which certificate it is, in the log."""
    return {
        "serial": row.serial,
        "subject": row.subject,
        "issuer": row.issuer,
        "purpose": row.purpose,
        "station": row.station,
    }


def proof_of(row: calls.CertificateRow) -> dict[str, audit.Json]:
    """Say what else the log must tell, so that the row can be held against it (pki/replay.py)."""
    return {
        "issuer_key_id": row.issuer_key_id.hex(),
        "not_before": clock.stamp(row.not_before),
        "not_after": clock.stamp(row.not_after),
    }


def held_of(holding: Holding, replaces: str) -> dict[str, audit.Json]:
    """Say what a key of ours is for, in the log."""
    return {
        "holds": holding.name,
        "slot": holding.slot,
        "role": holding.purpose,
        "state": holding.state.value,
        "keeper": holding.keeper.value,
        "replaces": replaces,
    }


def refuse(desk: Desk, identity: str, refused: RefusedError, who: str, tx: Tx) -> None:
    """Record that a request was refused, and why, with nothing of its own words."""
    codes = _codes(refused.findings)
    desk.record(tx, "certificate.refused", who, {"station": identity, "code": refused.code, "findings": [*codes]})


def told(findings: tuple[Finding, ...]) -> tuple[calls.FindingRow, ...]:
    """Write findings as an answer carries them."""
    return tuple((each.code, each.severity.value, each.clause, each.says) for each in findings)


def _codes(findings: tuple[Finding, ...]) -> list[str]:
    return sorted({finding.code for finding in findings})


def refuse_taken(database: Database, order: Order) -> None:
    """A00.FR.427: refuse a key, or a SECCID, that is another's; asked before planning ends and when it is recorded."""
    plan, now = order.plan, clock.stamp(clock.now())
    subject, purpose = plan.subject_text, plan.profile.purpose
    whose = {"station": order.station, "purpose": purpose.value, "subject": subject}
    found = examine_holder(certificates.other_holder(database, key_id(plan.public_key), now, **whose))
    if purpose.is_secc:
        other = certificates.secc_id_holder(database, plan.subject.common_name, order.station, now)
        found += examine_secc_id(plan.subject.common_name, other)
    cause = f"the request for {plan.subject.common_name!r}"
    refuse_errors(found, "csr.refused", cause, "Have a new key made, and a request with a name of its own.")


def _refuse_disabled(identity: str, status: str) -> None:
    if status != StationStatus.ACTIVE:
        raise ConflictError(
            "station.disabled",
            f"the station {identity} is disabled, so nothing is issued to it",
            f"Enable it first: bollard station set {identity} --status active.",
        )
