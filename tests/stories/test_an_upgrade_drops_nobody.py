"""Other code takes over while stations talk and come: nobody is refused, nobody is dropped before his turn."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus

from bollard import ROOMS
from pki.edge import calls
from pki.edge.asking import ask_once
from tests.stories import kernel
from tests.stories.crowd import Crowd, dial
from tests.stories.town import PAPERS, WORKERS, Town, is_ended, talks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.child import Child, Fact

STAY = [paper.identity for paper in PAPERS[:6]]
COME = [paper.identity for paper in PAPERS[6:]]
WAITS = """
def run_worker(home, number, generation=1, _run=run_worker):
    import time
    while generation > 1 and not home.path.with_name("go").exists():
        time.sleep(0.01)
    _run(home, number, generation)
"""
"""Put behind a worker's code: it is not prepared before a file is there."""


class Evolving(Town):
    """A town whose code can be exchanged: it is a folder of its own, found by a link."""

    def settle(self) -> None:
        """Install a first version."""
        self.installs("1.0.0")

    def installs(self, version: str, *, behind: tuple[str, str] = ("", "")) -> None:
        """Have another version lie there, with something written ``behind`` one of its files."""
        place = self.world.folder / f"code-{len(list(self.world.folder.glob('code-*')))}"
        for room in ("pki", "secproxy", "cli", "policies", "bollard"):
            shutil.copytree(Path(ROOMS, room), place / room)
        about = place / "bollard" / "__init__.py"
        before = next(line for line in about.read_text().splitlines() if line.startswith("__version__"))
        about.write_text(about.read_text().replace(before, f'__version__ = "{version}"'))
        if behind[0]:
            with (place / behind[0]).open("a") as file:
                file.write(behind[1])
        link = self.world.folder / "fresh"
        link.symlink_to(place)
        link.rename(self.world.folder / "current")

    def bring_up(self) -> Child:
        """Run what is installed."""
        path = os.pathsep.join([str(self.world.folder / "current"), os.environ.get("PYTHONPATH", "")])
        doors = (f"--listen=127.0.0.1:{self.port}=3", f"--web=127.0.0.1:{self.web_port}", f"--workers={WORKERS}")
        words = ("up", f"--upstream=ws://127.0.0.1:{self._upstream}", *doors)
        program = ("/usr/bin/env", f"PYTHONPATH={path}", sys.executable, "-m", "bollard")
        self.up = self.world.start("up", *program, *words, hears_stderr=True)
        self.up.wait_for("bollard ready", lambda fact: fact.get("line") == "bollard ready")
        return self.up

    def hears(self, words: str) -> None:
        """Wait until ``bollard up`` says so."""
        kernel.until(words, lambda: any(words in line for line in self.up.texts("line")))

    def upgrade(self, *before: str) -> subprocess.Popen[str]:
        """Run ``bollard upgrade``."""
        command = [sys.executable, "-m", "bollard", "--home", str(self.home.path), "-o", "json", *before, "upgrade"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def upgrades(self, version: str) -> Fact:
        """Run it and see it done."""
        asked = self.upgrade()
        said, complained = asked.communicate(timeout=120)
        assert asked.returncode == 0, complained
        found: Fact = json.loads(said)
        assert found["version"] == version
        return found

    def is_refused(self, code: str) -> None:
        """Run it and see it refused."""
        asked = self.upgrade()
        _, complained = asked.communicate(timeout=120)
        assert (asked.returncode, code in complained) == (7, True), complained

    def running(self) -> dict[int, tuple[str, int, bool]]:
        """By process id, what ``bollard status`` names: name, generation, and whether it leaves."""
        found = json.loads(self.world.bollard("-o", "json", "status", shown=False))["running"]
        return {row["pid"]: (row["name"], row["generation"], row["leaving"]) for row in found}

    def evidence(self, cause: str, key: str) -> set[str]:
        """What the events of a cause have under that name."""
        found = [event["evidence"] for event in self.events() if event["cause"] == cause]
        return {str(each[key]) for each in found if isinstance(each, dict)}

    def is_of_generation(self, number: int, stations: int) -> None:
        """See the workers of this generation alone, each of so many connections with one of them."""

        def settled() -> bool:
            workers = {pid: of for pid, of in self.running().items() if of[0].startswith("worker ")}
            here = [each for pid in workers for each in kernel.sockets_of(pid) if each.port == self.port]
            held = [each for each in here if each.state != kernel.LISTENING]
            everybody = {generation for _, generation, _ in workers.values()} == {number}
            return everybody and len(workers) == WORKERS and len(held) == stations

        kernel.until(f"generation {number} alone, with {stations} stations", settled)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evolving]:
    """A town for all stories of this file."""
    town = Evolving(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


@pytest.fixture
def town(settled: Evolving) -> Iterator[Evolving]:
    """The town, brought up anew by good code where a story ended it."""
    (settled.world.folder / "go").unlink(missing_ok=True)
    if settled.up.process.poll() is not None:
        settled.installs("1.0.0")
        settled.bring_up()
    yield settled
    settled.everybody_leaves()


@pytest.fixture
def crowd(town: Evolving) -> Iterator[Crowd]:
    """Stations that stay, and others that come and go."""
    found = Crowd(town, STAY, COME)
    yield found
    found.end()


NAME = "0f8fad5b-d9cb-469f-a165-70867728950e"


def says_of_transaction(station: Child, number: int) -> None:
    """Have a station say something of the one transaction of this file, and hear an answer."""
    info = {"triggerReason": "Trigger", "seqNo": number, "transactionInfo": {"transactionId": NAME}}
    payload = {"eventType": "Updated", "timestamp": "2026-06-01T12:00:00Z", **info}
    station.say({"say": json.dumps([2, f"t{number}", "TransactionEvent", payload])})
    station.wait_for("an answer", lambda fact: f'"t{number}"' in str(fact.get("heard")))


def number_of(town: Evolving, station: Child) -> str:
    """Of the worker that holds a station, of whatever generation."""
    return " ".join(town.worker_of(station).split()[:2])


def test_attack_31_whose_a_transaction_is_outlives_the_worker_that_heard_of_it(town: Evolving) -> None:
    """Another station that comes to the worker in its place, and names it, is found out; for the other worker, which
    knows nothing of it, it belongs to whoever names it first."""
    owner = town.connects(PAPERS[0].identity)
    says_of_transaction(owner, 0)
    place = number_of(town, owner)
    town.installs("9.0.0")
    town.upgrades("9.0.0")
    is_ended(owner, 1012)
    for number, paper in enumerate(PAPERS[1:], 1):
        thief = town.connects(paper.identity)
        says_of_transaction(thief, number)
        if number_of(town, thief) == place:
            break
    kernel.until("it is told", lambda: PAPERS[0].identity in town.evidence("transaction.foreign", "owner"))
    town.installs("1.0.0")


def generation(town: Evolving) -> int:
    """The one that serves now."""
    return max(number for _, number, _ in town.running().values())


def test_under_load_nobody_is_refused_and_everybody_ends_up_with_the_new_one(town: Evolving, crowd: Crowd) -> None:
    """Twice, by command and by signal, and once more on its heels: all sessions are let go each time, with 1012."""
    pid, first = town.up.process.pid, generation(town)
    town.installs("2.0.0")
    assert town.upgrades("2.0.0")["generation"] == first + 1
    crowd.goes_on()
    town.installs("3.0.0")
    town.up.process.send_signal(signal.SIGUSR2)
    town.hears(f"generation {first + 2}, version 3.0.0, serves")
    town.installs("4.0.0")
    town.upgrades("4.0.0")
    crowd.goes_on()
    kernel.until("each was let go", lambda: all(crowd.let_go[identity] >= 3 for identity in STAY))
    crowd.end()

    assert crowd.failures == []
    assert town.up.process.pid == pid
    town.is_of_generation(first + 3, 0)
    assert town.evidence("upgrade.done", "version") >= {"2.0.0", "3.0.0", "4.0.0"}


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        (("secproxy/edge/supervisor.py", "\nraise ImportError\n"), "upgrade.refused"),
        (("secproxy/edge/succession.py", "\nFORM = 99\n"), "upgrade.refused"),
        (("secproxy/edge/worker.py", "\nraise ImportError\n"), "upgrade.failed"),
        (("pki/edge/service.py", "\ndef rehearse_authority(home):\n    raise OSError\n"), "upgrade.refused"),
    ],
    ids=["the supervisor", "what is handed on", "a worker", "the authority"],
)
def test_code_that_does_not_start_leaves_everything_as_it_was(
    town: Evolving, crowd: Crowd, behind: tuple[str, str], code: str
) -> None:
    """No process is exchanged, no session ends, and there is one clear error and an event."""
    before = town.running()
    town.installs("5.0.0", behind=behind)
    town.is_refused(code)
    crowd.goes_on()
    crowd.end()

    assert (crowd.failures, crowd.let_go) == ([], {})
    assert town.running() == before
    assert code in town.evidence("upgrade.refused", "code")
    town.installs("1.0.0")


def test_settings_that_are_wrong_refuse_it(town: Evolving, crowd: Crowd) -> None:
    """They would keep the new code from starting anew."""
    before, text = town.running(), town.home.settings.read_text()
    town.home.settings.write_text(text.replace("profile = 3", "profile = 7"))
    town.is_refused("upgrade.refused")
    town.home.settings.write_text(text)
    crowd.goes_on()
    crowd.end()

    assert (crowd.failures, crowd.let_go) == ([], {})
    assert town.running() == before


def test_a_passphrase_that_opens_nothing_refuses_it(town: Evolving) -> None:
    """The authority that runs has it in memory; the next would not start."""
    before, secret = town.running(), town.home.keys / "passphrase"
    right = secret.read_text()
    secret.write_text("wrong")
    try:
        town.is_refused("upgrade.refused")
    finally:
        secret.write_text(right)

    assert town.running() == before


def test_a_rehearsal_alone_says_what_would_take_over(town: Evolving) -> None:
    """``--dry-run`` exchanges nothing."""
    before = town.running()
    town.installs("6.0.0")
    said, _ = town.upgrade("--dry-run").communicate(timeout=120)
    assert (json.loads(said)["version"], json.loads(said)["dry_run"]) == ("6.0.0", True)
    assert town.running() == before
    town.installs("1.0.0")


def midway(town: Evolving) -> subprocess.Popen[str]:
    """Begin an upgrade that does not go on before it is let; returns once the new workers have been started."""
    before = town.pids()
    town.installs("7.0.0", behind=("secproxy/edge/worker_process.py", WAITS))
    asked = town.upgrade()
    kernel.until("they are started", lambda: len(town.pids()) == len(before) + WORKERS)
    return asked


def test_a_new_worker_that_is_killed_midway_ends_the_upgrade_alone(town: Evolving, crowd: Crowd) -> None:
    """What serves goes on; another upgrade meanwhile is turned away."""
    before = town.running()
    asked = midway(town)
    town.is_refused("upgrade.running")
    kernel.kill(next(pid for name, pid in town.pids().items() if "--generation" in name and pid not in before))
    _, complained = asked.communicate(timeout=120)
    crowd.goes_on()
    crowd.end()

    assert (asked.returncode, "upgrade.failed" in complained) == (7, True)
    assert (crowd.failures, crowd.let_go) == ([], {})
    assert town.running() == before


def test_a_sighup_midway_is_not_forgotten(town: Evolving, crowd: Crowd) -> None:
    """Settings that were changed meanwhile are in force after it; nobody is dropped for it."""
    asked = midway(town)
    text = town.home.settings.read_text()
    town.home.settings.write_text(text + '\n[messages]\nambiguous = "canonical"\n')
    town.up.process.send_signal(signal.SIGHUP)
    town.world.folder.joinpath("go").touch()
    _, complained = asked.communicate(timeout=120)
    town.hears("settings reloaded: messages")
    town.home.settings.write_text(text)
    crowd.goes_on()
    crowd.end()

    assert asked.returncode == 0, complained
    assert crowd.failures == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_midway_is_an_end(town: Evolving, number: signal.Signals) -> None:
    """Asked to end, it ends in order, both generations; killed, nothing of it is left; and it comes up again."""
    station = town.connects(PAPERS[0].identity)
    asked = midway(town)
    handles = {pid: os.pidfd_open(pid) for pid in town.pids().values()}
    town.up.process.send_signal(number)
    if number == signal.SIGTERM:
        is_ended(station, 1012)
        assert town.up.ended() == 0
    kernel.are_gone(handles.values())
    asked.communicate(timeout=120)
    town.up.process.wait(30)
    town.installs("1.0.0")
    town.bring_up()
    town.connects(PAPERS[1].identity)


def test_a_claim_of_the_former_generation_holds_against_the_new(town: Evolving) -> None:
    """Attack 3: as long as the old worker has not let a station go, nobody is let in under its name elsewhere."""
    paper = PAPERS[0]
    station = town.connects(paper.identity)
    second = ask_once(town.home, paper.issue, calls.CertificateIssued)
    (town.world.folder / "second.pem").write_text(second.chain)
    shutil.copy(town.world.folder / f"{paper.identity.lower()}.key", town.world.folder / "second.key")
    talks(station, "before")
    holder = town.pids()[town.worker_of(station)]
    os.kill(holder, signal.SIGSTOP)
    try:
        town.installs("8.0.0")
        town.upgrades("8.0.0")
        with pytest.raises(InvalidStatus) as refused:
            dial(town, paper.identity, "second")
    finally:
        os.kill(holder, signal.SIGCONT)
    assert refused.value.response.status_code == 503
    is_ended(station, 1012)
    kernel.until("it is free", lambda: _gets_in(town, paper.identity))


def _gets_in(town: Evolving, identity: str) -> bool:
    try:
        with dial(town, identity, "second"):
            return True
    except InvalidStatus:
        return False
