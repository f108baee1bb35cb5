"""One door of the proxy between real peers: a CSMS and stations by the websockets library, over TCP and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from pki.chain import key_id
from pki.edge.calls import Credentials
from pki.names import Host, StationIdentity, StationSerial
from pki.station import SecurityProfile, Station
from secproxy.assertion import Signer
from secproxy.config import Config, Limits, ListenerConfig, NoSubprotocol, Outage, Unknown, WebConfig
from secproxy.edge.arrival import Reception, receive
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_line import ClaimLine
from secproxy.edge.links import Links
from secproxy.edge.listener import Doorway, Listener, Slots
from secproxy.edge.passwords import PasswordDesk
from secproxy.edge.relay import Link
from secproxy.edge.schema_files import SchemaFiles
from secproxy.edge.switchboard import Switchboard
from secproxy.edge.tls_context import server_context
from secproxy.edge.tracing import Tracer
from secproxy.edge.turns import Turns
from secproxy.edge.waiting_room import Waiting, WaitingRoom
from secproxy.events import Note
from secproxy.inspection import inspect
from secproxy.plan import compile_plan
from secproxy.policy import carried
from secproxy.schemas import Schemas
from secproxy.session import Session
from secproxy.station_view import Trust, View
from secproxy.tally import Tally
from secproxy.upstreams import Upstream, UpstreamConfig, plain
from tests.certs import Party
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from websockets.extensions import ClientExtensionFactory

    from pki.errors import BollardError
    from pki.tables import Network
    from secproxy.admission import Admitted
    from secproxy.edge.tls import TlsLeg
    from secproxy.edge.upstream import UpstreamLeg
    from secproxy.message_settings import MessageSettings
    from secproxy.orders import Ask, Learn
    from secproxy.plan import Plan
    from secproxy.policy.rulebook import InForce
    from secproxy.renewal import Certify

ROOT = Party.root()
STATIONS = ROOT.issue("Station CA", ca=True)
PARTY = STATIONS.issue("SN-1")  # what CP-001 is registered with
_EC = ROOT.issue("localhost", dns="localhost")
_RSA = ROOT.issue("localhost", dns="localhost", key=rsa.generate_private_key(65537, 2048))
CREDENTIALS = Credentials(_EC.pem, _EC.key_pem, _RSA.pem, _RSA.key_pem)
NO_UPSTREAM = 1  # a port where nobody listens
ASSERTION_KEY = Ed25519PrivateKey.generate()


@dataclass(slots=True)
class Csms:
    """What a CSMS sees: requests, messages, sockets and their ends."""

    port: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    sockets: asyncio.Queue[ServerConnection] = field(default_factory=asyncio.Queue)
    closed: asyncio.Queue[int | None] = field(default_factory=asyncio.Queue)

    async def serve(self, socket: ServerConnection) -> None:
        """Keep one connection and collect what it says."""
        assert socket.request is not None
        self.requests.append((socket.request.path, dict(socket.request.headers.raw_items())))
        await self.sockets.put(socket)
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                await self.heard.put(str(message))
        await self.closed.put(socket.close_code)


@contextlib.asynccontextmanager
async def csms(*subprotocols: str) -> AsyncIterator[Csms]:
    """A CSMS on loopback that knows these subprotocols; by default 2.0.1 and 1.6."""
    seen = Csms()
    names = [Subprotocol(name) for name in subprotocols or ("ocpp2.0.1", "ocpp1.6")]
    async with serve(seen.serve, "127.0.0.1", 0, subprotocols=names, compression=None, ping_interval=None) as server:
        seen.port = server.sockets[0].getsockname()[1]
        yield seen


class Around:
    """What links ask of the world, collected."""

    def __init__(self) -> None:
        self.notes: asyncio.Queue[Note] = asyncio.Queue()
        self.opened: list[Note] = []
        self.asked: asyncio.Queue[tuple[Link, Ask]] = asyncio.Queue()
        self.requested: asyncio.Queue[tuple[Waiting, Certify]] = asyncio.Queue()
        self.settled: list[Admitted] = []
        self.learned: list[tuple[str, Learn]] = []
        self.graces: list[float] = []
        self.alarms: list[BollardError] = []

    def record(self, note: Note) -> None:
        """Collect an event; those of stations that came in as they should stand apart."""
        if note.cause == "session.opened":
            self.opened.append(note)
        else:
            self.notes.put_nowait(note)

    def grant(self, link: Link, ask: Ask) -> None:
        """Collect a question; the test answers it."""
        self.asked.put_nowait((link, ask))

    def grace(self) -> float:
        """As long as the test says."""
        return self.graces.pop() if self.graces else 0.0

    def certify(self, waiting: Waiting, asked: Certify) -> None:
        """Collect a request for a certificate; the test answers it."""
        self.requested.put_nowait((waiting, asked))

    def settle(self, admitted: Admitted) -> None:
        """Collect who came with the password that was to follow."""
        self.settled.append(admitted)

    def learn(self, link: Link, learned: Learn) -> None:
        """Collect what a station said of itself."""
        self.learned.append((link.identity, learned))

    async def causes(self, count: int) -> list[str]:
        """The causes of exactly this many events."""
        found = [(await self.notes.get()).cause for _ in range(count)]
        assert self.notes.empty()
        return found


BOOKS = Schemas(SchemaFiles())
INSIDE = BOOKS.book(carried.VERSION)


@dataclass(slots=True)
class Door:
    """An open door: where to knock, and what happened behind it."""

    port: int
    view: View
    links: Links
    around: Around
    passwords: PasswordDesk
    claims: ClaimLine
    switchboard: Switchboard
    room: WaitingRoom
    desk: ClaimDesk
    slots: Slots
    doorway: Doorway


def known(*stations: Station, ours: bool = False) -> View:
    """A worker's view with these stations, trusting the test's station CA."""
    view = View("Example Charging", "localhost", {station.identity.text: station for station in stations})
    anchor = key_id(STATIONS.certificate)
    view.trusts[anchor] = Trust(anchor, "Example Charging", ours, "CN=Station CA")
    return view


def registered(name: str = "CP-001", serial: str = "SN-1", profile: int = 3, verifier: str = "") -> Station:
    """A registered station."""
    return Station(
        StationIdentity.parse(name), StationSerial.parse(serial), SecurityProfile(profile), verifier=verifier
    )


@contextlib.asynccontextmanager
async def door(
    folder: Path,
    view: View,
    csms_port: int = NO_UPSTREAM,
    *,
    profile: int = 3,
    limits: Limits | None = None,
    upstreams: tuple[Upstream, ...] = (),
    outage: Outage = Outage.REFUSE,
    proxies: tuple[Network, ...] = (),
    unknown: Unknown = Unknown.REFUSE,
    late: bool = False,
    plan: Plan | None = None,
    messages: MessageSettings | None = None,
    compression: bool = False,
    silent: NoSubprotocol = NoSubprotocol.REFUSE,
    policy: InForce | None = None,
    seconds: float = 20,
    tracer: Tracer | None = None,
) -> AsyncIterator[Door]:
    """Open one listener with everything behind it real but the ledger; ``upstreams`` are in place of the port.

    Nothing is held against the schemas, unless ``messages`` says so.
    """
    home, around, tracer = bare_home(folder / "h"), Around(), tracer or Tracer(Tally())
    limits, upstreams = limits or Limits(), upstreams or (at_port(csms_port),)
    listener_config = ListenerConfig(
        "127.0.0.1",
        0,
        SecurityProfile(profile),
        proxies,
        unknown=unknown,
        compression=compression,
        no_subprotocol=silent,
    )
    web = WebConfig("127.0.0.1", 0, "https://localhost:1")
    config = Config(Host.parse("localhost"), upstreams, (listener_config,), web, 1, limits, outage)
    links = Links(view, config.limits, around.record)
    desk = ClaimDesk(10, lambda _: None)
    async with asyncio.timeout(seconds), desk.open(home.claims_socket):
        claims = await ClaimLine.connect(home, 0, links.probe, links.drop)

        def gone(link: Link) -> None:
            links.remove(link)
            tracer.ended(link.leg, link.by or "station", link.messages)
            claims.release(link.leg)

        def come(number: int, admitted: Admitted, leg: TlsLeg, upstream: UpstreamLeg, deflate: int) -> None:
            wanted = plan or (policy.plan if policy else compile_plan())
            held = None if messages is None else inspect(BOOKS.book(upstream.subprotocol), messages, INSIDE)
            session = Session(admitted, upstream.subprotocol, view, wanted, policy, held)
            link = Link(number, admitted, session, leg, upstream, config.limits, around, gone, deflate)
            links.add(link)

        slots, passwords = Slots(config.limits.handshakes_at_once), PasswordDesk()
        doorway = Doorway(
            config.limits.arrivals_of_one,
            config.limits.arrivals_queued,
            lambda address: around.record(Note("door.crowded", remote=address)),
        )
        switchboard = Switchboard(config, around.record, around.alarms.append)
        switchboard.signer = Signer.of(ASSERTION_KEY)
        room, turns = WaitingRoom(config.limits, around.record, around.certify), Turns(asyncio.get_running_loop())
        reception = Reception(
            config,
            view,
            slots,
            passwords,
            claims,
            switchboard,
            around.record,
            come,
            around.settle,
            room,
            turns,
            tracer=tracer,
        )
        context = (
            server_context(CREDENTIALS, [STATIONS.certificate], mutual=profile == 3, late=late) if profile > 1 else None
        )
        arrive = lambda *arrival: receive(reception, *arrival)  # noqa: E731 - it is handed on once
        listener = Listener(config.listeners[0], context, slots, doorway, arrive, around.record, limits)
        try:
            behind = claims, switchboard, room, desk, slots, doorway
            yield Door(listener.port, view, links, around, passwords, *behind)
        finally:
            listener.close()
            switchboard.close()
            links.leave()
            room.leave()
            passwords.close()
            await claims.close()


def at_port(port: int) -> Upstream:
    """A CSMS on loopback that takes every station."""
    return plain(UpstreamConfig("127.0.0.1", port, "", secure=False))


def trusting(folder: Path, party: Party | None = None, *above: Party) -> ssl.SSLContext:
    """A station's TLS context: it trusts the root, and presents a certificate if it has one, with those above it."""
    context = ssl.create_default_context(cadata=ROOT.pem)
    if party is not None:
        chain = "".join(each.pem for each in above)
        (folder / f"{party.certificate.serial_number}.pem").write_text(party.key_pem + party.pem + chain)
        context.load_cert_chain(folder / f"{party.certificate.serial_number}.pem")
    return context


def station(
    folder: Path,
    at: Door,
    party: Party | None = None,
    *,
    identity: str = "CP-001",
    headers: dict[str, str] | None = None,
    subprotocols: tuple[str, ...] = ("ocpp2.0.1", "ocpp1.6"),
    above: tuple[Party, ...] = (),
    extensions: Sequence[ClientExtensionFactory] | None = None,
) -> connect:
    """A station of the websockets library, to be used as ``async with``."""
    return connect(
        f"wss://localhost:{at.port}/ocpp/{identity}",
        ssl=trusting(folder, party, *above),
        subprotocols=[Subprotocol(name) for name in subprotocols],
        additional_headers=headers,
        compression=None,
        extensions=extensions,
        ping_interval=None,
        proxy=None,
    )


async def raw_station(folder: Path, at: Door, party: Party) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A station that speaks TLS and then whatever the test writes."""
    return await asyncio.open_connection("localhost", at.port, ssl=trusting(folder, party), family=2)


UPGRADE = (
    b"GET /ocpp/CP-001 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)


@dataclass(frozen=True)
class Deaf:
    """A station that came in and does not read: its reader, its line, the connection, and what its CSMS still sends."""

    reader: asyncio.StreamReader
    line: asyncio.Transport
    link: Link
    sending: asyncio.Future[None]


@contextlib.asynccontextmanager
async def deaf(folder: Path, message: str, times: int) -> AsyncIterator[Deaf]:
    """Such a station, while more is sent to it than the kernel holds: something waits for it at the door."""
    limits = Limits(write_high_water=50_000)
    async with csms() as backend, door(folder, known(registered()), backend.port, limits=limits) as at:
        reader, writer = await raw_station(folder, at, PARTY)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        line = cast("asyncio.Transport", writer.transport)
        line.pause_reading()
        server, [link] = await backend.sockets.get(), at.links.all()
        sending = asyncio.ensure_future(send_all(server, message, times))
        while link.station.waiting == 0:  # noqa: ASYNC110 - the kernel tells nobody when its buffers are full
            await asyncio.sleep(0)
        yield Deaf(reader, line, link, sending)
        sending.cancel()
        writer.close()


async def say(socket: ClientConnection | ServerConnection, *messages: str) -> None:
    """Send messages one after the other."""
    for message in messages:
        await socket.send(message)


@contextlib.asynccontextmanager
async def talk(
    folder: Path, limits: Limits | None = None
) -> AsyncIterator[tuple[ClientConnection, ServerConnection, Csms, Door]]:
    """A station and its CSMS, connected through a door."""
    async with (
        csms() as backend,
        door(folder, known(registered()), backend.port, limits=limits) as at,
        station(folder, at, PARTY) as client,
    ):
        yield client, await backend.sockets.get(), backend, at


async def send_all(sender: ServerConnection | ClientConnection, message: str, times: int) -> None:
    """Send a message so many times, each under its number."""
    for number in range(times):
        await sender.send(message % number)
