"""Proves that a firmware image is exactly what its manufacturer signed.

* The file is hashed while it streams, elsewhere; here only digests arrive.
* The signature's text and bytes have one accepted form each: canonical base64, strict DER for ECDSA.
* What is not accepted is recognised and named where it can be, so that the person who signs knows what to change.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from pki import encode
from pki.errors import RefusedError
from pki.findings import Finding, error, refuse_errors, warning
from pki.firmware.policy import Algorithm
from pki.signed import MGF1, read_pss_key
from pki.strength import HASHES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from pki.firmware.policy import FirmwarePolicy
    from pki.signed import PssTerms

SIGNATURE_LENGTH: Final = 800
"""Characters of base64; SignedUpdateFirmware (1.6) and UpdateFirmware (2.x), field ``signature``."""

PSS_ADVICE: Final = (
    "Sign with ECDSA P-256, or with RSA-PSS: openssl dgst -sha256 -sigopt rsa_padding_mode:pss "
    "-sigopt rsa_pss_saltlen:digest -sigopt rsa_mgf1_md:sha256 -sign KEY FILE | base64 -w0"
)

_HASHES: Final = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha1": hashes.SHA1(),  # noqa: S303 - only to name a signature that is refused for it
}
_CURVES: Final = {"secp256r1": "p256", "secp384r1": "p384"}


@dataclass(frozen=True, slots=True)
class FileDigests:
    """One image as hashed in a single pass: its size in bytes and its digests.

    ``sha1`` proves nothing; it is there to recognise a signature made over it and to say so.
    """

    size: int
    sha256: bytes
    sha384: bytes
    sha512: bytes
    sha1: bytes

    @property
    def hex(self) -> str:
        """SHA-256 in hex, the image's name everywhere."""
        return self.sha256.hex()

    def by(self, name: str) -> bytes:
        """The digest of this name (``sha256``, ``sha384``, ``sha512`` or ``sha1``)."""
        return {"sha256": self.sha256, "sha384": self.sha384, "sha512": self.sha512, "sha1": self.sha1}[name]


@dataclass(frozen=True, slots=True)
class Verified:
    """The signature is good for these digests under the policy asked; ``findings`` are what was noticed besides."""

    algorithm: Algorithm
    findings: tuple[Finding, ...] = ()


def read_signature(text: str) -> bytes:
    """Read a signature from its base64 text as OCPP carries it: canonical, on one line, at most 800 characters."""
    if len(text) > SIGNATURE_LENGTH:
        raise _refused(error("field.size", "L01.FR.04", f"the signature has {len(text)} characters, 800 are allowed"))
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    # b64decode accepts excess padding and stray bits; only the text that encoding gives back is canonical.
    if not signature or base64.b64encode(signature).decode("ascii") != text:
        says = "the signature is no base64 in its one plain form: standard alphabet, padded, no blanks, no line breaks"
        raise _refused(error("sig.encoding", "L01.FR.04", says))
    return signature


def examine_signature(
    digests: FileDigests, signature: bytes, public_key: PublicKeyTypes, spki: bytes, policy: FirmwarePolicy
) -> Verified:
    """Verify the signature over the whole file (L01.FR.04), or raise ``RefusedError("firmware.signature")``.

    ``spki`` is the same key as it came, in DER: there an RSA key may be held to one way of signing.
    """
    findings = encoding_findings(signature, public_key)
    if findings:
        raise _refused(*findings)
    scheme = _scheme(digests, signature, public_key)
    found = [*_scheme_findings(scheme, policy), *_terms_findings(scheme, digests, signature, public_key, spki)]
    noticed = refuse_errors(found, "firmware.signature", "the firmware signature", PSS_ADVICE)
    return Verified(Algorithm(scheme), noticed)


def encoding_findings(signature: bytes, public_key: PublicKeyTypes) -> tuple[Finding, ...]:
    """What can be said of a signature's form without the image: key kind, length, strict DER."""
    match public_key:
        case rsa.RSAPublicKey():
            says = _rsa_form(signature, (public_key.key_size + 7) // 8)
        case ec.EllipticCurvePublicKey() if public_key.curve.name in _CURVES:
            says = _ecdsa_form(signature, (public_key.curve.key_size + 7) // 8)
        case ec.EllipticCurvePublicKey():
            return (error("alg.profile", "L01.FR.04", f"the curve {public_key.curve.name} is not accepted"),)
        case _:
            return (error("alg.profile", "L01.FR.04", "the signer's key is neither RSA nor ECDSA on P-256 or P-384"),)
    return (error("sig.encoding", "L01.FR.04", says),) if says else ()


def mirrored(signature: bytes, other: bytes, public_key: PublicKeyTypes) -> bool:
    """Whether one ECDSA signature is the other with s replaced by n - s, which anybody can do to a good one."""
    if not isinstance(public_key, ec.EllipticCurvePublicKey) or signature == other:
        return False
    try:
        (r, s), (other_r, other_s) = map(utils.decode_dss_signature, (signature, other))
    except ValueError:
        return False
    return r == other_r and s + other_s == public_key.curve.group_order


def _scheme(digests: FileDigests, signature: bytes, public_key: PublicKeyTypes) -> str:
    """Name how the signature was made ("rsa-pss-sha256"), or "" when it is none of this file."""
    for name, algorithm in _HASHES.items():
        prehashed = utils.Prehashed(algorithm)
        if isinstance(public_key, rsa.RSAPublicKey):
            for scheme, padding_ in _paddings(algorithm).items():
                with suppress(InvalidSignature):
                    public_key.verify(signature, digests.by(name), padding_, prehashed)
                    return f"rsa-{scheme}-{name}"
        elif isinstance(public_key, ec.EllipticCurvePublicKey):
            with suppress(InvalidSignature):
                public_key.verify(signature, digests.by(name), ec.ECDSA(prehashed))
                return f"ecdsa-{_CURVES[public_key.curve.name]}-{name}"
    return ""


def _paddings(algorithm: hashes.HashAlgorithm) -> dict[str, AsymmetricPadding]:
    # The standard gives no salt length: any is taken. MGF1 runs over the same hash.
    pss = padding.PSS(mgf=padding.MGF1(algorithm), salt_length=padding.PSS.AUTO)
    return {"pss": pss, "pkcs1v15": padding.PKCS1v15()}


def _scheme_findings(scheme: str, policy: FirmwarePolicy) -> list[Finding]:
    if not scheme:
        return [error("sig.bad", "L01.FR.04", "the signature is not one of this file by this signer")]
    if scheme.endswith("-sha1"):
        return [error("alg.weak", "L01.FR.04", f"signed over SHA-1 ({scheme})")]
    if scheme not in policy.algorithms:
        return [error("alg.profile", "L01.FR.04", _unaccepted(scheme, policy))]
    if scheme == Algorithm.RSA_PKCS1V15_SHA256:
        return [warning("alg.profile", "L01.FR.04", "signed with PKCS#1 v1.5, which no OCPP text names")]
    return []


def _terms_findings(
    scheme: str, digests: FileDigests, signature: bytes, public_key: PublicKeyTypes, spki: bytes
) -> list[Finding]:
    """RFC 4055 1.2 and 3.3: a key that says RSASSA-PSS of itself signs in no other way, and as its parameters allow."""
    if not scheme or not isinstance(public_key, rsa.RSAPublicKey):
        return []
    try:
        key = read_pss_key(spki)
    except (TypeError, ValueError, IndexError):
        return [error("alg.profile", "RFC 4055 3.1", "what the signer's key may be used for cannot be read")]
    if key is None:
        return []
    if "pss" not in scheme:
        return [error("alg.profile", "RFC 4055 1.2", f"signed with {scheme}; the signer's key is for RSA-PSS alone")]
    if key.terms is None or _keeps(key.terms, scheme.rpartition("-")[2], digests, signature, public_key):
        return []
    says = f"signed with {scheme}; the signer's key is for another hash, mask or a longer salt"
    return [error("alg.profile", "RFC 4055 3.3", says)]


def _keeps(terms: PssTerms, name: str, digests: FileDigests, signature: bytes, public_key: rsa.RSAPublicKey) -> bool:
    """Tell whether a PSS signature over this hash, which verifies, keeps to what its key is held to."""
    oid = b"" if name == "sha1" else encode.oid(HASHES[name])  # SHA-1 is what stands for nothing said
    if (terms.digest, terms.mask) != (oid, MGF1 + oid if oid else b""):
        return False
    algorithm, shorter = _HASHES[name], False
    for salt in range(min(terms.salt, public_key.key_size // 8)):
        with suppress(InvalidSignature):
            way = padding.PSS(padding.MGF1(algorithm), salt)
            public_key.verify(signature, digests.by(name), way, utils.Prehashed(algorithm))
            shorter = True
    return not shorter


def _unaccepted(scheme: str, policy: FirmwarePolicy) -> str:
    accepted = ", ".join(sorted(policy.algorithms)) or "nothing"
    if "pkcs1v15" in scheme:
        return f"signed with PKCS#1 v1.5 ({scheme}); the policy {policy.name} needs RSA-PSS or ECDSA: {accepted}"
    return f"signed with {scheme}; the policy {policy.name} accepts {accepted}"


def _rsa_form(signature: bytes, length: int) -> str:
    if len(signature) == length:
        return ""
    return f"the signature has {len(signature)} bytes, this RSA key makes {length}{_hex_hint(signature)}"


def _ecdsa_form(signature: bytes, length: int) -> str:
    try:
        r, s = utils.decode_dss_signature(signature)
    except ValueError:
        if len(signature) == 2 * length:
            return "the signature is raw r and s side by side, where the DER form is due (as openssl makes it)"
        return f"the signature is not strict DER{_hex_hint(signature)}"
    exact = utils.encode_dss_signature(r, s) == signature
    return "" if exact else "the signature is not strict DER: bytes are left over or numbers are padded"


def _hex_hint(signature: bytes) -> str:
    text = all(byte in b"0123456789abcdefABCDEF\n" for byte in signature)
    return "; it holds hex text, where the raw bytes are due" if text else ""


def _refused(*findings: Finding) -> RefusedError:
    says = "; ".join(finding.says for finding in findings)
    return RefusedError("firmware.signature", f"the firmware signature: {says}", PSS_ADVICE, findings=findings)
