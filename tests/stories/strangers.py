"""Strangers who knock at a town's door without end, each time under a name of its own.

They bring a certificate of ours that is another station's, because that is refused with a status and not by TLS; so
every answer can be held against the events.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from itertools import count
from typing import TYPE_CHECKING

from tests.stories import kernel
from tests.stories.town import PAPERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KNOCKERS = 2
NUMBERS = count(1)  # every name is used once, also by the stories of one town

_UPGRADE = (
    "GET /ocpp/{} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
)


class Strangers:
    """Threads that knock, and what each was answered: a status, or none when the connection broke."""

    def __init__(self, port: int, folder: Path) -> None:
        self.seen: dict[str, int | None] = {}
        self._port = port
        self._news = threading.Condition()
        self._enough = False
        self._context = ssl.create_default_context(cafile=folder / "root.pem")
        name = PAPERS[0].identity.lower()
        self._context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self._threads = [threading.Thread(target=self._knock_on) for _ in range(KNOCKERS)]

    def answered(self) -> set[str]:
        """The names under which a status was received so far."""
        with self._news:
            return {name for name, status in self.seen.items() if status}

    def wait_for(self, more: int) -> None:
        """Wait until so many more were answered."""
        goal = len(self.answered()) + more
        with self._news:
            done = self._news.wait_for(lambda: sum(map(bool, self.seen.values())) >= goal, kernel.SECONDS)
        assert done, f"only {len(self.answered())} of {goal} were answered"

    @contextlib.contextmanager
    def knocking(self) -> Iterator[None]:
        """Knock for the length of the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._enough = True
            for thread in self._threads:
                thread.join()

    def _knock_on(self) -> None:
        while not self._enough:
            name = f"GHOST-{next(NUMBERS):05}"
            status = self._knock(name)
            with self._news:
                self.seen[name] = status
                self._news.notify_all()

    def _knock(self, name: str) -> int | None:
        try:
            with (
                socket.create_connection(("localhost", self._port), kernel.SECONDS) as line,
                self._context.wrap_socket(line, server_hostname="localhost") as secured,
            ):
                secured.sendall(_UPGRADE.format(name).encode())
                head = secured.recv(64).split()
        except OSError:  # whoever would have answered is dead
            return None
        return int(head[1]) if len(head) > 1 else None
