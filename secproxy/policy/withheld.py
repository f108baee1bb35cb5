"""Says which tests cannot be made on what a recording holds, since it was redacted or never in it; judges without them.

What redaction leaves is enough for most: where a URL leads, the names of settings, the length of a vendor's data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from secproxy.policy.certificates import Certificates, KeepRoots, Requests
from secproxy.policy.contents import Shape, Vendors
from secproxy.policy.gauges import Gauges
from secproxy.policy.keys import DOWNGRADE, SECURITY_PROFILE, Keys, settings
from secproxy.policy.rulebook import Rulebook, mode_of, take_apart
from secproxy.policy.rules import Deny, KeepProfile, Mode, Rate
from secproxy.policy.urls import Urls, find
from secproxy.redaction import DATA_KEPT, MASK, holds_masked, is_masked
from secproxy.station_view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.events import Note
    from secproxy.policy.rulebook import Asked, Objection
    from secproxy.policy.rules import Policy, Rule, Test

    Payload = Mapping[str, object]

REDACTED: Final = "redacted: it would read what was masked"
UNRECORDED: Final = "it goes by what the home knows of stations and authorities, which no recording holds"
ASSUMED: Final = "it cannot be asked; that it refused then is taken for granted"
_HOST_MASKED: Final = re.compile(r"[^:]*:[/\\]*[^/\\?#@]*\*\*\*[^/\\?#@]*(?:[/\\?#]|\Z)")  # no @ behind the mask
_NOBODY: Final = View("", "")
_PROFILES: Final = (SECURITY_PROFILE, DOWNGRADE)
_FREE: Final = frozenset({
    "properties", "required", "additionalProperties", "items", "type", "allOf", "anyOf", "oneOf", "not", "title",
    "description", "$defs", "$ref", "$schema", "$id", "$comment", "minProperties", "maxProperties", "minItems",
    "maxItems",
})  # fmt: skip
"""What a schema may say that holds as well of a payload whose values are masked."""


def withheld(test: Test, action: bytes, payload: Payload) -> str:
    """Say why nobody can tell what a test says of what is left; empty when it can be told. ``action`` in small letters.

    That is so where it would read something that was redacted, or know what no recording holds.
    """
    if isinstance(test, Requests | KeepRoots):
        return UNRECORDED
    if isinstance(test, Certificates) and test.catalogue and test.fault(payload, _NOBODY):
        return UNRECORDED
    return REDACTED if _is_redacted(test, action, payload) else ""


def _is_redacted(test: Test, action: bytes, payload: Payload) -> bool:
    match test:
        case Shape():
            return holds_masked(dict(payload)) and (reads_values(test.schema) or _names_masked(payload))
        case Urls():
            return any(_url_withheld(field, found) for field in test.fields for found in find(payload, field))
        case Keys():
            return any(is_masked(name) for name, _ in settings(action, payload))
        case KeepProfile():
            return _profile_withheld(action, payload)
        case Vendors():
            return _vendor_withheld(test, payload)
        case Certificates():
            return holds_masked(payload.get("certificate"))
        case _:
            return False


def reads_values(schema: object) -> bool:
    """Whether a JSON Schema says anything about values, and not of names and kinds alone."""
    if isinstance(schema, list):
        return any(reads_values(each) for each in schema)
    if not isinstance(schema, dict):
        return False
    if not schema.keys() <= _FREE or schema.get("type") == "integer":
        return True
    named = [each for key in ("properties", "$defs") for each in dict(schema.get(key, {})).values()]
    others = [each for key, each in schema.items() if key not in {"properties", "$defs", "required", "type"}]
    return any(reads_values(each) for each in (*named, *others))


class Hindsight(Rulebook):
    """A policy over messages of the past, some of them redacted.

    A rule that cannot be asked says what it must have said then: ``refused`` tells, before each call, whether the call
    was refused. ``heard`` and ``blind`` are what objected to the last call, and which rules that refuse could not be
    asked, and why; ``asked`` is what was judged, if it was. Rates count here, from the first call on; ``shares`` as
    ``Gauges`` has it.
    """

    __slots__ = ("_fleet", "_own", "asked", "blind", "heard", "refused")

    def __init__(self, policy: Policy, version: str, csms_host: str, shares: int) -> None:
        super().__init__(policy, version, csms_host)
        self._own, self._fleet = Gauges(), Gauges(shares)
        self.refused = False
        self.begin(refused=False)

    def begin(self, *, refused: bool) -> None:
        """Forget the last call; say of the next whether it was refused then."""
        self.refused = refused
        self.asked: Asked | None = None
        self.heard: list[Objection] = []
        self.blind: list[tuple[Rule, str]] = []

    def judge(self, asked: Asked, own: Gauges, fleet: Gauges) -> list[Note]:  # noqa: ARG002 - counted here
        """Judge as ever, and remember what was said."""
        self.asked = asked
        return super().judge(asked, self._own, self._fleet)

    def object_to(self, notes: list[Note], asked: Asked, objection: Objection) -> None:
        """Object as ever, and remember it."""
        self.heard.append(objection)
        super().object_to(notes, asked, objection)

    def fault(self, rule: Rule, asked: Asked) -> str:
        """Ask a rule that can be asked."""
        why = self._withheld(rule.test, asked)
        if not why:
            return super().fault(rule, asked)
        if mode_of(rule, asked) is not Mode.ENFORCE:
            return ""
        self.blind.append((rule, why))
        return ASSUMED if self.refused else ""

    @staticmethod
    def _withheld(test: Test, asked: Asked) -> str:
        """What a DataTransfer carries is cut in a recording, so that most of it cannot be read; what is signed and
        could not be read is masked."""
        if asked.unreadable and not isinstance(test, Deny | Rate):
            return REDACTED
        return withheld(test, asked.action, asked.payload)

    def counting(self) -> Rule | None:
        """Find a rule that may have refused the call for what is in no recording: what was counted before it began."""
        rules = self.met(take_apart(self.asked)) if self.asked else ()
        return next((rule for rule, _ in rules if isinstance(rule.test, Rate) and rule.mode is Mode.ENFORCE), None)


def _names_masked(value: object) -> bool:
    if isinstance(value, list):
        return any(_names_masked(each) for each in value)
    if not isinstance(value, dict):
        return False
    return any(is_masked(name) or _names_masked(each) for name, each in value.items())


def _url_withheld(field: tuple[str, ...], found: object) -> bool:
    """A URL is judged by what redaction leaves of it, unless that is nothing, its host may be behind a mask, or it was
    a vendor's and is cut."""
    if not isinstance(found, str):
        return False
    return found == MASK or _HOST_MASKED.match(found) is not None or (field[0] == "data" and holds_masked(found))


def _profile_withheld(action: bytes, payload: Payload) -> bool:
    for name, value in settings(action, payload):
        if is_masked(name) or (name.rpartition(".")[2] in _PROFILES and holds_masked(value)):
            return True
    connection = payload.get("connectionData")
    return holds_masked(connection.get("securityProfile") if isinstance(connection, dict) else connection)


def _vendor_withheld(vendors: Vendors, payload: Payload) -> bool:
    """Text has the length it had once it has more than what is kept; what is no text is measured as it is written."""
    if vendors.allow is not None and holds_masked(payload.get("vendorId")):
        return True
    data = payload.get("data")
    if vendors.longest is None or not holds_masked(data):
        return False
    return vendors.longest < DATA_KEPT if isinstance(data, str) else True
