"""Requests of stations: what is read, what is admissible, and what is refused with every reason at once."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError, RefusedError
from pki.findings import Severity
from pki.request import REQUEST_LENGTH, examine, read_request
from tests.pki.papers import ORGANISATION, STATION, codes, key, leaf, over_sha1, request

GOOD = request()


def pem(der: bytes) -> str:
    """Dress DER up as a request."""
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "p256", "p384", "p521", "ed25519", "ed448"])
def test_a_good_request_yields_its_key_and_the_registered_names(kind: str) -> None:
    """The evidence holds the public key from the request, the names from our register."""
    admissible = examine(read_request(request(holder=key(kind))), STATION, ORGANISATION)

    assert admissible.public_key == key(kind).public_key()
    assert (admissible.serial, admissible.organisation) == (STATION.serial, ORGANISATION)
    assert admissible.findings == ()


@pytest.mark.parametrize("text", [GOOD.encode(), GOOD.replace("\n", "\\n"), GOOD.replace("\n", " \r\n")])
def test_forms_met_in_the_field_are_read(text: str | bytes) -> None:
    """CRLF, literal backslash-n and trailing blanks change nothing."""
    assert read_request(text).common_names == ("SN-001",)


def test_the_old_label_of_requests_is_read() -> None:
    """Some tools write NEW CERTIFICATE REQUEST."""
    assert read_request(GOOD.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")).common_names == ("SN-001",)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("\ufeff" + GOOD, id="a byte order mark"),
        pytest.param(GOOD + GOOD, id="two requests"),
        pytest.param("-----BEGIN CERTIFICATE REQUEST-----\nYWJj\n-----END CERTIFICATE REQUEST-----\n", id="no PKCS#10"),
        pytest.param(leaf().certificate.public_bytes(Encoding.PEM), id="a certificate"),
        pytest.param(GOOD + "\n" * REQUEST_LENGTH, id="longer than the schema allows"),
    ],
)
def test_what_is_no_request_is_unreadable(text: str | bytes) -> None:
    """One code, and a next step."""
    with pytest.raises(InputError) as refusal:
        read_request(text)

    assert refusal.value.code == "csr.unreadable"
    assert refusal.value.advice


@given(st.integers(0, 2**32), st.integers(1, 255))
def test_a_request_with_any_byte_changed_is_never_admissible(place: int, change: int) -> None:
    """Either it cannot be read, or the proof of possession fails: no altered request slips through."""
    der = bytearray(base64.b64decode("".join(GOOD.split("\n")[1:-2])))
    der[place % len(der)] ^= change

    with pytest.raises((InputError, RefusedError)):
        examine(read_request(pem(bytes(der))), STATION, ORGANISATION)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(request(("SN-002",)), "csr.common_name", id="another station's serial"),
        pytest.param(request(("sn-001",)), "csr.common_name", id="another case"),
        pytest.param(request(("SN-001 ",)), "csr.common_name", id="a blank behind it"),
        pytest.param(request(("SN-001", "SN-001")), "csr.common_name", id="two common names"),
        pytest.param(request(()), "csr.common_name", id="no common name"),
        pytest.param(request(("CP-001",)), "csr.common_name", id="the identity in place of the serial"),
        pytest.param(request(organisations=("Other",)), "csr.organisation", id="another organisation"),
        pytest.param(
            request(organisations=("Example Charging", "Other")), "csr.organisation", id="a second organisation"
        ),
        pytest.param(request(holder=key("rsa1024")), "alg.weak", id="a short RSA key"),
        pytest.param(request(holder=key("p192")), "alg.weak", id="a short curve"),
        pytest.param(request(holder=key("p224")), "alg.unsupported", id="a curve that stations lack"),
    ],
)
def test_what_must_not_be_certified_is_refused(text: str, code: str) -> None:
    """A00.FR.405, .501 to .503, .509 and .511, each by its own code and clause."""
    with pytest.raises(RefusedError) as refusal:
        examine(read_request(text), STATION, ORGANISATION)

    assert refusal.value.code == "csr.refused"
    assert codes(refusal.value) == {code}
    assert all(finding.clause for finding in refusal.value.findings)
    assert "CP-001" in str(refusal.value)


def test_every_reason_is_told_at_once() -> None:
    """Whoever mends the station mends it once."""
    with pytest.raises(RefusedError) as refusal:
        examine(read_request(request(("X",), ("Other",), key("p192"))), STATION, ORGANISATION)

    assert codes(refusal.value) == {"csr.common_name", "csr.organisation", "alg.weak"}


def test_a_request_signed_with_another_key_proves_nothing() -> None:
    """RFC 2986 4.2: somebody else's public key cannot be certified."""
    mine, theirs = key("rsa2048", "a"), key("rsa2048", "b")
    honest, other = read_request(request(holder=mine)).csr, read_request(request(holder=theirs)).csr
    forged = honest.public_bytes(Encoding.DER)[: -len(other.signature)] + other.signature

    with pytest.raises(RefusedError) as refusal:
        examine(read_request(pem(forged)), STATION, ORGANISATION)

    assert codes(refusal.value) == {"csr.proof"}


def test_a_request_signed_over_sha1_is_refused() -> None:
    """A00.FR.506; a signature that can be forged proves nothing."""
    sound = read_request(request(holder=key("rsa2048", "old"))).csr
    weak = over_sha1(sound.public_bytes(Encoding.DER), sound.tbs_certrequest_bytes)

    with pytest.raises(RefusedError) as refusal:
        examine(read_request(pem(weak)), STATION, ORGANISATION)

    assert codes(refusal.value) == {"alg.weak"}


def test_an_absent_organisation_is_told_and_filled_in() -> None:
    """Only OCPP 1.6 wants it in the request (A02.FR.13); ours goes into the certificate either way."""
    admissible = examine(read_request(request(organisations=())), STATION, ORGANISATION)

    assert [finding.severity for finding in admissible.findings] == [Severity.WARNING]


def test_extensions_asked_for_are_told_and_not_taken_over() -> None:
    """A station that asks to be an authority gets a plain answer, and no authority."""
    text = request(("SN-001",), ("Example Charging",), None, x509.BasicConstraints(True, None))

    assert codes(examine(read_request(text), STATION, ORGANISATION).findings) == {"csr.extensions"}


def test_a_stranger_s_text_is_cut_and_escaped() -> None:
    """A common name full of terminal escapes reaches nobody's terminal as such."""
    with pytest.raises(RefusedError) as refusal:
        examine(read_request(request(("\x1b[31m" + "A" * 50,))), STATION, ORGANISATION)

    assert not re.search(r"[\x00-\x1f]", str(refusal.value))


def test_an_attribute_with_several_values_is_unreadable_and_no_accident() -> None:
    """RFC 2986 4.1 allows them, the library does not and says so late; the first touch is at the door."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SN-001")])
    builder = x509.CertificateSigningRequestBuilder(subject)
    builder = builder.add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"aa")
    one = builder.sign(key("p256"), hashes.SHA256()).public_bytes(Encoding.DER)
    two = one.replace(bytes.fromhex("31040c026161"), bytes.fromhex("31040c000c00"))

    assert two != one
    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request(pem(two))


def test_a_key_given_up_as_compromised_is_not_certified_again() -> None:
    """Whoever else holds it would be that station again (RFC 5280 5.3.1)."""
    with pytest.raises(RefusedError) as refused:
        examine(read_request(GOOD), STATION, ORGANISATION, compromised=True)
    assert codes(refused.value) == {"csr.compromised"}


def test_a_signature_with_unused_bits_is_unreadable() -> None:
    """The signature's bits have one form (X.690 11.2.1); with a second one, an altered request would be as good."""
    holder = key("rsa2048")
    der = base64.b64decode("".join(request(holder=holder).split("\n")[1:-2]))
    length = len(x509.load_der_x509_csr(der).signature)
    odd = der[: -length - 1] + b"\x01" + der[-length:-1] + bytes([der[-1] & 0xFE])

    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request(pem(odd))
