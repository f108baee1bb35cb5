"""``pki.firmware.release``: an image becomes a release when everything about it is proved, and not before."""

from __future__ import annotations

import base64
import datetime as dt
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError, RefusedError
from pki.firmware.policy import Algorithm, FirmwarePolicy, parse_policy
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

if TYPE_CHECKING:
    from pathlib import Path

MAKER = make_maker()
PKCS1 = FirmwarePolicy("pkcs1", frozenset(Algorithm))


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


HELD = "-pkeyopt rsa_pss_keygen_md:sha384 -pkeyopt rsa_pss_keygen_mgf1_md:sha384 -pkeyopt rsa_pss_keygen_saltlen:48"


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys that openssl marks for RSA-PSS, with certificates below the maker's root.

    ``any`` may use every hash; ``sha384`` is held to SHA-384, for its mask too, and a salt of 48 bytes or more.
    """
    folder = tmp_path_factory.mktemp("marked")
    (folder / "root.key").write_bytes(MAKER.root.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "root.pem").write_text(MAKER.root.pem)
    (folder / "signer.ext").write_text("keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n")
    for name, more in (("any", ""), ("sha384", HELD)):
        for words in (
            f"genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:2048 {more} -out {name}.key",
            f"req -new -key {name}.key -subj /O=Volta/CN=Signer -out {name}.csr",
            f"x509 -req -in {name}.csr -CA root.pem -CAkey root.key -days 9 -extfile signer.ext -out {name}.pem",
        ):
            subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("name", "algorithm", "salt", "clause"),
    [
        ("any", hashes.SHA256(), 32, ""),
        ("any", hashes.SHA256(), 0, ""),
        ("any", hashes.SHA256(), None, "RFC 4055 1.2"),
        ("sha384", hashes.SHA256(), 48, "RFC 4055 3.3"),
        ("sha384", hashes.SHA256(), None, "RFC 4055 1.2"),
    ],
)
def test_a_key_that_is_marked_for_pss_signs_in_no_other_way(
    marked: Path, name: str, algorithm: hashes.HashAlgorithm, salt: int | None, clause: str
) -> None:
    """Whatever the policy: the library loses the mark when it reads the key, so the mark is read where it stands."""
    key = load_pem_private_key((marked / f"{name}.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    way = padding.PKCS1v15() if salt is None else padding.PSS(padding.MGF1(algorithm), salt)
    signature = base64.b64encode(key.sign(IMAGE, way, algorithm)).decode()
    certificate, now = (marked / f"{name}.pem").read_text(), dt.datetime.now(dt.UTC)
    given = (CLAIM, digests_of(IMAGE), signature, certificate, MAKER.anchors, PKCS1, now)
    if not clause:
        assert examine(*given).algorithm is Algorithm.RSA_PSS_SHA256
        return
    with pytest.raises(RefusedError) as refused:
        examine(*given)
    fatal = [each for each in refused.value.findings if each.severity == "error"]
    assert [(each.code, each.clause) for each in fatal] == [("alg.profile", clause)]
