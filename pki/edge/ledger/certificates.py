"""Certificates in the ledger: recorded as intended, then valid, perhaps revoked; abandoned, when a crash came between.

A row's way is a table (``_WAYS``), and every step names the state it starts from, so that no step happens twice.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.calls import CertificateRow
from pki.edge.clock import stamp
from pki.edge.migrations import key_of_row
from pki.errors import ConflictError, NotFoundError
from pki.holding import Holding, Keeper, KeyState
from pki.revocation import Reason
from pki.station import CertificateStatus

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlite_utils import Database

_WAYS: Final[Mapping[str, tuple[CertificateStatus, CertificateStatus]]] = {
    "seal": (CertificateStatus.INTENDED, CertificateStatus.VALID),
    "abandon": (CertificateStatus.INTENDED, CertificateStatus.ABANDONED),
    "hold": (CertificateStatus.VALID, CertificateStatus.HELD),
    "release": (CertificateStatus.HELD, CertificateStatus.VALID),
    "revoke": (CertificateStatus.VALID, CertificateStatus.REVOKED),
    "revoke held": (CertificateStatus.HELD, CertificateStatus.REVOKED),
    "raise": (CertificateStatus.REVOKED, CertificateStatus.REVOKED),
}
"""Each step: the only state it starts from, and the state it leads to."""

_COLUMNS: Final = (
    "serial, subject, issuer, issuer_key_id, not_before, not_after, status, purpose, coalesce(station, '') AS station"
)
_OF_STATION: Final = (
    f"SELECT {_COLUMNS} FROM certificate"  # noqa: S608 - the columns are ours
    " WHERE station = :station AND not_after > :live_after ORDER BY id"
)
_OF_STATIONS: Final = (
    f"SELECT {_COLUMNS} FROM certificate"  # noqa: S608 - the columns are ours
    " WHERE station IN (SELECT value FROM json_each(:stations)) AND not_after > :live_after ORDER BY id"
)
_OTHER_HOLDER: Final = (
    "SELECT purpose, coalesce(station, ''), subject, id IN (SELECT certificate FROM own_key) AS ours"
    " FROM certificate WHERE certified_key = ?1 AND (ours OR (status IN ('intended', 'valid', 'held')"
    " AND not_after > ?2 AND NOT (coalesce(station, '') = ?3 AND (?3 <> '' OR (purpose = ?4 AND subject = ?5)))))"
    " LIMIT 1"
)
_HISTORY: Final = (
    "SELECT asked.given_up, holder.* FROM (SELECT EXISTS (SELECT 1 FROM certificate"  # noqa: S608 - all of it is ours
    f" WHERE certified_key = ?1 AND reason = '{Reason.KEY_COMPROMISE.value}') AS given_up) AS asked"
    f" LEFT JOIN ({_OTHER_HOLDER}) AS holder"
)


class Held(msgspec.Struct, frozen=True):
    """A certificate of a key that is ours. ``name`` is the key's, ``slot`` what it is for, ``der`` the certificate."""

    name: str
    slot: str
    purpose: str
    state: KeyState
    keeper: Keeper
    der: bytes
    status: CertificateStatus = CertificateStatus.VALID

    @property
    def holding(self) -> Holding:
        """The same without the certificate."""
        return Holding(self.name, self.slot, self.purpose, self.state, self.keeper)


class Identified(msgspec.Struct, frozen=True):
    """A certificate's row number, which changes name it by, and what a change of its status asks for."""

    id: int
    serial: str
    status: str
    station: str
    issuer_key_id: bytes = b""
    purpose: str = ""
    reason: str = ""


class Signed(msgspec.Struct, frozen=True):
    """A certificate with its bytes; ``der`` is empty for one that was never signed."""

    serial: str
    purpose: str
    status: str
    station: str
    der: bytes


def intend(database: Database, row: CertificateRow, tbs: bytes, key: bytes | None = None) -> int:
    """Reserve the serial and keep the bytes that are about to be signed; return the row's number.

    ``key`` is the id of the key in these bytes, where it is at hand and need not be looked for in them.
    """
    try:
        cursor = database.conn.execute(
            "INSERT INTO certificate (issuer_key_id, serial, purpose, station, subject, issuer, not_before, not_after,"
            " status, tbs, certified_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'intended', ?, ?)",
            (
                row.issuer_key_id,
                row.serial,
                row.purpose,
                row.station or None,
                row.subject,
                row.issuer,
                stamp(row.not_before),
                stamp(row.not_after),
                tbs,
                key or key_of_row(tbs),
            ),
        )
    except sqlite3.IntegrityError:
        raise ConflictError(
            "certificate.serial_taken",
            f"the serial {row.serial} is in the ledger already (RFC 5280 4.1.2.2)",
            "Ask again; a new serial is drawn each time.",
        ) from None
    assert cursor.lastrowid is not None  # noqa: S101 - sqlite3 types it as optional; after an INSERT it is set
    return cursor.lastrowid


def seal(database: Database, number: int, der: bytes) -> None:
    """Keep the signed certificate: from now on it is valid."""
    _step(database, number, "seal", "der = :der", {"der": der})


def take_in(database: Database, row: CertificateRow, der: bytes, tbs: bytes) -> int:
    """Keep a certificate that others signed, for a key that is ours or an authority above it; return its number."""
    number = intend(database, row, tbs)
    seal(database, number, der)
    return number


def abandon(database: Database, number: int) -> None:
    """Note that the intended certificate was never signed for anyone."""
    _step(database, number, "abandon", "der = NULL", {})


def revoke(database: Database, found: Identified, reason: Reason, moment: str) -> str:
    """Revoke a certificate that is valid or on hold, or put a valid one on hold, as the reason says.

    Return since when it is not to be trusted: one that was on hold, since then.
    """
    step = "hold" if reason.is_hold else "revoke held" if found.status == CertificateStatus.HELD else "revoke"
    values = {"reason": reason.value, "moment": moment}
    _step(database, found.id, step, "reason = :reason, revoked_at = coalesce(revoked_at, :moment)", values)
    return _revoked_at(database, found.id)


def raise_reason(database: Database, found: Identified) -> str:
    """Note that a revoked certificate's key was compromised; return since when it is revoked, which stays."""
    _step(database, found.id, "raise", "reason = :reason", {"reason": Reason.KEY_COMPROMISE.value})
    return _revoked_at(database, found.id)


def release(database: Database, number: int) -> None:
    """Lift the hold on a certificate: it is as if there had been none."""
    _step(database, number, "release", "reason = NULL, revoked_at = NULL", {})


def intended(database: Database) -> list[Identified]:
    """Return the rows whose signature was never recorded."""
    return store.rows(
        database,
        Identified,
        "SELECT id, serial, status, coalesce(station, '') AS station, issuer_key_id FROM certificate"
        " WHERE status = 'intended' ORDER BY id",
    )


def by_serial(database: Database, serial: str) -> Identified:
    """Return the one certificate with this serial, whoever of our issuers signed it."""
    found = store.rows(
        database,
        Identified,
        "SELECT id, serial, status, coalesce(station, '') AS station, issuer_key_id, purpose,"
        " coalesce(reason, '') AS reason FROM certificate WHERE serial = :serial",
        {"serial": serial},
    )
    if not found:
        raise NotFoundError(
            "certificate.unknown", f"we issued no certificate with the serial {serial}", "See 'bollard cert list'."
        )
    if len(found) > 1:
        raise ConflictError(
            "certificate.ambiguous", f"several of our issuers used the serial {serial}", "Ask for help."
        )
    return found[0]


def below(database: Database, issuer_key_id: bytes, serial: str) -> Identified | None:
    """Return the certificate with this serial that the issuer with this key signed, if it is known here."""
    found = store.rows(
        database,
        Identified,
        "SELECT id, serial, status, coalesce(station, '') AS station, issuer_key_id FROM certificate"
        " WHERE issuer_key_id = :key AND serial = :serial",
        {"key": issuer_key_id, "serial": serial},
    )
    return found[0] if found else None


def signed(database: Database, serial: str) -> Signed:
    """Return the one certificate with this serial, with its bytes."""
    number = by_serial(database, serial).id
    return store.rows(
        database,
        Signed,
        "SELECT serial, purpose, status, coalesce(station, '') AS station, coalesce(der, x'') AS der FROM certificate"
        " WHERE id = :id",
        {"id": number},
    )[0]


def is_compromised(database: Database, key: bytes) -> bool:
    """Tell whether a certificate of the key of this id was revoked for a compromise of the key."""
    found = database.conn.execute(
        "SELECT 1 FROM certificate WHERE certified_key = ? AND reason = ? LIMIT 1", (key, Reason.KEY_COMPROMISE.value)
    )
    return found.fetchone() is not None


def history(database: Database, key: bytes, now: str, station: str) -> tuple[bool, str]:
    """Say of the key of this id what ``is_compromised`` and ``other_holder`` say for a station, in one look."""
    compromised, *found = database.conn.execute(_HISTORY, (key, now, station, "", "")).fetchone()
    return bool(compromised), _holder(found)


def other_holder(
    database: Database, key: bytes, now: str, *, station: str = "", purpose: str = "", subject: str = ""
) -> str:
    """Say who holds a live certificate of the key of this id, if it is not who asks; nothing where nobody does.

    A station asks under its identity, whatever the certificate is to be for; anybody else under purpose and subject.
    Keys of ours are never anybody else's, whatever became of their certificates.
    """
    return _holder(database.conn.execute(_OTHER_HOLDER, (key, now, station, purpose, subject)).fetchone())


def _holder(found: Sequence[str | int | None] | None) -> str:
    if found is None or found[0] is None:
        return ""
    purpose, station, subject, ours = found
    if ours:
        return "this home itself"
    return f"the station {station}" if station else f"the {purpose} {subject!r}"


def secc_id_holder(database: Database, secc_id: str, station: str, now: str) -> str:
    """Return another station with a live certificate for this SECCID, or nothing."""
    found = database.execute(
        # the purposes stand in the text, so that the index over just these rows serves; an RFC 4514 name begins with
        # what is narrowest, the CN, and '-' is the character after ','
        "SELECT station FROM certificate WHERE purpose IN ('v2g-secc-2', 'v2g-secc-20')"
        " AND subject >= :from AND subject < :to AND status IN ('intended', 'valid', 'held') AND not_after > :now"
        " AND coalesce(station, '') <> :station LIMIT 1",
        {"from": f"CN={secc_id},", "to": f"CN={secc_id}-", "now": now, "station": station},
    ).fetchone()
    return str(found[0]) if found else ""


def refuse_fallen(database: Database, name: str) -> None:
    """Raise ``ConflictError("issuer.fallen")`` when the certificate of this key of ours is revoked or on hold."""
    found = database.conn.execute(
        "SELECT status FROM own_key JOIN certificate ON certificate = certificate.id WHERE name = :name"
        " AND status IN ('revoked', 'held')",
        {"name": name},
    ).fetchone()
    if found is not None:
        says = f"the certificate of {name!r} is {found[0]} since this was asked, so it signs nothing"
        raise ConflictError("issuer.fallen", says, "Ask again: the answer says what is to be done.")


def listed(
    database: Database,
    *,
    station: str = "",
    status: str = "",
    serial: str = "",
    purpose: str = "",
    before: dt.datetime | None = None,
    after: dt.datetime | None = None,
) -> list[CertificateRow]:
    """Return certificates, soonest expiry first; an empty field does not filter.

    ``before`` and ``after`` bound the end of their validity. Only what is asked for stands in the query, so that each
    question finds its index.
    """
    wanted = {
        "station = :station": station,
        "status = :status": status,
        "serial = :serial": serial,
        "purpose = :purpose": purpose,
        "not_after < :before": stamp(before) if before else "",
        "not_after > :after": stamp(after) if after else "",
    }
    chosen = {sql: value for sql, value in wanted.items() if value}
    return store.rows(
        database,
        CertificateRow,
        f"SELECT {_COLUMNS}, coalesce(reason, '') AS reason, revoked_at FROM certificate"  # noqa: S608 - all of it ours
        f" {'WHERE' * bool(chosen)} {' AND '.join(chosen)} ORDER BY not_after, id",
        {sql.rpartition(":")[2]: value for sql, value in chosen.items()},
    )


def count_ending(database: Database, now: dt.datetime, within: dt.timedelta) -> int:
    """Count the active stations whose last valid certificate has not ended yet and will within this time.

    What a station connects with does not last longer because of what it shows to cars, and that is for one SECCID.
    """
    found = database.execute(
        "SELECT count(DISTINCT station) FROM certificate AS ending WHERE not_after > :now AND not_after <= :soon"
        " AND status = 'valid'"
        " AND EXISTS (SELECT 1 FROM station WHERE identity = ending.station AND status = 'active')"
        " AND NOT EXISTS (SELECT 1 FROM certificate AS later WHERE later.station = ending.station"
        " AND later.purpose = ending.purpose AND (ending.purpose = 'station' OR later.subject = ending.subject)"
        " AND later.status = 'valid' AND later.not_after > :soon)",
        {"now": stamp(now), "soon": stamp(now + within)},
    )
    return int(found.fetchone()[0])


def count_ended(database: Database, now: dt.datetime) -> int:
    """Count the active stations that need a certificate to connect with, and had one, of which the last has ended."""
    found = database.execute(
        "SELECT count(DISTINCT station) FROM certificate AS ended WHERE not_after <= :now"
        " AND status = 'valid' AND purpose = 'station'"
        " AND EXISTS (SELECT 1 FROM station WHERE identity = ended.station AND status = 'active' AND profile = 3)"
        " AND NOT EXISTS (SELECT 1 FROM certificate AS later WHERE later.station = ended.station"
        " AND later.purpose = 'station' AND later.status = 'valid' AND later.not_after > :now)",
        {"now": stamp(now)},
    )
    return int(found.fetchone()[0])


def of_station(database: Database, station: str, live_after: str) -> list[CertificateRow]:
    """Return a station's certificates that end after ``live_after``, whatever their status, oldest first."""
    return store.rows(
        database,
        CertificateRow,
        _OF_STATION,
        {"station": station, "live_after": live_after},
    )


def of_some_stations(database: Database, stations: str, live_after: str) -> list[CertificateRow]:
    """Return the same of several stations, whose identities are given as a JSON array."""
    return store.rows(database, CertificateRow, _OF_STATIONS, {"stations": stations, "live_after": live_after})


def of_stations(database: Database, live_after: str) -> list[CertificateRow]:
    """Return every station's certificates that end after ``live_after``, whatever their status; all of those that may
    show one that has ended."""
    return store.rows(
        database,
        CertificateRow,
        f"SELECT {_COLUMNS} FROM certificate"  # noqa: S608 - the columns are ours
        " WHERE station IS NOT NULL AND (not_after > :live_after"
        " OR station IN (SELECT identity FROM station WHERE expired_until IS NOT NULL)) ORDER BY id",
        {"live_after": live_after},
    )


def count_begun(database: Database, station: str, after: str) -> int:
    """Count a station's certificates, whatever became of them, whose validity began after a moment."""
    found = database.execute(
        "SELECT count(*) FROM certificate WHERE station = :station AND not_before > :after",
        {"station": station, "after": after},
    )
    return int(found.fetchone()[0])


def hold(database: Database, holding: Holding, number: int) -> str:
    """Note that a key is ours and which certificate it has. What was in use in its slot makes room for it.

    Returns the name of the key that made room, or nothing.
    """
    replaced = _make_room(database, holding.slot) if holding.state is KeyState.ACTIVE else ""
    store.change(
        database,
        "INSERT INTO own_key (name, slot, purpose, state, keeper, certificate)"
        " VALUES (:name, :slot, :purpose, :state, :keeper, :number)",
        {
            "name": holding.name,
            "slot": holding.slot,
            "purpose": holding.purpose,
            "state": holding.state.value,
            "keeper": holding.keeper.value,
            "number": number,
        },
    )
    return replaced


def _make_room(database: Database, slot: str) -> str:
    """Let the key in use in a slot become old; return its name, or nothing when there was none."""
    found = database.execute(
        "UPDATE own_key SET state = 'old' WHERE slot = :slot AND state = 'active' RETURNING name", {"slot": slot}
    ).fetchone()
    return str(found[0]) if found else ""


def set_state(database: Database, name: str, state: KeyState) -> None:
    """Move a key to another state; to be in use its slot must be free."""
    store.change(database, "UPDATE own_key SET state = :state WHERE name = :name", {"name": name, "state": state.value})


def bring_key(database: Database, holding: Holding) -> None:
    """Note that the key of a valid certificate which lay elsewhere is here now, and what it is for from now on."""
    brought = store.change(
        database,
        "UPDATE own_key SET slot = :slot, purpose = :purpose, state = :state, keeper = 'here'"
        " WHERE name = :name AND keeper = 'elsewhere'"
        " AND EXISTS (SELECT 1 FROM certificate WHERE id = certificate AND status = 'valid')",
        {
            "name": holding.name,
            "slot": holding.slot,
            "purpose": holding.purpose,
            "state": holding.state.value,
        },
    )
    if brought != 1:
        raise ConflictError(
            "certificate.state", f"the certificate of {holding.name!r} is not valid", "Take another authority."
        )


def held(database: Database) -> list[Held]:
    """Return the certificates of our own keys, the root first."""
    return store.rows(
        database,
        Held,
        "SELECT name, slot, own_key.purpose AS purpose, state, keeper, der, status FROM own_key"
        " JOIN certificate ON certificate = certificate.id ORDER BY certificate",
    )


def _revoked_at(database: Database, number: int) -> str:
    since = database.execute("SELECT revoked_at FROM certificate WHERE id = :id", {"id": number}).fetchone()
    return str(since[0])


@cache  # a text that is the same object each time is found among the prepared ones without being read
def _stepping(setting: str) -> str:
    return f"UPDATE certificate SET status = :to, {setting} WHERE id = :id AND status = :from"  # noqa: S608 - ours


def _step(database: Database, number: int, step: str, setting: str, values: Mapping[str, store.Value]) -> None:
    since, to = _WAYS[step]
    count = store.change(
        database,
        _stepping(setting),
        {"id": number, "to": to.value, "from": since.value, **values},
    )
    if count != 1:
        raise ConflictError(
            "certificate.state",
            f"the certificate is not {since.value}, so it cannot become {to.value}",
            "See 'bollard cert list'.",
        )
