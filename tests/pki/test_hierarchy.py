"""Which authorities there can be: a table, and what it answers."""

from __future__ import annotations

import pytest

from pki.errors import InputError
from pki.hierarchy import (
    HierarchyKind,
    edition_of,
    level_of,
    levels_of,
    manufacturer_slot,
    succession_elsewhere,
    v2g_slot,
    vendor_of,
)
from pki.v2g import V2gEdition

K = HierarchyKind


@pytest.mark.parametrize(
    ("kind", "slot", "profile", "above"),
    [
        (K.ROOT, "root", "root", ""),
        (K.CSMS, "csms", "issuing", "root"),
        (K.STATION, "station", "issuing", "root"),
        (K.OPERATOR, "operator", "issuing", "root"),
    ],
)
def test_the_operator_s_hierarchy_has_one_level_below_its_root(
    kind: HierarchyKind, slot: str, profile: str, above: str
) -> None:
    """As ``init`` makes it (A00.FR.601)."""
    (level,) = levels_of(kind)

    assert (level.slot, level.profile, level.above) == (slot, profile, above)


def test_each_manufacturer_has_a_root_of_its_own() -> None:
    """Two vendors never share a slot, so that each has one in use."""
    (volta,), (ampere,) = (levels_of(K.MANUFACTURER, vendor) for vendor in ("Volta", "Ampere"))

    assert (volta.slot, volta.profile, volta.above) == (manufacturer_slot("Volta"), "manufacturer-root", "")
    assert volta.slot != ampere.slot


@pytest.mark.parametrize(("edition", "key"), [("2", "ec-p256"), ("20", "ec-p521")])
def test_a_v2g_hierarchy_has_three_levels(edition: str, key: str) -> None:
    """Root, CPO Sub-CA 1, Sub-CA 2, each with the key that cars of that edition know."""
    levels = levels_of(K.V2G, edition=edition)

    assert [level.profile for level in levels] == [f"v2g-{name}-{edition}" for name in ("root", "sub1", "sub2")]
    assert [level.above for level in levels] == ["", "v2g-root", "v2g-sub1"]
    assert {level.key for level in levels} == {key}
    assert levels[2].slot == v2g_slot(K.V2G_SUB2, V2gEdition(edition))


@pytest.mark.parametrize(("above", "role"), [("v2g-root", K.V2G_SUB1), ("v2g-sub1", K.V2G_SUB2)])
def test_below_one_that_is_named_the_next_is_made(above: str, role: HierarchyKind) -> None:
    """And it alone."""
    assert [level.role for level in levels_of(K.V2G, edition="2", above=above)] == [role]


@pytest.mark.parametrize(
    ("kind", "vendor", "edition", "above", "code"),
    [
        (K.MANUFACTURER, "", "", "", "issuer.vendor"),
        (K.MANUFACTURER, "V" * 51, "", "", "issuer.vendor"),
        (K.MANUFACTURER, "V\x00", "", "", "issuer.vendor"),
        (K.MANUFACTURER, " V", "", "", "issuer.vendor"),
        (K.STATION, "Volta", "", "", "issuer.vendor"),
        (K.V2G, "Volta", "2", "", "issuer.vendor"),
        (K.V2G, "", "", "", "issuer.edition"),
        (K.V2G, "", "3", "", "issuer.edition"),
        (K.STATION, "", "2", "", "issuer.edition"),
        (K.STATION, "", "", "csms", "issuer.under"),
        (K.STATION, "", "", "v2g-root", "issuer.under"),
        (K.ROOT, "", "", "root", "issuer.under"),
        (K.MANUFACTURER, "Volta", "", "root", "issuer.under"),
        (K.V2G, "", "2", "root", "issuer.under"),
        (K.V2G, "", "2", "v2g-sub2", "issuer.under"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    kind: HierarchyKind, vendor: str, edition: str, above: str, code: str
) -> None:
    """Hierarchies never meet (A00.FR.601)."""
    with pytest.raises(InputError) as refused:
        levels_of(kind, vendor, edition, above)

    assert refused.value.code == code


def test_v2g_by_itself_names_no_single_authority() -> None:
    """Whoever takes one in says which."""
    with pytest.raises(InputError, match=r"issuer\.purpose"):
        level_of(K.V2G, "", "")


def test_a_slot_tells_whose_and_which() -> None:
    """And of all others nothing, whatever their names look like."""
    assert vendor_of(manufacturer_slot("Volta: Wall-2")) == "Volta: Wall-2"
    assert {edition_of(v2g_slot(role, V2gEdition.TWENTY)) for role in (K.V2G_ROOT, K.V2G_SUB1, K.V2G_SUB2)} == {"20"}
    for slot in ("root", "csms", "theirs-above-2", "ocsp-v2g-sub2", manufacturer_slot("v2g-sub1-2")):
        assert edition_of(slot) == ""
    assert [vendor_of(slot) for slot in ("root", "v2g-sub1-2", "server-rsa")] == ["", "", ""]


@pytest.mark.parametrize(
    ("role", "slot", "command"),
    [
        ("root", "root", "bollard ca ceremony plan --root-name NAME, then run it and import what it signed"),
        ("station", "station", "bollard ca ceremony request station"),
        ("operator", "operator", "bollard ca import FILE --purpose operator"),
        ("manufacturer", "manufacturer:Volta", "bollard ca import FILE --purpose manufacturer --vendor 'Volta'"),
        ("v2g-sub2", "v2g-sub2-20", "bollard ca import FILE --purpose v2g-sub2 --edition 20"),
    ],
)
def test_what_a_key_elsewhere_signs_begins_with_another_command(role: str, slot: str, command: str) -> None:
    """The operator's own from a ceremony, the others from whoever keeps that key."""
    assert succession_elsewhere(role, slot) == command
