"""The root's list: what it names, and how far it reaches."""

from __future__ import annotations

import datetime as dt

from cryptography import x509

from pki.ceremony.crl import RootList
from pki.ceremony.terms import Revoked
from pki.names import CertificateSerial
from pki.revocation import Reason
from tests.pki.papers import NOW, key, root

DAY = dt.timedelta(days=1)


def made(*revoked: Revoked) -> x509.CertificateRevocationList:
    """A list of the root's."""
    return RootList(root().certificate, 7, NOW, NOW + DAY, revoked).signed_with(key("p384", "root"))


def test_an_empty_list_has_its_number_its_scope_and_its_issuer_s_key() -> None:
    """RFC 5280 5.2.1, 5.2.3, 5.2.5: the scope is critical, and is authorities alone."""
    crl = made()
    scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)

    assert scope.critical
    assert scope.value.only_contains_ca_certs
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 7
    assert crl.issuer == root().certificate.subject
    assert (crl.last_update_utc, crl.next_update_utc) == (NOW, NOW + DAY)
    assert list(crl) == []


def test_what_is_revoked_stands_on_it_with_its_reason() -> None:
    """Unspecified says nothing, so it is left out (RFC 5280 5.3.1)."""
    given = [
        Revoked(CertificateSerial(n), NOW - DAY, reason)
        for n, reason in ((5, Reason.CA_COMPROMISE), (6, Reason.UNSPECIFIED))
    ]
    crl = made(*given)

    assert [entry.serial_number for entry in crl] == [5, 6]
    assert [len(entry.extensions) for entry in crl] == [1, 0]
    assert {entry.revocation_date_utc for entry in crl} == {NOW - DAY}
