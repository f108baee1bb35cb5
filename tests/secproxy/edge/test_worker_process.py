"""A worker as a process: what it tells at its start, what it records when asked, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.headers import build_authorization_basic

from pki.edge import calls
from secproxy.edge.errands import ask_record
from secproxy.edge.event_store import EventStore
from tests.secproxy.edge.doors import csms
from tests.secproxy.edge.workers import HEARTBEAT, issue, met, working
from tests.worlds import connected, free_port, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path


def test_a_listener_that_weakens_security_is_an_event_of_each_start(tmp_path: Path) -> None:
    """Once, however many workers there are; and a station of profile 1 is served there."""
    home, other = make_home(tmp_path), free_port()
    swaps = ("0.0.0.0:8442", f"127.0.0.1:{other}"), ("profile = 2", "profile = 1\nunsafe_plain = true")

    async def story() -> None:
        async with csms() as backend, working(home, backend, swaps=swaps), connected(home) as authority:
            (told,) = EventStore(home).list(cause="listener.unsafe")
            assert told["evidence"] == {"listener": f"127.0.0.1:{other}", "setting": "unsafe_plain"}
            added = await authority.ask(calls.AddStation("CP-001", "SN-1", 1), calls.StationAdded)
            headers = {"Authorization": build_authorization_basic("CP-001", added.password)}
            async with met(other, None, "CP-001", headers) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT

    with running_authority(home):
        asyncio.run(story())


def test_a_worker_ends_with_its_supervisor(tmp_path: Path) -> None:
    """When the claims line ends nobody knows who is connected where, so the worker leaves."""
    home = make_home(tmp_path)

    async def story() -> int:
        async with csms() as backend, contextlib.AsyncExitStack() as stack:
            _, process, _ready = await stack.enter_async_context(working(home, backend))
            pid = process.pid
        assert pid
        return process.returncode

    with running_authority(home):
        assert asyncio.run(story()) == 0


def test_a_worker_killed_outright_leaves_the_port_to_the_next(tmp_path: Path) -> None:
    """SIGKILL: the address is free at once, and a new worker serves it."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend:
            async with working(home, backend) as (_, process, _ready):
                os.kill(process.pid, signal.SIGKILL)
                await asyncio.to_thread(process.wait, 10)
            async with (
                working(home, backend) as (port, _, _ready),
                connected(home) as authority,
                met(port, await issue(authority, tmp_path)) as socket,
            ):
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT

    with running_authority(home):
        asyncio.run(story())


SWOLLEN = """
import sys
from pathlib import Path
from pki.edge.home import Home
from secproxy.edge import memory, worker_process
measured, swollen = memory.resident, Path(sys.argv[2])
memory.CHECK_SECONDS = 0.05
memory.resident = lambda: measured() + (2**40 if swollen.exists() else 0)
worker_process.run_worker(Home(Path(sys.argv[1])), 0)
"""


def test_a_worker_with_too_much_memory_lets_its_stations_go_and_ends_by_itself(tmp_path: Path) -> None:
    """No message is cut: stations are told to come back, one event says why, and the supervisor starts another."""
    home, swollen = make_home(tmp_path), tmp_path / "swollen"

    async def story() -> None:
        words = ("-c", SWOLLEN, str(home.path), str(swollen))
        async with csms() as backend, connected(home) as authority:
            context = await issue(authority, tmp_path)
            async with working(home, backend, *words) as (port, process, _), met(port, context) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
                swollen.touch()
                with pytest.raises(ConnectionClosed) as told:
                    await socket.recv()
                assert told.value.rcvd is not None
                assert told.value.rcvd.code == 1012
                assert await asyncio.to_thread(process.wait, 10) == 0

    with running_authority(home):
        asyncio.run(story())

    written = [json.loads(line) for file in home.journal.glob("worker-0-*") for line in file.read_text().splitlines()]
    [event] = [each for each in written if each["cause"] == "worker.outgrown"]
    assert (event["evidence"]["stations"], event["evidence"]["worker_mib"]) == (1, 2048)


def test_what_a_station_and_its_csms_say_is_recorded_on_request_without_secrets(tmp_path: Path) -> None:
    """From the command's asking until its stop, by the worker that holds the station, fenced in as it is."""
    home = make_home(tmp_path)
    secret = '[2,"2","ChangeConfiguration",{"key":"AuthorizationKey","value":"Zq7mArKeR"}]'

    async def story() -> list[dict[str, Any]]:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            assert (await ask_record(home, "CP-001", 1, plain=False)).code == "recording.absent"
            async with met(port, context) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
                begun = await ask_record(home, "CP-001", 1, plain=False)
                assert (await ask_record(home, "CP-001", 1, plain=False)).code == "recording.running"
                await socket.send('[2,"7","Authorize",{"idTag":"TAG-7"}]')
                assert '"7"' in await backend.heard.get()
                await (await backend.sockets.get()).send(secret)
                assert "Rejected" in await backend.heard.get()  # the policy's answer, in the station's place
                assert (await ask_record(home, "CP-001", 0, plain=False)).file == begun.file
                assert (await ask_record(home, "CP-001", 0, plain=False)).code == "recording.none"
                await socket.send('[2,"8","Heartbeat",{}]')
                assert '"8"' in await backend.heard.get()
            path = home.recordings / begun.file
            assert path.stat().st_mode & 0o777 == 0o600
            return [json.loads(line) for line in path.read_text().splitlines()]

    with running_authority(home):
        head, said, changed, refused = asyncio.run(story())
    assert (head["station"], head["profile"], head["version"]) == ("CP-001", 3, "ocpp1.6")
    assert (said["from"], said["message"][:3], said["version"]) == ("station", [2, "7", "Authorize"], "ocpp1.6")
    assert said["message"][3]["idTag"].startswith("id-")
    assert changed["from"] == "csms"
    assert changed["message"] == [2, "2", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "***"}]
    assert (refused["from"], refused["message"][:2]) == ("proxy", [3, "2"])
    journal = "".join(path.read_text() for path in home.journal.iterdir())
    assert "recording.started" in journal
    assert "recording.ended" in journal
