"""Firmware in the ledger: verified images by vendor, model and version, and the downloads granted of them.

One version of one model is one image for ever. A download is found by the SHA-256 of its token, which is all that is
kept of it.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations of Download at run time
import sqlite3
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.calls import ReleaseRow
from pki.edge.clock import stamp
from pki.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from sqlite_utils import Database

_COLUMNS: Final = "digest, size, vendor, model, version, algorithm, signature, certificate, imported"


class Download(msgspec.Struct, frozen=True):
    """One granted download; ``served`` counts the bytes that left so far."""

    token_hash: bytes
    station: str
    digest: str
    size: int
    message_id: str
    expires: dt.datetime
    audit_index: int
    served: int = 0
    complete: bool = False


class _Size(msgspec.Struct, frozen=True):
    size: int


def add(database: Database, row: ReleaseRow) -> None:
    """Take a verified image into the catalogue."""
    try:
        store.change(
            database,
            f"INSERT INTO firmware ({_COLUMNS}) VALUES (:digest, :size, :vendor, :model, :version, :algorithm,"  # noqa: S608 - ours
            " :signature, :certificate, :imported)",
            {
                "digest": row.digest,
                "size": row.size,
                "vendor": row.vendor,
                "model": row.model,
                "version": row.version,
                "algorithm": row.algorithm,
                "signature": row.signature,
                "certificate": row.certificate,
                "imported": stamp(row.imported),
            },
        )
    except sqlite3.IntegrityError:
        raise _taken(database, row) from None


def every(database: Database) -> list[ReleaseRow]:
    """Return the catalogue."""
    return store.rows(database, ReleaseRow, f"SELECT {_COLUMNS} FROM firmware ORDER BY vendor, model, version")  # noqa: S608 - ours


def size_of(database: Database, digest: str) -> int:
    """Return how many bytes a catalogued image has."""
    found = store.rows(database, _Size, "SELECT size FROM firmware WHERE digest = :digest LIMIT 1", {"digest": digest})
    if not found:
        raise NotFoundError(
            "firmware.unknown",
            f"no verified image has the digest {digest[:16]!r}",
            "Import it with 'bollard firmware import'.",
        )
    return found[0].size


def grant(database: Database, download: Download) -> None:
    """Record a download; an older one for the same station ends now."""
    store.change(
        database,
        "DELETE FROM download WHERE station = :station",
        {"station": download.station},
    )
    store.change(
        database,
        "INSERT INTO download (token_hash, station, digest, size, message_id, expires, audit_index)"
        " VALUES (:token_hash, :station, :digest, :size, :message_id, :expires, :audit_index)",
        {
            "token_hash": download.token_hash,
            "station": download.station,
            "digest": download.digest,
            "size": download.size,
            "message_id": download.message_id,
            "expires": stamp(download.expires),
            "audit_index": download.audit_index,
        },
    )


def granted(database: Database, token_hash: bytes, now: dt.datetime, *, to_fetch: bool = False) -> Download:
    """Return the download a token is for, while it lasts. Unknown and expired look the same from outside.

    ``to_fetch`` asks for the station as well: a disabled one fetches nothing, though what it fetched is still recorded.
    """
    found = store.rows(
        database,
        Download,
        "SELECT token_hash, station, digest, size, message_id, expires, audit_index, served, complete FROM download"
        " WHERE token_hash = :token_hash AND expires > :now AND (:to_fetch = 0 OR EXISTS"
        " (SELECT 1 FROM station WHERE identity = download.station AND status = 'active'))",
        {"token_hash": token_hash, "now": stamp(now), "to_fetch": int(to_fetch)},
    )
    if not found:
        raise NotFoundError("download.unknown", "no download is granted under this token", "Order the update again.")
    return found[0]


def serve(database: Database, download: Download) -> None:
    """Keep how much of a download left, and whether all of it did."""
    store.change(
        database,
        "UPDATE download SET served = :served, complete = :complete, audit_index = :audit_index"
        " WHERE token_hash = :token_hash",
        {
            "served": download.served,
            "complete": int(download.complete),
            "audit_index": download.audit_index,
            "token_hash": download.token_hash,
        },
    )


def _taken(database: Database, row: ReleaseRow) -> ConflictError:
    wanted = (row.vendor, row.model, row.version)
    held = [other for other in every(database) if (other.vendor, other.model, other.version) == wanted]
    name = f"{row.vendor} {row.model} {row.version}"
    if held and held[0].digest == row.digest:
        return ConflictError("firmware.exists", f"this image of {name} is in the catalogue already", "Nothing to do.")
    return ConflictError(
        "firmware.version_conflict",
        f"another image is in the catalogue as {name}; one version must name one image",
        "Ask the manufacturer for an image with a version of its own.",
    )
