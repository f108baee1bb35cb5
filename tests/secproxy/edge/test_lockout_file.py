"""Who has to wait for wrong passwords is known again after the process that counted is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from secproxy.edge import lockout_file
from secproxy.edge.lockout_file import (
    FILE,
    SLOT_BYTES,
    Moment,
    encoded,
    keeping,
    passed,
    present,
    read_lockouts,
    write_lockouts,
)
from secproxy.lockout import Kept, Lockouts
from tests.secproxy.edge.homes import bare_home
from tests.secproxy.test_lockout import HERE, use_up

if TYPE_CHECKING:
    from pathlib import Path

THEN = Moment("boot-1", 500.0, 1_000_000.0, 400.0)


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        pytest.param(Moment("boot-1", 530.0, 1_000_030.0, 430.0), 30.0, id="the same boot"),
        pytest.param(Moment("boot-1", 530.0, 5.0, 430.0), 30.0, id="a clock set back meanwhile"),
        pytest.param(Moment("boot-1", 530.0, 9_000_000.0, 430.0), 30.0, id="a clock set forward meanwhile"),
        pytest.param(Moment("boot-2", 7.0, 1_000_040.0, 6.0), 40.0, id="another boot"),
        pytest.param(Moment("boot-2", 7.0, 900_000.0, 6.0), 0.0, id="another boot, and a clock set back"),
    ],
)
def test_attack_07_time_passes_as_it_did_whatever_the_clock_says(tmp_path: Path, after: Moment, seconds: float) -> None:
    """Who had to wait a minute waits what is left of it, by a clock that begins anew."""
    home, locks = bare_home(tmp_path / "h"), Lockouts()
    assert use_up(locks, now=THEN.clock) == 60
    write_lockouts(home, 1, encoded(locks, THEN))
    wait = Lockouts(read_lockouts(home, after)).attempt("CP-001", HERE, after.clock)

    assert passed(THEN, after) == seconds
    assert wait is not None
    assert wait.seconds == 60 - seconds


def test_two_boots_that_nobody_can_name_are_two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Then the host's clock is what there is."""
    assert passed(present(), present()) >= 0.0
    monkeypatch.setattr(lockout_file, "BOOT", tmp_path / "none")
    before = msgspec.structs.replace(present(), wall=100.0)
    assert before.boot == ""
    assert passed(before, msgspec.structs.replace(before, wall=107.0)) == 7.0


def test_while_one_slot_is_written_the_other_is_whole(tmp_path: Path) -> None:
    """A crash in the middle, or a disk that is full, costs the newest alone; the next one goes where that was."""
    home, first, second = bare_home(tmp_path / "h"), Lockouts(), Lockouts()
    use_up(first, now=THEN.clock)
    use_up(second, "CP-002", now=THEN.clock)
    write_lockouts(home, 7, encoded(first, THEN))
    write_lockouts(home, 8, encoded(second, THEN))
    assert [pair[0] for pair in read_lockouts(home, THEN).pairs] == ["CP-002"]
    with (home.run / FILE).open("r+b") as file:
        file.seek(100)
        file.write(b"?")
    assert [pair[0] for pair in read_lockouts(home, THEN).pairs] == ["CP-001"]
    with pytest.raises(OSError, match="too long"):
        write_lockouts(home, 9, bytes(SLOT_BYTES))
    assert [pair[0] for pair in read_lockouts(home, THEN).pairs] == ["CP-001"]


def test_the_most_that_is_ever_written_has_room() -> None:
    """Of every kind as many as are written, under the longest names."""
    locks = Lockouts()
    for number in range(2_000):
        network = f"{number:0>49}"
        for each in range(2):
            locks.attempt(f"{number:0>200}{each}", network, 12_345.678901)
        locks.failed(network, 12_345.678901)
        for each in range(6):
            locks.proved(f"{number:0>200}{each}", network)

    assert SLOT_BYTES / 4 < len(encoded(locks, present())) < SLOT_BYTES


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", bytes(100), b'{"at":{},"kept":{}}'])
def test_a_file_that_cannot_be_read_is_told_and_passed_over(
    tmp_path: Path, text: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is kept from starting; and where there is none, nothing is said."""
    home = bare_home(tmp_path / "h")
    assert read_lockouts(home, THEN) == Kept()
    assert capsys.readouterr().err == ""
    (home.run / FILE).write_bytes(text)
    assert read_lockouts(home, THEN) == Kept()
    assert "run/lockouts cannot be read" in capsys.readouterr().err
    write_lockouts(home, 1, text)
    assert read_lockouts(home, THEN) == Kept()
    assert "run/lockouts cannot be read" in capsys.readouterr().err


def test_what_changes_is_written_while_it_goes_on_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By us alone to be read; where nothing changed, nothing is written."""
    home, locks = bare_home(tmp_path / "h"), Lockouts()
    file = home.run / FILE

    async def story() -> None:
        monkeypatch.setattr(lockout_file, "PAUSE_SECONDS", 0.01)
        async with keeping(home, locks):
            use_up(locks, now=present().clock)
            while not file.exists():  # noqa: ASYNC110 - a file tells nobody that it is there
                await asyncio.sleep(0)
        assert file.stat().st_mode & 0o777 == 0o600
        file.unlink()
        async with keeping(home, locks):
            pass
        assert not file.exists()
        monkeypatch.setattr(lockout_file, "PAUSE_SECONDS", 3_600)
        async with keeping(home, locks):
            locks.failed(HERE, present().clock)

    asyncio.run(asyncio.wait_for(story(), 30))
    now = present()
    assert Lockouts(read_lockouts(home, now)).attempt("CP-001", HERE, now.clock) is not None


def test_a_disk_that_takes_nothing_is_told_once_and_written_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counting goes on in memory meanwhile."""
    home, locks, tries = bare_home(tmp_path / "h"), Lockouts(), []
    monkeypatch.setattr(lockout_file, "PAUSE_SECONDS", 0.01)

    def full(*_: object) -> None:
        tries.append(1)
        raise OSError(28, "No space left on device")

    async def story() -> None:
        async with keeping(home, locks):
            with monkeypatch.context() as disk:
                disk.setattr(lockout_file, "write_lockouts", full)
                use_up(locks, now=present().clock)
                while len(tries) < 3:  # noqa: ASYNC110 - the thread that tries tells nobody
                    await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(story(), 30))
    assert (home.run / FILE).exists()
    assert capsys.readouterr().err.count("cannot be written") == 1
