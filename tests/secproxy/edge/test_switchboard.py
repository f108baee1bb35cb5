"""Each station reaches its CSMS: the right one, by the first URL that can be reached, and within its patience."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from secproxy.config import Limits, Outage
from secproxy.edge import switchboard
from secproxy.edge.switchboard import knock
from secproxy.edge.upstream import Way
from secproxy.proxy_protocol import IDENTITY_TYPE, PREFIX, read_prefix, read_source, values
from secproxy.upstreams import Preset, Upstream, UpstreamConfig, plain
from tests.secproxy.edge.doors import (
    ASSERTION_KEY,
    NO_UPSTREAM,
    ROOT,
    STATIONS,
    Csms,
    Door,
    at_port,
    csms,
    door,
    known,
    registered,
    station,
)
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from websockets.http11 import Response

    from secproxy.events import Note

PARTY = STATIONS.issue("SN-1")
OCPP = [Subprotocol("ocpp2.0.1")]
QUICK = Limits(retry_first_seconds=0.05, retry_most_seconds=0.1, upstream_seconds=2)


def on(*ports: int) -> tuple[UpstreamConfig, ...]:
    """URLs on loopback."""
    return tuple(UpstreamConfig("127.0.0.1", port, "", secure=False) for port in ports)


async def notes(at: Door, count: int) -> list[Note]:
    """The next events."""
    return [await at.around.notes.get() for _ in range(count)]


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """A server that takes connections and says nothing."""
    over = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        over.set()


@contextlib.asynccontextmanager
async def answering(status: int) -> AsyncIterator[int]:
    """A CSMS that refuses everybody."""

    def refuse(socket: ServerConnection, _: object) -> Response:
        return socket.respond(status, "no")

    async def nobody(_: ServerConnection) -> None:
        raise AssertionError

    async with serve(nobody, "127.0.0.1", 0, process_request=refuse) as server:
        yield server.sockets[0].getsockname()[1]


def test_stations_go_to_the_csms_of_their_group_and_the_others_to_the_rest(tmp_path: Path) -> None:
    """Each CSMS sees its own stations alone, and each connection knows which it has."""

    async def story() -> None:
        view = known(replace(registered(), group="north"), registered("CP-002", "SN-2"))
        async with csms() as north, csms() as rest:
            ups = (Upstream("north", on(north.port), groups=("north",)), at_port(rest.port))
            async with (
                door(tmp_path, view, upstreams=ups) as at,
                station(tmp_path, at, PARTY),
                station(tmp_path, at, STATIONS.issue("SN-2"), identity="CP-002"),
            ):
                assert [path for path, _ in north.requests] == ["/ocpp/CP-001"]
                assert [path for path, _ in rest.requests] == ["/ocpp/CP-002"]
                assert {link.identity: link.upstream.csms for link in at.links.all()} == {
                    "CP-001": "north",
                    "CP-002": ups[1].name,
                }

    asyncio.run(story())


def test_a_station_that_no_csms_takes_is_turned_away_with_the_reason(tmp_path: Path) -> None:
    """503, one event, and no CSMS hears of it."""

    async def story() -> None:
        async with csms() as north:
            ups = (Upstream("north", on(north.port), groups=("north",)),)
            async with door(tmp_path, known(registered()), upstreams=ups) as at:
                with pytest.raises(InvalidStatus) as refused:
                    await station(tmp_path, at, PARTY)
                assert refused.value.response.status_code == 503
                assert await at.around.causes(1) == ["upstream.none"]
            assert north.requests == []

    asyncio.run(story())


def test_the_second_url_takes_over_and_the_first_comes_back_by_itself(tmp_path: Path) -> None:
    """One event when it goes, one when it is back, none for the stations that went on."""

    async def story() -> None:
        port = free_port()
        async with csms() as spare:
            ups = (Upstream("csms", on(port, spare.port)),)
            async with door(tmp_path, known(registered()), upstreams=ups, limits=QUICK) as at:
                for _ in range(2):
                    async with station(tmp_path, at, PARTY):
                        pass
                [down] = await notes(at, 1)
                assert (down.cause, down.evidence["url"]) == ("upstream.down", f"ws://127.0.0.1:{port}")
                async with listening(port) as main:
                    [up] = await notes(at, 1)
                    assert (up.cause, up.evidence["url"]) == ("upstream.up", f"ws://127.0.0.1:{port}")
                    async with station(tmp_path, at, PARTY):
                        assert len(main.requests) == 1
                assert at.around.notes.empty()
            assert len(spare.requests) == 2

    asyncio.run(story())


@contextlib.asynccontextmanager
async def listening(port: int) -> AsyncIterator[Csms]:
    """A CSMS on a port that was chosen before."""
    seen = Csms(port)
    async with serve(seen.serve, "127.0.0.1", port, subprotocols=OCPP, compression=None):
        yield seen


def test_while_every_url_is_down_stations_are_refused_without_waiting(tmp_path: Path) -> None:
    """The second station's refusal says that it was not even tried; there is still one event for the URL."""

    async def story() -> None:
        limits = Limits(retry_first_seconds=60, retry_most_seconds=60)
        async with door(tmp_path, known(registered()), NO_UPSTREAM, limits=limits) as at:
            for _ in range(2):
                with pytest.raises(InvalidStatus):
                    await station(tmp_path, at, PARTY)
            down, first, second = await notes(at, 3)
            assert [note.cause for note in (down, first, second)] == ["upstream.down", *["upstream.unreachable"] * 2]
            assert "cannot be reached" in str(first.evidence["says"])
            assert "not sent there until" in str(second.evidence["says"])

    asyncio.run(story())


def test_one_station_cannot_take_the_csms_from_the_others(tmp_path: Path) -> None:
    """Whatever a CSMS answers, or if it says nothing: it was reached, so its URL stays up and the next one is tried."""

    async def story() -> None:
        async with silent() as hung, answering(500) as broken, csms() as spare:
            ups = (Upstream("csms", on(hung, broken, spare.port)),)
            limits = Limits(upstream_seconds=1.5)
            async with (
                door(tmp_path, known(registered()), upstreams=ups, limits=limits) as at,
                station(tmp_path, at, PARTY),
            ):
                assert len(spare.requests) == 1
                assert at.around.notes.empty()

    asyncio.run(story())


def test_what_the_csms_says_of_the_station_is_not_asked_for_twice(tmp_path: Path) -> None:
    """A 404 is the answer, at whichever URL of the CSMS."""

    async def story() -> None:
        async with answering(404) as strict, csms() as spare:
            ups = (Upstream("csms", on(strict, spare.port)),)
            async with door(tmp_path, known(registered()), upstreams=ups) as at:
                with pytest.raises(InvalidStatus) as refused:
                    await station(tmp_path, at, PARTY)
                assert refused.value.response.status_code == 503
                [note] = await notes(at, 1)
                assert "status 404" in str(note.evidence["says"])
            assert spare.requests == []

    asyncio.run(story())


def test_all_urls_together_take_no_longer_than_a_station_waits(tmp_path: Path) -> None:
    """Two that hang share the time; the event says how much each had."""

    async def story() -> None:
        async with silent() as one, silent() as two:
            ups, limits = (Upstream("csms", on(one, two)),), Limits(upstream_seconds=0.4)
            async with door(tmp_path, known(registered()), upstreams=ups, limits=limits) as at:
                with pytest.raises(InvalidStatus):
                    await station(tmp_path, at, PARTY)
                [note] = await notes(at, 1)
                assert note.evidence["says"] == "the CSMS did not answer within 0.2 s"

    asyncio.run(story())


@pytest.mark.parametrize("outage", Outage)
def test_attack_39_while_the_csms_is_away_a_station_is_refused_or_held_as_the_policy_says(
    tmp_path: Path, outage: Outage
) -> None:
    """Row 39: refused with 503, or kept waiting until the CSMS is back; never answered by anybody else."""

    async def story() -> None:
        port = free_port()
        limits = replace(QUICK, hold_seconds=20)
        async with door(tmp_path, known(registered()), port, limits=limits, outage=outage) as at:
            coming = asyncio.ensure_future(_come(tmp_path, at))
            assert [note.cause for note in await notes(at, 1)] == ["upstream.down"]
            if outage is Outage.REFUSE:
                assert await coming == 503
                return
            async with listening(port) as back:
                assert await coming == 101
                assert len(back.requests) == 1

    asyncio.run(story())


def test_attack_39_a_held_station_is_let_go_in_time(tmp_path: Path) -> None:
    """Row 39: a CSMS that stays away holds nobody for ever."""

    async def story() -> None:
        limits = replace(QUICK, hold_seconds=0.3)
        async with door(tmp_path, known(registered()), NO_UPSTREAM, limits=limits, outage=Outage.HOLD) as at:
            assert await _come(tmp_path, at) == 503
            assert await at.around.causes(2) == ["upstream.down", "upstream.unreachable"]

    asyncio.run(story())


async def _come(folder: Path, at: Door) -> int:
    try:
        async with station(folder, at, PARTY):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_the_csms_can_verify_who_connected(tmp_path: Path) -> None:
    """The assertion it receives is signed by our key, for it, about this station and its certificate."""

    async def story() -> dict[str, str]:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            async with station(tmp_path, at, PARTY, headers={"Bollard-Assertion": "mine", "bollard_station": "X"}):
                pass
            return backend.requests[0][1]

    headers = asyncio.run(story())
    signed, _, signature = headers["Bollard-Assertion"].rpartition(".")
    ASSERTION_KEY.public_key().verify(base64.urlsafe_b64decode(signature + "=="), signed.encode())
    said = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
    assert (said["iss"], said["sub"], said["aud"], said["serial"]) == ("localhost", "CP-001", "csms", "SN-1")
    assert headers["Bollard-Station"] == "CP-001"
    assert "bollard_station" not in headers


def test_without_a_key_nobody_is_sent_on_unasserted(tmp_path: Path) -> None:
    """A CSMS that relies on assertions never sees a connection without one."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            at.switchboard.signer = None
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, PARTY)
            assert await at.around.causes(1) == ["upstream.unreachable"]
            assert backend.requests == []

    asyncio.run(story())


def test_a_csms_that_wants_neither_assertion_nor_our_names_gets_its_preset(tmp_path: Path) -> None:
    """SteVe: its own path and the certificate; no assertion where it was switched off."""

    async def story() -> None:
        async with csms() as backend:
            ups = (replace(at_port(backend.port), preset=Preset.STEVE, assertion=False),)
            async with door(tmp_path, known(registered()), upstreams=ups) as at, station(tmp_path, at, PARTY):
                [(path, headers)] = backend.requests
                assert path == "/steve/websocket/CentralSystemService/CP-001"
                assert headers["X-Client-Cert"].startswith("-----BEGIN%20CERTIFICATE-----%0A")
                assert "Bollard-Assertion" not in headers

    asyncio.run(story())


def test_the_csms_sees_our_certificate_and_we_believe_its_ca_alone(tmp_path: Path) -> None:
    """wss:// with client certificate, both ways verified."""
    server, us = ROOT.issue("localhost", dns="localhost"), ROOT.issue("Bollard")
    for name, text in (("s.pem", server.key_pem + server.pem), ("us.pem", us.pem), ("us.key", us.key_pem)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "ca.pem").write_text(ROOT.pem)
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.load_cert_chain(tmp_path / "s.pem")
    strict.load_verify_locations(tmp_path / "ca.pem")
    strict.verify_mode = ssl.CERT_REQUIRED

    async def story() -> None:
        seen = Csms()
        async with serve(seen.serve, "127.0.0.1", 0, ssl=strict, subprotocols=OCPP, compression=None) as server:
            port = server.sockets[0].getsockname()[1]
            ca, ours, key = (str(tmp_path / name) for name in ("ca.pem", "us.pem", "us.key"))
            url = UpstreamConfig("localhost", port, "", secure=True)
            secured = replace(plain(url), ca_file=ca, client_certificate=ours, client_key=key)
            async with (
                door(tmp_path, known(registered()), upstreams=(secured,)) as at,
                station(tmp_path, at, PARTY) as client,
            ):
                await client.send('[2,"1","Heartbeat",{}]')
                assert await seen.heard.get() == '[2,"1","Heartbeat",{}]'
                shown = (await seen.sockets.get()).transport.get_extra_info("peercert")
                assert (("commonName", "Bollard"),) in shown["subject"]

    asyncio.run(story())


def test_the_csms_s_load_balancer_learns_the_station_s_address_and_identity(tmp_path: Path) -> None:
    """PROXY protocol towards the CSMS; a look at a URL that is down is a call of our own."""

    async def story() -> None:
        headers: asyncio.Queue[bytes] = asyncio.Queue()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            prefix = await reader.readexactly(PREFIX)
            await headers.put(prefix + await reader.readexactly(read_prefix(prefix)))
            writer.close()

        port = free_port()
        ups = (replace(at_port(port), proxy_protocol=True),)
        async with door(tmp_path, known(registered()), upstreams=ups, limits=QUICK) as at:
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, PARTY)
            async with await asyncio.start_server(take, "127.0.0.1", port):
                look = await headers.get()
                assert read_source(look[:PREFIX], look[PREFIX:]) is None
                while [note.cause for note in await notes(at, 1)] != ["upstream.up"]:
                    pass
                with pytest.raises(InvalidStatus):
                    await station(tmp_path, at, PARTY)
                header = await headers.get()
                source = read_source(header[:PREFIX], header[PREFIX:])
                assert source is not None
                assert source[0] == "127.0.0.1"
                assert dict(values(header[PREFIX + 12 :]))[IDENTITY_TYPE] == b"CP-001"

    asyncio.run(story())


@pytest.mark.parametrize("run", [uvloop.run, asyncio.run])
def test_looks_and_failures_leave_no_complaint_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[Coroutine[object, object, list[str]]], list[str]]
) -> None:
    """What nobody waits for any more must not come out later, as a fault of this program on the operator's terminal."""
    monkeypatch.setattr(switchboard, "KNOCK_SECONDS", 0.2)

    async def story() -> list[str]:
        complaints: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
        limits = Limits(upstream_seconds=0.3)
        strict = ssl.create_default_context()
        async with silent() as hung, answering(404) as refusing:
            for port in (hung, refusing, NO_UPSTREAM):
                for secure in (None, strict):
                    await knock(Way(on(port)[0], secure), limits)
            for port in (hung, refusing, NO_UPSTREAM):
                async with door(_made(tmp_path / str(port)), known(registered()), port, limits=limits) as at:
                    with pytest.raises(InvalidStatus):
                        await station(tmp_path, at, PARTY)
        gc.collect()
        return complaints

    assert run(story()) == []


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
