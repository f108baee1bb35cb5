"""The door of one worker: listening sockets shared by all workers, and how many may stand in the doorway at once."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from secproxy.buckets import Bucket
from secproxy.config import Limits, write_address
from secproxy.edge.preamble import read_caller
from secproxy.events import Note
from secproxy.proxy_protocol import PreambleError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from OpenSSL import SSL

    from secproxy.config import ListenerConfig

BACKLOG: Final = 4096  # connections the kernel holds for us; a reconnect storm of one site fits
PAUSE_SECONDS: Final = 0.2  # between attempts while the process has no descriptor left
REFUSALS_PER_SECOND: Final = 1.0  # events of connections that are no load balancer's
REFUSALS_BURST: Final = 20  # and at once
KEEPALIVE: Final = (60, 20, 3)  # seconds idle, seconds between probes, probes; a dead peer is found in two minutes


class Slots:
    """How many handshakes may be under way; a full house is told to every listener, which stops accepting."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._waiting: list[Callable[[], None]] = []

    def take(self) -> bool:
        """Take a slot; False when there is none."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    def take_over(self) -> None:
        """Take a slot for one that has waited long enough, even above the total; the others wait the longer."""
        self._free -= 1

    def give(self) -> None:
        """Give a slot back and let a waiting listener go on."""
        self._free += 1
        if self._free <= 0:
            return
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            resume()

    def when_free(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` once a slot is given back."""
        self._waiting.append(resume)


@dataclass(slots=True)
class _Crowd:
    """The arrivals of one network: how many are under way, and those that wait for one of these to end."""

    under_way: int = 0
    queue: deque[Callable[[], bool]] = field(default_factory=deque)
    told: bool = False


class Doorway:
    """Gives each network a share of the arrivals under way, so that no stranger keeps everybody else out.

    Of one network ``each`` may be under way and ``queue`` wait for their turn; the next is shown the door, and
    ``crowded`` is called with its address, once until none of that network is left.
    """

    def __init__(self, each: int, queue: int, crowded: Callable[[str], None]) -> None:
        self._each = each
        self._queue = queue
        self._crowded = crowded
        self._crowds: dict[str, _Crowd] = {}

    def enter(self, address: str, begin: Callable[[], bool]) -> bool:
        """Call ``begin`` now or when it is this IP address' turn; False when too many of its network wait already.

        ``begin`` says whether it did; the arrival may have gone while it waited.
        """
        crowd = self._crowds.setdefault(network_of(address), _Crowd())
        if crowd.under_way < self._each:
            crowd.under_way += 1
            if not begin():
                self.leave(address)
        elif len(crowd.queue) < self._queue:
            crowd.queue.append(begin)
        else:
            if not crowd.told:
                crowd.told = True
                self._crowded(address)
            return False
        return True

    def leave(self, address: str) -> None:
        """One that had begun was admitted, or has gone."""
        network = network_of(address)
        crowd = self._crowds[network]
        while crowd.queue:
            if crowd.queue.popleft()():
                return
        crowd.under_way -= 1
        if not crowd.under_way:
            del self._crowds[network]


class Listener:
    """One listening address. ``context`` may be replaced at any time; connections under way keep the old one.

    Where load balancers are named, each connection first says who is calling, and counts as that caller's from then on;
    ``record`` hears of those that do not.
    """

    def __init__(
        self,
        config: ListenerConfig,
        context: SSL.Context | None,
        slots: Slots,
        doorway: Doorway,
        arrive: Callable[[Listener, socket.socket, str], Awaitable[None]],
        record: Callable[[Note], None] = lambda _: None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._record, self._limits = record, limits
        self._callers: set[asyncio.Task[None]] = set()
        self._refusals = Bucket(REFUSALS_PER_SECOND, REFUSALS_BURST)
        self.config = config
        self.context = context
        self._slots = slots
        self._doorway = doorway
        self._arrive = arrive
        self._loop = asyncio.get_running_loop()
        self._arrivals: set[asyncio.Task[None]] = set()
        self._open = True
        self._socket = _listen(config.host, config.port)
        self._watch()

    @property
    def port(self) -> int:
        """The port in use, also when the system chose it."""
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Accept no more, and give up those that have not yet been admitted. Safe to call again."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in (*self._callers, *self._arrivals):
            task.cancel()

    def _watch(self) -> None:
        if self._open:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        """Accept one; the loop comes back for the next, after live messages have had their turn."""
        if not self._slots.take():
            self._loop.remove_reader(self._socket.fileno())
            self._slots.when_free(self._watch)
            return
        try:
            sock, address = self._socket.accept()
        except BlockingIOError:  # another worker was quicker, or the caller has gone
            self._slots.give()
        except OSError:  # out of descriptors or memory: the kernel keeps the connection until there is room
            self._slots.give()
            self._loop.remove_reader(self._socket.fileno())
            self._loop.call_later(PAUSE_SECONDS, self._watch)
        else:
            self._slots.give()  # the arrival costs no more than a descriptor until it is its turn
            sock.setblocking(False)
            if self.config.proxies:
                self._ask_caller(sock, address)
            else:
                self._admit(sock, address)

    def _ask_caller(self, sock: socket.socket, address: tuple[str, int]) -> None:
        if len(self._callers) >= self._limits.callers_at_once:
            sock.close()
            return
        asking = asyncio.ensure_future(self._admit_caller(sock, address))
        self._callers.add(asking)
        asking.add_done_callback(self._callers.discard)

    async def _admit_caller(self, sock: socket.socket, address: tuple[str, int]) -> None:
        try:
            caller = await read_caller(sock, address[:2], self.config.proxies, self._limits.caller_seconds)
        except PreambleError as refused:
            sock.close()
            self._tell_refused(write_address(*address[:2]), refused.says)
        except BaseException:
            sock.close()
            raise
        else:
            self._admit(sock, caller)

    def _tell_refused(self, remote: str, says: str) -> None:
        """Write it down, unless very many come: who need not even shake hands must not fill the journal."""
        if self._refusals.take(self._loop.time()):
            self._record(Note("proxy.refused", remote=remote, evidence={"says": says}))

    def _admit(self, sock: socket.socket, address: tuple[str, int]) -> None:
        if not self._doorway.enter(address[0], lambda: self._begin(sock, address)):
            sock.close()

    def _begin(self, sock: socket.socket, address: tuple[str, int]) -> bool:
        if not self._open:
            sock.close()
            return False
        self._slots.take_over()
        arrival = asyncio.ensure_future(self._arrive(self, sock, write_address(address[0], address[1])))
        self._arrivals.add(arrival)
        arrival.add_done_callback(self._arrivals.discard)
        arrival.add_done_callback(lambda _: self._doorway.leave(address[0]))
        return True


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one, all of which one host can have (RFC 4291 2.5.4)."""
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Interface((address.partition("%")[0], 64)).network)


def host_of(remote: str) -> str:
    """The IP address of a peer that is written as ``ip:port``."""
    return remote.rpartition(":")[0].strip("[]")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.setblocking(False)
    _prepare(listening)
    listening.bind((host, port))
    listening.listen(BACKLOG)
    return listening


def _prepare(sock: socket.socket) -> None:
    """Set what every accepted socket inherits from the one that listens (Linux does so, tcp(7))."""
    idle, interval, probes = KEEPALIVE
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, (idle + interval * probes) * 1000)
