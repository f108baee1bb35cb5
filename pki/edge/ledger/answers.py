"""OCSP answers in the ledger: a row before the signature, the signed bytes after it, gone when they are no longer true.

An answer is a statement about what is recorded elsewhere, not an act: it has a row here and no entry in the audit log.
Rows are deleted once the answer is past its end.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads annotations at run time
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.clock import stamp
from pki.ocsp import Standing
from pki.revocation import Reason
from pki.station import CertificateStatus

if TYPE_CHECKING:
    from sqlite_utils import Database

LIVE_MOST: Final = 10_000  # rows of answers that nobody keeps (a nonce, an unknown serial): strangers make these grow


class Kept(msgspec.Struct, frozen=True):
    """A signed answer that is still true."""

    der: bytes
    this_update: dt.datetime
    next_update: dt.datetime


class Draft(msgspec.Struct, frozen=True):
    """An answer about to be signed. ``cert_id`` is empty when it is for one asker alone."""

    issuer_key_id: bytes
    serial: str
    cert_id: bytes
    this_update: dt.datetime
    next_update: dt.datetime
    digest: bytes


class Due(msgspec.Struct, frozen=True):
    """A certificate that an answer is signed for before anybody asks."""

    id: int
    serial: str
    issuer_key_id: bytes


class _Row(msgspec.Struct, frozen=True):
    status: CertificateStatus
    not_before: dt.datetime
    reason: Reason | None
    revoked_at: dt.datetime | None


def standing(database: Database, issuer_key_id: bytes, serial: str) -> Standing | None:
    """Return how a certificate stands; ``None`` for one that was never issued."""
    found = store.rows(
        database,
        _Row,
        "SELECT status, not_before, reason, revoked_at FROM certificate"
        " WHERE issuer_key_id = :key AND serial = :serial",
        {"key": issuer_key_id, "serial": serial},
    )
    if not found or found[0].status is CertificateStatus.INTENDED:
        return None
    row = found[0]
    if row.status is CertificateStatus.VALID:
        return Standing()
    return Standing(row.revoked_at or row.not_before, row.reason or Reason.UNSPECIFIED)


def kept(database: Database, cert_id: bytes) -> Kept | None:
    """Return the answer that was signed for this very question."""
    sql = "SELECT der, this_update, next_update FROM ocsp_answer WHERE cert_id = :cert_id AND status = 'valid'"
    found = store.rows(database, Kept, sql, {"cert_id": cert_id})
    return found[0] if found else None


def intend(database: Database, draft: Draft) -> int:
    """Note that these very bytes are about to be signed."""
    cursor = database.execute(
        "INSERT INTO ocsp_answer (issuer_key_id, serial, cert_id, this_update, next_update, tbs_digest, status)"
        " VALUES (:key, :serial, :cert_id, :this_update, :next_update, :digest, 'intended')",
        {
            "key": draft.issuer_key_id,
            "serial": draft.serial,
            "cert_id": draft.cert_id or None,
            "this_update": stamp(draft.this_update),
            "next_update": stamp(draft.next_update),
            "digest": draft.digest,
        },
    )
    assert cursor.lastrowid is not None  # noqa: S101 - sqlite3 types it as optional; after an INSERT it is set
    return cursor.lastrowid


def seal(database: Database, number: int, draft: Draft, der: bytes) -> bool:
    """Note that an answer was signed, and keep it if it is for everybody; say whether it is still true."""
    store.change(
        database,
        "UPDATE ocsp_answer SET status = 'superseded', der = NULL WHERE cert_id = :cert_id AND status = 'valid'",
        {"cert_id": draft.cert_id or None},
    )
    sql = "UPDATE ocsp_answer SET status = 'valid', der = :der WHERE id = :id AND status = 'intended'"
    return store.change(database, sql, {"id": number, "der": der if draft.cert_id else None}) == 1


def drop(database: Database, issuer_key_id: bytes, serial: str) -> None:
    """Make every answer about a certificate untrue, those that are just being signed too: its status has changed."""
    store.change(
        database,
        "UPDATE ocsp_answer SET status = 'superseded', der = NULL"
        " WHERE issuer_key_id = :key AND serial = :serial AND status IN ('valid', 'intended')",
        {"key": issuer_key_id, "serial": serial},
    )


def abandon(database: Database, number: int) -> None:
    """Note that an intended answer was never handed out."""
    sql = "UPDATE ocsp_answer SET status = 'abandoned' WHERE id = :id AND status = 'intended'"
    store.change(database, sql, {"id": number})


def sweep(database: Database) -> None:
    """Give up the answers whose signature was never recorded."""
    store.change(database, "UPDATE ocsp_answer SET status = 'abandoned' WHERE status = 'intended'", {})


def prune(database: Database, now: dt.datetime) -> None:
    """Delete the rows of answers that are past their end, and the oldest of those that nobody keeps."""
    store.change(
        database, "DELETE FROM ocsp_answer WHERE next_update < :now AND status <> 'intended'", {"now": stamp(now)}
    )
    store.change(
        database,
        "DELETE FROM ocsp_answer WHERE id IN (SELECT id FROM ocsp_answer WHERE cert_id IS NULL AND status <> 'intended'"
        " ORDER BY id DESC LIMIT -1 OFFSET :most)",
        {"most": LIVE_MOST},
    )


def unanswered(database: Database, issuer_key_id: bytes, after: int, now: dt.datetime, limit: int) -> list[Due]:
    """Return certificates that have not ended, in order of their rows from ``after`` on."""
    return store.rows(
        database,
        Due,
        "SELECT id, serial, issuer_key_id FROM certificate WHERE id > :after AND issuer_key_id = :key"
        " AND status <> 'intended' AND not_after > :now ORDER BY id LIMIT :limit",
        {"after": after, "key": issuer_key_id, "now": stamp(now), "limit": limit},
    )


def count(database: Database, issuer_key_id: bytes) -> int:
    """Return how many answers are kept for certificates of an issuer."""
    sql = "SELECT count(*) FROM ocsp_answer WHERE issuer_key_id = :key AND status = 'valid' AND der IS NOT NULL"
    return int(database.execute(sql, {"key": issuer_key_id}).fetchone()[0])
