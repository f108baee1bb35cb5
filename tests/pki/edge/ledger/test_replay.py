"""Rows are held against the log: edited, added or dropped, in whichever table, each is named; an honest one passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.ledger import audit, certificates, replay, restores, stations
from pki.errors import RefusedError
from pki.replay import RULES, Drop, Entry, orders
from tests.pki.edge.ledger.ledgers import THEN, certificate, empty_ledger, station
from tests.pki.papers import leaf

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

    from pki import audit as arithmetic
    from pki.replay import Value

ROW = station()
TOLD: dict[str, arithmetic.Json] = {
    "station": ROW.identity, "serial": ROW.serial, "profile": ROW.profile, "group": ROW.group, "site": ROW.site,
}  # fmt: skip


def prove(ledger: Database) -> replay.Compared:
    """Heed the log, then compare."""
    with replay.Replay() as replayed:
        for index, (text,) in enumerate(ledger.execute('SELECT entry FROM audit ORDER BY "index"').fetchall()):
            replayed.heed(index, text)
        return replayed.prove(ledger)


def add(ledger: Database, **more: Value) -> None:
    """A station, with an entry that tells of it."""
    stations.add(ledger, ROW)
    audit.append(ledger, THEN, "station.added", "tester", {**TOLD, **more})


def test_a_row_that_older_entries_tell_in_part_is_proved_in_part(tmp_path: Path) -> None:
    """And counted as such, so that nobody takes it for more."""
    with empty_ledger(tmp_path) as ledger:
        add(ledger)
        assert prove(ledger) == replay.Compared(rows=1, in_part=1)


def test_what_an_entry_tells_is_proved_whole(tmp_path: Path) -> None:
    """The password's verifier by its digest alone."""
    with empty_ledger(tmp_path) as ledger:
        digest = replay._sha256(ROW.verifier)
        add(ledger, password_form="any", verifier_sha256=digest)
        assert prove(ledger) == replay.Compared(rows=1, in_part=0)
        ledger.execute("UPDATE station SET verifier = 'sha256$y'")
        with pytest.raises(RefusedError, match="verifier_sha256 is"):
            prove(ledger)


def test_what_is_no_act_is_not_held_against_the_log(tmp_path: Path) -> None:
    """A station's last sign of life comes with every boot."""
    with empty_ledger(tmp_path) as ledger:
        add(ledger)
        ledger.execute("UPDATE station SET last_seen = '2026-01-01T00:00:00Z'")
        prove(ledger)


def test_rows_that_do_not_fit_in_memory_are_compared_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put away and taken out again, whatever the order of the acts."""
    monkeypatch.setattr(replay, "HELD_ROWS", 2)
    with empty_ledger(tmp_path) as ledger:
        for number in range(7):
            stations.add(ledger, station(number))
            what: dict[str, arithmetic.Json] = {**TOLD, "station": f"CP-{number}", "serial": f"SN-{number}"}
            audit.append(ledger, THEN, "station.added", "tester", what)
        for number in (5, 0, 6):
            stations.set_status(ledger, f"CP-{number}", "disabled")
            audit.append(ledger, THEN, "station.status_set", "x", {"station": f"CP-{number}", "status": "disabled"})
        assert prove(ledger).rows == 7
        stations.set_status(ledger, "CP-0", "active")
        with pytest.raises(RefusedError, match=r"'CP-0': status is 'active', the log says 'disabled'"):
            prove(ledger)


def test_a_table_rewritten_whole_is_told_in_a_bounded_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many rows by name, and how many more."""
    monkeypatch.setattr(replay, "FINDINGS_MOST", 2)
    with empty_ledger(tmp_path) as ledger:
        for number in range(5):
            stations.add(ledger, station(number))
        with pytest.raises(RefusedError) as refused:
            prove(ledger)
    assert [finding.says for finding in refused.value.findings][2:] == ["3 more rows differ"]


@pytest.mark.parametrize(
    ("act", "what"),
    [
        ("station.status_set", {"station": "CP-9", "status": "active"}),
        ("certificate.revoked", {"serial": "1a"}),
        ("anchor.removed", {"purpose": "csms", "vendor": "", "key_id": "00"}),
        ("station.added", TOLD),
    ],
)
def test_an_entry_that_cannot_follow_is_a_finding(tmp_path: Path, act: str, what: dict[str, arithmetic.Json]) -> None:
    """A log that was written by somebody else would not fit together."""
    with empty_ledger(tmp_path) as ledger:
        add(ledger)
        audit.append(ledger, THEN, act, "x", what)
        with pytest.raises(RefusedError, match=r"entry 1 .* does not fit"):
            prove(ledger)


def test_text_that_is_no_entry_is_a_finding_as_well(tmp_path: Path) -> None:
    """It was hashed, and still it is nonsense."""
    with empty_ledger(tmp_path) as ledger, replay.Replay() as replayed:
        replayed.heed(0, "{}")
        with pytest.raises(RefusedError, match="entry 0 is no entry"):
            replayed.prove(ledger)


def test_a_restore_is_a_row_like_any_other(tmp_path: Path) -> None:
    """Whoever hides that a ledger was put back is found."""
    with empty_ledger(tmp_path) as ledger:
        what: dict[str, arithmetic.Json] = {"moment": "2026-01-01T00:00:00Z", "from_size": 3, "replaced_size": 9}
        index = audit.append(ledger, THEN, "home.restored", "restore", what)
        restores.add(ledger, restores.Restore(index, THEN, 3, 9))
        assert prove(ledger).in_part == 0
        ledger.execute("DELETE FROM restore")
        with pytest.raises(RefusedError, match=r"the restore row '0' is gone"):
            prove(ledger)


def test_the_rules_and_the_tables_speak_of_the_same_fields(tmp_path: Path) -> None:
    """A field that no table has would be told as altered for ever; one that no rule names would never be."""
    told: dict[str, set[str]] = {kind: set() for kind in replay.TABLES}
    for act in RULES:
        what: dict[str, object] = {
            "holds": "root",
            "keys": ["root"],
            "stations": [{}],
            "lists": [[0, 1, 2, "d"]],
            "settings": {"a": "b"},
        }
        for order in orders(Entry(0, "", act, "", what)):
            told[order.kind] |= set() if isinstance(order, Drop) else {*order.fields}
    with empty_ledger(tmp_path) as ledger:
        replay.teach(ledger)
        columns = {kind: [each[0] for each in ledger.execute(sql).description] for kind, sql in replay.TABLES.items()}
    assert {kind: ["key", *sorted(fields)] for kind, fields in told.items()} == {
        kind: [names[0], *sorted(names[1:])] for kind, names in columns.items()
    }


def test_a_key_that_is_not_that_of_the_signed_bytes_is_found(tmp_path: Path) -> None:
    """Nobody can make a key look free by editing the column that says whose it is (A00.FR.427)."""
    row, tbs = certificate(), leaf().certificate.tbs_certificate_bytes
    with empty_ledger(tmp_path) as ledger:
        certificates.intend(ledger, row, tbs)
        told: dict[str, arithmetic.Json] = {"serial": row.serial, "tbs_sha256": replay._sha256(tbs)}
        audit.append(ledger, THEN, "certificate.intended", "tester", told)
        assert prove(ledger).rows == 1
        ledger.execute("UPDATE certificate SET certified_key = NULL")
        with pytest.raises(RefusedError, match="key_follows is"):
            prove(ledger)
