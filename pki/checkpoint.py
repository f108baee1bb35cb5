"""Signed statements "the log had this root at this size", as text that can be printed, mailed and compared.

The form is C2SP's tlog-checkpoint inside a signed note: origin, size and root on a line each, a blank line, and one
signature line with an Ed25519 signature over the lines before the blank one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pki.errors import InputError, RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT_LENGTH: Final = 32  # bytes; SHA-256, RFC 6962 2.1
CHECKPOINT_LENGTH: Final = 1_024  # characters; ours take about 250

_ED25519: Final = b"\x01"  # C2SP signed-note, signature type
_KEY_HASH_LENGTH: Final = 4  # bytes; C2SP signed-note
_ORIGIN = re.compile(r"[!-*,-~]{1,128}")  # printable ASCII without blank and plus, C2SP signed-note
_NOTE = re.compile(
    r"(?P<body>(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n)\n"
    r"\u2014 (?P<name>[^\n ]+) (?P<signature>[A-Za-z0-9+/]{91}=)\n"
)


def sign_checkpoint(size: int, root: bytes, origin: str, key: Ed25519PrivateKey) -> str:
    """Sign the log's state. ``origin`` names the log and its key: 1 to 128 printable characters, no blank, no plus."""
    if not _ORIGIN.fullmatch(origin) or len(root) != ROOT_LENGTH or size < 0:
        raise ValueError("a checkpoint needs a plain origin, a size and a root of 32 bytes")
    body = f"{origin}\n{size}\n{_base64(root)}\n"
    signature = _key_hash(origin, key.public_key()) + key.sign(body.encode("ascii"))
    return f"{body}\n\u2014 {origin} {_base64(signature)}\n"


def open_checkpoint(text: str, origin: str, public_key: Ed25519PublicKey) -> tuple[int, bytes]:
    """Verify a checkpoint and return the size and the root it states. Raises ``RefusedError("audit.checkpoint")``."""
    note = _NOTE.fullmatch(text) if len(text) <= CHECKPOINT_LENGTH else None
    if note is None:
        raise _refused("it is not in the form of a checkpoint")
    if note["origin"] != origin or note["name"] != origin:
        raise _refused(f"it is of the log {note['origin'][:64]!r}, not of {origin!r}")
    try:
        signature = base64.b64decode(note["signature"], validate=True)
        root = base64.b64decode(note["root"], validate=True)
        if not hmac.compare_digest(signature[:_KEY_HASH_LENGTH], _key_hash(origin, public_key)):
            raise _refused("it was signed with another key")
        public_key.verify(signature[_KEY_HASH_LENGTH:], note["body"].encode("utf-8"))
    except (InvalidSignature, binascii.Error, ValueError):
        raise _refused("its signature does not verify") from None
    return int(note["size"]), root


def read_public_key(pem: str) -> Ed25519PublicKey:
    """Read the key that checkpoints verify under; ``InputError("audit.key")`` when it is none."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(
            "audit.key", "this is no Ed25519 public key in PEM", "Give the home's ca/audit.pub.pem, as it was copied."
        )
    return key


def _key_hash(origin: str, key: Ed25519PublicKey) -> bytes:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(origin.encode("ascii") + b"\n" + _ED25519 + raw).digest()[:_KEY_HASH_LENGTH]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _refused(cause: str) -> RefusedError:
    return RefusedError(
        "audit.checkpoint", f"the checkpoint does not hold: {cause}", "Compare with a copy kept elsewhere."
    )
