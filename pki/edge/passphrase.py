"""The two secrets that people give us, passphrase and PIN, and the seal: how the passphrase locks the key files.

* A secret comes from the file named by ``BOLLARD_PASSPHRASE_FILE`` (``BOLLARD_HSM_PIN_FILE``), else from
  ``BOLLARD_PASSPHRASE`` (``BOLLARD_HSM_PIN``). For the passphrase there is one more source, ``keys/passphrase``: made
  by ``init`` when nobody gave one. It lies beside the keys, so it protects nothing but a key file that is copied alone,
  and the one who runs ``init`` is told so.
* A passphrase that a person chose may be weak, so it is stretched with Argon2id, once a process, and the result locks
  the key files. A generated one has 192 bits and needs no stretching.
* ``keys/seal.json`` says which, with the salt. Homes made before it have none: their key files are locked under the
  passphrase itself, and stay readable.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from argon2.low_level import Type, hash_secret_raw

from pki.edge.private_files import read_private, write_private
from pki.errors import BollardError, ForbiddenError, InputError
from pki.password import ARGON2_LANES, ARGON2_MEMORY, ARGON2_PASSES, SALT_LENGTH

PASSPHRASE_BYTES: Final = 24  # random bytes of a generated passphrase: 192 bits, so guessing it is hopeless
PASSPHRASE_LENGTH: Final = 1000  # bytes; OpenSSL reads at most 1024 of a PEM passphrase
PASSPHRASE_FILE: Final = "passphrase"  # noqa: S105 - the name of the file beside the keys that ``init`` makes
PIN_LENGTH: Final = 255  # bytes; what the longest-minded tokens take (SoftHSM)
OTHERS: Final = 0o077  # the bits of a mode that let in others than the owner
SEAL: Final = "seal.json"
SEAL_BYTES: Final = 4_096  # of the file; ours has about 120
STRETCHED_BYTES: Final = 32  # RFC 9106 4: a tag of 256 bits
MEMORY_RANGE: Final = (19_456, 1_048_576)  # KiB; below it guessing is cheap, above it opening a home would stop it


@dataclass(frozen=True, slots=True)
class Passphrase:
    """What the keys are encrypted under; never shown."""

    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, secret: bytes, source: str) -> Passphrase:
        """Read a passphrase; one line break at its end is not part of it."""
        text = _one_line(secret)
        if not 1 <= len(text) <= PASSPHRASE_LENGTH:
            raise InputError(
                "passphrase.length",
                f"the passphrase in {source} is empty or longer than {PASSPHRASE_LENGTH} bytes",
                "Put one line of text there.",
            )
        return cls(text)


@dataclass(frozen=True, slots=True)
class Pin:
    """What opens a hardware token; never shown."""

    secret: str = field(repr=False)

    @classmethod
    def parse(cls, secret: bytes, source: str) -> Pin:
        """Read a PIN; one line break at its end is not part of it."""
        text = _one_line(secret)
        if not 1 <= len(text) <= PIN_LENGTH or not text.isascii():
            raise InputError(
                "hsm.pin_form",
                f"the PIN in {source} is empty, longer than {PIN_LENGTH} bytes, or not plain ASCII",
                "Put the token's user PIN there, on one line.",
            )
        return cls(text.decode("ascii"))


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the passphrase locks the key files of one home; ``salt`` in hex, ``memory`` in KiB."""

    kdf: Literal["none", "argon2id"]
    salt: Annotated[str, msgspec.Meta(pattern=r"^(([0-9a-f]{2}){16,64})?$")] = ""
    passes: Annotated[int, msgspec.Meta(ge=1, le=100)] = ARGON2_PASSES
    memory: Annotated[int, msgspec.Meta(ge=MEMORY_RANGE[0], le=MEMORY_RANGE[1])] = ARGON2_MEMORY
    lanes: Annotated[int, msgspec.Meta(ge=1, le=64)] = ARGON2_LANES

    def lock(self, passphrase: Passphrase) -> Passphrase:
        """Return what the key files are encrypted under. It takes a quarter of a second: once a process is enough."""
        if self.kdf == "none":
            return passphrase
        salt = bytes.fromhex(self.salt)
        stretched = hash_secret_raw(
            passphrase.secret, salt, self.passes, self.memory, self.lanes, STRETCHED_BYTES, Type.ID
        )
        return Passphrase(stretched.hex().encode())


def find_given_passphrase() -> Passphrase | None:
    """Read the passphrase that a person gave; None when nobody did."""
    given = _from_environment("BOLLARD_PASSPHRASE", "passphrase.unreadable", PASSPHRASE_LENGTH)
    return Passphrase.parse(*given) if given else None


def find_passphrase(folder: Path) -> Passphrase | None:
    """Read the passphrase from the first source that has one; None when there is none yet."""
    if given := find_given_passphrase():
        return given
    kept = folder / PASSPHRASE_FILE
    return Passphrase.parse(_read_kept(kept), "keys/passphrase") if kept.exists() else None


def _read_kept(path: Path) -> bytes:
    try:
        return read_private(path, PASSPHRASE_LENGTH + 3)
    except OSError as problem:
        says = f"keys/{PASSPHRASE_FILE} cannot be read: {problem.strerror}"
        advice = "Restore it, or name another with BOLLARD_PASSPHRASE_FILE."
        raise InputError("passphrase.unreadable", says, advice) from None


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
    write_private(folder / PASSPHRASE_FILE, text + b"\n")
    return Passphrase(text)


def pin_is_open() -> bool:
    """Tell whether the file that BOLLARD_HSM_PIN_FILE names may be read by others than its owner."""
    path = os.environ.get("BOLLARD_HSM_PIN_FILE", "")
    try:
        mode = Path(path).stat().st_mode if path else 0
    except OSError:
        return False  # it will be missed where it is read
    return stat.S_ISREG(mode) and bool(mode & OTHERS)


def read_pin() -> Pin:
    """Read the PIN of the hardware token, which must be given: it is kept nowhere."""
    if given := _from_environment("BOLLARD_HSM_PIN", "hsm.pin_unreadable", PIN_LENGTH):
        return Pin.parse(*given)
    raise ForbiddenError(
        "hsm.pin_missing",
        "no PIN was given, so the hardware token stays closed",
        "Set BOLLARD_HSM_PIN_FILE to a file that holds the token's user PIN.",
    )


def make_seal(folder: Path, *, generated: bool) -> Seal:
    """Decide how a home's key files are locked, and write it down. ``generated``: the passphrase is one of ours."""
    seal = Seal("none") if generated else Seal("argon2id", secrets.token_hex(SALT_LENGTH))
    write_private(folder / SEAL, msgspec.json.encode(seal) + b"\n")
    return seal


def find_seal(folder: Path) -> Seal | None:
    """Read how a home's key files are locked; ``None`` in a home that was made before there were seals."""
    try:
        seal = msgspec.json.decode(read_private(folder / SEAL, SEAL_BYTES), type=Seal)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _broken_seal(problem.strerror or "it cannot be read") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _broken_seal("it is not what was written there") from None
    if seal.kdf == "argon2id" and not seal.salt:
        raise _broken_seal("it has no salt")
    return seal


def _broken_seal(why: str) -> BollardError:
    return BollardError(
        "key.seal", f"keys/{SEAL} cannot be used: {why}", "Restore it from a backup, together with the keys."
    )


def _from_environment(name: str, code: str, longest: int) -> tuple[bytes, str] | None:
    """Return a secret and where it came from: the file that a variable names, else the variable itself."""
    if path := os.environ.get(f"{name}_FILE"):
        return _read_named(path, f"{name}_FILE", code, longest), f"the file named by {name}_FILE"
    text = os.environ.get(name)
    return (os.fsencode(text), name) if text else None


def _read_named(path: str, variable: str, code: str, longest: int) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - read with a bound; a device or pipe is a fair source
            return file.read(longest + 3)
    except OSError as problem:
        raise InputError(
            code,
            f"the file named by {variable} cannot be read: {problem.strerror}",
            "Check its path and its permissions.",
        ) from None


def _one_line(secret: bytes) -> bytes:
    return secret.removesuffix(b"\n").removesuffix(b"\r")
