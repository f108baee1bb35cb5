"""Arrivals through a real door, told of in spans: each step, what became of it, and nothing that is secret."""

from __future__ import annotations

import asyncio
import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.headers import build_authorization_basic

from pki import password
from secproxy.edge import tracing as module
from secproxy.edge.tracing import UNTRACED, Tracer
from secproxy.events import Note, render
from secproxy.spans import Role, Span, read_span
from secproxy.tally import Tally
from secproxy.trace_settings import TraceSettings
from tests.secproxy.edge.doors import NO_UPSTREAM, STATIONS, Csms, csms, door, known, raw_station, registered, station
from tests.secproxy.test_trace_settings import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

PARTY = STATIONS.issue("SN-1")
SECRET = "Kp7tqZ3wYx9RmBc4NsVd"
STEPS = ["handshake", "head", "admission", "claim", "csms.dial"]
ALL = TraceSettings(LOCAL, 1.0, 1.0)


def traced(settings: TraceSettings | None = ALL) -> Tracer:
    """A tracer that is told of everybody, unless something else is said."""
    return Tracer(Tally(), settings)


async def spans(tracer: Tracer, *names: str) -> list[Span]:
    """Wait until spans of these names are there; all that wait, in the order of their telling."""
    found: list[Span] = []
    async with asyncio.timeout(30):
        while not {*names} <= {each.name for each in found}:
            found += map(read_span, tracer.waiting.take(10**6))
            await asyncio.sleep(0.01)
    return found


def parent_of(backend: Csms) -> list[str]:
    """The trace that the CSMS was handed with its last request, taken apart."""
    _, headers = backend.requests[-1]
    return headers["traceparent"].split("-")


def test_an_admitted_station_is_one_trace_from_its_handshake_to_the_end_of_its_session(tmp_path: Path) -> None:
    """The steps follow one another without a gap below the arrival; the CSMS goes on below the dialling."""
    tracer = traced()

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, tracer=tracer) as at:
            async with station(tmp_path, at, PARTY) as socket:
                await socket.send('[2,"1","Heartbeat",{}]')
                await backend.heard.get()
                root, *steps = await spans(tracer, "station.connect")
                [opened] = at.around.opened
                cipher, *_ = socket.transport.get_extra_info("cipher")
            [session] = await spans(tracer, "station.session")
            version, trace, parent, flags = parent_of(backend)
        assert [each.name for each in steps] == STEPS
        assert {each.parent for each in steps} == {root.id}
        assert {each.trace for each in (*steps, session)} == {root.trace} == {trace}
        assert (version, parent, flags) == ("00", steps[-1].id, "01")
        assert all(one.end == two.begin for one, two in pairwise(steps))
        assert root.begin == steps[0].begin
        assert session.begin == steps[-1].end <= root.end
        assert all(each.begin <= each.end for each in (root, *steps, session))
        assert (root.role, steps[-1].role, steps[0].role) == (Role.SERVER, Role.CLIENT, Role.INTERNAL)
        assert not any(each.failed for each in (root, *steps, session))
        assert root.facts == {
            "bollard.profile": 3,
            "bollard.tls.version": "TLSv1.3",
            "bollard.tls.cipher": cipher,
            "bollard.station": "CP-001",
            "bollard.subprotocol": "ocpp2.0.1",
            "bollard.csms": "csms",
            "bollard.outcome": "admitted",
        }
        assert session.parent == root.id
        assert session.facts == {
            "bollard.station": "CP-001",
            "bollard.messages.station": 1,
            "bollard.messages.csms": 0,
            "bollard.closed_by": "station",
        }
        assert opened.evidence["trace_id"] == root.trace

    asyncio.run(story())


@pytest.mark.parametrize(
    ("identity", "port", "cause", "last"),
    [
        pytest.param("CP-404", NO_UPSTREAM, "cert.other_station", "admission", id="another's name"),
        pytest.param("CP-001", NO_UPSTREAM, "upstream.unreachable", "csms.dial", id="a CSMS that is away"),
    ],
)
def test_a_refusal_is_told_with_its_cause_at_the_step_that_failed(
    tmp_path: Path, identity: str, port: int, cause: str, last: str
) -> None:
    """Also when nothing else is traced; the event names the trace."""
    tracer = traced(TraceSettings(LOCAL, 0.0, 1.0))

    async def story() -> None:
        async with door(tmp_path, known(registered(), registered("CP-404", "SN-404")), port, tracer=tracer) as at:
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, PARTY, identity=identity)
            root, *steps = await spans(tracer, "station.connect")
            while (note := await at.around.notes.get()).cause != cause:
                assert "trace_id" not in note.evidence  # such as the CSMS that was found to be down
        assert [each.failed for each in (root, *steps)] == [cause, *[""] * (len(steps) - 1), cause]
        assert [each.name for each in steps] == STEPS[: STEPS.index(last) + 1]
        assert (root.facts["bollard.outcome"], root.facts["bollard.station"]) == (cause, identity)
        assert root.facts["bollard.csms"] == ("csms" if last == "csms.dial" else "")
        assert note.evidence["trace_id"] == root.trace

    asyncio.run(story())


def test_a_handshake_that_fails_is_a_trace_of_one_step(tmp_path: Path) -> None:
    """Somebody who speaks no TLS: there is no version, no cipher, and nobody's name."""
    tracer = traced()

    async def story() -> None:
        async with door(tmp_path, known(registered()), tracer=tracer) as at:
            _, writer = await asyncio.open_connection("localhost", at.port, family=2)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            root, *steps = await spans(tracer, "station.connect")
            writer.close()
        assert [each.name for each in steps] == ["handshake"]
        assert root.failed == root.facts["bollard.outcome"] != ""
        assert "bollard.tls.version" not in root.facts

    asyncio.run(story())


def test_whoever_hangs_up_by_himself_is_none_of_those_refused(tmp_path: Path) -> None:
    """A load balancer that looks whether we listen does so each second; it counts with those that went well."""
    tracer = traced()

    async def story() -> None:
        async with door(tmp_path, known(registered()), tracer=tracer) as at:
            _, writer = await raw_station(tmp_path, at, PARTY)
            writer.close()
            root, *_ = await spans(tracer, "station.connect")
        assert (root.failed, root.facts["bollard.outcome"]) == ("", "gone")

    asyncio.run(story())
    seldom = traced(TraceSettings(LOCAL, 0.0, 1.0))
    seldom.begin(3).end("gone")
    assert len(seldom.waiting) == 0


@pytest.mark.parametrize("settings", [None, TraceSettings(LOCAL, 0.0, 0.0)], ids=["off", "none of them"])
def test_who_is_not_traced_leaves_no_trace(tmp_path: Path, settings: TraceSettings | None) -> None:
    """No span, no word in an event; and the station's own ``traceparent`` reaches nobody, traced or not."""
    tracer, theirs = traced(settings), {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "tracestate": "x=y"}

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, tracer=tracer) as at:
            async with station(tmp_path, at, PARTY, headers=theirs):
                pass
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, PARTY, identity="CP-404", headers=theirs)
            await backend.closed.get()
            while at.links.all():  # noqa: ASYNC110 - a link tells nobody that it is gone
                await asyncio.sleep(0.01)
            notes = [*at.around.opened, await at.around.notes.get()]
            [(_, headers)] = backend.requests
        assert not any("trace_id" in note.evidence for note in notes)
        assert len(tracer.waiting) == 0
        assert "tracestate" not in headers
        if settings is None:
            assert "traceparent" not in headers
        else:
            _, trace, _, flags = headers["traceparent"].split("-")
            assert (trace != "a" * 32, flags) == (True, "00")

    asyncio.run(story())


def test_no_password_is_in_a_span_whether_it_is_right_or_wrong(tmp_path: Path) -> None:
    """Nor what the header said of it."""
    tracer = traced()
    verifier = password.remember(SECRET, b"s" * 16, generated=True)

    async def story() -> None:
        view = known(registered(profile=2, verifier=verifier))
        async with csms() as backend, door(tmp_path, view, backend.port, profile=2, tracer=tracer) as at:
            for guess in (SECRET, "wrong" + SECRET):
                header = build_authorization_basic("CP-001", guess)
                try:
                    async with station(tmp_path, at, headers={"Authorization": header}):
                        await backend.sockets.get()
                except InvalidStatus:
                    pass
                said = b"".join(tracer.waiting.take(10**6)).decode()
                assert "station.connect" in said
                assert ("auth.wrong_password" in said) is (guess != SECRET)
                assert not any(word in said for word in (SECRET, guess, header.split()[1], "127.0.0.1"))

    asyncio.run(story())


def test_a_name_that_a_stranger_made_up_is_cut_and_printable() -> None:
    """As events have it."""
    tracer, note = traced(), Note("station.unknown", "\x1b[2J\u202e" * 100)
    tracer.begin(3).end(note.cause, note)
    root, *_ = map(read_span, tracer.waiting.take(10**6))
    said = str(root.facts["bollard.station"])
    assert said.isprintable()
    assert said == render(note, "", dt.datetime.now(dt.UTC))["station"]


def test_what_nobody_takes_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of refusals costs this much memory, and no more; who was there first stays."""
    monkeypatch.setattr(module, "WAITING_BYTES", 2_000)
    tally = Tally()
    tracer = Tracer(tally, ALL)
    for _ in range(100):
        tracer.begin(3).end("station.unknown", Note("station.unknown", "CP-1"))
    kept = tracer.waiting.take(10**6)
    assert 0 < sum(map(len, kept)) <= 2_000
    assert tally.counters == {"spans_total dropped": 200 - len(kept)}
    assert len(kept) % 2 == 0


def test_settings_that_change_hold_for_whoever_comes_next() -> None:
    """Who is on the way is told of as it was begun; without settings nothing is kept at all."""
    tracer = traced(None)
    assert tracer.begin(3) is UNTRACED
    tracer.settings = ALL
    trace = tracer.begin(3)
    tracer.settings = None
    trace.end("gone")
    assert len(tracer.waiting) == 2


def test_nothing_is_known_of_a_session_whose_arrival_was_not_told_of() -> None:
    """Its end is told of just as little."""
    tracer = traced(TraceSettings(LOCAL, 0.0, 1.0))
    tracer.begin(3).admitted(7, Note("session.opened", "CP-1"), "ocpp1.6", "csms")
    tracer.ended(7, "proxy", (1, 1))
    assert len(tracer.waiting) == 0
