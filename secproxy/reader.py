"""One JSON text, read so that no two readers can disagree: quickly where that can be shown, else letter by letter.

Rules this file keeps:

* What parsers are known to read differently is refused, whichever way is gone: duplicate keys, lone surrogates, numbers
  beyond int64 or not finite (RFC 8259 4, 6, 8.2), and nesting that makes some of them dive too deep.
* The quick way may doubt too much, never too little: what it does not answer for is read the slow way. A property test
  holds the two against each other.

Why the quick way may be trusted: it reads a text with msgspec, writes what it read, and answers for it only where the
text comes back byte for byte. So nothing was lost on the way: there was no second key, and no escape that hides one.
Most stations write so. White space, ``1.50`` and ``\\/`` come back otherwise, and are read slowly.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEPTH_LIMIT: Final = 32  # arrays and objects inside each other; OCPP 2.1 needs 9
NUMBER_LENGTH: Final = 64  # characters of one number as written; a double needs 24 at most
INT_BITS: Final = 63  # OCPP's integer is 32 bits; every reader holds 64

_DIGITS: Final = bytes(ord("0") if chr(code) in "123456789" else code for code in range(256))
_LONG: Final = b"0" * 19  # digits in a row that int64 may not hold; 18 it does, and 65 characters cannot do without
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # possessive: no text makes it go back
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS: Final = bytes(code for code in range(256) if code not in _STEPS)
_QUICK: Final = msgspec.json.Decoder(object)
_WRITER: Final = msgspec.json.Encoder()


class UnreadableError(ValueError):
    """The text is none, or more than one thing: ``name`` is the fault in one word, ``says`` is for the journal."""

    def __init__(self, name: str, says: str) -> None:
        super().__init__(name, says)
        self.name = name
        self.says = says


def read(text: bytes) -> object:
    """Read one JSON value. Raises ``UnreadableError``."""
    value = glance(text)
    return value if value is not None and is_within(text, value) else read_slowly(text)


def glance(text: bytes) -> object | None:
    """Read a value that stands there just as we would write it; None for every other (and for ``null``).

    Its depth and its numbers are not bounded yet: see ``is_within``. Numbers are finite.
    """
    try:
        value: object = _QUICK.decode(text)
        return value if _WRITER.encode(value) == text else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def is_within(text: bytes, value: object, depth: int = DEPTH_LIMIT) -> bool:
    """Whether the depth and the numbers of a value read at a glance are surely within bounds."""
    if _LONG in text.translate(_DIGITS):
        return False
    return text.count(b"{") + text.count(b"[") <= depth or not _is_deeper(value, depth)


def _is_deeper(value: object, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [inner for each in level for inner in _inside(each) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def read_merging(text: bytes) -> object:
    """Read one JSON value in which an object may hold a key twice, if both times with the very same value.

    Of all that readers disagree about this alone has one meaning: whichever of the two a reader keeps, both are alike.
    Two values leave a choice that is the sender's: that the last one wins is a reader's habit, not what was meant.
    Half a character is no text in any reading, and a number beyond 64 bits is another for each who rounds it. Raises
    ``UnreadableError`` for those.
    """
    return read_slowly(text, _MERGING)


# -- letter by letter --------------------------------------------------------------------------------------------------


def read_slowly(message: bytes, decoder: json.JSONDecoder | None = None) -> object:
    """Read one JSON value the slow way; gives what ``read`` gives. Raises ``UnreadableError``."""
    try:
        text = message.decode()
        _limit_depth(message)
        value = (decoder or _STRICT).decode(text)
        text.encode() if "\\u" not in text else json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise UnreadableError("utf8", "it is not UTF-8") from None
    except UnicodeEncodeError:
        raise UnreadableError("surrogate", "a text holds half a character") from None
    except json.JSONDecodeError as broken:
        raise UnreadableError("json", f"it is not one JSON value: {broken.msg} at character {broken.pos}") from None
    return value


def _limit_depth(text: bytes) -> None:
    """Count brackets outside strings, so that the parser never has to dive (its own limit is the interpreter's)."""
    if text.count(b"[") + text.count(b"{") <= DEPTH_LIMIT:
        return
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > DEPTH_LIMIT:
        raise UnreadableError("depth", f"it is nested deeper than {DEPTH_LIMIT}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise UnreadableError("duplicate", "an object holds the same key twice")
    return result


def _merged(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if not _same(result.setdefault(key, value), value):
            raise UnreadableError("duplicate", "an object holds the same key twice, with two values")
    return result


def _same(one: object, other: object) -> bool:
    """Whether two values are written alike but for the order of keys; 1, 1.0 and true are three."""
    return one is other or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _integer(digits: str) -> int:
    if len(digits) > NUMBER_LENGTH or not -(1 << INT_BITS) <= int(digits) < 1 << INT_BITS:
        raise UnreadableError("number", "a number does not fit into 64 bits")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits) if len(digits) <= NUMBER_LENGTH else math.inf
    if not math.isfinite(number):
        raise UnreadableError("number", "a number is too large or too long")
    return number


def _no_number(name: str) -> NoReturn:
    raise UnreadableError("number", f"{name} is no JSON number")


def _decoder(objects: Callable[[list[tuple[str, object]]], dict[str, object]]) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=objects, parse_int=_integer, parse_float=_real, parse_constant=_no_number)


_STRICT: Final = _decoder(_object)
_MERGING: Final = _decoder(_merged)
