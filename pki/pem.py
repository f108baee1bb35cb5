"""Reads PEM, the text form that certificates and requests travel in, as strictly as the field allows.

Tolerated, because stations and people really send it: CRLF line ends, a literal backslash-n in place of a line end,
blanks at line ends, a missing last line end. Everything else that is not exactly the blocks asked for is refused: text
before, between and after, other blocks (above all private keys), a byte order mark, bytes outside ASCII, loose base64.
``read_base64`` reads the same base64 where no lines announce it, as EST carries it: in lines or in one (RFC 8951 3.1).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from pki.errors import InputError

PEM_LENGTH: Final = 262_144  # characters; far above any honest bundle of certificates

_BLOCK = re.compile(
    r"-----BEGIN ([A-Z0-9 ]{1,40})-----\n([A-Za-z0-9+/=\n]{1,262144})\n-----END ([A-Z0-9 ]{1,40})-----\n*"
)
_LOOSE: Final = ("\\", "\r", " \n", "\t\n", "\n\n")  # what tolerated texts have, and most texts have not
_ADVICE: Final = "Give PEM: '-----BEGIN ...-----', base64 lines, '-----END ...-----', and nothing else."
_BASE64_ADVICE: Final = "Send the base64 of the DER, without '-----BEGIN' lines: 'openssl base64 -in FILE.der'."


def read_blocks(pem: str | bytes, labels: frozenset[str], code: str, longest: int = PEM_LENGTH) -> list[bytes]:
    """Return the DER of each block, in order. Blocks must carry one of ``labels``; errors carry ``code``.

    ``longest`` bounds the text in characters, as received.
    """
    if len(pem) > longest:
        raise InputError(code, f"{len(pem)} characters of PEM; {longest} are the most", _ADVICE)
    text = _normal(_ascii(pem, code))
    blocks, end = [], 0
    while end < len(text):
        block = _BLOCK.match(text, end)
        if block is None:
            raise InputError(code, f"this is no PEM from {text[end : end + 32]!r} on", _ADVICE)
        blocks.append(_decode(block, labels, code))
        end = block.end()
    if not blocks:
        raise InputError(code, "there is no PEM block in it", _ADVICE)
    return blocks


def read_base64(text: bytes, code: str, longest: int = PEM_LENGTH) -> bytes:
    """Return the DER in base64 with or without line ends and blanks; ``longest`` bounds the text in bytes."""
    if len(text) > longest:
        raise InputError(code, f"{len(text)} bytes of base64; {longest} are the most", _BASE64_ADVICE)
    packed = b"".join(text.split())
    if not packed:
        raise InputError(code, "there is nothing in it", _BASE64_ADVICE)
    try:
        der = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(code, f"it is no base64 of DER: {text[:32]!r}", _BASE64_ADVICE) from None
    if base64.b64encode(der) != packed:
        raise InputError(code, "its base64 is not in the one canonical form", _BASE64_ADVICE)
    return der


def _ascii(pem: str | bytes, code: str) -> str:
    raw = pem.encode("utf-8", "surrogatepass") if isinstance(pem, str) else pem
    if raw.startswith(b"\xef\xbb\xbf"):
        raise InputError(code, "the text begins with a byte order mark", "Save the file as plain ASCII, without BOM.")
    if not raw.isascii() or b"\0" in raw:
        raise InputError(code, "the text holds bytes outside ASCII; it may be DER", "Convert it to PEM first.")
    return raw.decode("ascii")


def _normal(text: str) -> str:
    if not any(loose in text for loose in _LOOSE) and text[:1] != "\n" and text[-1:] == "\n":
        return text
    lines = text.replace("\\r", "").replace("\\n", "\n").replace("\r\n", "\n").split("\n")
    return "\n".join(line for line in (line.rstrip(" \t") for line in lines) if line) + "\n"


def _decode(block: re.Match[str], labels: frozenset[str], code: str) -> bytes:
    label, body, closing = block.groups()
    if "PRIVATE KEY" in label:
        raise InputError(
            code, "a private key lies in it", "Treat that key as lost: make a new one and keep it at home."
        )
    if label not in labels or closing != label:
        raise InputError(code, f"a block {label!r} where {' or '.join(sorted(labels))} is due", _ADVICE)
    packed = body.replace("\n", "")
    try:
        der = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(code, "its base64 is broken", _ADVICE) from None
    if base64.b64encode(der).decode("ascii") != packed:
        raise InputError(code, "its base64 is not in the one canonical form", _ADVICE)
    return der
