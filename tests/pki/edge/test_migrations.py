"""The schema itself forbids what must never be: two rows for a serial, a valid certificate without its bytes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlite_utils import Database

from pki.certificate import key_id
from pki.edge import store
from pki.edge.ledger import stations
from pki.edge.migrations import LEDGER
from pki.edge.office.anchors import INSTALLED
from tests.pki.papers import leaf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = {
    "issuer_key_id": b"i" * 32, "serial": "1a", "purpose": "station", "station": None, "subject": "CN=x",
    "issuer": "CN=y",
    "not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z", "status": "intended", "tbs": b"tbs",
    "der": None, "reason": None, "revoked_at": None,
}  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty ledger."""
    store.create(tmp_path / "ledger.db")
    opened = store.open_writer(tmp_path / "ledger.db")
    yield opened
    opened.close()


def insert(database: Database, **changes: object) -> None:
    """Put a certificate row in, past all our code."""
    row = {**ROW, **changes}
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    database.execute(f"INSERT INTO certificate ({names}) VALUES ({marks})", row)  # noqa: S608 - the names are ours


def test_applying_the_steps_again_changes_nothing(database: Database) -> None:
    """Every start applies them; a finished ledger has none pending."""
    before = database.schema
    LEDGER.apply(database)
    assert LEDGER.pending(database) == []
    assert database.schema == before


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": "valid"}, id="valid without the signed bytes"),
        pytest.param({"der": b"der"}, id="signed bytes while only intended"),
        pytest.param({"status": "revoked", "der": b"der"}, id="revoked without a time"),
        pytest.param({"status": "held", "der": b"der"}, id="on hold without a time"),
        pytest.param({"revoked_at": "2026-01-01T00:00:00Z"}, id="a time of revocation without one"),
        pytest.param({"status": "perhaps"}, id="an unknown status"),
        pytest.param({"issuer_key_id": b"short"}, id="an issuer that is no key id"),
        pytest.param({"station": "CP-unknown"}, id="a station that is not registered"),
        pytest.param({"serial": b"\x1a"}, id="a serial that is no text"),
    ],
)
def test_the_ledger_refuses_a_certificate_row_that_cannot_be(database: Database, changes: dict[str, object]) -> None:
    """Not even a fault in our code can write it."""
    with pytest.raises(sqlite3.IntegrityError):
        insert(database, **changes)


def test_one_issuer_uses_a_serial_once(database: Database) -> None:
    """RFC 5280 4.1.2.2; another issuer may use the same number."""
    insert(database)
    insert(database, issuer_key_id=b"j" * 32)
    with pytest.raises(sqlite3.IntegrityError):
        insert(database)


def test_keys_of_an_older_home_fill_the_slots_of_their_names(tmp_path: Path) -> None:
    """A home from before keys had generations opens with every key in use."""
    with closing(Database(sqlite3.connect(tmp_path / "ledger.db"))) as older:
        LEDGER.apply(older, stop_before="generations")
        insert(older, status="valid", der=b"der")
        older.execute("INSERT INTO own_key (name, purpose, certificate) VALUES ('csms', 'csms', 1)")
        older.conn.commit()
    with closing(store.open_writer(tmp_path / "ledger.db")) as newer:
        found = newer.execute("SELECT name, slot, purpose, state, keeper, certificate FROM own_key").fetchall()
    assert found == [("csms", "csms", "csms", "active", "here", 1)]


def test_a_ledger_from_before_takes_holds_and_keeps_what_it_has(tmp_path: Path) -> None:
    """The widened checks hold at once, the old ones still, and so does what other tables say of certificates."""
    with closing(Database(sqlite3.connect(tmp_path / "ledger.db"))) as older:
        LEDGER.apply(older, stop_before="holds")
        insert(older, status="valid", der=b"der")
        older.execute("INSERT INTO own_key VALUES ('ocsp', 'ocsp', 'ocsp', 'active', 'here', 1)")
        older.conn.commit()
        with pytest.raises(sqlite3.IntegrityError):
            insert(older, serial="1b", status="held", der=b"der", revoked_at="2026-01-01T00:00:00Z")
        older.conn.rollback()
    with closing(store.open_writer(tmp_path / "ledger.db")) as newer:
        insert(newer, serial="1b", status="held", der=b"der", revoked_at="2026-01-01T00:00:00Z")
        with pytest.raises(sqlite3.IntegrityError):
            insert(newer, serial="1c", status="held", der=b"der")
        with pytest.raises(sqlite3.IntegrityError):
            newer.execute("DELETE FROM certificate WHERE serial = '1a'")
        assert newer.execute("SELECT name, certificate FROM own_key").fetchall() == [("ocsp", 1)]
        assert newer.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert newer.execute("PRAGMA foreign_key_check").fetchall() == []


def test_certificates_from_before_are_found_by_their_keys(tmp_path: Path) -> None:
    """A00.FR.427 holds of those as well; what was never a certificate has no key."""
    with closing(Database(sqlite3.connect(tmp_path / "ledger.db"))) as older:
        LEDGER.apply(older, stop_before="keys_of_certificates")
        insert(older, tbs=leaf().certificate.tbs_certificate_bytes)
        insert(older, serial="1b")
        older.conn.commit()
    with closing(store.open_writer(tmp_path / "ledger.db")) as newer:
        found = newer.execute("SELECT certified_key FROM certificate ORDER BY id").fetchall()
    assert found == [(key_id(leaf().certificate),), (None,)]


def test_stations_from_before_keep_what_they_are_and_may_be_removed(tmp_path: Path) -> None:
    """They were seen with nothing beyond their profile, the ratchet is on, and no password is to follow."""
    with closing(Database(sqlite3.connect(tmp_path / "ledger.db"))) as older:
        LEDGER.apply(older, stop_before="ways_of_stations")
        older.execute("INSERT INTO station (identity, serial, profile, status) VALUES ('CP-1', 'SN-1', 2, 'active')")
        older.conn.commit()
        with pytest.raises(sqlite3.IntegrityError):
            older.execute("UPDATE station SET status = 'removed'")
        older.conn.rollback()
    with closing(store.open_writer(tmp_path / "ledger.db")) as newer:
        row = stations.plain(newer, "CP-1")
        assert (row.seen_profile, row.ratchet, row.rotating, row.expired_until) == (0, True, False, None)
        stations.remove(newer, "CP-1", "SN-1 (removed)")
        with pytest.raises(sqlite3.IntegrityError):
            newer.execute("UPDATE station SET status = 'lost'")
        assert newer.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_anchors_from_before_stay_and_roots_for_cars_are_taken(tmp_path: Path) -> None:
    """For purposes that there are, and no other."""
    sql = "INSERT INTO anchor VALUES (:purpose, '', :key, 'CN=Root', '2030-01-01T00:00:00Z', 'pem')"
    with closing(Database(sqlite3.connect(tmp_path / "ledger.db"))) as older:
        LEDGER.apply(older, stop_before="roots_for_stations")
        older.execute(sql, {"purpose": "csms", "key": b"k" * 32})
        older.conn.commit()
        with pytest.raises(sqlite3.IntegrityError):
            older.execute(sql, {"purpose": "MORootCertificate", "key": b"k" * 32})
        older.conn.rollback()
    with closing(store.open_writer(tmp_path / "ledger.db")) as newer:
        for purpose in INSTALLED:
            newer.execute(sql, {"purpose": purpose, "key": b"k" * 32})
        with pytest.raises(sqlite3.IntegrityError):
            newer.execute(sql, {"purpose": "everything", "key": b"k" * 32})
        assert len(newer.execute("SELECT purpose FROM anchor").fetchall()) == 1 + len(INSTALLED)
        assert newer.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_slot_has_one_key_in_use(database: Database) -> None:
    """The schema says so, whatever the code does."""
    insert(database, status="valid", der=b"der")
    sql = "INSERT INTO own_key VALUES (:name, 'csms', 'csms', 'active', 'here', 1)"
    database.execute(sql, {"name": "csms"})
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(sql, {"name": "csms-2"})
