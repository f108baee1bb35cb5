"""How many OCSP requests a second one core answers from memory, over HTTP: ``python benchmarks/ocsp.py``.

Starts a real authority and a real web process in a home of its own; the web process is pinned to one core, this program
to another where there is one. Prints requests a second by the clock, and by the web process's own processor time, which
other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.creation import create
from pki.names import Host, Organisation

if TYPE_CHECKING:
    from pki.edge.home import Home

SERVE = (
    "import sys, pathlib; from pki.edge.home import Home; from secproxy.edge.web import run_web;"
    " run_web(Home.at(pathlib.Path(sys.argv[1])), '127.0.0.1:0')"
)
AUTHORITY = (
    "import sys, pathlib; from pki.edge.home import Home; from pki.edge.service import run_authority;"
    " run_authority(Home.at(pathlib.Path(sys.argv[1])))"
)


class Client(asyncio.Protocol):
    """One kept-alive connection: the next request goes when the answer is whole."""

    def __init__(self, request: bytes, size: int, until: float) -> None:
        self.count = 0
        self._request, self._size, self._until = request, size, until
        self._left = size
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        self._left -= len(data)
        if self._left > 0:
            return
        assert self._left == 0, "an answer of another length"
        self.count += 1
        self._left = self._size
        if time.monotonic() < self._until:
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.done.set_result(None)


async def load(port: int, request: bytes, connections: int, seconds: float) -> tuple[int, float]:
    """Ask over this many connections; return how many answers came, and in how many seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):  # the second comes from memory
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    began = time.monotonic()
    loop = asyncio.get_running_loop()
    clients = [Client(request, len(head) + length, began + seconds) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]  # a default
    await asyncio.gather(*(client.done for client in clients))
    return sum(client.count for client in clients), time.monotonic() - began


def make_home(folder: Path) -> tuple[Home, bytes]:
    """Make a home with one station's certificate; return it and the question about that."""
    home = create(folder / "home", Organisation.parse("Example"), Host.parse("csms.example.org")).home
    text = home.settings.read_text().replace('status_address = "0.0.0.0:8480"', 'status_address = "127.0.0.1:0"')
    home.settings.write_text(text)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=SN-1,O=Example")
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    ask_once(home, calls.AddStation("CP-1", "SN-1", 3), calls.StationAdded)
    pem = csr.public_bytes(serialization.Encoding.PEM).decode()
    issued = ask_once(home, calls.IssueCertificate("CP-1", pem), calls.CertificateIssued)
    leaf, issuer = x509.load_pem_x509_certificates(issued.chain.encode())
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()  # noqa: S303 - RFC 5019
    return home, request.public_bytes(serialization.Encoding.DER)


def started(code: str, home: Home, until: str) -> tuple[subprocess.Popen[str], str]:
    """Start a process of ours; return it and the line that said it was ready."""
    process = subprocess.Popen([sys.executable, "-c", code, str(home.path)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith(until):
        assert line, "it ended before it was ready"
    return process, line


def used(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        home, request = make_home(Path(folder))
        authority, _ = started(AUTHORITY, home, "authority ready")
        web, line = started(SERVE, home, "status ready")
        try:
            port = int(line.rpartition(":")[2])
            os.sched_setaffinity(web.pid, {cores[0]})
            os.sched_setaffinity(0, set(cores[1:]) or set(cores))
            head = f"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request)}\r\n\r\n".encode()
            for _ in range(asked.rounds):
                before = used(web.pid)
                count, seconds = uvloop.run(load(port, head + request, asked.connections, asked.seconds))
                spent = used(web.pid) - before
                print(
                    f"{count / seconds:8.0f} requests/s, {count / spent:8.0f} per second of the core ({count} answers)"
                )
        finally:
            for process in (web, authority):
                process.send_signal(signal.SIGTERM)
                process.wait()


if __name__ == "__main__":
    main()
