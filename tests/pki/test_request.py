"""Requests of stations: what is read, what is admissible, and what is refused with every reason at once."""

from __future__ import annotations

import base64
import contextlib
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError, RefusedError
from pki.findings import Severity
from pki.request import (
    REQUEST_BYTES,
    REQUEST_LENGTH,
    SigningRequest,
    examine,
    examine_named,
    read_request,
    read_request_der,
)
from tests.fuzz.seeds import build_request, tlv
from tests.pki.papers import ORGANISATION, STATION, codes, key, leaf, over_sha1, request

if TYPE_CHECKING:
    from pathlib import Path

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


def test_a_missing_last_line_end_changes_nothing() -> None:
    """As many embedded writers leave it."""
    assert read_request(GOOD.rstrip("\n")).common_names == ("SN-001",)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Certificate Request:\n" + GOOD, id="openssl's text before it"),
        pytest.param(GOOD + "-- \nThe installer", id="a signature below a mail"),
        pytest.param(GOOD[:60] + " " + GOOD[60:], id="a blank inside a line"),
        pytest.param(GOOD[: len(GOOD) // 2], id="the first half"),
        pytest.param(b"\xff\xfe" + GOOD.encode("utf-16-le"), id="UTF-16"),
        pytest.param(b"\0" * (64 * 1024 * 1024), id="64 MiB of nothing"),
    ],
)
def test_what_stands_around_a_request_is_refused_with_the_reason(text: str | bytes) -> None:
    """Sloppy forms are read; anything that could be read in two ways is not."""
    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request(text)


DER = x509.load_pem_x509_csr(GOOD.encode()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(DER, id="bare DER"),
        pytest.param(base64.b64encode(DER), id="one line"),
        pytest.param(base64.encodebytes(DER), id="lines"),
        pytest.param(base64.encodebytes(DER).replace(b"\n", b" \r\n"), id="lines of a mail"),
    ],
)
def test_the_bodies_of_est_are_read(body: bytes) -> None:
    """RFC 8951 3.1: base64 with or without line ends; whoever sends the DER itself means the same."""
    assert read_request_der(body).common_names == ("SN-001",)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD.encode(), id="PEM"),
        pytest.param(base64.b64encode(DER)[:-4], id="cut"),
        pytest.param(base64.b64encode(DER).replace(b"M", b"*", 1), id="no base64"),
        pytest.param(base64.b64encode(DER) + b"A" * REQUEST_LENGTH, id="too long"),
        pytest.param(b"0" * (REQUEST_BYTES + 1), id="too long, as DER"),
        pytest.param(DER + b"\0", id="a byte behind it"),
        pytest.param(b"\x30\x80" + DER[4:] + b"\0\0", id="BER"),
        pytest.param(b"\x30\x83\0" + DER[2:], id="a length in more bytes than it needs"),
        pytest.param(DER.replace(b"\x02\x01\x00", b"\x02\x01\xff", 1), id="version -1"),
        pytest.param(DER.replace(b"\x02\x01\x00", b"\x02\x01\x01", 1), id="version 2"),
        pytest.param(leaf().certificate.public_bytes(Encoding.DER), id="a certificate"),
    ],
)
def test_what_is_no_body_of_est_is_unreadable(body: bytes) -> None:
    """One code; DER has one form, and there is nothing behind it."""
    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request_der(body)


def crafted(subject: bytes, attributes: bytes = b"\xa0\x00") -> SigningRequest:
    """A request with any subject, well signed."""
    return read_request_der(build_request(subject, attributes))


def name(*sets: bytes) -> bytes:
    """A subject made of sets of names."""
    return tlv(0x30, *(tlv(0x31, each) for each in sets))


def cn(tag: int, text: bytes) -> bytes:
    """A common name in any string type."""
    return tlv(0x30, b"\x06\x03\x55\x04\x03", tlv(tag, text))


O = tlv(0x30, b"\x06\x03\x55\x04\x0a", tlv(0x0C, b"Example Charging"))  # noqa: E741 - X.520's own name for it


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        pytest.param(name(O, cn(0x0C, b"SN-001")), set[str](), id="UTF8String"),
        pytest.param(name(O, cn(0x13, b"SN-001")), set[str](), id="PrintableString"),
        pytest.param(name(O, cn(0x1E, "SN-001".encode("utf-16-be"))), set[str](), id="BMPString"),
        pytest.param(name(cn(0x0C, b"SN-001") + O), set[str](), id="both names in one set"),
        pytest.param(name(O, cn(0x0C, b"SN-001\0")), {"csr.common_name"}, id="NUL at the end"),
        pytest.param(name(O, cn(0x0C, b"SN-001\0.other")), {"csr.common_name"}, id="NUL inside"),
        pytest.param(name(O, cn(0x0C, "SN-\u0660\u0660\u0661".encode())), {"csr.common_name"}, id="other digits"),
        pytest.param(name(O, cn(0x0C, "\u0405N-001".encode())), {"csr.common_name"}, id="a Cyrillic S"),
        pytest.param(name(O, cn(0x0C, b"SN-001") + cn(0x0C, b"SN-002")), {"csr.common_name"}, id="two in one set"),
        pytest.param(name(O, O, cn(0x0C, b"SN-001")), {"csr.organisation"}, id="our organisation twice"),
    ],
)
def test_names_are_compared_exactly_in_whatever_form_they_come(subject: bytes, found: set[str]) -> None:
    """What reads the same to a person and is not the same is not the station's (A00.FR.405, .511)."""
    request = crafted(subject)
    if not found:
        assert examine(request, STATION, ORGANISATION).findings == ()
        return
    with pytest.raises(RefusedError) as refused:
        examine(request, STATION, ORGANISATION)
    assert codes(refused.value) == found


def test_a_mail_address_in_the_subject_is_told_and_left_out() -> None:
    """Of names, only the registered serial and our organisation go into a certificate."""
    mail = tlv(0x30, bytes.fromhex("06092a864886f70d010901"), tlv(0x16, b"a@example.org"))

    found = examine(crafted(name(O, cn(0x0C, b"SN-001"), mail)), STATION, ORGANISATION).findings
    assert codes(found) == {"csr.names"}


@given(st.binary(max_size=120), st.binary(max_size=120))
def test_no_subject_and_no_attributes_make_us_stumble(subject: bytes, attributes: bytes) -> None:
    """Whatever stands where they belong, well signed: read and judged, or refused by name."""
    with contextlib.suppress(InputError, RefusedError):
        admissible = examine(crafted(subject, attributes), STATION, ORGANISATION)
        assert admissible.serial == STATION.serial


RSA_KEY = bytes.fromhex("300d06092a864886f70d0101010500")
SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")


def number(value: int) -> bytes:
    """An INTEGER."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


@pytest.mark.parametrize(
    ("bits", "exponent", "code"),
    [
        pytest.param(8192, 65537, "alg.unsupported", id="a modulus that takes long"),
        pytest.param(2048, (1 << 2046) + 1, "alg.unsupported", id="an exponent that takes long"),
        pytest.param(4096, 3, "alg.weak", id="an exponent of three"),
        pytest.param(1024, 65537, "alg.weak", id="a modulus that is too short"),
    ],
)
def test_a_key_out_of_bounds_is_never_computed_with(bits: int, exponent: int, code: str) -> None:
    """The proof of possession is not asked for, so no finding speaks of it: the request costs us nothing."""
    spki = tlv(0x30, RSA_KEY, tlv(0x03, b"\0" + tlv(0x30, number((1 << bits) - 159), number(exponent))))
    body = tlv(0x30, b"\x02\x01\x00", name(O, cn(0x0C, b"SN-001")), spki, b"\xa0\x00")
    csr = tlv(0x30, body, SHA256_WITH_RSA, tlv(0x03, b"\0" + b"\1" * (bits // 8)))

    with pytest.raises(RefusedError) as refused:
        examine(read_request_der(csr), STATION, ORGANISATION)
    assert codes(refused.value) == {code}


def test_a_curve_that_spells_itself_out_is_the_named_one_or_unreadable(tmp_path: Path) -> None:
    """CVE-2020-0601 is what becomes of a generator that a stranger chooses; here a curve goes by its name alone."""
    made = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit", "-out", "k.pem"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    asked = ["openssl", "req", "-new", "-key", "k.pem", "-subj", "/O=Example Charging/CN=SN-001", "-outform", "der"]
    der = subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True).stdout
    generator = der.index(bytes.fromhex("046b17d1f2e12c4247"))

    found = examine(read_request_der(der), STATION, ORGANISATION).public_key
    assert b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07" in found.public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request_der(der[: generator + 9] + bytes([der[generator + 9] ^ 1]) + der[generator + 10 :])


def test_a_point_that_is_not_on_its_curve_is_unreadable() -> None:
    """Else answers about it could give a key away."""
    point = read_request(GOOD).public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    bent = DER.replace(point, point[:-1] + bytes([point[-1] ^ 1]))
    assert bent != DER

    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request_der(bent)


@pytest.mark.parametrize("asked", [x509.BasicConstraints(True, None), x509.SubjectAlternativeName([x509.DNSName("x")])])
def test_what_was_asked_for_twice_is_not_taken_over_either(asked: x509.ExtensionType) -> None:
    """Two attributes that each ask for extensions: nothing of either is read."""
    one = x509.load_pem_x509_csr(request(("SN-001",), ("Example Charging",), None, asked).encode())
    attributes = one.tbs_certrequest_bytes[one.tbs_certrequest_bytes.index(b"\xa0") :]
    inner = attributes[2:]

    with contextlib.suppress(InputError):
        found = examine(crafted(name(O, cn(0x0C, b"SN-001")), tlv(0xA0, inner, inner)), STATION, ORGANISATION)
        assert codes(found.findings) == {"csr.extensions"}


def openssl(folder: Path, *words: str) -> bytes:
    """Run openssl in a folder; return what it prints."""
    return subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True).stdout


def test_a_key_that_is_marked_for_pss_alone_is_refused_and_says_why(tmp_path: Path) -> None:
    """RFC 4055 1.2: without the mark its owner would find it certified for more than he asked for."""
    openssl(tmp_path, "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "k.pem")
    asking = ("req", "-new", "-key", "k.pem", "-subj", "/O=Example Charging/CN=SN-001")
    request = read_request_der(openssl(tmp_path, *asking, "-outform", "der"))

    with pytest.raises(RefusedError) as refused:
        examine(request, STATION, ORGANISATION)
    assert [(each.code, each.clause) for each in refused.value.findings] == [("alg.pss_only", "RFC 4055 1.2")]
    with pytest.raises(RefusedError) as refused:
        examine_named(request, "SN-001", "A00.FR.509", ORGANISATION)
    assert codes(refused.value) == {"alg.pss_only"}


def test_a_key_without_the_mark_may_sign_its_request_with_pss(tmp_path: Path) -> None:
    """A00.FR.505 prefers PSS: how a key signs one paper does not bind it."""
    openssl(tmp_path, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "k.pem")
    asking = ("req", "-new", "-key", "k.pem", "-subj", "/O=Example Charging/CN=SN-001", "-sha256")
    padded = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
    request = read_request_der(openssl(tmp_path, *asking, *padded, "-outform", "der"))

    assert not request.is_pss_only
    assert not examine(request, STATION, ORGANISATION).findings


def test_a_key_for_enciphering_is_no_key_to_be_certified(tmp_path: Path) -> None:
    """RFC 4055 1.2: RSAES-OAEP, which signs nothing."""
    openssl(tmp_path, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "k.pem")
    asking = ("req", "-new", "-key", "k.pem", "-subj", "/O=Example Charging/CN=SN-001")
    plain = openssl(tmp_path, *asking, "-outform", "der")
    at = plain.index(RSA_KEY)

    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request_der(plain[: at + 12] + b"\x07" + plain[at + 13 :])
