"""A small town for stories: a home that is up, the CSMS behind it and stations in front of it, all real processes.

Stations are known by their identity, the processes of ``bollard up`` by name: ``authority``, ``web``, ``worker 0``,
``worker 1``.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING, Final

from bollard import ROOMS
from cli.demo.world import World
from pki.edge import calls, lock
from pki.edge.asking import ask_once
from tests.certs import key_pem
from tests.stories import kernel
from tests.worlds import Manufacturer, Paper, at_the_desk, make_home, station_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.demo.child import Child, Fact
    from pki.edge.home import Home
    from tests.worlds import Desk

WORKERS: Final = 2
PAPERS: Final = [Paper.of(number) for number in range(1, 21)]
IMAGE: Final = bytes(range(256)) * 48_000  # 12 MB: more than all buffers between two processes hold
MAKE: Final = ("--vendor", "Volta", "--model", "Wall")  # what stations say they are, and what the image is for


class Town:
    """All of it, and what a story may do to it."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.proof, self.home = _settle(self.world)
        self.csms = self.world.start("csms", sys.executable, str(ROOMS / "examples" / "csms.py"), "--port", "0")
        self._upstream = self.csms.wait_for("that it listens", lambda fact: "ready" in fact)["ready"]
        self._stations: list[Child] = []
        self.settle()
        self.up = self.bring_up()

    def settle(self) -> None:
        """What a town of another kind does to its settings before anything runs."""

    def bring_up(self) -> Child:
        """Run ``bollard up`` until everything listens."""
        doors = (f"--listen=127.0.0.1:{self.port}=3", f"--web=127.0.0.1:{self.web_port}", f"--workers={WORKERS}")
        words = ("up", f"--upstream=ws://127.0.0.1:{self._upstream}", *doors)
        self.up = self.world.start("up", sys.executable, "-m", "bollard", *words, hears_stderr=True)
        self.up.wait_for("bollard ready", lambda fact: fact.get("line") == "bollard ready")
        return self.up

    @property
    def port(self) -> int:
        """Where stations with certificates connect."""
        return self.world.ports[3]

    @property
    def web_port(self) -> int:
        """Where firmware is downloaded."""
        return self.world.ports["web"]

    def events(self) -> list[Fact]:
        """What ``bollard event list`` prints."""
        words = ("-o", "json", "event", "list", "--limit", "1000000")
        events: list[Fact] = json.loads(self.world.bollard(*words, shown=False))["events"]
        return events

    # -- stations ------------------------------------------------------------------------------------------------------

    def knocks(self, identity: str) -> Child:
        """Start a station; whether it is let in is to be seen."""
        name = identity.lower()
        proof = ("--certificate", f"{name}.pem", "--key", f"{name}.key", "--firmware-out", f"{name}.bin")
        station = self.world.station(name, identity, *proof, *MAKE)
        self._stations.append(station)
        return station

    def connects(self, identity: str) -> Child:
        """Start a station and see it boot at the CSMS."""
        station = self.knocks(identity)
        station.wait_for("booted: Accepted", lambda fact: fact.get("booted") == "Accepted")
        return station

    def one_on_each_worker(self) -> dict[str, Child]:
        """Connect one station after the other until each worker has one; the kernel deals them out as it likes."""
        found: dict[str, Child] = {}
        for paper in PAPERS:
            station = self.connects(paper.identity)
            found.setdefault(self.worker_of(station), station)
            if len(found) == WORKERS:
                return found
        raise AssertionError(f"{len(PAPERS)} stations came to one and the same worker")

    def worker_of(self, station: Child) -> str:
        mine = {each.local for each in kernel.sockets_of(station.process.pid) if each.far_port == self.port}
        for name, pid in self.pids().items():
            if mine & {each.remote for each in kernel.sockets_of(pid) if each.port == self.port}:
                return name
        raise AssertionError(f"no worker holds the connection of {station.name}")

    def knows_make_of(self, identity: str) -> bool:
        """Whether the authority has recorded, and so told the workers, what a station said of itself at its boot."""
        [found] = ask_once(self.home, calls.ListStations(identity), calls.Stations).stations
        return bool(found.vendor)

    def everybody_leaves(self) -> None:
        """End every station."""
        while self._stations:
            self._stations.pop().end()

    def revoke(self, identity: str) -> None:
        """Revoke the one valid certificate of a station."""
        [held] = ask_once(self.home, calls.ListCertificates(identity, "valid"), calls.Certificates).certificates
        ask_once(self.home, calls.RevokeCertificate(held.serial, "key_compromise"), calls.Done)

    # -- the CSMS ------------------------------------------------------------------------------------------------------

    def updates(self, identity: str, request: int) -> Fact:
        """Have the CSMS ask a station to install the image; returns what it reports of the answer."""
        return self.world.csms_sends(identity, "UpdateFirmware", self.update(request))

    def update(self, request: int) -> Fact:
        """The CSMS's request for that."""
        firmware = {"location": "https://elsewhere.example/image", "retrieveDateTime": "2026-01-01T00:00:00Z"}
        return {"requestId": request, "firmware": {**firmware, **self.proof}}

    # -- the processes of bollard up -----------------------------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        """Those that run now."""
        found = {}
        for pid, words in kernel.children(self.up.process.pid).items():
            if "--home" in words:  # else it is dead, or not yet what it will be
                found[" ".join(words[words.index("--home") + 2 :]).replace(" --number", "")] = pid
        return found

    def kill(self, name: str) -> int:
        """Kill one as ``kill -9`` does; returns its id once it is gone."""
        pid = kernel.until(f"{name} runs", lambda: self.pids().get(name, 0))
        kernel.kill(pid)
        return pid

    def is_back(self, name: str, gone: int) -> None:
        """Wait until another process has taken the place of the one that is gone, and serves."""
        kernel.until(f"{name} is back", lambda: self.pids().get(name, gone) != gone and self._serves(name))

    def authority_is_asked(self) -> bool:
        """Whether somebody has a line to the authority."""
        return kernel.is_spoken_to(self.pids().get("authority", 0), self.home.authority_socket)

    @contextlib.contextmanager
    def nobody_replaces(self) -> Iterator[None]:
        """For the length of the block the supervisor is stopped: what is killed stays away."""
        self.up.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.up.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def without_authority(self) -> Iterator[None]:
        """For the length of the block the lock is taken, so that no authority can start; after it one serves again."""
        with contextlib.ExitStack() as keeping:
            with self.nobody_replaces():
                gone = self.kill("authority")
                keeping.enter_context(lock.hold(self.home.lock))
            yield
        self.is_back("authority", gone)

    def _serves(self, name: str) -> bool:
        if name == "authority":
            return kernel.answers_at(self.home.authority_socket)
        return kernel.listens_at(self.pids().get(name, 0), self.web_port if name == "web" else self.port)

    def close(self) -> None:
        """End every process; a supervisor that a story left stopped could not end its own."""
        self.up.process.send_signal(signal.SIGCONT)
        self.world.close()


def talks(station: Child, message_id: str) -> None:
    """See a heartbeat go all the way to the CSMS and its answer all the way back; ids are new each time."""
    station.say({"say": f'[2,"{message_id}","Heartbeat",{{}}]'})
    station.wait_for("the CSMS's answer", lambda fact: str(fact.get("heard")).startswith(f'[3,"{message_id}"'))


def is_ended(station: Child, code: int) -> None:
    """See a session end with a close frame of this code; 1006 stands for none at all."""
    assert station.wait_for("the end of its session", lambda fact: "closed" in fact)["closed"] == code


def is_refused(station: Child) -> None:
    """See a station turned away by its certificate."""
    assert station.wait_for("an answer", lambda fact: "refused" in fact or "connected" in fact).get("status") == 403


def _settle(world: World) -> tuple[dict[str, str], Home]:
    """Make the home: stations with certificates, a manufacturer that is trusted, and its image with its proof."""
    home = make_home(world.folder, "localhost")
    before = home.settings.read_text()
    url = f'public_url = "https://localhost:{world.ports["web"]}"'
    home.settings.write_text("\n".join(url if "public_url" in line else line for line in before.splitlines()) + "\n")
    (world.folder / "root.pem").write_bytes((home.ca / "root.pem").read_bytes())
    maker = Manufacturer.named("Volta")
    (world.folder / "manufacturer.pem").write_text(maker.root.pem)

    async def story(desk: Desk) -> calls.ImportFirmware:
        await desk.ask(maker.trust, calls.Done)
        release = maker.release(home, IMAGE)
        await desk.ask(release, calls.FirmwareImported)
        for paper in PAPERS:
            await desk.ask(paper.add, calls.StationAdded)
            _write_papers(world.folder, paper, (await desk.ask(paper.issue, calls.CertificateIssued)).chain)
        return release

    release = at_the_desk(home, story)
    return {"signingCertificate": release.certificate, "signature": release.signature}, home


def _write_papers(folder: Path, paper: Paper, chain: str) -> None:
    name = paper.identity.lower()
    (folder / f"{name}.pem").write_text(chain)
    (folder / f"{name}.key").write_text(key_pem(station_key(int(paper.identity[-3:]))))
