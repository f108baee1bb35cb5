"""The scale of severities, as scripts and alerts use it."""

from __future__ import annotations

from secproxy.kinds import RANKS, Severity


def test_the_severities_are_five_from_the_gravest_down() -> None:
    """The words are fixed: alert rules and exports depend on them and on their order."""
    assert [severity.value for severity in Severity] == ["critical", "high", "medium", "low", "info"]


def test_the_gravest_ranks_highest() -> None:
    """The numbers stand in the event database: they do not change."""
    assert RANKS == {"info": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}
