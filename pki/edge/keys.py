"""The keys of one home, wherever each of them lies: in an encrypted file, or in a hardware token.

* ``keys/<name>.pem`` is a key (``keyfiles``); ``keys/<name>.hsm`` says which key of the token it is (``hsm``). Both
  under one name is a contradiction, and refused.
* Each key is opened when it is first needed, and then held. Whoever asks for one need not know where it lies: all of
  them sign certificates in the same way.
* Kinds under trial (ML-DSA) are made and used only while ``unsafe_experimental_ml_dsa`` says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from pki.edge.hsm import Token, read_reference, write_reference
from pki.edge.keyfiles import KeyFile, in_clear, load, make, read, save, taken, throwaway_key
from pki.edge.passphrase import (
    Passphrase,
    find_given_passphrase,
    find_passphrase,
    find_seal,
    make_passphrase,
    make_seal,
    read_passphrase,
)
from pki.edge.private_files import flush_folder, write_private
from pki.errors import BollardError, ConflictError, InputError
from pki.strength import EXPERIMENTAL, RSA_BITS, KeyKind, Padding, SigningKey, kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from pki.settings import Settings

__all__ = [
    "KeyFacts",
    "KeyKind",
    "Keyring",
    "Padding",
    "Passphrase",
    "Store",
    "find_given_passphrase",
    "find_passphrase",
    "flush_folder",
    "in_clear",
    "load",
    "make",
    "make_passphrase",
    "make_seal",
    "open_keyring",
    "read_passphrase",
    "save",
    "throwaway_key",
    "write_private",
]
"""With what stands below, the names that others know keys by."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Store(StrEnum):
    """Where a key lies."""

    FILE = "file"
    HSM = "hsm"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be known of a key by all: its kind, where it lies, and how it signs if it is RSA."""

    kind: KeyKind
    store: Store
    padding: Padding


def refuse_padding(kind: KeyKind, padding: Padding) -> None:
    """Refuse a padding that is none for a kind of key."""
    if padding is Padding.PSS and kind not in RSA_BITS:
        raise InputError("key.padding", f"PSS is a padding for RSA keys, and {kind} is none", "Leave the padding out.")


@dataclass(frozen=True)
class Keyring:
    """The keys of one home. ``owner`` (the CSMS host) stands in the labels of keys made in the token."""

    folder: Path
    passphrase: Passphrase
    token: Token | None = None
    owner: str = ""
    unsafe_experimental_ml_dsa: bool = False
    _open: dict[str, tuple[SigningKey, KeyFacts]] = field(default_factory=dict, repr=False)

    def key(self, name: str) -> SigningKey:
        """Return a key by name: a private key to the library's builders, even when it never leaves the token."""
        return self._held(name)[0]

    def reread(self, name: str) -> SigningKey:
        """Return a key as it lies there now, whatever of it is in memory: what the next start will find."""
        return self._found(name)[0]

    def describe(self, name: str) -> KeyFacts:
        """Say what kind of key it is, where it lies, and how it signs."""
        return self._held(name)[1]

    def has(self, name: str) -> bool:
        """Tell whether there is a key of this name, without opening it."""
        return self._file(name).exists() or self._reference(name).exists()

    def names(self) -> list[str]:
        """Name every key there is."""
        return sorted(path.stem for path in self.folder.iterdir() if path.suffix in {".pem", ".hsm"})

    def make(
        self, name: str, kind: KeyKind, *, store: Store = Store.FILE, padding: Padding = Padding.PKCS1
    ) -> SigningKey:
        """Make a key and have it on the disk, or in the token, before anybody can use it."""
        self._refuse_kind(kind)
        refuse_padding(kind, padding)
        if self.has(name):
            raise taken(name)
        in_token = store is Store.HSM
        key = self._make_in_token(name, kind, padding) if in_token else self._save(name, make(kind), padding)
        self._open[name] = key, KeyFacts(kind, store, padding)
        return key

    def take(self, name: str, key: SigningKey, padding: Padding = Padding.PKCS1) -> SigningKey:
        """Keep a key that others made, in a file encrypted like our own."""
        kind = kind_of(key.public_key())
        if kind is None:
            raise InputError("key.kind", "the key is of a kind that is never used here", "Take another authority.")
        self._refuse_kind(kind)
        refuse_padding(kind, padding)
        if self.has(name):
            raise taken(name)
        self._open[name] = self._save(name, key, padding), KeyFacts(kind, Store.FILE, padding)
        return key

    def discard(self, name: str) -> None:
        """Delete a key file for good, from the disk and from memory; one that is gone already is no error."""
        self._file(name).unlink(missing_ok=True)
        flush_folder(self.folder)
        self._open.pop(name, None)

    def close(self) -> None:
        """Let go of the token, if one was opened; asked again, it is opened again."""
        if self.token is not None:
            self.token.close()

    def trouble_with_token(self) -> BollardError | None:
        """Try the token, if there is one, and say what is wrong with it."""
        try:
            if self.token is not None:
                self.token.open()
        except BollardError as problem:
            return problem
        return None

    def _save(self, name: str, key: SigningKey, padding: Padding) -> SigningKey:
        return save(self._file(name), key, self._lock, padding)

    def _held(self, name: str) -> tuple[SigningKey, KeyFacts]:
        if name not in self._open:
            held = self._found(name)
            self._refuse_kind(held[1].kind)
            self._open[name] = held
        return self._open[name]

    def _found(self, name: str) -> tuple[SigningKey, KeyFacts]:
        return self._from_token(name) if self._reference(name).exists() else self._from_file(name)

    def _from_file(self, name: str) -> tuple[SigningKey, KeyFacts]:
        path = self._file(name)
        found: KeyFile = read(path, self._locks)
        kind = kind_of(found.key.public_key())
        if kind is None:
            raise BollardError("key.kind", f"{path.name} holds a kind of key we never make", "Restore the real one.")
        return found.key, KeyFacts(kind, Store.FILE, found.padding)

    def _from_token(self, name: str) -> tuple[SigningKey, KeyFacts]:
        if self._file(name).exists():
            raise ConflictError(
                "key.twice",
                f"keys/{name}.pem and keys/{name}.hsm both claim to be the key {name!r}",
                "Take away the one that does not belong there.",
            )
        known = read_reference(self._reference(name))
        facts = KeyFacts(known.kind, Store.HSM, known.padding)
        return self._needed_token().key(known), facts

    def _make_in_token(self, name: str, kind: KeyKind, padding: Padding) -> SigningKey:
        token = self._needed_token()
        made = token.make(f"bollard-{self.owner}-{name}", kind, padding)
        write_reference(self._reference(name), made)
        return token.key(made)

    def _needed_token(self) -> Token:
        if self.token is None:
            raise InputError(
                "hsm.unset",
                "a key lies in a hardware token, or is to, and bollard.toml names none",
                "Write [hsm] with module and token in bollard.toml.",
            )
        return self.token

    def _refuse_kind(self, kind: KeyKind) -> None:
        if kind in EXPERIMENTAL and not self.unsafe_experimental_ml_dsa:
            raise InputError(
                "key.experimental",
                f"{kind} is under trial: no station can verify it yet",
                "Use another kind, or, never in earnest, set [keys] unsafe_experimental_ml_dsa = true in bollard.toml.",
            )

    @cached_property
    def _lock(self) -> Passphrase:
        """What new key files are encrypted under. Without a seal nobody knows how good the passphrase is."""
        return (find_seal(self.folder) or make_seal(self.folder, generated=False)).lock(self.passphrase)

    @property
    def _locks(self) -> tuple[Passphrase, ...]:
        """What key files may be encrypted under: in a home older than its seal, the passphrase itself as well."""
        if find_seal(self.folder) is None:
            return (self.passphrase,)
        return (self._lock, self.passphrase)

    def _file(self, name: str) -> Path:
        return self.folder / f"{_checked(name)}.pem"

    def _reference(self, name: str) -> Path:
        return self.folder / f"{_checked(name)}.hsm"


class Borrowed(Keyring):
    """The same keys for a rehearsal: what is made or taken there lies nowhere but in memory, and nothing is deleted."""

    @classmethod
    def of(cls, keys: Keyring) -> Borrowed:
        """Borrow the keys of a keyring."""
        opened = dict(keys._open)  # noqa: SLF001 - of the same class
        return cls(keys.folder, keys.passphrase, keys.token, keys.owner, keys.unsafe_experimental_ml_dsa, opened)

    def discard(self, name: str) -> None:
        """Forget it here alone."""
        self._open.pop(name, None)

    def close(self) -> None:
        """Leave the token to its owner."""

    def _save(self, name: str, key: SigningKey, padding: Padding) -> SigningKey:  # noqa: ARG002 - as where it is kept
        return key

    def _make_in_token(self, name: str, kind: KeyKind, padding: Padding) -> SigningKey:  # noqa: ARG002 - as above
        self._needed_token().open()
        return make(kind)


def open_keyring(folder: Path, passphrase: Passphrase, settings: Settings) -> Keyring:
    """Return the keys of a home as its settings say; nothing is opened yet."""
    token = None if settings.hsm is None else Token(settings.hsm)
    return Keyring(folder, passphrase, token, settings.csms_host.text, settings.unsafe_experimental_ml_dsa)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(
            "key.name",
            f"{name[:48]!r} is no name of a key",
            "Use 1 to 40 small letters, digits and hyphens, no hyphen first.",
        )
    return name
