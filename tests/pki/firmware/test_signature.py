"""``pki.firmware.signature``: one form of signature is accepted, every other is named."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import RefusedError
from pki.firmware.policy import Algorithm, FirmwarePolicy
from pki.firmware.signature import Verified, encoding_findings, examine_signature, mirrored, read_signature
from tests.chains import SHA256, SHA512, held_to, pss
from tests.pki.firmware.makers import IMAGE, STANDARD, Key, Signed, digests_of, make_root, make_signer, rsa_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

DIGESTS = digests_of(IMAGE)
PKCS1 = FirmwarePolicy("pkcs1", frozenset(Algorithm))


def signer(key: Key | None = None) -> Signed:
    """A signer with this kind of key."""
    return make_signer(make_root(), key)


def examine(signature: bytes, key: PublicKeyTypes, policy: FirmwarePolicy) -> Verified:
    """Examine a signature over the image by a key that came in the usual form."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return examine_signature(DIGESTS, signature, key, spki, policy)


def refusal(act: Callable[[], object]) -> tuple[str, str]:
    """The code and the sentence that an act is refused with."""
    with pytest.raises(RefusedError) as refused:
        act()
    return refused.value.findings[0].code, refused.value.findings[0].says


def judged(signature: str, key: PublicKeyTypes, policy: FirmwarePolicy = STANDARD) -> tuple[str, str]:
    """How a signature over the image is refused."""
    return refusal(lambda: examine(base64.b64decode(signature), key, policy))


@pytest.mark.parametrize(
    ("key", "algorithm", "expected"),
    [
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), Algorithm.ECDSA_P256_SHA256),
        (ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(), Algorithm.ECDSA_P384_SHA384),
        (rsa_key(), hashes.SHA256(), Algorithm.RSA_PSS_SHA256),
        (rsa_key(3072), hashes.SHA256(), Algorithm.RSA_PSS_SHA256),
    ],
)
def test_each_standard_algorithm_verifies_over_the_whole_file(
    key: Key, algorithm: hashes.HashAlgorithm, expected: Algorithm
) -> None:
    """The signature that a common tool makes is accepted, and its algorithm is the evidence."""
    signature = read_signature(signer(key).sign(IMAGE, algorithm))
    assert examine(signature, key.public_key(), STANDARD).algorithm is expected


@pytest.mark.parametrize("salt", [0, 20, 32, padding.PSS.MAX_LENGTH])
def test_any_salt_length_of_pss_verifies(salt: int) -> None:
    """The standard names none, so none is demanded."""
    signature = rsa_key().sign(IMAGE, padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
    verified = examine(signature, rsa_key().public_key(), STANDARD)
    assert verified.algorithm is Algorithm.RSA_PSS_SHA256


def test_gate_01_one_flipped_bit_of_the_image_is_a_bad_signature() -> None:
    """No digest, no signature."""
    maker = signer()
    flipped = bytes([IMAGE[0] ^ 1]) + IMAGE[1:]
    assert judged(maker.sign(flipped), maker.key.public_key())[0] == "sig.bad"


def test_gate_02_the_signature_of_another_image_is_a_bad_signature() -> None:
    """A good signature is good for its own file alone."""
    maker = signer(rsa_key())
    assert judged(maker.sign(b"another image"), maker.key.public_key())[0] == "sig.bad"


@pytest.mark.parametrize("pss", [True, False])
def test_gate_17_a_signature_over_sha1_is_weak(pss: bool) -> None:
    """SHA-1 is recognised and refused by name, with either padding and whatever the policy."""
    maker = signer(rsa_key())
    sha1 = hashes.SHA1()  # noqa: S303 - this is the attack
    signature = maker.sign(IMAGE, sha1) if pss else maker.sign_pkcs1(IMAGE, sha1)
    code, says = judged(signature, maker.key.public_key(), PKCS1)
    assert (code, "SHA-1" in says) == ("alg.weak", True)


def test_gate_18_pkcs1_is_refused_by_name_with_the_options_that_make_pss() -> None:
    """The person who signed learns what to type."""
    maker = signer(rsa_key())
    with pytest.raises(RefusedError) as refused:
        examine(read_signature(maker.sign_pkcs1(IMAGE)), maker.key.public_key(), STANDARD)
    assert refused.value.findings[0].code == "alg.profile"
    assert "signed with PKCS#1 v1.5" in refused.value.cause
    assert "rsa_padding_mode:pss" in refused.value.advice


def test_pkcs1_passes_with_a_warning_where_the_policy_says_so() -> None:
    """Some stations verify nothing else."""
    maker = signer(rsa_key())
    verified = examine(read_signature(maker.sign_pkcs1(IMAGE)), maker.key.public_key(), PKCS1)
    assert verified.algorithm is Algorithm.RSA_PKCS1V15_SHA256
    assert [finding.severity for finding in verified.findings] == ["warning"]


def test_an_empty_policy_refuses_a_perfect_signature() -> None:
    """Empty means no."""
    maker = signer()
    assert judged(maker.sign(IMAGE), maker.key.public_key(), FirmwarePolicy("empty"))[0] == "alg.profile"


def test_a_hash_that_does_not_go_with_the_curve_is_named() -> None:
    """P-256 with SHA-512 verifies as such, and is refused as such."""
    maker = signer()
    code, says = judged(maker.sign(IMAGE, hashes.SHA512()), maker.key.public_key())
    assert (code, "ecdsa-p256-sha512" in says) == ("alg.profile", True)


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (ec.generate_private_key(ec.BrainpoolP256R1()).public_key(), "brainpoolP256r1"),
        (ec.generate_private_key(ec.SECP521R1()).public_key(), "secp521r1"),
        (ed25519.Ed25519PrivateKey.generate().public_key(), "neither RSA nor ECDSA"),
    ],
)
def test_other_keys_are_refused_by_name(key: PublicKeyTypes, named: str) -> None:
    """Brainpool and others are known, and not accepted."""
    code, says = judged(base64.b64encode(b"\x30\x06\x02\x01\x01\x02\x01\x01").decode(), key)
    assert (code, named in says) == ("alg.profile", True)


def test_gate_21_raw_r_and_s_are_named() -> None:
    """The commonest wrong form of ECDSA gets a sentence of its own."""
    maker = signer()
    r, s = utils.decode_dss_signature(read_signature(maker.sign(IMAGE)))
    raw = base64.b64encode(r.to_bytes(32) + s.to_bytes(32)).decode()
    code, says = judged(raw, maker.key.public_key())
    assert (code, "raw r and s" in says) == ("sig.encoding", True)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda der: der + b"\0", id="a byte after the end"),
        pytest.param(lambda der: b"\x30\x81" + der[1:], id="a long form of a short length"),
        pytest.param(lambda der: der[:-1], id="a byte missing"),
    ],
)
def test_gate_22_bytes_beside_strict_der_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    """One signature has one encoding."""
    maker = signer()
    spoilt = spoil(read_signature(maker.sign(IMAGE)))
    assert judged(base64.b64encode(spoilt).decode(), maker.key.public_key())[0] == "sig.encoding"


def test_gate_22_a_mirrored_signature_is_recognised() -> None:
    """n - s verifies as well as s; only the catalogue can tell them apart, and it does."""
    maker = signer()
    good = read_signature(maker.sign(IMAGE))
    r, s = utils.decode_dss_signature(good)
    other = utils.encode_dss_signature(r, ec.SECP256R1().group_order - s)
    assert mirrored(good, other, maker.key.public_key())
    assert not mirrored(good, good, maker.key.public_key())
    assert not mirrored(good, read_signature(maker.sign(IMAGE)), maker.key.public_key())


@pytest.mark.parametrize(
    "text",
    ["abcd=", "YWJj====", "YWJj\n", "YW Jj", "-_-_", "YWJ", "YWJjZB==", "", "ä", "YWJj\x00"],
)
def test_gate_23_only_canonical_base64_is_read(text: str) -> None:
    """Padding, alphabet, blanks and stray bits: one text for one signature."""
    assert refusal(lambda: read_signature(text))[0] == "sig.encoding"


@given(st.binary(min_size=1, max_size=600))
def test_what_base64_writes_is_what_is_read(signature: bytes) -> None:
    """Reading undoes writing, for every signature that fits."""
    assert read_signature(base64.b64encode(signature).decode()) == signature


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_never_a_crash(text: str) -> None:
    """A stranger chooses this text."""
    try:
        signature = read_signature(text)
    except RefusedError:
        return
    assert base64.b64encode(signature).decode() == text


def test_gate_24_a_signature_of_more_than_800_characters_is_refused_for_its_size() -> None:
    """800 is the field's bound in every version."""
    assert refusal(lambda: read_signature("A" * 804))[0] == "field.size"
    assert len(read_signature("A" * 800)) == 600


def test_base64_of_hex_text_is_named() -> None:
    """A signature printed in hex before it was encoded is told from a bad one."""
    maker = signer(rsa_key())
    hex_text = read_signature(maker.sign(IMAGE)).hex().encode()
    (finding,) = encoding_findings(hex_text, maker.key.public_key())
    assert finding.code == "sig.encoding"
    assert "hex text" in finding.says


@pytest.mark.parametrize(
    ("salt", "clause"), [(31, "RFC 4055 3.3"), (0, "RFC 4055 3.3"), (32, None), (33, None), (None, "RFC 4055 1.2")]
)
def test_what_a_key_says_of_itself_binds_its_signatures(salt: int | None, clause: str | None) -> None:
    """RFC 4055 1.2 and 3.3: marked for RSA-PSS with SHA-256, a mask with it, and a salt of 32 bytes or more."""
    way = padding.PKCS1v15() if salt is None else padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    signature, key = rsa_key().sign(IMAGE, way, hashes.SHA256()), rsa_key().public_key()
    spki = held_to(key, pss(SHA256, SHA256, 32), oid="2a864886f70d01010a")
    if clause is None:
        assert examine_signature(DIGESTS, signature, key, spki, PKCS1).algorithm is Algorithm.RSA_PSS_SHA256
        return
    with pytest.raises(RefusedError) as refused:
        examine_signature(DIGESTS, signature, key, spki, PKCS1)
    assert clause in {each.clause for each in refused.value.findings}


@pytest.mark.parametrize("parameters", [pss("", "", None), pss(SHA512, SHA512, 32), b"\x05\x00"])
def test_a_key_for_another_hash_or_that_cannot_be_read_proves_nothing(parameters: bytes) -> None:
    """SHA-1, which is meant where nothing is said, SHA-512, and parameters that are none."""
    signature = rsa_key().sign(IMAGE, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    spki = held_to(rsa_key().public_key(), parameters, oid="2a864886f70d01010a")
    with pytest.raises(RefusedError, match="RFC 4055 3"):
        examine_signature(DIGESTS, signature, rsa_key().public_key(), spki, STANDARD)
