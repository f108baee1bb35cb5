"""The rules that need the issuer, each broken once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.clauses import explain
from pki.lint_below import BELOW
from pki.profile import CertificatePurpose
from tests.pki.papers import usage
from tests.pki.specimens import FAMILY, altered, specimen

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUING, STATION = CertificatePurpose.ISSUING, CertificatePurpose.STATION
SUB1, SUB2 = CertificatePurpose.V2G_SUB1_2, CertificatePurpose.V2G_SUB2_2
ROOM = x509.BasicConstraints(True, 1)

BROKEN: dict[str, Callable[[], tuple[x509.Certificate, x509.Certificate]]] = {
    "_issuer_name": lambda: (specimen(STATION), altered(ISSUING, subject=specimen(STATION).subject)),
    "_issuer_usage": lambda: (specimen(STATION), altered(ISSUING, (usage(digital_signature=True), True))),
    "_within_issuer": lambda: (altered(STATION, days=(-1, 9000)), specimen(ISSUING)),
    "_issuer_key": lambda: (
        altered(STATION, (x509.AuthorityKeyIdentifier(b"\1" * 20, None, None), False)), specimen(ISSUING),
    ),
    "_path_below": lambda: (altered(SUB2, (ROOM, True)), specimen(SUB1)),
}  # fmt: skip


@pytest.mark.parametrize("rule", BELOW)
def test_a_broken_link_is_found_by_the_one_rule_that_is_about_it(rule: object) -> None:
    """And names a clause that it speaks for."""
    certificate, issuer = BROKEN[getattr(rule, "__name__", "")]()
    spoke = {each: list(each(certificate, issuer)) for each in BELOW if list(each(certificate, issuer))}

    assert list(spoke) == [rule]
    assert all(each.clause in BELOW[name] and explain(each.clause) for name, found in spoke.items() for each in found)


@pytest.mark.parametrize("purpose", [purpose for purpose, (above, _, _) in FAMILY.items() if above])
def test_our_own_chains_hold_together(purpose: CertificatePurpose) -> None:
    """Every one that is issued by another."""
    above = FAMILY[purpose][0]
    assert above is not None

    assert [found for rule in BELOW for found in rule(specimen(purpose), specimen(above))] == []
