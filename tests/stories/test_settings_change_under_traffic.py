"""Settings change, and the proxy itself restarts, while stations talk: nobody is dropped who is still allowed."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.stories import kernel
from tests.stories.crowd import Crowd
from tests.stories.town import PAPERS, WORKERS, Town, is_ended, talks
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.child import Child

RESTART = 1012  # close code: the station should come back soon
UPGRADE = (
    "GET /ocpp/{} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Protocol: ocpp2.0.1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


class Settled(Town):
    """A town that reads where it listens, and where its CSMS is, from its file alone."""

    def settle(self) -> None:
        """Write into the file what other towns say on the command line."""
        self.door = free_port()
        self.changes(
            ("0.0.0.0:8443", f"127.0.0.1:{self.port}"),
            ("0.0.0.0:8442", f"127.0.0.1:{free_port()}"),
            ("0.0.0.0:8440", f"127.0.0.1:{self.web_port}"),
            ('upstream = ""', f'upstream = "ws://127.0.0.1:{self._upstream}"'),
            ("workers = 0", f"workers = {WORKERS}"),
        )

    def bring_up(self) -> Child:
        """Run ``bollard up`` with nothing said besides."""
        self.up = self.world.start("up", sys.executable, "-m", "bollard", "up", hears_stderr=True)
        self.up.wait_for("bollard ready", lambda fact: fact.get("line") == "bollard ready")
        return self.up

    def changes(self, *pairs: tuple[str, str]) -> None:
        """Edit bollard.toml, in one step."""
        text = self.home.settings.read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        fresh = self.home.settings.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.home.settings)

    def hears(self, words: str) -> None:
        """Wait until ``bollard up`` says so."""
        self.up.wait_for(words, lambda fact: words in str(fact.get("line")))

    def agrees_on_compression(self, identity: str) -> bool:
        """Knock as a station that offers to compress, until it is let in, and hear whether it may."""
        context = ssl.create_default_context(cafile=self.world.folder / "root.pem")
        papers = self.world.folder / identity.lower()
        context.load_cert_chain(papers.with_suffix(".pem"), papers.with_suffix(".key"))

        def admitted() -> str:
            knock = socket.create_connection(("127.0.0.1", self.port))
            with context.wrap_socket(knock, server_hostname="localhost") as secured, secured.makefile("rb") as answer:
                secured.sendall(UPGRADE.format(identity).encode())
                head = b"".join(iter(answer.readline, b"\r\n")).decode()
            return head if " 101 " in head else ""  # 503 while the one before has not gone yet

        return "permessage-deflate" in kernel.until("an upgrade", admitted)

    def reload(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``bollard reload``."""
        command = [sys.executable, "-m", "bollard", "--home", str(self.home.path), "-o", "json", *words, "reload"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """A town for all stories of this file."""
    town = Settled(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


def test_a_listener_is_added_and_removed_and_no_session_ends(town: Settled) -> None:
    """By command, while a station of each worker talks; the new door admits, the old one is shut."""
    stations, before = town.one_on_each_worker(), town.pids()
    added = f'[[listener]]\naddress = "127.0.0.1:{town.door}"\nprofile = 3\n\n[web]'
    town.changes(("[web]", added))
    rehearsed = json.loads(town.reload("--dry-run").stdout)
    assert (rehearsed["dry_run"], rehearsed["call"]) == (True, "reload")
    assert rehearsed["changed"] in (["listener"], []), "or in force by itself before"
    done = town.reload()
    assert (done.returncode, tuple(json.loads(done.stdout)["changed"])) in {(0, ("listener",)), (0, ())}, (
        "or by itself before"
    )
    assert all(kernel.listens_at(town.pids()[name], town.door) for name in stations)
    town.changes((added, "[web]"))
    town.up.process.send_signal(signal.SIGHUP)
    kernel.until("shut", lambda: not any(kernel.listens_at(town.pids()[name], town.door) for name in stations))
    for number, station in enumerate(stations.values()):
        talks(station, f"after-{number}")
    assert town.pids() == before


def test_a_listener_stays_at_its_address_when_its_own_settings_change(town: Settled) -> None:
    """Whoever comes meets the new ones, at every worker; a session that is there goes on, and back again as well."""
    stations = town.one_on_each_worker()
    told = "profile = 3"
    for compression in (True, False):
        before, told = told, f"profile = 3\ncompression = {str(compression).lower()}"
        town.changes((before, told))
        assert town.reload().returncode == 0
        agreed = {town.agrees_on_compression("CP-020") for _ in range(6)}
        assert agreed == {compression}, "which worker accepts is the kernel's choice"
        for number, station in enumerate(stations.values()):
            talks(station, f"{compression}-{number}")
    town.changes((told, "profile = 3"))
    assert town.reload().returncode == 0


def test_what_takes_a_new_start_is_said_before_and_judged_as_that_start_would(town: Settled) -> None:
    """The authority is tried with the passphrase that 'bollard up' has; nobody is started again for it."""
    before = town.pids()
    told = '[log]\nformat = "json"\n\n[web]'
    town.changes(("[web]", told))
    refused = town.reload("--dry-run")
    town.changes((told, "[web]"))
    assert (refused.returncode, "config.fixed" in refused.stderr) == (2, True)
    assert "[log] in bollard.toml" in refused.stderr
    assert "it holds" in refused.stderr
    assert town.pids() == before


def test_another_csms_takes_whoever_comes_and_keeps_whoever_is_there(town: Settled) -> None:
    """The file alone was changed: it is read by itself. A session goes on with the CSMS it has."""
    here = town.connects("CP-001")
    elsewhere = free_port()
    mine, other = f"ws://127.0.0.1:{town._upstream}", f"ws://127.0.0.1:{elsewhere}"
    town.changes((mine, other))
    town.hears("settings reloaded: csms.upstream")
    town.knocks("CP-002").wait_for("no CSMS", lambda fact: fact.get("status") == 503)
    talks(here, "still-here")
    town.changes((other, mine))
    assert town.reload().returncode == 0
    town.connects("CP-003")


def test_settings_that_are_wrong_change_nothing_and_say_why(town: Settled) -> None:
    """The command exits as for any bad input, the event is there, and stations come and stay."""
    station = town.connects("CP-001")
    town.changes(("profile = 3", "profile = 7"))
    refused = town.reload()
    assert refused.returncode == 2
    assert "listener.profile" in refused.stderr
    town.changes(("profile = 7", "profile = 3"))
    talks(station, "unharmed")
    town.connects("CP-002")
    kernel.until("the event", lambda: any(event["cause"] == "config.refused" for event in town.events()))


def test_more_and_fewer_workers_refuse_nobody_and_drop_nobody_before_his_turn(town: Settled) -> None:
    """Whoever was let go comes back to those that are left, and nobody notices who is added."""
    crowd = Crowd(town, [paper.identity for paper in PAPERS[:6]], [paper.identity for paper in PAPERS[6:]])
    before = town.pids()
    town.changes(("workers = 2", "workers = 3"))
    assert town.reload().returncode == 0
    kernel.until("a third listens", lambda: kernel.listens_at(town.pids().get("worker 2", 0), town.port))
    crowd.goes_on()
    assert crowd.let_go == {}
    town.changes(("workers = 3", "workers = 1"))
    assert town.reload().returncode == 0
    kernel.until("one is left", lambda: {name for name in town.pids() if "worker" in name} == {"worker 0"})
    crowd.goes_on()
    town.changes(("workers = 1", "workers = 2"))
    assert town.reload().returncode == 0
    kernel.until("a second listens again", lambda: kernel.listens_at(town.pids().get("worker 1", 0), town.port))
    crowd.goes_on()
    crowd.end()

    assert crowd.failures == []
    kept = ("worker 0", "authority", "web")
    assert {name: town.pids()[name] for name in kept} == {name: before[name] for name in kept}


def test_asked_to_end_it_lets_stations_go_in_their_time_and_loses_no_word(town: Settled) -> None:
    """SIGTERM, with a SIGHUP after it: every station hears 1012, and the end is clean."""
    stations = list(town.one_on_each_worker().values())
    for number, station in enumerate(stations):
        talks(station, f"before-{number}")
    town.up.process.send_signal(signal.SIGTERM)
    town.up.process.send_signal(signal.SIGHUP)
    for station in stations:
        is_ended(station, RESTART)
    assert town.up.ended() == 0


def test_a_reload_where_nothing_is_up_says_so(town: Settled) -> None:
    """Exit code of a peer that cannot be reached, and what to do."""
    assert town.up.process.poll() is None
    town.up.end()
    refused = town.reload()
    assert refused.returncode == 6
    assert "bollard up" in refused.stderr
