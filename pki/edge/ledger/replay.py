"""Holds the ledger's tables against the audit log: no row may say what no entry told, and none may be gone.

* The rows as they must stand are gathered in a scratch database that SQLite keeps in memory while it is small and in an
  unnamed temporary file after that, so a million certificates take no more memory than ``SCRATCH_KIB`` and a page.
* Both sides are read once. A row is compared field by field, in what the entries told; the others count as proved in
  part. When a station was seen and with which certificate, and the bytes counted of a download, are not acts, and are
  not held against the log.
* What is found is told row by row, ``FINDINGS_MOST`` of them at most.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509

from pki import replay
from pki.certificate import key_id
from pki.edge.migrations import key_of_row
from pki.findings import Finding, error, refuse_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from sqlite_utils import Database

SCRATCH_KIB: Final = 64 * 1024  # KiB of memory for the rows as they must stand; what does not fit lies in a file
HELD_ROWS: Final = 50_000  # rows that are still being changed and not yet in the scratch database: about 50 MB
FINDINGS_MOST: Final = 100  # rows that are named; whoever rewrote the table needs no list of all of them
SHOWN: Final = 80  # characters of a value that a finding shows

_OWN: Final = """
        WITH own AS MATERIALIZED (
            SELECT min(name) AS name, key_id(der) AS subject_key
            FROM own_key JOIN certificate ON certificate.id = own_key.certificate
            WHERE own_key.purpose <> 'link' AND der IS NOT NULL GROUP BY 2)"""
# Entries name an issuer as people do, and its lists' rows by its key, which its own certificate holds.

TABLES: Final[Mapping[str, str]] = {
    "certificate": """
        SELECT serial AS "key", lower(hex(issuer_key_id)) AS issuer_key_id, subject, issuer, purpose,
            coalesce(station, '') AS station, not_before, not_after, status, sha256(tbs) AS tbs_sha256,
            sha256(der) AS der_sha256, coalesce(reason, '') AS reason, coalesce(revoked_at, '') AS revoked_at,
            certified_key IS key_of_row(tbs) AS key_follows
        FROM certificate ORDER BY id""",
    "own_key": """
        SELECT name AS "key", own_key.purpose AS role, coalesce(serial, '') AS serial, slot, state, keeper
        FROM own_key LEFT JOIN certificate ON certificate.id = own_key.certificate""",
    "anchor": """
        SELECT purpose || char(31) || vendor || char(31) || lower(hex(key_id)) AS "key", subject, not_after,
            sha256(pem) AS pem_sha256
        FROM anchor""",
    "station": """
        SELECT identity AS "key", serial, profile, status, station_group AS "group", site, vendor, model,
            firmware_version, protocol, tls, password_form, sha256(verifier) AS verifier_sha256, seen_profile,
            ratchet, next_form, sha256(next_verifier) AS next_sha256, coalesce(expired_until, '') AS expired_until
        FROM station""",
    "firmware": """
        SELECT vendor || char(31) || model || char(31) || version AS "key", digest, size, algorithm,
            sha256(signature) AS signature_sha256, sha256(certificate) AS certificate_sha256, imported
        FROM firmware""",
    "download": """
        SELECT station AS "key", digest, message_id, expires, lower(hex(token_hash)) AS token_sha256, size,
            served > 0 AS started, complete, audit_index
        FROM download""",
    "ceremony": """
        SELECT digest AS "key", lower(hex(root_key_id)) AS root_key_id, crl_number, sha256(crl) AS crl_sha256, imported
        FROM ceremony""",
    "token": """
        SELECT station AS "key", lower(hex(hash)) AS token_sha256, expires FROM token""",
    "waiting": """
        SELECT cast(id AS TEXT) AS "key", station, lower(hex(key_id)) AS key_id, way, issuer, sha256(csr) AS csr_sha256,
            expires, state, decided_by, reason
        FROM waiting""",
    "external_chain": """
        SELECT serial AS "key", external_chain.issuer AS issuer, lower(hex(key_id)) AS key_id,
            sha256(chain) AS chain_sha256
        FROM external_chain JOIN certificate ON certificate.id = external_chain.certificate""",
    "restore": """
        SELECT cast(audit_index AS TEXT) AS "key", moment, from_size, replaced_size FROM restore""",
    "setting": """
        SELECT name AS "key", value FROM setting""",
    "trust_confirmation": """
        SELECT station || char(31) || lower(hex(key_id)) AS "key", moment, how FROM trust_confirmation""",
    "crl": f"""
        {_OWN} SELECT coalesce(name, '') || char(31) || shard || char(31) || number AS "key",
            lower(hex(issuer_key_id)) AS issuer_key_id, this_update, next_update, entries,
            lower(hex(tbs_digest)) AS tbs_sha256,
            CASE WHEN status IN ('valid', 'superseded') THEN 'signed' ELSE status END AS status
        FROM crl LEFT JOIN own ON subject_key = issuer_key_id ORDER BY crl.id""",  # noqa: S608 - both parts are ours
    "newest_crl": f"""
        {_OWN} SELECT coalesce(name, '') || char(31) || shard AS "key", number, sha256(der) AS der_sha256
        FROM crl LEFT JOIN own ON subject_key = issuer_key_id WHERE status = 'valid'""",  # noqa: S608 - both parts are ours
}
"""Each kind of row, as entries speak of it: its key, and the fields that an entry can prove."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Every row agrees. Of ``rows``, ``in_part`` were recorded by older versions, whose entries tell less."""

    rows: int
    in_part: int


@dataclass(slots=True)
class _Row:
    """A row as it must stand."""

    fields: dict[str, replay.Value]
    must: bool


@dataclass(slots=True)
class _Told:
    """What was found so far."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0

    def add(self, finding: Finding) -> None:
        """Keep it, or count it when there are enough."""
        if len(self.findings) < FINDINGS_MOST:
            self.findings.append(finding)
        else:
            self.more += 1


class Replay:
    """Heeds every entry of the log in order, then is asked once whether the tables agree."""

    def __init__(self) -> None:
        self._scratch = sqlite3.connect("", isolation_level=None)
        self._scratch.execute("PRAGMA journal_mode=OFF")
        self._scratch.execute("PRAGMA synchronous=OFF")
        self._scratch.execute(f"PRAGMA cache_size=-{SCRATCH_KIB}")
        self._scratch.execute(
            "CREATE TABLE must (id INTEGER PRIMARY KEY, kind TEXT, name TEXT, fields TEXT, sure INTEGER)"
        )
        self._scratch.execute("CREATE UNIQUE INDEX must_name ON must (kind, name)")
        self._scratch.execute("BEGIN")
        self._held: dict[tuple[str, str], _Row] = {}
        self._told = _Told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._scratch.close()

    def heed(self, index: int, text: str) -> None:
        """Take in the next entry. One that speaks of a row that cannot be is a finding."""
        try:
            entry = replay.read_entry(text)
        except ValueError:
            self._told.add(error("audit.entry", "", f"entry {index} is no entry of an audit log"))
            return
        for order in replay.orders(entry):
            if not self._apply(order):
                says = f"entry {index} ({entry.act}) does not fit what came before it: {_name(order.kind, order.key)}"
                self._told.add(error("audit.entry", "", says))

    def prove(self, database: Database) -> Compared:
        """Compare every row; raises ``RefusedError("audit.rows")`` that names each one which differs."""
        teach(database)
        self._flush()
        rows = in_part = 0
        for kind, sql in TABLES.items():
            for key, actual in _rows(database, sql):
                rows += 1
                in_part += self._compare(kind, key, actual)
        self._tell_missing()
        found = self._told.findings
        if self._told.more:
            found.append(error("audit.row_changed", "", f"{self._told.more} more rows differ"))
        refuse_errors(
            found,
            "audit.rows",
            f"the ledger's tables do not follow from its audit log ({len(found)} findings)",
            "Keep a copy of ledger.db as it is, take the home out of service, and compare with a backup.",
        )
        return Compared(rows, in_part)

    def _apply(self, order: replay.Order) -> bool:
        """Do what an entry says; tell whether it fitted."""
        there = self._find(order.kind, order.key)
        match order:
            case replay.Put():
                self._held[order.kind, order.key] = _Row(dict(order.fields), order.must)
                self._make_room()
                return there is None
            case replay.Change():
                if there is not None:
                    there.fields |= order.fields
                return there is not None
            case replay.Drop():
                self._drop(order.kind, order.key)
                return there is not None or not order.must
            case replay.Find():
                return there is not None and order.fields.items() <= there.fields.items()

    def _find(self, kind: str, key: str) -> _Row | None:
        """Return the row to be changed, from memory or out of the scratch database."""
        held = self._held.get((kind, key))
        if held is None and (stored := self._take(kind, key)):
            held = self._held[kind, key] = stored
        return held

    def _take(self, kind: str, key: str) -> _Row | None:
        found = self._scratch.execute(
            "DELETE FROM must WHERE kind = ? AND name = ? RETURNING fields, sure", (kind, key)
        ).fetchone()
        return _Row(json.loads(found[0]), bool(found[1])) if found else None

    def _drop(self, kind: str, key: str) -> None:
        self._held.pop((kind, key), None)

    def _make_room(self) -> None:
        if len(self._held) >= HELD_ROWS:
            self._flush()

    def _flush(self) -> None:
        rows = ((kind, key, json.dumps(row.fields), row.must) for (kind, key), row in self._held.items())
        self._scratch.executemany("INSERT INTO must (kind, name, fields, sure) VALUES (?, ?, ?, ?)", rows)
        self._held.clear()

    def _compare(self, kind: str, key: str, actual: Mapping[str, replay.Value]) -> bool:
        """Compare one row; tell whether it could be proved in part only."""
        row = self._take(kind, key)
        if row is None:
            self._told.add(error("audit.row_added", "", f"{_name(kind, key)} is there, yet no entry tells of it"))
            return False
        known = {name: value for name, value in row.fields.items() if value is not None}
        differ = [_differs(name, actual.get(name), value) for name, value in known.items() if actual.get(name) != value]
        if differ:
            self._told.add(error("audit.row_changed", "", f"{_name(kind, key)}: {'; '.join(differ)}"))
        return len(known) < len(actual)

    def _tell_missing(self) -> None:
        for kind, key in self._scratch.execute("SELECT kind, name FROM must WHERE sure ORDER BY id"):
            self._told.add(error("audit.row_missing", "", f"{_name(kind, key)} is gone, yet no entry tells of that"))


def teach(database: Database) -> None:
    """Teach SQLite the digests that the table's queries ask for."""
    database.conn.create_function("sha256", 1, _sha256, deterministic=True)
    database.conn.create_function("key_id", 1, _key_id, deterministic=True)
    database.conn.create_function("key_of_row", 1, key_of_row, deterministic=True)


def _key_id(der: bytes) -> bytes:
    """Name a certificate's key; of what is no certificate, nothing that could be one."""
    try:
        return key_id(x509.load_der_x509_certificate(der))
    except ValueError:
        return b""


def _rows(database: Database, sql: str) -> Iterator[tuple[str, dict[str, replay.Value]]]:
    cursor = database.execute(sql)
    names = [column[0] for column in cursor.description[1:]]
    for key, *values in cursor:
        yield key, dict(zip(names, values, strict=True))


def _sha256(value: bytes | str | None) -> str:
    """Digest a value in hex; of nothing there is none."""
    if not value:
        return ""
    return hashlib.sha256(value if isinstance(value, bytes) else value.encode()).hexdigest()


def _name(kind: str, key: str) -> str:
    return f"the {kind} row {key.replace(replay.SEPARATOR, ' / ')[:SHOWN]!r}"


def _differs(name: str, actual: replay.Value, must: replay.Value) -> str:
    return f"{name} is {str(actual)[:SHOWN]!r}, the log says {str(must)[:SHOWN]!r}"
