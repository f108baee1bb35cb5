"""What the settings said that certificates are made by, when the log last told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.edge import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database


def every(database: Database) -> dict[str, str]:
    """Return them by name."""
    return {str(name): str(value) for name, value in database.execute("SELECT name, value FROM setting ORDER BY name")}


def keep(database: Database, changed: Mapping[str, str]) -> None:
    """Keep these in the place of what was there under their names."""
    sql = "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value"
    for name, value in changed.items():
        store.change(database, sql, {"name": name, "value": value})
