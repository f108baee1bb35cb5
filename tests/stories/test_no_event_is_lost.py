"""Whoever was turned away with a status has left exactly one event, whatever was killed meanwhile.

Strangers knock without end, each time under a name of its own, so that every answer can be held against the events.
They bring a certificate of ours that is another station's, because that is refused with a status and not by TLS.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.stories import kernel
from tests.stories.town import PAPERS, WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.demo.child import Fact
    from tests.stories.town import Town

KNOCKERS = 2
NUMBERS = count(1)  # every name is used once, also by the stories of one town
MOST_BETWEEN = 25  # answers between two kills, at most; how many it is each time is drawn

_UPGRADE = (
    "GET /ocpp/{} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
)


class Strangers:
    """Threads that knock, and what each was answered: a status, or none when the connection broke."""

    def __init__(self, port: int, folder: Path) -> None:
        self.seen: dict[str, int | None] = {}
        self._port = port
        self._news = threading.Condition()
        self._enough = False
        self._context = ssl.create_default_context(cafile=folder / "root.pem")
        name = PAPERS[0].identity.lower()
        self._context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self._threads = [threading.Thread(target=self._knock_on) for _ in range(KNOCKERS)]

    def answered(self) -> set[str]:
        """The names under which a status was received so far."""
        with self._news:
            return {name for name, status in self.seen.items() if status}

    def wait_for(self, more: int) -> None:
        """Wait until so many more were answered."""
        goal = len(self.answered()) + more
        with self._news:
            done = self._news.wait_for(lambda: sum(map(bool, self.seen.values())) >= goal, kernel.SECONDS)
        assert done, f"only {len(self.answered())} of {goal} were answered"

    @contextlib.contextmanager
    def knocking(self) -> Iterator[None]:
        """Knock for the length of the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._enough = True
            for thread in self._threads:
                thread.join()

    def _knock_on(self) -> None:
        while not self._enough:
            name = f"GHOST-{next(NUMBERS):05}"
            status = self._knock(name)
            with self._news:
                self.seen[name] = status
                self._news.notify_all()

    def _knock(self, name: str) -> int | None:
        try:
            with (
                socket.create_connection(("localhost", self._port), kernel.SECONDS) as line,
                self._context.wrap_socket(line, server_hostname="localhost") as secured,
            ):
                secured.sendall(_UPGRADE.format(name).encode())
                head = secured.recv(64).split()
        except OSError:  # whoever would have answered is dead
            return None
        return int(head[1]) if len(head) > 1 else None


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
