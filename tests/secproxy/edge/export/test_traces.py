"""Spans from the supervisor's desk to a collector over real sockets: what is kept, what is dropped, what is counted."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from secproxy.edge import claim_wire as wire
from secproxy.edge import line_end
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.export import deliveries
from secproxy.edge.export.standing import FILE, Standing, place, read_standing
from secproxy.edge.export.traces import SpanSender, send_spans
from secproxy.edge.overview import look
from secproxy.export import otlp_traces
from secproxy.spans import write_span
from secproxy.trace_settings import TraceSettings
from tests.secproxy.edge.export.test_deliveries import OK, Receiver, sink
from tests.secproxy.edge.homes import bare_home
from tests.secproxy.export.samples import ORIGIN
from tests.secproxy.test_spans import span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.spans import Span

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
SPANS = [span(), span(failed="cert.revoked")]


class House:
    """A home whose supervisor has spans, and a collector that answers as it is told."""

    def __init__(self, home: Home, receiver: Receiver, port: int) -> None:
        self.home, self.receiver = home, receiver
        self.settings = TraceSettings(sink(port, "otlp"))
        self.sender = SpanSender(home, self.settings, ORIGIN)

    async def told(self, *spans: Span | bytes) -> None:
        """A worker tells the supervisor of spans."""
        reader, writer = await asyncio.open_unix_connection(self.home.claims_socket)
        written = [each if isinstance(each, bytes) else write_span(each) for each in spans]
        writer.write(line_end.line(wire.Hello(0)) + line_end.line(wire.Spans([msgspec.Raw(each) for each in written])))
        writer.write(line_end.line(wire.Look()))  # once it is answered, the desk has heard the rest
        await reader.readline()
        writer.close()

    async def counted(self) -> dict[str, float]:
        """What the supervisor has counted of spans, by outcome."""
        found = (await look(self.home)).counters
        return {key.split(" ")[1]: value for key, value in found.items() if key.startswith("spans_total ")}

    def bodies(self) -> list[bytes]:
        """What the collector was sent."""
        return [body for _, body in self.receiver.requests]


@contextlib.asynccontextmanager
async def house(folder: Path, answer: bytes) -> AsyncIterator[House]:
    """Put one together."""
    home, receiver = bare_home(folder / "h"), Receiver(answer)
    server = await asyncio.start_server(receiver, "127.0.0.1", 0)
    async with asyncio.timeout(30), ClaimDesk(3, lambda _: None).open(home.claims_socket), server:
        yield House(home, receiver, server.sockets[0].getsockname()[1])
        await asyncio.gather(*receiver.talks)  # whoever asked has hung up


def live(folder: Path, answer: bytes, story: Callable[[House], Awaitable[None]]) -> None:
    """Run a story in one."""

    async def run() -> None:
        async with house(folder, answer) as at:
            await story(at)

    asyncio.run(run())


def test_what_workers_told_is_posted_in_one_request_and_counted_as_sent(tmp_path: Path) -> None:
    """With the next look for spans; where there are none, nothing is posted."""

    async def story(at: House) -> None:
        await at.sender.turn()
        await at.told(*SPANS)
        await at.sender.turn()
        assert at.bodies() == [otlp_traces.batch(SPANS, ORIGIN)]
        assert at.receiver.header("Content-Type") == "application/json"
        await at.sender.turn()
        assert len(at.bodies()) == 1
        assert await at.counted() == {"sent": 2}

    live(tmp_path, OK, story)


def test_how_the_collector_is_doing_is_kept(tmp_path: Path) -> None:
    """When it took some last; or what is wrong since when, until it takes some again. A new sender knows it at once."""

    async def story(at: House) -> None:
        sink = at.settings.sink
        assert read_standing(at.home, sink) == Standing(place(sink))
        await at.told(*SPANS)
        await at.sender.turn()
        took = read_standing(at.home, sink)
        assert (bool(took.taken), took.trouble, took.since) == (True, "", "")
        at.receiver.answer = BAD
        await at.told(*SPANS)
        await at.sender.turn()
        await at.sender.turn()
        down = read_standing(at.home, sink)
        assert (down.taken, "400" in down.trouble, bool(down.since)) == (took.taken, True, True)
        later = SpanSender(at.home, at.settings, ORIGIN)
        at.receiver.answer = BUSY
        await at.told(*SPANS)
        await later.turn()
        still = read_standing(at.home, sink)
        assert ("503" in still.trouble, still.since) == (True, down.since)
        at.receiver.answer = OK
        await later.turn()
        assert read_standing(at.home, sink).trouble == ""

    live(tmp_path, OK, story)


def test_a_disk_that_takes_nothing_hinders_no_span(tmp_path: Path) -> None:
    """How the collector is doing is for people; spans go on."""

    async def story(at: House) -> None:
        (at.home.run / FILE).mkdir()
        await at.told(*SPANS)
        await at.sender.turn()
        await at.sender.turn()
        assert await at.counted() == {"sent": 2}

    live(tmp_path, OK, story)


def test_a_collector_that_is_busy_is_sent_the_same_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Later and later; the trouble is told once."""

    async def story(at: House) -> None:
        await at.told(*SPANS)
        pauses = [await at.sender.turn() for _ in range(3)]
        assert 0.5 <= pauses[0] <= 1 <= pauses[1] <= 2 <= pauses[2] <= 4
        await at.told(span(name="later"))
        at.receiver.answer = OK
        await at.sender.turn()
        assert at.bodies() == [otlp_traces.batch(SPANS, ORIGIN)] * 4
        await at.sender.turn()
        assert b'"later"' in at.bodies()[-1]
        await at.sender.turn()
        assert await at.counted() == {"sent": 3}

    live(tmp_path, BUSY, story)
    assert capsys.readouterr().err.count("503") == 1


def test_what_is_refused_for_good_is_not_said_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is dropped and counted, and told once however often it happens; what comes after it is sent."""

    async def story(at: House) -> None:
        for name in ("one", "two"):
            await at.told(span(name=name))
            await at.sender.turn()
        at.receiver.answer = OK
        await at.told(span(name="three"))
        await at.sender.turn()
        assert len(at.bodies()) == 3
        await at.sender.turn()
        assert await at.counted() == {"dropped": 2, "sent": 1}

    live(tmp_path, BAD, story)
    assert capsys.readouterr().err.count("400") == 1


def test_what_is_no_span_is_left_out_and_counted(tmp_path: Path) -> None:
    """A worker that somebody has taken over cannot make the collector refuse what others say."""

    async def story(at: House) -> None:
        await at.told(b"{}", *SPANS, b"7")
        await at.sender.turn()
        assert at.bodies() == [otlp_traces.batch(SPANS, ORIGIN)]
        await at.sender.turn()
        assert await at.counted() == {"dropped": 2, "sent": 2}

    live(tmp_path, OK, story)


def test_a_collector_that_hangs_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up after a while; meanwhile the supervisor answers, takes spans, and drops those without room."""
    monkeypatch.setattr(deliveries, "DEADLINE", 0.3)

    async def story(at: House) -> None:
        sending = asyncio.ensure_future(send_spans(at.home, at.settings, ORIGIN))
        await at.told(*SPANS)
        while not at.bodies():  # noqa: ASYNC110 - a receiver tells nobody
            await asyncio.sleep(0.01)
        many = [span(facts={"n": number, "text": "x" * 250}) for number in range(400)]
        while not (await at.counted()).get("dropped"):
            await at.told(*many)
        assert "sent" not in await at.counted()
        at.receiver.answer = OK
        while not (await at.counted()).get("sent"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        sending.cancel()
        await asyncio.wait({sending})
        assert at.bodies()[:2] == [otlp_traces.batch(SPANS, ORIGIN)] * 2

    live(tmp_path, b"", story)


@pytest.mark.parametrize("spans", [[], SPANS])
def test_without_a_supervisor_or_a_collector_it_goes_on(tmp_path: Path, spans: list[Span]) -> None:
    """The web process is there for more than this."""

    async def story(at: House) -> None:
        await at.told(*spans)
        nobody = SpanSender(bare_home(tmp_path / "other"), at.settings, ORIGIN)
        assert await nobody.turn() == 1.0
        nowhere = SpanSender(at.home, TraceSettings(sink(1, "otlp")), ORIGIN)
        assert 0.5 <= await nowhere.turn() <= 1.0
        assert at.bodies() == []

    live(tmp_path, OK, story)


def test_a_token_is_shown_and_stands_nowhere_else(tmp_path: Path) -> None:
    """It is read by the process that sends, anew each time, and is in no span and no line."""
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o600)

    async def story(at: House) -> None:
        there = sink(at.settings.sink.port, "otlp", token_file=str(token))
        await at.told(*SPANS)
        await SpanSender(at.home, TraceSettings(there), ORIGIN).turn()
        assert at.receiver.header("Authorization") == "Bearer t0ken"
        assert "t0ken" not in json.dumps([body.decode() for body in at.bodies()])

    live(tmp_path, OK, story)
