"""Anchors in the ledger: certificates of others, each trusted for one purpose (and, for firmware, for one vendor)."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from pki.edge import store
from pki.edge.calls import AnchorRow
from pki.edge.clock import stamp
from pki.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from sqlite_utils import Database

_COLUMNS: Final = "purpose, vendor, subject, not_after, key_id, pem"


def add(database: Database, row: AnchorRow) -> None:
    """Trust a certificate from now on."""
    try:
        store.change(
            database,
            f"INSERT INTO anchor ({_COLUMNS}) VALUES (:purpose, :vendor, :subject, :not_after, :key_id, :pem)",  # noqa: S608 - ours
            {
                "purpose": row.purpose,
                "vendor": row.vendor,
                "subject": row.subject,
                "not_after": stamp(row.not_after),
                "key_id": row.key_id,
                "pem": row.pem,
            },
        )
    except sqlite3.IntegrityError:
        raise ConflictError(
            "anchor.exists", f"this key of {row.subject!r} is trusted for {row.purpose} already", "Nothing to do."
        ) from None


def remove(
    database: Database, key_id_hex: str, purpose: str, vendor: str = "", *, all_vendors: bool = False
) -> list[AnchorRow]:
    """Trust it no longer, for one vendor or all; ``key_id_hex`` may be any unique beginning. Return each vendor's row.

    Without a vendor's name one that several trust is refused: the others would lose it in silence.
    """
    found = [row for row in every(database) if row.purpose == purpose and row.key_id.hex().startswith(key_id_hex)]
    found = [row for row in found if vendor in {"", row.vendor}]
    if not found:
        of_whom = f" of {vendor!r}" if vendor else ""
        says = f"no {purpose} anchor{of_whom} has a key id that begins with {key_id_hex[:64]!r}"
        raise NotFoundError("anchor.unknown", says, "See 'bollard ca trust list'.")
    if len({row.key_id for row in found}) > 1:
        raise ConflictError(
            "anchor.ambiguous", f"{len(found)} anchors' key ids begin with {key_id_hex!r}", "Give more of its digits."
        )
    if len(found) > 1 and not all_vendors:
        vendors = ", ".join(repr(row.vendor) for row in found)
        says = f"this key is trusted for several vendors: {vendors}"
        raise ConflictError("anchor.vendors", says, "Name one with --vendor, or say --all-vendors.")
    for row in found:
        store.change(
            database,
            "DELETE FROM anchor WHERE purpose = :purpose AND key_id = :key_id AND vendor = :vendor",
            {"purpose": purpose, "key_id": row.key_id, "vendor": row.vendor},
        )
    return found


def every(database: Database) -> list[AnchorRow]:
    """Return the trust list."""
    return store.rows(database, AnchorRow, f"SELECT {_COLUMNS} FROM anchor ORDER BY purpose, vendor, subject, key_id")  # noqa: S608 - ours
