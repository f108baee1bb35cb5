"""Who came, and how long it took, reaches a collector of traces from a running ``bollard up``; a CSMS goes on with it.

All of it over real sockets: stations, CSMS, the processes between them, and a collector that takes OTLP over HTTP.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.stories import kernel
from tests.stories.collectors import served
from tests.stories.town import PAPERS, Town, is_refused, talks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token-that-nobody-else-may-see"


class Collector:
    """Keeps what it is sent while it answers; while it hangs it takes connections and says nothing."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[tuple[str, str, bytes]] = []
        self.answers = threading.Event()
        self.hung = threading.Event()
        self.answers.set()

    def spans(self) -> list[dict[str, Any]]:
        """Every span of every request that was taken."""
        bodies = [json.loads(body) for _, _, body in self.requests]
        scopes = [scope for body in bodies for each in body["resourceSpans"] for scope in each["scopeSpans"]]
        return [span for scope in scopes for span in scope["spans"]]

    def trace_of(self, name: str, identity: str) -> dict[str, Any]:
        """Wait for a station's span of this name."""
        return kernel.until(f"{name} of {identity} arrives", lambda: self._found(name, identity))[-1]

    def _found(self, name: str, identity: str) -> list[dict[str, Any]]:
        spans = [span for span in self.spans() if span["name"] == name]
        return [span for span in spans if facts(span).get("bollard.station") == {"stringValue": identity}]


def facts(span: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span."""
    return {each["key"]: each["value"] for each in span["attributes"]}


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    found = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if not found.answers.is_set():
                found.hung.set()
                found.answers.wait()
                return
            found.requests.append((self.path, self.headers["Authorization"], content))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """It says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    with served(server):
        try:
            yield found
        finally:
            found.answers.set()


class Traced(Town):
    """A town that tells a collector of everybody who comes."""

    def __init__(self, folder: Path, collector: Collector) -> None:
        self.collector = collector
        super().__init__(folder)

    def settle(self) -> None:
        """Name the collector in the settings, before anything runs."""
        token = self.world.folder / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        there = f'[traces]\notlp = "http://127.0.0.1:{self.collector.port}/v1/traces"\nratio = 1.0\n'
        text = f'{self.home.settings.read_text()}\n{there}token_file = "{token}"\n'
        self.home.settings.write_text(text)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """A town, for all stories of this file."""
    with collecting() as collector:
        town = Traced(tmp_path_factory.mktemp("town"), collector)
        try:
            yield town
        finally:
            town.close()


def test_a_station_is_one_trace_from_its_first_byte_to_its_last_and_its_csms_is_handed_it(traced: Traced) -> None:
    """Every step is a span below its arrival; the event of its coming names the trace, the request to the CSMS too."""
    identity = PAPERS[0].identity
    station = traced.connects(identity)
    talks(station, "traced-1")
    connected = traced.csms.wait_for("it connects", lambda fact: fact.get("connected") == identity)
    root = traced.collector.trace_of("station.connect", identity)
    station.end()
    session = traced.collector.trace_of("station.session", identity)

    below = [span for span in traced.collector.spans() if span.get("parentSpanId") == root["spanId"]]
    steps = {span["name"]: span for span in below}
    assert set(steps) == {"handshake", "head", "admission", "claim", "csms.dial", "station.session"}
    assert {span["traceId"] for span in below} == {root["traceId"]} == {session["traceId"]}
    assert facts(root)["bollard.outcome"] == {"stringValue": "admitted"}
    assert int(facts(session)["bollard.messages.station"]["intValue"]) >= 2
    headers: dict[str, str] = dict(connected["headers"])  # type: ignore[call-overload]  # it is JSON
    parent = {name.lower(): value for name, value in headers.items()}["traceparent"]
    assert parent == f"00-{root['traceId']}-{steps['csms.dial']['spanId']}-01"
    kernel.until("the event is recorded", lambda: root["traceId"] in opened(traced, identity))


def opened(town: Town, identity: str) -> list[str]:
    """The traces that the events of a station's coming name."""
    events = [each for each in town.events() if (each["cause"], each["station"]) == ("session.opened", identity)]
    return [str(dict(each["evidence"]).get("trace_id")) for each in events]  # type: ignore[call-overload]  # it is JSON


def test_a_refusal_is_told_with_its_cause(traced: Traced) -> None:
    """By the step that failed, so that nobody has to look for it."""
    identity = PAPERS[1].identity
    traced.revoke(identity)
    is_refused(traced.knocks(identity))
    root = traced.collector.trace_of("station.connect", identity)

    failed = [
        span["name"] for span in traced.collector.spans() if span["traceId"] == root["traceId"] and "status" in span
    ]
    assert sorted(failed) == ["admission", "station.connect"]
    assert root["status"] == {"code": 2, "message": "cert.revoked"}


def test_a_collector_that_hangs_costs_no_station_anything(traced: Traced) -> None:
    """Stations come, talk and go while it says nothing; when it speaks again it is told of them."""
    traced.collector.answers.clear()
    traced.connects(PAPERS[2].identity).end()
    assert traced.collector.hung.wait(60)
    station = traced.connects(PAPERS[3].identity)
    talks(station, "traced-2")
    traced.collector.answers.set()
    for paper in PAPERS[2:4]:
        traced.collector.trace_of("station.connect", paper.identity)


def test_the_token_reaches_the_collector_and_nobody_else(traced: Traced) -> None:
    """It is shown with each request, and stands in none of them."""
    assert traced.collector.requests
    for path, authorization, body in traced.collector.requests:
        assert (path, authorization) == ("/v1/traces", f"Bearer {TOKEN}")
        assert TOKEN.encode() not in body


def test_traces_are_switched_off_while_stations_talk(traced: Traced) -> None:
    """No connection is touched, and who comes after that is told of to nobody."""
    station = traced.connects(PAPERS[4].identity)
    traced.home.settings.write_text(traced.home.settings.read_text().replace("\notlp = ", "\n# otlp = "))
    assert "traces" in traced.world.bollard("reload", shown=False)
    talks(station, "traced-3")
    traced.connects(PAPERS[5].identity)
    met = {fact["connected"]: fact["headers"] for fact in traced.csms.facts() if "connected" in fact}
    assert "traceparent" in str(met[PAPERS[4].identity])
    assert "traceparent" not in str(met[PAPERS[5].identity])
