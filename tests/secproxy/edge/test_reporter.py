"""A worker tells what it carries: real stations, a real CSMS, and the supervisor's desk that adds it up."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import msgspec
from websockets.exceptions import InvalidStatus
from websockets.headers import build_authorization_basic

from pki.edge import calls
from secproxy.edge import claim_wire as wire
from secproxy.edge.line_end import ask
from secproxy.edge.overview import look
from secproxy.edge.reporter import Sums
from secproxy.spans import read_span
from secproxy.tally import Tally
from tests.secproxy.edge.doors import csms
from tests.secproxy.edge.test_tracing import STEPS
from tests.secproxy.edge.workers import HEARTBEAT, dial, issue, met, working
from tests.secproxy.test_trace_settings import TRACES
from tests.worlds import Paper, connected, make_home, running_authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.edge.claim_wire import Seen


async def until(home: Home, so: Callable[[Seen], bool]) -> Seen:
    """Look until something is so."""
    while not so(seen := await look(home)):  # noqa: ASYNC110 - another process counts, and tells nobody
        await asyncio.sleep(0.05)
    return seen


def test_a_session_is_counted_while_it_lives_and_when_it_has_ended(tmp_path: Path) -> None:
    """Its profile and version, its messages and bytes, the handshake, the dialling; then who ended it."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            async with met(port, context) as socket:
                for _ in range(3):
                    await socket.send(HEARTBEAT.replace('"1"', f'"{_}"'))
                    await backend.heard.get()
                seen = await until(home, lambda seen: seen.counters.get("messages_total station") == 3)
                assert seen.gauges["connections 3 ocpp1.6"] == 1
                assert seen.gauges["claims"] == 1
                assert seen.gauges["process_open_fds worker-0"] > 5
                assert seen.gauges["upstream_workers csms 0 up"] == 1
                assert seen.gauges["loop_lag_seconds worker-0"] >= 0
                arrivals = sum(count for name, count in seen.counters.items() if name.startswith("arrivals_total 3 "))
                assert seen.counters["handshakes_total TLSv1.3"] == arrivals
                assert seen.counters["arrivals_total 3 admitted"] == 1
                assert seen.counters["upstream_dial_seconds csms sum"] > 0
            seen = await until(home, lambda seen: "sessions_closed_total station" in seen.counters)
            assert seen.counters["messages_total station"] == 3
            assert seen.counters["messages_total csms"] == 0
            assert seen.counters["bytes_total received"] > 3 * len(HEARTBEAT)
            assert seen.counters["bytes_total sent"] > 1_000  # a chain of certificates among them
            assert "connections 3 ocpp1.6" not in seen.gauges
            assert seen.gauges["claims"] == 0

    with running_authority(home):
        asyncio.run(story())


def test_a_refusal_is_counted_by_its_cause_and_an_end_by_who_began_it(tmp_path: Path) -> None:
    """A certificate that is revoked while its station is connected: the proxy ends that, and refuses the next."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            async with met(port, context):
                rows = await authority.ask(calls.ListCertificates(station="CP-001"), calls.Certificates)
                await authority.ask(calls.RevokeCertificate(rows.certificates[0].serial), calls.Done)
                await until(home, lambda seen: seen.counters.get("sessions_closed_total proxy") == 1)
            refused = False
            while not refused:
                try:
                    await dial(port, context)
                except InvalidStatus:
                    refused = True
            await until(home, lambda seen: seen.counters.get("arrivals_total 3 cert.revoked") == 1)

    with running_authority(home):
        asyncio.run(story())


def test_the_last_report_is_told_when_a_worker_is_asked_to_end(tmp_path: Path) -> None:
    """SIGTERM costs no count: what was counted within its last second is in the sum."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, process, _ready), connected(home) as authority:
            await authority.ask(Paper.of(2).add, calls.StationAdded)
            context = await issue(authority, tmp_path)
            async with met(port, context) as socket:
                await until(home, lambda seen: seen.gauges.get("claims") == 1)
                await socket.send(HEARTBEAT)
                await backend.heard.get()
                process.terminate()
                await until(home, lambda seen: not seen.open)  # told at once: no more stations are taken in
                seen = await until(home, lambda seen: "loop_lag_seconds worker-0" not in seen.gauges)
            assert seen.counters["messages_total station"] == 1
            assert seen.counters["sessions_closed_total proxy"] == 1

    with running_authority(home):
        asyncio.run(story())


def test_the_last_spans_are_handed_over_when_a_worker_is_asked_to_end(tmp_path: Path) -> None:
    """A real worker, fenced in: an arrival and its session, told before it is gone."""
    home = make_home(tmp_path)
    home.settings.write_text(home.settings.read_text() + TRACES + "ratio = 1\n")

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, process, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            async with met(port, context):
                await until(home, lambda seen: seen.gauges.get("claims") == 1)
                process.terminate()
                await until(home, lambda seen: "loop_lag_seconds worker-0" not in seen.gauges)
            line = await ask(home.claims_socket, wire.TakeSpans())
            taken = msgspec.json.decode(line, type=wire.SpansTaken).spans
            spans = {span.name: span for span in map(read_span, map(bytes, taken))}
            assert {*STEPS, "station.connect", "station.session"} == set(spans)
            assert {span.trace for span in spans.values()} == {spans["station.connect"].trace}
            assert spans["station.session"].facts["bollard.closed_by"] == "proxy"

    with running_authority(home):
        asyncio.run(story())


def test_a_guest_is_no_live_station(tmp_path: Path) -> None:
    """Who is kept in quarantine was let in, and is neither admitted nor connected with a CSMS."""
    home = make_home(tmp_path)
    swap = ("profile = 3", 'profile = 2\nunknown = "quarantine"')

    async def story() -> None:
        async with csms() as backend, working(home, backend, swaps=(swap,)) as (port, _, _ready):
            context = ssl.create_default_context(cadata=(home.ca / "root.pem").read_text())
            headers = {"Authorization": build_authorization_basic("CP-404", "a password of 20")}
            async with dial(port, context, "CP-404", headers):
                seen = await until(home, lambda seen: seen.counters.get("arrivals_total 2 guest") == 1)
                assert "arrivals_total 2 admitted" not in seen.counters
                assert "connections 2 ocpp1.6" not in seen.gauges

    with running_authority(home):
        asyncio.run(story())


def test_what_is_counted_never_falls_and_is_counted_once() -> None:
    """Seen while it lives, seen again, ended with more than was seen; one that ended before anybody looked."""
    sums, kept = Sums("messages_total", "station", "csms"), Tally()

    def told() -> tuple[float, float]:
        tally = Tally(dict(kept.counters))
        sums.count_live(tally)
        return tally.counters["messages_total station"], tally.counters["messages_total csms"]

    assert told() == (0, 0)
    sums.see(1, (3, 2))
    sums.see(2, (10, 10))
    assert told() == (13, 12)
    sums.see(1, (4, 2))
    sums.see(1, (4, 2))
    assert told() == (14, 12)
    sums.count_ended(1, (5, 3), kept)
    assert told() == (15, 13)
    sums.count_ended(3, (1, 0), kept)
    assert told() == (16, 13)
