"""A small CSMS: it accepts stations, answers what they say, and sends them what you type.

Run it with ``python examples/csms.py --port 9000``. Everything that happens is printed as one JSON object a line:

* ``{"ready": 9000}``: stations may connect now
* ``{"connected": "CP-001", "path": ..., "subprotocol": ..., "headers": {...}, "sockets": 1}``
* ``{"heard": "CP-001", "message": "[2,..."}`` and ``{"said": "CP-001", "message": "[3,..."}``: exactly as on the wire
* ``{"left": "CP-001", "code": 1000, "sockets": 0}``

Type one JSON object a line to make it act, for example
``{"send": "Reset", "to": "CP-001", "payload": {"type": "Soft"}}``; the station's answer is printed as
``{"answer": {...}, "to": "CP-001", "sent": "Reset"}``. The program ends with its input.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote

import ocpp.v16  # type: ignore[import-untyped]  # carries no types
import ocpp.v201  # type: ignore[import-untyped]  # carries no types
from ocpp.charge_point import (  # type: ignore[import-untyped]  # carries no types
    camel_to_snake_case,
    remove_nones,
    serialize_as_dict,
    snake_to_camel_case,
)
from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]  # carries no types
from ocpp.routing import on as ocpp_on  # type: ignore[import-untyped]  # carries no types
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import Callable

VERSIONS: Final = ("2.0.1", "1.6")
HEARTBEAT_SECONDS: Final = 300  # the interval that stations are told at boot
SECRET_HEADERS: Final = frozenset({"authorization", "cookie"})  # told as present, never printed

F = TypeVar("F", bound="Callable[..., object]")
on: Callable[[str], Callable[[F], F]] = ocpp_on  # the ocpp package carries no types


def report(**facts: object) -> None:
    """Print one thing that happened."""
    print(json.dumps(facts), flush=True)


def now() -> str:
    """Say the time as OCPP writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Line:
    """One station's WebSocket, which prints every message as it passes."""

    def __init__(self, socket: ServerConnection, identity: str) -> None:
        self.socket = socket
        self.identity = identity

    async def recv(self) -> str:
        """Wait for the station's next message."""
        message = await self.socket.recv()
        text = message if isinstance(message, str) else message.decode(errors="replace")
        report(heard=self.identity, message=text)
        return text

    async def send(self, message: str) -> None:
        """Send the station a message."""
        report(said=self.identity, message=message)
        await self.socket.send(message)


class Station16(ocpp.v16.ChargePoint):  # type: ignore[misc]  # the ocpp package carries no types
    """A station that speaks OCPP 1.6, as the CSMS sees it."""

    @on("BootNotification")
    def on_boot(self, **_: object) -> object:
        """Let it in."""
        return ocpp.v16.call_result.BootNotification(now(), HEARTBEAT_SECONDS, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self) -> object:
        """Tell it the time."""
        return ocpp.v16.call_result.Heartbeat(now())

    @on("StatusNotification")
    def on_status(self, **_: object) -> object:
        """Take note of a connector."""
        return ocpp.v16.call_result.StatusNotification()

    @on("SecurityEventNotification")
    def on_security_event(self, **_: object) -> object:
        """Take note of a security event."""
        return ocpp.v16.call_result.SecurityEventNotification()

    @on("FirmwareStatusNotification")
    def on_firmware_status(self, **_: object) -> object:
        """Take note of an unsigned update's progress."""
        return ocpp.v16.call_result.FirmwareStatusNotification()

    @on("SignedFirmwareStatusNotification")
    def on_signed_firmware_status(self, **_: object) -> object:
        """Take note of a signed update's progress."""
        return ocpp.v16.call_result.SignedFirmwareStatusNotification()


class Station201(ocpp.v201.ChargePoint):  # type: ignore[misc]  # the ocpp package carries no types
    """A station that speaks OCPP 2.0.1, as the CSMS sees it."""

    @on("BootNotification")
    def on_boot(self, **_: object) -> object:
        """Let it in."""
        return ocpp.v201.call_result.BootNotification(now(), HEARTBEAT_SECONDS, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **_: object) -> object:
        """Tell it the time."""
        return ocpp.v201.call_result.Heartbeat(now())

    @on("StatusNotification")
    def on_status(self, **_: object) -> object:
        """Take note of a connector."""
        return ocpp.v201.call_result.StatusNotification()

    @on("SecurityEventNotification")
    def on_security_event(self, **_: object) -> object:
        """Take note of a security event."""
        return ocpp.v201.call_result.SecurityEventNotification()

    @on("FirmwareStatusNotification")
    def on_firmware_status(self, **_: object) -> object:
        """Take note of an update's progress."""
        return ocpp.v201.call_result.FirmwareStatusNotification()


KINDS: Final[dict[str, type[Station16 | Station201]]] = {"ocpp1.6": Station16, "ocpp2.0.1": Station201}


class Csms:
    """The CSMS: every station's live sockets, by identity."""

    def __init__(self) -> None:
        self.live: dict[str, list[Station16 | Station201]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def attend(self, socket: ServerConnection) -> None:
        """Talk with one station until it leaves."""
        if socket.request is None or socket.subprotocol not in KINDS:
            return await socket.close(1002, "an OCPP version is needed")
        identity = unquote(socket.request.path.rpartition("/")[2])
        station = KINDS[socket.subprotocol](identity, Line(socket, identity))
        sockets = self.live.setdefault(identity, [])
        sockets.append(station)
        headers = {
            name: "..." if name.lower() in SECRET_HEADERS else value
            for name, value in socket.request.headers.raw_items()
        }
        facts = {"path": socket.request.path, "subprotocol": socket.subprotocol, "headers": headers}
        report(connected=identity, **facts, sockets=len(sockets))
        try:
            await station.start()
        except ConnectionClosed:
            sockets.remove(station)
            report(left=identity, code=socket.close_code, sockets=len(sockets))

    def obey(self, line: str) -> None:
        """Carry out one typed line; answers are printed when they come."""
        try:
            order = json.loads(line)
            task = asyncio.ensure_future(self.send(str(order["to"]), str(order["send"]), order.get("payload", {})))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        except (ValueError, TypeError, KeyError, AttributeError):
            report(error='type {"send": ACTION, "to": IDENTITY, "payload": {...}}')

    async def send(self, identity: str, action: str, payload: dict[str, object]) -> None:
        """Send a station one request and print its answer."""
        try:
            station = self.live[identity][-1]
            request = getattr(station._call, action)(**camel_to_snake_case(payload))  # noqa: SLF001 - ocpp's message types
            answer = remove_nones(serialize_as_dict(await station.call(request, suppress=False)))
            report(answer=snake_to_camel_case(answer), to=identity, sent=action)
        except (LookupError, AttributeError, TypeError):
            report(error="no such station is connected, or no such request", to=identity, sent=action)
        except (OCPPError, TimeoutError, ConnectionClosed) as error:
            report(error=getattr(error, "code", type(error).__name__), says=str(error), to=identity, sent=action)


def listen_to_input(loop: asyncio.AbstractEventLoop, heard: Callable[[str], None], ended: Callable[[], None]) -> None:
    """Read typed lines on a thread of their own; any kind of input will do, a pipe, a terminal or a file."""

    def read() -> None:
        with os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0) as lines:
            for line in lines:
                loop.call_soon_threadsafe(heard, line.decode(errors="replace"))
        loop.call_soon_threadsafe(ended)

    threading.Thread(target=read, daemon=True).start()


async def run(port: int, versions: list[str]) -> None:
    """Serve stations on loopback until the input ends."""
    csms = Csms()
    end = asyncio.Event()
    subprotocols = [Subprotocol(f"ocpp{version}") for version in versions]
    async with serve(csms.attend, "127.0.0.1", port, subprotocols=subprotocols, compression=None) as server:
        report(ready=next(iter(server.sockets)).getsockname()[1])
        listen_to_input(asyncio.get_running_loop(), csms.obey, end.set)
        await end.wait()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="A small CSMS for OCPP 1.6 and 2.0.1 on ws://127.0.0.1.")
    parser.add_argument("--port", type=int, default=9000, help="port to listen on; 0 takes a free one and prints it")
    parser.add_argument(
        "--versions", nargs="+", default=list(VERSIONS), choices=VERSIONS, help="OCPP versions to speak"
    )
    options = parser.parse_args()
    logging.getLogger("ocpp").setLevel(logging.CRITICAL)  # what happens is printed by report already
    try:
        asyncio.run(run(options.port, options.versions))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
