"""Tells which certificates a revocation list speaks of (RFC 5280 5.2.5, 6.3.3 (b)), and when that leaves some out.

A list without a scope speaks of everything its issuer issued. One with a scope must include the certificate asked
about, for all reasons and in the issuer's own name; changes to an earlier list (delta lists) are no complete list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

from pki.dn import DistinguishedName, compared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.paper import Paper


def find_scope_faults(extensions: x509.Extensions, paper: Paper) -> list[str]:
    """Say why a list with these extensions does not speak, or not fully, of a certificate of its issuer's."""
    faults: list[str] = []
    for each in extensions:
        if isinstance(each.value, x509.DeltaCRLIndicator):
            faults.append("it holds changes to another list alone")
        if isinstance(each.value, x509.IssuingDistributionPoint):
            faults += _kind_faults(each.value, is_authority=paper.is_authority)
            faults += _place_faults(each.value, paper)
            if not each.critical:
                faults.append("its scope is not critical, and must be")
    return faults


def _kind_faults(scope: x509.IssuingDistributionPoint, *, is_authority: bool) -> Iterator[str]:
    if scope.only_contains_attribute_certs:
        yield "it speaks of attribute certificates alone"
    if scope.only_contains_user_certs and is_authority:
        yield "it does not speak of authorities"
    if scope.only_contains_ca_certs and not is_authority:
        yield "it speaks of authorities alone"
    if scope.indirect_crl:
        yield "it speaks of certificates of other issuers"
    if scope.only_some_reasons is not None:
        yield "it speaks of some reasons alone"


def _place_faults(scope: x509.IssuingDistributionPoint, paper: Paper) -> Iterator[str]:
    """The place that a list is published at must be one that the certificate names, or its issuer's own."""
    offered = _places(scope.full_name, scope.relative_name, paper)
    if offered and offered.isdisjoint(_wanted(paper)):
        yield "it is published for other certificates of its issuer"


def _wanted(paper: Paper) -> frozenset[object]:
    """The places where lists that speak of a certificate for all reasons, and by its issuer, are published."""
    found = paper.find(x509.CRLDistributionPoints)
    if found is None:
        return frozenset({paper.issuer})
    points = [point for point in found.value if point.reasons is None and point.crl_issuer is None]
    return frozenset(place for point in points for place in _places(point.full_name, point.relative_name, paper))


def _places(
    full: list[x509.GeneralName] | None, relative: x509.RelativeDistinguishedName | None, paper: Paper
) -> frozenset[object]:
    if relative is not None:
        last: DistinguishedName = compared(x509.Name([relative]).public_bytes())
        return frozenset({(*paper.issuer, *last)})
    return frozenset(
        compared(name.value.public_bytes()) if isinstance(name, x509.DirectoryName) else name for name in full or ()
    )
