"""Whoever was turned away with a status has left exactly one event, whatever was killed meanwhile.

Strangers knock without end, each time under a name of its own, so that every answer can be held against the events.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.stories import kernel
from tests.stories.strangers import Strangers
from tests.stories.town import PAPERS, WORKERS

if TYPE_CHECKING:
    from cli.demo.child import Fact
    from tests.stories.town import Town

MOST_BETWEEN = 25  # answers between two kills, at most; how many it is each time is drawn


@pytest.fixture
def strangers(town: Town) -> Strangers:
    """Strangers at the town's door."""
    return Strangers(town.port, town.world.folder)


def each_refusal_has_one_event(strangers: Strangers, events: list[Fact]) -> None:
    """Hold what was answered against what is listed: nothing missing, nothing twice, nothing that never happened."""
    ids = [event["id"] for event in events]
    told = Counter(str(event["station"]) for event in events if event["station"] in strangers.seen)

    assert len(set(ids)) == len(ids), "an id was given twice"
    assert {strangers.seen[name] for name in strangers.answered()} == {403}
    assert [name for name in strangers.answered() if told[name] == 0] == []
    assert [name for name, times in told.items() if times > 1] == []
    assert {event["cause"] for event in events if event["station"] in told} == {"cert.other_station"}
    assert "journal.damaged" not in {event["cause"] for event in events}


def test_killing_workers_and_the_recorder_at_random_moments_loses_no_event(town: Town, strangers: Strangers) -> None:
    """The list is complete right after the last answer, while the recorder is still being started again."""
    draw = random.Random(11)  # noqa: S311 - moments, not secrets
    victims = [*(f"worker {number}" for number in range(WORKERS)), "web"] * 2
    with strangers.knocking():
        for victim in victims:
            strangers.wait_for(draw.randint(1, MOST_BETWEEN))
            town.kill(victim)
        strangers.wait_for(MOST_BETWEEN)

    each_refusal_has_one_event(strangers, town.events())


@pytest.mark.parametrize("at_once", ["the supervisor", "every process"])
def test_killing_everything_at_once_loses_no_event_and_leaves_nothing(
    town: Town, strangers: Strangers, at_once: str
) -> None:
    """No process is left, the events can be listed with nothing running, and the home comes up as it was."""
    kernel.until("all of it runs", lambda: len(town.pids()) == WORKERS + 2)
    children = town.pids().values()
    with strangers.knocking():
        strangers.wait_for(MOST_BETWEEN)
        killed = [town.up.process.pid, *(children if at_once == "every process" else ())]
        kernel.kill(*killed, seen_off=set(children) - set(killed))
    each_refusal_has_one_event(strangers, before := town.events())
    town.bring_up()
    each_refusal_has_one_event(strangers, after := town.events())

    assert [event for event in before if event not in after] == []
    assert town.connects(PAPERS[0].identity)


def test_what_a_killed_process_wrote_ends_in_the_database_and_nowhere_else(town: Town, strangers: Strangers) -> None:
    """Its files are read to their end and deleted; nobody has to tidy up."""
    with strangers.knocking():
        strangers.wait_for(MOST_BETWEEN)
        gone = town.kill("worker 0")

    left = town.home.journal.glob
    kernel.until("its last file goes", lambda: not list(left(f"worker-0-*-{gone}.jsonl")))
    each_refusal_has_one_event(strangers, town.events())
