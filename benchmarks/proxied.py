"""A whole installation for benchmarks of the proxy: ``bollard up`` in a home, a CSMS behind it, crowds before it.

Where there are two cores or more, the proxy has one half of them and all others the other, as if they were elsewhere:
else the kernel lets a worker wait for a tenth of a second behind a crowd that never sleeps, and that is measured.

The stations' certificates come from an authority made here, which the home trusts for stations: each has its own, with
its serial number, and all have one key, because making ten thousand is not what is measured.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from issuance import cpu_seconds

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.creation import create
from pki.names import Host, Organisation

if TYPE_CHECKING:
    from collections.abc import Iterator

ORGANISATION = "Example Charging"
HERE = Path(__file__).parent


@dataclass(slots=True)
class Actors:
    """A crowd of stations in a process of its own."""

    process: subprocess.Popen[str]

    def begin(self, act: str, **how: object) -> None:
        """Tell it to do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": act, **how}) + "\n")
        self.process.stdin.flush()

    @property
    def done(self) -> bool:
        """Whether it has done what it was told."""
        assert self.process.stdout is not None
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def result(self) -> dict[str, Any]:
        """Wait until it has done it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the crowd ended"
        said: dict[str, Any] = json.loads(line)
        return said

    def does(self, act: str, **how: object) -> dict[str, Any]:
        """Tell it, and wait."""
        self.begin(act, **how)
        return self.result()


@dataclass(slots=True)
class Installation:
    """What runs."""

    folder: Path
    port: int
    csms: int
    up: subprocess.Popen[bytes]
    ending: contextlib.ExitStack

    def crowd(self, first: int, count: int, *words: str, port: int = 0) -> Actors:
        """Stations by number, not yet connected; ``words`` are more of ``crowd.py``'s own, ``port`` is another's."""
        words += (
            "--port",
            str(port or self.port),
            "--papers",
            str(self.folder),
            "--first",
            str(first),
            "--count",
            str(count),
        )
        program = [sys.executable, str(HERE / "crowd.py"), *words]
        with on_half_of_the_cores(1):
            process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ending.callback(stop, process)
        return Actors(process)

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        born = children(self.up.pid)
        return [pid for pid in born if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]

    def cpu(self) -> float:
        """Processor seconds that the workers have used."""
        return sum(map(cpu_seconds, self.workers()))

    def kib(self) -> int:
        """Memory of the workers, what they share divided among them."""
        return sum(map(kib_of, self.workers()))


@contextlib.contextmanager
def installation(stations: int, workers: int) -> Iterator[Installation]:
    """Make it, run it, and put it away."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as ending:
        folder = Path(name)
        write_papers(folder, stations)
        home = create(folder / "home", Organisation.parse(ORGANISATION), Host.parse("localhost")).home
        (folder / "root.pem").write_bytes((home.ca / "root.pem").read_bytes() + (folder / "ca.pem").read_bytes())
        ask_once(home, calls.AddAnchor((folder / "ca.pem").read_text(), "station"), calls.Done)
        seeds = tuple(calls.StationSeed(f"CP-{number}", f"SN-{number}", 3) for number in range(stations))
        ask_once(home, calls.AddStations(seeds), calls.StationsAdded)
        program = [sys.executable, str(HERE / "answering.py")]
        with on_half_of_the_cores(1):
            csms = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ending.callback(stop, csms)
        assert csms.stdout is not None
        behind, port = int(csms.stdout.readline()), free_port()
        doors = ["--workers", str(workers), "--web", f"127.0.0.1:{free_port()}", "--status", "127.0.0.1:0"]
        doors += ["--listen", f"127.0.0.1:{port}=3", "--upstream", f"ws://127.0.0.1:{behind}"]
        argv = [sys.executable, "-m", "bollard", "--home", str(home.path), "up", *doors]
        with (folder / "up.log").open("wb") as log, on_half_of_the_cores(0):
            up = subprocess.Popen(argv, stderr=log)
        ending.callback(stop, up)
        wait_for(folder / "up.log", b"bollard ready", up)
        yield Installation(folder, port, behind, up, ending)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kib_of(pid: int) -> int:
    """Memory of a process, what it shares divided among those who do."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@contextlib.contextmanager
def on_half_of_the_cores(which: int) -> Iterator[None]:
    """Whatever is started meanwhile runs on the first half (0) of the cores that there are, or on the second (1)."""
    cores = sorted(os.sched_getaffinity(0))
    half = len(cores) // 2
    os.sched_setaffinity(0, [cores[:half], cores[half:]][which] or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def write_papers(folder: Path, stations: int) -> None:
    """The authority, one key for all, a certificate for each, and one for another's listener."""
    above, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    issuer = certificate("Benchmark CA", above, "Benchmark CA", above, ca=True)
    (folder / "ca.pem").write_bytes(issuer.public_bytes(serialization.Encoding.PEM))
    door = certificate("localhost", key, "Benchmark CA", above, usage=ExtendedKeyUsageOID.SERVER_AUTH)
    (folder / "door.pem").write_bytes(door.public_bytes(serialization.Encoding.PEM))
    with (folder / "stations.pem").open("wb") as file:
        for number in range(stations):
            made = certificate(f"SN-{number}", key, "Benchmark CA", above)
            file.write(made.public_bytes(serialization.Encoding.PEM))


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    above: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> x509.Certificate:
    """A certificate of the authority of these benchmarks."""
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder(named(issuer), named(name), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
        .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), critical=True)
    )
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(above, hashes.SHA256())


def named(common_name: str) -> x509.Name:
    """A subject with O and CN."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def wait_for(log: Path, line: bytes, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has said a line."""
    while line not in log.read_bytes():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            raise AssertionError(log.read_text())


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process."""
    process.terminate()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def verdict(**claims: bool) -> None:
    """Say which claims held; end with 1 if one did not."""
    for claim, held in claims.items():
        print(f"  {'holds' if held else 'FAILS'}: {claim.replace('_', ' ')}")
    if not all(claims.values()):
        sys.exit(1)
