"""Ceremonies whose results were imported, and the revocation lists that came with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.edge import store
from pki.edge.clock import stamp
from pki.errors import ConflictError

if TYPE_CHECKING:
    import datetime as dt

    from sqlite_utils import Database


def add(database: Database, digest: str, root_key_id: bytes, number: int, crl: bytes, at: dt.datetime) -> None:
    """Keep a ceremony. A list that is not newer than the newest of this root is refused (RFC 5280 5.2.3)."""
    newest = newest_number(database, root_key_id)
    if number <= newest:
        raise ConflictError(
            "ceremony.stale",
            f"the list has the number {number}, and one with the number {newest} was imported before (RFC 5280 5.2.3)",
            "Import the result of the newest ceremony.",
        )
    store.change(
        database,
        "INSERT INTO ceremony (digest, root_key_id, crl_number, crl, imported)"
        " VALUES (:digest, :root_key_id, :number, :crl, :imported)",
        {"digest": digest, "root_key_id": root_key_id, "number": number, "crl": crl, "imported": stamp(at)},
    )


def is_imported(database: Database, digest: str) -> bool:
    """Tell whether a ceremony is there, by the digest of its transcript (hex)."""
    found = database.execute("SELECT 1 FROM ceremony WHERE digest = :digest", {"digest": digest})
    return found.fetchone() is not None


def newest_number(database: Database, root_key_id: bytes) -> int:
    """Return the number of a root's newest list; 0 when there is none."""
    found = database.execute("SELECT max(crl_number) FROM ceremony WHERE root_key_id = :key", {"key": root_key_id})
    return int(found.fetchone()[0] or 0)


def newest_list(database: Database, root_key_id: bytes) -> bytes | None:
    """Return a root's newest revocation list in DER, if one came with a ceremony."""
    found = database.execute(
        "SELECT crl FROM ceremony WHERE root_key_id = :key ORDER BY crl_number DESC LIMIT 1", {"key": root_key_id}
    ).fetchone()
    return bytes(found[0]) if found else None
