"""Questions about one certificate, read strictly, and answers that others understand."""

from __future__ import annotations

import contextlib
import datetime as dt
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library
from hypothesis import given
from hypothesis import strategies as st

from pki import encode, ocsp
from pki.der import NULL, read_box
from pki.errors import InputError, RefusedError
from pki.issue import sign
from pki.lint import approve
from pki.plan import Subject, plan
from pki.revocation import Reason
from pki.strength import HASHES as OIDS
from tests.pki.papers import NOW, ORGANISATION, issuing, key, leaf, profile, root, serial

HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}  # noqa: S303 - RFC 5019
TIMES = ocsp.Times(NOW, NOW + dt.timedelta(hours=12))
REVOKED = ocsp.Standing(NOW - dt.timedelta(days=1), Reason.KEY_COMPROMISE)


def request(name: str = "sha1", nonce: bytes | None = None) -> bytes:
    """A question about the leaf, by the library."""
    builder = library.OCSPRequestBuilder().add_certificate(leaf().certificate, issuing().certificate, HASHES[name])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


@cache
def signer() -> x509.Certificate:
    """A signer of answers below the issuing authority."""
    subject = Subject("OCSP Signer", ORGANISATION)
    planned = plan(profile("ocsp"), subject, key("p256", "ocsp").public_key(), issuing(), serial(11), NOW)
    return sign(approve(planned), key("p256", "issuing")).certificate


def answer(standing: ocsp.Standing | None, name: str = "sha1", nonce: bytes | None = None) -> library.OCSPResponse:
    """An answer about the leaf, as the library reads it."""
    cert_id = ocsp.read_question(request(name)).certificates[0].whole
    tbs = ocsp.write_tbs(signer(), [(cert_id, standing)], TIMES, nonce)
    return library.load_der_ocsp_response(ocsp.seal(tbs, signer(), key("p256", "ocsp")))


@pytest.mark.parametrize("name", HASHES)
def test_an_issuer_is_known_under_every_hash(name: str) -> None:
    """OCPP uses SHA-2, most clients SHA-1; both name the very same issuer and serial."""
    [asked] = ocsp.read_question(request(name)).certificates

    assert ocsp.index([root().certificate, issuing().certificate])[asked.issuer] == issuing().certificate
    assert asked.serial == leaf().certificate.serial_number
    assert ocsp.write_cert_id(asked.issuer, asked.serial) in {asked.whole, _with_null(asked.whole, name)}


def _with_null(whole: bytes, name: str) -> bytes:
    oid = encode.oid(OIDS[name])
    return encode.sequence(encode.sequence(oid, encode.write(NULL)), *(box.raw for box in read_box(whole).boxes()[1:]))


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize(
    ("standing", "status", "reason"),
    [
        (ocsp.Standing(), library.OCSPCertStatus.GOOD, None),
        (REVOKED, library.OCSPCertStatus.REVOKED, x509.ReasonFlags.key_compromise),
        (ocsp.Standing(NOW), library.OCSPCertStatus.REVOKED, None),
        (
            ocsp.Standing(NOW, Reason.CERTIFICATE_HOLD),
            library.OCSPCertStatus.REVOKED,
            x509.ReasonFlags.certificate_hold,
        ),
        (None, library.OCSPCertStatus.UNKNOWN, None),
    ],
)
def test_the_library_reads_what_was_meant(
    name: str, standing: ocsp.Standing | None, status: library.OCSPCertStatus, reason: x509.ReasonFlags | None
) -> None:
    """Status, times, reason, the hash that was asked with, and a signature by the signer's key."""
    said = answer(standing, name)

    assert (said.certificate_status, said.revocation_reason) == (status, reason)
    assert (said.this_update_utc, said.next_update_utc) == (TIMES.this_update, TIMES.next_update)
    assert said.revocation_time_utc == (standing.revoked if standing else None)
    assert said.hash_algorithm.name == name
    assert said.certificates == [signer()]
    assert said.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(signer().public_key()).digest
    holder = key("p256", "ocsp").public_key()
    assert isinstance(holder, ec.EllipticCurvePublicKey)
    holder.verify(said.signature, said.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("length", [1, 16, 32, 128])
def test_a_nonce_comes_back(length: int) -> None:
    """RFC 9654 2.1: 1 to 128 octets."""
    nonce = bytes(range(length))
    question = ocsp.read_question(request(nonce=nonce))
    said = answer(ocsp.Standing(), nonce=question.nonce)

    assert not question.is_plain
    assert said.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce


@pytest.mark.parametrize("length", [0, 129, 500])
def test_a_nonce_of_another_length_is_malformed(length: int) -> None:
    """RFC 9654 2.1."""
    with pytest.raises(InputError, match=r"ocsp\.malformed.*nonce"):
        ocsp.read_question(request(nonce=bytes(length)))


def several(count: int) -> bytes:
    """A question about several certificates, which the library cannot write."""
    name = ocsp.identify("sha256", issuing().certificate)
    singles = [encode.sequence(ocsp.write_cert_id(name, number + 1)) for number in range(count)]
    return encode.sequence(encode.sequence(encode.sequence(*singles)))


def test_several_certificates_are_read_in_order_and_answered_each() -> None:
    """RFC 6960 4.2.1: an answer has one part for each certificate asked about."""
    question = ocsp.read_question(several(3))
    about = [(each.whole, ocsp.Standing() if each.serial == 2 else None) for each in question.certificates]
    said = library.load_der_ocsp_response(
        ocsp.seal(ocsp.write_tbs(signer(), about, TIMES), signer(), key("p256", "ocsp"))
    )

    assert [(each.serial_number, each.certificate_status.name) for each in said.responses] == [
        (1, "UNKNOWN"),
        (2, "GOOD"),
        (3, "UNKNOWN"),
    ]


_GOOD = request()
_ONE = several(1)


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(_GOOD + b"\x00", id="a byte too many"),
        pytest.param(_GOOD[:-1], id="a byte too few"),
        pytest.param(several(0), id="no certificate"),
        pytest.param(several(ocsp.CERTIFICATES_MOST + 1), id="too many certificates"),
        pytest.param(bytes(ocsp.REQUEST_LENGTH + 1), id="too long"),
        pytest.param(_ONE.replace(encode.oid(OIDS["sha256"]), encode.oid("2.16.840.1.101.3.4.2.9")), id="other hash"),
        pytest.param(b"\x30\x80" + _GOOD[2:] + b"\x00\x00", id="a length without an end"),
        pytest.param(
            encode.sequence(encode.sequence(encode.explicit(0, encode.integer(0)), read_box(_ONE).boxes()[0].content)),
            id="a version that is left out in DER",
        ),
        pytest.param(
            encode.sequence(
                encode.sequence(
                    read_box(_ONE).boxes()[0].content,
                    encode.explicit(2, encode.sequence(encode.extension("1.2.3", b"", critical=True))),
                )
            ),
            id="an extension that may not be ignored",
        ),
    ],
)
def test_what_is_no_question_is_refused(spoilt: bytes) -> None:
    """One kind of refusal for all of it, and never another exception."""
    with pytest.raises(InputError, match=r"ocsp\.malformed"):
        ocsp.read_question(spoilt)


@given(st.data())
def test_a_spoilt_question_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    """Bytes changed at random places of an honest question with everything in it."""
    whole = bytearray(request("sha256", bytes(16)))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        assert 1 <= len(ocsp.read_question(bytes(whole)).certificates) <= ocsp.CERTIFICATES_MOST


@pytest.mark.parametrize("trouble", ocsp.Trouble)
def test_why_there_is_no_answer_is_said_in_the_standards_numbers(trouble: ocsp.Trouble) -> None:
    """RFC 6960 4.2.1; nothing of it is signed."""
    assert library.load_der_ocsp_response(ocsp.refuse(trouble)).response_status.value == trouble


def test_another_key_than_the_signers_signs_no_answer() -> None:
    """The certificate in the answer and the key under it belong together."""
    tbs = ocsp.write_tbs(signer(), [], TIMES)
    with pytest.raises(RefusedError, match=r"ocsp\.key"):
        ocsp.seal(tbs, signer(), key("p256", "other"))
