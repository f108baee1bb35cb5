"""Patience with strangers: a head in time and of a size, or the door."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState

from secproxy.edge import patience
from secproxy.edge.patience import StatusProtocol

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import pytest


async def _application(scope: object, receive: object, send: object) -> None:
    assert callable(send)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _heard(*said: bytes) -> list[bytes]:
    """What is answered to each of these on a connection of its own, until it ends."""
    config = uvicorn.Config(_application, http=StatusProtocol, lifespan="off", log_config=None)
    config.load()
    states: MutableMapping[str, object] = {}
    make = partial(StatusProtocol, config=config, server_state=ServerState(), app_state=dict(states))
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    heard = [await _ask(port, words) for words in said]
    server.close()
    return heard


async def _ask(port: int, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(words)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_attack_13_whoever_never_finishes_a_head_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 13: silence, and half a head."""
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.1)
    heard = asyncio.run(_heard(b"", b"GET / HT"))

    assert heard == [b"", b""]


def test_a_head_without_an_end_is_not_kept() -> None:
    """Uvicorn's own protocol would keep all that comes."""
    endless = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * patience.HEAD_BYTES
    [heard] = asyncio.run(_heard(endless))

    assert heard == b""
