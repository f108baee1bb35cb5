"""A small charging station: it connects, boots, reports a heartbeat, and installs firmware that is properly signed.

Run it with ``python examples/station.py --url wss://localhost:8443/ocpp --identity CP-001 --root root.pem --certificate
cp-001.pem --key cp-001.key``. Everything that happens is printed as one JSON object a line:

* ``{"connected": URL, "subprotocol": ...}``, ``{"said": "[2,..."}``, ``{"heard": "[3,..."}``, ``{"booted": ...}``
* ``{"firmware": "Downloading", "request": 7}`` and so on, at last ``{"installed": FILE, "sha256": ..., "size": ...}``
* ``{"refused": "http", "status": 401}`` or ``{"refused": "tls", "says": ...}``, then it ends with code 5
* ``{"closed": 1008, "says": ...}`` when the other side ends the session, then it ends with code 6

It stays until its input ends. A typed line ``{"say": "[2, ..."}`` is sent as it stands.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import http.client
import json
import logging
import os
import ssl
import sys
import threading
from pathlib import Path
from socket import create_connection
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, urlsplit

import ocpp.v16  # type: ignore[import-untyped]  # carries no types
import ocpp.v201  # type: ignore[import-untyped]  # carries no types
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from ocpp.exceptions import NotSupportedError, OCPPError  # type: ignore[import-untyped]  # carries no types
from ocpp.routing import after as ocpp_after  # type: ignore[import-untyped]  # carries no types
from ocpp.routing import on as ocpp_on
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

REFUSED: Final = 5  # exit code: the other side would not have us
CLOSED: Final = 6  # exit code: the other side ended the session
IMAGE_BYTES: Final = 256 * 1024 * 1024  # the largest firmware image this station has room for
DOWNLOAD_SECONDS: Final = 30  # how long the download server may stay silent

F = TypeVar("F", bound="Callable[..., object]")
on: Callable[[str], Callable[[F], F]] = ocpp_on  # the ocpp package carries no types
after: Callable[[str], Callable[[F], F]] = ocpp_after


def report(**facts: object) -> None:
    """Print one thing that happened."""
    print(json.dumps(facts), flush=True)


def now() -> str:
    """Say the time as OCPP writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Line:
    """The WebSocket to the CSMS, which prints every message as it passes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def recv(self) -> str:
        """Wait for the CSMS's next message."""
        message = await self.socket.recv()
        text = message if isinstance(message, str) else message.decode(errors="replace")
        report(heard=text)
        return text

    async def send(self, message: str) -> None:
        """Send the CSMS a message."""
        report(said=message)
        await self.socket.send(message)


class Socket(ClientConnection):
    """Keeps the TLS alert that the other side sent; with TLS 1.3 it comes after our own handshake is over."""

    alert: ssl.SSLError | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        if isinstance(exc, ssl.SSLError):
            Socket.alert = exc
        super().connection_lost(exc)


class Installer:
    """Fetches firmware and installs it only if the manufacturer's signature over the whole file holds (L01.FR.04)."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tasks: set[asyncio.Task[None]] = set()

    def examine(self, certificate: str) -> str:
        """Answer a signed update: the signer must come directly from the manufacturer's root (L01.FR.21)."""
        try:
            root = x509.load_pem_x509_certificate(Path(self.options.manufacturer_root).read_bytes())
            signer = x509.load_pem_x509_certificate(certificate.encode())
            signer.verify_directly_issued_by(root)
        except (OSError, TypeError, ValueError, InvalidSignature):
            return "InvalidCertificate"
        valid = signer.not_valid_before_utc <= dt.datetime.now(dt.UTC) <= signer.not_valid_after_utc
        return "Accepted" if valid else "InvalidCertificate"

    def start(self, firmware: dict[str, str], request: int, tell: Callable[[str], Coroutine[None, None, None]]) -> None:
        """Begin an update that was accepted; ``tell`` reports its progress to the CSMS."""
        if self.examine(firmware["signing_certificate"]) == "Accepted":
            task = asyncio.ensure_future(self.update(firmware, request, tell))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def update(
        self, firmware: dict[str, str], request: int, tell: Callable[[str], Coroutine[None, None, None]]
    ) -> None:
        """Download, verify, install; every state is reported (L01.FR.01)."""

        async def reach(status: str) -> None:
            report(firmware=status, request=request)
            await tell(status)

        await reach("Downloading")
        try:
            image = await asyncio.to_thread(download, firmware["location"], self.options.root, self.options.address)
            await reach("Downloaded")
            verify(image, firmware["signature"], firmware["signing_certificate"])
        except (OSError, http.client.HTTPException) as error:
            report(failed=str(error), request=request)
            return await reach("DownloadFailed")
        except (ValueError, InvalidSignature):
            return await reach("InvalidSignature")
        for status in ("SignatureVerified", "Installing"):
            await reach(status)
        await asyncio.to_thread(Path(self.options.firmware_out).write_bytes, image)
        await reach("Installed")
        return report(installed=self.options.firmware_out, sha256=hashlib.sha256(image).hexdigest(), size=len(image))


class Dialled(http.client.HTTPSConnection):
    """HTTPS that may dial another address than the one its host's name stands for; the certificate is the host's."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext) -> None:
        super().__init__(host, port, context=context, timeout=DOWNLOAD_SECONDS)
        self.address, self.tls = address, context

    def connect(self) -> None:
        """Part of http.client's connection."""
        plain = create_connection((self.address, self.port), self.timeout)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


def download(location: str, root: str, address: str | None) -> bytes:
    """Fetch an image over HTTPS from a server whose certificate comes from ``root``; nothing else is trusted."""
    url = urlsplit(location)
    if url.scheme != "https" or url.hostname is None:
        raise OSError("firmware comes over https alone")
    context = ssl.create_default_context(cafile=root)
    connection = Dialled(url.hostname, url.port or 443, address or url.hostname, context)
    try:
        connection.request("GET", url.path)
        answer = connection.getresponse()
        image = answer.read(IMAGE_BYTES + 1)
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK or len(image) > IMAGE_BYTES:
        raise OSError(f"the server answered {answer.status} with {len(image)} bytes")
    return image


def verify(image: bytes, signature: str, certificate: str) -> None:
    """Check the signature over the whole image: ECDSA, or RSA-PSS with SHA-256; anything else is refused."""
    raw = base64.b64decode(signature, validate=True)
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(raw, image, ec.ECDSA(hashes.SHA256() if key.key_size <= 256 else hashes.SHA384()))
    elif isinstance(key, rsa.RSAPublicKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
        key.verify(raw, image, pss, hashes.SHA256())
    else:
        raise InvalidSignature


class Station16(ocpp.v16.ChargePoint):  # type: ignore[misc]  # the ocpp package carries no types
    """This station, speaking OCPP 1.6 with the security extension."""

    installer: Installer

    async def boot(self, options: argparse.Namespace) -> str:
        """Introduce ourselves, then report a connector and a heartbeat."""
        facts = {"charge_point_serial_number": options.serial or None, "firmware_version": options.firmware_version}
        answer = await self.call(ocpp.v16.call.BootNotification(options.model, options.vendor, **facts))
        await self.call(ocpp.v16.call.StatusNotification(1, "NoError", "Available", now()))
        await self.call(ocpp.v16.call.Heartbeat())
        return str(answer.status)

    @on("ClearCache")
    def on_clear_cache(self) -> object:
        """Clear a cache that is empty already."""
        return ocpp.v16.call_result.ClearCache("Accepted")

    @on("UpdateFirmware")
    def on_update(self, **_: object) -> object:
        """A station that can do signed updates takes no unsigned one (L01.FR.20 of the 1.6 extension)."""
        raise NotSupportedError

    @on("SignedUpdateFirmware")
    def on_signed_update(self, firmware: dict[str, str], **_: object) -> object:
        """Answer a signed update."""
        return ocpp.v16.call_result.SignedUpdateFirmware(self.installer.examine(firmware["signing_certificate"]))

    @after("SignedUpdateFirmware")
    def after_signed_update(self, request_id: int, firmware: dict[str, str], **_: object) -> None:
        """Begin it once the answer is out."""

        async def tell(status: str) -> None:
            await self.call(ocpp.v16.call.SignedFirmwareStatusNotification(status, request_id))

        self.installer.start(firmware, request_id, tell)


class Station201(ocpp.v201.ChargePoint):  # type: ignore[misc]  # the ocpp package carries no types
    """This station, speaking OCPP 2.0.1."""

    installer: Installer

    async def boot(self, options: argparse.Namespace) -> str:
        """Introduce ourselves, then report a connector and a heartbeat."""
        facts = {"model": options.model, "vendor_name": options.vendor, "firmware_version": options.firmware_version}
        named = facts | ({"serial_number": options.serial} if options.serial else {})
        answer = await self.call(ocpp.v201.call.BootNotification(named, "PowerUp"))
        await self.call(ocpp.v201.call.StatusNotification(now(), "Available", 1, 1))
        await self.call(ocpp.v201.call.Heartbeat())
        return str(answer.status)

    @on("ClearCache")
    def on_clear_cache(self, **_: object) -> object:
        """Clear a cache that is empty already."""
        return ocpp.v201.call_result.ClearCache("Accepted")

    @on("UpdateFirmware")
    def on_update(self, firmware: dict[str, str], **_: object) -> object:
        """Answer an update; one without a signing certificate is refused."""
        return ocpp.v201.call_result.UpdateFirmware(self.installer.examine(firmware.get("signing_certificate", "")))

    @after("UpdateFirmware")
    def after_update(self, request_id: int, firmware: dict[str, str], **_: object) -> None:
        """Begin it once the answer is out."""

        async def tell(status: str) -> None:
            await self.call(ocpp.v201.call.FirmwareStatusNotification(status, request_id))

        self.installer.start({"signing_certificate": "", "signature": ""} | firmware, request_id, tell)


def tls(options: argparse.Namespace) -> ssl.SSLContext:
    """Trust ``--root`` alone, and present ``--certificate`` when there is one."""
    context = ssl.create_default_context(cafile=options.root)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.certificate:
        context.load_cert_chain(options.certificate, options.key)
    return context


def basic(options: argparse.Namespace) -> dict[str, str]:
    """Write the Authorization header of security profiles 1 and 2 (A00.FR.204)."""
    if not options.password_file:
        return {}
    password = Path(options.password_file).read_text().strip()
    return {"Authorization": "Basic " + base64.b64encode(f"{options.identity}:{password}".encode()).decode()}


async def listen(station: Station16 | Station201) -> None:
    """Answer the CSMS until the session ends."""
    with contextlib.suppress(ConnectionClosed):
        await station.start()


async def talk(socket: ClientConnection, options: argparse.Namespace) -> int:
    """Boot, then stay until our input or the session ends."""
    line = Line(socket)
    station = (Station16 if socket.subprotocol == "ocpp1.6" else Station201)(options.identity, line)
    station.installer = Installer(options)
    listening = asyncio.ensure_future(listen(station))
    booting = asyncio.ensure_future(station.boot(options))
    await asyncio.wait({listening, booting}, return_when=asyncio.FIRST_COMPLETED)
    if not booting.done():
        booting.cancel()
        return CLOSED
    report(booted=booting.result())
    typed: asyncio.Queue[str | None] = asyncio.Queue()
    listen_to_input(asyncio.get_running_loop(), typed)
    obeying = asyncio.ensure_future(obey(typed, line))
    await asyncio.wait({listening, obeying}, return_when=asyncio.FIRST_COMPLETED)
    return CLOSED if listening.done() else 0


async def obey(typed: asyncio.Queue[str | None], line: Line) -> None:
    """Send what is typed, until the input ends."""
    while (order := await typed.get()) is not None:
        await line.send(str(json.loads(order)["say"]))


def listen_to_input(loop: asyncio.AbstractEventLoop, typed: asyncio.Queue[str | None]) -> None:
    """Read typed lines on a thread of their own; any kind of input will do, a pipe, a terminal or a file."""

    def read() -> None:
        with os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0) as lines:
            for line in lines:
                loop.call_soon_threadsafe(typed.put_nowait, line.decode(errors="replace"))
        loop.call_soon_threadsafe(typed.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()


async def run(options: argparse.Namespace) -> int:
    """Connect and talk; every refusal ends in one printed line."""
    url = f"{options.url.rstrip('/')}/{quote(options.identity, safe='')}"
    subprotocols = [Subprotocol(options.subprotocol or f"ocpp{options.version}")]
    context = tls(options) if url.startswith("wss:") else None
    where = {"host": options.address} if options.address else {}
    try:
        async with connect(
            url,
            ssl=context,
            subprotocols=subprotocols,
            additional_headers=basic(options),
            compression=None,
            proxy=None,
            create_connection=Socket,
            **where,
        ) as socket:
            report(connected=url, subprotocol=socket.subprotocol)
            code = await talk(socket, options)
        if code == CLOSED:
            report(closed=socket.close_code, says=socket.close_reason)
    except InvalidStatus as error:
        report(refused="http", status=error.response.status_code)
        return REFUSED
    except (InvalidHandshake, OSError) as error:
        alert = error if isinstance(error, ssl.SSLError) else Socket.alert
        report(refused="tls" if alert else "connection", says=str((alert and alert.reason) or error))
        return REFUSED
    except ConnectionClosed as closed:
        report(closed=closed.rcvd.code if closed.rcvd else 1006, says=closed.rcvd.reason if closed.rcvd else "")
        return CLOSED
    except OCPPError as error:
        report(refused="ocpp", says=str(error))
        return REFUSED
    return code


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description="A small charging station for OCPP 1.6 and 2.0.1.")
    parser.add_argument("--url", required=True, help="where to connect, without the identity: wss://HOST:PORT/PATH")
    parser.add_argument("--address", help="dial this address instead of looking up the host name, for firmware too")
    parser.add_argument("--identity", required=True, help="the name to connect under")
    parser.add_argument("--version", choices=("1.6", "2.0.1"), default="2.0.1", help="the OCPP version to speak")
    parser.add_argument("--subprotocol", help="offer this instead of the version's own, to see it refused")
    parser.add_argument("--root", help="PEM file of the root that the CSMS's certificate comes from")
    parser.add_argument("--certificate", help="PEM chain of this station (security profile 3)")
    parser.add_argument("--key", help="PEM private key of the certificate")
    parser.add_argument("--password-file", help="file with this station's password (security profiles 1 and 2)")
    parser.add_argument("--vendor", default="Example", help="vendor to boot as")
    parser.add_argument("--model", default="One", help="model to boot as")
    parser.add_argument("--serial", default="", help="serial number to boot as")
    parser.add_argument("--firmware-version", default="1.0", help="firmware version to boot as")
    parser.add_argument(
        "--manufacturer-root", help="PEM root that firmware signers must come from; without, none is taken"
    )
    parser.add_argument("--firmware-out", default="firmware.bin", help="file to write an installed image to")
    logging.getLogger("ocpp").setLevel(logging.CRITICAL)  # what happens is printed by report already
    try:
        sys.exit(asyncio.run(run(parser.parse_args())))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
