"""Assertions are what their standards say, and OpenSSL, which knows nothing of us, finds their signatures right."""

from __future__ import annotations

import base64
import datetime as dt
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from secproxy.assertion import LIFETIME, Signer, claims, encode, key_set, thumbprint
from tests.play import NOON
from tests.secproxy import scene

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer.of(KEY)
ADMITTED = scene.admitted(scene.station(), shown=scene.certificate())


def private_pem(key: PrivateKeyTypes) -> str:
    """A key as the authority hands it out."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key as the authority hands it out."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def decode(part: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified_by_openssl(folder: Path, token: str, public: str) -> bool:
    """Whether the openssl command finds the signature right."""
    signed, _, signature = token.rpartition(".")
    for name, data in (("pub.pem", public.encode()), ("signed", signed.encode()), ("sig", decode(signature))):
        (folder / name).write_bytes(data)
    words = ("pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "signed", "-sigfile", "sig")
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False).returncode == 0


def test_openssl_verifies_an_assertion_under_the_published_key_and_no_altered_one(tmp_path: Path) -> None:
    """The key is taken from the JWK set, as a CSMS would."""
    token = SIGNER.sign(claims("csms.example.org", "north", ADMITTED, NOON, bytes(16)))
    header, body, signature = token.split(".")
    [jwk] = json.loads(key_set([public_pem(KEY.public_key())]))["keys"]
    public = public_pem(Ed25519PublicKey.from_public_bytes(decode(jwk["x"])))

    assert jwk["kid"] == json.loads(decode(header))["kid"]
    assert verified_by_openssl(tmp_path, token, public)
    other = encode(decode(body).replace(b"CP-001", b"CP-002"))
    assert not verified_by_openssl(tmp_path, f"{header}.{other}.{signature}", public)


def test_an_assertion_says_who_connects_to_whom_until_when() -> None:
    """Every claim, and the type that keeps it from being taken for another token."""
    header, body, _ = SIGNER.sign(claims("csms.example.org", "north", ADMITTED, NOON, b"n" * 16)).split(".")
    assert json.loads(decode(header)) == {"alg": "EdDSA", "kid": SIGNER.name, "typ": "bollard-station+jwt"}
    assert json.loads(decode(body)) == {
        "iss": "csms.example.org",
        "sub": "CP-001",
        "aud": "north",
        "iat": int(NOON.timestamp()),
        "exp": int(NOON.timestamp()) + LIFETIME,
        "jti": "bm5ubm5ubm5ubm5ubm5ubg",
        "serial": "SN-CP-001",
        "profile": 3,
        "cnf": {"x5t#S256": encode(bytes.fromhex(scene.certificate().fingerprint))},
    }


def test_a_password_station_is_bound_to_no_certificate() -> None:
    """There is none to name."""
    admitted = scene.admitted(scene.station(verifier=scene.VERIFIER), profile=2)
    said = claims("h", "a", admitted, NOON + dt.timedelta(seconds=0.9), bytes(16))
    assert "cnf" not in said
    assert (said["profile"], said["iat"]) == (2, int(NOON.timestamp()))


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    """Its appendix A.3, for the key of appendix A.1."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    key = Ed25519PublicKey.from_public_bytes(decode(x))
    assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_signature_is_that_of_rfc_8037() -> None:
    """Its appendix A.4: the same key over the same bytes."""
    key = Ed25519PrivateKey.from_private_bytes(decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    assert encode(key.sign(signed)) == expected


def test_the_key_set_holds_every_key_once_and_no_secret() -> None:
    """In the order given; ``d`` would be the private half."""
    other = Ed25519PrivateKey.generate().public_key()
    keys = json.loads(key_set([public_pem(KEY.public_key()), public_pem(other)]))["keys"]
    assert [jwk["kid"] for jwk in keys] == [SIGNER.name, thumbprint(other)]
    assert all(set(jwk) == {"kty", "crv", "x", "kid", "alg", "use"} for jwk in keys)
    assert json.loads(key_set([])) == {"keys": []}


def test_a_key_of_another_kind_signs_nothing() -> None:
    """What is published says Ed25519."""
    assert Signer.read(private_pem(KEY)).name == SIGNER.name
    with pytest.raises(TypeError):
        Signer.read(private_pem(ec.generate_private_key(ec.SECP256R1())))


@given(st.binary(max_size=64))
def test_base64url_is_that_of_the_library_without_padding(data: bytes) -> None:
    """RFC 7515 2."""
    assert decode(encode(data)) == data
    assert not set(encode(data)) & set("=+/")
