"""Files as people hand them over: PEM, DER, text around it, and everything that is neither."""

from __future__ import annotations

import contextlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.bundle import CERTIFICATE_BYTES_MOST, CERTIFICATES_MOST, LISTS_MOST, read_bundle, read_lists
from pki.errors import InputError
from tests.certs import request
from tests.chains import box, chain, crl, moment, raw, root
from tests.pki.papers import NOW, key
from tests.worlds import station_key

LEAF, CA, ROOT = chain()
LIST = crl(ROOT)
CSR = x509.load_pem_x509_csr(request(station_key(1), "SN-1", "Example").encode()).public_bytes(Encoding.DER)


def pem(der: bytes, label: bytes = b"CERTIFICATE") -> bytes:
    """A block."""
    import base64

    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, base64.encodebytes(der), label)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(LEAF.der, id="DER"),
        pytest.param(pem(LEAF.der), id="PEM"),
        pytest.param(pem(LEAF.der, b"X509 CERTIFICATE"), id="an old label"),
        pytest.param(b"# Root of all\n\xff\n" + pem(LEAF.der) + b"\nthe end", id="text around it"),
        pytest.param(b"0 s:CN = Leaf\n" + pem(LEAF.der), id="text that begins as DER does"),
        pytest.param(pem(LEAF.der).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(pem(LEAF.der).rstrip(b"\n"), id="no last line end"),
        pytest.param(b"\xef\xbb\xbf" + pem(LEAF.der), id="a byte order mark"),
    ],
)
def test_a_certificate_is_read_in_every_form_that_people_have(content: bytes) -> None:
    """The bytes inside are what counts."""
    bundle = read_bundle(content)

    assert (bundle.certificates, bundle.malformed, bundle.first) == ((LEAF.certificate,), (), LEAF.certificate)


def test_several_certificates_keep_their_order() -> None:
    """The first is the leaf."""
    assert read_bundle(pem(LEAF.der) + pem(CA.der)).certificates == (LEAF.certificate, CA.certificate)


MALFORMED = [
    pytest.param(LEAF.der[:-1], id="cut short"),
    pytest.param(LEAF.der + b"\0", id="too long"),
    pytest.param(b"\x30\x00", id="an empty box"),
    pytest.param(b"hello", id="no box"),
    pytest.param(chain(serial=b"\x00")[0].der, id="serial zero"),
    pytest.param(chain(serial=b"\xff")[0].der, id="a negative serial"),
    pytest.param(chain(serial=b"")[0].der, id="no serial"),
    pytest.param(chain(version=b"\xa0\x03\x02\x01\x01")[0].der, id="version 2"),
    pytest.param(chain(version=b"\xa0\x03\x02\x01\x03")[0].der, id="version 4"),
    pytest.param(chain(version=b"\xa0\x03\x02\x01\x00")[0].der, id="version 1, written out"),
    pytest.param(chain(times=b"\x17\x0b2605311200Z" * 2)[0].der, id="times without seconds"),
    pytest.param(chain(times=b"\x18\x11" + b"20600531120000.5Z" + b"\x17\x0d270531120000Z")[0].der, id="half a second"),
    pytest.param(chain(raw("551d0e", b"\xff"))[0].der, id="an extension that is none"),
    pytest.param(LIST, id="a revocation list"),
    pytest.param(CSR, id="a request"),
    pytest.param(box(0x30, b"\x30\x00" * 4), id="a box too many"),
    pytest.param(box(0x30, b"\x30\x00" * 2 + box(0x03, b"\0")), id="no fields"),
    pytest.param(chain(times=moment(NOW))[0].der, id="one time"),
    pytest.param(chain(box(0x30, b"\x06\x01\x2a"))[0].der, id="an extension without a value"),
]


@pytest.mark.parametrize("der", MALFORMED)
def test_a_certificate_that_is_none_is_told_and_left_out(der: bytes) -> None:
    """The others in the file are read all the same."""
    bundle = read_bundle(pem(der) + pem(CA.der))

    assert (bundle.first, bundle.certificates, len(bundle.malformed)) == (None, (CA.certificate,), 1)
    assert len(bundle.malformed[0]) < 200
    assert "unpack" not in bundle.malformed[0], "the interpreter's words tell nobody what is wrong"


@pytest.mark.parametrize("der", [LEAF.der + b"\0", LEAF.der + b"\n", LEAF.der * 2])
def test_der_that_is_malformed_is_told_as_in_pem(der: bytes) -> None:
    """A byte too many is a fault of the certificate, not of whoever gave the file."""
    bare, dressed = read_bundle(der), read_bundle(pem(der))

    assert (bare.first, bare.certificates, bare.malformed) == (None, (), dressed.malformed)


def test_a_certificate_beyond_all_measure_is_not_read() -> None:
    """Its extensions could hold a million names."""
    huge = chain(raw("2a0304", b"x" * CERTIFICATE_BYTES_MOST))[0]

    assert "bytes" in read_bundle(huge.der).malformed[0]


SECRET = key("p256", "secret").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="text"),
        pytest.param(LEAF.der[:-1], id="half a certificate"),
        pytest.param(b"\xff" * 1000, id="noise"),
        pytest.param(pem(LEAF.der)[:-20], id="a block that is not closed"),
        pytest.param(pem(LEAF.der, b"X509 CRL"), id="another block"),
        pytest.param(SECRET, id="a private key"),
        pytest.param(pem(LEAF.der) + SECRET, id="a private key beside it"),
        pytest.param(pem(LEAF.der).replace(b"M", b"\xff"), id="broken base64"),
        pytest.param(pem(b"\x30\x00") * (CERTIFICATES_MOST + 1), id="too many"),
    ],
)
def test_a_file_that_holds_none_is_an_error_of_whoever_gave_it(content: bytes) -> None:
    """And a secret in it is never repeated."""
    with pytest.raises(InputError, match=r"certificate\.unreadable") as refused:
        read_bundle(content)
    assert SECRET.splitlines()[1].decode() not in str(refused.value)
    assert ("private key" in refused.value.cause) is (SECRET in content)


def test_lists_are_read_in_the_same_way() -> None:
    """PEM, DER, and one that is none."""
    lists, malformed = read_lists(pem(LIST, b"X509 CRL") + pem(LIST[:-1], b"X509 CRL"))

    assert ([each.crl.public_bytes(Encoding.DER) for each in lists], len(malformed)) == ([LIST], 1)


@pytest.mark.parametrize("der", [LEAF.der, CSR, box(0x30, b"\x30\x00" * 2 + box(0x03, b"\0"))])
def test_what_is_no_list_is_told_in_words(der: bytes) -> None:
    """A certificate, a request, nothing at all: each was given in a list's place."""
    lists, (says,) = read_lists(pem(der, b"X509 CRL"))

    assert lists == ()
    assert "unpack" not in says
    assert len(read_lists(LIST)[0]) == 1
    for content in (b"hello", pem(LIST), pem(b"\x30\x00", b"X509 CRL") * (LISTS_MOST + 1)):
        with pytest.raises(InputError, match=r"crl\.unreadable"):
            read_lists(content)


@pytest.mark.filterwarnings("ignore")  # of a library, about values that are strange by intention
@settings(deadline=None)
@given(st.integers(0, len(LEAF.der) - 1), st.integers(0, 255), st.integers(0, len(LEAF.der)))
def test_any_bytes_are_a_bundle_or_refused(place: int, byte: int, end: int) -> None:
    """One kind of error, whatever is in the file."""
    der = bytearray(LEAF.der)
    der[place] = byte
    for content in (bytes(der), bytes(der[:end]), pem(bytes(der)), root().der + bytes(der)):
        with contextlib.suppress(InputError):
            read_bundle(content)
