"""Gives a station a new certificate for the key it has already: after its authority was replaced, or before it expires.

The station proved that it holds the key when the first certificate was issued, so nothing is asked of it. A certificate
that is not valid (any more), a disabled station, a key that was given up, and one that another has too get none.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cryptography import x509

from pki.certificate import key_id
from pki.edge import calls, clock
from pki.edge.ledger import certificates, stations
from pki.edge.office import issuing
from pki.edge.office.certificates import version_of
from pki.edge.office.services import services_of
from pki.errors import ConflictError
from pki.names import CertificateSerial
from pki.plan import Subject, plan
from pki.profile import CertificatePurpose
from pki.request import examine_holder
from pki.station import CertificateStatus

if TYPE_CHECKING:
    from sqlite_utils import Database

    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.services import Services


async def reissue(desk: Desk, call: calls.ReissueCertificate, who: str) -> calls.CertificateIssued:
    """Issue the successor of a certificate, by the certificate profile and the names of today."""
    issuer = desk.active("station")
    station, former = desk.ledger.glance(partial(_look, serial=CertificateSerial.parse(call.serial).hex))
    order = _order(desk, issuer, station, former, await services_of(desk, issuer))
    sealed = await issuing.issue(desk, order, who)
    chain = sealed.pem + desk.chain_pem(issuer)
    return calls.CertificateIssued(sealed.row, chain, sealed.audit_index, issuing.told(sealed.findings))


def _look(database: Database, serial: str) -> tuple[calls.StationRow, x509.Certificate]:
    """Find the station and its present certificate, and refuse what must not have a successor."""
    found = certificates.signed(database, serial)
    if (found.purpose, found.status) != (CertificatePurpose.STATION, CertificateStatus.VALID):
        raise _refuse(
            serial, f"it is a {found.purpose} certificate and {found.status}; a valid one of a station is due"
        )
    former = x509.load_der_x509_certificate(found.der)
    now = clock.stamp(clock.now())
    compromised, holder = certificates.history(database, key_id(former), now, found.station)
    if compromised:
        raise _refuse(serial, "its key was given up as compromised (RFC 5280 5.3.1)")
    if shared := examine_holder(holder):
        raise _refuse(serial, f"{shared[0].says} ({shared[0].clause})")
    return stations.plain(database, found.station), former


def _order(
    desk: Desk,
    issuer: OwnCertificate,
    station: calls.StationRow,
    former: x509.Certificate,
    services: Services | None,
) -> issuing.Order:
    planned = plan(
        desk.profile("station", version_of(station)),
        Subject(station.serial, desk.settings.organisation),
        former.public_key(),
        desk.issuer(issuer.name),
        issuing.draw_serial(),
        clock.now(),
        services=services,
    )
    return issuing.Order(planned, desk.keys.key(issuer.name), station.identity, asked=True)


def _refuse(serial: str, cause: str) -> ConflictError:
    advice = "Let the station make a new key and send a request: 'bollard cert issue'."
    return ConflictError("certificate.reissue", f"the certificate {serial} gets no successor: {cause}", advice)
