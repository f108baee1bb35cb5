"""Each process of ``bollard up`` is killed while stations are connected: the others go on, it comes back, and a
revocation made meanwhile holds.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from secproxy.frames import POLICY_VIOLATION
from tests.stories import kernel
from tests.stories.crowd import dial
from tests.stories.town import PAPERS, WORKERS, is_ended, is_refused, talks

if TYPE_CHECKING:
    from tests.stories.town import Town

NAMES = ["authority", "web", *(f"worker {number}" for number in range(WORKERS))]
OURS = [paper.identity for paper in PAPERS]
NO_FAREWELL = 1006  # RFC 6455 7.1.5: the connection was lost without a close frame


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_is_replaced_while_the_stations_talk_on(town: Town, name: str) -> None:
    """A killed worker's station is let in again before the worker is back; every other keeps its session."""
    stations = town.one_on_each_worker()
    gone = town.kill(name)
    if (lost := stations.pop(name, None)) is not None:
        is_ended(lost, NO_FAREWELL)
        stations[name] = town.connects(lost.name.upper())
    for station in stations.values():
        talks(station, "while-away")
    town.is_back(name, gone)
    for station in stations.values():
        talks(station, "afterwards")

    told = {str(event["cause"]) for event in town.events()}
    assert {cause for cause in told if cause.startswith("session.")} == {"session.opened"}


def test_a_revocation_while_every_worker_is_away_holds(town: Town) -> None:
    """No worker remembers the certificate as valid, for each begins with what the ledger says now."""
    stations = [town.connects(identity) for identity in OURS[-2:]]
    with town.nobody_replaces():
        gone = {name: town.kill(name) for name in NAMES if name.startswith("worker")}
        town.revoke(OURS[-1])
        for station in stations:
            is_ended(station, NO_FAREWELL)
    for name, pid in gone.items():
        town.is_back(name, pid)

    town.connects(OURS[-2])
    is_refused(town.knocks(OURS[-1]))


def test_a_revocation_while_no_authority_runs_ends_the_session_as_soon_as_one_does(town: Town) -> None:
    """The command becomes the authority for a moment; the workers hear of it from the next one."""
    station = town.connects(OURS[-3])
    with town.nobody_replaces():
        gone = town.kill("authority")
        town.revoke(OURS[-3])
        talks(station, "while-away")
    town.is_back("authority", gone)

    is_ended(station, POLICY_VIOLATION)
    is_refused(town.knocks(OURS[-3]))


def test_an_authority_that_dies_again_at_once_costs_no_station_its_session(town: Town) -> None:
    """The second time it dies while the workers are learning from it; they go on with what they knew."""
    stations = town.one_on_each_worker()
    others = {name: pid for name, pid in town.pids().items() if name != "authority"}
    town.is_back("authority", town.kill("authority"))
    kernel.until("the workers begin to ask it", town.authority_is_asked)
    town.is_back("authority", town.kill("authority"))
    for station in stations.values():
        talks(station, "afterwards")

    assert {name: pid for name, pid in town.pids().items() if name != "authority"} == others


def test_who_waits_for_a_worker_that_is_killed_is_let_in_by_others(town: Town) -> None:
    """Those whom the kernel has put before its door, and it has not yet taken in, are turned away by nobody."""
    gone, identities = town.pids()["worker 0"], OURS[:12]
    os.kill(gone, signal.SIGSTOP)
    with ThreadPoolExecutor(len(identities)) as threads:
        coming = [threads.submit(_comes, town, identity) for identity in identities]
        kernel.until(
            "some wait for it, all others are in",
            lambda: 0 < kernel.waiting_at(town.port) == sum(not each.done() for each in coming),
        )
        kernel.kill(gone)
        assert [each.result() for each in coming] == identities
    town.is_back("worker 0", gone)


def _comes(town: Town, identity: str) -> str:
    with dial(town, identity):
        return identity
