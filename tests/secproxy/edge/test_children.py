"""Children that are kept running."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from secproxy.edge import children as module
from secproxy.edge.children import Child, next_pause
from secproxy.edge.claim_wire import Process

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SLEEPER = "import sys, time; open(sys.argv[1], 'a').write('x'); print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'a').write('x'); time.sleep(600)"
)


def child(code: str, mark: Path, ended: list[int], env: dict[str, str] | None = None) -> Child:
    return Child("child", [sys.executable, "-c", code, str(mark)], env or {}, ended.append)


async def until_lives(mark: Path, lives: int) -> None:
    """Wait until the child has begun so many lives; it says so in a file."""
    while not mark.exists() or len(mark.read_text()) < lives:  # noqa: ASYNC110 (another process tells it)
        await asyncio.sleep(0.01)


def test_a_child_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """Its end is told with the signal's number."""
    ended: list[int] = []

    async def story() -> None:
        kept = child(SLEEPER, tmp_path / "mark", ended)
        kept.start()
        for life in (1, 2, 3):
            await until_lives(tmp_path / "mark", life)
            assert (kept.starts, time.time() - kept.since < 60) == (life, True)
            if life < 3:
                os.kill(kept.pid, signal.SIGKILL)
        await kept.stop()
        assert kept.pid == 0

    asyncio.run(asyncio.wait_for(story(), 20))
    assert ended == [-signal.SIGKILL, -signal.SIGKILL]


def test_a_child_says_how_it_stands(tmp_path: Path) -> None:
    """Before its first life and in its second, which is the first that counts as a restart."""

    async def story() -> None:
        kept = child(SLEEPER, tmp_path / "mark", [])
        assert kept.seen(1) == Process("child", 0, 0.0, 0, 1)
        kept.start()
        await until_lives(tmp_path / "mark", 1)
        assert kept.seen(2, leaving=True) == Process("child", kept.pid, kept.since, 0, 2, leaving=True)
        os.kill(kept.pid, signal.SIGKILL)
        await until_lives(tmp_path / "mark", 2)
        assert kept.seen(2).restarts == 1
        await kept.stop()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_stopped_child_does_not_come_back_and_its_end_is_not_told(tmp_path: Path) -> None:
    """What was asked for is no failure."""
    ended: list[int] = []

    async def story() -> None:
        kept = child(SLEEPER, tmp_path / "mark", ended)
        kept.start()
        await until_lives(tmp_path / "mark", 1)
        await kept.stop()
        await kept.stop()

    asyncio.run(asyncio.wait_for(story(), 20))
    assert ended == []
    assert (tmp_path / "mark").read_text() == "x"


def test_a_child_that_does_not_listen_is_killed_after_the_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ending everything never hangs on one."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)

    async def story() -> None:
        kept = child(STUBBORN, tmp_path / "mark", [])
        kept.start()
        await until_lives(tmp_path / "mark", 1)
        await kept.stop()
        assert kept.pid == 0

    asyncio.run(asyncio.wait_for(story(), 20))
    assert "is killed" in capfd.readouterr().err


def test_a_child_is_in_a_session_of_its_own_with_the_environment_given(tmp_path: Path) -> None:
    """Ctrl-C at the terminal reaches the supervisor alone, and so does what only it may know."""
    code = (
        "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getsid(0)} {sorted(os.environ)}\\n'); time.sleep(600)"
    )

    async def story() -> int:
        kept = child(code, tmp_path / "mark", [], {"GIVEN": "1"})
        kept.start()
        await until_lives(tmp_path / "mark", 1)
        pid = kept.pid
        await kept.stop()
        return pid

    pid = asyncio.run(asyncio.wait_for(story(), 20))
    session, _, names = (tmp_path / "mark").read_text().partition(" ")
    assert int(session) == pid
    assert set(names.strip("[]\n").replace("'", "").split(", ")) <= {"GIVEN", "LC_CTYPE"}


def test_a_child_that_others_started_is_kept_like_ones_own(tmp_path: Path) -> None:
    """By its number; when it dies another is started, and at last it is ended."""
    ended: list[int] = []

    async def story() -> None:
        first = subprocess.Popen([sys.executable, "-c", SLEEPER, str(tmp_path / "mark")])
        await until_lives(tmp_path / "mark", 1)
        kept = child(SLEEPER, tmp_path / "mark", ended)
        kept.adopt(first.pid, 12.5, 3, None)
        assert (kept.pid, kept.since, kept.starts) == (first.pid, 12.5, 3)
        await asyncio.sleep(0)
        os.kill(first.pid, signal.SIGKILL)
        await until_lives(tmp_path / "mark", 2)
        first.returncode = -signal.SIGKILL  # it has been waited for
        assert kept.starts == 4
        await kept.stop()
        assert kept.pid == 0

    asyncio.run(asyncio.wait_for(story(), 20))
    assert ended == [-signal.SIGKILL]


def test_an_adopted_child_is_asked_to_end_and_one_that_has_ended_is_not_signalled(tmp_path: Path) -> None:
    """Its number may be another's by then."""

    async def story() -> None:
        for gone in (False, True):
            mark = tmp_path / f"mark-{gone}"
            first = subprocess.Popen([sys.executable, "-c", SLEEPER, str(mark)])
            await until_lives(mark, 1)
            if gone:
                first.kill()
            kept = child(SLEEPER, mark, [])
            kept.adopt(first.pid, 1.0, 1, None)
            kept.release()
            await kept.end(0.0)
            first.returncode = -signal.SIGTERM
            assert kept.pid == 0

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_child_inherits_one_end_of_a_line_for_sockets(tmp_path: Path) -> None:
    """What is put into the other end before its start is there for it."""
    code = (
        "import os, sys; line = int(os.environ['BOLLARD_SOCKETS']); "
        "open(sys.argv[1], 'ab').write(os.read(line, 9)); import time; time.sleep(600)"
    )

    async def story() -> bytes:
        kept = Child("child", [sys.executable, "-c", code, str(tmp_path / "mark")], {}, print, listens=_greet)
        kept.start()
        await until_lives(tmp_path / "mark", 5)
        await kept.stop()
        return (tmp_path / "mark").read_bytes()

    assert asyncio.run(asyncio.wait_for(story(), 20)) == b"hello"


def test_a_child_hears_signals_that_wait_for_its_parent(tmp_path: Path) -> None:
    """It may be started just while the parent hears none; else it could not be asked to end."""

    async def story() -> str:
        code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(open('/proc/self/status').read())"
        kept = child(code, tmp_path / "mark", [])
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})
        try:
            kept.start()
            await until_lives(tmp_path / "mark", 1)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR2})
        await kept.stop()
        [line] = [line for line in (tmp_path / "mark").read_text().splitlines() if line.startswith("SigBlk")]
        return line.split()[1]

    assert int(asyncio.run(asyncio.wait_for(story(), 20)), 16) == 0


def _greet(kept: Child) -> None:
    assert kept.line
    kept.line.send(b"hello")


def test_a_program_that_cannot_be_started_is_told_and_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    """The supervisor outlives a host that is out of processes for a moment."""

    async def story() -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        kept = Child("child", ["/nonexistent/program"], {}, told.set_result)
        kept.start()
        code = await told
        await kept.stop()
        return code

    assert asyncio.run(asyncio.wait_for(story(), 20)) == os.EX_OSERR
    told = capfd.readouterr().err
    assert "cannot be started: No such file or directory: /nonexistent/program, which the home's owner has to" in told


def test_pauses_grow_while_a_child_dies_at_once_and_shrink_when_it_lives() -> None:
    """A second at most for a child that lived, never more than five for one that does not."""
    pauses = [module.FIRST_PAUSE]
    while pauses[-1] < module.LONGEST_PAUSE:
        pauses.append(next_pause(pauses[-1], 0.0))

    assert all(later <= 2 * earlier for earlier, later in pairwise(pauses))
    assert next_pause(module.LONGEST_PAUSE, 0.0) == module.LONGEST_PAUSE == 5.0
    assert next_pause(module.LONGEST_PAUSE, module.STEADY_SECONDS) == module.FIRST_PAUSE < 1.0
