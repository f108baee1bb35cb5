"""Keys come into use and leave it by few steps."""

from __future__ import annotations

import pytest

from pki.errors import ConflictError
from pki.holding import STEPS, Holding, KeyState, step


@pytest.mark.parametrize(("state", "to"), [(state, to) for state, after in STEPS.items() for to in sorted(after)])
def test_a_step_of_the_table_is_allowed(state: KeyState, to: KeyState) -> None:
    """And leads where it says."""
    assert step(Holding("csms", "csms", "csms", state), to) is to


@pytest.mark.parametrize(
    ("state", "to"), [(state, to) for state in KeyState for to in KeyState if to not in STEPS[state]]
)
def test_any_other_step_is_refused(state: KeyState, to: KeyState) -> None:
    """By name of the key and of both states."""
    with pytest.raises(ConflictError, match=rf"issuer\.state.*'csms' is {state}, .* {to}"):
        step(Holding("csms", "csms", "csms", state), to)


def test_what_is_retired_never_returns() -> None:
    """Trust once ended begins anew with another key."""
    assert STEPS[KeyState.RETIRED] == frozenset()


def test_every_state_has_its_steps() -> None:
    """Or a key would be stuck in it."""
    assert set(STEPS) == set(KeyState)
