"""However a connection fails or ends, nothing of it stays: no slot, no claim, no task, no descriptor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pki import password
from secproxy.config import Limits
from secproxy.frames import CLOSE, TEXT, encode
from tests.certs import Party
from tests.secproxy.edge.doors import NO_UPSTREAM, STATIONS, UPGRADE, Door, csms, door, known, registered
from tests.stories.wires import Wire, balanced, sees

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PARTY = STATIONS.issue("SN-1")
STRANGER = Party.root("Other Root").issue("SN-1")
OTHER = STATIONS.issue("SN-2")
MASK = b"\x11\x22\x33\x44"
CALL = encode(TEXT, b'[2,"1","Heartbeat",{}]', MASK)
TIMES = 6  # each, all at once
LIMITS = Limits(
    handshake_seconds=0.5, head_seconds=0.5, upstream_seconds=0.5, partial_frame_seconds=0.3, arrivals_of_one=3
)
Visit = Callable[[Path, Door], Awaitable[None]]
VERIFIER = password.remember("Kp7tqZ3wYx9RmBc4NsVd", b"s" * 16, generated=True)


@contextlib.asynccontextmanager
async def backend(answer: bytes | None) -> AsyncIterator[int]:
    """Something at the CSMS's port that answers every request with these bytes, and with None never."""
    held = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            if answer is not None:
                writer.write(answer)
                writer.close()
            else:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in held:
            writer.close()


# -- every way to be turned away ---------------------------------------------------------------------------------------


async def silence(folder: Path, at: Door) -> None:
    """Say nothing until shown out."""
    wire = await Wire.dial(folder, at)
    assert await asyncio.get_running_loop().sock_recv(wire.sock, 1) == b""
    wire.close()


def says(data: bytes) -> Visit:
    """Say this instead of TLS, and read until the end."""

    async def visit(folder: Path, at: Door) -> None:
        wire = await Wire.dial(folder, at)
        await wire.raw(data)
        with contextlib.suppress(ConnectionResetError):
            while await asyncio.get_running_loop().sock_recv(wire.sock, 4096):
                pass
        wire.close()

    return visit


def asks(request: bytes = UPGRADE, party: Party | None = PARTY) -> Visit:
    """Ask for the WebSocket like this, and read the refusal to its end."""

    async def visit(folder: Path, at: Door) -> None:
        wire = await Wire.dial(folder, at, party)
        with contextlib.suppress(OSError):
            await wire.upgrade(request)
            while await wire.hear():
                pass
        wire.close()

    return visit


FAILURES = [
    pytest.param(silence, None, 3, id="no handshake at all"),
    pytest.param(says(b"GET / HTTP/1.1\r\n\r\n"), None, 3, id="HTTP without TLS"),
    pytest.param(says(bytes(range(256)) * 8), None, 3, id="garbage"),
    pytest.param(says(b"\x16\x03\x01\x02\x00\x01"), None, 3, id="half a ClientHello"),
    pytest.param(asks(party=None), None, 3, id="no certificate"),
    pytest.param(asks(party=STRANGER), None, 3, id="a certificate of an authority nobody knows"),
    pytest.param(asks(party=OTHER), None, 3, id="another station's certificate"),
    pytest.param(asks(UPGRADE.replace(b"CP-001", b"CP-404")), None, 3, id="an identity nobody registered"),
    pytest.param(asks(UPGRADE.replace(b"GET", b"PUT")), None, 3, id="no upgrade"),
    pytest.param(asks(UPGRADE[:-2]), None, 3, id="a head that never ends"),
    pytest.param(asks(b"GET / HTTP/1.1\r\nX: " + b"x" * 9_000), None, 3, id="a giant head"),
    pytest.param(asks(UPGRADE + CALL), None, 3, id="a message before the 101"),
    pytest.param(asks(UPGRADE.replace(b"ocpp1.6", b"ocpp0.9")), None, 3, id="no subprotocol in common"),
    pytest.param(asks(UPGRADE, None), None, 2, id="no password"),
    pytest.param(
        asks(UPGRADE.replace(b"Host", b"Authorization: Basic Q1AtMDAxOng=\r\nHost"), None),
        None,
        2,
        id="a wrong password",
    ),
    pytest.param(asks(), NO_UPSTREAM, 3, id="no CSMS"),
    pytest.param(asks(), b"", 3, id="a CSMS that hangs up"),
    pytest.param(asks(), b"SSH-2.0-x\r\n\r\n", 3, id="a CSMS that speaks something else"),
    pytest.param(asks(), b"HTTP/1.1 403 Forbidden\r\n\r\n", 3, id="a CSMS that refuses"),
    pytest.param(asks(), b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 3, id="a CSMS that answers half"),
    pytest.param(asks(), b"x" * 20_000, 3, id="a CSMS that answers without end"),
    pytest.param(asks(), "silent", 3, id="a CSMS that never answers"),
]


@pytest.mark.parametrize(("visit", "behind", "profile"), FAILURES)
def test_who_is_turned_away_leaves_nothing(
    tmp_path: Path, visit: Visit, behind: int | bytes | str | None, profile: int
) -> None:
    """More at once than one address may have under way, so that some have waited for their turn as well."""

    async def story() -> None:
        async with contextlib.AsyncExitStack() as stack:
            port = behind if isinstance(behind, int) else NO_UPSTREAM
            if not isinstance(behind, int) and behind is not None:
                port = await stack.enter_async_context(backend(behind if isinstance(behind, bytes) else None))
            view = known(registered(profile=profile, verifier=VERIFIER if profile == 2 else ""))
            at = await stack.enter_async_context(door(tmp_path, view, port, profile=profile, limits=LIMITS))
            await visit(tmp_path, at)  # what is made once and kept, as the watch over a CSMS that is down, is made now
            async with balanced(at):
                await asyncio.gather(*(visit(tmp_path, at) for _ in range(TIMES)))

    asyncio.run(story())


# -- every stage at which a connection may be reset --------------------------------------------------------------------

STAGES = [
    "connected", "half a ClientHello", "a ClientHello", "handshake done", "half a head", "head sent", "upgraded",
    "a call made", "half a frame", "half a message", "goodbye said",
]  # fmt: skip


async def go_to(wire: Wire, stage: str) -> None:
    """Bring a connection to this stage."""
    number = STAGES.index(stage)
    if 1 <= number <= 2:
        hello = wire.hello()
        await wire.raw(hello[: len(hello) // 2] if number == 1 else hello)
    if number >= 3:
        await wire.shake()
    if number == 4:
        await wire.say(UPGRADE[:40])
    if number >= 5:
        await wire.say(UPGRADE)
    if number >= 6:
        assert b" 101 " in await wire.hear()
    said = {"a call made": CALL, "half a frame": CALL[:9], "half a message": b"\x01" + CALL[1:],
            "goodbye said": encode(CLOSE, b"\x03\xe8", MASK)}  # fmt: skip
    if stage in said:
        await wire.say(said[stage])


async def hang_up(wire: Wire, how: str) -> None:
    """Leave: with a reset, with the end of our half of TCP, or of TLS."""
    if how == "reset":
        wire.reset()
        return
    with contextlib.suppress(OSError):
        if how == "goodbye":
            await wire.say_goodbye()
        else:
            wire.shut()
        while await asyncio.get_running_loop().sock_recv(wire.sock, 65_536):
            pass
    wire.close()


@pytest.mark.parametrize("how", ["reset", "half-close"])
@pytest.mark.parametrize("stage", STAGES)
def test_who_hangs_up_at_any_stage_leaves_nothing(tmp_path: Path, stage: str, how: str) -> None:
    """One station after the other, so that each finds its place free; the last comes to stay, and is served."""
    stations = [registered(f"CP-{number:03}", f"SN-{number}") for number in range(1, TIMES + 1)]

    async def story() -> None:
        async with csms() as there, door(tmp_path, known(*stations), there.port, limits=LIMITS) as at:
            async with balanced(at):
                for _ in range(TIMES):
                    wire = await Wire.dial(tmp_path, at, PARTY)
                    await go_to(wire, stage)
                    await hang_up(wire, how)
                    await sees(lambda: not at.links.all() and not at.claims._held)
            wire = await Wire.dial(tmp_path, at, PARTY)
            assert b" 101 " in await wire.upgrade()
            wire.close()

    asyncio.run(story())


@pytest.mark.parametrize("how", ["half-close", "goodbye"])
def test_what_was_said_before_a_half_close_arrives(tmp_path: Path, how: str) -> None:
    """The CSMS hears the call, then the end of the session; the station is not kept waiting with half a connection."""

    async def story() -> None:
        async with csms() as there, door(tmp_path, known(registered()), there.port) as at, balanced(at):
            wire = await Wire.dial(tmp_path, at, PARTY)
            assert b" 101 " in await wire.upgrade()
            await wire.say(CALL)
            await hang_up(wire, how)
            assert await there.heard.get() == '[2,"1","Heartbeat",{}]'
            assert await there.closed.get() == 1001
            while not there.sockets.empty():
                await (await there.sockets.get()).wait_closed()

    asyncio.run(story())


# -- again and again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [200, pytest.param(4_000, marks=pytest.mark.deep)])
def test_thousands_may_come_and_go(tmp_path: Path, times: int) -> None:
    """Eight stations connect, make a call, and leave, each in another way; then everything is as it was."""
    names = [f"CP-{number:03}" for number in range(1, 9)]
    parties = {name: STATIONS.issue(f"SN-{name}") for name in names}
    view = known(*(registered(name, f"SN-{name}") for name in names))

    async def live(at: Door, name: str, rounds: int) -> None:
        for turn in range(rounds):
            wire = await Wire.dial(tmp_path, at, parties[name])
            answer = await wire.upgrade(UPGRADE.replace(b"CP-001", name.encode()))
            assert b" 101 " in answer, answer
            await wire.say(CALL)
            await hang_up(wire, ["reset", "half-close", "goodbye"][turn % 3])
            await sees(lambda: name not in at.links._by_identity)

    async def story() -> None:
        async with csms() as there, door(tmp_path, view, there.port, seconds=600) as at:
            await live(at, names[0], 1)
            async with balanced(at):
                await asyncio.gather(*(live(at, name, times // len(names)) for name in names))
            assert there.heard.qsize() == 1 + times // len(names) * len(names)
            assert at.around.notes.empty()

    asyncio.run(story())
