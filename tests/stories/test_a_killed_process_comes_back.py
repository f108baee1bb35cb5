"""Each process of ``bollard up`` is killed while stations are connected: the others go on, it comes back, and nothing
that it would have refused gets through meanwhile.

Where a process must stay away for a while, the supervisor is stopped (SIGSTOP) or the authority's lock is held: both
are real, and neither depends on how fast the machine is.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls, lock
from pki.edge.asking import ask_once
from tests.stories.town import PAPERS, WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.child import Child
    from tests.stories.town import Town

NAMES = ["authority", "web", *(f"worker {number}" for number in range(WORKERS))]
OURS = [paper.identity for paper in PAPERS]


def talks(station: Child, message_id: str) -> None:
    """See a heartbeat go all the way to the CSMS and its answer all the way back."""
    station.say({"say": f'[2,"{message_id}","Heartbeat",{{}}]'})
    station.wait_for("the CSMS's answer", lambda fact: str(fact.get("heard")).startswith(f'[3,"{message_id}"'))


def revoke(town: Town, identity: str) -> None:
    """Revoke the one certificate of a station."""
    [held] = ask_once(town.home, calls.ListCertificates(identity, "valid"), calls.Certificates).certificates
    ask_once(town.home, calls.RevokeCertificate(held.serial, "key_compromise"), calls.Done)


def is_refused(station: Child) -> None:
    """See a station turned away with 403."""
    assert station.wait_for("an end", lambda fact: "refused" in fact or "booted" in fact).get("status") == 403


@contextlib.contextmanager
def stopped(town: Town) -> Iterator[None]:
    """For the length of the block nobody starts anything again."""
    town.up.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        town.up.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def without_authority(town: Town) -> Iterator[None]:
    """For the length of the block no authority can start; after it one runs again."""
    with stopped(town):
        gone = town.kill("authority")
        keeping = contextlib.ExitStack()
        keeping.enter_context(lock.hold(town.home.lock))
    with keeping:
        yield
    town.is_back("authority", gone)


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_is_replaced_while_the_stations_talk_on(town: Town, name: str) -> None:
    """All stations but those of a killed worker keep their sessions, and the one that lost it comes in again."""
    stations = town.one_on_each_worker()
    gone = town.kill(name)
    if (lost := stations.pop(name, None)) is not None:
        lost.wait_for("the end of its session", lambda fact: "closed" in fact)
        stations["again"] = town.connects(lost.name.upper())
    for station in stations.values():
        talks(station, "while-away")
    town.is_back(name, gone)
    for station in stations.values():
        talks(station, "afterwards")


def test_a_worker_that_dies_again_and_again_always_comes_back(town: Town) -> None:
    """Its claims go with it each time: the very same station is let in after every death, by whichever worker."""
    for _ in range(3):
        station = town.connects(OURS[0])
        worker = town.worker_of(station)
        gone = town.kill(worker)
        station.wait_for("the end of its session", lambda fact: "closed" in fact)
        town.is_back(worker, gone)


def test_a_station_whose_worker_was_just_killed_holds_its_claim_no_longer(town: Town) -> None:
    """Not even while the dead worker is not replaced yet is the station told that it is connected already."""
    stations = town.one_on_each_worker()
    name, lost = stations.popitem()
    gone = town.kill(name)
    town.connects(lost.name.upper())
    town.is_back(name, gone)

    assert [event for event in town.events() if event["cause"].startswith("session.")] == []


def test_while_the_authority_is_away_stations_talk_on_and_known_ones_come_in(town: Town) -> None:
    """What the workers know is enough for that."""
    before = town.one_on_each_worker()
    with without_authority(town):
        known = town.connects(OURS[-1])
        for station in (*before.values(), known):
            talks(station, "while-away")


def test_while_the_authority_is_away_no_update_reaches_a_station(town: Town) -> None:
    """The CSMS is told ``Rejected``, an event says why, and the very same update is let through afterwards."""
    station = town.connects(OURS[0])
    with without_authority(town):
        assert town.updates(OURS[0], 1)["answer"]["status"] == "Rejected"
        talks(station, "while-away")
        assert not [text for text in station.texts("heard") if "UpdateFirmware" in text]
        assert town.events()[-1]["cause"] == "firmware.declined"

    town.watched()
    assert town.updates(OURS[0], 2)["answer"] == {"status": "Accepted"}
    station.wait_for("installed", lambda fact: "installed" in fact)


def test_a_revocation_right_after_the_authoritys_return_ends_a_live_session(town: Town) -> None:
    """The workers hear of it although the line on which they listened had died."""
    station = town.connects(OURS[16])
    with without_authority(town):
        talks(station, "while-away")
    revoke(town, OURS[16])

    assert station.wait_for("the end of its session", lambda fact: "closed" in fact)["closed"] == 1008
    is_refused(town.knocks(OURS[16]))


def test_a_revocation_by_a_command_while_no_authority_runs_ends_a_live_session(town: Town) -> None:
    """The command becomes the authority for a moment; the workers hear of it from the next one."""
    station = town.connects(OURS[17])
    with stopped(town):
        gone = town.kill("authority")
        revoke(town, OURS[17])
        talks(station, "while-away")
    town.is_back("authority", gone)

    assert station.wait_for("the end of its session", lambda fact: "closed" in fact)["closed"] == 1008


def test_a_revocation_while_every_worker_was_down_holds(town: Town) -> None:
    """No worker remembers the certificate as valid, for each begins with what the ledger says now."""
    stations = {OURS[18]: town.connects(OURS[18]), OURS[19]: town.connects(OURS[19])}
    with stopped(town):
        gone = {name: town.kill(name) for name in NAMES if name.startswith("worker")}
        revoke(town, OURS[18])
        for station in stations.values():
            station.wait_for("the end of its session", lambda fact: "closed" in fact)
    for name, pid in gone.items():
        town.is_back(name, pid)

    is_refused(town.knocks(OURS[18]))
    town.connects(OURS[19])


def test_an_authority_that_dies_again_and_again_costs_no_station_its_session(town: Town) -> None:
    """Wherever the workers were in learning from the new one when it died, they go on with what they knew."""
    stations = town.one_on_each_worker()
    before = {name: pid for name, pid in town.pids().items() if name != "authority"}
    for _ in range(3):
        town.is_back("authority", town.kill("authority"))
    for station in stations.values():
        talks(station, "afterwards")

    assert {name: pid for name, pid in town.pids().items() if name != "authority"} == before
