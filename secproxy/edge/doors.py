"""The doors of one worker: its listeners, on the sockets that it is handed, presenting what the authority gave it.

Rules this file keeps:

* A door whose settings stay stays open, whatever else changes; settings whose doors cannot all be opened change none.
* It accepts from exactly those sockets that were handed over last; where none are handed over, from sockets of its own.
* What is presented, and trusted, holds for whoever comes from then on; connections under way keep what they began with.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from typing import TYPE_CHECKING

from cryptography import x509

from pki.errors import ConflictError
from pki.station import SecurityProfile
from secproxy.edge import reading
from secproxy.edge.listener import Doorway, Listener, Slots
from secproxy.edge.sockets import close_all
from secproxy.edge.tls_context import server_context
from secproxy.events import Note

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator

    from OpenSSL import SSL

    from pki.edge import calls
    from secproxy.config import Config, ListenerConfig
    from secproxy.edge.sockets import Hatch, Place
    from secproxy.edge.staples import Staples
    from secproxy.station_view import View


class Doors:
    """The doors of these settings. ``arrive`` takes in whoever is accepted, ``record`` writes a security event."""

    def __init__(
        self,
        config: Config,
        view: View,
        trust: tuple[calls.Credentials, calls.Snapshot],
        staples: Staples,
        arrive: Callable[[Listener, socket.socket, str], Awaitable[None]],
        record: Callable[[Note], None],
    ) -> None:
        self._config, self._view, self._staples = config, view, staples
        self._arrive, self._record = arrive, record
        self.credentials, told = trust
        self.present(self.credentials)
        self.trust(told)
        self.slots = Slots(config.limits.handshakes_at_once)
        self._doorway = Doorway(config.limits.arrivals_of_one, config.limits.arrivals_queued, self._crowded)
        self._listeners: list[Listener] = []
        self._shut: list[Listener] = []
        self._hatch: Hatch | None = None
        self._sockets: dict[Place, socket.socket] = {}  # handed over, and of no door that is open
        self._opened = False

    def open(self, hatch: Hatch | None = None) -> None:
        """Open the doors, on the sockets that come through the hatch; without one, each on a socket of its own."""
        self._hatch = hatch
        self.take_sockets()
        self._listeners = [self._open(address) for address in self._config.listeners]
        self._opened = True

    # -- the sockets -----------------------------------------------------------------------------------------------

    def take_sockets(self) -> None:
        """Accept from the sockets that were handed over last, and from no other."""
        if self._hatch is None:
            return
        try:
            given = self._hatch.take()
        except EOFError:  # nobody is left to hand over any
            asyncio.get_running_loop().remove_reader(self._hatch.fileno())
            return
        if given is None:
            return
        close_all(self._sockets)
        self._sockets = given
        for door in self._listeners:
            with contextlib.suppress(OSError):  # a door that is about to be closed
                door.accept_from(self._claim(door.config))

    def _claim(self, address: ListenerConfig) -> dict[int, socket.socket]:
        """Take those of one address out of the sockets that were handed over."""
        mine = [place for place in self._sockets if (place.host, place.port) == (address.host, address.port)]
        if not mine:
            raise OSError(errno.EADDRNOTAVAIL, "no socket was handed over for it")
        return {place.number: self._sockets.pop(place) for place in mine}

    def _sockets_for(self, address: ListenerConfig) -> dict[int, socket.socket]:
        """Those that a new door accepts from: those of the one whose place it takes, whose settings were others."""
        for door in self._listeners:
            if (door.config.host, door.config.port) == (address.host, address.port):
                return door.lend()
        return self._claim(address)

    def _open(self, address: ListenerConfig) -> Listener:
        return Listener(
            address,
            self._context(address),
            self.slots,
            self._doorway,
            self._arrive,
            self._record,
            self._config.limits,
            self._sockets_for(address) if self._hatch else None,
        )

    def _crowded(self, address: str) -> None:
        self._record(Note("door.crowded", remote=address))

    # -- other settings --------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def changing(self, config: Config) -> Iterator[None]:
        """Have the doors of other settings open for the length of the block, and then those alone.

        Whatever the block raises leaves those that were open before; ``ConflictError("up.address")`` where a new one
        cannot be opened.
        """
        self.take_sockets()  # handed over before the word came
        before = set(self._listeners)
        doors = self._reopen(config) if self._opened else set[Listener]()
        try:
            yield
        except BaseException:
            for door in doors - before:
                door.close()
            raise
        for door in before - doors:
            door.close()
        self._config, self._listeners = config, list(doors)

    def _reopen(self, config: Config) -> set[Listener]:
        """The doors of these settings, those that are open already among them."""
        kept = {door.config: door for door in self._listeners}
        found: set[Listener] = set()
        try:
            for address in config.listeners:
                found.add(kept.get(address) or self._open(address))
        except OSError as problem:
            for door in found - set(self._listeners):
                door.close()
            raise ConflictError(
                "up.address", f"a new listener: {problem.strerror}", "Choose another address."
            ) from None
        return found

    # -- what is presented and trusted -----------------------------------------------------------------------------

    def present(self, credentials: calls.Credentials) -> None:
        """Present these, from ``renew`` on."""
        self.credentials = credentials
        self._staples.present(credentials)

    def trust(self, told: calls.Snapshot | calls.TrustChanged) -> None:
        """Trust our issuers for stations and the anchors given for stations, and no root, from ``renew`` on."""
        issuers, anchors = reading.trusted(told.issuers, told.anchors)
        ours = [row.pem for row in issuers if row.purpose == "station"]
        others = [row.pem for row in anchors if row.purpose == "station"]
        self._anchors = [x509.load_pem_x509_certificate(pem.encode()) for pem in ours + others]

    def renew(self) -> None:
        """Have whoever comes from now on meet what is presented and trusted now."""
        for listener in self._listeners:
            listener.context = self._context(listener.config)

    def _context(self, listener: ListenerConfig) -> SSL.Context | None:
        if listener.profile is SecurityProfile.BASIC:
            return None
        return server_context(
            self.credentials,
            self._anchors,
            mutual=listener.profile is SecurityProfile.MUTUAL_TLS,
            legacy=bool(listener.legacy),
            late=bool(self._view.late),
            staple=self._staples.of,
        )

    # -- the end ---------------------------------------------------------------------------------------------------

    def shut(self) -> None:
        """Accept no more; whoever was accepted still comes in."""
        self._shut, self._listeners, self._opened = self._listeners, [], False
        for door in self._shut:
            door.shut()

    async def emptied(self, seconds: float) -> None:
        """Wait until nobody is on the way in through a door that was shut, and no longer than this."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(door.emptied() for door in self._shut))
        for door in self._shut:
            door.close()

    def close(self) -> None:
        """Accept no more, and give up those that are on the way in."""
        listeners, self._listeners, self._opened = self._listeners, [], False
        for listener in listeners:
            listener.close()
        close_all(self._sockets)
        self._sockets = {}
