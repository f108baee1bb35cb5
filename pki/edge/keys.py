"""Private keys: how they are made, and how they lie on the disk so that a copied disk gives nothing away.

* Keys are PKCS#8 PEM, encrypted under the home's passphrase, in files that only we may read.
* A file is written whole or not at all: beside its place, flushed to the disk, then renamed.
* The passphrase comes from the file named by ``BOLLARD_PASSPHRASE_FILE``, else from ``BOLLARD_PASSPHRASE``, else from
  ``keys/passphrase``. The last is made by ``init`` when nobody gave one; it lies beside the keys, so it protects
  nothing but a key file that is copied alone, and the one who runs ``init`` is told so.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pki.errors import BollardError, ForbiddenError, InputError
from pki.strength import SigningKey

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE_BYTES: Final = 24  # random bytes of a generated passphrase: 192 bits, so guessing it is hopeless
PASSPHRASE_LENGTH: Final = 1000  # bytes; OpenSSL reads at most 1024 of a PEM passphrase
RSA_EXPONENT: Final = 65537  # FIPS 186-5 A.1.1


class KeyKind(StrEnum):
    """The kinds of key we make (A00.FR.501-503: at least 112 bits of strength)."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True)
class Passphrase:
    """What the keys are encrypted under; never shown."""

    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, secret: bytes, source: str) -> Passphrase:
        """Read a passphrase; one line break at its end is not part of it."""
        text = secret.removesuffix(b"\n").removesuffix(b"\r")
        if not 1 <= len(text) <= PASSPHRASE_LENGTH:
            raise InputError(
                "passphrase.length",
                f"the passphrase in {source} is empty or longer than {PASSPHRASE_LENGTH} bytes",
                "Put one line of text there.",
            )
        return cls(text)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one home, each decrypted when it is first needed and then held in memory."""

    folder: Path
    passphrase: Passphrase
    _open: dict[str, SigningKey] = field(default_factory=dict, repr=False)

    def key(self, name: str) -> SigningKey:
        """Return a key by name."""
        if name not in self._open:
            self._open[name] = load(self.folder / f"{name}.pem", self.passphrase)
        return self._open[name]

    def make(self, name: str, kind: KeyKind) -> SigningKey:
        """Make a key and put it on the disk before anybody can use it."""
        self._open[name] = save(self.folder / f"{name}.pem", make(kind), self.passphrase)
        return self._open[name]


def make(kind: KeyKind) -> SigningKey:
    """Make a new private key."""
    match kind:
        case KeyKind.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyKind.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyKind.RSA_2048:
            return rsa.generate_private_key(RSA_EXPONENT, 2048)
        case KeyKind.RSA_3072:
            return rsa.generate_private_key(RSA_EXPONENT, 3072)
        case KeyKind.ED25519:
            return ed25519.Ed25519PrivateKey.generate()


def throwaway_key(like: object) -> SigningKey:
    """Return a key of the same algorithm and size as the public key ``like``, for signing twins that nobody ever sees.

    Each kind is made once a process: a twin proves the shape of a certificate, not who signed it.
    """
    match like:
        case ec.EllipticCurvePublicKey():
            return _twin_ec(like.curve.name)
        case rsa.RSAPublicKey():
            return _twin_rsa(like.key_size)
        case ed25519.Ed25519PublicKey():
            return _twin_ed25519()
        case _:
            raise InputError("key.kind", "an issuer's key must be ECDSA, RSA or Ed25519", "Use another issuer.")


def save(path: Path, key: SigningKey, passphrase: Passphrase) -> SigningKey:
    """Write a key encrypted, mode 0600; refuse to overwrite one."""
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.secret),
    )
    if path.exists():
        raise ForbiddenError("key.exists", f"the key file {path.name} exists already", "Keys are never overwritten.")
    write_private(path, text)
    return key


def load(path: Path, passphrase: Passphrase) -> SigningKey:
    """Read an encrypted key; a key in clear is refused, for it must not have been there."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase.secret)
    except FileNotFoundError:
        raise BollardError("key.missing", f"the key file {path.name} is gone", "Restore it from a backup.") from None
    except OSError as problem:
        raise BollardError(
            "key.unreadable", f"the key file {path.name} cannot be read: {problem.strerror}", "Check its permissions."
        ) from None
    except TypeError:
        raise BollardError(
            "key.in_clear", f"the key in {path.name} is not encrypted", "Restore the real one."
        ) from None
    except ValueError:
        raise ForbiddenError(
            "passphrase.wrong",
            f"the key in {path.name} does not open with this passphrase",
            "Set BOLLARD_PASSPHRASE_FILE to the file with the passphrase given at 'bollard init'.",
        ) from None
    if not isinstance(key, SigningKey):
        raise BollardError("key.kind", f"{path.name} holds a kind of key we never make", "Restore the real one.")
    return key


def in_clear(key: SigningKey) -> str:
    """Write a key as unencrypted PKCS#8 PEM, for our own processes over the peer-checked socket alone."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def find_passphrase(folder: Path) -> Passphrase | None:
    """Read the passphrase from the first source that has one; None when there is none yet."""
    if name := os.environ.get("BOLLARD_PASSPHRASE_FILE"):
        return Passphrase.parse(_read_named(name), "the file named by BOLLARD_PASSPHRASE_FILE")
    if text := os.environ.get("BOLLARD_PASSPHRASE"):
        return Passphrase.parse(os.fsencode(text), "BOLLARD_PASSPHRASE")
    kept = folder / "passphrase"
    if kept.exists():
        return Passphrase.parse(kept.read_bytes(), "keys/passphrase")
    return None


def read_passphrase(folder: Path) -> Passphrase:
    """Read the passphrase, which must be there."""
    passphrase = find_passphrase(folder)
    if passphrase is None:
        raise ForbiddenError(
            "passphrase.missing",
            "no passphrase was given, so the keys stay closed",
            "Set BOLLARD_PASSPHRASE_FILE to the file with the passphrase given at 'bollard init'.",
        )
    return passphrase


def make_passphrase(folder: Path) -> Passphrase:
    """Generate a passphrase and keep it beside the keys; the caller must warn whoever is there."""
    text = secrets.token_urlsafe(PASSPHRASE_BYTES).encode()
    write_private(folder / "passphrase", text + b"\n")
    return Passphrase(text)


def write_private(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all: a sibling first, flushed, renamed into place, the folder flushed too."""
    sibling = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(sibling, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with open(handle, "wb") as out:  # noqa: PTH123 - from a descriptor, which Path cannot do
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        sibling.rename(path)
    except OSError:
        sibling.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable, as a rename alone is not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_named(name: str) -> bytes:
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - read with a bound; a device or pipe is a fair source
            return file.read(PASSPHRASE_LENGTH + 3)
    except OSError as problem:
        raise InputError(
            "passphrase.unreadable",
            f"the file named by BOLLARD_PASSPHRASE_FILE cannot be read: {problem.strerror}",
            "Check its path and its permissions.",
        ) from None


@cache
def _twin_ec(curve: str) -> SigningKey:
    kinds = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1(), "secp521r1": ec.SECP521R1()}
    return ec.generate_private_key(kinds[curve])


@cache
def _twin_rsa(bits: int) -> SigningKey:
    return rsa.generate_private_key(RSA_EXPONENT, bits)


@cache
def _twin_ed25519() -> SigningKey:
    return ed25519.Ed25519PrivateKey.generate()
