"""A certificate with everything that is asked of it read once, so that no rule meets one that cannot be read.

``Paper.read`` is the door: what comes out of it has names that can be compared, times, extensions and a key. What
cannot be read to the last field raises ``ValueError`` here and nowhere later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.dn import DistinguishedName, compared
from pki.fields import Fields, check_subtrees, read_fields, read_mappings
from pki.unreadable import UNREADABLE, touch

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

E = TypeVar("E", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Paper:
    """A certificate, read. ``subject`` and ``issuer`` are in the form that is compared (RFC 5280 7.1)."""

    certificate: x509.Certificate
    fields: Fields = field(repr=False, compare=False)
    subject: DistinguishedName = field(repr=False, compare=False)
    issuer: DistinguishedName = field(repr=False, compare=False)
    extensions: x509.Extensions = field(repr=False, compare=False)
    by_kind: Mapping[type[x509.ExtensionType], x509.Extension[x509.ExtensionType]] = field(repr=False, compare=False)
    key: CertificatePublicKeyTypes = field(repr=False, compare=False)
    begin: dt.datetime = field(repr=False, compare=False)
    end: dt.datetime = field(repr=False, compare=False)
    mappings: tuple[tuple[str, str], ...] | None = field(repr=False, compare=False)
    """Certificate policies that its issuer holds equal to the subject's, RFC 5280 4.2.1.5."""

    @classmethod
    def read(cls, certificate: x509.Certificate) -> Paper:
        """Read all of a certificate. Raises ``ValueError``."""
        try:
            fields = read_fields(certificate.public_bytes(Encoding.DER))
            check_subtrees(fields)
            touch(certificate)
            return cls(
                certificate,
                fields,
                compared(fields.subject),
                compared(fields.issuer),
                certificate.extensions,
                {type(each.value): each for each in certificate.extensions},
                certificate.public_key(),
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
                read_mappings(fields),
            )
        except UNREADABLE as unreadable:
            raise ValueError(str(unreadable)) from None

    def find(self, kind: type[E]) -> x509.Extension[E] | None:
        """Return the extension of this kind, or ``None``."""
        return cast("x509.Extension[E] | None", self.by_kind.get(kind))

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are the same name (RFC 5280 3.2)."""
        return self.subject == self.issuer

    @property
    def is_authority(self) -> bool:
        """Whether it says of itself that it is an authority (RFC 5280 4.2.1.9)."""
        basic = self.find(x509.BasicConstraints)
        return basic is not None and basic.value.ca

    @property
    def serial(self) -> int:
        """Its serial number."""
        return int.from_bytes(self.fields.serial, signed=True)

    def __str__(self) -> str:
        """Name it in a sentence; its subject is a stranger's text, so it is cut and escaped."""
        return repr(self.certificate.subject.rfc4514_string()[:96])
