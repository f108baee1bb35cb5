"""An empty ledger, and rows to put into it."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from pki.edge import calls, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlite_utils import Database

THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATER = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


@contextlib.contextmanager
def empty_ledger(folder: Path) -> Iterator[Database]:
    """A ledger with its tables and nothing in them."""
    store.create(folder / "ledger.db")
    database = store.open_writer(folder / "ledger.db")
    try:
        yield database
    finally:
        database.close()


def station(number: int = 1) -> calls.StationRow:
    """A station's row."""
    return calls.StationRow(
        f"CP-{number}", f"SN-{number}", 2, "active", group="north", site="hall", verifier="sha256$x"
    )


def certificate(serial: str = "1a", owner: str = "", end: dt.datetime = LATER) -> calls.CertificateRow:
    """A certificate's row."""
    return calls.CertificateRow(serial, "CN=x", "CN=y", b"i" * 32, THEN, end, "intended", "station", owner)
