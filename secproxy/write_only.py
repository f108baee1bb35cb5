"""Finds what a station tells although OCPP lets it be written and never read: the password that it connects with.

Whoever may read it may connect as the station. A placeholder, one letter again and again, tells nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMES: Final = frozenset({"authorizationkey", "basicauthpassword"})
"""The key of 1.6, and the variable of 2.x in whichever component, in small letters (A01.FR.01, A01.FR.02)."""
BOUNDS: Final = frozenset({"minset", "maxset"})
"""Attributes of a variable that say what it may be and not what it is."""

_LISTS: Final[Mapping[bytes, str]] = {
    b"getconfiguration": "configurationKey",
    b"getvariables": "getVariableResult",
    b"notifyreport": "reportData",
}
ANSWERS: Final = frozenset({b"getconfiguration", b"getvariables"})
"""The calls, in small letters, whose answers can tell it."""
CALLS: Final = frozenset({b"notifyreport"})
"""The station's own calls that can."""


def find_told(action: bytes, payload: Mapping[str, object]) -> list[str]:
    """Name what is told, in small letters and in order; ``payload`` is that of the answer, or of the station's call."""
    listed = payload.get(_LISTS.get(action, ""))
    items = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return sorted({_name(item) for item in items if _name(item) in NAMES and any(map(_tells, _values(item)))})


def _name(item: Mapping[str, object]) -> str:
    variable = item.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else item.get("key")
    return name.strip().lower() if isinstance(name, str) else ""


def _values(item: Mapping[str, object]) -> Iterator[object]:
    attributes = item.get("variableAttribute")
    for each in [item, *(attributes if isinstance(attributes, list) else [])]:
        if isinstance(each, dict) and str(each.get("attributeType") or each.get("type")).lower() not in BOUNDS:
            yield from (each.get("value"), each.get("attributeValue"))


def _tells(value: object) -> bool:
    return isinstance(value, str) and len(set(value.strip())) > 1
