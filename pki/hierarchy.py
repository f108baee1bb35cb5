"""Which authorities there can be, what stands below what, and which duty each fills: a table, and questions to it.

An authority fills a *slot* (``pki.holding``), so that of several for one duty one is in use. Operator, manufacturers
and V2G have hierarchies of their own, which never meet (A00.FR.601).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.errors import InputError
from pki.profile import CertificatePurpose
from pki.rollover import NEW_ROOT
from pki.v2g import RULES, V2gEdition

if TYPE_CHECKING:
    from collections.abc import Mapping

ABOVE: Final = "-above-"  # in the slots of those that only stand above one taken in; no duty's slot has it
VENDOR_LENGTH: Final = 50  # characters; vendorName in BootNotification


class HierarchyKind(StrEnum):
    """What an authority may be asked to be for."""

    ROOT = "root"
    CSMS = "csms"
    STATION = "station"
    OPERATOR = "operator"
    MANUFACTURER = "manufacturer"
    V2G = "v2g"
    """All three authorities of a V2G hierarchy, or the next one below the one named."""
    V2G_ROOT = "v2g-root"
    V2G_SUB1 = "v2g-sub1"
    V2G_SUB2 = "v2g-sub2"


AUTHORITIES: Final = frozenset(kind.value for kind in HierarchyKind) - {HierarchyKind.V2G.value}
"""The roles of keys that sign certificates."""
FOUNDING: Final = frozenset({HierarchyKind.ROOT.value, HierarchyKind.CSMS.value, HierarchyKind.STATION.value})
"""Those that every home has; ``bollard ca rollover`` makes their successors."""


@dataclass(frozen=True, slots=True)
class Level:
    """One authority: its role among our keys, the slot it fills, its certificate profile, the kind of its key.

    ``above`` is the role of who signs it, empty for a root. ``title`` is what its common name begins with.
    """

    role: HierarchyKind
    slot: str
    profile: CertificatePurpose
    key: str
    above: str
    title: str


_OPERATORS: Final[Mapping[HierarchyKind, Level]] = {
    level.role: level
    for level in (
        Level(HierarchyKind.ROOT, "root", CertificatePurpose.ROOT, "ec-p384", "", "Bollard Root CA"),
        Level(HierarchyKind.CSMS, "csms", CertificatePurpose.ISSUING, "ec-p256", "root", "Bollard CSMS CA"),
        Level(HierarchyKind.STATION, "station", CertificatePurpose.ISSUING, "ec-p256", "root", "Bollard Station CA"),
        Level(HierarchyKind.OPERATOR, "operator", CertificatePurpose.ISSUING, "ec-p256", "root", "Bollard Operator CA"),
    )
}
_SIGNED: Final[Mapping[HierarchyKind, str]] = {
    HierarchyKind.ROOT: "issuing",
    HierarchyKind.CSMS: "csms",
    HierarchyKind.STATION: "station",
    HierarchyKind.OPERATOR: "operator",
    HierarchyKind.MANUFACTURER: "firmware-signer",
}
_V2G: Final = (HierarchyKind.V2G_ROOT, HierarchyKind.V2G_SUB1, HierarchyKind.V2G_SUB2)
_V2G_TITLES: Final = ("V2G Root CA", "CPO Sub-CA 1", "CPO Sub-CA 2")


def manufacturer_slot(vendor: str) -> str:
    """Return the slot of a manufacturer's root."""
    return f"manufacturer:{vendor}"


def vendor_of(slot: str) -> str:
    """Return whose firmware a slot's authority is for; empty for every other one."""
    kind, _, vendor = slot.partition(":")
    return vendor if kind == HierarchyKind.MANUFACTURER else ""


def edition_of(slot: str) -> str:
    """Return the edition of ISO 15118 that a slot's authority is for; empty for every other one."""
    kind, _, edition = slot.rpartition("-")
    return edition if kind in _V2G else ""


def v2g_slot(role: HierarchyKind, edition: V2gEdition) -> str:
    """Return the slot of an authority of a V2G hierarchy."""
    return f"{role}-{edition}"


def succession_of(role: str, slot: str, above: str = "") -> str:
    """Return the command that makes the next authority of a slot; ``above`` is the key that signs it."""
    if role in FOUNDING:
        return f"bollard ca rollover {slot}"
    if role == HierarchyKind.MANUFACTURER:
        return f"bollard ca create NAME --purpose {role} --vendor {slot.partition(':')[2]!r}"
    if role not in _V2G:
        return f"bollard ca create NAME --purpose {role}"
    under = f" --under {above}" if above else ""
    return f"bollard ca create NAME --purpose v2g --edition {slot.rpartition('-')[2]}{under}"


def succession_elsewhere(role: str, slot: str) -> str:
    """Return the command that begins the next authority of a slot where the key that signs it is kept elsewhere."""
    if role == HierarchyKind.ROOT:
        return f"{NEW_ROOT}, then run it and import what it signed"
    if role in FOUNDING:
        return f"bollard ca ceremony request {slot}"
    whose = f" --vendor {vendor_of(slot)!r}" * bool(vendor_of(slot)) + f" --edition {edition_of(slot)}" * (role in _V2G)
    return f"bollard ca import FILE --purpose {role}{whose}"


def signed_by(role: str, slot: str) -> str:
    """Return the certificate profile of what an authority signs that lives longest."""
    if role not in _V2G:
        return _SIGNED[HierarchyKind(role)]
    below = (*_V2G[1:], "v2g-secc")[_V2G.index(HierarchyKind(role))]
    return f"{below}-{slot.rpartition('-')[2]}"


def level_of(kind: HierarchyKind, vendor: str = "", edition: str = "") -> Level:
    """Return what an authority of this kind is. Raises ``InputError("issuer.vendor")`` or ``("issuer.edition")``."""
    _refuse_vendor(kind, vendor)
    if kind is HierarchyKind.V2G:
        raise InputError("issuer.purpose", "V2G has three kinds of authority", "Say v2g-root, v2g-sub1 or v2g-sub2.")
    if kind in _V2G:
        return _v2g_level(kind, _edition(edition))
    if edition:
        raise _no_edition(f"{kind} has no editions")
    if kind is HierarchyKind.MANUFACTURER:
        title = f"{vendor} Root CA"[:64]
        return Level(kind, manufacturer_slot(vendor), CertificatePurpose.MANUFACTURER_ROOT, "ec-p256", "", title)
    return _OPERATORS[kind]


def levels_of(kind: HierarchyKind, vendor: str = "", edition: str = "", above: str = "") -> tuple[Level, ...]:
    """Return the authorities to be made, the topmost first; ``above`` is the role of who signs the first, if one was
    named. Raises ``InputError("issuer.under")`` where that one signs nothing of this kind."""
    if kind is HierarchyKind.V2G:
        _refuse_vendor(kind, vendor)
        whole = tuple(_v2g_level(each, _edition(edition)) for each in _V2G)
        found = whole if not above else tuple(level for level in whole if level.above == above)
    else:
        level = level_of(kind, vendor, edition)
        found = (level,) if above in {"", level.above} else ()
    if not found:
        says = f"an authority for {above} signs none for {kind}"
        raise InputError("issuer.under", says, "'bollard ca list' shows the purpose of each.")
    return found


def _v2g_level(role: HierarchyKind, edition: V2gEdition) -> Level:
    place = _V2G.index(role)
    profile = CertificatePurpose(v2g_slot(role, edition))
    above = _V2G[place - 1].value if place else ""
    return Level(role, v2g_slot(role, edition), profile, RULES[edition].keys[0], above, _V2G_TITLES[place])


def _edition(text: str) -> V2gEdition:
    try:
        return V2gEdition(text)
    except ValueError:
        raise _no_edition(f"{text[:20]!r} is no edition of ISO 15118") from None


def _no_edition(says: str) -> InputError:
    return InputError("issuer.edition", says, f"For V2G give one of: {', '.join(V2gEdition)}; for others none.")


def _refuse_vendor(kind: HierarchyKind, vendor: str) -> None:
    wrong = len(vendor) > VENDOR_LENGTH or vendor != vendor.strip() or not (vendor + "x").isprintable()
    if wrong or (kind is HierarchyKind.MANUFACTURER) != bool(vendor):
        raise InputError(
            "issuer.vendor",
            "a manufacturer's authority needs the vendor it is for, and no other has one",
            "Give the vendor exactly as its stations spell it in BootNotification.",
        )
