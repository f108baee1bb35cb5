"""The ledger is copied whole while others write, verified before it is handed over, and never to a stranger's place."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.errors import BollardError, InputError, RefusedError
from tests.pki.edge.office.test_records import tamper
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

NAME = "backup-0123456789abcdef"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a folder for a backup in it."""
    made = make_home(tmp_path)
    (made.run / NAME).mkdir(mode=0o700)
    return made


async def copy(desk: Desk) -> calls.LedgerCopied:
    """Ask for the copy."""
    return await desk.ask(calls.CopyLedger(NAME, images=True, passphrase=False), calls.LedgerCopied)


def test_the_copy_holds_the_entry_that_tells_of_it_and_its_checkpoint(home: Home) -> None:
    """So a backup put back over the home it was taken from undoes nothing."""
    copied = at_the_desk(home, copy)
    with closing(sqlite3.connect(home.run / NAME / "ledger.db")) as ledger:
        newest = ledger.execute('SELECT "index", entry FROM audit ORDER BY "index" DESC LIMIT 1').fetchone()
        signed = ledger.execute("SELECT text FROM checkpoint ORDER BY id DESC LIMIT 1").fetchone()
    assert (newest[0], "home.backed_up" in newest[1]) == (copied.audit_index, True)
    assert signed[0] == copied.checkpoint.text
    assert copied.checkpoint.size == copied.audit_index + 1
    assert (home.run / NAME / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_others_are_served_while_the_copy_is_made(home: Home) -> None:
    """What they do meanwhile is in the ledger, and may or may not be in the copy; the copy holds either way."""

    async def story(desk: Desk) -> None:
        copying = asyncio.create_task(copy(desk))
        for number in range(20):
            await desk.ask(Paper.of(number).add, calls.StationAdded)
        await copying

    at_the_desk(home, story)


@pytest.mark.parametrize("name", ["", "..", "../ledger", "backup-0123456789abcdeX", "/etc", "backup-fedcba9876543210"])
def test_a_copy_goes_nowhere_but_into_a_folder_of_a_backup(home: Home, name: str) -> None:
    """Not even for those who may ask."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.CopyLedger(name, images=True, passphrase=False), calls.LedgerCopied)

    with pytest.raises(InputError, match=r"backup\.folder"):
        at_the_desk(home, story)


def test_a_link_in_the_folder_s_place_is_not_followed(home: Home, tmp_path: Path) -> None:
    """Where it leads is somebody else's."""
    (home.run / NAME).rmdir()
    (tmp_path / "elsewhere").mkdir()
    (home.run / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"backup\.folder"):
        at_the_desk(home, copy)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_altered_ledger_is_not_handed_over_as_a_backup(home: Home) -> None:
    """And its copy is taken away."""
    tamper(home, "UPDATE own_key SET purpose = 'csms' WHERE name = 'root'")
    with pytest.raises(RefusedError, match=r"audit\.rows"):
        at_the_desk(home, copy)
    assert list((home.run / NAME).iterdir()) == []


def test_a_damaged_file_is_told_and_the_authority_goes_on(home: Home) -> None:
    """SQLite's own examination is part of it."""
    with closing(sqlite3.connect(home.ledger)) as ledger:
        ledger.execute("PRAGMA writable_schema=ON")
        ledger.execute("DELETE FROM sqlite_master WHERE name = 'certificate_serial'")
        ledger.commit()

    async def story(desk: Desk) -> None:
        with pytest.raises(BollardError, match=r"ledger\.damaged"):
            await copy(desk)
        await desk.ask(Paper.of(1).add, calls.StationAdded)

    at_the_desk(home, story)
