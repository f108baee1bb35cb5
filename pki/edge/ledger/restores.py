"""Restores in the ledger: when it came back from a backup, and how far the log went in what it replaced.

What must never go backwards (numbers of revocation lists, for one) asks here whether the ledger did.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations of Restore at run time
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.clock import stamp

if TYPE_CHECKING:
    from sqlite_utils import Database

NOTHING: Final = -1  # the replaced size where no home was replaced, or its ledger could not be read


class Restore(msgspec.Struct, frozen=True):
    """One restore: at ``moment``, from a log of ``from_size`` entries, over one of ``replaced_size`` (or NOTHING)."""

    audit_index: int
    moment: dt.datetime
    from_size: int
    replaced_size: int

    @property
    def went_back(self) -> bool:
        """Whether entries that had been written were lost."""
        return self.replaced_size > self.from_size


def add(database: Database, row: Restore) -> None:
    """Note a restore."""
    store.change(
        database,
        "INSERT INTO restore (audit_index, moment, from_size, replaced_size)"
        " VALUES (:index, :moment, :size, :replaced)",
        {
            "index": row.audit_index,
            "moment": stamp(row.moment),
            "size": row.from_size,
            "replaced": row.replaced_size,
        },
    )


def every(database: Database) -> list[Restore]:
    """Return all restores, oldest first."""
    return store.rows(
        database,
        Restore,
        "SELECT audit_index, moment, from_size, replaced_size FROM restore ORDER BY audit_index",
    )
