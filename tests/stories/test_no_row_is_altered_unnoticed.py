"""Somebody has the ledger's file in hand, and every tool of SQLite's: whatever is changed is found, by row or by entry.

The ledger is that of a home that was lived in; each change is made in a copy of it, past all our code.
"""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from pki import audit
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.home import Home
from pki.errors import BollardError, RefusedError
from tests.pki.edge.homes import lived_in
from tests.worlds import Paper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAIN = calls.VerifyAudit()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with stations, certificates, an anchor, an image and a download, that nobody touched."""
    home = lived_in(tmp_path_factory.mktemp("honest"))
    digest = ask_once(home, calls.ListReleases(), calls.Releases).releases[0].digest
    granted = ask_once(home, calls.GrantDownload("CP-001", digest, "m1"), calls.DownloadGranted)
    token = granted.url.split("/")[-2]
    ask_once(home, calls.RecordDownload(token, 0, 99, complete=False), calls.Done)
    ask_once(home, calls.ReportBoot("CP-001", "Volta", "Wall", "SN-001", "1.0"), calls.Done)
    ask_once(home, calls.SetStationPassword("CP-002"), calls.StationAdded)
    ask_once(home, calls.SetStationStatus("CP-002", "disabled"), calls.Done)
    ask_once(home, calls.SetStationPassword("CP-002", rotate=True), calls.StationAdded)
    ask_once(home, calls.ChangeStation("CP-002", ratchet=False), calls.Done)
    ask_once(home, calls.AddStation("CP-GONE", "SN-GONE", 2), calls.StationAdded)
    ask_once(home, calls.RemoveStation("CP-GONE"), calls.Done)
    return home


@pytest.fixture
def home(honest: Home, tmp_path: Path) -> Home:
    """A copy of it to do wrong to."""
    return Home(shutil.copytree(honest.path, tmp_path / "home"))


def edit(home: Home, *statements: str) -> None:
    """Change the file."""
    ledger = sqlite3.connect(home.ledger)
    for statement in statements:
        ledger.execute(statement)
    ledger.commit()
    ledger.close()


def test_an_honest_ledger_is_proved_row_by_row(home: Home) -> None:
    """Every row, each of its fields."""
    proved = ask_once(home, PLAIN, calls.AuditVerified)
    with sqlite3.connect(home.ledger) as ledger:
        tables = ("certificate", "own_key", "station", "anchor", "firmware", "download", "setting")
        counts = [ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 - ours
    ledger.close()
    assert min(counts) > 0
    assert (proved.rows, proved.rows_in_part) == (sum(counts), 0)


REVIVED = "UPDATE certificate SET status = 'valid', revoked_at = NULL WHERE status = 'revoked'"
ADDED = (
    "INSERT INTO certificate (issuer_key_id, serial, purpose, station, subject, issuer, not_before, not_after, status,"
    " tbs, der) SELECT issuer_key_id, 'abc', purpose, station, subject, issuer, not_before, not_after, status, tbs, der"
    " FROM certificate WHERE station = 'CP-001'"
)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (REVIVED, "the log says 'revoked'"),
        ("UPDATE certificate SET reason = 'key_compromise' WHERE status = 'revoked'", "reason is"),
        ("UPDATE certificate SET revoked_at = '2020-01-01T00:00:00Z' WHERE status = 'revoked'", "revoked_at is"),
        ("UPDATE certificate SET station = 'CP-002' WHERE station = 'CP-001'", "station is 'CP-002'"),
        ("UPDATE certificate SET not_after = '2099-01-01T00:00:00Z' WHERE id = 1", "not_after is"),
        ("UPDATE certificate SET der = zeroblob(9) WHERE station = 'CP-001'", "der_sha256 is"),
        ("UPDATE certificate SET tbs = zeroblob(9) WHERE id = 1", "tbs_sha256 is"),
        ("UPDATE certificate SET issuer_key_id = zeroblob(32) WHERE id = 3", "issuer_key_id is"),
        ("UPDATE certificate SET serial = 'abc' WHERE station = 'CP-001'", "'abc' is there, yet no entry"),
        (ADDED, "certificate row 'abc' is there, yet no entry"),
        ("DELETE FROM certificate WHERE station = 'CP-001'", "is gone, yet no entry"),
        ("UPDATE own_key SET certificate = 1 WHERE name = 'station'", "own_key row 'station': serial is"),
        ("UPDATE own_key SET purpose = 'csms' WHERE name = 'ocsp'", "role is 'csms', the log says 'ocsp'"),
        ("UPDATE own_key SET state = 'retired' WHERE name = 'ocsp'", "state is 'retired'"),
        ("UPDATE own_key SET keeper = 'elsewhere' WHERE name = 'ocsp'", "keeper is"),
        ("INSERT INTO own_key VALUES ('mine', 'mine', 'station', 'active', 'here', 1)", "own_key row 'mine' is there"),
        ("DELETE FROM own_key WHERE name = 'server-rsa'", "own_key row 'server-rsa' is gone"),
        ("UPDATE station SET profile = 1 WHERE identity = 'CP-001'", "profile is '1', the log says '3'"),
        ("UPDATE station SET status = 'active' WHERE identity = 'CP-002'", "'active', the log says 'disabled'"),
        ("UPDATE station SET verifier = 'mine' WHERE identity = 'CP-002'", "verifier_sha256 is"),
        ("UPDATE station SET verifier = 'mine' WHERE identity = 'CP-001'", "verifier_sha256 is"),
        ("UPDATE station SET password_form = 'hex' WHERE identity = 'CP-002'", "password_form is"),
        ("UPDATE station SET serial = 'X' WHERE identity = 'CP-001'", "serial is 'X'"),
        ("UPDATE station SET model = 'X' WHERE identity = 'CP-001'", "model is 'X'"),
        ("UPDATE station SET station_group = 'X' WHERE identity = 'CP-001'", "group is 'X'"),
        ("UPDATE station SET ratchet = 1 WHERE identity = 'CP-002'", "ratchet is '1'"),
        ("UPDATE station SET seen_profile = 3 WHERE identity = 'CP-001'", "seen_profile is '3'"),
        ("UPDATE station SET next_verifier = 'mine' WHERE identity = 'CP-002'", "next_sha256 is"),
        ("UPDATE station SET next_verifier = 'mine' WHERE identity = 'CP-001'", "next_sha256 is"),
        ("UPDATE station SET next_form = 'hex' WHERE identity = 'CP-002'", "next_form is"),
        ("UPDATE station SET expired_until = '2099-01-01T00:00:00Z' WHERE identity = 'CP-001'", "expired_until is"),
        ("UPDATE station SET status = 'active' WHERE identity = 'CP-GONE'", "'active', the log says 'removed'"),
        ("INSERT INTO station (identity, serial, profile, status) VALUES ('X', 'X', 1, 'active')", "'X' is there"),
        ("UPDATE anchor SET purpose = 'station', vendor = ''", "'station /  / "),
        ("UPDATE anchor SET pem = 'x'", "pem_sha256 is"),
        ("DELETE FROM anchor", "the anchor row .* is gone"),
        ("UPDATE firmware SET digest = printf('%064d', 0)", "digest is"),
        ("UPDATE firmware SET version = '9'", "'Volta / Wall / 9' is there"),
        ("UPDATE firmware SET signature = x'00'", "signature_sha256 is"),
        ("UPDATE download SET expires = '2099-01-01T00:00:00Z'", "expires is"),
        ("UPDATE download SET token_hash = zeroblob(32)", "token_sha256 is"),
        ("UPDATE download SET station = 'CP-002'", "download row 'CP-002' is there"),
        ("UPDATE download SET complete = 1", "complete is '1'"),
        ("UPDATE download SET served = 0", "started is '0'"),
        ("INSERT INTO restore VALUES (3, '2026-01-01T00:00:00Z', 3, 3)", "restore row '3' is there"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_follow_from_the_log_is_named(home: Home, statement: str, says: str) -> None:
    """The log itself was left alone, and so it tells."""
    edit(home, "PRAGMA ignore_check_constraints=ON", "PRAGMA foreign_keys=OFF", statement)
    with pytest.raises(RefusedError, match=says) as refused:
        ask_once(home, PLAIN, calls.AuditVerified)
    assert refused.value.code == "audit.rows"
    assert refused.value.findings


def test_a_damaged_certificate_of_our_own_is_told_as_damage(home: Home) -> None:
    """The authority cannot open with it, and says why."""
    edit(home, "UPDATE certificate SET der = zeroblob(9) WHERE id = 1")
    with pytest.raises(BollardError, match=r"ledger\.damaged"):
        ask_once(home, PLAIN, calls.AuditVerified)


def _edge_of(count: int) -> Callable[[sqlite3.Connection], None]:
    """Shorten the log, tree and checkpoints alike, as if the rest had never been."""

    def forge(ledger: sqlite3.Connection) -> None:
        ledger.execute('DELETE FROM audit WHERE "index" >= ?', [count])
        ledger.execute("DELETE FROM checkpoint WHERE size > ?", [count])
        leaves = [leaf for (leaf,) in ledger.execute('SELECT leaf FROM audit ORDER BY "index"')]
        hashes = b"".join(audit.frontier_of(leaves, count).hashes)
        ledger.execute("UPDATE frontier SET size = ?, hashes = ?", [count, hashes])
        ledger.execute("UPDATE sqlite_sequence SET seq = (SELECT count(*) FROM checkpoint) WHERE name = 'checkpoint'")

    return forge


def _swap(ledger: sqlite3.Connection) -> None:
    """Two entries in each other's place."""
    for old, new in ((14, -1), (15, 14), (-1, 15)):
        ledger.execute('UPDATE audit SET "index" = ? WHERE "index" = ?', [new, old])


def _cut(ledger: sqlite3.Connection) -> None:
    """The newest entries gone, the rest as it was."""
    ledger.execute('DELETE FROM audit WHERE "index" > 20')


@pytest.mark.parametrize(
    ("forge", "says"),
    [(_swap, "audit.broken"), (_cut, "audit.broken"), (_edge_of(20), "audit.rows")],
    ids=["swapped", "cut", "cut with the tree mended"],
)
def test_a_log_that_was_altered_is_found_by_what_stands_beside_it(
    home: Home, forge: Callable[[sqlite3.Connection], None], says: str
) -> None:
    """By the tree, by checkpoints; and where those were mended too, by the rows it no longer explains."""
    ledger = sqlite3.connect(home.ledger)
    forge(ledger)
    ledger.commit()
    ledger.close()
    with pytest.raises(BollardError, match=says):
        ask_once(home, PLAIN, calls.AuditVerified)


NEWEST = "DELETE FROM checkpoint WHERE id = (SELECT max(id) FROM checkpoint)"
COUNTED = "UPDATE sqlite_sequence SET seq = (SELECT count(*) FROM checkpoint) WHERE name = 'checkpoint'"


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (("DELETE FROM checkpoint",), "number 1 is gone"),
        (("DELETE FROM checkpoint WHERE id = 2",), "number 2 is gone"),
        ((NEWEST,), "is gone"),
        (("DELETE FROM checkpoint", COUNTED), "checkpoints signed before it, yet 0 are there"),
        ((NEWEST, NEWEST, COUNTED), "checkpoints signed before it, yet"),
    ],
    ids=["all", "one", "the newest", "all, and the count of them", "the newest ones, and the count of them"],
)
def test_a_checkpoint_that_was_taken_away_is_found(home: Home, statements: tuple[str, ...], says: str) -> None:
    """By its number; and where those were mended, by the entries that were written after it."""
    edit(home, *statements)
    with pytest.raises(RefusedError, match=says) as refused:
        ask_once(home, PLAIN, calls.AuditVerified)
    assert refused.value.code == "audit.broken"


def test_a_ledger_put_back_whole_to_an_earlier_day_is_found_by_a_checkpoint_kept_elsewhere(home: Home) -> None:
    """Nothing in the file can tell; what lies elsewhere can."""
    older = home.ledger.read_bytes()
    ask_once(home, Paper.of(9).add, calls.StationAdded)
    held = ask_once(home, calls.MakeCheckpoint(), calls.Checkpoint).text
    home.ledger.write_bytes(older)
    ask_once(home, PLAIN, calls.AuditVerified)
    for call in (calls.VerifyAudit(held), calls.ProveGrowth(held)):
        with pytest.raises(BollardError, match=r"audit\.|cannot begin"):
            ask_once(home, call, calls.Row)


def test_entries_of_an_older_version_prove_what_they_tell(home: Home) -> None:
    """A home from before: its entries told less, and its rows are proved in part, not refused."""
    ledger = sqlite3.connect(home.ledger)
    texts = [text for (text,) in ledger.execute('SELECT entry FROM audit ORDER BY "index"')]
    edge = audit.Frontier()
    for index, text in enumerate(map(_as_before, texts)):
        leaf = audit.leaf_hash(text.encode())
        edge = edge.append(leaf)
        ledger.execute('UPDATE audit SET entry = ?, leaf = ? WHERE "index" = ?', [text, leaf, index])
    told_anew = [value for (value,) in ledger.execute("DELETE FROM setting RETURNING value").fetchall() if value]
    ledger.execute("DELETE FROM checkpoint")
    ledger.execute("DELETE FROM sqlite_sequence WHERE name = 'checkpoint'")
    ledger.execute("UPDATE frontier SET hashes = ?", [b"".join(edge.hashes)])
    ledger.commit()
    ledger.close()
    proved = ask_once(home, PLAIN, calls.AuditVerified)
    assert proved.rows_in_part == proved.rows - len(told_anew) > 15
    edit(home, REVIVED)
    with pytest.raises(RefusedError, match="the log says 'revoked'"):
        ask_once(home, PLAIN, calls.AuditVerified)


NEW_FIELDS = {
    "issuer_key_id", "not_before", "not_after", "tbs_sha256", "der_sha256", "holds", "role", "revoked_at",
    "password_form", "verifier_sha256", "pem_sha256", "signature_sha256", "certificate_sha256", "imported",
    "token_sha256", "slot", "state", "keeper", "replaces", "settings",
}  # fmt: skip


def _as_before(text: str) -> str:
    import json

    entry = json.loads(text)
    del entry["checkpoints"]
    entry["what"] = {name: value for name, value in entry["what"].items() if name not in NEW_FIELDS}
    return json.dumps(entry, sort_keys=True, separators=(",", ":"))
