"""Passwords of stations: how they are made, what is kept of them, and how one that is offered is checked.

Passwords themselves are stored nowhere. A generated one holds 116 random bits, so one salted fast hash keeps it safe
and a fleet can reconnect at once; a chosen one gets Argon2id. Stations disagree on what goes in the Basic header: the
text, the bytes its hex stands for, or the hex itself (OCTT TC_085), so each station has a ``PasswordForm``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from argon2.low_level import Type, hash_secret_raw

from pki.errors import InputError, RefusedError
from pki.findings import Finding, error, refuse_errors, warning
from pki.station import PasswordForm

if TYPE_CHECKING:
    from collections.abc import Iterator

ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"  # without 0 O o 1 I l, which look alike
GENERATED_LENGTH: Final = 20  # characters, 116 bits; fits 16..20 bytes (1.6) and 16..40 characters (2.0.1)
RANDOM_LEAST: Final = 16  # bytes; 128 bits, more than the password holds
CHOSEN_LENGTH: Final = (16, 40)  # characters; A00.FR.205 in 2.0.1
SIXTEEN_LENGTH_MOST: Final = 20  # bytes; A00.FR.205 in 1.6
OFFERED_LENGTH_MOST: Final = 128  # bytes; the hex of 64 characters, the most any edition knows
SALT_LENGTH: Final = 16  # bytes; RFC 9106 3.1

ARGON2_MEMORY: Final = 65_536  # KiB; RFC 9106 4, second recommended option
ARGON2_PASSES: Final = 3  # RFC 9106 4, second recommended option
ARGON2_LANES: Final = 4  # RFC 9106 4, second recommended option
HASH_LENGTH: Final = 32  # bytes; RFC 9106 4

DUMMY_VERIFIER: Final = "sha256$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""No password matches it. Stations that are unknown are checked against it, so that they take as long as known ones."""

_PASSWORD_STRING = re.compile(r"[A-Za-z0-9*\-_=:+|@.]*")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){16,64}")
_TEXT = re.compile(rb"[A-Za-z0-9*\-_=:+|@.]+")
_FAST: Final = "sha256"
_SLOW: Final = "argon2id"


def generate(random: bytes) -> str:
    """Make a password of 20 characters from at least 16 random bytes; each character is equally likely."""
    if len(random) < RANDOM_LEAST:
        raise ValueError(f"{RANDOM_LEAST} random bytes are the least")
    fair = 256 - 256 % len(ALPHABET)  # bytes from here on would favour the first letters
    stream = hashlib.shake_256(random).digest(16 * GENERATED_LENGTH)
    letters = [ALPHABET[byte % len(ALPHABET)] for byte in stream if byte < fair]
    return "".join(letters[:GENERATED_LENGTH])


def examine_chosen(password: str) -> tuple[Finding, ...]:
    """Judge a password that a person chose. Raises ``RefusedError("password.refused")``; never shows the password."""
    least, most = CHOSEN_LENGTH
    found = []
    if not least <= len(password) <= most:
        says = f"it has {len(password)} characters; {least} to {most} are allowed"
        found.append(error("password.length", "A00.FR.205", says))
    elif len(password) > SIXTEEN_LENGTH_MOST:
        says = f"stations of OCPP 1.6 take {SIXTEEN_LENGTH_MOST} bytes at most"
        found.append(warning("password.length", "A00.FR.205", says))
    if not _PASSWORD_STRING.fullmatch(password):
        found.append(
            error("password.characters", "A00.FR.205", "it holds characters outside A-Z a-z 0-9 * - _ = : + | @ .")
        )
    advice = "Leave the password out, and one is generated."
    return refuse_errors(found, "password.refused", "the chosen password", advice)


def remember(password: str, salt: bytes, generated: bool) -> str:
    """Return the verifier to store. ``salt`` is 16 random bytes; ``generated`` says that ``generate`` made it."""
    if len(salt) != SALT_LENGTH:
        raise ValueError(f"a salt has {SALT_LENGTH} bytes")
    if generated and not (len(password) == GENERATED_LENGTH and set(password) <= set(ALPHABET)):
        raise ValueError("only passwords made by generate() are strong enough for the fast hash")
    kind = _FAST if generated else _SLOW
    digest = _digest(kind, password.encode("utf-8"), salt)
    return f"{kind}${base64.b64encode(salt).decode('ascii')}${base64.b64encode(digest).decode('ascii')}"


def is_slow(verifier: str) -> bool:
    """Tell whether a check takes long (Argon2id, 64 MiB), so that the caller runs it aside and few at a time."""
    return verifier.startswith(f"{_SLOW}$")


def check(verifier: str, offered: bytes, form: PasswordForm) -> PasswordForm:
    """Return the form in which the offered bytes are the password. Raises ``RefusedError("password.wrong")``.

    Every reading that ``form`` allows is tried, whether or not an earlier one matched, and each is compared in constant
    time; how many there are depends on what was offered alone.
    """
    kind, salt, digest = _read(verifier)
    matched: PasswordForm | None = None
    for reading, password in _readings(offered, form):
        if hmac.compare_digest(_digest(kind, password, salt), digest):
            matched = matched or reading
    if matched is None:
        raise RefusedError(
            "password.wrong", "the password is not the station's", "Set the password on the sheet again."
        )
    return matched


def _readings(offered: bytes, form: PasswordForm) -> Iterator[tuple[PasswordForm, bytes]]:
    """Yield each password that the offered bytes may stand for: three at most, which bounds a stranger."""
    if len(offered) > OFFERED_LENGTH_MOST:
        return
    if form in {PasswordForm.ANY, PasswordForm.TEXT}:
        yield PasswordForm.TEXT, offered
    if form is PasswordForm.HEX:
        yield PasswordForm.HEX, offered
    # a key written down in hex and sent as bytes; under ANY, bytes that are no text are taken for it (OCTT TC_085)
    if form is PasswordForm.HEX or (form is PasswordForm.ANY and not _TEXT.fullmatch(offered)):
        yield PasswordForm.HEX, offered.hex().encode("ascii")
        yield PasswordForm.HEX, offered.hex().upper().encode("ascii")
    if form in {PasswordForm.ANY, PasswordForm.LITERAL_HEX} and _HEX.fullmatch(offered):
        yield PasswordForm.LITERAL_HEX, binascii.unhexlify(offered)
    if form is PasswordForm.LITERAL_HEX and _HEX.fullmatch(offered):  # a key that was written down in hex, sent so
        yield PasswordForm.LITERAL_HEX, offered


def _read(verifier: str) -> tuple[str, bytes, bytes]:
    kind, _, rest = verifier.partition("$")
    salt, _, digest = rest.partition("$")
    try:
        read = kind, base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        read = "", b"", b""
    if read[0] not in {_FAST, _SLOW} or len(read[1]) != SALT_LENGTH or len(read[2]) != HASH_LENGTH:
        raise InputError(
            "password.verifier", "a stored password verifier is damaged", "Give the station a new password."
        )
    return read


def _digest(kind: str, password: bytes, salt: bytes) -> bytes:
    if kind == _FAST:
        return hashlib.sha256(salt + password).digest()
    return hash_secret_raw(password, salt, ARGON2_PASSES, ARGON2_MEMORY, ARGON2_LANES, HASH_LENGTH, Type.ID)
