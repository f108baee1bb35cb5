"""Stations are registered with what they must prove; a password is shown once and kept nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki import password as passwords
from pki.edge import calls
from pki.edge.ledger import stations
from pki.errors import BollardError, ConflictError, RefusedError
from pki.station import PasswordForm
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


async def verifier(desk: Desk, identity: str) -> str:
    """What the ledger keeps of a password."""
    return (await desk.office._desk.ledger.read(lambda database: stations.plain(database, identity))).verifier


@pytest.mark.parametrize("profile", [1, 2])
def test_a_password_is_generated_shown_once_and_kept_nowhere(home: Home, profile: int) -> None:
    """Twenty characters that the stored verifier accepts; the ledger's file holds no trace of them."""

    async def story(desk: Desk) -> str:
        added = await desk.ask(calls.AddStation("CP-1", "SN-1", profile), calls.StationAdded)
        passwords.check(await verifier(desk, "CP-1"), added.password.encode(), PasswordForm.ANY)
        listed = await desk.ask(calls.ListStations(), calls.Stations)
        assert (listed.stations[0].verifier, listed.stations[0].has_password) == ("", True)
        assert added.station.verifier == ""
        return added.password

    password = at_the_desk(home, story)
    assert len(password) == 20
    for path in (path for path in home.path.rglob("*") if path.is_file()):
        assert password.encode() not in path.read_bytes()


def test_profile_three_needs_no_password(home: Home) -> None:
    """The certificate is its proof."""

    async def story(desk: Desk) -> calls.StationAdded:
        return await desk.ask(calls.AddStation("CP-1", "SN-1", 3), calls.StationAdded)

    added = at_the_desk(home, story)
    assert (added.password, added.station.has_password) == ("", False)


def test_a_chosen_password_is_hashed_slowly_and_not_repeated(home: Home) -> None:
    """A person's choice can be guessed, so each guess must cost."""

    async def story(desk: Desk) -> tuple[str, str]:
        call = calls.AddStation("CP-1", "SN-1", 2, password="ChosenByAPerson1", password_form="text")
        added = await desk.ask(call, calls.StationAdded)
        return added.password, await verifier(desk, "CP-1")

    shown, kept = at_the_desk(home, story)
    assert shown == ""
    assert passwords.is_slow(kept)


def test_a_new_password_replaces_the_old_one(home: Home) -> None:
    """The old one opens nothing from then on."""

    async def story(desk: Desk) -> None:
        old = await desk.ask(calls.AddStation("CP-1", "SN-1", 2), calls.StationAdded)
        new = await desk.ask(calls.SetStationPassword("CP-1"), calls.StationAdded)
        passwords.check(await verifier(desk, "CP-1"), new.password.encode(), PasswordForm.ANY)
        with pytest.raises(RefusedError):
            passwords.check(await verifier(desk, "CP-1"), old.password.encode(), PasswordForm.ANY)

    at_the_desk(home, story)


def test_many_stations_are_added_all_or_none(home: Home) -> None:
    """One wrong row in a thousand, and the file can simply be corrected and imported again."""
    seeds = tuple(calls.StationSeed(f"CP-{number}", f"SN-{number}", 1 + number % 3) for number in range(30))

    async def story(desk: Desk) -> calls.StationsAdded:
        twice = (*seeds, msgspec.structs.replace(seeds[0], identity="CP-other"))
        with pytest.raises(ConflictError, match=r"station\.exists"):
            await desk.ask(calls.AddStations(twice), calls.StationsAdded)
        assert (await desk.ask(calls.ListStations(), calls.Stations)).stations == ()
        return await desk.ask(calls.AddStations(seeds), calls.StationsAdded)

    added = at_the_desk(home, story)
    assert added.count == 30
    assert set(added.passwords) == {seed.identity for seed in seeds if seed.profile < 3}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (calls.AddStation("CP 1", "SN-1", 3), "name.identity"),
        (calls.AddStation("CP-1", "10.0.0.1", 3), "name.serial"),
        (calls.AddStation("CP-1", "SN-1", 4), "station.profile"),
        (calls.AddStation("CP-1", "SN-1", 3, group="x" * 65), "station.label"),
        (calls.AddStation("CP-1", "SN-1", 3, site="a\nb"), "station.label"),
        (calls.AddStation("CP-1", "SN-1", 2, password_form="rot13"), "password.form"),
        (calls.AddStation("CP-1", "SN-1", 2, password="short"), "password.refused"),
        (calls.SetStationStatus("CP-1", "asleep"), "station.status"),
        (calls.SetStationStatus("CP-1", "disabled"), "station.unknown"),
        (calls.SetStationPassword("CP-1"), "station.unknown"),
        (calls.ListStations("CP-1"), "station.unknown"),
        (calls.ReportBoot("CP-1", "V", "M", "S", "1"), "station.unknown"),
        (calls.ReportBoot("CP-1", "V" * 51, "M", "S", "1"), "station.boot"),
        (calls.ReportBoot("CP-1", "V", "M\x00", "S", "1"), "station.boot"),
        (calls.SetStationProtocol("CP-1", "ocpp2.0.1"), "station.unknown"),
        (calls.ForgetStationTls("CP-1"), "station.unknown"),
        (calls.SetStationProtocol("CP-1", "http/1.1"), "name.protocol"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_changes_nothing(home: Home, call: calls.Call, code: str) -> None:
    """No entry is written for it either."""

    async def story(desk: Desk) -> None:
        before = await desk.ask(calls.ListAudit(), calls.AuditRows)
        with pytest.raises(BollardError) as refused:
            await desk.ask(call, calls.Row)
        assert refused.value.code == code
        assert await desk.ask(calls.ListAudit(), calls.AuditRows) == before

    at_the_desk(home, story)


def test_each_act_leaves_one_entry_that_names_who_and_what(home: Home) -> None:
    """And no secret."""

    async def story(desk: Desk) -> list[tuple[str, str]]:
        added = await desk.ask(calls.AddStation("CP-1", "SN-1", 2), calls.StationAdded)
        acts = [
            added.audit_index,
            (await desk.ask(calls.SetStationStatus("CP-1", "disabled"), calls.Done)).audit_index,
            (await desk.ask(calls.SetStationPassword("CP-1"), calls.StationAdded)).audit_index,
            (await desk.ask(calls.ReportBoot("CP-1", "V", "M", "S", "1"), calls.Done)).audit_index,
        ]
        rows = (await desk.ask(calls.ListAudit(first=acts[0]), calls.AuditRows)).rows
        assert [row.index for row in rows] == acts
        assert all(added.password not in row.entry for row in rows)
        return [(json.loads(row.entry)["who"], json.loads(row.entry)["act"]) for row in rows]

    assert at_the_desk(home, story) == [
        ("tester", "station.added"),
        ("tester", "station.status_set"),
        ("tester", "station.password_set"),
        ("tester", "station.described"),
    ]


def test_booting_again_unchanged_is_seen_but_not_logged(home: Home) -> None:
    """A station that reboots all night cannot fill the log."""

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        boot = calls.ReportBoot("CP-001", "V", "M", "S", "1")
        first = await desk.ask(boot, calls.Done)
        assert await desk.ask(boot, calls.Done) == first
        row = (await desk.ask(calls.ListStations("CP-001"), calls.Stations)).stations[0]
        assert (row.vendor, row.model, row.firmware_version) == ("V", "M", "1")
        assert row.last_seen is not None
        newer = await desk.ask(msgspec.structs.replace(boot, firmware_version="2"), calls.Done)
        assert newer.audit_index == first.audit_index + 1

    at_the_desk(home, story)


def test_a_registered_station_cannot_be_registered_again(home: Home) -> None:
    """Its password would change under it."""

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(Paper.of(1).add, calls.StationAdded)

    with pytest.raises(ConflictError, match=r"station\.exists"):
        at_the_desk(home, story)


def test_the_version_a_station_speaks_is_learnt_and_sharpened(home: Home) -> None:
    """A proxy sees the version; an operator adds the edition, which stays until the version changes."""

    async def story(desk: Desk) -> list[str]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        seen = []
        for act in (
            calls.ReportBoot("CP-001", "V", "M", "S", "1", "ocpp2.0.1"),
            calls.SetStationProtocol("CP-001", "ocpp2.0.1/3"),
            calls.ReportBoot("CP-001", "V", "M", "S", "1", "ocpp2.0.1"),
            calls.ReportBoot("CP-001", "V", "M", "S", "1"),
            calls.ReportBoot("CP-001", "V", "M", "S", "1", "ocpp2.1"),
        ):
            await desk.ask(act, calls.Done)
            seen.append((await desk.ask(calls.ListStations("CP-001"), calls.Stations)).stations[0].protocol)
        return seen

    assert at_the_desk(home, story) == ["ocpp2.0.1", "ocpp2.0.1/3", "ocpp2.0.1/3", "ocpp2.0.1/3", "ocpp2.1"]


def test_the_best_tls_a_station_has_booted_over_is_kept_until_it_is_told_to_be_forgotten(home: Home) -> None:
    """Less later on takes nothing away, or whoever holds a station back once would do so for good."""

    async def story(desk: Desk) -> list[str]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        boot = calls.ReportBoot("CP-001", "V", "M", "S", "1")
        seen = []
        for act in (
            msgspec.structs.replace(boot, tls="TLSv1.2"),
            msgspec.structs.replace(boot, tls="TLSv1.3"),
            msgspec.structs.replace(boot, tls="TLSv1.2"),
            boot,
            calls.ForgetStationTls("CP-001"),
            msgspec.structs.replace(boot, tls="TLSv1.2"),
        ):
            await desk.ask(act, calls.Done)
            seen.append((await desk.ask(calls.ListStations("CP-001"), calls.Stations)).stations[0].tls)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        return seen

    assert at_the_desk(home, story) == ["TLSv1.2", "TLSv1.3", "TLSv1.3", "TLSv1.3", "", "TLSv1.2"]
