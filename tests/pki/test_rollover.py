"""From one authority to its successor: the steps follow the facts, and nobody is left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pki.clauses import explain
from pki.errors import RefusedError
from pki.holding import KeyState
from pki.rollover import NAMED_MOST, Facts, Needs, refuse_elsewhere, refuse_needed, steps

BELOW = (("csms", False), ("station", False))
BEFORE = Facts("root", is_root=True, active="root", stations=3, below=BELOW)
MADE = replace(BEFORE, former="root", successor="root-2", state=KeyState.NEXT, linked="root-2-link", leaves=5)
IN_STATIONS = replace(MADE, confirmed=3)
IN_USE = replace(IN_STATIONS, state=KeyState.ACTIVE)
MOVED = replace(IN_USE, below=(("csms", True), ("station", True)))
RENEWED = replace(MOVED, leaves=0)


def done(facts: Facts) -> list[bool]:
    """Which steps are done."""
    return [step.done >= step.total for step in steps(facts)]


@pytest.mark.parametrize(
    ("facts", "count"), [(MADE, 1), (IN_STATIONS, 3), (IN_USE, 4), (MOVED, 6), (RENEWED, 7)], ids=str
)
def test_a_roots_steps_are_done_one_after_the_other(facts: Facts, count: int) -> None:
    """Made, installed and confirmed, in use, its authorities made, the leaves renewed; the old root goes last."""
    assert done(facts) == [True] * count + [False] * (8 - count)


@pytest.mark.parametrize("is_root", [True, False])
def test_before_anything_began_nothing_is_done(is_root: bool) -> None:
    """Not even the renewal of what nobody has counted yet."""
    assert not any(done(Facts("slot", is_root=is_root, active="slot", stations=1, below=(("csms", False),))))


def test_an_issuing_authoritys_steps_are_fewer() -> None:
    """Stations need not be told: they trust the root above it."""
    made = Facts("station", is_root=False, active="station", former="station", successor="station-2", leaves=7)

    assert done(replace(made, state=KeyState.NEXT)) == [True, False, False, False]
    assert done(replace(made, state=KeyState.ACTIVE, leaves=0)) == [True, True, True, False]


def test_steps_name_the_keys_and_their_clauses() -> None:
    """Each command can be copied as it stands."""
    commands = " ".join(step.command for step in steps(MADE))

    assert "bollard ca export root-2-link" in commands
    assert "bollard ca activate root-2" in commands
    assert "bollard ca retire root" in commands
    assert all(explain(step.clause).says for step in steps(MADE))


OFFLINE = replace(BEFORE, elsewhere=True)


def test_where_the_root_is_offline_no_step_names_a_command_that_would_be_refused() -> None:
    """Its successor comes from a ceremony, those below it as well, and there is no link to be installed."""
    before = [step.command for step in steps(OFFLINE)]
    made = [step.command for step in steps(replace(MADE, elsewhere=True, linked="", ready=(("csms", "csms-2"),)))]
    below = [step.command for step in steps(Facts("csms", is_root=False, active="csms", elsewhere=True))]

    assert not [each for each in (*before, *made, *below) if "ca rollover" in each or "-link" in each]
    assert before[0].startswith("bollard ca ceremony request csms; bollard ca ceremony request station; ")
    assert "bollard ca ceremony plan --root-name NAME" in before[0]
    assert made[4] == "bollard ca activate csms-2"
    assert made[5].startswith("bollard ca ceremony request station, bollard ca ceremony plan --existing RESULT")
    assert below[0].startswith("bollard ca ceremony request csms, bollard ca ceremony plan --existing RESULT")


def test_what_was_made_and_waits_is_not_made_again() -> None:
    """A second ``rollover`` of the slot would be refused."""
    commands = [step.command for step in steps(replace(IN_USE, ready=(("station", "station-2"),)))]

    assert commands[4] == "bollard ca rollover csms --under root-2, then bollard ca activate"
    assert commands[5] == "bollard ca activate station-2"


def test_confirmations_and_leaves_are_counted() -> None:
    """Two of three stations, five certificates left."""
    counts = {step.says: (step.done, step.total) for step in steps(replace(MADE, confirmed=2))}

    assert counts["confirm each station that has it"] == (2, 3)
    assert counts["renew what stands below the old root"] == (0, 5)


def test_nobody_who_needs_an_authority_is_cut_off() -> None:
    """Every reason is told at once; many names are counted."""
    many = tuple(f"CP-{number:03}" for number in range(NAMED_MOST + 5))
    with pytest.raises(RefusedError, match=r"rollover\.needed") as refused:
        refuse_needed("root", Needs(("csms",), many))

    assert [finding.code for finding in refused.value.findings] == ["rollover.live", "rollover.unconfirmed"]
    assert "CP-000" in refused.value.cause
    assert "and 5 more" in refused.value.cause
    assert many[-1] not in refused.value.cause


def test_what_nobody_needs_may_go() -> None:
    """Nothing is raised."""
    refuse_needed("root", Needs())


def test_a_key_elsewhere_signs_nothing_here() -> None:
    """The refusal names it and what to do."""
    assert "ceremony" in refuse_elsewhere("root").advice


def test_a_station_with_several_certificates_is_named_once() -> None:
    """They are counted all the same."""
    with pytest.raises(RefusedError, match="3 of its certificates still hold: CP-1, CP-2 ") as refused:
        refuse_needed("station", Needs(certificates=("CP-1", "CP-1", "CP-2"), stations=()))

    assert refused.value.advice
