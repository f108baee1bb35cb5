"""What workers report outlives them, and spans wait for whoever takes them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from secproxy.edge import claim_wire as wire
from secproxy.edge import reports as module
from secproxy.edge.claim_desk import ClaimDesk
from tests.secproxy.edge.desks import NEVER, Peer, heir, peers

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def spans(*texts: bytes) -> wire.Spans:
    """A worker's word of spans; the desk does not look into them."""
    return wire.Spans([msgspec.Raw(text) for text in texts])


async def taken(peer: Peer, sent: int = 0, dropped: int = 0) -> list[bytes]:
    """Take spans."""
    peer.say(wire.TakeSpans(sent, dropped))
    word = await peer.hear()
    assert isinstance(word, wire.SpansTaken)
    return [bytes(each) for each in word.spans]


async def counted(peer: Peer) -> dict[str, float]:
    """What the desk has counted."""
    peer.say(wire.Look())
    seen = await peer.hear()
    assert isinstance(seen, wire.Seen)
    return seen.counters


def test_spans_of_all_workers_wait_for_whoever_takes_them(tmp_path: Path) -> None:
    """Once each, a line at a time; what became of them is counted, also of a worker that is gone."""

    async def story() -> None:
        async with peers(tmp_path / "s", 3) as (one, two, web):
            long = b'"' + b"x" * 10_000 + b'"'
            one.say(spans(b"1", b"2"))
            await counted(one)
            two.say(spans(*[long] * 40))
            await counted(two)
            await one.leave()
            first = await taken(web)
            assert first == [b"1", b"2", *[long] * (len(first) - 2)]
            assert len(first) + len(await taken(web, len(first))) == 42
            assert await taken(web, 42 - len(first) - 1, 1) == []
            assert await counted(web) == {"spans_total sent": 41, "spans_total dropped": 1}

    asyncio.run(story())


def test_spans_that_nobody_takes_are_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No web process runs, or its collector is away: the supervisor goes on, with this much memory."""
    monkeypatch.setattr(module, "SPANS_BYTES", 10)

    async def story() -> None:
        async with peers(tmp_path / "s", 1) as (one,):
            for _ in range(3):
                one.say(spans(b"1", b"22"))
            assert await counted(one) == {"spans_total dropped": 2}
            assert await taken(one) == [b"1", b"22", b"1", b"22"]

    asyncio.run(story())


def test_what_was_counted_of_spans_goes_on_when_other_code_takes_over(tmp_path: Path) -> None:
    """A counter never falls; the spans that waited end with the code that ran, and are counted."""

    async def story() -> None:
        async with asyncio.timeout(20), contextlib.AsyncExitStack() as stack:
            before = ClaimDesk(NEVER, lambda _: None)
            await stack.enter_async_context(before.open(tmp_path / "s"))
            one = Peer(*await asyncio.open_unix_connection(tmp_path / "s"))
            one.say(spans(b"1", b"2"), wire.TakeSpans(5))
            await one.hear()
            one.say(spans(b"3"))
            assert await counted(one) == {"spans_total sent": 5}
            async with heir(before, tmp_path / "s"):
                assert await taken(one, 2) == []
                assert await counted(one) == {"spans_total sent": 7, "spans_total dropped": 1}
                await one.leave()

    asyncio.run(story())
