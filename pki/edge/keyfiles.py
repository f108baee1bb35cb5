"""Keys as files: how they are made, and how they lie on the disk so that a copied disk gives nothing away.

* A key is PKCS#8 PEM, encrypted, in a file that only we may read. Above the PEM block may stand one line, ``Padding:
  pss``: how an RSA key signs. Other programs read over it.
* A file is read with a bound, and each way in which it can be wrong has a name of its own.
* Keys are never overwritten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from pki.edge.private_files import read_private, write_private
from pki.errors import BollardError, ForbiddenError, InputError
from pki.strength import CURVES, RSA_BITS, RSA_EXPONENT, KeyKind, Padding, SigningKey, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.edge.passphrase import Passphrase

KEY_BYTES: Final = 16_384  # of a key file; RSA-4096, the longest, has about 3,500

_BLOCK: Final = re.compile(
    rb"(?:Padding: (?P<padding>pkcs1|pss)\r?\n)?"
    rb"(?P<pem>-----BEGIN (?P<label>[A-Z ]+)-----\r?\n[A-Za-z0-9+/=\r\n]+-----END (?P=label)-----\s*)"
)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a key file holds."""

    key: SigningKey
    padding: Padding


def make(kind: KeyKind) -> SigningKey:
    """Make a new private key."""
    return _MAKERS[kind]()


_MAKERS: Final[Mapping[KeyKind, Callable[[], SigningKey]]] = {
    **{kind: partial(ec.generate_private_key, curve) for kind, curve in CURVES.items()},
    **{kind: partial(rsa.generate_private_key, RSA_EXPONENT, bits) for kind, bits in RSA_BITS.items()},
    KeyKind.ED25519: ed25519.Ed25519PrivateKey.generate,
    KeyKind.ED448: ed448.Ed448PrivateKey.generate,
    KeyKind.ML_DSA_44: mldsa.MLDSA44PrivateKey.generate,
    KeyKind.ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
    KeyKind.ML_DSA_87: mldsa.MLDSA87PrivateKey.generate,
}


def throwaway_key(like: CertificatePublicKeyTypes) -> SigningKey:
    """Return a key of the same algorithm and size as the public key ``like``, for signing twins that nobody ever sees.

    Each kind is made once a process: a twin proves the shape of a list, not who signed it.
    """
    kind = kind_of(like)
    if kind is None:
        raise InputError("key.kind", "an issuer's key is of a kind that signs nothing here", "Use another issuer.")
    return _twin(kind)


@cache
def _twin(kind: KeyKind) -> SigningKey:
    return make(kind)


def save(path: Path, key: SigningKey, passphrase: Passphrase, padding: Padding = Padding.PKCS1) -> SigningKey:
    """Write a key encrypted, mode 0600; refuse to overwrite one."""
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.secret),
    )
    if path.exists():
        raise taken(path.name)
    head = b"" if padding is Padding.PKCS1 else f"Padding: {padding}\n".encode()
    write_private(path, head + text)
    return key


def taken(name: str) -> ForbiddenError:
    """Say that a key is there already."""
    return ForbiddenError("key.exists", f"the key {name} exists already", "Keys are never overwritten.")


def load(path: Path, *passphrases: Passphrase) -> SigningKey:
    """Read an encrypted key; a key in clear is refused, for it must not have been there."""
    return read(path, passphrases).key


def read(path: Path, passphrases: Sequence[Passphrase]) -> KeyFile:
    """Read a key file with the first passphrase that opens it."""
    pem, padding = _split(path)
    key = next((key for key in (_open(path, pem, passphrase) for passphrase in passphrases) if key), None)
    if key is None:
        raise ForbiddenError(
            "passphrase.wrong",
            f"the key in {path.name} does not open with this passphrase",
            "Set BOLLARD_PASSPHRASE_FILE to the file with the passphrase given at 'bollard init'.",
        )
    return KeyFile(key, padding)


def _split(path: Path) -> tuple[bytes, Padding]:
    block = _BLOCK.fullmatch(_read(path))
    if block is None or not block["label"].endswith(b"PRIVATE KEY"):
        raise BollardError("key.damaged", f"{path.name} holds no private key in PEM", "Restore it from a backup.")
    if block["label"] != b"ENCRYPTED PRIVATE KEY":
        raise BollardError("key.in_clear", f"the key in {path.name} is not encrypted", "Restore the real one.")
    return block["pem"], Padding((block["padding"] or b"pkcs1").decode())


def _read(path: Path) -> bytes:
    try:
        return read_private(path, KEY_BYTES)
    except FileNotFoundError:
        raise BollardError("key.missing", f"the key file {path.name} is gone", "Restore it from a backup.") from None
    except OSError as problem:
        raise BollardError(
            "key.unreadable",
            f"the key file {path.name} cannot be read: {problem.strerror}",
            "Check its permissions, or restore it from a backup.",
        ) from None


def _open(path: Path, pem: bytes, passphrase: Passphrase) -> SigningKey | None:
    """A wrong passphrase and damaged contents look alike to the library, which is as it should be."""
    try:
        key = serialization.load_pem_private_key(pem, passphrase.secret)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, SigningKey):
        raise BollardError("key.kind", f"{path.name} holds a kind of key we never make", "Restore the real one.")
    return key


def in_clear(key: SigningKey) -> str:
    """Write a key as unencrypted PKCS#8 PEM, for our own processes over the peer-checked socket alone."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
