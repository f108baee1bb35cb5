"""``pki.firmware.release``: an image becomes a release when everything about it is proved, and not before."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError, RefusedError
from pki.firmware.policy import Algorithm, parse_policy
from pki.firmware.release import Release, ReleaseClaim, examine, recall
from pki.firmware.signature import read_signature
from tests.pki.firmware.makers import (
    CLAIM,
    IMAGE,
    NOW,
    STANDARD,
    digests_of,
    make_maker,
    make_root,
    make_signer,
    rsa_key,
)

MAKER = make_maker()


def refused_codes(image: bytes, signature: str, certificate: str, claim: ReleaseClaim = CLAIM) -> list[str]:
    """Every code that an image is refused with."""
    with pytest.raises(RefusedError) as refused:
        examine(claim, digests_of(image), signature, certificate, MAKER.anchors, STANDARD, NOW)
    assert refused.value.code == "firmware.refused"
    return [finding.code for finding in refused.value.findings if finding.severity == "error"]


def test_a_true_image_becomes_a_release_that_says_what_was_proved() -> None:
    """Digest, size, claim, algorithm, signature and signer stand in the evidence."""
    signature = MAKER.signer.sign(IMAGE)
    release = examine(CLAIM, digests_of(IMAGE), signature, MAKER.signer.pem, MAKER.anchors, STANDARD, NOW)
    assert release == Release(
        digests_of(IMAGE).hex,
        len(IMAGE),
        CLAIM,
        Algorithm.ECDSA_P256_SHA256,
        read_signature(signature),
        MAKER.signer.certificate,
    )


def test_every_reason_is_told_at_once() -> None:
    """Whoever repairs a release repairs it once."""
    stranger = make_signer(make_root("Nobody"), end=NOW)
    assert set(refused_codes(b"", MAKER.signer.sign(IMAGE), stranger.pem)) == {
        "image.empty",
        "signer.untrusted",
        "sig.bad",
    }


def test_an_unreadable_signature_does_not_hide_a_bad_signer() -> None:
    """Both fields are judged, whichever fails first."""
    stranger = make_signer(make_root("Nobody"))
    assert refused_codes(IMAGE, "no base64", stranger.pem) == ["sig.encoding", "signer.untrusted"]
    assert refused_codes(IMAGE, "no base64", "no PEM") == ["sig.encoding", "cert.encoding"]


def test_gate_06_a_release_must_be_signed_for_the_vendor_it_claims() -> None:
    """Naming another vendor does not borrow that vendor's trust."""
    claim = ReleaseClaim("Ampere", "A-1", "1")
    assert refused_codes(IMAGE, MAKER.signer.sign(IMAGE), MAKER.signer.pem, claim) == ["signer.vendor"]


def test_gate_12_a_strict_policy_refuses_a_signer_without_a_purpose() -> None:
    """The same image passes with a warning under the standard policy."""
    signer = make_signer(MAKER.root, purpose=None)
    strict = parse_policy("strict", 'algorithms = ["ecdsa-p256-sha256"]')
    given_ = (CLAIM, digests_of(IMAGE), signer.sign(IMAGE), signer.pem, MAKER.anchors)
    assert [finding.code for finding in examine(*given_, STANDARD, NOW).findings] == ["signer.purpose"]
    with pytest.raises(RefusedError, match="extended key usage"):
        examine(*given_, strict, NOW)


def test_gate_18_the_advice_for_pkcs1_names_the_options() -> None:
    """Refusals of form come with what to type."""
    signer = make_signer(MAKER.root, rsa_key())
    with pytest.raises(RefusedError) as refused:
        examine(CLAIM, digests_of(IMAGE), signer.sign_pkcs1(IMAGE), signer.pem, MAKER.anchors, STANDARD, NOW)
    assert "rsa_padding_mode:pss" in refused.value.advice


def test_a_release_survives_its_record() -> None:
    """What the ledger keeps is enough to know it again."""
    release = MAKER.release()
    pem = release.certificate.public_bytes(Encoding.PEM).decode()
    again = recall(
        digest=release.digest,
        size=release.size,
        vendor=CLAIM.vendor,
        model=CLAIM.model,
        version=CLAIM.version,
        algorithm=release.algorithm.value,
        signature=release.signature,
        certificate=pem,
    )
    assert again == release


@pytest.mark.parametrize("field", [0, 1, 2])
@pytest.mark.parametrize("text", ["", " x", "x ", "x" * 51, "a\nb", "a\x1bb", "\u202e"])
def test_gate_35_a_claim_holds_printable_text_of_bounded_length(field: int, text: str) -> None:
    """Tricks with blanks, escapes and lengths stop at the door."""
    fields = ["Volta", "V-22", "1.4.2"]
    fields[field] = text
    with pytest.raises(InputError, match=r"firmware\.claim"):
        ReleaseClaim.parse(*fields)


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=50))
def test_a_claim_is_kept_exactly(text: str) -> None:
    """No case is folded and nothing is trimmed: equality is the station's own spelling."""
    assert ReleaseClaim.parse(text, text, text) == ReleaseClaim(text, text, text)


def test_names_too_long_for_1_6_are_told() -> None:
    """A 1.6 station cannot report more than 20 characters, so such an image would never match it."""
    claim = ReleaseClaim("Volta", "V" * 21, "1")
    release = MAKER.release(claim=claim)
    assert [finding.code for finding in release.findings] == ["target.length"]
