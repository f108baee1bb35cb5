"""Judges which settings of a station are read or written: configuration keys of 1.6, variables of components in 2.x.

Names are compared without regard to case, as stations do (CiString), and without blanks around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Payload = Mapping[str, object]

SECURITY_PROFILE: Final = "securityprofile"
DOWNGRADE: Final = "allowsecurityprofiledowngrade"  # A05.FR.08
LOWEST_AFTER_DOWNGRADE: Final = 2  # A05.FR.08, .09: a downgrade that is let leads from 3 to 2, never to 1
PROFILES: Final = frozenset({"0", "1", "2", "3"})

_LISTS: Final[Mapping[bytes, str]] = {  # of 2.x: the list of component and variable
    b"getvariables": "getVariableData",
    b"setvariables": "setVariableData",
    b"setvariablemonitoring": "setMonitoringData",
    b"getreport": "componentVariable",
    b"getmonitoringreport": "componentVariable",
}
WITH_KEYS: Final = frozenset({b"getconfiguration", b"changeconfiguration", *_LISTS})
"""The actions that name settings, in small letters."""
WITH_PROFILE: Final = frozenset({b"changeconfiguration", b"setvariables", b"setnetworkprofile"})
"""The actions that can change a station's security profile (A05, B09)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Which settings may not be named, or which alone may: ``Key`` in 1.6, ``Component.Variable``, ``*.Variable`` or
    ``Component.*`` in 2.x; written in small letters."""

    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] | None = None

    def fault(self, action: bytes, payload: Payload) -> str:
        """Say which setting may not be named; empty when all may."""
        for name, _ in settings(action, payload):
            if any(_matches(pattern, name) for pattern in self.deny):
                return f"{name[:64]!r} may not be named"
            if self.allow is not None and not any(_matches(pattern, name) for pattern in self.allow):
                return f"{name[:64]!r} is none of the settings that may be named"
        return ""


def lowered(action: bytes, payload: Payload, least: int) -> str:
    """Say how a message would take a station below the security profile ``least``; empty when it would not."""
    for name, value in settings(action, payload):
        variable = name.rpartition(".")[2]
        if variable == SECURITY_PROFILE and (fault := _fault(value, least)):
            return fault
        if variable == DOWNGRADE and least > LOWEST_AFTER_DOWNGRADE and _text(value).strip().lower() != "false":
            return "it would let the station be taken to a lower security profile"
    connection = payload.get("connectionData")
    if action == b"setnetworkprofile" and isinstance(connection, dict) and "securityProfile" in connection:
        return _fault(connection["securityProfile"], least)
    return ""


def settings(action: bytes, payload: Payload) -> Iterator[tuple[str, object]]:
    """Name the settings that a message is about, each with the value it is to have."""
    if action in _LISTS:
        listed = payload.get(_LISTS[action])
        yield from (_variable(each) for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ()
    elif action == b"changeconfiguration":
        yield _name(payload.get("key")), payload.get("value")
    elif action == b"getconfiguration":
        keys = payload.get("key")
        yield from ((_name(key), None) for key in (keys if isinstance(keys, list) else [keys]))


def _variable(item: dict[str, object]) -> tuple[str, object]:
    parts = (item.get("component"), item.get("variable"))
    names = (_name(part.get("name")) if isinstance(part, dict) else "" for part in parts)
    return ".".join(names), item.get("attributeValue")


def _fault(value: object, least: int) -> str:
    text = _text(value)
    if text not in PROFILES:
        return f"{text[:20]!r} is no security profile"
    return f"security profile {text} is lower than {least}, which the station is registered with" * (int(text) < least)


def _name(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return name.startswith(pattern[:-1]) if pattern.endswith(".*") else name == pattern
