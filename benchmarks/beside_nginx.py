"""What does the proxy cost beside nginx, which does the TLS and nothing else?

A whole installation with one worker, and an nginx that demands the same certificates and passes everything on to the
same CSMS; all of the processes of either are counted. They take turns in every round, so that a busy machine is as hard
on the one as on the other: read the ratios. Printed, as medians of the rounds: processor time of a connection from its
beginning to its end (TCP, mutual TLS, upgrade, reset), of a Heartbeat and of MeterValues of one kilobyte with their
answers; and memory of a connection that is idle, the first time that all are. Checked is what we want them to be.

    python benchmarks/beside_nginx.py [--stations 1000] [--rounds 5] [--rate 8000] [--seconds 3]

The stations offer the group P-256, which every OpenSSL under nginx knows: with ML-KEM a connection takes 7 KiB and some
tenths of a millisecond more. It needs ``nginx``, which for its part does not ask whether the certificate is revoked,
bind it to the identity in the path, hold one connection an identity, read a message, sign who a station is, or write
down what happened.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from issuance import cpu_seconds
from proxied import (
    Installation,
    children,
    free_port,
    installation,
    kib_of,
    on_half_of_the_cores,
    stop,
    verdict,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxied import Actors

CONFIG = """
worker_processes 1; daemon off; pid {run}/nginx.pid; error_log stderr notice;
events {{ worker_connections 20000; }}
http {{
  access_log off; client_body_temp_path {run}/body; proxy_temp_path {run}/proxy;
  fastcgi_temp_path {run}/fastcgi; uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {papers}/door.pem; ssl_certificate_key {papers}/key.pem;
    ssl_client_certificate {papers}/ca.pem; ssl_verify_client on;
    ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
    location / {{
      proxy_pass http://127.0.0.1:{csms}; proxy_http_version 1.1; proxy_read_timeout 600s;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
    }}
  }}
}}
"""
FIRST = 50  # stations that come before those that are measured


@dataclass(frozen=True, slots=True)
class System:
    """One of the two: the process that all of its others come from, and the crowd before it."""

    name: str
    process: subprocess.Popen[Any]
    crowd: Actors

    def pids(self) -> list[int]:
        """All of its processes."""
        return [self.process.pid, *children(self.process.pid)]

    def cpu(self) -> float:
        """Processor seconds that they have used."""
        return sum(map(cpu_seconds, self.pids()))

    def kib(self) -> int:
        """Their memory."""
        return sum(map(kib_of, self.pids()))


@contextlib.contextmanager
def nginx(here: Installation) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run it before the same CSMS; gives its port."""
    port, run = free_port(), here.folder / "nginx"
    run.mkdir()
    run.joinpath("nginx.conf").write_text(CONFIG.format(run=run, port=port, papers=here.folder, csms=here.csms))
    with run.joinpath("said").open("wb") as said, on_half_of_the_cores(0):
        process = subprocess.Popen(["nginx", "-e", "stderr", "-c", str(run / "nginx.conf")], stderr=said)
    try:
        wait_for(run / "said", b"start worker process ", process)
        yield port, process
    finally:
        stop(process)


def bring(name: str, process: subprocess.Popen[Any], here: Installation, stations: int, port: int) -> System:
    """Have some connect, talk and go, so that what is made once is made; the others are not connected yet."""
    first = here.crowd(stations, FIRST, "--classic", port=port)
    first.does("connect", at_once=8)
    first.does("talk", rate=FIRST, seconds=1.0)
    return System(name, process, here.crowd(0, stations, "--classic", port=port))


def hold(system: System, stations: int) -> float:
    """KiB a connection, once it has said something and is idle; the first time that so many are connected."""
    empty = system.kib()
    system.crowd.does("connect", at_once=8)
    system.crowd.does("talk", rate=stations, seconds=1.0)
    time.sleep(2)  # what belonged to handshakes and messages alone is given back
    return (system.kib() - empty) / stations


def measure(system: System, stations: int, rate: float, seconds: float) -> tuple[float, float, float]:
    """One round: microseconds a connection, a small message and a large one.

    A message is a call or an answer: half of what both cost.
    """
    cpu = system.cpu()
    system.crowd.does("reset")
    system.crowd.does("connect", at_once=8)
    made = (system.cpu() - cpu) / stations * 1e6
    return made, talk(system, rate, seconds, large=False), talk(system, rate, seconds, large=True)


def talk(system: System, rate: float, seconds: float, *, large: bool) -> float:
    """Microseconds a message."""
    cpu = system.cpu()
    said = system.crowd.does("talk", rate=rate, seconds=seconds, large=large)
    assert said["unanswered"] == 0
    messages = 2 * int(said["count"])
    return (system.cpu() - cpu) / messages * 1e6


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stations", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=8_000.0)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    if shutil.which("nginx") is None:
        parser.error("it needs nginx")
    with installation(given.stations + FIRST, 1) as here, nginx(here) as (port, process):
        systems = [
            bring("nginx", process, here, given.stations, port),
            bring("bollard", here.up, here, given.stations, here.port),
        ]
        held = {system.name: hold(system, given.stations) for system in systems}
        rounds = [
            {system.name: measure(system, given.stations, given.rate, given.seconds) for system in systems}
            for _ in range(given.rounds)
        ]
    judge({name: [*medians(rounds, name), kib] for name, kib in held.items()})


def medians(rounds: list[dict[str, tuple[float, float, float]]], name: str) -> list[float]:
    """Of each figure, over the rounds of one of the two."""
    return [statistics.median(column) for column in zip(*(each[name] for each in rounds), strict=True)]


def judge(figures: dict[str, list[float]]) -> None:
    """Print the figures and say which are as they should be."""
    print(f"{'':>9} {'us a connection':>16} {'us small':>9} {'us 1 kB':>8} {'KiB idle':>9}")
    for name, (made, small, large, held) in figures.items():
        print(f"{name:>9} {made:>16.0f} {small:>9.1f} {large:>8.1f} {held:>9.1f}")
    made, small, large, held = (ours / its for its, ours in zip(*figures.values(), strict=True))
    print(f"{'ratio':>9} {made:>16.2f} {small:>9.2f} {large:>8.2f} {held:>9.2f}")
    verdict(
        a_connection_costs_at_most_0_95_of_nginx=made <= 0.95,
        a_small_message_at_most_1_8=small <= 1.8,
        a_message_of_1_kB_at_most_2_0=large <= 2.0,
        an_idle_connection_holds_at_most_32_KiB=figures["bollard"][3] <= 32,
    )


if __name__ == "__main__":
    main()
