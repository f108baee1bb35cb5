"""The log notices every edit, whoever made it, as long as one signed checkpoint is out of the forger's reach."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki import audit as arithmetic
from pki.checkpoint import sign_checkpoint
from pki.edge import calls
from pki.edge.ledger import audit
from pki.errors import RefusedError
from tests.pki.edge.ledger.ledgers import empty_ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database

KEY = Ed25519PrivateKey.generate()
ORIGIN = "csms.example.org/bollard/audit"
THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def write(ledger: Database, count: int) -> None:
    """Append entries."""
    for number in range(count):
        audit.append(ledger, THEN, "station.added", "tester", {"station": f"CP-{number}"})


def seal(ledger: Database, key: Ed25519PrivateKey = KEY) -> None:
    """Sign a checkpoint of the log as it is."""
    edge = audit.edge(ledger)
    text = sign_checkpoint(edge.size, edge.root(), ORIGIN, key)
    audit.add_checkpoint(ledger, calls.Checkpoint(edge.size, edge.root().hex(), text))


def verify(ledger: Database) -> tuple[int, int]:
    """Verify; the size and the number of checkpoints that agreed."""
    frontier, agreed = audit.verify(ledger, ORIGIN, KEY.public_key())
    return frontier.size, agreed


def test_the_edge_is_written_once_for_all_entries_of_a_transaction(tmp_path: Path) -> None:
    """Read once, written once; with nothing written to the log, nothing is written at all."""
    with empty_ledger(tmp_path) as ledger:
        said: list[str] = []
        ledger.conn.set_trace_callback(said.append)
        log = audit.Log(ledger)
        assert [log.append(THEN, "station.added", "tester", {}) for _ in range(5)] == [*range(5)]
        log.settle()
        quiet = audit.Log(ledger)
        assert quiet.edge() == log.edge()
        quiet.settle()
        ledger.conn.set_trace_callback(None)

        assert [each.split()[0] for each in said if "frontier" in each] == ["SELECT", "UPDATE", "SELECT"]
        assert verify(ledger) == (5, 0)


def test_an_untouched_log_verifies_with_all_its_checkpoints(tmp_path: Path) -> None:
    """Empty, between and after."""
    with empty_ledger(tmp_path) as ledger:
        seal(ledger)
        for _ in range(3):
            write(ledger, 5)
            seal(ledger)
        write(ledger, 2)
        assert verify(ledger) == (17, 4)


def test_a_log_longer_than_a_page_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are a matter of memory, not of the result."""
    monkeypatch.setattr(audit, "PAGE", 3)
    with empty_ledger(tmp_path) as ledger:
        write(ledger, 10)
        seal(ledger)
        assert verify(ledger) == (10, 1)


def edit_entry(ledger: Database) -> None:
    """Change what an entry says."""
    ledger.execute("""UPDATE audit SET entry = replace(entry, 'CP-1', 'CP-9') WHERE "index" = 1""")


def edit_entry_and_leaf(ledger: Database) -> None:
    """Change an entry and its hash with it."""
    edit_entry(ledger)
    entry = ledger.execute("""SELECT entry FROM audit WHERE "index" = 1""").fetchone()[0]
    ledger.execute("""UPDATE audit SET leaf = ? WHERE "index" = 1""", [arithmetic.leaf_hash(entry.encode())])


def rewrite_everything(ledger: Database) -> None:
    """Change an entry, its hash and the tree's edge: all but the checkpoints, which need the key."""
    edit_entry_and_leaf(ledger)
    edge = arithmetic.Frontier()
    for row in ledger.execute("""SELECT leaf FROM audit ORDER BY "index" """).fetchall():
        edge = edge.append(row[0])
    ledger.execute("UPDATE frontier SET hashes = ?", [b"".join(edge.hashes)])


def drop_one(ledger: Database) -> None:
    """Drop an entry in the middle."""
    ledger.execute("""DELETE FROM audit WHERE "index" = 2""")


def drop_last(ledger: Database) -> None:
    """Drop the newest entry."""
    ledger.execute("""DELETE FROM audit WHERE "index" = (SELECT max("index") FROM audit)""")


def roll_back(ledger: Database) -> None:
    """Shorten the log, edge and all, as if the last entries had never been."""
    ledger.execute("""DELETE FROM audit WHERE "index" >= 4""")
    edge = arithmetic.Frontier()
    for row in ledger.execute("""SELECT leaf FROM audit ORDER BY "index" """).fetchall():
        edge = edge.append(row[0])
    ledger.execute("UPDATE frontier SET size = 4, hashes = ?", [b"".join(edge.hashes)])


def renumber_checkpoint(ledger: Database) -> None:
    """Let a checkpoint claim another size than was signed."""
    ledger.execute("UPDATE checkpoint SET size = 4")


def forge_checkpoint(ledger: Database) -> None:
    """Replace the checkpoint with one signed by another key."""
    ledger.execute("DELETE FROM checkpoint")
    seal(ledger, Ed25519PrivateKey.generate())


def shrink_checkpoints(ledger: Database) -> None:
    """Put the checkpoints in another order, so that a later one is over fewer entries."""
    write(ledger, 3)
    seal(ledger)
    ledger.execute("UPDATE checkpoint SET id = -id")


def damage_edge(ledger: Database) -> None:
    """Put another edge in place."""
    ledger.execute("UPDATE frontier SET hashes = zeroblob(length(hashes))")


def drop_edge(ledger: Database) -> None:
    """Take the edge away."""
    ledger.execute("DELETE FROM frontier")


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (edit_entry, "entry 1 was edited"),
        (edit_entry_and_leaf, "first 6 entries"),
        (rewrite_everything, "first 6 entries"),
        (drop_one, "entry 2 is missing"),
        (drop_last, "only 5 are there"),
        (roll_back, "only 4 are there"),
        (renumber_checkpoint, "checkpoint over 4 entries was altered"),
        (forge_checkpoint, "another key"),
        (shrink_checkpoints, "over 6 entries follows one over 9"),
        (damage_edge, "edge"),
        (drop_edge, "edge is gone"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_forgery_is_found_and_named(tmp_path: Path, forge: Callable[[Database], None], says: str) -> None:
    """With the ledger in hand and every tool of SQLite's, but not the key."""
    with empty_ledger(tmp_path) as ledger:
        write(ledger, 6)
        seal(ledger)
        assert verify(ledger) == (6, 1)
        forge(ledger)
        with pytest.raises(RefusedError, match=says):
            verify(ledger)


def test_entries_are_listed_from_either_end(tmp_path: Path) -> None:
    """The newest few, or on from a place."""
    with empty_ledger(tmp_path) as ledger:
        write(ledger, 6)
        assert [row.index for row in audit.listed(ledger, -1, 2)] == [4, 5]
        assert [row.index for row in audit.listed(ledger, -1, 50)] == list(range(6))
        assert [row.index for row in audit.listed(ledger, 3, 2)] == [3, 4]
        assert audit.listed(ledger, 6, 2) == []


def test_the_newest_checkpoint_is_the_last_one_signed(tmp_path: Path) -> None:
    """None before the first."""
    with empty_ledger(tmp_path) as ledger:
        assert audit.newest_checkpoint(ledger) is None
        seal(ledger)
        write(ledger, 2)
        seal(ledger)
        newest = audit.newest_checkpoint(ledger)
        assert newest is not None
        assert newest.size == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE frontier SET hashes = x'00'",
        "UPDATE frontier SET size = size + 1",
        "UPDATE frontier SET size = -1, hashes = x''",
        "UPDATE checkpoint SET root = 'zz'",
        "INSERT INTO audit VALUES (-1, 'x', zeroblob(32))",
    ],
)
def test_what_no_log_could_hold_is_told_as_an_alteration(tmp_path: Path, statement: str) -> None:
    """Nonsense in the file is a finding like any other, never an accident of ours."""
    with empty_ledger(tmp_path) as ledger:
        write(ledger, 4)
        seal(ledger)
        ledger.execute(statement)
        with pytest.raises(RefusedError, match=r"audit\.broken"):
            verify(ledger)


def test_a_checkpoint_held_elsewhere_finds_a_log_that_was_rewritten_whole(tmp_path: Path) -> None:
    """Who holds the file can replace entries, edge and checkpoints alike; what lies elsewhere stays as it is."""
    with empty_ledger(tmp_path) as ledger:
        write(ledger, 3)
        seal(ledger)
        held = audit.checkpoints(ledger)[0].text
        assert audit.verify(ledger, ORIGIN, KEY.public_key(), held)[1] == 2
        for table in ("audit", "checkpoint", "sqlite_sequence"):
            ledger.execute(f"DELETE FROM {table}")  # noqa: S608 - ours
        ledger.execute("UPDATE frontier SET size = 0, hashes = x''")
        assert verify(ledger) == (0, 0)
        with pytest.raises(RefusedError, match=r"audit\.broken"):
            audit.verify(ledger, ORIGIN, KEY.public_key(), held)
        write(ledger, 2)
        audit.append(ledger, THEN, "station.added", "tester", {"station": "another"})
        with pytest.raises(RefusedError, match=r"audit\.broken"):
            audit.verify(ledger, ORIGIN, KEY.public_key(), held)
