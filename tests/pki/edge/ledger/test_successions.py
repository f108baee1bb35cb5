"""The ledger knows who trusts which root, what is in use, and what still rests on a key of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge.clock import stamp
from pki.edge.ledger import certificates, stations, successions
from pki.holding import Holding, KeyState
from pki.revocation import Reason
from tests.pki.edge.ledger.ledgers import LATER, THEN, certificate, empty_ledger, station

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlite_utils import Database

ISSUER, OTHER = b"i" * 32, b"o" * 32
NOW, AFTER = "2026-06-01T00:00:00Z", stamp(LATER)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    """A ledger with three stations."""
    with empty_ledger(tmp_path) as database:
        for number in (1, 2, 3):
            stations.add(database, station(number))
        yield database


def valid(database: Database, serial: str, owner: str = "", purpose: str = "station") -> int:
    """Put a valid certificate into it."""
    row = msgspec.structs.replace(certificate(serial, owner), purpose=purpose)
    number = certificates.intend(database, row, b"tbs")
    certificates.seal(database, number, b"der")
    return number


def revoked(ledger: Database, serial: str, station: str) -> None:
    """A certificate of a station that was superseded."""
    valid(ledger, serial, station)
    certificates.revoke(ledger, certificates.by_serial(ledger, serial), Reason.SUPERSEDED, NOW)


def test_a_station_is_unconfirmed_until_it_is_confirmed_for_this_root(ledger: Database) -> None:
    """Another root's confirmation does not count, and a second one changes nothing."""
    successions.confirm(ledger, "CP-1", ISSUER, NOW, "operator")
    successions.confirm(ledger, "CP-1", ISSUER, AFTER, "observed")
    successions.confirm(ledger, "CP-2", OTHER, NOW, "operator")

    assert successions.unconfirmed(ledger, ISSUER) == ["CP-2", "CP-3"]
    assert ledger.execute("SELECT moment, how FROM trust_confirmation WHERE station = 'CP-1'").fetchall() == [
        (NOW, "operator")
    ]


def test_a_station_that_may_not_connect_holds_nobody_up(ledger: Database) -> None:
    """Disabled, or without TLS."""
    stations.set_status(ledger, "CP-3", "disabled")
    stations.add(ledger, msgspec.structs.replace(station(4), profile=1))

    assert successions.unconfirmed(ledger, ISSUER) == ["CP-1", "CP-2"]
    assert successions.served(ledger) == 2


def test_what_still_holds_below_a_key_is_named(ledger: Database) -> None:
    """By station, by key of ours or by subject; neither what has ended, nor what serves the key itself."""
    valid(ledger, "1a", "CP-1")
    certificates.hold(ledger, Holding("server", "server", "server"), valid(ledger, "1b", purpose="csms"))
    certificates.hold(ledger, Holding("gone", "x", "server", KeyState.RETIRED), valid(ledger, "1c", purpose="csms"))
    certificates.hold(ledger, Holding("self", "root", "root"), valid(ledger, "1d", purpose="root"))
    certificates.hold(ledger, Holding("self-link", "l", "link"), valid(ledger, "1e", purpose="issuing"))
    valid(ledger, "1f", purpose="ocsp")
    revoked(ledger, "2a", "CP-2")
    certificates.intend(ledger, certificate("2b", "CP-3"), b"tbs")

    assert successions.live_below(ledger, "self", ISSUER, NOW) == ["CP-1", "server"]
    assert successions.live_below(ledger, "self", ISSUER, AFTER) == []
    assert successions.live_below(ledger, "self", OTHER, NOW) == []
    assert successions.leaves_below(ledger, {ISSUER, OTHER}, NOW) == 2


def test_of_each_active_station_the_newest_valid_certificate_counts(ledger: Database) -> None:
    """Soonest end first, and no more than asked for."""
    for serial, owner in (("1a", "CP-1"), ("1b", "CP-1"), ("2a", "CP-2"), ("3a", "CP-3")):
        valid(ledger, serial, owner)
    revoked(ledger, "2b", "CP-2")
    stations.set_status(ledger, "CP-3", "disabled")

    assert [row.serial for row in successions.newest_of_stations(ledger, 10)] == ["1b", "2a"]
    assert len(successions.newest_of_stations(ledger, 1)) == 1


def test_what_a_station_shows_to_cars_counts_by_name(ledger: Database) -> None:
    """Each of its places to charge at has a name of its own, which another's certificate does nothing for."""
    for serial, name in (("1a", "CN=DEA,O=X"), ("1b", "CN=DEB,O=X"), ("1c", "CN=DEA,O=Y"), ("1d", "O=X,CN=DEC")):
        row = msgspec.structs.replace(certificate(serial, "CP-1"), purpose="v2g-secc-2", subject=name)
        certificates.seal(ledger, certificates.intend(ledger, row, b"tbs"), b"der")

    found = successions.newest_of_stations(ledger, 10, "v2g-secc-2", by_name=True)
    assert [row.serial for row in found] == ["1b", "1c", "1d"]
    assert [row.serial for row in successions.newest_of_stations(ledger, 10, "v2g-secc-2")] == ["1d"]


def test_a_former_certificate_is_superseded_when_only_the_newer_one_was_used_for_long_enough(ledger: Database) -> None:
    """Not before, and not one that was used again since."""
    for serial, owner in (
        ("1a", "CP-1"),
        ("1b", "CP-1"),
        ("2a", "CP-2"),
        ("2b", "CP-2"),
        ("3a", "CP-3"),
        ("3b", "CP-3"),
    ):
        valid(ledger, serial, owner)
    for moment, serial in (("2026-02-01", "1a"), ("2026-03-01", "1b"), ("2026-03-01", "2b"), ("2026-04-01", "2a")):
        successions.note_use(ledger, f"CP-{serial[0]}", serial, moment)
    successions.note_use(ledger, "CP-1", "1b", "2026-05-01")

    def found(since: str) -> list[tuple[str, str]]:
        return [(each.serial, each.station) for each in successions.superseded(ledger, since, stamp(THEN), 10)]

    assert found("2026-02-28") == []
    assert found("2026-03-02") == [("1a", "CP-1")]


def test_a_certificate_of_another_station_is_not_noted(ledger: Database) -> None:
    """What a station says of itself binds nobody else."""
    valid(ledger, "1a", "CP-1")
    successions.note_use(ledger, "CP-2", "1a", NOW)

    assert ledger.execute("SELECT count(*) FROM certificate_use").fetchone()[0] == 0
