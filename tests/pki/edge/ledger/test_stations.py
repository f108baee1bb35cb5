"""Stations are unique by identity and by serial, and come with those of their certificates that still count."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge import calls
from pki.edge.ledger import certificates, stations
from pki.errors import ConflictError, NotFoundError
from tests.pki.edge.ledger.ledgers import LATER, THEN, certificate, empty_ledger, station

if TYPE_CHECKING:
    from pathlib import Path


def test_a_station_is_read_back_as_it_was_added(tmp_path: Path) -> None:
    """Every field, and that it has a password."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        assert stations.named(ledger, "CP-1") == msgspec.structs.replace(station(), has_password=True)


def test_what_a_certificate_follows_from_is_as_it_is_in_the_whole_row(tmp_path: Path) -> None:
    """Names, profile, status and protocol; nothing of one that was removed."""
    fields = ("identity", "serial", "profile", "status", "protocol")
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        stations.set_protocol(ledger, "CP-1", "ocpp2.0.1")
        stations.set_status(ledger, "CP-1", "disabled")
        whole, known = stations.plain(ledger, "CP-1"), stations.certified(ledger, "CP-1")
        assert [getattr(known, each) for each in fields] == [getattr(whole, each) for each in fields]
        assert known == calls.StationRow(**{each: getattr(whole, each) for each in fields})
        stations.remove(ledger, "CP-1", "gone")
        with pytest.raises(NotFoundError, match=r"station\.unknown"):
            stations.certified(ledger, "CP-1")


@pytest.mark.parametrize("changes", [{"identity": "CP-1"}, {"serial": "SN-1"}])
def test_identity_and_serial_are_each_unique(tmp_path: Path, changes: dict[str, str]) -> None:
    """Two stations of one serial would share certificates (A00.FR.511)."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station(1))
        with pytest.raises(ConflictError, match=r"station\.exists"):
            stations.add(ledger, msgspec.structs.replace(station(2), **changes))


def test_identities_that_differ_in_case_are_two_stations(tmp_path: Path) -> None:
    """Names are compared exactly."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station(1))
        stations.add(ledger, msgspec.structs.replace(station(2), identity="cp-1"))
        assert [row.identity for row in stations.every(ledger)] == ["CP-1", "cp-1"]


def test_certificates_that_ended_are_left_out_when_asked(tmp_path: Path) -> None:
    """Proxies need those that still count; lists show all."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station(1))
        certificates.intend(ledger, certificate("1", "CP-1", end=THEN + dt.timedelta(days=1)), b"")
        certificates.intend(ledger, certificate("2", "CP-1", end=LATER), b"")
        for live_after, serials in (("", ["1", "2"]), ("2026-06-01T00:00:00Z", ["2"])):
            some = stations.some(ledger, ["CP-1", "CP-2"], live_after)
            for row in (stations.named(ledger, "CP-1", live_after), *stations.every(ledger, live_after), *some):
                assert [one.serial for one in row.certificates] == serials


def test_what_changes_is_what_was_asked(tmp_path: Path) -> None:
    """Status, password, and what the station said of itself."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        stations.set_status(ledger, "CP-1", "disabled")
        stations.set_password(ledger, "CP-1", "argon2id$y", "hex")
        said = msgspec.structs.replace(station(), vendor="V", model="M", firmware_version="1")
        stations.set_boot(ledger, said, "2026-02-03T04:05:06Z")
        row = stations.plain(ledger, "CP-1")
    assert (row.status, row.verifier, row.password_form) == ("disabled", "argon2id$y", "hex")
    assert (row.vendor, row.model, row.firmware_version) == ("V", "M", "1")
    assert row.last_seen == dt.datetime(2026, 2, 3, 4, 5, 6, tzinfo=dt.UTC)


def test_an_unknown_station_is_named_in_every_refusal(tmp_path: Path) -> None:
    """Never a change that touches nothing in silence."""
    with empty_ledger(tmp_path) as ledger:
        for act in (
            lambda: stations.named(ledger, "CP-1"),
            lambda: stations.certified(ledger, "CP-1"),
            lambda: stations.set_status(ledger, "CP-1", "disabled"),
            lambda: stations.set_password(ledger, "CP-1", "", "any"),
            lambda: stations.set_boot(ledger, station(), "2026-01-01T00:00:00Z"),
        ):
            with pytest.raises(NotFoundError, match=r"station\.unknown.*'CP-1'"):
                act()
