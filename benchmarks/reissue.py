"""How long does it take to re-issue the certificates of a hundred thousand stations in one run, with its progress bar?

A home is filled with stations, each with a key of its own; a real authority runs, and ``bollard cert reissue`` is run
against it on a terminal, whose bar is passed on to stderr. Every certificate is recorded before it is signed, and
durable. Printed: certificates a second by the clock, by the authority's own CPU time, and by the command's.

    python benchmarks/reissue.py [--count 100000]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from fleet import make_home
from issuance import cpu_seconds


def pass_on(terminal: int, seen: list[bytes]) -> None:
    """Show what is written to the terminal, and keep the last of it."""
    while True:
        try:
            said = os.read(terminal, 65_536)
        except OSError:  # the other side was closed
            return
        sys.stderr.buffer.write(said)
        sys.stderr.buffer.flush()
        seen[:] = [(b"".join(seen) + said)[-4_096:]]


def reissue(argv: list[str], out: Path) -> bytes:
    """Run the command with a terminal as its stderr; return the last that was shown there."""
    ours, theirs = os.openpty()
    seen: list[bytes] = []
    showing = threading.Thread(target=pass_on, args=(ours, seen))
    with subprocess.Popen([*argv, "cert", "reissue", "--out", str(out)], stderr=theirs) as command:
        os.close(theirs)
        showing.start()
    showing.join()
    os.close(ours)
    assert command.returncode == 0
    return b"".join(seen)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, out = make_home(Path(folder), given.count, 1, given.count), Path(folder) / "chains"
        argv = [sys.executable, "-m", "bollard", "--home", str(home.path)]
        with subprocess.Popen([*argv, "authority"], stderr=subprocess.PIPE, text=True) as authority:
            assert authority.stderr is not None
            while authority.stderr.readline() != "authority ready\n":
                assert authority.poll() is None
            cpu, clock, own = cpu_seconds(authority.pid), time.perf_counter(), os.times()
            shown = reissue(argv, out)
            took, spent = time.perf_counter() - clock, cpu_seconds(authority.pid) - cpu
            command = os.times().children_user + os.times().children_system - own.children_user - own.children_system
            authority.terminate()
        lines = sum(1 for _ in out.open())
    assert f"{given.count}/{given.count}".encode() in shown, "the bar never reached its end"
    print(f"{lines} certificates re-issued in {took:.0f} s: {lines / took:.0f} a second by the clock,")
    print(f"{lines / spent:.0f} by the authority's CPU time; the command itself used {command:.0f} s")


if __name__ == "__main__":
    main()
