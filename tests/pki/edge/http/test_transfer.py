"""``pki.edge.http.transfer``: a transfer ends honestly, or visibly broken."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from pki.edge.http import transfer as transfer_module
from pki.edge.http.budget import Allowance
from pki.edge.http.ranges import Span, whole
from pki.edge.http.transfer import Transfer
from pki.edge.vault import BLOCK_BYTES, Image, Vault

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path
    from typing import Any

    from pki.errors import BollardError

IMAGE = bytes(range(256)) * 2048


class Client:
    """The other end of an ASGI connection: it takes ``most`` blocks, then it sleeps or hangs up."""

    def __init__(self, most: int = 1000, *, sleeps: bool = False) -> None:
        self.taken: list[bytes] = []
        self.finished = False
        self._most = most
        self._sleeps = sleeps
        self._gone = asyncio.Event()

    async def receive(self) -> MutableMapping[str, Any]:
        """What the client says."""
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """What the client hears."""
        if message["type"] == "http.response.start":
            return
        if len(self.taken) >= self._most and self._sleeps:
            await asyncio.Event().wait()
        self.taken.append(message["body"])
        self.finished = not message["more_body"]
        if len(self.taken) >= self._most:
            self._gone.set()
        await asyncio.sleep(0)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image of two blocks in a vault."""
    (tmp_path / "incoming").write_bytes(IMAGE)
    vault, digest = Vault(tmp_path / "vault"), hashlib.sha256(IMAGE).hexdigest()
    vault.keep(tmp_path / "incoming", digest)
    return vault.open_image(digest)


def play(image: Image, span: Span, allowance: Allowance, **habits: Any) -> tuple[Client, int, BollardError | None]:
    """Transfer to a client of these habits; return it, the bytes sent, and what broke the transfer off."""
    ends: list[tuple[int, BollardError | None]] = []

    async def run() -> Client:
        client = Client(**habits)
        transfer = Transfer(image, span, {}, allowance, lambda sent, problem: ends.append((sent, problem)))
        await transfer({"type": "http"}, client.receive, client.send)
        return client

    client = asyncio.run(run())
    ((sent, problem),) = ends
    return client, sent, problem


def test_a_whole_transfer_ends_with_its_last_byte(image: Image) -> None:
    """Every byte is sent, counted against the allowance, and told once."""
    allowance = Allowance(left=2 * image.size)
    client, sent, problem = play(image, whole(image.size), allowance)
    assert (b"".join(client.taken), client.finished) == (IMAGE, True)
    assert (sent, problem, allowance.left) == (image.size, None, image.size)


def test_a_client_that_hangs_up_is_left_alone(image: Image) -> None:
    """No more is read for it, and what it did not take is not counted as sent."""
    client, sent, problem = play(image, whole(image.size), Allowance(left=image.size), most=1)
    assert (len(client.taken), client.finished) == (1, False)
    assert sent <= BLOCK_BYTES
    assert problem is None


def test_a_client_that_falls_asleep_is_given_up(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte a second holds no connection for ever."""
    monkeypatch.setattr(transfer_module, "STALL_SECONDS", 0.05)
    client, sent, _ = play(image, whole(image.size), Allowance(left=image.size), most=1, sleeps=True)
    assert (sent <= BLOCK_BYTES, client.finished) == (True, False)


def test_an_allowance_that_runs_out_breaks_the_transfer(image: Image) -> None:
    """The client sees fewer bytes than announced."""
    client, sent, problem = play(image, whole(image.size), Allowance(left=BLOCK_BYTES))
    assert (b"".join(client.taken), client.finished, sent) == (IMAGE[:BLOCK_BYTES], False, BLOCK_BYTES)
    assert problem is not None
    assert problem.code == "download.budget"
