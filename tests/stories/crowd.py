"""A crowd of stations, in threads of a test: some come and go all the time, some stay and talk, one asks the web.

Whatever happens to one of them that may not is kept in ``failures``; being told to come back (1012) is what may, and it
comes back at once.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.stories import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.stories.town import Town

RESTART: Final = 1012  # close code: the station should come back soon
PAUSE_SECONDS: Final = 0.02  # between two things that one of them says
PATIENCE: Final = 30.0  # seconds for an answer, or for a connection


def dial(town: Town, identity: str, name: str = "") -> ClientConnection:
    """Connect as a station does, with the papers of that name; raises where it is refused or cut off."""
    folder, name = town.world.folder, name or identity.lower()
    context = ssl.create_default_context(cafile=str(folder / "root.pem"))
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    url = f"wss://localhost:{town.port}/ocpp/{identity}"
    subprotocols = [Subprotocol("ocpp1.6")]
    return connect(
        url, ssl=context, subprotocols=subprotocols, proxy=None, open_timeout=PATIENCE, close_timeout=PATIENCE
    )


class Crowd:
    """Of ``stay``, each has one session as long as it is let; of ``come``, one after the other comes and goes."""

    def __init__(self, town: Town, stay: Sequence[str], come: Sequence[str]) -> None:
        self._town = town
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.heard: Counter[str] = Counter()
        """Answers, by identity."""
        self.let_go: Counter[str] = Counter()
        """How often a session was told to come back, by identity."""
        self.turns = self.fetched = 0
        self._come = come
        works = [*((self._stay, identity) for identity in stay), (self._come_and_go, ""), (self._fetch, "web")]
        self._threads = [threading.Thread(target=self._keep, args=work) for work in works]
        for thread in self._threads:
            thread.start()
        kernel.until("all of them talk", lambda: self.failures or all(self.heard[identity] for identity in stay))

    def goes_on(self) -> None:
        """Wait until everybody has said something more and a few have come."""
        before, turns, fetched = self.heard.copy(), self.turns, self.fetched

        def all_did() -> bool:
            talked = all(self.heard[identity] > said for identity, said in before.items())
            return bool(self.failures) or (talked and self.turns > turns + 1 and self.fetched > fetched)

        kernel.until("they talk and come", all_did)

    def end(self) -> None:
        """End it."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, work: Callable[[str], None], identity: str) -> None:
        try:
            while not self._stop.is_set():
                work(identity)
        except Exception as failure:  # noqa: BLE001 - whatever it was is shown by the story
            self.failures.append(f"{identity or 'one who comes'}: {failure!r}")

    def _stay(self, identity: str) -> None:
        with dial(self._town, identity) as line:
            try:
                self._talk(line, identity)
            except ConnectionClosed as closed:
                self._is_let_go(closed, identity)

    def _talk(self, line: ClientConnection, identity: str) -> None:
        for number in count():
            line.send(f'[2,"{number}","Heartbeat",{{}}]')
            assert str(line.recv(PATIENCE)).startswith(f'[3,"{number}"')
            self.heard[identity] += 1
            if self._stop.wait(PAUSE_SECONDS):
                return

    def _come_and_go(self, _: str) -> None:
        identity = self._come[self.turns % len(self._come)]
        with dial(self._town, identity) as line:
            try:
                line.send('[2,"1","Heartbeat",{}]')
                assert str(line.recv(PATIENCE)).startswith('[3,"1"')
            except ConnectionClosed as closed:
                self._is_let_go(closed, identity)
        self.turns += 1

    def _fetch(self, _: str) -> None:
        """Shake hands with the web process, as whoever fetches firmware does."""
        context = ssl.create_default_context(cafile=str(self._town.world.folder / "root.pem"))
        with (
            socket.create_connection(("localhost", self._town.web_port), PATIENCE) as raw,
            context.wrap_socket(raw, server_hostname="localhost"),
        ):
            self.fetched += 1
        self._stop.wait(PAUSE_SECONDS)

    def _is_let_go(self, closed: ConnectionClosed, identity: str) -> None:
        if closed.rcvd is None or closed.rcvd.code != RESTART:
            raise closed
        self.let_go[identity] += 1
