"""One-time tokens in the ledger: one for each station at most, found by the station, kept as a hash."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import msgspec

from pki.edge import store
from pki.edge.clock import stamp
from pki.errors import NotFoundError
from pki.token import TRIES_MOST, refused_credentials

if TYPE_CHECKING:
    import datetime as dt

    from sqlite_utils import Database


class _Token(msgspec.Struct, frozen=True):
    hash: bytes


class _End(msgspec.Struct, frozen=True):
    expires: str


class _Owner(msgspec.Struct, frozen=True):
    station: str


def mint(database: Database, station: str, kept: bytes, expires: dt.datetime) -> None:
    """Keep the hash of a station's new token; the one it had ends."""
    store.change(database, "DELETE FROM token WHERE station = :station", {"station": station})
    try:
        store.change(
            database,
            "INSERT INTO token (station, hash, expires) VALUES (:station, :hash, :expires)",
            {"station": station, "hash": kept, "expires": stamp(expires)},
        )
    except sqlite3.IntegrityError:
        raise NotFoundError(
            "station.unknown", f"no station {station[:64]!r} is registered", "Add it with 'bollard station add'."
        ) from None


def live(database: Database, station: str, now: dt.datetime) -> bytes | None:
    """Return the hash of a station's token while it is good; ``None`` for everybody else, known or not."""
    found = store.rows(
        database,
        _Token,
        "SELECT hash FROM token WHERE station = :station AND expires > :now AND tries < :most",
        {"station": station, "now": stamp(now), "most": TRIES_MOST},
    )
    return found[0].hash if found else None


def spend(database: Database, station: str, kept: bytes) -> None:
    """End a token because it is used now. Of two that use it at once, one is too late and refused."""
    if not _delete(database, station, kept):
        raise refused_credentials()


def count_try(database: Database, station: str, kept: bytes) -> None:
    """Count a refused request against the token it came with."""
    store.change(
        database,
        "UPDATE token SET tries = tries + 1 WHERE station = :station AND hash = :hash",
        {"station": station, "hash": kept},
    )


def prolong(database: Database, station: str, kept: bytes, until: dt.datetime) -> str:
    """Keep a token good for as long as the request made with it waits; return its end, nothing if it is gone."""
    found = store.rows(
        database,
        _End,
        "UPDATE token SET expires = max(expires, :until) WHERE station = :station AND hash = :hash RETURNING expires",
        {"station": station, "hash": kept, "until": stamp(until)},
    )
    return found[0].expires if found else ""


def held(database: Database, station: str) -> bool:
    """Tell whether a station has a token, good or not."""
    sql = "SELECT 1 FROM token WHERE station = :station"
    return database.execute(sql, {"station": station}).fetchone() is not None


def revoke(database: Database, station: str) -> None:
    """End a station's token unused."""
    if not store.change(database, "DELETE FROM token WHERE station = :station", {"station": station}):
        raise NotFoundError(
            "token.unknown", f"the station {station[:64]!r} has no token", "It was used or has ended; nothing to do."
        )


def forget_ended(database: Database, now: dt.datetime) -> list[str]:
    """Delete what can no longer be used; return whose it was."""
    found = store.rows(
        database, _Owner, "DELETE FROM token WHERE expires <= :now RETURNING station", {"now": stamp(now)}
    )
    return sorted(each.station for each in found)


def _delete(database: Database, station: str, kept: bytes) -> int:
    return store.change(
        database,
        "DELETE FROM token WHERE station = :station AND hash = :hash",
        {"station": station, "hash": kept},
    )
