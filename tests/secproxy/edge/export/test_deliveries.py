"""Deliveries over real HTTP: what counts as taken, what is sent with them, and whom they are sent to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import ssl
from typing import TYPE_CHECKING

import h11
import pytest

from pki.errors import InputError, UnreachableError
from secproxy.edge.export import deliveries as module
from secproxy.edge.export.deliveries import OtlpWay, WebhookWay
from secproxy.event_settings import Sink, Wanted
from secproxy.export import otlp, webhook
from tests.certs import Party
from tests.secproxy.export.samples import ORIGIN, SAMPLE, SIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SECRET = b"sixteen bytes or more"


class Receiver:
    """An HTTP server that keeps requests and answers with these bytes; after them it says nothing and waits."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[tuple[h11.Request, bytes]] = []
        self.talks: list[asyncio.Future[None]] = []

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talks.append(asyncio.ensure_future(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk, body = h11.Connection(h11.SERVER), b""
        while True:
            match talk.next_event():
                case h11.NEED_DATA:
                    talk.receive_data(await reader.read(65_536))
                case h11.Request() as request:
                    head = request
                case h11.Data() as data:
                    body += data.data
                case _:
                    break
        self.requests.append((head, body))
        writer.write(self.answer)
        with contextlib.suppress(ConnectionError):  # whoever asked hangs up without ceremony
            await reader.read()
        writer.transport.abort()

    def header(self, name: str) -> str:
        """A header of the last request."""
        head, _ = self.requests[-1]
        return dict(head.headers).get(name.lower().encode(), b"").decode()


OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def with_receiver(
    answer: bytes, story: Callable[[Receiver, int], Awaitable[None]], context: ssl.SSLContext | None = None
) -> None:
    """Run a story with a receiver beside it."""

    async def run() -> None:
        receiver = Receiver(answer)
        server = await asyncio.start_server(receiver, "127.0.0.1", 0, ssl=context)
        async with server:
            await story(receiver, server.sockets[0].getsockname()[1])
            await asyncio.gather(*receiver.talks)

    asyncio.run(run())


def sink(port: int, kind: str = "webhook", *, tls: bool = False, **files: str) -> Sink:
    """A receiver on this host."""
    host = "localhost" if tls else "127.0.0.1"
    there = Sink("hook", kind, Wanted(), host=host, port=port, target="/e?x=1", tls=tls)
    return dataclasses.replace(there, **files)  # type: ignore[arg-type]  # only texts are given


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """The path of a signing secret."""
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    path.chmod(0o600)
    return str(path)


def test_a_delivery_is_signed_and_named(secret: str) -> None:
    """The receiver finds body, time and signature in agreement, and the name it would find in a retry."""

    async def story(receiver: Receiver, port: int) -> None:
        await WebhookWay(sink(port, secret_file=secret), ORIGIN).send([SAMPLE, SIX])
        head, body = receiver.requests[0]
        seconds = int(receiver.header("Bollard-Signature").partition(",")[0].removeprefix("t="))
        assert (head.method, head.target) == (b"POST", b"/e?x=1")
        assert receiver.header("Bollard-Signature") == webhook.sign(SECRET, seconds, body)
        assert receiver.header("Bollard-Delivery") == webhook.delivery_id("hook", [SAMPLE, SIX])
        assert receiver.header("Bollard-Delivery") == json.loads(body)["delivery"]
        assert receiver.header("Host") == f"127.0.0.1:{port}"
        assert receiver.header("Authorization") == ""

    with_receiver(OK, story)


def test_a_collector_gets_otlp_with_its_token(tmp_path: Path) -> None:
    """One request for the batch; the token comes from its file."""
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o600)

    async def story(receiver: Receiver, port: int) -> None:
        await OtlpWay(sink(port, "otlp", token_file=str(token)), ORIGIN).send([SAMPLE, SIX])
        assert receiver.requests[0][1] == otlp.batch([SAMPLE, SIX], ORIGIN)
        assert receiver.header("Content-Type") == "application/json"
        assert receiver.header("Authorization") == "Bearer t0ken"
        assert receiver.header("Bollard-Signature") == ""

    with_receiver(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", story)


@pytest.mark.parametrize("status", [199, 301, 307, 400, 401, 413, 429, 500, 503])
def test_whatever_is_not_2xx_was_not_taken(secret: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect is followed nowhere: there is one request, and it failed."""

    async def story(receiver: Receiver, port: int) -> None:
        answer = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:{port}/other\r\nContent-Length: 0\r\n\r\n"
        receiver.answer = answer.encode()
        with pytest.raises((UnreachableError, TimeoutError)):
            await WebhookWay(sink(port, secret_file=secret), ORIGIN).send([SAMPLE])
        assert len(receiver.requests) == 1

    monkeypatch.setattr(module, "DEADLINE", 0.5 if status == 199 else 20.0)  # 1xx is no answer yet
    with_receiver(OK, story)


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 " + b"x" * 100_000, b"HTTP/1.1 100 C\r\n\r\n" * 9]
)
def test_what_is_no_answer_is_not_waited_for_without_end(
    secret: str, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deadline holds for the whole exchange, and the head is bounded."""
    monkeypatch.setattr(module, "DEADLINE", 0.3)

    async def story(receiver: Receiver, port: int) -> None:
        with pytest.raises((OSError, TimeoutError, h11.ProtocolError)):
            await WebhookWay(sink(port, secret_file=secret), ORIGIN).send([SAMPLE])

    with_receiver(answer, story)


def test_a_receiver_is_verified_before_it_is_told_anything(secret: str, tmp_path: Path) -> None:
    """By the anchor named, and by its name."""
    root = Party.root("Hook Root")
    ours = root.issue("localhost", dns="localhost")
    (tmp_path / "ca.pem").write_text(root.pem)
    (tmp_path / "other.pem").write_text(Party.root("Other Root").pem)
    (tmp_path / "both.pem").write_text(ours.pem + ours.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")

    async def story(receiver: Receiver, port: int) -> None:
        for name in ("other.pem", "ca.pem"):
            way = WebhookWay(sink(port, tls=True, secret_file=secret, ca_file=str(tmp_path / name)), ORIGIN)
            if name == "other.pem":
                with pytest.raises(ssl.SSLCertVerificationError):
                    await way.send([SAMPLE])
                assert receiver.requests == []
            else:
                await way.send([SAMPLE])
                assert len(receiver.requests) == 1

    with_receiver(OK, story, context)


def test_a_secret_that_is_too_short_or_open_signs_nothing(tmp_path: Path) -> None:
    """It is read anew for each delivery, so a better one needs no restart."""
    path = tmp_path / "secret"
    path.write_bytes(b"short")
    path.chmod(0o600)

    async def story(receiver: Receiver, port: int) -> None:
        way = WebhookWay(sink(port, secret_file=str(path)), ORIGIN)
        with pytest.raises(InputError, match="less than 16"):
            await way.send([SAMPLE])
        path.write_bytes(SECRET)
        await way.send([SAMPLE])
        assert len(receiver.requests) == 1

    with_receiver(OK, story)
