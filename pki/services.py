"""Where anybody can ask about a certificate of ours: the addresses that stand in it.

* Status travels over plain HTTP: what is asked there is signed, and to check a TLS certificate before one may ask about
  certificates would chase its own tail (RFC 5280 8, RFC 6960 A.1).
* A CRL is cut into shards by serial number. How many is fixed for an issuer with its first certificate, since the
  address of the shard stands in each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

if TYPE_CHECKING:
    from pki.names import CertificateSerial

SHARDS: Final = (
    32  # per issuing CA; an entry has about 53 bytes: all of a million certificates revoked is 1.7 MB a shard
)
ROOT_SHARDS: Final = 1  # a root signs a handful of certificates
SHARDS_MOST: Final = 256  # one byte of the serial chooses among them
URL_LENGTH: Final = 200  # characters of the address that the others begin with
HTTP: Final = r"http://(?:[A-Za-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?"
"""The form of such an address: plain HTTP (RFC 5280 8), a host, perhaps a port; nobody's name or password."""

_LIST: Final = re.compile(r"/crl/[a-z0-9-]{1,64}/([0-9]{1,3})\.crl$")


@dataclass(frozen=True, slots=True)
class Services:
    """The addresses of one issuer's services. ``base`` is ``http://HOST:PORT``, ``issuer`` the name of its key."""

    base: str
    issuer: str
    shards: int = SHARDS

    @property
    def ocsp(self) -> str:
        """Where OCSP is answered, for all issuers."""
        return f"{self.base}/ocsp"

    @property
    def certificate(self) -> str:
        """Where the issuer's own certificate lies."""
        return f"{self.base}/ca/{self.issuer}.crt"

    def crl(self, shard: int) -> str:
        """Where one shard of its CRL lies."""
        return f"{self.base}/crl/{self.issuer}/{shard}.crl"


@dataclass(frozen=True, slots=True)
class Published:
    """Where the list and the certificate of an offline root are to be found, by whoever lays them there.

    It has one list, and answers no questions: its key is to rest.
    """

    list_url: str
    certificate: str
    shards: int = ROOT_SHARDS
    ocsp: str = ""

    @classmethod
    def at_home(cls, base: str, root: str) -> Self:
        """Say where an online home serves them that knows the root by this name."""
        served = Services(base, root, ROOT_SHARDS)
        return cls(served.crl(0), served.certificate)

    def crl(self, shard: int) -> str:  # noqa: ARG002 - one shape for all services
        """Where its one list lies."""
        return self.list_url


def named_shard(certificate: x509.Certificate) -> int | None:
    """Return the shard that a certificate says it is listed in; ``None`` where it names no list, or none of ours.

    Raises ``ValueError`` where its extensions cannot be read.
    """
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return None
    urls = [str(name.value) for point in points for name in point.full_name or ()]
    found = [match for url in urls if (match := _LIST.search(url))]
    return int(found[0][1]) if found else None


def shard_of(serial: CertificateSerial, shards: int) -> int:
    """Return the shard that a certificate is listed in: its serial modulo their number."""
    return serial.number % shards


def pointers(
    services: Services | Published, shard: int, *, crl: bool, ocsp: bool, roomy: bool
) -> list[x509.ExtensionType]:
    """Return what a certificate of this shard says of status services; never critical (RFC 5280 4.2.1.13, 4.2.2.1).

    Its profile says which of them. The place of the issuer's certificate comes with either of the two, but where a
    certificate has little room: what stations show to cars comes with its chain.
    """
    found: list[x509.ExtensionType] = []
    if crl:
        place = x509.UniformResourceIdentifier(services.crl(shard))
        found.append(x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)]))
    asked = [(AuthorityInformationAccessOID.OCSP, services.ocsp)] if ocsp and services.ocsp else []
    if (crl or ocsp) and roomy:
        asked.append((AuthorityInformationAccessOID.CA_ISSUERS, services.certificate))
    if asked:
        found.append(
            x509.AuthorityInformationAccess(
                [x509.AccessDescription(kind, x509.UniformResourceIdentifier(url)) for kind, url in asked]
            )
        )
    return found
