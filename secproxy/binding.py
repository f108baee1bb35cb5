"""Whether a certificate is this station's: issuer, names, end and standing, held against the ledger.

Rules this file keeps:

* A certificate names one station, by its serial number; nothing is matched loosely (A00.FR.405, .427).
* Of our own issuers, only what the ledger lists as valid is valid (A00.FR.705); there is no list to be out of date.
  That holds wherever one of them stands on the way up, whatever anchor the way ends in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki.certificate import common_names, organisations
from pki.errors import InputError
from pki.names import CertificateSerial
from pki.station import CertificateStatus, StationStatus
from pki.unreadable import UNREADABLE, touch_name

if TYPE_CHECKING:
    import datetime as dt

    from pki.station import Station
    from secproxy.events import Value
    from secproxy.station_view import View


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A station's certificate after OpenSSL verified its chain.

    ``issuer_key_id`` is the key id of the trusted issuer the chain ended in (SHA-256 over SubjectPublicKeyInfo, 32
    bytes), ``between`` those of the authorities below that one, who signed it first; ``fingerprint`` is the SHA-256 of
    the certificate's DER, in hex.
    """

    subject: str
    common_names: tuple[str, ...]
    organisations: tuple[str, ...]
    serial: CertificateSerial
    issuer_key_id: bytes
    not_after: dt.datetime
    fingerprint: str
    between: tuple[bytes, ...] = ()

    @property
    def signer_key_id(self) -> bytes:
        """The key id of who signed it."""
        return self.between[0] if self.between else self.issuer_key_id


Objection = tuple[str, dict[str, "Value"]]
"""A cause and what speaks for it; an empty cause is no objection."""

NO_OBJECTION: Final[Objection] = ("", {})

READ_MOST: Final = 1_024  # certificates of stations that came of late; 1 KiB each, those of live sessions held anyway


class Recently:
    """What was read of the certificates that came of late: a station comes again with the one that it had."""

    def __init__(self) -> None:
        self._read: dict[tuple[bytes, ...], ClientCertificate] = {}

    def __len__(self) -> int:
        """How many are known."""
        return len(self._read)

    def read(self, der: bytes, *above: bytes) -> ClientCertificate:
        """Read a certificate as ``read_certificate`` does, or know it by its SHA-256 and those above it."""
        known_by = (hashlib.sha256(der).digest(), *above)
        found = self._read.pop(known_by, None) or read_certificate(der, *above)
        if len(self._read) >= READ_MOST:
            del self._read[next(iter(self._read))]
        self._read[known_by] = found
        return found


def read_certificate(der: bytes, *above: bytes) -> ClientCertificate:
    """Read what admission needs of a certificate; ``above`` are the key ids of those above it, the anchor's last.

    Raises ``InputError`` when it cannot be read.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        touch_name(certificate.subject)
        subject = certificate.subject
        return ClientCertificate(
            subject=subject.rfc4514_string(),
            common_names=common_names(subject),
            organisations=organisations(subject),
            serial=CertificateSerial(certificate.serial_number),
            issuer_key_id=above[-1],
            not_after=certificate.not_valid_after_utc,
            fingerprint=hashlib.sha256(der).hexdigest(),
            between=above[:-1],
        )
    except UNREADABLE as broken:
        raise InputError("certificate.unreadable", f"the station's certificate: {str(broken)[:100]!r}") from None


def objection(certificate: ClientCertificate, station: Station | None, view: View, now: dt.datetime) -> Objection:
    """What speaks against this certificate for this station, the gravest first."""
    trust = view.trusts.get(certificate.issuer_key_id)
    if fallen := view.fallen.get(certificate.issuer_key_id):  # RFC 5280 6.1.3
        return f"cert.{fallen}", {"clause": "RFC 5280 6.1.3", "says": "the authority that issued it"}
    if trust is None:  # A00.FR.403
        return "cert.unknown_ca", {"issuer_key_id": certificate.issuer_key_id.hex()}
    owner = _other_owner(certificate, station, view)
    if owner is not None:  # A00.FR.405, .427
        return "cert.other_station", {"certificate_of": owner.identity.text}
    if station is None:
        return "station.unknown", {}
    if station.status is not StationStatus.ACTIVE:
        return "station.disabled", {}
    if certificate.not_after <= now:  # A00.FR.407; RFC 5280 4.1.2.5
        return "cert.expired", {"not_after": certificate.not_after.isoformat()}
    return objection_besides_end(certificate, station, view)


def objection_to_stranger(certificate: ClientCertificate, view: View, now: dt.datetime) -> Objection:
    """What speaks against the certificate of a station that nobody registered. Ours are issued to registered ones."""
    trust = view.trusts.get(certificate.issuer_key_id)
    if trust is None:  # A00.FR.403
        return "cert.unknown_ca", {"issuer_key_id": certificate.issuer_key_id.hex()}
    if trust.ours or view.own_keys.intersection((certificate.issuer_key_id, *certificate.between)):  # A00.FR.705
        return "station.unknown", {"says": "the certificate is ours, and was issued for another name"}
    if certificate.not_after <= now:  # A00.FR.407
        return "cert.expired", {"not_after": certificate.not_after.isoformat()}
    if not set(certificate.organisations) & {view.organisation, trust.organisation} - {""}:  # A00.FR.404
        return "cert.invalid", {"clause": "A00.FR.404", "organisation": ", ".join(certificate.organisations)}
    return NO_OBJECTION if len(certificate.common_names) == 1 else ("cert.invalid", {"clause": "A00.FR.405"})


def objection_besides_end(certificate: ClientCertificate, station: Station, view: View) -> Objection:
    """What speaks against the content of a certificate that a trusted authority issued, whether it has ended or not."""
    trust = view.trusts[certificate.issuer_key_id]
    if certificate.common_names != (station.serial.text,):  # A00.FR.405: one name, and it is the station's
        return "cert.invalid", {"clause": "A00.FR.405", "registered_serial": station.serial.text}
    if not set(certificate.organisations) & {view.organisation, trust.organisation} - {""}:  # A00.FR.404
        return "cert.invalid", {"clause": "A00.FR.404", "organisation": ", ".join(certificate.organisations)}
    if not (trust.ours or view.own_keys.intersection((certificate.issuer_key_id, *certificate.between))):
        return NO_OBJECTION
    status = _status(certificate, station)
    if status in {CertificateStatus.REVOKED, CertificateStatus.ABANDONED}:  # A00.FR.705
        return "cert.revoked", {"clause": "A00.FR.705"}
    if status is CertificateStatus.HELD:
        return "cert.held", {"clause": "A00.FR.705"}
    if status is not CertificateStatus.VALID:
        return "cert.invalid", {"clause": "A00.FR.705", "ledger": status.value if status else "not listed"}
    return NO_OBJECTION


def _other_owner(certificate: ClientCertificate, station: Station | None, view: View) -> Station | None:
    """The other station that the certificate names. Asked for only when it does not name this one."""
    if station is not None and station.serial.text in certificate.common_names:
        return None
    return next((other for other in view.stations.values() if other.serial.text in certificate.common_names), None)


def _status(certificate: ClientCertificate, station: Station) -> CertificateStatus | None:
    for fact in station.certificates:
        if (fact.serial, fact.issuer_key_id) == (certificate.serial, certificate.signer_key_id):
            return fact.status
    return None


def certificate_facts(certificate: ClientCertificate) -> dict[str, Value]:
    """What an event says of a certificate."""
    return {
        "subject": certificate.subject,
        "certificate_serial": certificate.serial.hex,
        "fingerprint": certificate.fingerprint,
    }
