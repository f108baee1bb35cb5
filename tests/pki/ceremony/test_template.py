"""What ``plan`` writes can be read back, whatever names people have."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.ceremony.file import parse_ceremony
from pki.ceremony.template import slot_of
from pki.ceremony.terms import KnownRoot, Witness
from pki.edge.ceremony import Draft, draft
from pki.errors import InputError
from pki.names import Organisation
from pki.services import Published
from tests.ceremonies import MOMENT, NAMES, WITNESSES, Held, requests_in
from tests.pki.papers import ORGANISATION

if TYPE_CHECKING:
    from pathlib import Path

NAME = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30)


@given(organisation=NAME, name=NAME, role=NAME)
def test_any_printable_name_comes_back_as_it_was(organisation: str, name: str, role: str) -> None:
    """Quotation marks, backslashes and brackets included; or the file is refused, and never read otherwise."""
    people = [Witness(name, role), WITNESSES[0]]
    text = draft(Draft(Organisation(organisation), MOMENT, people))
    try:
        found = parse_ceremony(text.encode())
    except InputError:
        return
    assert found.organisation.text == organisation
    assert found.witnesses == tuple(people)


def test_each_request_becomes_a_certificate(held: Held) -> None:
    """With its key, its name and its duty."""
    dues = held.done.ceremony.certificates

    assert {due.name: due.common_name for due in dues} == NAMES
    assert len({due.serial for due in dues} | {due.key_id for due in dues}) == 2 * len(NAMES)


def test_a_later_one_goes_on_where_the_newest_ended(held: Held) -> None:
    """Its number counted on, its transcript named, its folder seen from where the file lies."""
    terms = Draft(ORGANISATION, MOMENT, WITNESSES, existing=held.folder, beside=held.file.parent)
    found = parse_ceremony(draft(terms).encode())

    assert found.root == KnownRoot("result", held.done.digest)
    assert found.crl.number == held.done.ceremony.crl.number + 1


def test_where_the_list_is_found_goes_on_to_the_next(tmp_path: Path) -> None:
    """Until somebody says otherwise: who follows stands beside who is there."""
    (tmp_path / "c").mkdir()
    held = Held.of(tmp_path / "c", requests_in(tmp_path / "c" / "r", NAMES), status_url="http://a.example.org:8480")
    later = Draft(ORGANISATION, MOMENT, WITNESSES, existing=held.folder, beside=held.file.parent)

    assert held.done.ceremony.published == Published.at_home("http://a.example.org:8480", "root")
    assert parse_ceremony(draft(later).encode()).published == held.done.ceremony.published
    moved = draft(dataclasses.replace(later, status_url="http://b.example.org"))
    assert parse_ceremony(moved.encode()).published == Published.at_home("http://b.example.org", "root")


@pytest.mark.parametrize(
    ("name", "slot"), [("csms", "csms"), ("station-2", "station"), ("v2g-sub", "v2g-sub"), ("v2g-sub-12", "v2g-sub")]
)
def test_a_duty_follows_from_a_name(name: str, slot: str) -> None:
    """A number at the end counts successors."""
    assert slot_of(name) == slot
