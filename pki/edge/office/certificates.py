"""Issuing certificates to stations, and listing them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cryptography import x509

from pki import request as requests
from pki.certificate import key_id, to_pem
from pki.edge import calls, clock
from pki.edge.ledger import certificates, stations
from pki.edge.office import issuing, leaves
from pki.edge.office.services import services_of
from pki.errors import ConflictError, InputError, RefusedError
from pki.names import CertificateSerial, ProtocolVersion, StationIdentity, StationSerial
from pki.plan import Subject, plan
from pki.profile import CertificateProfile, CertificatePurpose
from pki.station import CertificateStatus, SecurityProfile, Station

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.findings import Finding
    from pki.services import Services


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a station of the register, as it reached us by whatever way.

    ``findings`` are what that way found already, and ``with_it`` what it wants done in the transaction that records
    the intention to sign: a token is spent exactly then.
    """

    station: calls.StationRow
    request: requests.SigningRequest
    profile: CertificateProfile
    days: int = 0
    findings: tuple[Finding, ...] = ()
    with_it: Callable[[Tx], None] | None = None


async def issue(desk: Desk, call: calls.IssueCertificate, who: str) -> calls.CertificateIssued:
    """Issue a certificate for a request, by the certificate profile that was named."""
    row = _registered(desk, call.station) if call.station else None
    profile = desk.profile(call.profile, version_of(row))
    if profile.purpose is not CertificatePurpose.STATION:
        return await leaves.issue(desk, call, profile, who)
    if call.name or call.vendor:
        says = "a station is named by its register's serial number alone"
        raise InputError("issue.words", says, "Leave name and vendor out.")
    if row is None:
        says = f"the certificate profile {call.profile[:40]!r} needs a station"
        raise InputError("issue.words", says, "Say whose it is (--station), or name another certificate profile.")
    return await _issue_station(desk, call, row, profile, who)


def version_of(row: calls.StationRow | None) -> ProtocolVersion | None:
    """Return the version of OCPP that a station speaks, as far as the register knows."""
    return ProtocolVersion.parse(row.protocol) if row and row.protocol else None


def _registered(desk: Desk, identity: str) -> calls.StationRow:
    return desk.ledger.peek(partial(stations.certified, identity=StationIdentity.parse(identity).text))


async def _issue_station(
    desk: Desk, call: calls.IssueCertificate, row: calls.StationRow, profile: CertificateProfile, who: str
) -> calls.CertificateIssued:
    """Issue a station its certificate; a refused request leaves an audit entry too."""
    issuer = desk.active("station")
    sealed = await certify(desk, Asked(row, requests.read_request(call.csr), profile, call.days), who)
    chain, findings = sealed.pem + desk.chain_pem(issuer), issuing.told(sealed.findings)
    return calls.CertificateIssued(sealed.row, chain, sealed.audit_index, findings)


async def examine(desk: Desk, asked: Asked, who: str) -> requests.Admissible:
    """Judge a request without issuing; a refusal leaves an audit entry."""
    try:
        return _examine(desk, asked)
    except RefusedError as refused:
        await desk.ledger.write(partial(issuing.refuse, desk, asked.station.identity, refused, who))
        raise


async def certify(desk: Desk, asked: Asked, who: str) -> issuing.Sealed:
    """Judge a request and issue; what is returned may be handed out. A refusal leaves an audit entry."""
    issuer = desk.active("station")
    try:
        admissible = _examine(desk, asked)
        order = _order(desk, issuer, asked, admissible, await services_of(desk, issuer))
    except RefusedError as refused:
        await desk.ledger.write(partial(issuing.refuse, desk, asked.station.identity, refused, who))
        raise
    return await issuing.issue(desk, order, who)


async def listed(desk: Desk, call: calls.ListCertificates, who: str) -> calls.Certificates:  # noqa: ARG001 - one shape
    """List certificates, soonest expiry first. Expiring are those that still hold, unless a status is asked for."""
    serial = CertificateSerial.parse(call.serial).hex if call.serial else ""
    holds = call.expiring_before is not None and not call.status
    look = partial(
        certificates.listed,
        station=call.station,
        status=CertificateStatus.VALID.value if holds else call.status,
        serial=serial,
        before=call.expiring_before,
        after=clock.now() if holds else None,
    )
    return calls.Certificates(tuple(await desk.ledger.read(partial(look, purpose=call.purpose))))


async def fetch(desk: Desk, call: calls.FetchCertificate, who: str) -> calls.CertificateText:  # noqa: ARG001 - one shape
    """Fetch one certificate as it was signed."""
    serial = CertificateSerial.parse(call.serial).hex
    found = await desk.ledger.read(partial(certificates.signed, serial=serial))
    if not found.der:
        says = f"the certificate {serial} is {found.status}: it was never signed for anyone"
        raise ConflictError("certificate.state", says, "There is nothing to show but its row.")
    row = (await desk.ledger.read(partial(certificates.listed, serial=serial)))[0]
    return calls.CertificateText(row, to_pem([x509.load_der_x509_certificate(found.der)]))


def _examine(desk: Desk, asked: Asked) -> requests.Admissible:
    row, key = asked.station, key_id(asked.request.public_key)
    known = partial(certificates.history, key=key, now=clock.stamp(clock.now()), station=row.identity)
    compromised, holder = desk.ledger.peek(known)
    station = Station(StationIdentity(row.identity), StationSerial(row.serial), SecurityProfile(row.profile))
    ours = desk.settings.organisation
    return requests.examine(asked.request, station, ours, compromised=compromised, holder=holder, also=asked.findings)


def _order(
    desk: Desk, issuer: OwnCertificate, asked: Asked, admissible: requests.Admissible, services: Services | None
) -> issuing.Order:
    planned = plan(
        asked.profile,
        Subject(admissible.serial.text, admissible.organisation),
        admissible.public_key,
        desk.issuer(issuer.name),
        issuing.draw_serial(),
        clock.now(),
        asked.days,
        services,
    )
    key, findings = desk.keys.key(issuer.name), admissible.findings
    return issuing.Order(planned, key, asked.station.identity, asked=True, with_it=asked.with_it, findings=findings)
