"""A home that is up with one listener of each kind, and the suites that its policy names."""

from __future__ import annotations

import asyncio
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pki.edge import calls
from pki.edge.home import Home
from tests.certs import key_pem
from tests.secproxy.edge.houses import bollard, up
from tests.worlds import ORGANISATION, Paper, connected, free_port, station_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUITES_1_2 = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)
SUITES_1_3 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SECONDS = 20
DOORS = {"certificates": 0, "web": 1, "passwords": 2}


@dataclass(frozen=True)
class Doors:
    """The home, where each kind of listener is, and a station's certificate with its key."""

    home: Path
    ports: dict[str, int]
    paper: Path

    def ask(self, door: str, *options: str, name: str = "localhost", say: bytes = b"") -> str:
        """What OpenSSL's client tells of a connection with these options."""
        where = ["-connect", f"127.0.0.1:{self.ports[door]}", "-cert", str(self.paper)]
        named = ["-servername", name] if name else ["-noservername"]
        words = ["openssl", "s_client", *where, *named, *options]
        done = subprocess.run(words, input=say, capture_output=True, timeout=SECONDS, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")


@contextmanager
def listening(folder: Path) -> Iterator[Doors]:
    """A home that is up, and a station that it knows."""
    words = ("--org", ORGANISATION, "--csms-host", "localhost", "--status-url", "http://localhost:8480")
    made = bollard(folder / "home", "init", *words)
    assert made.returncode == 0, made.stderr
    old = free_port()
    with up(folder / "home", lambda *ports: settings(folder / "home" / "bollard.toml", old, *ports)) as found:
        found.wait_for("unsafe_legacy_tls")
        found.wait_for("bollard ready")
        asyncio.run(issue(Home.at(found.home), folder / "station.pem"))
        ports = {name: found.doors[place] for name, place in DOORS.items()}
        yield Doors(folder / "home", {**ports, "old": old}, folder / "station.pem")


def settings(path: Path, old: int, certificates: int, web: int, passwords: int) -> list[str]:
    """Write the listeners into the settings, one of each kind, and say how the home comes up."""
    doors = [(certificates, 3, ""), (passwords, 2, ""), (old, 3, 'unsafe_legacy_tls = true\nstations = ["CP-001"]\n')]
    tables = [f'[[listener]]\naddress = "127.0.0.1:{port}"\nprofile = {n}\n{more}' for port, n, more in doors]
    rest = re.sub(r"(?m)^\[\[listener\]\]\naddress.*\nprofile.*$", "", path.read_text())
    path.write_text(rest + "\n" + "\n".join(tables))
    return ["up", "--upstream=ws://127.0.0.1:9", "--workers=2", f"--web=127.0.0.1:{web}", "--status=127.0.0.1:0"]


async def issue(home: Home, path: Path) -> None:
    """Register a station and write its key and chain into one file."""
    async with connected(home) as authority:
        paper = Paper.of(1)
        await authority.ask(paper.add, calls.StationAdded)
        issued = await authority.ask(paper.issue, calls.CertificateIssued)
        path.write_text(key_pem(station_key(1)) + issued.chain)
