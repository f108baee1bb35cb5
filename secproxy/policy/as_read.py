"""The keys that a policy file may have, as people write them; everything may still be nonsense. Data alone."""

from __future__ import annotations

from typing import Final

import msgspec

from secproxy.plan import Side  # noqa: TC001 - msgspec reads annotations at run time
from secproxy.policy.rules import Mode, Rest, Scope

NAME: Final = r"[a-z][a-z0-9-]{0,39}"
RULES_MOST: Final = 128  # rules of one policy; a message meets those of its action alone
ITEMS_MOST: Final = 256  # things listed in one place
PER_MINUTE_MOST: Final = 1_000_000  # messages; a bound against slips of the keyboard
LONGEST_MOST: Final = 262_144  # characters; no frame is longer (secproxy.config.Limits)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class RateAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``rate``: how many messages may pass."""

    per_minute: int | float
    scope: Scope
    burst: int | None = None


class UrlsAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``urls``: where the URLs in some fields may lead."""

    fields: list[str]
    schemes: list[str]
    hosts: list[str] | None = None
    ports: list[int] | None = None
    private_addresses: bool = False
    credentials: bool = False


class KeysAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``keys``: which settings may be named."""

    deny: list[str] = []
    allow: list[str] | None = None


class VendorsAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``vendors``: whose DataTransfer may pass."""

    allow: list[str] | None = None
    longest: int | None = None


class CertificatesAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``certificates``: which may be installed."""

    fingerprints: list[str] = []
    catalogue: bool = False
    unsafe_types: list[str] = []


class WindowAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"begin": "from", "end": "until"}):
    """``window``: when a rule applies."""

    begin: str
    end: str
    zone: str
    days: list[str] = msgspec.field(default_factory=lambda: list(DAYS))


class RuleAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"side": "from"}):
    """One ``[[rule]]``."""

    name: str
    clause: str
    side: Side
    actions: list[str]
    says: str = ""
    mode: Mode = Mode.ENFORCE
    versions: list[str] = []
    window: WindowAsRead | None = None
    deny: bool | None = None
    keep_profile: bool | None = None
    rate: RateAsRead | None = None
    schema: dict[str, object] | None = None
    urls: UrlsAsRead | None = None
    keys: KeysAsRead | None = None
    vendors: VendorsAsRead | None = None
    certificates: CertificatesAsRead | None = None
    requests: bool | None = None
    keep_roots: bool | None = None


TESTS: Final = (
    "deny", "keep_profile", "rate", "schema", "urls", "keys", "vendors", "certificates", "requests", "keep_roots",
)  # fmt: skip
"""What a rule may be: one of these."""


TAKES: Final = {
    **dict.fromkeys(("name", "clause", "says"), "a text in quotes"),
    **dict.fromkeys(("actions", "versions"), "a list of texts in quotes"),
    **dict.fromkeys(("deny", "keep_profile", "requests", "keep_roots"), "true"),
    "from": "csms or station, in quotes",
    "mode": "enforce or observe, in quotes",
    "window": "from and until as 22:00, zone as Europe/Berlin, and days as a list, all in quotes",
    "rate": "per_minute, a number, scope, fleet or station in quotes, and burst, a whole number",
    "schema": "a table, as { required = ['key'] }",
    "urls": "fields, schemes, hosts and ports as lists, credentials and private_addresses as true or false",
    "keys": "deny and allow as lists of texts in quotes",
    "vendors": "allow, a list of texts in quotes, and longest, a whole number",
    "certificates": "fingerprints and unsafe_types as lists of texts in quotes, and catalogue as true or false",
}
"""What to write for each key of a rule."""


class AllowAsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[allow]``: a word, or the actions that alone are let through."""

    station: Rest | list[str] = Rest.NONE
    csms: Rest | list[str] = Rest.NONE
    mode: Mode = Mode.ENFORCE
