"""Stations in the ledger: registered once, changed by name, never deleted, since certificates speak of them.

One that was removed keeps its row, found by nobody here, until a station of that name is registered again.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.calls import CertificateRow, StationRow
from pki.edge.clock import stamp
from pki.edge.ledger import certificates
from pki.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlite_utils import Database

_COLUMNS: Final = (
    'identity, serial, profile, status, verifier, password_form, station_group AS "group", site, vendor, model,'
    " firmware_version, last_seen, verifier <> '' AS has_password, protocol, tls, seen_profile, ratchet,"
    " next_verifier <> '' AS rotating, next_verifier, next_form, expired_until"
)
_THERE: Final = "status <> 'removed'"
_PLAIN: Final = f"SELECT {_COLUMNS} FROM station WHERE identity = :identity AND {_THERE}"  # noqa: S608 - both are ours
_CERTIFIED: Final = (
    "SELECT identity, serial, profile, status, protocol FROM station"  # noqa: S608 - the condition is ours
    f" WHERE identity = :identity AND {_THERE}"
)
_SOME: Final = (
    f"SELECT {_COLUMNS} FROM station"  # noqa: S608 - the columns are ours
    f" WHERE identity IN (SELECT value FROM json_each(:identities)) AND {_THERE} ORDER BY identity"
)
_RETURN: Final = """
    UPDATE station SET serial = :serial, profile = :profile, status = :status, verifier = :verifier,
        password_form = :password_form, station_group = :group, site = :site, vendor = '', model = '',
        firmware_version = '', last_seen = NULL, protocol = '', tls = '', seen_profile = 0, ratchet = 1,
        next_verifier = '', next_form = '', expired_until = NULL
    WHERE identity = :identity AND status = 'removed'"""


def add(database: Database, row: StationRow) -> bool:
    """Register a station; its identity and its serial must both be new. True when the name was a removed station's."""
    fields: dict[str, str | int | bytes | None] = {
        "identity": row.identity,
        "serial": row.serial,
        "profile": row.profile,
        "status": row.status,
        "verifier": row.verifier,
        "password_form": row.password_form,
        "group": row.group,
        "site": row.site,
    }
    try:
        if store.change(database, _RETURN, fields):
            return True
        store.change(
            database,
            "INSERT INTO station (identity, serial, profile, status, verifier, password_form, station_group, site)"
            " VALUES (:identity, :serial, :profile, :status, :verifier, :password_form, :group, :site)",
            fields,
        )
    except sqlite3.IntegrityError:
        raise ConflictError(
            "station.exists",
            f"a station with the identity {row.identity!r} or the serial {row.serial!r} is registered already",
            "List it with 'bollard station list'; both must be unique (A00.FR.511).",
        ) from None
    return False


def plain(database: Database, identity: str) -> StationRow:
    """Return one station with its verifier and without its certificates."""
    found = store.rows(
        database,
        StationRow,
        _PLAIN,
        {"identity": identity},
    )
    if not found:
        raise _unknown(identity)
    return found[0]


def certified(database: Database, identity: str) -> StationRow:
    """Return one station with what its certificate follows from, and nothing else of it."""
    found = database.conn.execute(_CERTIFIED, {"identity": identity}).fetchone()
    if found is None:
        raise _unknown(identity)
    identity, serial, profile, status, protocol = found
    return StationRow(identity, serial, profile, status, protocol=protocol)


def status(database: Database, identity: str) -> str:
    """Return whether a station is enabled or disabled."""
    sql = f"SELECT status FROM station WHERE identity = :identity AND {_THERE}"  # noqa: S608 - the condition is ours
    found = database.conn.execute(sql, {"identity": identity}).fetchone()
    if found is None:
        raise _unknown(identity)
    return str(found[0])


def by_serial(database: Database, serial: str) -> StationRow | None:
    """Return the station with this serial number, without its certificates, if one is registered."""
    found = store.rows(
        database,
        StationRow,
        f"SELECT {_COLUMNS} FROM station WHERE serial = :serial",  # noqa: S608 - the columns are ours
        {"serial": serial},
    )
    return found[0] if found else None


def named(database: Database, identity: str, live_after: str = "") -> StationRow:
    """Return one station with its verifier and those of its certificates that end after ``live_after``; all of them
    where it may show one that has ended."""
    row = plain(database, identity)
    held = tuple(certificates.of_station(database, identity, "" if row.expired_until else live_after))
    return msgspec.structs.replace(row, certificates=held)


def every(database: Database, live_after: str = "") -> list[StationRow]:
    """Return all stations by identity, with those of their certificates that end after ``live_after``."""
    sql = f"SELECT {_COLUMNS} FROM station WHERE {_THERE} ORDER BY identity"  # noqa: S608 - both are ours
    found = store.rows(database, StationRow, sql)
    return _with_certificates(found, certificates.of_stations(database, live_after))


def some(database: Database, identities: Sequence[str], live_after: str = "") -> list[StationRow]:
    """Return the stations of these identities that there are, by identity, as ``every`` returns all of them."""
    asked = msgspec.json.encode(identities).decode()
    found = store.rows(database, StationRow, _SOME, {"identities": asked})
    return _with_certificates(found, certificates.of_some_stations(database, asked, live_after))


def _with_certificates(found: list[StationRow], listed: list[CertificateRow]) -> list[StationRow]:
    held: defaultdict[str, list[CertificateRow]] = defaultdict(list)
    for certificate in listed:
        held[certificate.station].append(certificate)
    return [msgspec.structs.replace(row, certificates=tuple(held[row.identity])) for row in found]


def set_status(database: Database, identity: str, status: str) -> None:
    """Enable or disable a station."""
    _must_touch(
        store.change(
            database,
            "UPDATE station SET status = :status WHERE identity = :identity AND status <> 'removed'",
            {"identity": identity, "status": status},
        ),
        identity,
    )


def set_password(database: Database, identity: str, verifier: str, form: str) -> None:
    """Replace what a station's password is checked against; one that was to follow is forgotten."""
    _must_touch(
        store.change(
            database,
            "UPDATE station SET verifier = :verifier, password_form = :form, next_verifier = '', next_form = ''"
            " WHERE identity = :identity AND status <> 'removed'",
            {"identity": identity, "verifier": verifier, "form": form},
        ),
        identity,
    )


def offer_password(database: Database, identity: str, verifier: str, form: str) -> None:
    """Keep what the password that is to follow is checked against, beside the one there is."""
    _must_touch(
        store.change(
            database,
            "UPDATE station SET next_verifier = :verifier, next_form = :form"
            " WHERE identity = :identity AND status <> 'removed'",
            {"identity": identity, "verifier": verifier, "form": form},
        ),
        identity,
    )


def change(database: Database, row: StationRow) -> None:
    """Keep what a station is and must prove; its serial number must not be another's."""
    try:
        count = store.change(
            database,
            "UPDATE station SET serial = :serial, profile = :profile, station_group = :group, site = :site,"
            " ratchet = :ratchet, seen_profile = :seen, expired_until = :until"
            " WHERE identity = :identity AND status <> 'removed'",
            {
                "identity": row.identity,
                "serial": row.serial,
                "profile": row.profile,
                "group": row.group,
                "site": row.site,
                "ratchet": int(row.ratchet),
                "seen": row.seen_profile,
                "until": moment(row.expired_until) or None,
            },
        )
    except sqlite3.IntegrityError:
        raise ConflictError(
            "station.exists",
            f"another station with the serial {row.serial!r} is registered already",
            "List it with 'bollard station list'; a serial number is one station's (A00.FR.511).",
        ) from None
    _must_touch(count, row.identity)


def remove(database: Database, identity: str, serial: str) -> None:
    """Let a station go; ``serial`` stands from then on in place of its serial number, and its passwords are gone."""
    _must_touch(
        store.change(
            database,
            "UPDATE station SET status = 'removed', serial = :serial, verifier = '', next_verifier = '', next_form = ''"
            " WHERE identity = :identity AND status <> 'removed'",
            {"identity": identity, "serial": serial},
        ),
        identity,
    )


def moment(value: object) -> str:
    """Write a moment as the ledger has it; empty for none."""
    return stamp(value) if isinstance(value, dt.datetime) else ""


def set_boot(database: Database, row: StationRow, seen: str) -> None:
    """Keep what a station said of itself when it booted, and when that was."""
    _must_touch(
        store.change(
            database,
            "UPDATE station SET vendor = :vendor, model = :model, firmware_version = :version, last_seen = :seen,"
            " protocol = :protocol, tls = :tls WHERE identity = :identity AND status <> 'removed'",
            {
                "tls": row.tls,
                "identity": row.identity,
                "vendor": row.vendor,
                "model": row.model,
                "version": row.firmware_version,
                "seen": seen,
                "protocol": row.protocol,
            },
        ),
        row.identity,
    )


def set_protocol(database: Database, identity: str, protocol: str) -> None:
    """Note which version of OCPP a station speaks."""
    _must_touch(
        store.change(
            database,
            "UPDATE station SET protocol = :protocol WHERE identity = :identity AND status <> 'removed'",
            {"identity": identity, "protocol": protocol},
        ),
        identity,
    )


def forget_tls(database: Database, identity: str) -> None:
    """Forget which versions of TLS a station has."""
    _must_touch(
        store.change(
            database,
            "UPDATE station SET tls = '' WHERE identity = :identity AND status <> 'removed'",
            {"identity": identity},
        ),
        identity,
    )


def _must_touch(count: int, identity: str) -> None:
    if count != 1:
        raise _unknown(identity)


def _unknown(identity: str) -> NotFoundError:
    return NotFoundError(
        "station.unknown", f"no station {identity[:64]!r} is registered", "Add it with 'bollard station add'."
    )
