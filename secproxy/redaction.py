"""Takes the secrets out of a message before it is written down: what may hold one is masked, everything else is kept.

Rules this file keeps:

* A message is judged as it reads, not as it is written: an escape, a text inside a text or another case hides nothing.
* Where the standard has a place for a secret it is masked by that place; anywhere else by the name it goes under.
* What is signed is looked into as what is not, and a signature over what was masked goes too: whoever held it could try
  until they found what it fits.
* Doubt masks: a name that only sounds like a secret's is one, but for names of the standard's that are not.
* A policy sees in what is left what it saw before: lengths of vendors' data, and of a URL all that it is judged by.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from secproxy import jws, reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MASK: Final = "***"
MASKED_NUMBER: Final = 0
DATA_KEPT: Final = 32  # characters kept of what a vendor's own message carries; what it means nobody here knows
NESTING: Final = 4  # JSON texts inside each other that are looked into; deeper ones are masked

_SECRET: Final = re.compile(r"pass|pwd|secret|token|credential|psk|key(?!board|pad)|(?:^|[^a-z])pin|pin(?:$|[^a-z])")
_HARMLESS: Final = frozenset({
    "configurationkey", "unknownkey", "issuerkeyhash", "idtokeninfo", "getconfigurationmaxkeys", "masterpassgroupid",
    "tokenreader",
})  # fmt: skip
_IDS: Final = frozenset({"idtag", "parentidtag", "idtoken", "groupidtoken", "additionalidtoken"})
_WORDS: Final = frozenset({"additionalinfo", "techinfo"})  # what is said in free words of something
_VALUES: Final = frozenset({"value", "attributevalue", "actualvalue", "valueslist", "data"}) | _WORDS
_AROUND_VALUES: Final = frozenset({"variableattribute", "variablecharacteristics", "attributestatusinfo"})
_CARRIERS: Final = frozenset({"datatransfer", "notifycustomerinformation"})
_SIGNED: Final = "-signed"  # marks an action whose payload is signed (OCPP-J 2.x, 7), in small letters
_CODED: Final = frozenset({"payload", "protected"})  # of a JWS, in base64url (RFC 7515 7.2)
_SIGNATURES: Final = frozenset({"signature", "signatures"})
_CODED_JSON: Final = re.compile(
    r"\s*(?:ey[AIJ]|ew[0ko]|W3s|W1|Wy[AIJ]|Ww[0ko])"
)  # how an object or a list begins in base64
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_URL: Final = re.compile(r"([a-z][a-z0-9+.-]{0,20}:[/\\]{2,})([^\s\"'<>]*)", re.IGNORECASE)
_QUERY_VALUE: Final = re.compile(r"([?&;#][^=&;#?]*=)([^&;#]*)")
_OURS: Final = re.compile(r"(/f/)([^/?#]+)")  # a download of ours: the ticket stands behind this
_WHO: Final = re.compile(r"()([^:@/\\?#\[\]]+)")  # a name or password; what else stands there makes it another URL
_TELLING: Final = re.compile(r"@|[^!#-;=?-\[\]_a-z~]", re.IGNORECASE)  # what makes a policy refuse a URL by itself
_NAMED: Final = re.compile(
    r"((?:pass|pwd|secret|token|credential|psk|key|\bpin)[\w.-]{0,40}\\{0,8}[\"']?\s{0,4}[=:]\s{0,4})"
    r"(\\{0,8}\"[^\"]*\"?|'[^']*'?|[^\s,;&]+)",
    re.IGNORECASE,
)
_HASHED: Final = re.compile(r"id-[0-9a-f]{16}")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_AUTHORIZATION: Final = re.compile(r"\b(basic|bearer)(\s+)[\w.~+/=-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Redaction:
    """How messages are redacted. ``salt`` is 16 bytes or more, new for each recording: drivers' tokens are hashed
    under it, so that one is still known from another; ``None`` keeps them."""

    salt: bytes | None

    def redact(self, message: bytes, asked: str = "", *, repeats: bool = False) -> object:
        """Return a message without its secrets, as JSON values; ``asked`` is the action that an answer answers.

        Raises ``reader.UnreadableError`` for what is no JSON that everybody reads alike. See ``redact_read``.
        """
        return self.redact_read(reader.read(message), asked, repeats=repeats)

    def redact_read(self, value: object, asked: str = "", *, repeats: bool = False) -> object:
        """Do the same with what was read. An answer that answers nobody knows what, ``asked`` is empty, may be a
        vendor's; ``repeats``: it answers what had secrets in it, so what it says in free words may repeat them."""
        if not isinstance(value, list):
            return self._value(value, "", 0)
        action = (_action(value) or asked).lower()
        if repeats and value[:1] in ([4], [5]):
            value = [*value[:3], *(self._masked(each, 0) for each in value[3:])]
            repeats = False
        plain = action
        while plain.endswith(_SIGNED):
            plain = plain.removesuffix(_SIGNED)
        return [self._said(each, plain, repeats=repeats, signed=plain != action) for each in value]

    def _said(self, value: object, action: str, *, repeats: bool, signed: bool, depth: int = 0) -> object:
        """A part of a message by what its action is in the clear; ``signed``: the action says that its payload is."""
        if isinstance(value, dict) and (_looks_signed(value) or (signed and "payload" in value)):
            within = partial(self._said, action=action, repeats=repeats, signed=False, depth=depth + 1)
            return self._sealed(value, within, depth)
        if repeats:
            value = _without_words(value)
        if action in _CARRIERS or not action:
            return self._carried(value)
        return self._asking(value) if action == "getconfiguration" else self._value(value, "", depth)

    def _sealed(self, fields: dict[str, object], within: Callable[[object], object], depth: int) -> dict[str, object]:
        """A signed payload, with what it signs written anew; ``within`` redacts that, and what stands beside it."""
        coded = {name: each for name, each in fields.items() if _plain(name) in _CODED}
        shown = {name: self._coded(each, within, depth) for name, each in coded.items()}
        beside = within({name: each for name, each in fields.items() if name not in coded})
        assert isinstance(beside, dict)  # noqa: S101 - an object stays one
        if shown == coded:
            return {**shown, **beside}
        hidden = {name for name in beside if _plain(name) in _SIGNATURES}
        return {
            **shown,
            **{name: self._masked(each, depth) if name in hidden else each for name, each in beside.items()},
        }

    def _coded(self, text: object, within: Callable[[object], object], depth: int) -> object:
        try:
            inside = jws.read_coded(text)
        except reader.UnreadableError:
            return self._masked(text, depth)
        redacted = MASK if depth >= NESTING else within(inside)
        return text if redacted == inside else jws.write_coded(redacted)

    def _asking(self, value: object) -> object:
        """A payload whose ``key`` lists the names of settings."""
        if not isinstance(value, dict) or not isinstance(value.get("key"), list):
            return self._value(value, "", 0)
        rest = {name: each for name, each in value.items() if name != "key"}
        return {"key": self._value(value["key"], "", 0), **self._object(rest, 0)}

    def _carried(self, value: object) -> object:
        """A payload of which nobody knows what its ``data`` mean."""
        if not isinstance(value, dict):
            return self._value(value, "", 0)
        kept = {name: each for name, each in value.items() if _plain(name) != "data"}
        cut = {
            self._text(name, 0): self._cut(self._value(each, "", 0), len(each) if isinstance(each, str) else 0)
            for name, each in value.items()
            if name not in kept
        }
        return {**self._object(kept, 0), **cut}

    def _cut(self, data: object, length: int = 0) -> object:
        """The beginning of a vendor's data; what follows is masked letter by letter, since policies know its length.

        ``length`` is that of a text before anything in it was masked.
        """
        if isinstance(data, str):
            kept = 0 if _CODED_JSON.match(data) else DATA_KEPT
            return data[:kept].ljust(length or len(data), "*")
        if isinstance(data, dict):
            return {name: self._cut(each) for name, each in data.items()}
        return [self._cut(each) for each in data] if isinstance(data, list) else data

    def _value(self, value: object, name: str, depth: int) -> object:
        """Redact what stands under a name."""
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list):
            return [self._value(each, name, depth) for each in value]
        plain = _plain(name)
        if plain in _IDS:
            return self._id(value)
        if is_secret(name):
            return _masked(value)
        return self._text(value, depth) if isinstance(value, str) else value

    def _object(self, fields: dict[str, object], depth: int) -> dict[str, object]:
        if _looks_signed(fields):
            return self._sealed(fields, partial(self._value, name="", depth=depth + 1), depth)
        named = any(is_secret(text) for text in _names(fields))
        names_setting = not {_plain(name) for name in fields}.isdisjoint({"value", "readonly"})
        found: dict[str, object] = {}
        for name, value in fields.items():
            plain = _plain(name)
            if plain == "key" and names_setting:
                redacted = self._value(value, "", depth)
            elif (named and plain in _VALUES) or (is_secret(name) and plain not in _IDS):
                redacted = self._masked(value, depth)
            elif named and plain in _AROUND_VALUES:
                redacted = self._around(value, depth)
            else:
                redacted = self._value(value, name, depth)
            found[self._text(name, depth)] = redacted
        return found

    def _around(self, value: object, depth: int) -> object:
        """Objects that hold a secret as their value, and facts about it besides."""
        if isinstance(value, list):
            return [self._around(each, depth) for each in value]
        if not isinstance(value, dict):
            return _masked(value)
        hidden = {name: _masked(each) if _plain(name) in _VALUES else each for name, each in value.items()}
        return self._object(hidden, depth)

    def _masked(self, value: object, depth: int) -> object:
        """Mask all there is below a secret's name."""
        if isinstance(value, dict):
            return {self._text(name, depth): self._masked(each, depth) for name, each in value.items()}
        return [self._masked(each, depth) for each in value] if isinstance(value, list) else _masked(value)

    def _id(self, value: object) -> object:
        if not isinstance(value, str) or not value or self.salt is None:
            return value
        return "id-" + hmac.new(self.salt, value.encode(), hashlib.sha256).hexdigest()[:16]

    def _text(self, text: str, depth: int) -> str:
        """Redact a text: JSON in it by its names, and what is a secret under no name at all."""
        try:
            inner = _inner(text)
        except _TwiceError:
            return MASK
        if inner is None:
            return _loose(text)
        if depth >= NESTING:
            return MASK
        redacted = self._value(inner, "", depth + 1)
        return text if redacted == inner else json.dumps(redacted, ensure_ascii=False, separators=(",", ":"))


def is_secret(name: str) -> bool:
    """Whether what goes under this name is a secret, as far as the name says."""
    plain = _plain(name)
    if plain in _HARMLESS:
        return False
    return _SECRET.search(plain) is not None or _SECRET.search(_plain(_CAMEL.sub("_", name))) is not None


def _action(message: list[object]) -> str:
    """What a call, or a message that nobody answers, is; empty for an answer."""
    return str(message[2]) if len(message) > 2 and message[0] in (2, 6) else ""


def _without_words(value: object) -> object:
    """Mask what an answer says in free words."""
    if isinstance(value, list):
        return [_without_words(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _masked(each) if _plain(name) in _WORDS else _without_words(each) for name, each in value.items()}


def is_masked(text: str) -> bool:
    """Whether a text, as it is written down, may not be what was said."""
    return MASK in text or _HASHED.fullmatch(text) is not None or (len(text) > DATA_KEPT and text.endswith("*"))


def holds_masked(value: object, *, secret: bool = False) -> bool:
    """Whether anything below may not be what was said; ``secret``: it goes under a secret's name."""
    if isinstance(value, str):
        return is_masked(value)
    if isinstance(value, list):
        return any(holds_masked(each, secret=secret) for each in value)
    if not isinstance(value, dict):
        return secret and value == MASKED_NUMBER and not isinstance(value, bool)
    named = secret or any(is_secret(text) for text in _names(value))
    return any(
        is_masked(name) or _holds_coded(name, each) or holds_masked(each, secret=named or is_secret(name))
        for name, each in value.items()
    )


def _holds_coded(name: str, value: object) -> bool:
    if _plain(name) not in _CODED:
        return False
    try:
        return holds_masked(jws.read_coded(value))
    except reader.UnreadableError:
        return False


def _looks_signed(fields: dict[str, object]) -> bool:
    """Whether an object is a JWS, or one of its signatures with a header of its own."""
    plain = {_plain(name) for name in fields}
    return not _CODED.isdisjoint(plain) and len(plain & (_CODED | _SIGNATURES)) > 1


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _names(fields: dict[str, object]) -> Iterator[str]:
    """The names that an object gives to the value beside them: a key's, or those of a component and its variable, with
    their instances."""
    for name, value in fields.items():
        plain = _plain(name)
        if plain in {"key", "name"} and isinstance(value, str):
            yield value
        if plain in {"variable", "component"} and isinstance(value, dict):
            yield from (each for each in value.values() if isinstance(each, str))


def _masked(value: object) -> object:
    if isinstance(value, bool) or value is None or value == "":
        return value
    return MASK if isinstance(value, str) else MASKED_NUMBER


class _TwiceError(Exception):
    """A text is an object in which a key stands twice: nobody knows which one its reader takes."""


def _inner(text: str) -> object | None:
    """The object, array or text that a text is in JSON, if it is one."""
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return None
    try:
        found: object = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _TwiceError
    return fields


def _loose(text: str) -> str:
    """Mask what is a secret in a text that is no JSON: keys in PEM, URLs, and what looks like a name and its value."""
    text = _PEM.sub(MASK, text)
    found, end = [], 0
    for url in _URL.finditer(text):
        found += [_between(text[end : url.start()]), _url(url[1], url[2])]
        end = url.end()
    return "".join([*found, _between(text[end:])])


def _between(text: str) -> str:
    return _NAMED.sub(rf"\1{MASK}", _AUTHORIZATION.sub(rf"\1\2{MASK}", text))


def _url(start: str, rest: str) -> str:
    """Mask who a URL says we are, every value of its query, and the ticket of a download of ours."""
    end = next((place for place, letter in enumerate(rest) if letter in "/\\?#"), len(rest))
    authority, tail = rest[:end], rest[end:]
    _, colon, port = authority.rpartition(":")
    if "@" not in authority and colon and not authority.endswith("]") and not port.isdigit() and "@" in tail:
        authority, tail = rest, ""  # a password with a slash in it, which some clients take
    who, at, host = authority.rpartition("@")
    return start + _WHO.sub(_hide, who) + at + _OURS.sub(_hide, _QUERY_VALUE.sub(_hide, host + tail))


def _hide(part: re.Match[str]) -> str:
    """Mask a part of a URL, but for one character of it that no URL has there: for that alone a policy refuses it."""
    telling = _TELLING.search(part[2])
    return part[1] + MASK + (telling[0] if telling else "")
