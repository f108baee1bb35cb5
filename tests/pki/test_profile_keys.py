"""The keys of a profile as data: what must be there, and that people can look each of them up."""

from __future__ import annotations

import msgspec

from pki.profile_keys import ALLOWED_USES, DUE_USES, EXTENDED_USES, SAMPLE, AsRead, CertificatePurpose
from tests.pki.papers import POLICIES


def test_every_leaf_has_uses_that_it_must_name_or_may() -> None:
    """Authorities name none; and all of them are uses that there are."""
    assert DUE_USES.keys() | ALLOWED_USES.keys() == {each for each in CertificatePurpose if not each.is_ca}
    assert {*DUE_USES.values()}.union(*ALLOWED_USES.values()) == {*EXTENDED_USES}


def test_the_sample_holds_exactly_the_keys_that_must_be_there() -> None:
    """A key without a default that is not in it would stop the reading of every other mistake."""
    assert {field.name for field in msgspec.structs.fields(AsRead) if field.required} == SAMPLE.keys()


def test_who_signs_and_who_is_shown_to_cars_can_be_told_by_the_name() -> None:
    """The tables name each purpose; whoever adds one and forgets them is found by the way purposes are named."""
    for purpose in CertificatePurpose:
        name = purpose.value
        assert purpose.is_root == (name == "root" or name.startswith(("manufacturer-root", "v2g-root"))), name
        assert purpose.is_ca == (purpose.is_root or name in {"issuing", "link"} or name.startswith("v2g-sub")), name
        assert purpose.is_secc == name.startswith("v2g-secc"), name


def test_a_purpose_of_v2g_knows_its_edition() -> None:
    """By its name; no other has one."""
    assert {purpose.edition for purpose in CertificatePurpose if purpose.value.startswith("v2g")} == {"2", "20"}
    assert {purpose.edition for purpose in CertificatePurpose if not purpose.value.startswith("v2g")} == {None}


def test_every_key_stands_in_the_table_for_people() -> None:
    """``policies/README.md`` has a row for each, and for each profile that ships."""
    readme = (POLICIES.parent / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith(("| `", "| `["))]

    assert [
        field.name for field in msgspec.structs.fields(AsRead) if not any(f"`{field.name}`" in row for row in rows)
    ] == []
    assert [path.stem for path in POLICIES.glob("*.toml") if not any(f"`{path.stem}`" in row for row in rows)] == []
