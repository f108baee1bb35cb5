"""Makes what is used of what was read and judged: rules with their tests, times in minutes, names in small letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secproxy.plan import small
from secproxy.policy.as_read import DAYS
from secproxy.policy.certificates import Certificates, KeepRoots, Requests
from secproxy.policy.contents import Shape, Vendors
from secproxy.policy.keys import Keys
from secproxy.policy.rules import Allow, Deny, KeepProfile, Rate, Rest, Rule, Window
from secproxy.policy.urls import Urls

if TYPE_CHECKING:
    from secproxy.policy.as_read import (
        CertificatesAsRead,
        KeysAsRead,
        RateAsRead,
        RuleAsRead,
        UrlsAsRead,
        VendorsAsRead,
        WindowAsRead,
    )
    from secproxy.policy.reading import Zones
    from secproxy.policy.rules import Test


def make_rule(read: RuleAsRead, zones: Zones) -> Rule:
    """Make a rule that ``checks.check`` found nothing wrong with."""
    return Rule(
        read.name,
        read.clause,
        read.side,
        frozenset(map(small, read.actions)),
        _test(read),
        read.mode,
        frozenset(read.versions),
        _window(read.window, zones) if read.window else None,
        read.says,
    )


def make_allow(read: Rest | list[str]) -> Allow:
    """Make what is let through of one side."""
    return Allow(read) if isinstance(read, Rest) else Allow(Rest.NONE, frozenset(map(small, read)))


def _test(read: RuleAsRead) -> Test:
    if read.rate:
        return _rate(read.rate)
    if read.schema:
        return Shape(read.schema)
    if read.urls:
        return _urls(read.urls)
    if read.keys:
        return _keys(read.keys)
    if read.vendors:
        return _vendors(read.vendors)
    if read.certificates:
        return _certificates(read.certificates)
    plain = ((read.keep_profile, KeepProfile), (read.requests, Requests), (read.keep_roots, KeepRoots))
    return next((test() for wished, test in plain if wished), Deny())


def _rate(read: RateAsRead) -> Rate:
    return Rate(read.per_minute, max(1, read.per_minute) if read.burst is None else read.burst, read.scope)


def _urls(read: UrlsAsRead) -> Urls:
    return Urls(
        tuple(tuple(field.split(".")) for field in read.fields),
        frozenset(read.schemes),
        None if read.hosts is None else tuple(read.hosts),
        None if read.ports is None else frozenset(read.ports),
        read.private_addresses,
        read.credentials,
    )


def _keys(read: KeysAsRead) -> Keys:
    allow = None if read.allow is None else tuple(name.lower() for name in read.allow)
    return Keys(tuple(name.lower() for name in read.deny), allow)


def _vendors(read: VendorsAsRead) -> Vendors:
    return Vendors(None if read.allow is None else frozenset(read.allow), read.longest)


def _certificates(read: CertificatesAsRead) -> Certificates:
    return Certificates(frozenset(read.fingerprints), read.catalogue, frozenset(read.unsafe_types))


def _window(read: WindowAsRead, zones: Zones) -> Window:
    days = frozenset(DAYS.index(day) for day in read.days)
    return Window(_minute(read.begin), _minute(read.end), days, zones(read.zone))


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
