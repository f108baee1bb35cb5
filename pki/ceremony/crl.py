"""The root's list of revoked certificates: short, whole, and valid for as long as nobody comes to the root again.

It is not sharded, and says critically that it covers certificates of authorities alone (RFC 5280 5.2.5), which are all
that an offline root signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from pki.certificate import extension
from pki.strength import signing_hash

if TYPE_CHECKING:
    import datetime as dt

    from pki.ceremony.terms import Revoked
    from pki.strength import SigningKey


@dataclass(frozen=True, slots=True)
class RootList:
    """A root's revocation list as intended."""

    issuer: x509.Certificate
    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    revoked: tuple[Revoked, ...]

    def signed_with(self, key: SigningKey) -> x509.CertificateRevocationList:
        """Sign it, with a throw-away key to see its bytes, or with the root's own."""
        builder = x509.CertificateRevocationListBuilder(self.issuer.subject, self.this_update, self.next_update)
        for each in self.revoked:
            builder = builder.add_revoked_certificate(_entry(each))
        for content, critical in self._extensions():
            builder = builder.add_extension(content, critical)
        return builder.sign(key, signing_hash(key.public_key()))

    def _extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        """RFC 5280 5.2.1, 5.2.3, 5.2.5."""
        own = extension(self.issuer, x509.SubjectKeyIdentifier)
        digest = own.value.digest if own else x509.SubjectKeyIdentifier.from_public_key(self.issuer.public_key()).digest
        scope = x509.IssuingDistributionPoint(
            full_name=None,
            relative_name=None,
            only_contains_user_certs=False,
            only_contains_ca_certs=True,
            only_some_reasons=None,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        return [
            (x509.AuthorityKeyIdentifier(digest, None, None), False),
            (x509.CRLNumber(self.number), False),
            (scope, True),
        ]


def _entry(revoked: Revoked) -> x509.RevokedCertificate:
    """RFC 5280 5.3.1: the reason is left out where it says nothing."""
    builder = x509.RevokedCertificateBuilder(revoked.serial.number, revoked.moment)
    if revoked.reason.flag is not x509.ReasonFlags.unspecified:
        builder = builder.add_extension(x509.CRLReason(revoked.reason.flag), critical=False)
    return builder.build()
