"""A registered station becomes another one, is pinned to what it was seen with, and is let go: each by one entry."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pki import password as passwords
from pki.edge import calls
from pki.edge.ledger import stations
from pki.edge.office.desk import sha256
from pki.errors import BollardError, ConflictError, NotFoundError, RefusedError
from pki.station import PasswordForm
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

UNTIL = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


async def look(desk: Desk, identity: str = "CP-1") -> calls.StationRow:
    """One station as lists show it."""
    (row,) = (await desk.ask(calls.ListStations(identity), calls.Stations)).stations
    return row


async def kept(desk: Desk, identity: str = "CP-1") -> calls.StationRow:
    """One station with its verifiers."""
    return await desk.office._desk.ledger.read(lambda database: stations.plain(database, identity))


async def proved(desk: Desk) -> calls.AuditVerified:
    """Every row follows from the log."""
    verified = await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
    assert verified.rows_in_part == 0
    return verified


def test_what_is_named_changes_and_the_rest_stays(home: Home) -> None:
    """One entry tells what became another; the news has the row; nothing to change is no entry."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-1", "SN-1", 2, "north", "depot"), calls.StationAdded)
        call = calls.ChangeStation("CP-1", serial="SN-2", group="", expired_until=UNTIL, ratchet=False)
        watcher = await desk.office.watch()
        await watcher.next()
        done = await desk.ask(call, calls.Done)
        row = await look(desk)
        assert (row.serial, row.group, row.site, row.profile) == ("SN-2", "", "depot", 2)
        assert (row.expired_until, row.ratchet) == (UNTIL, False)
        news = await watcher.next()
        assert isinstance(news, calls.StationChanged)
        assert news.station.serial == "SN-2"
        assert (await desk.ask(call, calls.Done)).audit_index == done.audit_index
        await proved(desk)

    at_the_desk(home, story)


def test_what_cannot_be_changes_nothing(home: Home) -> None:
    """Another's serial, a name that is none, a station that is none."""

    async def story(desk: Desk) -> None:
        for number in "12":
            await desk.ask(calls.AddStation(f"CP-{number}", f"SN-{number}", 2), calls.StationAdded)
        for call in (
            calls.ChangeStation("CP-1", serial="SN-2"),
            calls.ChangeStation("CP-1", serial="https://x"),
            calls.ChangeStation("CP-1", group="x" * 65),
            calls.ChangeStation("CP-1", profile=4),
            calls.ChangeStation("CP-9", group="x"),
        ):
            with pytest.raises(BollardError):
                await desk.ask(call, calls.Done)
        await proved(desk)

    at_the_desk(home, story)


def test_attack_09_a_station_seen_with_more_is_pinned_and_comes_down_by_word_alone(home: Home) -> None:
    """A05.FR.09: from then on the profile it came with is the least. Down leads only what is spelled out, and then what
    it was seen with before holds it no more."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-1", "SN-1", 2), calls.StationAdded)
        for profile in (1, 2, 7):
            before = await desk.ask(calls.ReportProfile("CP-1", profile), calls.Done)
        pinned = await desk.ask(calls.ReportProfile("CP-1", 3), calls.Done)
        assert pinned.audit_index == before.audit_index + 1
        assert ((await look(desk)).profile, (await look(desk)).seen_profile) == (3, 3)
        with pytest.raises(RefusedError, match=r"A00\.FR\.005"):
            await desk.ask(calls.ChangeStation("CP-1", profile=2), calls.Done)
        await desk.ask(calls.ChangeStation("CP-1", profile=2, allow_downgrade=True), calls.Done)
        assert ((await look(desk)).profile, (await look(desk)).seen_profile) == (2, 0)
        with pytest.raises(RefusedError):
            await desk.ask(calls.ChangeStation("CP-1", profile=1, allow_downgrade=True), calls.Done)
        await desk.ask(calls.ChangeStation("CP-1", profile=1, unsafe_no_tls=True), calls.Done)
        await proved(desk)

    at_the_desk(home, story)


def test_a_ratchet_that_is_off_remembers_and_pins_once_it_is_on(home: Home) -> None:
    """What a station was seen with is known either way."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-1", "SN-1", 2), calls.StationAdded)
        await desk.ask(calls.ChangeStation("CP-1", ratchet=False), calls.Done)
        await desk.ask(calls.ReportProfile("CP-1", 3), calls.Done)
        assert ((await look(desk)).profile, (await look(desk)).seen_profile) == (2, 3)
        await desk.ask(calls.ChangeStation("CP-1", ratchet=True), calls.Done)
        assert (await look(desk)).profile == 3
        await proved(desk)

    at_the_desk(home, story)


@pytest.mark.parametrize("taken", [True, False])
def test_while_a_password_follows_another_both_are_kept_and_then_one(home: Home, taken: bool) -> None:
    """A01.FR.03, .04: seen with the new one the old is dead; given up, the old one stays."""

    async def story(desk: Desk) -> None:
        old = await desk.ask(calls.AddStation("CP-1", "SN-1", 2), calls.StationAdded)
        call = calls.SetStationPassword("CP-1", password_form="hex", rotate=True)
        new = await desk.ask(call, calls.StationAdded)
        assert (new.station.rotating, new.station.next_verifier) == (True, "")
        row = await kept(desk)
        passwords.check(row.verifier, old.password.encode(), PasswordForm.ANY)
        passwords.check(row.next_verifier, new.password.encode(), PasswordForm.ANY)
        await proved(desk)
        stale = await desk.ask(calls.SettlePassword("CP-1", True, digest="00"), calls.Done)
        assert stale.audit_index == new.audit_index
        await desk.ask(calls.SettlePassword("CP-1", taken, sha256(row.next_verifier)), calls.Done)
        after = await kept(desk)
        assert after.verifier == (row.next_verifier if taken else row.verifier)
        assert after.password_form == ("hex" if taken else "any")
        assert (after.next_verifier, after.rotating) == ("", False)
        with pytest.raises(ConflictError):
            await desk.ask(calls.SettlePassword("CP-1", True), calls.Done)
        await proved(desk)

    at_the_desk(home, story)


def test_a_password_can_follow_only_another(home: Home) -> None:
    """And one that is set at once ends what was to follow."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-1", "SN-1", 3), calls.StationAdded)
        with pytest.raises(ConflictError, match="no password"):
            await desk.ask(calls.SetStationPassword("CP-1", rotate=True), calls.StationAdded)
        await desk.ask(calls.SetStationPassword("CP-1"), calls.StationAdded)
        await desk.ask(calls.SetStationPassword("CP-1", rotate=True), calls.StationAdded)
        await desk.ask(calls.SetStationPassword("CP-1"), calls.StationAdded)
        assert not (await look(desk)).rotating
        await proved(desk)

    at_the_desk(home, story)


def test_a_station_is_let_go_with_its_certificates_or_not_at_all(home: Home) -> None:
    """Refused while one is valid, unless told; then all of it is one transaction, and nothing of it is left to use."""

    async def story(desk: Desk) -> None:
        paper = Paper.of(1)
        await desk.ask(paper.add, calls.StationAdded)
        await desk.ask(paper.issue, calls.CertificateIssued)
        with pytest.raises(ConflictError, match="still valid"):
            await desk.ask(calls.RemoveStation("CP-001"), calls.Done)
        watcher = await desk.office.watch()
        await watcher.next()
        await desk.ask(calls.RemoveStation("CP-001", revoke=True), calls.Done)
        told = [await watcher.next() for _ in range(3)]
        assert [n.station.status for n in told if isinstance(n, calls.StationChanged)][-1] == "removed"
        assert (await desk.ask(calls.ListStations(), calls.Stations)).stations == ()
        (certificate,) = (await desk.ask(calls.ListCertificates(station="CP-001"), calls.Certificates)).certificates
        assert (certificate.status, certificate.reason) == ("revoked", "cessation_of_operation")
        for call in (calls.RemoveStation("CP-001"), calls.SetStationStatus("CP-001", "active"), paper.issue):
            with pytest.raises(NotFoundError):
                await desk.ask(call, calls.Row)
        await proved(desk)

    at_the_desk(home, story)


@pytest.mark.parametrize("many", [True, False])
def test_name_and_serial_of_a_station_that_went_are_free_again(home: Home, many: bool) -> None:
    """For the same pair or apart; nothing is left over of the one before."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-1", "SN-1", 2), calls.StationAdded)
        await desk.ask(calls.ReportBoot("CP-1", "Acme", "One", "", "1", "ocpp1.6"), calls.Done)
        await desk.ask(calls.ReportProfile("CP-1", 3), calls.Done)
        (root,) = [row for row in (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers if row.purpose == "root"]
        await desk.ask(calls.ConfirmTrust(("CP-1",), root.name), calls.Done)
        await desk.ask(calls.RemoveStation("CP-1"), calls.Done)
        await desk.ask(calls.AddStation("CP-2", "SN-1", 2), calls.StationAdded)
        if many:
            await desk.ask(calls.AddStations((calls.StationSeed("CP-1", "SN-9", 2),)), calls.StationsAdded)
        else:
            await desk.ask(calls.AddStation("CP-1", "SN-9", 2), calls.StationAdded)
        row = await look(desk)
        assert (row.serial, row.profile, row.seen_profile, row.vendor, row.last_seen) == ("SN-9", 2, 0, "", None)
        await proved(desk)
        with pytest.raises(ConflictError):
            await desk.ask(calls.AddStation("CP-1", "SN-10", 2), calls.StationAdded)

    at_the_desk(home, story)
