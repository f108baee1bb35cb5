"""The rules that need the issuer, one function each, with the clause beside it: does the chain hold together?

A rule takes a certificate and that of the authority that is to sign it, or did, and yields what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from cryptography import x509

from pki.certificate import extension
from pki.findings import Finding, error
from pki.raw_form import read_form

BelowRule: TypeAlias = Callable[[x509.Certificate, x509.Certificate], Iterator[Finding]]


def _issuer_name(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[Finding]:
    """RFC 5280 4.1.2.4: the two names are one; written alike they are, and need not be understood to be compared."""
    if read_form(certificate).issuer != read_form(issuer).subject and certificate.issuer != issuer.subject:
        yield error("lint.issuer", "RFC 5280 4.1.2.4", "its issuer name is not the issuer's subject")


def _issuer_usage(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[Finding]:  # noqa: ARG001 - one shape
    """RFC 5280 4.2.1.3: whoever signs certificates may do so."""
    usage = extension(issuer, x509.KeyUsage)
    if usage is None or not usage.value.key_cert_sign:
        yield error("lint.issuer_usage", "RFC 5280 4.2.1.3", "the issuer's key usage lacks certificate signing")


def _within_issuer(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[Finding]:
    """RFC 5280 6.1.3: what outlives its issuer is good for nothing in the end."""
    early = certificate.not_valid_before_utc < issuer.not_valid_before_utc
    if early or certificate.not_valid_after_utc > issuer.not_valid_after_utc:
        yield error("lint.validity", "RFC 5280 6.1.3", "its validity reaches outside its issuer's")


def _issuer_key(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[Finding]:
    """RFC 5280 4.2.1.1: where the issuer's key has a name, the certificate calls it by that."""
    theirs = extension(issuer, x509.SubjectKeyIdentifier)
    ours = extension(certificate, x509.AuthorityKeyIdentifier)
    if theirs is not None and (ours is None or ours.value.key_identifier != theirs.value.digest):
        yield error("lint.authority_key", "RFC 5280 4.2.1.1", "it does not name its issuer's key")


def _path_below(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[Finding]:
    """RFC 5280 4.2.1.9: no authority below one that signs leaves alone, and none that allows as many as its issuer."""
    above, below = extension(issuer, x509.BasicConstraints), extension(certificate, x509.BasicConstraints)
    room = above.value.path_length if above is not None else 0
    if room is None or below is None or not below.value.ca:
        return
    if below.value.path_length is None or below.value.path_length >= room:
        yield error("lint.path_below", "RFC 5280 4.2.1.9", "it allows more authorities below it than its issuer does")


BELOW: Final[Mapping[BelowRule, tuple[str, ...]]] = {
    _issuer_name: ("RFC 5280 4.1.2.4",),
    _issuer_usage: ("RFC 5280 4.2.1.3",),
    _within_issuer: ("RFC 5280 6.1.3",),
    _issuer_key: ("RFC 5280 4.2.1.1",),
    _path_below: ("RFC 5280 4.2.1.9",),
}
"""Every rule that needs the issuer, with the clauses it speaks for."""

OWN_BELOW: Final[tuple[BelowRule, ...]] = (_within_issuer,)
"""Those that look at what differs between the certificates of one frame (``pki.frame``) below one issuer."""
