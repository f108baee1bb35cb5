"""Who serves nobody is not ready, and it says why."""

from __future__ import annotations

import pytest

from secproxy.readiness import csms_reachable, workers_open


@pytest.mark.parametrize(
    ("expected", "ready", "passed", "says"),
    [
        pytest.param([], [], False, "there are none", id="no worker at all"),
        pytest.param([0, 1], [1], False, "not open: 0", id="one whose listeners are not open"),
        pytest.param([0, 1], [1, 0], True, "2 open", id="all"),
    ],
)
def test_every_worker_is_open(expected: list[int], ready: list[int], passed: bool, says: str) -> None:
    """The kernel would send stations to the others alone, but a start is not over."""
    check = workers_open(expected, ready)

    assert (check.passed, check.says) == (passed, says)


@pytest.mark.parametrize(
    ("standings", "passed", "says"),
    [
        pytest.param({}, False, "none is known", id="no CSMS"),
        pytest.param({("a", "0"): {"down"}, ("b", "0"): {"unknown"}}, False, "none can be reached", id="none reached"),
        pytest.param({("a", "0"): {"down", "up"}, ("b", "0"): {"down"}}, True, "1 of 2 can be", id="for one worker"),
        pytest.param({("a", "0"): {"down"}, ("a", "1"): {"up"}}, True, "1 of 1 can be", id="by its second URL"),
    ],
)
def test_one_csms_can_be_reached(standings: dict[tuple[str, str], set[str]], passed: bool, says: str) -> None:
    """By one of its URLs, for one worker: others find their way by themselves."""
    check = csms_reachable(standings)

    assert check.passed is passed
    assert check.says.startswith(says)
