"""Small honest worlds for tests: a real home, a real authority process, a station with a key and a request.

Nothing here pretends: homes are made by ``create``, the authority is a process of its own on a real socket.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self, TypeVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.edge import calls
from pki.edge.client import Authority
from pki.edge.creation import create
from pki.edge.home import Home
from pki.edge.office.front import Office
from pki.names import Host, Organisation
from tests.certs import Party, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

ORGANISATION = "Example Charging"
HOST = "csms.example.org"
WHO = "tester"

_SERVE = (
    "import sys, pathlib; from pki.edge.home import Home; from pki.edge.service import run_authority;"
    "run_authority(Home.at(pathlib.Path(sys.argv[1])))"
)

T = TypeVar("T")
R = TypeVar("R", bound=calls.Row)


_given: Final[set[int]] = set()
"""Ports that ``free_port`` has named: the system may name one twice while it is not in use yet."""


def free_port() -> int:
    """A port that nobody uses at this moment, and that nobody in this run of the tests was given before."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def make_home(folder: Path, host: str = HOST, *, status: bool = False) -> Home:
    """A finished home below ``folder``: a copy of one that ``bollard init`` made earlier in this run of the tests.

    Unless ``status`` is asked for, it serves no status of certificates, so its authority does nothing by itself.
    """
    home = Home.at(shutil.copytree(_made_home(host, status=status).path, folder / "home"))
    lines = home.settings.read_text().splitlines()
    kept = [line for line in lines if status or not line.startswith("status_")]
    home.settings.write_text("\n".join(kept).replace('"0.0.0.0:8480"', '"127.0.0.1:0"') + "\n")  # of two tests at once
    return home


@cache
def _made_home(host: str, *, status: bool) -> Home:
    folder = tempfile.TemporaryDirectory(prefix="bollard-test-")
    atexit.register(folder.cleanup)
    return create(
        Path(folder.name) / "home",
        Organisation.parse(ORGANISATION),
        Host.parse(host),
        status_url=None if status else "",
    ).home


@contextlib.contextmanager
def running_authority(home: Home, crash_at: str = "") -> Iterator[subprocess.Popen[str]]:
    """The real authority process, ready to answer; ended with SIGTERM, or found dead where it was told to crash."""
    process = start_authority(home, crash_at)
    try:
        wait_ready(process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def start_authority(home: Home, crash_at: str = "") -> subprocess.Popen[str]:
    """Start the authority process; it may not be ready yet, or refuse to start."""
    environment = {**os.environ, "BOLLARD_CRASH_AT": crash_at}
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(home.path)], stderr=subprocess.PIPE, text=True, env=environment
    )


def wait_ready(process: subprocess.Popen[str]) -> None:
    """Read what the process says until it is ready."""
    assert process.stderr is not None
    said = []
    while (line := process.stderr.readline()) != "authority ready\n":
        said.append(line)
        assert line, f"the authority ended before it was ready: {''.join(said)}"


@contextlib.asynccontextmanager
async def connected(home: Home) -> AsyncIterator[Authority]:
    """A client of the running authority."""
    authority = await Authority.connect(home)
    try:
        yield authority
    finally:
        await authority.close()


@contextlib.asynccontextmanager
async def open_office(home: Home) -> AsyncIterator[Desk]:
    """The authority inside this very process, for tests that look closely."""
    office = await Office.open(home)
    try:
        yield Desk(office)
    finally:
        await office.close()


def at_the_desk(home: Home, story: Callable[[Desk], Awaitable[T]]) -> T:
    """Run a story against an authority inside this process."""

    async def play() -> T:
        async with open_office(home) as desk:
            return await story(desk)

    return asyncio.run(play())


@dataclass(frozen=True, slots=True)
class Desk:
    """An authority in this process, asked as a client asks."""

    office: Office

    async def ask(self, call: calls.Call, answer: type[R]) -> R:
        """Ask; the answer is of the type given."""
        row = await self.office.handle(call, WHO)
        assert isinstance(row, answer)
        return row

    async def until_refused(self, call: calls.Call) -> NoReturn:
        """Ask again and again, until a refusal is raised."""
        while True:
            await self.ask(call, calls.Row)

    async def fill_disk(self) -> None:
        """Let the ledger grow by a few pages at most from now on, as on a disk that is all but full."""
        pages = await self._pragma("page_count")
        await self._pragma(f"max_page_count = {pages + 2}")

    async def free_disk(self) -> None:
        """Let it grow again."""
        await self._pragma("max_page_count = 1073741823")

    async def _pragma(self, text: str) -> int:
        ledger = self.office._desk.ledger
        return await ledger.write(lambda tx: int(tx.database.execute(f"PRAGMA {text}").fetchone()[0]))


@cache
def station_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """A station's key; the same number gives the same key."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Paper:
    """What a station brings: its identity, its serial, its request."""

    identity: str
    serial: str
    csr: str

    @classmethod
    def of(cls, number: int) -> Self:
        """The papers of station number so-and-so."""
        return cls(f"CP-{number:03}", f"SN-{number:03}", request(station_key(number), f"SN-{number:03}", ORGANISATION))

    @property
    def add(self) -> calls.AddStation:
        """The call that registers it for mutual TLS."""
        return calls.AddStation(self.identity, self.serial, 3)

    @property
    def issue(self) -> calls.IssueCertificate:
        """The call that asks for its certificate."""
        return calls.IssueCertificate(self.identity, self.csr)


@dataclass(frozen=True, slots=True)
class Manufacturer:
    """Whoever makes stations: a root, and a certificate directly below it that signs firmware."""

    vendor: str
    root: Party
    signer: Party

    @classmethod
    def named(cls, vendor: str = "Volta") -> Self:
        """A manufacturer with new keys."""
        root = Party.root(f"{vendor} Root", vendor)
        return cls(vendor, root, root.issue(f"{vendor} Firmware", vendor, usages=(ExtendedKeyUsageOID.CODE_SIGNING,)))

    @property
    def trust(self) -> calls.AddAnchor:
        """The call that trusts it for its own firmware."""
        return calls.AddAnchor(self.root.pem, "firmware", self.vendor)

    def sign(self, image: bytes) -> str:
        """Its signature over an image, in base64 as OCPP carries it."""
        key = self.signer.key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return b64encode(key.sign(image, ec.ECDSA(hashes.SHA256()))).decode()

    def release(self, home: Home, image: bytes, version: str = "1.0", model: str = "Wall") -> calls.ImportFirmware:
        """Lay an image into quarantine; the call that imports it."""
        name = f"{model}-{version}.bin"
        (home.quarantine / name).write_bytes(image)
        return calls.ImportFirmware(name, self.vendor, model, version, self.sign(image), self.signer.pem)
