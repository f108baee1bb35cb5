"""The live connection: bytes go on as they came, the session hears what its plan names, and every end is clean."""

from __future__ import annotations

import asyncio
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from secproxy.config import Limits
from secproxy.edge import tls
from secproxy.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, encode
from secproxy.message_settings import MessageSettings
from secproxy.orders import Granted
from secproxy.plan import Side
from tests.secproxy.edge.doors import (
    PARTY,
    STATIONS,
    UPGRADE,
    csms,
    deaf,
    door,
    known,
    raw_station,
    registered,
    say,
    station,
    talk,
)

if TYPE_CHECKING:
    from pathlib import Path


MASK = b"\x11\x22\x33\x44"
ODD = [
    '[2,"1","Heartbeat",{}]',
    '[ 2 , "2" ,\t"MeterValues",\n{"unit":"\\u00b0C","value":"1e3","x":[1.50, -0.0]} ]',
    '[2,"3","DataTransfer",{"ключ":"значение", "a":1,  "a2":[]}]',
    '[2,"4","DataTransfer",{"data":"' + "x" * 60_000 + '"}]',
]


def test_messages_reach_either_side_byte_for_byte(tmp_path: Path) -> None:
    """Blanks, escapes, number forms and key order are nobody's business but the two ends'."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, backend, _):
            for message in ODD:
                await client.send(message)
            assert [await backend.heard.get() for _ in ODD] == ODD
            for message in ODD:
                await server.send(message)
            assert [await client.recv() for _ in ODD] == ODD

    asyncio.run(story())


def test_a_fragmented_message_arrives_as_one(tmp_path: Path) -> None:
    """Both directions: fragments are put together, what they say is unchanged."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, backend, _):
            await client.send(['[2,"1",', '"Heartbeat"', ",{}]"])
            assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
            await server.send(['[3,"1",', '{"a":1}', "]"])
            assert await client.recv() == '[3,"1",{"a":1}]'

    asyncio.run(story())


def test_pings_are_answered_at_the_proxy_on_both_sides(tmp_path: Path) -> None:
    """Each leg's health is measured where it is; a ping is no message."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, backend, _):
            await (await client.ping("from the station"))
            await (await server.ping("from the CSMS"))
            assert backend.heard.empty()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("after", "code"),
    [(encode(BINARY, b"x", MASK), 1003), (encode(CLOSE, b"\x03\xe8", MASK) + encode(TEXT, b"[3]", MASK), 1000)],
    ids=["a violation", "a goodbye, and more"],
)
def test_what_was_said_before_the_end_is_passed_on_and_nothing_after_it(
    tmp_path: Path, after: bytes, code: int
) -> None:
    """A StopTransaction is not lost because what follows in the same read is wrong; after a close nothing is said."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(encode(TEXT, b'[2,"1","StopTransaction",{}]', MASK) + after)
            assert await backend.heard.get() == '[2,"1","StopTransaction",{}]'
            assert await backend.closed.get() == (1001 if code == 1003 else code)
            assert backend.heard.empty()
            assert code.to_bytes(2) in (await reader.read())[:4]
            writer.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(encode(BINARY, b"x", MASK), 1003, id="test_attack_21 a binary message"),
        pytest.param(encode(TEXT, b"x"), 1002, id="test_attack_21 an unmasked frame"),
        pytest.param(b"\xc1" + encode(TEXT, b"x", MASK)[1:], 1002, id="test_attack_21 a reserved bit"),
        pytest.param(b"\x81\xff" + (1 << 33).to_bytes(8), 1009, id="test_attack_17 eight gigabytes announced"),
        pytest.param(encode(TEXT, b"\xc3\x28", MASK), 1007, id="test_attack_23 text that is not UTF-8"),
        pytest.param(encode(PING, b"", MASK) * 40, 1008, id="test_attack_20 a ping flood"),
        pytest.param(encode(PONG, b"", MASK) * 40, 1008, id="test_attack_20 a pong flood"),
        pytest.param(
            b"\x01" + encode(TEXT, b"", MASK)[1:] + (b"\x00" + encode(CONTINUATION, b"", MASK)[1:]) * 70,
            1008,
            id="test_attack_18 endless empty fragments",
        ),
        pytest.param(encode(TEXT, b"[2", MASK)[:5], 1008, id="test_attack_19 a frame that never ends"),
    ],
)
def test_attack_17_a_frame_that_breaks_the_rules_closes_both_legs_with_one_event(
    tmp_path: Path, frame: bytes, code: int
) -> None:
    """Rows 17 to 23: the RFC's close code for the station, 1001 for the CSMS, one event for us."""

    async def story() -> None:
        limits = Limits(partial_frame_seconds=0.2)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame)
            last = await reader.read()
            assert code.to_bytes(2) in last
            assert last.count(b"\x88") >= 1
            assert await backend.closed.get() == 1001
            assert await at.around.causes(1) == ["frame.violation"]
            writer.close()

    asyncio.run(story())


def test_a_csms_that_hangs_up_takes_its_station_s_connection_with_it(tmp_path: Path) -> None:
    """OCPP-J: a station whose CSMS is gone is to connect again, so it is told."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, _, at):
            server.transport.abort()
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            assert at.around.notes.empty()

    asyncio.run(story())


def test_a_close_passes_through_with_its_code_and_reason(tmp_path: Path) -> None:
    """What one end says in closing, the other end hears."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, _, _at):
            await server.close(4001, "maintenance")
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "maintenance")

    asyncio.run(story())


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4000])
def test_a_station_that_takes_leave_hears_its_own_code_again(tmp_path: Path, code: int) -> None:
    """RFC 6455 5.5.1: the CSMS echoes the code; that is an answer, not a CSMS that leaves all its stations."""

    async def story() -> None:
        async with talk(tmp_path) as (client, _, backend, at):
            at.around.graces.append(20.0)
            await client.close(code, "rebooting")
            assert await backend.closed.get() == code
            assert client.close_code == code

    asyncio.run(story())


@pytest.mark.parametrize(
    ("frame", "code"),
    [(encode(TEXT, b"x" * 2_001), 1009), (encode(BINARY, b"x"), 1003), (encode(PING, b"") * 40, 1008)],
    ids=["too big", "binary", "too many pings"],
)
def test_a_csms_that_breaks_the_rules_is_told_which(tmp_path: Path, frame: bytes, code: int) -> None:
    """RFC 6455 7.4.1: who looks for the fault at the CSMS finds it named; the station hears that it is to come back."""

    async def story() -> None:
        async with talk(tmp_path, Limits(frame_down=2_000)) as (client, server, backend, at):
            server.transport.write(frame)
            assert await backend.closed.get() == code
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1001
            assert await at.around.causes(1) == ["frame.violation"]

    asyncio.run(story())


def test_a_boot_notification_is_learned_and_passed_on(tmp_path: Path) -> None:
    """The authority hears vendor and model; the CSMS hears the station's own bytes."""
    boot = '[2,"b","BootNotification", {"reason":"PowerUp","chargingStation":{"vendorName":"Acme","model":"One"}}]'

    async def story() -> None:
        async with talk(tmp_path) as (client, _, backend, at):
            await client.send(boot)
            assert await backend.heard.get() == boot
            [(identity, learned)] = at.around.learned
            assert (identity, learned.vendor, learned.model) == ("CP-001", "Acme", "One")

    asyncio.run(story())


def test_an_unsigned_update_is_answered_by_the_proxy_and_never_reaches_the_station(tmp_path: Path) -> None:
    """FIRMWARE: row 27. The CSMS hears Rejected, the next message passes as before."""
    update = '[2,"u","UpdateFirmware",{"requestId":1,"firmware":{"location":"http://x/y","retrieveDateTime":"%s"}}]'

    async def story() -> None:
        async with talk(tmp_path) as (client, server, backend, at):
            await server.send(update % "2026-01-01T00:00:00Z")
            assert '"Rejected"' in await backend.heard.get()
            await server.send('[2,"h","GetLocalListVersion",{}]')
            assert await client.recv() == '[2,"h","GetLocalListVersion",{}]'
            assert await at.around.causes(1) == ["firmware.unsigned"]

    asyncio.run(story())


def test_attack_28_an_answer_to_nothing_is_dropped_and_the_next_message_goes_on(tmp_path: Path) -> None:
    """Row 28: an answer passes once, to the call that waits for it; whoever guesses ids moves nothing."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, backend, at):
            await server.send('[2,"c","GetLocalListVersion",{}]')
            assert await client.recv() == '[2,"c","GetLocalListVersion",{}]'
            for answer in ('[3,"c",{"listVersion":1}]', '[3,"c",{"listVersion":2}]', '[4,"x","GenericError","",{}]'):
                await client.send(answer)
            await client.send('[2,"h","Heartbeat",{}]')
            assert [await backend.heard.get() for _ in range(2)] == [
                '[3,"c",{"listVersion":1}]',
                '[2,"h","Heartbeat",{}]',
            ]
            assert await at.around.causes(2) == ["message.unasked", "message.unasked"]

    asyncio.run(story())


def test_all_that_is_asked_at_once_is_answered(tmp_path: Path) -> None:
    """OCPP-J 4.1.1 wants one call at a time, but what a station gathered while offline may come all at once."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, backend, at):
            numbers = range(1_000)
            for number in numbers:
                await client.send(f'[2,"{number}","StopTransaction",{{}}]')
                await server.send(f'[2,"{number}","GetReport",{{}}]')
            for number in numbers:
                assert (await backend.heard.get()).startswith(f'[2,"{number}"')
                assert str(await client.recv()).startswith(f'[2,"{number}"')
            for number in numbers:
                await client.send(f'[3,"{number}",{{}}]')
                await server.send(f'[3,"{number}",{{}}]')
            for number in numbers:
                assert await backend.heard.get() == await client.recv() == f'[3,"{number}",{{}}]'
            assert at.around.notes.empty()

    asyncio.run(story())


def test_attack_29_a_second_call_under_an_id_that_waits_is_answered_by_the_proxy(tmp_path: Path) -> None:
    """Row 29: the CSMS hears the first alone; the sender is told, in its version's words."""

    async def story() -> None:
        async with talk(tmp_path) as (client, _, backend, at):
            await client.send('[2,"1","Heartbeat",{}]')
            await client.send('[2,"1","StatusNotification",{}]')
            answer = '[4,"1","RpcFrameworkError","the id of a call that waits",{}]'
            assert await client.recv() == answer
            assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
            assert backend.heard.empty()
            assert await at.around.causes(1) == ["message.id_reused"]

    asyncio.run(story())


def test_a_stale_grant_after_the_end_orders_nothing(tmp_path: Path) -> None:
    """An answer of the authority that comes too late finds nobody to talk to."""

    async def story() -> None:
        async with talk(tmp_path) as (client, _, backend, at):
            [link] = at.links.all()
            await client.close()
            await backend.closed.get()
            assert link.tell(Granted(1, "https://localhost/f/x")) is False

    asyncio.run(story())


def test_attack_20_a_station_s_pings_use_up_nothing_of_the_csms(tmp_path: Path) -> None:
    """Row 20: each side answers for its own control frames; a CSMS is not cut off for its station's."""

    async def story() -> None:
        limits = Limits(controls_burst=3, controls_per_second=0)
        async with talk(tmp_path, limits) as (client, server, _, at):
            for side in (client, server):
                for _ in range(3):
                    await (await side.ping())
            assert at.around.notes.empty()

    asyncio.run(story())


def test_attack_19_no_time_runs_against_a_station_that_is_not_read(tmp_path: Path) -> None:
    """Row 19: half a frame waits for the CSMS to read on; that is no fault of the station's."""

    async def story() -> None:
        async with talk(tmp_path, Limits(partial_frame_seconds=0.05)) as (_client, _, backend, at):
            [link] = at.links.all()
            link._from_station(encode(TEXT, b'[3,"1",{}]', MASK)[:5])
            link._csms_blocked(True)
            await asyncio.sleep(0.1)
            assert at.links.all() == [link]
            link._csms_blocked(False)
            assert await backend.closed.get() == 1001
            assert await at.around.causes(1) == ["frame.violation"]

    asyncio.run(story())


def test_attack_41_a_leg_that_is_closed_is_gone_in_time_even_if_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 41: what is kept for a reader that never reads does not keep its socket open, and nothing is heard of it."""
    monkeypatch.setattr(tls, "LINGER_SECONDS", 0.1)
    message = '[2,"%03d","DataTransfer",{"d":"' + "x" * 100_000 + '"}]'

    async def story() -> None:
        async with deaf(tmp_path, message, 400) as station:
            station.link.close(1008, "revoked")
            assert station.link.station.waiting > 0
            while station.link.station.waiting:  # noqa: ASYNC110 - the end of a closed leg is told to nobody
                await asyncio.sleep(0.01)

    asyncio.run(story())


def test_attack_32_an_update_in_small_letters_is_answered_by_the_proxy(tmp_path: Path) -> None:
    """Row 32: the glance at the head minds the case no more than a careless station does."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, backend, at):
            await server.send('[2,"u","updatefirmware",{"requestId":1,"firmware":{}}]')
            assert (await backend.heard.get()).startswith('[4,"u"')
            await server.send('[2,"h","GetLocalListVersion",{}]')
            assert await client.recv() == '[2,"h","GetLocalListVersion",{}]'
            assert await at.around.causes(1) == ["firmware.unsigned"]

    asyncio.run(story())


@pytest.mark.parametrize("code", [None, 1001, 1012])
def test_attack_39_stations_of_a_csms_that_dies_are_let_go_one_after_the_other(
    tmp_path: Path, code: int | None
) -> None:
    """Row 39: whether it crashed or said goodbye to all. One whose turn has not come is not read, and may come back."""

    async def story() -> None:
        limits, two = Limits(probe_seconds=60), STATIONS.issue("SN-2")
        view = known(registered(), registered("CP-002", "SN-2"))
        async with csms() as backend, door(tmp_path, view, backend.port, limits=limits) as at:
            first = await station(tmp_path, at, PARTY)
            second = await station(tmp_path, at, two, identity="CP-002")
            at.around.graces = [3600.0, 0.0]
            for server in (await backend.sockets.get(), await backend.sockets.get()):
                if code is None:
                    server.transport.abort()
                else:
                    await server.close(code)
            with pytest.raises(ConnectionClosed):
                await first.recv()
            assert first.close_code == (code or 1001)
            [link] = at.links.all()
            assert link.identity == "CP-002"
            await second.send('[2,"1","Heartbeat",{}]')
            async with station(tmp_path, at, two, identity="CP-002"):
                assert await at.around.causes(1) == ["session.replaced"]
            with pytest.raises(ConnectionClosed):
                await second.recv()

    asyncio.run(story())


@pytest.mark.parametrize("blocked", [True, False])
def test_attack_39_nothing_is_held_against_a_station_whose_turn_has_not_come(tmp_path: Path, blocked: bool) -> None:
    """Row 39: half a frame that was on its way when the CSMS died is no fault of the station's, nor its slow reader."""

    async def story() -> None:
        limits = Limits(partial_frame_seconds=0.2, slow_reader_seconds=0.2)
        async with talk(tmp_path, limits) as (client, server, _, at):
            [link] = at.links.all()
            at.around.graces = [0.6]
            link._from_station(encode(TEXT, b'[3,"1",{}]', MASK)[:5])
            if blocked:
                link._csms_blocked(True)
            server.transport.abort()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1001
            assert at.around.notes.empty()

    asyncio.run(story())


def test_a_csms_that_quarrels_with_one_station_is_heard_at_once(tmp_path: Path) -> None:
    """Any other close code is about this connection, and waits for nobody's turn."""

    async def story() -> None:
        async with talk(tmp_path) as (client, server, _, at):
            at.around.graces = [3600.0]
            await server.close(1008, "policy")
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1008

    asyncio.run(story())


READ_BY_NOBODY = [
    pytest.param('[2,"x","Heartbeat",{}]garbage', id="test_attack_26 something behind the end"),
    pytest.param('[2,"x","Heartbeat",{}][2,"y","Reset",{}]', id="test_attack_26 two messages"),
    pytest.param('[2,"x","Heartbeat",{"a":1,"a":2}]', id="test_attack_26 a key twice"),
    pytest.param('[2,"x","Heartbeat",{"a":1,"\\u0061":2}]', id="test_attack_26 in two spellings"),
    pytest.param('[2,"x","Heartbeat",{"a":"\\ud800"}]', id="test_attack_23 half a character"),
    pytest.param('[2,"x","Heartbeat",{"a":"\x01"}]', id="test_attack_23 a raw control character"),
    pytest.param('[2,"x","Heartbeat",' + "[" * 40 + "]" * 40 + "]", id="test_attack_24 too deep"),
    pytest.param('[2,"x","Heartbeat",{"a":1e999}]', id="test_attack_25 beyond a double"),
    pytest.param('[2,"x","Heartbeat",{"a":9223372036854775808}]', id="test_attack_25 beyond int64"),
    pytest.param('[2,"x","Heartbeat",{"a":NaN}]', id="test_attack_25 no number"),
    pytest.param('[2,"x","Heartbeat",{},{}]', id="test_attack_27 an item too many"),
    pytest.param('[2,"x","Heartbeat",[]]', id="test_attack_27 a payload that is no object"),
    pytest.param('[3,"q","extra",{}]', id="test_attack_27 an answer with an item too many"),
    pytest.param('[4,"q","InternalError","",{"a":1,"a":2}]', id="test_attack_26 in an error"),
]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("message", READ_BY_NOBODY)
def test_attack_26_what_can_be_read_in_two_ways_stops_here_whoever_says_it(
    tmp_path: Path, message: str, side: Side
) -> None:
    """Rows 23 to 27, of messages that no rule names: none of them arrives, and what comes next does. In the place of an
    answer comes an error of ours, since somebody waits for it."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, messages=MessageSettings()) as at,
            station(tmp_path, at, PARTY, subprotocols=("ocpp1.6",)) as client,
        ):
            server = await backend.sockets.get()
            if side is Side.STATION:
                await server.send('[2,"q","ClearCache",{}]')
                assert await client.recv() == '[2,"q","ClearCache",{}]'
                await say(client, message, '[2,"z","Heartbeat",{}]')
                if message.startswith(("[3", "[4")):
                    assert (await backend.heard.get()).startswith('[4,"q","GenericError","no answer: ')
                assert await backend.heard.get() == '[2,"z","Heartbeat",{}]'
            else:
                await client.send('[2,"q","Heartbeat",{}]')
                assert await backend.heard.get() == '[2,"q","Heartbeat",{}]'
                await say(server, message, '[2,"z","ClearCache",{}]')
                if message.startswith(("[3", "[4")):
                    assert str(await client.recv()).startswith('[4,"q","GenericError","no answer: ')
                assert await client.recv() == '[2,"z","ClearCache",{}]'
            assert await at.around.causes(1) == ["message.malformed"]

    asyncio.run(story())


STREAM = (
    '[6,"s","NotifyPeriodicEventStream",'
    '{"id":1,"pending":0,"basetime":"2026-06-01T12:00:00Z","data":[{"t":1,"v":"1"}]}]'
)


@pytest.mark.parametrize("messages", [None, MessageSettings()])
def test_a_stream_and_an_objection_pass_in_ocpp_2_1_alone(tmp_path: Path, messages: MessageSettings | None) -> None:
    """Type 6 from the station, type 5 after a result; in an older version neither arrives."""
    objection = '[5,"q","InternalError","",{}]'

    async def story(version: str) -> list[str]:
        async with (
            csms(version) as backend,
            door(tmp_path / version, known(registered()), backend.port, messages=messages) as at,
            station(tmp_path, at, PARTY, subprotocols=(version,)) as client,
        ):
            server = await backend.sockets.get()
            await say(client, '[2,"q","Heartbeat",{}]')
            assert await backend.heard.get() == '[2,"q","Heartbeat",{}]'
            await say(server, '[3,"q",{"currentTime":"2026-06-01T12:00:00Z"}]')
            await client.recv()
            await say(client, STREAM, objection, '[2,"z","Heartbeat",{}]')
            heard = [await backend.heard.get()]
            while heard[-1] != '[2,"z","Heartbeat",{}]':
                heard.append(await backend.heard.get())
            await at.around.causes(0 if version == "ocpp2.1" else 2)
            return heard[:-1]

    assert asyncio.run(story("ocpp2.1")) == [STREAM, objection]
    assert asyncio.run(story("ocpp2.0.1")) == []


LONG = '[2,"1","DataTransfer",{"vendorId":"' + "0123456789" * 20 + '"}]'


@pytest.mark.parametrize(
    "offer",
    [
        ClientPerMessageDeflateFactory(),
        ClientPerMessageDeflateFactory(client_max_window_bits=True),
        ClientPerMessageDeflateFactory(client_max_window_bits=9, server_max_window_bits=9),
        ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True),
    ],
)
def test_a_station_that_may_compress_is_understood(tmp_path: Path, offer: ClientPerMessageDeflateFactory) -> None:
    """The websockets library's own client, with each kind of offer; both it and the CSMS get plain frames."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, compression=True) as at,
            station(tmp_path, at, PARTY, extensions=[offer]) as client,
        ):
            assert [extension.name for extension in client.protocol.extensions] == ["permessage-deflate"]
            server = await backend.sockets.get()
            said = [LONG, LONG.replace('"1"', '"2"'), '[2,"3","Heartbeat",{}]']
            await say(client, *said)
            assert [await backend.heard.get() for _ in said] == said
            assert server.protocol.extensions == []
            await say(server, LONG)
            assert await client.recv() == LONG

    asyncio.run(story())


def test_compression_is_not_agreed_on_unless_the_listener_says_so(tmp_path: Path) -> None:
    """A station that offers it is answered without, and speaks plainly."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port) as at,
            station(tmp_path, at, PARTY, extensions=[ClientPerMessageDeflateFactory()]) as client,
        ):
            assert client.protocol.extensions == []
            await say(client, LONG)
            assert await backend.heard.get() == LONG

    asyncio.run(story())


def _bomb(size: int) -> bytes:
    """A frame that becomes that many bytes."""
    deflater = zlib.compressobj(9, wbits=-15)
    payload = deflater.compress(bytes(size)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return b"\xc1" + encode(TEXT, payload[:-4], MASK)[1:]


@pytest.mark.parametrize(
    ("agreed", "size", "code", "cause"),
    [
        (True, 32 << 20, 1009, "frame.bomb"),
        (True, 50_000, 1008, "frame.bomb"),
        (False, 50_000, 1002, "frame.violation"),
    ],
)
def test_attack_22_a_bomb_ends_the_connection_and_takes_no_memory(
    tmp_path: Path, agreed: bool, size: int, code: int, cause: str
) -> None:
    """Row 22: on the wire, with and without an agreement; of 32 MiB nothing is ever made but what a message may be."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, compression=agreed) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            writer.write(UPGRADE.removesuffix(b"\r\n") + offer)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert (b"permessage-deflate" in answer) is agreed
            bomb = _bomb(size)
            tracemalloc.start()
            try:
                writer.write(bomb)
                last = await reader.read()
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert last[:1] == b"\x88"
            assert int.from_bytes(last[2:4]) == code
            assert await backend.closed.get() == 1001
            note = at.around.notes.get_nowait()
            assert (note.cause, at.around.notes.empty()) == (cause, True)
            assert agreed or "compression was not agreed on" in str(note.evidence["says"])
            assert most < 2_000_000
            writer.close()

    asyncio.run(story())
