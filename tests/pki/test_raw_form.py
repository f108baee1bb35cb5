"""How a certificate is written: read from its bytes, checked against what wrote it."""

from __future__ import annotations

import pytest
from cryptography import x509

from pki.der import GENERALIZED_TIME, IA5_STRING, PRINTABLE_STRING, UTC_TIME, UTF8_STRING
from pki.profile import CertificatePurpose
from pki.raw_form import read_form
from tests.pki.specimens import rewritten, specimen


@pytest.mark.parametrize("purpose", CertificatePurpose)
def test_the_form_of_what_we_make_is_the_form_due(purpose: CertificatePurpose) -> None:
    """Both algorithms are one; names are in the strings that RFC 5280 4.1.2.4 names."""
    form = read_form(specimen(purpose))

    assert form.inner_algorithm == form.outer_algorithm
    assert {text.tag for text in form.names} <= {UTF8_STRING, PRINTABLE_STRING, IA5_STRING}


def test_names_are_read_with_their_contents() -> None:
    """Issuer first, then subject."""
    form = read_form(specimen(CertificatePurpose.STATION))

    assert [text.content for text in form.names] == [
        b"Example Charging", b"Example Station CA", b"Example Charging", b"SN-001",
    ]  # fmt: skip


def test_times_change_their_form_in_2050() -> None:
    """A root of forty years ends in the other one."""
    assert read_form(specimen(CertificatePurpose.V2G_ROOT_2)).times == (UTC_TIME, GENERALIZED_TIME)


def test_a_certificate_without_a_version_is_read_too() -> None:
    """The field is left out in the first version."""
    bare = rewritten(specimen(CertificatePurpose.STATION), 0, lambda _: b"")

    assert bare.version is x509.Version.v1
    assert read_form(bare).names == read_form(specimen(CertificatePurpose.STATION)).names
