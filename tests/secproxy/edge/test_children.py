"""Children that are kept running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from secproxy.edge import children as module
from secproxy.edge.children import Child, next_pause

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
    assert "cannot be started" in capfd.readouterr().err


def test_pauses_grow_while_a_child_dies_at_once_and_shrink_when_it_lives() -> None:
    """A second at most for a child that lived, never more than five for one that does not."""
    pauses = [module.FIRST_PAUSE]
    while pauses[-1] < module.LONGEST_PAUSE:
        pauses.append(next_pause(pauses[-1], 0.0))

    assert all(later <= 2 * earlier for earlier, later in pairwise(pauses))
    assert next_pause(module.LONGEST_PAUSE, 0.0) == module.LONGEST_PAUSE == 5.0
    assert next_pause(module.LONGEST_PAUSE, module.STEADY_SECONDS) == module.FIRST_PAUSE < 1.0
