"""How many station certificates a second does the authority issue, recorded before signing and durable?

A real authority process in a fresh home, on one core; this process asks from another, with 50 questions under way at
once. Printed: issuances a second by the clock, and by the authority's own CPU time, which is what a core could do if
nothing else ran on it.

    python benchmarks/issuance.py [--count 5000] [--concurrent 50] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pki.edge import calls
from pki.edge.client import Authority
from pki.edge.creation import create
from pki.names import Host, Organisation

if TYPE_CHECKING:
    from pki.edge.home import Home

ORGANISATION = "Example Charging"


def request(serial: str) -> str:
    """A station's CSR with a key of its own."""
    name = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
        x509.NameAttribute(NameOID.COMMON_NAME, serial),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(name))
    csr = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask_all(home: Home, papers: list[tuple[str, str]], concurrent: int) -> None:
    """Ask for every certificate, so many at once."""
    authority, slots = await Authority.connect(home), asyncio.Semaphore(concurrent)

    async def one(identity: str, csr: str) -> None:
        async with slots:
            await authority.ask(calls.IssueCertificate(identity, csr), calls.CertificateIssued)

    await asyncio.gather(*(one(*paper) for paper in papers))
    await authority.close()


async def register(home: Home, count: int) -> None:
    """Put the stations into the register."""
    authority = await Authority.connect(home)
    seeds = tuple(calls.StationSeed(f"CP-{number}", f"SN-{number}", 3) for number in range(count))
    await authority.ask(calls.AddStations(seeds), calls.StationsAdded)
    await authority.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--concurrent", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    papers = [(f"CP-{number}", request(f"SN-{number}")) for number in range(given.count)]
    by_clock, by_cpu = [], []
    with tempfile.TemporaryDirectory() as folder:
        home = create(Path(folder) / "home", Organisation.parse(ORGANISATION), Host.parse("csms.example.org")).home
        argv = [sys.executable, "-m", "bollard", "--home", str(home.path), "authority"]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as authority:
            assert authority.stderr is not None
            while authority.stderr.readline() != "authority ready\n":
                pass
            cores = sorted(os.sched_getaffinity(0))
            for task in Path(f"/proc/{authority.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), cores[:1])
            os.sched_setaffinity(0, cores[1:] or cores)
            asyncio.run(register(home, given.count))
            for _ in range(given.rounds):
                cpu, clock = cpu_seconds(authority.pid), time.perf_counter()
                asyncio.run(ask_all(home, papers, given.concurrent))
                by_clock.append(given.count / (time.perf_counter() - clock))
                by_cpu.append(given.count / (cpu_seconds(authority.pid) - cpu))
            authority.terminate()
    print(f"{given.count} certificates, {given.concurrent} at once, medians of {given.rounds} rounds:")
    print(f"  by the clock   {statistics.median(by_clock):8.0f} a second  ({min(by_clock):.0f} to {max(by_clock):.0f})")
    print(f"  by CPU time    {statistics.median(by_cpu):8.0f} a second  ({min(by_cpu):.0f} to {max(by_cpu):.0f})")


if __name__ == "__main__":
    main()
