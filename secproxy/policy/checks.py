"""Judges a rule as it was read, key by key: each mistake with the key it is about and what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from jsonschema_rs import ReferencingError, ValidationError

from pki.clauses import explain
from pki.errors import NotFoundError
from secproxy.plan import Side, small
from secproxy.policy.actions import ACTIONS
from secproxy.policy.as_read import DAYS, ITEMS_MOST, LONGEST_MOST, NAME, PER_MINUTE_MOST, TESTS, RuleAsRead
from secproxy.policy.certificates import TYPES
from secproxy.policy.contents import Shape
from secproxy.policy.fields import find_strange_words
from secproxy.policy.keys import WITH_KEYS, WITH_PROFILE
from secproxy.policy.urls import CSMS_HOST, HOST, PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from secproxy.policy.as_read import (
        CertificatesAsRead,
        KeysAsRead,
        RateAsRead,
        UrlsAsRead,
        VendorsAsRead,
        WindowAsRead,
    )
    from secproxy.policy.reading import Zones

Mistake: TypeAlias = "tuple[tuple[str, ...], str]"
CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_FIELD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*")
_SETTING: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9][A-Za-z0-9_ -]*|[A-Za-z0-9][A-Za-z0-9_ -]*\.(?:\*|[A-Za-z0-9_ -]+)")
_ADDRESS: Final = re.compile(r"[0-9.]+|[0-9a-f:]*:[0-9a-f:.]*")


def check(rule: RuleAsRead, zones: Zones) -> Iterator[Mistake]:
    """Find what is wrong with a rule whose keys are of the right kind."""
    yield from _about(rule)
    found = [name for name in TESTS if getattr(rule, name) is not None]
    if len(found) != 1:
        yield (), f"it has {', '.join(found) or 'no test'}; write one of {', '.join(TESTS)}"
        return
    test, value = found[0], getattr(rule, found[0])
    if value is False:
        yield (test,), "false says nothing; leave the rule out, or write true"
    elif test in _CHECKS:
        yield from (((test, *key), says) for key, says in _CHECKS[test](value))
    yield from (((test,), says) for says in _fits(test, rule))
    if rule.window is not None:
        yield from ((("window", *key), says) for key, says in _window(rule.window, zones))


def find_actions(actions: list[str], side: Side, versions: Iterable[str]) -> Iterator[str]:
    """Say which of some actions that side never calls, in these versions (none: in any)."""
    known = {name for version in versions or ACTIONS for name in ACTIONS.get(version, {}).get(side, ())}
    by_small = {name.lower(): name for name in known}
    if not actions or len(actions) > ITEMS_MOST:
        yield f"it names {len(actions)} actions; name 1 to {ITEMS_MOST}"
    for action in actions:
        if action not in known:
            meant = by_small.get(action.lower())
            yield f"{action[:50]!r} is no action that the {side.value} calls" + f"; write {meant!r}" * bool(meant)


def _about(rule: RuleAsRead) -> Iterator[Mistake]:
    if not re.fullmatch(NAME, rule.name):
        yield ("name",), f"{rule.name[:40]!r} is no name; write small letters, digits and hyphens, 40 at most"
    try:
        explain(rule.clause)
    except NotFoundError:
        yield ("clause",), f"{rule.clause[:48]!r} is no clause that 'bollard explain' knows; write one that it does"
    strange = [version for version in rule.versions if version not in ACTIONS]
    if strange:
        yield ("versions",), f"{strange[0][:20]!r} is no version; write some of {', '.join(ACTIONS)}"
    else:
        yield from ((("actions",), says) for says in find_actions(rule.actions, rule.side, rule.versions))


def _fits(test: str, rule: RuleAsRead) -> Iterator[str]:
    """Whether each action has what the test looks at."""
    fitting = _FITTING.get(test)
    strange = [action for action in rule.actions if fitting is not None and small(action) not in fitting]
    if strange and fitting is not None:
        names = ", ".join(sorted({name for side in _NAMES.values() for name in side if small(name) in fitting}))
        yield f"it can say nothing about {', '.join(strange)[:80]}; it is for {names}"


def _rate(rate: RateAsRead) -> Iterator[Mistake]:
    if not 0 < rate.per_minute <= PER_MINUTE_MOST:
        yield ("per_minute",), f"{rate.per_minute} is out of range; write more than 0, {PER_MINUTE_MOST} at most"
    if rate.burst is not None and not 1 <= rate.burst <= PER_MINUTE_MOST:
        yield ("burst",), f"{rate.burst} is out of range; write 1 to {PER_MINUTE_MOST}"


def _schema(schema: dict[str, object]) -> Iterator[Mistake]:
    if not schema:
        yield (), "it is satisfied by everything; write what the payload must be"
    yield from (((), says) for says in find_strange_words(schema))
    try:
        Shape(schema)
    except (ValidationError, ReferencingError, ValueError, TypeError) as problem:
        yield (), f"it is no JSON Schema: {str(problem).splitlines()[0][:120]}; correct it (draft 2020-12)"


def _urls(urls: UrlsAsRead) -> Iterator[Mistake]:
    yield from _listed(
        "fields", urls.fields, _is(_FIELD), "write the names on the way to the URL, as log.remoteLocation"
    )
    yield from _listed("schemes", urls.schemes, PORTS.__contains__, f"write some of {', '.join(PORTS)}")
    yield from _listed(
        "hosts",
        urls.hosts,
        _is_host,
        f"write names, *. before a name of two parts or more, addresses, or {CSMS_HOST}; leave hosts out to judge none",
    )
    for port in urls.ports or ():
        if not 1 <= port <= 65_535:
            yield ("ports",), f"{port} is no port; write 1 to 65535"


def _keys(keys: KeysAsRead) -> Iterator[Mistake]:
    if not keys.deny and keys.allow is None:
        yield (), "it denies nothing; write deny or allow"
    for name, listed in (("deny", keys.deny), ("allow", keys.allow)):
        yield from _listed(name, listed, _is(_SETTING), "write Key, Component.Variable, *.Variable or Component.*")


def _vendors(vendors: VendorsAsRead) -> Iterator[Mistake]:
    if vendors.allow is None and vendors.longest is None:
        yield (), "it allows everything; write allow, longest, or both"
    if vendors.longest is not None and not 0 <= vendors.longest <= LONGEST_MOST:
        yield ("longest",), f"{vendors.longest} is out of range; write 0 to {LONGEST_MOST}"
    yield from _listed(
        "allow", vendors.allow, lambda each: 0 < len(each) <= 255, "write vendor ids of 1 to 255 characters"
    )


def _certificates(certificates: CertificatesAsRead) -> Iterator[Mistake]:
    advice = "write SHA-256 over the DER, 64 small hex digits"
    yield from _listed("fingerprints", certificates.fingerprints, _is(_FINGERPRINT), advice)
    known = f"write some of {', '.join(sorted(TYPES))}"
    yield from _listed("unsafe_types", certificates.unsafe_types, TYPES.__contains__, known)


def _window(window: WindowAsRead, zones: Zones) -> Iterator[Mistake]:
    for key, text in (("from", window.begin), ("until", window.end)):
        if not CLOCK.fullmatch(text):
            yield (key,), f"{text[:20]!r} is no time of day; write 22:00"
    if window.begin == window.end:
        yield ("until",), "it is the same as from; leave the window out for the whole day"
    for day in window.days or [""]:
        if day not in DAYS:
            yield ("days",), f"{day[:20]!r} is no day; write some of {', '.join(DAYS)}"
    try:
        zones(window.zone)
    except (KeyError, ValueError, OSError):
        yield ("zone",), f"{window.zone[:40]!r} is no time zone; write one as Europe/Berlin, or UTC"


def _listed(key: str, values: list[str] | None, fits: Callable[[str], bool], advice: str) -> Iterator[Mistake]:
    if values is not None and len(values) > ITEMS_MOST:
        yield (key,), f"it names {len(values)}; name {ITEMS_MOST} at most"
    if values == [] and key in {"fields", "schemes"}:
        yield (key,), f"it is empty; {advice}"
    yield from (((key,), f"{value[:64]!r} cannot be used; {advice}") for value in values or () if not fits(value))


def _is(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


def _is_host(text: str) -> bool:
    """Whether a pattern of a host can be right; one for all of the world, or for a whole country, is none."""
    if text.startswith("*.") and "." not in text[2:]:
        return False
    return text == CSMS_HOST or bool(HOST.fullmatch(text) or _ADDRESS.fullmatch(text))


_CHECKS: Final[dict[str, Callable[..., Iterator[Mistake]]]] = {
    "rate": _rate,
    "schema": _schema,
    "urls": _urls,
    "keys": _keys,
    "vendors": _vendors,
    "certificates": _certificates,
}
_FITTING: Final = {
    "keys": WITH_KEYS,
    "keep_profile": WITH_PROFILE,
    "vendors": frozenset({b"datatransfer"}),
    "certificates": frozenset({b"installcertificate"}),
    "requests": frozenset({b"signcertificate"}),
    "keep_roots": frozenset({b"deletecertificate"}),
}
_NAMES: Final = {side: frozenset(name for sides in ACTIONS.values() for name in sides[side]) for side in Side}
