"""The code that is installed takes over, or all stays as it is."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from websockets.headers import build_authorization_basic

from pki.errors import ConflictError
from secproxy.edge import succession
from secproxy.edge.claim_estate import Kept
from secproxy.edge.claim_wire import AskUpgrade, UpgradeDone
from secproxy.edge.upgrading import Upgrader
from tests.secproxy.edge.houses import (
    PASSPHRASE,
    SECONDS,
    Up,
    bollard,
    environment_of,
    make_home,
    up,
)

if TYPE_CHECKING:
    from pki.edge.home import Home
    from secproxy.edge.crew import Crew
    from secproxy.events import Note
    from secproxy.reload import Reader


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is down, for tests that bring it up themselves."""
    return make_home(tmp_path_factory.mktemp("down") / "home")


def offers_wrong_password(port: int) -> int:
    """Knock at the door for stations with passwords as one that nobody registered; the status of the answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    head = (
        "GET /ocpp/CP-404 HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: ocpp1.6",
        f"Authorization: {build_authorization_basic('CP-404', 'a wrong password of sixteen')}",
    )  # fmt: skip
    with (
        socket.create_connection(("127.0.0.1", port), SECONDS) as raw,
        context.wrap_socket(raw) as tls,
    ):
        tls.sendall("\r\n".join([*head, "", ""]).encode())
        return int(tls.recv(100).split()[1])


def test_attack_07_a_lock_out_outlives_the_code_that_began_it(home: Path) -> None:
    """And an upgrade is no way to more guesses; the passphrase is with the next authority alone, as with the first."""
    with up(home) as found:
        found.wait_for("bollard ready")
        statuses = [offers_wrong_password(found.doors[2]) for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        done = bollard(home, "upgrade")
        assert done.returncode == 0, done.stderr
        assert offers_wrong_password(found.doors[2]) == 429
        found.wait_for("authority ready")
        pids = {"supervisor": found.process.pid, **found.children()}
        assert {name for name, pid in pids.items() if PASSPHRASE in environment_of(pid)} == {"supervisor", "authority"}
        found.process.terminate()
        found.process.communicate(timeout=SECONDS)

    assert found.process.returncode == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_attack_07_a_lock_out_outlives_a_crash_and_a_restart(tmp_path: Path, end: signal.Signals) -> None:
    """Whoever can have it begin anew has no fresh guesses by that."""
    home = make_home(tmp_path / "home")
    kept = home / "run" / "lockouts"
    with up(home) as found:
        found.wait_for("bollard ready")
        assert [offers_wrong_password(found.doors[2]) for _ in range(6)] == [401] * 5 + [429]
        while end is signal.SIGKILL and not (kept.exists() and b'"locks":1' in kept.read_bytes()):
            pass  # it is written within a second
        found.process.send_signal(end)
        found.process.wait()
    with up(home) as again:
        again.wait_for("bollard ready")
        assert offers_wrong_password(again.doors[2]) == 429


def test_upgrades_leave_no_descriptor_behind(home: Path) -> None:
    """The second has as many as the first, and children have none of them."""
    with up(home) as found:
        found.wait_for("bollard ready")
        counts = []
        for _ in range(3):
            assert bollard(home, "upgrade").returncode == 0
            found.wait_for("web ready")
            gone(found, 5)
            counts.append(len(list(Path(f"/proc/{found.process.pid}/fd").iterdir())))
        found.process.terminate()
        found.process.communicate(timeout=SECONDS)

    assert len(set(counts)) == 1, counts


def gone(found: Up, most: int) -> None:
    """Wait until the former generation has gone."""
    end = time.monotonic() + SECONDS
    while len(found.children()) > most:
        assert time.monotonic() < end, found.children()
        time.sleep(0.05)


def empty(candidates: int) -> succession.Estate:
    """What is left by a supervisor that has nothing."""
    return succession.Estate(-1, 0.0, 1, candidates, "", {}, [], [], Kept())


class House:
    """A supervisor and its workers, which do what a test has them do and remember it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.generation, self.ends = 1, False
        self.did: list[str] = []
        self.notes: list[Note] = []
        self.answers: list[UpgradeDone] = []
        self.fails: dict[str, Exception] = {}
        self.go, self.answered = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.turn = asyncio.Lock()
        monkeypatch.setattr(succession, "rehearse", self._rehearse)
        monkeypatch.setattr(succession, "become", self._become)
        crew, home = cast("Crew", self), cast("Home", None)
        self.upgrader = Upgrader(home, self, crew, self.turn, "1.0", authority=False)

    async def _do(self, what: str) -> None:
        await self.go.wait()
        self.did.append(what)
        if what in self.fails:
            raise self.fails[what]

    async def _rehearse(self, estate: succession.Estate, authority: object) -> succession.Successor:
        assert (estate, authority) == (empty(2), None)
        await self._do("rehearse")
        return succession.Successor("/new/python", "2.0")

    def _become(self, estate: succession.Estate) -> None:
        self.did.append("become")
        assert estate == empty(2)
        raise succession.refused("no such program")

    async def prepare(self, generation: int) -> None:
        assert self.turn.locked()
        await self._do(f"prepare {generation}")

    async def exchange(self, generation: int) -> None:
        await self._do(f"exchange {generation}")

    async def dismiss(self, generation: int) -> None:
        await self._do(f"dismiss {generation}")

    def record(self, note: Note) -> None:
        self.notes.append(note)

    def renew(self, readers: frozenset[Reader]) -> None:
        self.did.append(f"renew {', '.join(sorted(readers))}")

    def is_ending(self) -> bool:
        return self.ends

    def estate(self, candidates: int) -> succession.Estate:
        return empty(candidates)

    async def fall_silent(self) -> None:
        self.did.append("fall silent")

    def answer_upgrade(self, done: UpgradeDone) -> None:
        self.answers.append(done)
        self.answered.set()

    def told(self) -> list[tuple[str, object]]:
        """The events, and the code of each."""
        return [(note.cause, note.evidence.get("code")) for note in self.notes]


def test_a_rehearsal_alone_exchanges_nothing_and_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when it succeeds nor when it fails; who asked is told."""
    house = House(monkeypatch)

    async def story() -> list[UpgradeDone]:
        done = await house.upgrader.upgrade(AskUpgrade(dry=True))
        house.fails["rehearse"] = RuntimeError("broken")
        return [done, await house.upgrader.upgrade(AskUpgrade(dry=True))]

    done, failed = asyncio.run(asyncio.wait_for(story(), 20))
    assert done == UpgradeDone(2, "2.0")
    assert (failed.code, "broken" in failed.cause) == ("upgrade.refused", True)
    assert (house.did, house.notes) == (["rehearse", "rehearse", "dismiss 2"], [])
    assert house.upgrader.executable(2) == sys.executable


@pytest.mark.parametrize(
    ("step", "code", "did"),
    [
        ("rehearse", "upgrade.refused", ["rehearse"]),
        ("prepare 2", "upgrade.refused", ["rehearse", "prepare 2"]),
        ("the end", "upgrade.ended", ["rehearse", "prepare 2"]),
        ("become", "upgrade.refused", ["rehearse", "prepare 2", "fall silent", "become"]),
    ],
)
def test_whatever_fails_is_told_and_what_runs_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str, code: str, did: list[str]
) -> None:
    """The generation that was prepared is dismissed, and there is one event; the next upgrade may try again."""
    house = House(monkeypatch)
    house.fails, house.ends = {step: OSError("no memory")}, step == "the end"

    async def story() -> None:
        done = await house.upgrader.upgrade(AskUpgrade())
        assert (done.generation, done.code) == (0, code)
        assert house.did == [*did, "dismiss 2"]
        assert house.told() == [("upgrade.refused", code)]
        assert not house.turn.locked()
        await house.upgrader.upgrade(AskUpgrade())
        assert len(house.notes) == 2

    asyncio.run(asyncio.wait_for(story(), 20))
    assert code in capsys.readouterr().err


def test_one_upgrade_is_under_way_at_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks meanwhile is told so: a command by its answer, a signal on stderr; an end cuts it off."""
    house = House(monkeypatch)
    house.go.clear()

    async def story() -> None:
        first = asyncio.ensure_future(house.upgrader.upgrade(AskUpgrade()))
        await asyncio.sleep(0)
        assert (await house.upgrader.upgrade(AskUpgrade())).code == "upgrade.running"
        await house.upgrader.upgrade_unasked()
        await house.upgrader.stop()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert house.did == []

    asyncio.run(asyncio.wait_for(story(), 20))
    assert "upgrade.running" in capsys.readouterr().err


def test_the_code_that_took_over_finishes_and_answers_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are exchanged, then authority and web start again; where that fails, the generation before goes on."""

    async def story(house: House) -> None:
        house.upgrader.finish(empty(2))
        await house.answered.wait()

    served, failed = House(monkeypatch), House(monkeypatch)
    failed.fails["exchange 2"] = ConflictError("upgrade.failed", "the new worker 0 ended")
    for house in (served, failed):
        asyncio.run(asyncio.wait_for(story(house), 20))
    assert (served.did, served.answers) == (["exchange 2", "renew authority, web"], [UpgradeDone(2, "1.0")])
    assert [note.cause for note in served.notes] == ["upgrade.done"]
    assert (failed.did, [done.code for done in failed.answers]) == (["exchange 2", "dismiss 2"], ["upgrade.failed"])
    assert failed.told() == [("upgrade.refused", "upgrade.failed")]
