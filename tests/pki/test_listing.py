"""Lists of revoked certificates: the same bytes as a library would write, in a form that others verify."""

from __future__ import annotations

import datetime as dt
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import listing
from pki.errors import RefusedError
from pki.revocation import Reason
from tests.pki.papers import NOW, issuing, key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

URL = "http://csms.example.org:8480/crl/station/3.crl"
FRAME = listing.Frame(issuing().certificate, 1795381587001, NOW, NOW + dt.timedelta(hours=24), (URL,))

moments = st.integers(-600_000_000, 13_000_000_000).map(lambda second: dt.datetime.fromtimestamp(second, dt.UTC))
entries = st.lists(
    st.builds(listing.Revoked, st.integers(1, 2**159 - 1), moments, st.sampled_from(Reason)),
    max_size=40,
    unique_by=lambda entry: entry.serial,
)


def built(frame: listing.Frame, revoked: Sequence[listing.Revoked]) -> x509.CertificateRevocationList:
    """The same list by the library's builder."""
    aki = x509.AuthorityKeyIdentifier(listing.key_identifier(frame.issuer), None, None)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=frame.issuer.subject, last_update=frame.this_update, next_update=frame.next_update
    )
    builder = builder.add_extension(aki, critical=False).add_extension(x509.CRLNumber(frame.number), critical=False)
    if frame.urls:
        names = [x509.UniformResourceIdentifier(url) for url in frame.urls]
        place = x509.IssuingDistributionPoint(names, None, False, False, None, False, False)
        builder = builder.add_extension(place, critical=True)
    for entry in revoked:
        made = x509.RevokedCertificateBuilder(entry.serial, entry.since)
        if entry.reason is not Reason.UNSPECIFIED:
            made = made.add_extension(x509.CRLReason(entry.reason.flag), critical=False)
        builder = builder.add_revoked_certificate(made.build())
    return builder.sign(key("p256", "issuing"), hashes.SHA256())


@settings(deadline=None)
@given(entries, st.sampled_from([(), (URL,), (URL, "http://older.example.org/crl/station/3.crl")]))
def test_the_bytes_are_those_of_the_library(revoked: list[listing.Revoked], urls: tuple[str, ...]) -> None:
    """Every field, in every order of entries, with every reason; also the empty list."""
    frame = listing.Frame(FRAME.issuer, FRAME.number, FRAME.this_update, FRAME.next_update, urls)

    assert listing.write_tbs(frame, revoked) == (built(frame, revoked).tbs_certlist_bytes, len(revoked))


def test_a_sealed_list_verifies_under_its_issuer() -> None:
    """And says who is on it, and which certificates it is about."""
    tbs, _ = listing.write_tbs(FRAME, [listing.Revoked(7, NOW, Reason.CERTIFICATE_HOLD)])
    signed = x509.load_der_x509_crl(listing.seal(tbs, FRAME.issuer, key("p256", "issuing")))
    place = signed.extensions.get_extension_for_class(x509.IssuingDistributionPoint)

    assert signed.is_signature_valid(issuing().certificate.public_key())  # type: ignore[arg-type]  # an ECDSA key
    assert [entry.serial_number for entry in signed] == [7]
    assert (place.critical, [name.value for name in place.value.full_name or ()]) == (True, [URL])


def test_another_key_than_the_issuers_signs_no_list() -> None:
    """What came out would be believed by nobody, and would hide the mistake."""
    with pytest.raises(RefusedError, match=r"crl\.key"):
        listing.seal(listing.write_tbs(FRAME, [])[0], FRAME.issuer, key("p256", "other"))


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "ed25519"])
def test_openssl_reads_and_verifies_a_list(tmp_path: Path, kind: str) -> None:
    """A program that knows nothing of ours."""
    authority = issuing(kind)
    frame = listing.Frame(authority.certificate, 12, NOW, NOW + dt.timedelta(days=3650))
    tbs, _ = listing.write_tbs(frame, [listing.Revoked(0x1234, NOW, Reason.KEY_COMPROMISE)])
    (tmp_path / "list.crl").write_bytes(listing.seal(tbs, authority.certificate, key(kind, "issuing")))
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    argv = ["openssl", "crl", "-inform", "DER", "-in", "list.crl", "-CAfile", "ca.pem", "-noout", "-text"]
    said = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert "verify OK" in said.stderr
    assert "Serial Number: 1234" in said.stdout
    assert "Key Compromise" in said.stdout


def test_every_reason_has_the_number_of_the_standard() -> None:
    """RFC 5280 5.3.1; 7 is not used, 8 lifts a hold in a delta list, which we have none of."""
    assert {reason: listing.code(reason) for reason in Reason if listing.code(reason)} == {
        "key_compromise": 1,
        "ca_compromise": 2,
        "affiliation_changed": 3,
        "superseded": 4,
        "cessation_of_operation": 5,
        "certificate_hold": 6,
        "privilege_withdrawn": 9,
        "aa_compromise": 10,
    }
