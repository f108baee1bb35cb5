"""The door of one worker: listening sockets that were handed to it, and how many may stand in the doorway at once."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from secproxy.buckets import Bucket
from secproxy.config import Limits, write_address
from secproxy.edge.preamble import read_caller
from secproxy.edge.sockets import BACKLOG, make
from secproxy.events import Note
from secproxy.proxy_protocol import PreambleError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

    from OpenSSL import SSL

    from secproxy.config import ListenerConfig

PAUSE_SECONDS: Final = 0.2  # between attempts while the process has no descriptor left
REFUSALS_PER_SECOND: Final = 1.0  # events of connections that are no load balancer's
REFUSALS_BURST: Final = 20  # and at once


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

    It accepts from the sockets it was handed, by number; where it was handed none it makes one of its own.

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
        sockets: Mapping[int, socket.socket] | None = None,
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
        self._open = self._waits = True
        self._sockets: dict[int, socket.socket] = {}
        self.accept_from({0: make(config.host, config.port, shared=True)} if sockets is None else sockets)

    @property
    def port(self) -> int:
        """The port in use, also when the system chose it."""
        port: int = next(iter(self._sockets.values())).getsockname()[1]
        return port

    def accept_from(self, sockets: Mapping[int, socket.socket]) -> None:
        """Accept from these sockets from now on, and no other; one held already is the same."""
        for number in self._sockets.keys() - sockets.keys():
            self._loop.remove_reader(self._sockets[number].fileno())
            self._sockets.pop(number).close()
        for number, sock in sockets.items():
            if number in self._sockets:
                sock.close()
                continue
            sock.listen(BACKLOG)
            self._sockets[number] = sock
            if self._waits:
                self._loop.add_reader(sock.fileno(), self._accept, sock)

    def lend(self) -> dict[int, socket.socket]:
        """The same sockets once more, for a door that takes this one's place; who waits in them waits on."""
        return {number: sock.dup() for number, sock in self._sockets.items()}

    def shut(self) -> None:
        """Accept no more; those who were accepted still come in, those who wait do so for its other holders."""
        self._rest()
        self.accept_from({})

    async def emptied(self) -> None:
        """Wait until nobody is on the way in any more."""
        while under_way := {*self._callers, *self._arrivals}:
            await asyncio.wait(under_way)
            await asyncio.sleep(0)  # whoever waited for one of these to end begins now

    def close(self) -> None:
        """Accept no more, and give up those that have not yet been admitted. Safe to call again."""
        self.shut()
        self._open = False
        for task in (*self._callers, *self._arrivals):
            task.cancel()

    def _watch(self) -> None:
        self._waits = True
        for sock in self._sockets.values():
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _rest(self) -> None:
        self._waits = False
        for sock in self._sockets.values():
            self._loop.remove_reader(sock.fileno())

    def _accept(self, waiting: socket.socket) -> None:
        """Accept one; the loop comes back for the next, after live messages have had their turn."""
        if not self._waits:
            return
        if not self._slots.take():
            self._rest()
            self._slots.when_free(self._watch)
            return
        try:
            sock, address = waiting.accept()
        except BlockingIOError:  # another worker was quicker, or the caller has gone
            self._slots.give()
        except OSError:  # out of descriptors or memory: the kernel keeps the connection until there is room
            self._slots.give()
            self._rest()
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
