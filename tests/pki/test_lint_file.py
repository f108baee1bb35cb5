"""A file of anybody's: read whatever its form, each paper in it judged, rubbish refused once."""

from __future__ import annotations

import base64
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pki.certificate import to_pem
from pki.errors import InputError
from pki.findings import Severity
from pki.lint_file import FILE_BYTES, PAPERS_MOST, lint_file
from pki.profile import CertificatePurpose
from tests.pki.papers import NOW, codes, key, request
from tests.pki.specimens import altered, box, rewritten, specimen, split

STATION, SECC = CertificatePurpose.STATION, CertificatePurpose.V2G_SECC_2
GOOD = specimen(STATION)


def pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    """DER as PEM under this label."""
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----\n".encode()


def test_a_certificate_is_judged_from_pem_and_from_der() -> None:
    """With its guess told as one."""
    told = [lint_file(GOOD.public_bytes(form), None, NOW) for form in (Encoding.PEM, Encoding.DER)]

    assert told[0] == told[1]
    (one,) = told[0]
    assert (one.kind, one.purpose, one.guessed, one.is_sound) == ("certificate", STATION, True, True)
    assert one.serial == f"{GOOD.serial_number:x}"


def test_a_request_is_judged_from_pem_and_from_der() -> None:
    """With the rules for requests."""
    text = request(("10.0.0.1",)).encode()
    der = x509.load_pem_x509_csr(text).public_bytes(Encoding.DER)
    told = [lint_file(each, STATION, NOW) for each in (text, der)]

    assert told[0] == told[1]
    assert (told[0][0].kind, codes(told[0][0].findings), told[0][0].is_sound) == (
        "request",
        {"lint.common_name"},
        False,
    )


def test_a_leaf_s_purpose_is_not_asked_of_the_chain_behind_it() -> None:
    """The authorities in the same file are held against what they are."""
    chain = [specimen(each) for each in (SECC, CertificatePurpose.V2G_SUB2_2, CertificatePurpose.V2G_SUB1_2)]
    told = lint_file(to_pem(chain).encode(), SECC, NOW)

    assert [each.purpose for each in told] == [SECC, CertificatePurpose.V2G_SUB2_2, CertificatePurpose.V2G_SUB1_2]
    assert all(each.is_sound for each in told)


@pytest.mark.parametrize("named", [True, False], ids=["called so", "called anything"])
@pytest.mark.parametrize("edition", ["2", "20"])
def test_neighbours_in_a_chain_say_what_an_authority_is_for(edition: str, *, named: bool) -> None:
    """Between a certificate for cars and a Sub-CA 1 stands a Sub-CA 2, and on top of both a V2G root."""
    due = [CertificatePurpose(f"v2g-{each}-{edition}") for each in ("secc", "sub2", "sub1", "root")]
    chain = [specimen(each) for each in due]
    if not named:
        other = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Volta CA")])
        chain[0] = rewritten(chain[0], 3, lambda _: other.public_bytes())
        chain[1] = altered(due[1], subject=other)

    assert [each.purpose for each in lint_file(to_pem(chain).encode(), None, NOW)] == due


CHAIN = [specimen(CertificatePurpose.ISSUING), specimen(CertificatePurpose.ROOT)]


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        pytest.param([GOOD, *CHAIN], [set(), set(), set()], id="a sound chain"),
        pytest.param([altered(STATION, days=(-1, 9_000)), *CHAIN], [{"lint.validity"}, set(), set()], id="outlives"),
        pytest.param(
            [altered(STATION, (x509.AuthorityKeyIdentifier(b"x" * 20, None, None), False)), *CHAIN],
            [{"lint.authority_key"}, set(), set()],
            id="another key of its issuer's name",
        ),
        pytest.param([altered(STATION, days=(-1, 9_000)), CHAIN[1]], [set(), set()], id="no chain at all"),
        pytest.param(
            [altered(STATION, days=(-300, -3)), *CHAIN], [{"lint.expired", "lint.validity"}, set(), set()], id="expired"
        ),
    ],
)
def test_neighbours_in_a_chain_are_held_against_each_other(
    chain: list[x509.Certificate], expected: list[set[str]]
) -> None:
    """By the rules that stand before every signature of ours; what is no chain is not."""
    told = lint_file(to_pem(chain).encode(), None, NOW)
    errors = [{each.code for each in paper.findings if each.severity is Severity.ERROR} for paper in told]

    assert errors == expected


def test_an_authority_that_is_given_as_a_leaf_does_not_pass() -> None:
    """The first paper is held against what was said, whatever it is."""
    (told,) = lint_file(to_pem([specimen(CertificatePurpose.ISSUING)]).encode(), STATION, NOW)

    assert "lint.ca" in codes(told.findings)


def test_what_does_not_hold_yet_is_told() -> None:
    """A02.FR.08."""
    (told,) = lint_file(to_pem([altered(STATION, days=(3, 400))]).encode(), STATION, NOW)

    assert codes(told.findings) == {"lint.future"}


def damaged() -> bytes:
    """A certificate whose key is of a kind nobody knows."""
    body, algorithm, signature = split(split(GOOD.public_bytes(Encoding.DER))[0][2])
    strange = body[1].replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209"))
    return box(0x30, strange + algorithm[1] + signature[1])


def unreadable_extension() -> bytes:
    """A certificate whose basic constraints are rubbish."""
    rubbish = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), b"\xff\xff")
    return altered(STATION, (rubbish, True), without=(x509.BasicConstraints,)).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(damaged(), "alg.unsupported", id="a key of no known kind"),
        pytest.param(unreadable_extension(), "lint.extensions", id="an extension that is rubbish"),
    ],
)
def test_what_cannot_be_read_inside_is_a_finding_like_any_other(content: bytes, code: str) -> None:
    """The paper is there; it is only bad."""
    (told,) = lint_file(content, None, NOW)

    assert (codes(told.findings), told.is_sound) == ({code}, False)


WHOLE = GOOD.public_bytes(Encoding.DER)
KEY = key("p256", "leaf").private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="a text"),
        pytest.param("größer".encode("latin-1"), id="text in an old encoding"),
        pytest.param(WHOLE[:-1], id="DER cut short"),
        pytest.param(WHOLE + b"\0", id="DER with a byte too many"),
        pytest.param(pem(WHOLE)[:-30], id="PEM cut short"),
        pytest.param(pem(WHOLE[:-1]), id="PEM around DER cut short"),
        pytest.param(pem(WHOLE, "X509 CRL"), id="another label"),
        pytest.param(KEY, id="a private key"),
        pytest.param(pem(WHOLE) * (PAPERS_MOST + 1), id="too many"),
        pytest.param(b"-" * (FILE_BYTES + 1), id="too long"),
        pytest.param(b"\x30\x80\x00\x00", id="a box left open"),
    ],
)
def test_what_is_no_paper_is_refused_once(content: bytes) -> None:
    """One code, one cause; nothing of a private key is repeated."""
    with pytest.raises(InputError) as refused:
        lint_file(content, None, NOW)

    assert refused.value.code == "lint.unreadable"
    assert len(refused.value.cause) < 200


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_byte_that_is_changed_leads_to_anything_but_findings_or_one_refusal(place: int, change: int) -> None:
    """Whatever stands in it, the answer is in our words."""
    spoilt = bytearray(WHOLE)
    spoilt[place] ^= change

    assert answer(bytes(spoilt)) in {"lint.unreadable", "judged"}


def answer(content: bytes) -> str:
    """What is answered to a file of one paper."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's, about what the rules find themselves
            return "judged" if len(lint_file(content, STATION, NOW)) == 1 else "several"
    except InputError as refused:
        return refused.code
