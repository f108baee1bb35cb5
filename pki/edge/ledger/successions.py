"""What one thing taking another's place rests on: who trusts which root, which certificate is in use, who is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.calls import CertificateRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils import Database

LIVE: Final = "status NOT IN ('intended', 'abandoned', 'revoked') AND not_after > :now"
"""A certificate that holds, or may hold again."""

COMMON_NAME: Final = (
    "CASE WHEN subject LIKE 'CN=%' THEN substr(subject, 1, instr(subject || ',', ',')) ELSE subject END"
)
"""An RFC 4514 name begins with what is narrowest, the CN; where others wrote it in another order, the whole counts."""

_RETIRED: Final = "SELECT certificate FROM own_key WHERE state = 'retired' OR purpose = 'link'"
_SERVED: Final = "status = 'active' AND profile > 1"
"""The stations that may connect by TLS, and so must trust a root of ours."""


class Superseded(msgspec.Struct, frozen=True):
    """A station's certificate that a newer one has taken the place of."""

    serial: str
    station: str


def confirm(database: Database, station: str, key_id: bytes, moment: str, how: str) -> bool:
    """Note that a station trusts a root; what was noted first stays, and False says so."""
    count = store.change(
        database,
        "INSERT INTO trust_confirmation (station, key_id, moment, how) VALUES (:station, :key_id, :moment, :how)"
        " ON CONFLICT DO NOTHING",
        {"station": station, "key_id": key_id, "moment": moment, "how": how},
    )
    return count == 1


def forget(database: Database, station: str) -> list[bytes]:
    """Forget which roots a station trusts; return their keys."""
    wanted = {"station": station}
    found = database.execute("SELECT key_id FROM trust_confirmation WHERE station = :station ORDER BY key_id", wanted)
    keys = [row[0] for row in found]
    store.change(database, "DELETE FROM trust_confirmation WHERE station = :station", wanted)
    return keys


def unconfirmed(database: Database, key_id: bytes) -> list[str]:
    """Return the stations that are not known to trust the root with this key, by identity."""
    found = database.execute(
        f"SELECT identity FROM station WHERE {_SERVED} AND identity NOT IN"  # noqa: S608 - the condition is ours
        " (SELECT station FROM trust_confirmation WHERE key_id = :key_id) ORDER BY identity",
        {"key_id": key_id},
    )
    return [row[0] for row in found]


def served(database: Database) -> int:
    """Count the stations that must trust a root of ours."""
    count: int = database.execute(f"SELECT count(*) FROM station WHERE {_SERVED}").fetchone()[0]  # noqa: S608 - ours
    return count


def live_below(database: Database, name: str, key_id: bytes, now: str) -> list[str]:
    """Name what was signed by a key of ours and still holds, soonest end first: the station, our key, or the subject.

    What signs answers in the issuer's own name goes with it, and so do links and keys that are retired already.
    """
    found = database.execute(
        "SELECT coalesce(station, own_key.name, subject) FROM certificate"  # noqa: S608 - the conditions are ours
        f" LEFT JOIN own_key ON own_key.certificate = certificate.id WHERE issuer_key_id = :key_id AND {LIVE}"
        f" AND certificate.purpose <> 'ocsp' AND certificate.id NOT IN ({_RETIRED})"
        " AND coalesce(own_key.name, '') <> :name ORDER BY not_after, certificate.id",
        {"key_id": key_id, "name": name, "now": now},
    )
    return [row[0] for row in found]


def leaves_below(database: Database, key_ids: Iterable[bytes], now: str) -> int:
    """Count the certificates of leaves, directly below any of these keys, that still hold."""
    return sum(_leaves(database, key_id, now) for key_id in key_ids)


def _leaves(database: Database, key_id: bytes, now: str) -> int:
    count: int = database.execute(
        f"SELECT count(*) FROM certificate WHERE issuer_key_id = :key_id AND {LIVE}"  # noqa: S608 - ours
        f" AND purpose NOT IN ('root', 'issuing', 'ocsp') AND id NOT IN ({_RETIRED})",
        {"key_id": key_id, "now": now},
    ).fetchone()[0]
    return count


def newest_of_stations(
    database: Database, limit: int, purpose: str = "station", *, by_name: bool = False
) -> list[CertificateRow]:
    """Return each active station's newest valid certificate for a purpose, those that end first, at most ``limit``.

    ``by_name``: for each common name that it has, as a station has a SECCID for each of its places to charge at.
    """
    return store.rows(
        database,
        CertificateRow,
        "SELECT certificate.serial, subject, issuer, issuer_key_id, not_before, not_after, certificate.status, purpose,"  # noqa: S608 - ours
        " station FROM certificate JOIN station ON station = identity WHERE station.status = 'active' AND"
        " certificate.id IN (SELECT max(id) FROM certificate WHERE station IS NOT NULL AND status = 'valid'"
        f" AND purpose = :purpose GROUP BY station{f', {COMMON_NAME}' * by_name})"
        " ORDER BY not_after, certificate.id LIMIT :limit",
        {"limit": limit, "purpose": purpose},
    )


def note_use(database: Database, station: str, serial: str, moment: str) -> None:
    """Note that a station was seen with this certificate; one that is not listed as its own is passed over."""
    store.change(
        database,
        "INSERT INTO certificate_use (certificate, first, last) SELECT id, :moment, :moment FROM certificate"
        " WHERE serial = :serial AND station = :station ON CONFLICT (certificate) DO UPDATE SET last = :moment",
        {"serial": serial, "station": station, "moment": moment},
    )


def superseded(database: Database, used_since: str, now: str, limit: int) -> list[Superseded]:
    """Return certificates that still hold though their station has used a newer one since before ``used_since``, and
    them no more. Read from the few that were used to the many there are, which ``CROSS JOIN`` makes sure of."""
    return store.rows(
        database,
        Superseded,
        "SELECT old.serial, old.station FROM certificate_use AS seen"
        " CROSS JOIN certificate AS new ON new.id = seen.certificate"
        " CROSS JOIN certificate AS old ON old.station = new.station AND old.id < new.id"
        " LEFT JOIN certificate_use AS former ON former.certificate = old.id"
        " WHERE seen.first <= :used_since AND new.status = 'valid' AND old.status = 'valid' AND old.not_after > :now"
        " AND old.purpose = 'station' AND new.purpose = 'station' AND coalesce(former.last, '') < seen.first"
        " GROUP BY old.id ORDER BY old.id LIMIT :limit",
        {"used_since": used_since, "now": now, "limit": limit},
    )
