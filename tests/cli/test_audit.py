"""The audit log by command: read, proved, sealed; an altered entry is found."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def test_entries_are_listed_in_order_with_the_text_that_was_hashed(bollard: Bollard) -> None:
    """The newest last, and ``entry`` can be hashed again by anybody."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    entries = bollard("-o", "json", "audit", "list").rows("entries")

    assert [row["index"] for row in entries] == list(range(len(entries)))
    assert entries[-1]["act"] == "station.added"
    assert json.loads(str(entries[-1]["entry"]))["act"] == "station.added"


def test_a_part_of_the_log_is_listed(bollard: Bollard) -> None:
    """From an entry on, so many."""
    entries = bollard("-o", "json", "audit", "list", "--first", "2", "--limit", "3").rows("entries")

    assert [row["index"] for row in entries] == [2, 3, 4]


def test_a_whole_log_is_proved(bollard: Bollard) -> None:
    """Size and root are told."""
    proved = bollard("-o", "json", "audit", "verify").json()

    assert isinstance(proved["size"], int)
    assert proved["size"] > 0
    assert len(str(proved["root"])) == 64


def test_an_altered_entry_is_found(bollard: Bollard, home: Path) -> None:
    """Exit code 5, whoever altered the file."""
    with sqlite3.connect(home / "ledger.db") as ledger:
        tables = {name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "audit" in tables
        ledger.execute("""UPDATE audit SET entry = replace(entry, 'issued', 'ISSUED')""")
    ledger.close()

    assert bollard("audit", "verify").code == 5


def test_a_checkpoint_is_text_to_keep_elsewhere(bollard: Bollard) -> None:
    """A signed note, as other logs write it."""
    text = bollard("audit", "checkpoint").out

    assert text.splitlines()[0] == "localhost/bollard/audit"
    assert "\u2014 localhost/bollard/audit " in text


def test_a_checkpoint_kept_elsewhere_is_compared_with(bollard: Bollard, home: Path, tmp_path: Path) -> None:
    """It agrees with the honest log; against an older copy of the ledger it is what tells."""
    older = (home / "ledger.db").read_bytes()
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    (tmp_path / "held").write_text(bollard("audit", "checkpoint").out)
    assert bollard("audit", "verify", "--checkpoint", str(tmp_path / "held")).code == 0

    (home / "ledger.db").write_bytes(older)
    assert bollard("audit", "verify").code == 0
    told = bollard("audit", "verify", "--checkpoint", str(tmp_path / "held"))
    assert (told.code, "audit.broken" in told.err) == (5, True)


EMPTY, NAMELESS = "EMPTY", ""
ASKED = (
    ("verify", "--checkpoint", EMPTY),
    ("verify", "--checkpoint", NAMELESS),
    ("verify", "--export", NAMELESS),
    ("verify", "--proof", EMPTY),
    ("verify", "--proof", NAMELESS),
    ("verify", "--export", "log.jsonl", "--key", EMPTY),
    ("verify", "--export", "log.jsonl", "--key", NAMELESS),
    ("verify", "--export", "log.jsonl", "--checkpoint", EMPTY),
    ("prove", "0", "--checkpoint", EMPTY),
    ("prove", "0", "--export", NAMELESS),
    ("prove", "--from", EMPTY),
    ("prove", "--from", "held", "--to", EMPTY),
    ("prove", "--from", "held", "--to", NAMELESS),
    ("prove", "0", "--out", NAMELESS),
)


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_a_comparison_that_was_asked_for_is_never_passed_by(
    bollard: Bollard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """A file without anything in it, or without a name, is refused: success would say that it agreed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "held").write_text(bollard("audit", "checkpoint").out)
    bollard("audit", "export", "--out", "log.jsonl")
    (tmp_path / EMPTY).touch()
    told = bollard("audit", *words)
    assert (told.code in {2, 4, 7}, "error[file." in told.err, told.out) == (True, True, "")


def test_an_entry_beyond_all_numbers_is_a_wrong_question(bollard: Bollard) -> None:
    """Exit code 2, not a fault of ours."""
    assert bollard("audit", "list", "--first", "9" * 20).code == 2
