"""Listening sockets belong to the supervisor and outlive whoever accepts from them, so that nobody who waits in one is
turned away because a process is exchanged.

Rules this file keeps:

* There is one socket for each address and place; workers have a place each, and share an address by SO_REUSEPORT. It is
  made once, and closed when no settings name its address any more.
* A process accepts from exactly those sockets that it was handed last. Where two hold the same one, either may accept:
  that is how one takes over from the other.
* They travel over a pair of sockets whose one end the process inherits, so nobody else can ask for one.
"""

from __future__ import annotations

import array
import os
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from pki.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from secproxy.config import Config

INHERITED: Final = "BOLLARD_SOCKETS"
"""The environment variable that names the descriptor by which a process is handed its sockets."""
BACKLOG: Final = 4096  # connections the kernel holds for us; a reconnect storm of one site fits
KEEPALIVE: Final = (60, 20, 3)  # seconds idle, seconds between probes, probes; a dead peer is found in two minutes
AT_ONCE: Final = 200  # sockets in one message; Linux takes 253 (SCM_MAX_FD)
MESSAGE_BYTES: Final = 64 * 1024  # of one message; 200 of the longest addresses have a third of it
WEB: Final = ("web", "status", "metrics")
"""What the web process listens to."""


class Place(NamedTuple):
    """Which socket: what it is for (``stations``, or one of ``WEB``), its address, and which of the sockets there."""

    duty: str
    host: str
    port: int
    number: int = 0


class Handed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the descriptors of one message are; ``more`` of the same set follow."""

    places: list[Place]
    more: bool


_decoder: Final = msgspec.json.Decoder(Handed)


class Sockets:
    """The listening sockets of one home."""

    def __init__(self, held: Mapping[Place, socket.socket] | None = None) -> None:
        self._held = dict(held or {})

    def keep(self, wanted: Iterable[Place]) -> None:
        """Make the sockets that are wanted and missing, and close those that no wanted one shares an address with.

        ``ConflictError("up.address")``, and nothing has changed, where an address cannot be listened on.
        """
        wanted, made = list(wanted), dict[Place, socket.socket]()
        try:
            for place in wanted:
                if place not in self._held:
                    made[place] = make(place.host, place.port, shared=place.duty == "stations")
        except OSError as problem:
            close_all(made)
            raise taken(place.host, place.port, problem) from None
        self._held |= made
        addresses = {each[:3] for each in wanted}
        for place in [each for each in self._held if each[:3] not in addresses]:
            self._held.pop(place).close()

    def of(self, duty: str, numbers: Iterable[int]) -> dict[Place, socket.socket]:
        """Find those for a duty that have one of these numbers."""
        wanted = set(numbers)
        return {place: sock for place, sock in self._held.items() if place.duty == duty and place.number in wanted}

    def numbers(self) -> set[int]:
        """The numbers there are of sockets for stations."""
        return {place.number for place in self._held if place.duty == "stations"}

    def all(self) -> dict[Place, socket.socket]:
        """Every one."""
        return dict(self._held)

    def close(self) -> None:
        """Close all: whoever knocks from now on is refused, as soon as no other process holds them."""
        close_all(self._held)
        self._held.clear()


def make(host: str, port: int, *, shared: bool) -> socket.socket:
    """Make a bound socket, not listening yet. Raises ``OSError``."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        sock.setblocking(False)
        _prepare(sock)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def taken(host: str, port: int, problem: OSError) -> ConflictError:
    """Make the error for an address that cannot be listened on."""
    says = f"{host} port {port} cannot be listened on: {problem.strerror}"
    return ConflictError("up.address", says, "Stop what uses it, or choose another address in bollard.toml.")


def refuse_taken(addresses: Iterable[tuple[str, int]]) -> None:
    """Say so before anything starts: workers share their ports, so they would not notice another home's workers.

    Raises ``ConflictError("up.address")``.
    """
    for host, port in addresses:
        try:
            make(host, port, shared=False).close()
        except OSError as problem:
            raise taken(host, port, problem) from None


def places(config: Config, workers: int, *, web: bool) -> list[Place]:
    """Name every socket that these settings take; those for stations once for each of so many workers."""
    doors = [Place("stations", door.host, door.port, number) for door in config.listeners for number in range(workers)]
    pages = zip(WEB, ((config.web.host, config.web.port), config.web.status, config.metrics), strict=True)
    return [*doors, *(Place(duty, *address) for duty, address in pages if web and address)]


def pair() -> tuple[socket.socket, socket.socket]:
    """Make the two ends that sockets are handed over by: ours, and the one that a child inherits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def hand(line: socket.socket, given: Mapping[Place, socket.socket]) -> bool:
    """Hand a process the sockets it is to accept from; False when it is gone, or has not looked for long."""
    places = list(given)
    parts = [places[start : start + AT_ONCE] for start in range(0, len(places), AT_ONCE)] or [[]]
    try:
        for count, part in enumerate(parts, 1):
            said = msgspec.json.encode(Handed(part, more=count < len(parts)))
            socket.send_fds(line, [said], [given[place].fileno() for place in part])
    except OSError:
        return False
    return True


class Hatch:
    """A process' own end."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.setblocking(False)
        self._part: dict[Place, socket.socket] = {}

    @classmethod
    def inherited(cls) -> Hatch | None:
        """The one that this process was started with; None when it was started by itself."""
        number = os.environ.pop(INHERITED, "")
        return cls(socket.socket(fileno=int(number))) if number.isdecimal() else None

    def fileno(self) -> int:
        """Readable when there is something to take."""
        return self._line.fileno()

    def close(self) -> None:
        """Take no more."""
        self._line.close()

    def take(self) -> dict[Place, socket.socket] | None:
        """Take the newest set there is; None when there is none that was not taken before.

        ``EOFError`` when the supervisor is gone.
        """
        newest = None
        while (handed := self._receive()) is not None:
            word, sockets = handed
            self._part |= dict(zip(word.places, sockets, strict=True))
            if not word.more:
                close_all(newest or {})
                newest, self._part = self._part, {}
        return newest

    def _receive(self) -> tuple[Handed, list[socket.socket]] | None:
        room = socket.CMSG_SPACE(AT_ONCE * array.array("i").itemsize)
        try:
            said, ancillary, _, _ = self._line.recvmsg(MESSAGE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        if not said:
            raise EOFError
        numbers = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers.frombytes(data)
        return _decoder.decode(said), [_adopted(number) for number in numbers]


def _adopted(number: int) -> socket.socket:
    sock = socket.socket(fileno=number)
    sock.setblocking(False)
    return sock


def close_all(sockets: Mapping[Place, socket.socket]) -> None:
    """Close each of them."""
    for sock in sockets.values():
        sock.close()


def _prepare(sock: socket.socket) -> None:
    """Set what every accepted socket inherits from the one that listens (Linux does so, tcp(7))."""
    idle, interval, probes = KEEPALIVE
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, (idle + interval * probes) * 1000)
