"""What must be renewed, when, and by whom: computed from what there is, never remembered.

* Each kind of thing has one row in ``RULES``: when in its life renewal is due, by which clause, and who acts.
* What is due is a function of the inventory and a moment, so that looking ahead is asking with a later moment.
* Something whose issuer is in use no longer, or that lives longer than the settings now allow, is due at once.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MONTH: Final = dt.timedelta(days=30)  # A03.FR.02: a station renews when one month is left
DAY_AND_BACKDATE: Final = dt.timedelta(hours=26)  # a life of less than 24 hours (A00.FR.701), as it is backdated


class Kind(StrEnum):
    """The kinds of things that end."""

    SERVER = "server"
    """A server certificate of our own."""
    GIVEN_SERVER = "given-server"
    """A server certificate that others issued, named in the settings."""
    OCSP = "ocsp"
    CRL = "crl"
    """An issuer's list of revoked certificates: of its shards the one that ends first."""
    ROOT_CRL = "root-crl"
    """A list that came from an offline root."""
    V2G = "v2g"
    """What a station shows to cars."""
    STATION = "station"
    ISSUING = "issuing"
    ROOT = "root"
    ANCHOR = "anchor"
    """A certificate of others that is trusted."""


class Actor(StrEnum):
    """Who renews it."""

    ALONE = "alone"
    """Bollard by itself."""
    OPERATOR = "operator"
    """A person, with a command."""
    STATION = "station"
    """The station, by A02 or A03, or a person for it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that ends. ``bears`` is the longest life of what it signs; zero for what signs nothing that lives on.

    ``outdated`` means that what would be issued in its place today is another thing: its issuer, or its length of life.
    ``because`` says why it is due at once for another reason, such as that it is not there. ``by`` and ``command`` say
    who acts and how, where that is another than the kind's.
    """

    kind: Kind
    name: str
    not_before: dt.datetime
    not_after: dt.datetime
    by: Actor | None = None
    bears: dt.timedelta = dt.timedelta(0)
    outdated: bool = False
    because: str = ""
    command: str = ""

    @property
    def life(self) -> dt.timedelta:
        """From its beginning to its end."""
        return self.not_after - self.not_before


@dataclass(frozen=True, slots=True)
class Inventory:
    """All things that end."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """One renewal: of what, from when on, until when at the latest, by whom, why, and by which command."""

    item: Item
    when: dt.datetime
    by: Actor
    clause: str
    says: str
    command: str

    def needs_person(self, now: dt.datetime) -> bool:
        """Tell whether it will not come about without a person: it is theirs to do, or its end has passed already."""
        return self.by is Actor.OPERATOR or (self.by is Actor.STATION and self.item.not_after <= now)


@dataclass(frozen=True, slots=True)
class Rule:
    """When a kind is due, who acts, and what is said of it; ``command`` may hold ``{name}``."""

    when: Callable[[Item], dt.datetime]
    by: Actor
    clause: str
    says: str
    command: str


def calendar(inventory: Inventory) -> tuple[Due, ...]:
    """Return every renewal, the one that is due first first."""
    return tuple(sorted(map(_due, inventory.items), key=lambda each: (each.when, each.item.not_after, each.item.name)))


def due(inventory: Inventory, now: dt.datetime) -> tuple[Due, ...]:
    """Return what is due at a moment, the one that has been due longest first."""
    return tuple(each for each in calendar(inventory) if each.when <= now)


def _due(item: Item) -> Due:
    rule = RULES[item.kind]
    at_once = item.because or (OUTDATED if item.outdated else "")
    when = item.not_before if at_once else rule.when(item)
    command = item.command or rule.command.format(name=item.name)
    return Due(item, when, item.by or rule.by, rule.clause, at_once or rule.says, command)


def _half(item: Item) -> dt.datetime:
    return item.not_before + item.life / 2


def _most(item: Item) -> dt.datetime:
    """Two thirds of a long life, so that weeks are left to notice a renewal that fails; half of a very short one."""
    return _half(item) if item.life <= DAY_AND_BACKDATE else item.not_before + item.life * 2 / 3


def _month(item: Item) -> dt.datetime:
    return item.not_after - min(MONTH, item.life / 3)


def _outlived(item: Item) -> dt.datetime:
    """The moment from which on what it signs would outlive it; not before half its life, or a short-lived one would be
    due from its first day on."""
    return max(item.not_after - item.bears, _half(item))


OUTDATED: Final = "what would be issued today has another issuer, or a shorter life"

RULES: Final[Mapping[Kind, Rule]] = {
    Kind.SERVER: Rule(
        _most,
        Actor.ALONE,
        "A00.FR.701",
        "two thirds of its life have passed, or half of one within a day",
        "bollard rotate --now server",
    ),
    Kind.GIVEN_SERVER: Rule(
        _month,
        Actor.OPERATOR,
        "A00.FR.308",
        "a month is left, or a third of its life; no station connects after its end",
        "put the new certificate and key into its files: {name}",
    ),
    Kind.OCSP: Rule(
        _half,
        Actor.ALONE,
        "RFC 6960 4.2.2.2.1",
        "half its life has passed; it cannot be revoked, so it is renewed early",
        "bollard rotate --now ocsp",
    ),
    Kind.CRL: Rule(
        _half,
        Actor.ALONE,
        "RFC 5280 5.1.2.5",
        "half its life has passed; who holds an expired list trusts nobody",
        "bollard rotate",
    ),
    Kind.ROOT_CRL: Rule(
        _month,
        Actor.OPERATOR,
        "RFC 5280 5.1.2.5",
        "a month is left, or a third of its life; who holds an expired list trusts nobody",
        "bollard ca ceremony plan --existing RESULT, then run it and import what it signed",
    ),
    Kind.V2G: Rule(
        _month,
        Actor.STATION,
        "A03.FR.02",
        "a month is left, or a third of its life",
        "bollard cert issue --station {name} --certificate-profile PROFILE --seccid SECCID --csr FILE",
    ),
    Kind.STATION: Rule(
        _month,
        Actor.STATION,
        "A03.FR.02",
        "a month is left, or a third of its life",
        "bollard cert renew --station {name} --csr FILE",
    ),
    Kind.ISSUING: Rule(
        _outlived,
        Actor.OPERATOR,
        "RFC 5280 6.1.3",
        "what it signs from now on could outlive it",
        "bollard ca rollover {name}",
    ),
    Kind.ROOT: Rule(
        _outlived,
        Actor.OPERATOR,
        "RFC 5280 6.1.3",
        "an issuing authority signed from now on would outlive it",
        "bollard ca rollover {name}",
    ),
    Kind.ANCHOR: Rule(
        _month,
        Actor.OPERATOR,
        "RFC 5280 6.1.3",
        "a month is left, or a third of its life; nothing below it is trusted after its end",
        "bollard ca trust add FILE, with its successor ({name})",
    ),
}
"""One row a kind."""
