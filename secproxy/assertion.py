"""The signed statement of who a station is, for a CSMS that must not believe a header because it is there.

A compact JWS (RFC 7515) over the claims of a JWT (RFC 7519), signed with Ed25519 (RFC 8037); the keys that verify it
are published as a JWK set (RFC 7517), each under its thumbprint (RFC 7638). Only what is needed to write them is here:
nothing of ours reads one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.hazmat.primitives.serialization import load_pem_public_key as load_public

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from secproxy.admission import Admitted

LIFETIME: Final = 60  # seconds; dialling takes at most ten, and two clocks may differ by the rest
TYPE: Final = "bollard-station+jwt"  # so that it is taken for no other kind of token (RFC 8725 3.11)
NONCE_BYTES: Final = 16  # of ``jti``; two never meet


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs now, and the name it is published under."""

    key: Ed25519PrivateKey
    name: str
    _header: str
    """The same of every statement, written once."""

    @classmethod
    def read(cls, pem: str) -> Signer:
        """Read an unencrypted Ed25519 key. ``TypeError`` when it is of another kind."""
        key = load_pem_private_key(pem.encode("ascii"), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("the key for assertions is no Ed25519 key")
        return cls.of(key)

    @classmethod
    def of(cls, key: Ed25519PrivateKey) -> Signer:
        """Take a key, under the name it has by itself."""
        name = thumbprint(key.public_key())
        return cls(key, name, encode(_compact({"alg": "EdDSA", "kid": name, "typ": TYPE})))

    def sign(self, claims: dict[str, object]) -> str:
        """Write claims as a compact JWS (RFC 7515 3.1)."""
        signed = f"{self._header}.{encode(_compact(claims))}"
        return f"{signed}.{encode(self.key.sign(signed.encode('ascii')))}"


def claims(issuer: str, audience: str, admitted: Admitted, now: dt.datetime, nonce: bytes) -> dict[str, object]:
    """Say who connects: ``issuer`` is our CSMS host, ``audience`` the upstream's name, ``nonce`` 16 random bytes.

    A certificate is named by its SHA-256 thumbprint, as a token bound to it is (RFC 8705 3.1).
    """
    station, issued = admitted.station, int(now.timestamp())
    said: dict[str, object] = {
        "iss": issuer,
        "sub": station.identity.text,
        "aud": audience,
        "iat": issued,
        "exp": issued + LIFETIME,
        "jti": encode(nonce),
        "serial": station.serial.text,
        "profile": int(admitted.profile),
    }
    if admitted.certificate is not None:
        said["cnf"] = {"x5t#S256": encode(bytes.fromhex(admitted.certificate.fingerprint))}
    return said


def thumbprint(key: Ed25519PublicKey) -> str:
    """Name a key by itself (RFC 7638 3, RFC 8037 2)."""
    members = json.dumps(_members(key), sort_keys=True, separators=(",", ":"))
    return encode(hashlib.sha256(members.encode("ascii")).digest())


def key_set(public_pems: Iterable[str]) -> bytes:
    """Write the JWK set of Ed25519 keys."""
    keys = [load_public(pem.encode("ascii")) for pem in public_pems]
    return _compact({"keys": [_jwk(key) for key in keys if isinstance(key, Ed25519PublicKey)]})


def encode(data: bytes) -> str:
    """Write base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    return {**_members(key), "kid": thumbprint(key), "alg": "EdDSA", "use": "sig"}


def _members(key: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def _compact(value: object) -> bytes:
    return msgspec.json.encode(value)
