"""How long does the authority take to start with a million certificates in its ledger?

A home of its own is filled; then the authority is started so many times. Printed: seconds from the start of the process
until it says that it is ready, until a question over its socket is answered, and of CPU time until then.

    python benchmarks/startup.py [--count 1000000] [--stations 100000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fleet import make_home
from issuance import cpu_seconds

from pki.edge import calls
from pki.edge.client import Authority

if TYPE_CHECKING:
    from pki.edge.home import Home


async def ask(home: Home) -> None:
    """One question, answered from the ledger."""
    authority = await Authority.connect(home)
    await authority.ask(calls.ListCertificates(station="CP-1"), calls.Certificates)
    await authority.close()


def start(home: Home) -> tuple[float, float, float]:
    """Start the authority, ask it, stop it; seconds until ready, until answered, and of CPU time."""
    began = time.perf_counter()
    argv = [sys.executable, "-m", "bollard", "--home", str(home.path), "authority"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as authority:
        assert authority.stderr is not None
        while authority.stderr.readline() != "authority ready\n":
            assert authority.poll() is None
        ready = time.perf_counter() - began
        asyncio.run(ask(home))
        answered = time.perf_counter() - began
        spent = cpu_seconds(authority.pid)
        authority.terminate()
    return ready, answered, spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--stations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder), given.stations, given.count // given.stations)
        size = home.ledger.stat().st_size / 1e9
        print(f"{given.count} certificates of {given.stations} stations, a ledger of {size:.1f} GB:")
        for _ in range(given.rounds):
            ready, answered, spent = start(home)
            print(f"  ready after {ready:.2f} s, a question answered after {answered:.2f} s, {spent:.2f} s of CPU time")


if __name__ == "__main__":
    main()
