"""The page for those who watch over a home, by the real processes: what it tells is so, and it tells when it is not."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from secproxy.metrics import METRICS, PREFIX, Shape, Source
from tests.secproxy.edge.houses import BOLLARD, PASSPHRASE, SECONDS, Up, bollard, make_home
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OF_TRAFFIC = {"connections", "handshakes_total", "sessions_closed_total", "upstream_dial_seconds"}
OF_SINKS = {"sink_waiting_events", "sink_failing"}
OF_TRACES = {"spans_total"}


@dataclass
class Watched:
    """A home that is up, its page, and its CSMS, which takes connections and says nothing."""

    up: Up
    port: int
    csms: socket.socket

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, bytes]:
        """Ask the page; its status, its type and what it says."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        found = response.status, response.getheader("content-type", ""), response.read()
        connection.close()
        return found

    def figures(self) -> dict[tuple[str, ...], float]:
        """Every series, by its name and the values of its labels in the order of the labels' names."""
        status, _, body = self.get("/metrics")
        assert status == 200
        return {
            (sample.name.removeprefix(PREFIX), *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def checks(self, path: str) -> tuple[int, dict[str, bool]]:
        """A verdict's status, and what passed."""
        status, _, body = self.get(path)
        return status, {name: check["passed"] for name, check in json.loads(body)["checks"].items()}

    def until(self, so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + SECONDS
        while not so():
            assert time.monotonic() < end, self.get("/readyz")
            time.sleep(0.05)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One for all tests, which leave it as it was."""
    home, page = make_home(tmp_path_factory.mktemp("watched") / "home"), free_port()
    doors = [free_port(), free_port(), free_port()]
    with socket.create_server(("127.0.0.1", 0)) as csms:
        words = [
            "up",
            f"--upstream=ws://127.0.0.1:{csms.getsockname()[1]}",
            "--workers=2",
            f"--listen=127.0.0.1:{doors[0]}=3",
            f"--listen=127.0.0.1:{doors[2]}=2",
            f"--web=127.0.0.1:{doors[1]}",
            "--status=127.0.0.1:0",
            f"--metrics=127.0.0.1:{page}",
        ]
        command = [*BOLLARD, "--home", str(home), *words]
        env = os.environ | {"BOLLARD_PASSPHRASE": PASSPHRASE}
        with subprocess.Popen(
            command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            try:
                up = Up(home, process, doors)
                up.wait_for("bollard ready")
                yield Watched(up, page, csms)
            finally:
                process.kill()


def knock_with_a_wrong_request(watched: Watched) -> None:
    """Shake hands at the door for passwords and ask for what is no upgrade: refused with ``http.bad_request``."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", watched.up.doors[2]), SECONDS) as raw,
        context.wrap_socket(raw) as tls,
    ):
        tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert tls.recv(100)


def test_every_figure_is_told_that_a_quiet_home_has(watched: Watched) -> None:
    """By its name, its labels and its kind; those of traffic come with the traffic, of sinks and traces with these."""
    knock_with_a_wrong_request(watched)
    refused = ("arrivals_total", "http.bad_request", "2")
    watched.until(
        lambda: refused in watched.figures() and ("events_total", "http.bad_request", "low") in watched.figures()
    )
    _, kind, body = watched.get("/metrics")
    families = {family.name.removeprefix(PREFIX): family for family in text_string_to_metric_families(body.decode())}
    expected = {metric.name for metric in METRICS.values()} - OF_TRAFFIC - OF_SINKS - OF_TRACES

    assert kind.startswith("text/plain; version=0.0.4")
    for name in expected:
        family = families[name.removesuffix("_total")]
        assert family.type == METRICS[name].shape.value
        assert all(set(sample.labels) == set(METRICS[name].labels) for sample in family.samples)
    assert watched.figures()["handshakes_total", "TLSv1.3"] >= 1
    assert watched.get("/metrics", Accept="application/openmetrics-text")[2].endswith(b"# EOF\n")


def test_what_is_told_of_processes_and_papers_is_so(watched: Watched) -> None:
    """Each process runs, and holds memory and files; what ends is in the future."""
    figures = watched.figures()
    names = {"supervisor", "authority", "web", "worker-0", "worker-1"}

    for figure in ("process_up", "process_resident_memory_bytes", "process_start_time_seconds"):
        assert {key[1] for key, value in figures.items() if key[0] == figure and value > 0} == names
    assert {key[1] for key, value in figures.items() if key[0] == "process_open" and value} == {"worker-0", "worker-1"}
    assert {figures["up", source] for source in (Source.SUPERVISOR, Source.AUTHORITY, Source.EVENTS)} == {1}
    ends = {key[1:]: value for key, value in figures.items() if key[0] == "expiry_timestamp_seconds"}
    assert {("our-certificate", "root"), ("our-certificate", "server-ecdsa")} <= set(ends)
    assert min(ends.values()) > time.time()


def test_no_counter_falls_when_a_worker_is_killed(watched: Watched) -> None:
    """What it had told before is kept; that it was started again is counted."""
    refused = ("arrivals_total", "http.bad_request", "2")
    told = watched.figures().get(refused, 0)
    knock_with_a_wrong_request(watched)
    watched.until(lambda: watched.figures().get(refused, 0) > told)
    before = watched.figures()
    for name in ("worker 0", "worker 1"):
        os.kill(watched.up.children()[name], signal.SIGKILL)
        watched.up.wait_for(f"{name} ended (SIGKILL)")
    again = {("process_restarts_total", f"worker-{number}"): 1 for number in (0, 1)}
    watched.until(lambda: again.items() <= watched.figures().items())  # they are gathered once a second, not for each
    watched.until(lambda: watched.checks("/readyz")[0] == 200)
    after = watched.figures()

    shared = {
        metric.name for metric in METRICS.values() if metric.shape is Shape.COUNTER and metric.source is Source.WORKERS
    }
    kept = {key: value for key, value in before.items() if key[0] in shared}
    assert refused in kept
    assert {key: after[key] for key in kept if after[key] < kept[key]} == {}


def test_it_is_ready_when_stations_can_be_served_and_not_while_the_authority_hangs(watched: Watched) -> None:
    """503 names what is missing; being alive is another question."""
    assert watched.checks("/readyz") == (200, {"supervisor": True, "workers": True, "authority": True, "csms": True})
    authority = watched.up.children()["authority"]
    with stopped(authority):
        status, passed = watched.checks("/readyz")
        assert (status, passed["authority"], passed["workers"]) == (503, False, True)
        assert watched.checks("/healthz") == (200, {"web": True, "supervisor": True})
        assert watched.figures()["up", "authority"] == 0
    watched.until(lambda: watched.checks("/readyz")[0] == 200)


def test_it_is_not_ready_while_a_worker_is_away(watched: Watched) -> None:
    """Its listeners are closed until it is back."""
    worker = watched.up.children()["worker 1"]
    os.kill(worker, signal.SIGKILL)
    watched.until(lambda: watched.checks("/readyz")[1].get("workers") is False)
    watched.until(lambda: watched.checks("/readyz")[0] == 200)


def test_a_supervisor_that_hangs_is_not_healthy(watched: Watched) -> None:
    """Nobody restarts what dies, and workers wait for it."""
    with stopped(watched.up.process.pid):
        assert watched.checks("/healthz") == (503, {"web": True, "supervisor": False})
        assert watched.checks("/readyz")[0] == 503
    assert watched.checks("/healthz")[0] == 200


def test_status_tells_the_same_on_one_screen(watched: Watched) -> None:
    """Exit 0 while all of it runs, for programs with every process; 1 while a worker is away, which it names."""
    home = watched.up.home
    all_well = bollard(home, "-o", "json", "status")
    told = json.loads(all_well.stdout)
    assert (all_well.returncode, told["down"], told["stations_connected"]) == (0, [], 0)
    assert {row["name"] for row in told["running"]} == {"supervisor", "authority", "worker 0", "worker 1", "web"}
    assert set(told["events_last_hour"]) == {"critical", "high", "medium", "low", "info"}
    assert list(told["csms"]) == ["csms"]
    with stopped(watched.up.process.pid):
        hangs = bollard(home, "status")
    assert (hangs.returncode, "supervisor.silent" in hangs.stderr) == (6, True)
    screen = bollard(home, "status").stdout
    assert "worker 1" in screen
    assert len(screen.splitlines()) <= 24


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that is there and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/metrics/", 404), ("POST", "/metrics", 405), ("HEAD", "/metrics", 200)],
)
def test_nothing_else_is_there(watched: Watched, method: str, path: str, status: int) -> None:
    """Reading alone, and of three pages."""
    answered, _, body = watched.get(path, method)

    assert answered == status
    assert (body == b"") is (method == "HEAD" or status == 405)


def test_a_csms_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    """As long as no worker has tried it, a look of our own finds out."""
    page = free_port()
    home = make_home(tmp_path / "home")
    words = ["up", f"--upstream=ws://127.0.0.1:{free_port()}", "--workers=1", f"--metrics=127.0.0.1:{page}"]
    words += [f"--listen=127.0.0.1:{free_port()}=3", f"--web=127.0.0.1:{free_port()}", "--status=127.0.0.1:0"]
    env = os.environ | {"BOLLARD_PASSPHRASE": PASSPHRASE}
    command = [*BOLLARD, "--home", str(home), *words]
    with (
        socket.socket() as nobody,
        subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process,
    ):
        try:
            up = Up(home, process, [])
            up.wait_for("bollard ready")
            status, passed = Watched(up, page, nobody).checks("/readyz")
            assert (status, passed["csms"], passed["workers"]) == (503, False, True)
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)
