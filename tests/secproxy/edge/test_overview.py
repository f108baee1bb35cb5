"""How the house stands is told by the supervisor to whoever of ours asks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from pki.errors import UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge import overview
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_line import ClaimLine
from secproxy.tally import Tally
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from pathlib import Path

PROCESS = wire.Process("worker 0", 17, 1.5, 2)


async def alive(_: int) -> bool:
    """Answer for every leg."""
    return True


def test_a_worker_is_open_once_it_says_so_and_what_it_counted_outlives_it(tmp_path: Path) -> None:
    """Its gauges do not; a worker that comes after it counts from nothing and the sum goes on."""
    home = bare_home(tmp_path / "h")

    async def story() -> None:
        async with (
            asyncio.timeout(20),
            ClaimDesk(1, lambda _: None, processes=lambda: [PROCESS]).open(home.claims_socket),
        ):
            first = await ClaimLine.connect(home, 0, alive, lambda _: None)
            first.report(Tally({"messages_total station": 5}, {"claims": 1}))
            assert (await overview.look(home)).open == []
            first.ready()
            seen = await overview.look(home)
            assert (seen.processes, seen.open, seen.gauges) == ([PROCESS], [0], {"claims": 1})
            await first.close()
            while (seen := await overview.look(home)).open:
                pass
            assert (seen.counters, seen.gauges) == ({"messages_total station": 5}, {})
            second = await ClaimLine.connect(home, 0, alive, lambda _: None)
            second.report(Tally({"messages_total station": 2}, {}))
            while (seen := await overview.look(home)).counters == {"messages_total station": 5}:
                pass
            assert seen.counters == {"messages_total station": 7}
            await second.close()

    asyncio.run(story())


def test_a_report_about_everything_there_can_be_fits_a_line(tmp_path: Path) -> None:
    """A thousand URLs, each with its state and its histogram."""
    home = bare_home(tmp_path / "h")
    gauges = {f"upstream_workers {'n' * 40}{number} 15 unknown": 1.0 for number in range(1024)}
    counters = {f"upstream_dial_seconds {'n' * 40}{number} 0.025": 1e9 for number in range(64 * 13)}

    async def story() -> None:
        async with asyncio.timeout(20), ClaimDesk(1, lambda _: None).open(home.claims_socket):
            line = await ClaimLine.connect(home, 0, alive, lambda _: None)
            line.report(Tally(counters, gauges))
            while not (seen := await overview.look(home)).gauges:
                pass
            assert (seen.gauges, seen.counters) == (gauges, counters)
            await line.close()

    asyncio.run(story())


def test_without_a_supervisor_it_says_so_and_one_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are errors with a next step."""
    home = bare_home(tmp_path / "h")
    with pytest.raises(UnreachableError) as none:
        asyncio.run(overview.look(home))
    assert none.value.code == "supervisor.unreachable"
    monkeypatch.setattr(overview, "PATIENCE", 0.2)

    async def story() -> None:
        over = asyncio.Event()

        async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.close()

        async with await asyncio.start_unix_server(hang, home.claims_socket):
            began = time.monotonic()
            with pytest.raises(UnreachableError) as silent:
                await overview.look(home)
            assert silent.value.code == "supervisor.silent"
            assert time.monotonic() - began < 20
            over.set()

    asyncio.run(story())


@pytest.mark.parametrize("answer", [b"", b"no JSON\n", b'{"says":"denied","ticket":1,"cause":"x"}\n'])
def test_what_is_no_answer_of_a_supervisor_is_none(tmp_path: Path, answer: bytes) -> None:
    """Something else sits at the socket, or it hung up."""
    home = bare_home(tmp_path / "h")

    async def story() -> None:
        async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            writer.close()

        async with await asyncio.start_unix_server(say, home.claims_socket):
            with pytest.raises(UnreachableError):
                await overview.look(home)

    asyncio.run(story())


def test_workers_are_those_that_the_supervisor_keeps() -> None:
    """By their numbers, whether they run or not."""
    names = ("supervisor", "authority", "worker 0", "worker 11", "web")

    assert overview.workers(wire.Seen([wire.Process(name, 0, 0, 0) for name in names], [], {}, {})) == [0, 11]


def test_what_workers_found_of_a_url_is_said_once_and_by_whom_they_differ() -> None:
    """Two that agree are one word; names that are no such figure, and figures of nobody, are passed over."""
    gauges = {"upstream_workers csms 0 up": 2, "upstream_workers csms 1 up": 1, "upstream_workers csms 1 down": 1}
    others = {"upstream_workers csms 2 up": 0, "upstream_workers csms": 1, "claims": 3}

    found = overview.standings(wire.Seen([], [], {}, {**gauges, **others}))

    assert found == {("csms", "0"): {"up"}, ("csms", "1"): {"up", "down"}}
