"""Reads a policy from TOML; the one way from what people write to what sessions are judged by.

Rules this file keeps:

* Every mistake is told at once, each with its line, its key, and what to write instead.
* What is not written allows nothing: an empty file lets nothing through.
* A rule that could never object, or would object to all, is a mistake: it is not what anybody meant.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from pki.errors import InputError
from pki.findings import error
from pki.toml_lines import line_of, locate
from pki.toml_text import read_toml
from secproxy.plan import Side
from secproxy.policy.as_read import RULES_MOST, TAKES, AllowAsRead, RuleAsRead
from secproxy.policy.checks import check, find_actions
from secproxy.policy.fields import find_strange_fields
from secproxy.policy.making import make_allow, make_rule
from secproxy.policy.rules import NOTHING, Mode, Policy

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from pki.findings import Finding
    from pki.toml_lines import Place
    from secproxy.policy.fields import Fields
    from secproxy.policy.rules import Allow, Rule

    Zones: TypeAlias = Callable[[str], dt.tzinfo]

SAYS_LENGTH: Final = 400  # characters of one mistake
TOP: Final = frozenset({"says", "allow", "rule"})
_UNREAD: Final = {"name": "unread", "clause": "attack 36", "from": "csms", "actions": []}
"""What stands for a key that cannot be read while the others of its rule are looked at; nothing is said of it."""


def parse_policy(name: str, text: str, zones: Zones, fields: Fields | None = None) -> Policy:
    """Read a policy. ``zones`` gives the time zone of a name (Europe/Berlin), or raises ``KeyError``.

    ``fields`` says which fields a call has; where it is given, a rule about another is a mistake as well.

    Raises ``InputError("policy.wrong")`` with every mistake as a finding; ``name`` is used in errors.
    """
    try:
        raw = read_toml(text)
    except tomllib.TOMLDecodeError as broken:
        raise _wrong(name, [error("policy.value", "", str(broken)[:160])]) from None
    reading = _Reading(text, zones, fields)
    rules = reading.rules(raw.get("rule", []))
    allow, mode = reading.allow(raw.get("allow", {}))
    says = reading.top(raw)
    if reading.mistakes:
        raise _wrong(name, [mistake for _, mistake in sorted(reading.mistakes, key=lambda each: each[0])])
    return Policy(name, says, allow, tuple(rules), mode)


class _Reading:
    """One file while it is read: its text by rule, and the mistakes found so far."""

    def __init__(self, text: str, zones: Zones, fields: Fields | None) -> None:
        self._zones, self._fields = zones, fields
        self._lines = locate(text)
        self.mistakes: list[tuple[int, Finding]] = []  # each with its line

    def top(self, raw: Mapping[str, object]) -> str:
        """Read what a policy says of itself."""
        for key in raw.keys() - TOP:
            says = f"{key[:40]!r} is no key of a policy; it has says, [allow] and [[rule]]"
            self._mistake(0, (key,), says, code="policy.key")
        said = raw.get("says", "")
        if not isinstance(said, str):
            self._mistake(0, ("says",), "says: it is no text in quotes; say in one what the policy is for")
        return str(said)

    def allow(self, raw: object) -> tuple[dict[Side, Allow], Mode]:
        """Read what is let through of each side, and what becomes of the rest."""
        try:
            read = msgspec.convert(raw, AllowAsRead)
        except msgspec.ValidationError as problem:
            says = (
                f"allow: {problem}; station and csms are all, known, none or a list of actions, mode observe or enforce"
            )
            self._mistake(0, ("allow",), says)
            return dict.fromkeys(Side, NOTHING), Mode.ENFORCE
        for side in Side:
            listed = getattr(read, side.value)
            for says in find_actions(listed, side, ()) if isinstance(listed, list) else ():
                self._mistake(0, ("allow", side.value), f"allow.{side.value}: {says}")
        return {side: make_allow(getattr(read, side.value)) for side in Side}, read.mode

    def rules(self, raw: object) -> list[Rule]:
        """Read the rules that can be read."""
        if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw) or len(raw) > RULES_MOST:
            says = f"rule: it is no list of tables, or has more than {RULES_MOST}; write [[rule]] before each"
            self._mistake(0, ("rule",), says)
            return []
        names = [each.get("name") for each in raw]
        for number, name in enumerate(names, 1):
            if name in names[: number - 1]:
                self._mistake(
                    number, ("name",), f"name: there is a rule {str(name)[:40]!r} already; choose another name"
                )
        return [rule for number, each in enumerate(raw, 1) if (rule := self._rule(number, each))]

    def _rule(self, number: int, raw: dict[str, object]) -> Rule | None:
        before = len(self.mistakes)
        fields = {field.encode_name: field for field in msgspec.structs.fields(RuleAsRead)}
        for key, value in raw.items():
            self._check_key(number, key, value, fields)
        for key, field in fields.items():
            if field.required and key not in raw:
                self._mistake(number, (), f"{key} is missing; every rule has one", code="policy.key")
        if len(self.mistakes) > before:
            self._check_rest(number, raw, fields)
            return None
        read = msgspec.convert(raw, RuleAsRead)
        for path, says in check(read, self._zones):
            self._mistake(number, path, f"{'.'.join(path) or 'rule'}: {says}")
        if self._fields is not None:
            for path, says in find_strange_fields(read, self._fields):
                self._mistake(number, path, says)
        return None if len(self.mistakes) > before else make_rule(read, self._zones)

    def _check_rest(self, number: int, raw: dict[str, object], fields: Mapping[str, msgspec.structs.FieldInfo]) -> None:
        """Look at those keys that can be read of a rule that cannot."""
        sound = {key for key, value in raw.items() if key in fields and not _misread(value, fields[key])}
        if "from" not in sound:
            sound.discard("actions")  # who calls them is not known
        read = msgspec.convert({**_UNREAD, **{key: raw[key] for key in sound}}, RuleAsRead)
        for path, says in check(read, self._zones):
            if path and path[0] in sound:
                self._mistake(number, path, f"{'.'.join(path)}: {says}")

    def _check_key(self, number: int, key: str, value: object, fields: Mapping[str, msgspec.structs.FieldInfo]) -> None:
        if key not in fields:
            says = f"{key[:40]!r} is no key of a rule; it has {', '.join(sorted(fields))}"
            return self._mistake(number, (key,), says, code="policy.key")
        if problem := _misread(value, fields[key]):
            self._mistake(number, (key,), f"{key}: {problem}; write {TAKES[key]}")
        return None

    def _mistake(self, number: int, path: Place, says: str, code: str = "policy.value") -> None:
        line = self._line(number, path)
        self.mistakes.append((line, error(code, "", f"line {line}: {says}"[:SAYS_LENGTH])))

    def _line(self, number: int, path: Place) -> int:
        """The line of a key of the rule of this number (0: of none), or of the nearest thing around it."""
        return line_of(("rule", number - 1, *path) if number else path, self._lines)


def _misread(value: object, field: msgspec.structs.FieldInfo) -> str:
    """Say why a value is none for a key; empty when it is one."""
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError as problem:
        return str(problem)
    return ""


def _wrong(name: str, mistakes: Sequence[Finding]) -> InputError:
    says = "; ".join(mistake.says for mistake in mistakes)
    return InputError(
        "policy.wrong",
        f"policy {name[:64]!r}: {says[:2000]}",
        f"Correct {name[:64]}.toml; 'bollard policy check FILE' says when it is right.",
        findings=tuple(mistakes),
    )
