"""The authority examines itself: what ends is listed with its cure, and one thing that is broken hides no other."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls, clock
from pki.edge.asking import ask_once
from pki.edge.office.health import SOURCES
from pki.errors import BollardError
from tests.ceremonies import waiting_home
from tests.certs import request
from tests.pki.edge.office.test_records import tamper
from tests.worlds import Manufacturer, Paper, at_the_desk, make_home, station_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.worlds import Desk


async def examine(desk: Desk, days: int = 30) -> calls.Examined:
    """Ask it."""
    return await desk.ask(calls.Examine(days), calls.Examined)


def test_a_fresh_home_lists_all_that_ends_and_nothing_failed(tmp_path: Path) -> None:
    """Our own certificates, each with what renews it."""
    told = at_the_desk(make_home(tmp_path), examine)
    assert {row.name for row in told.expiring} == {"root", "csms", "station", "ocsp", "server-ecdsa", "server-rsa"}
    assert all(row.renewed_by and row.not_before < row.not_after for row in told.expiring)
    assert (told.failed, told.ending, told.restored_behind) == ((), 0, ())
    assert told.audit_size == 13


def test_a_home_that_waits_for_its_offline_root_is_not_well(tmp_path: Path) -> None:
    """Nothing can be issued there, and no station let in; the cure is the import of what was signed."""
    missing = ask_once(waiting_home(tmp_path), calls.Examine(30), calls.Examined).missing

    assert {each.what for each in missing} == {f"authority for {slot}" for slot in ("root", "csms", "station")}
    assert all("bollard ca ceremony import" in each.fix for each in missing)


def test_a_key_that_was_retired_may_end(tmp_path: Path) -> None:
    """Nothing rests on it any more, so nobody is warned of it."""
    home = make_home(tmp_path)
    tamper(home, "UPDATE own_key SET state = 'retired' WHERE name = 'ocsp'")
    assert "ocsp" not in {row.name for row in at_the_desk(home, examine).expiring}


def test_trust_in_others_ends_as_well(tmp_path: Path) -> None:
    """A manufacturer's root that runs out stops its updates."""

    async def story(desk: Desk) -> calls.Examined:
        await desk.ask(Manufacturer.named("Volta").trust, calls.Done)
        return await examine(desk)

    (anchor,) = [row for row in at_the_desk(make_home(tmp_path), story).expiring if row.kind == "firmware anchor"]
    assert anchor.renewed_by == "bollard ca trust add NEW.pem --purpose firmware --vendor 'Volta'"


def test_a_station_counts_until_it_has_a_certificate_that_lasts(tmp_path: Path) -> None:
    """Renewed, disabled or revoked, it needs nobody's visit."""
    short = {number: calls.IssueCertificate(f"CP-{number:03}", Paper.of(number).csr, days=10) for number in range(4)}

    async def story(desk: Desk) -> list[int]:
        issued = []
        for number, call in short.items():
            await desk.ask(Paper.of(number).add, calls.StationAdded)
            issued.append(await desk.ask(call, calls.CertificateIssued))
        counts = [(await examine(desk)).ending, (await examine(desk, 5)).ending]
        await desk.ask(Paper.of(0).issue, calls.CertificateIssued)
        await desk.ask(calls.SetStationStatus("CP-001", "disabled"), calls.Done)
        await desk.ask(calls.RevokeCertificate(issued[2].certificate.serial), calls.Done)
        return [*counts, (await examine(desk)).ending]

    assert at_the_desk(make_home(tmp_path), story) == [4, 0, 1]


def test_what_a_station_shows_to_cars_lasts_for_nothing_else(tmp_path: Path) -> None:
    """Nor does what it connects with: each is counted by itself, and each SECCID."""
    names = [f"DEABCS0123456789ABCDEF0123456789ABCDEF{number}" for number in (1, 2)]

    async def show(desk: Desk, key: int, name: str, days: int) -> None:
        csr = request(station_key(key), name, "Example Charging")
        call = calls.IssueCertificate("CP-001", csr, days=days, profile="v2g-secc-2", name=name)
        await desk.ask(call, calls.CertificateIssued)

    async def story(desk: Desk) -> list[int]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(calls.CreateIssuer("v2g", "v2g", edition="2"), calls.IssuersCreated)
        await desk.ask(calls.IssueCertificate("CP-001", Paper.of(1).csr, days=10), calls.CertificateIssued)
        await show(desk, 5, names[0], 60)
        counts = [(await examine(desk)).ending]
        await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        counts.append((await examine(desk)).ending)
        await show(desk, 6, names[1], 20)
        return [*counts, (await examine(desk)).ending]

    assert at_the_desk(make_home(tmp_path), story) == [1, 0, 1]


def test_a_station_whose_last_certificate_has_ended_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot connect, whatever it shows to cars; one that needs none, or is disabled, is well."""

    async def story(desk: Desk) -> list[int]:
        for number in range(4):
            await desk.ask(Paper.of(number).add, calls.StationAdded)
            call = calls.IssueCertificate(f"CP-{number:03}", Paper.of(number).csr, days=10)
            await desk.ask(call, calls.CertificateIssued)
        await desk.ask(calls.SetStationStatus("CP-001", "disabled"), calls.Done)
        await desk.ask(calls.ChangeStation("CP-002", profile=2, allow_downgrade=True), calls.Done)
        await desk.ask(Paper.of(3).issue, calls.CertificateIssued)
        before = (await examine(desk)).ended
        moment = dt.datetime.now(dt.UTC) + dt.timedelta(days=11)
        monkeypatch.setattr(clock, "now", lambda: moment)
        return [before, (await examine(desk)).ended]

    assert at_the_desk(make_home(tmp_path), story) == [0, 1]


@pytest.mark.parametrize(
    ("name", "break_it", "code"),
    [
        ("station", lambda key: key.unlink(), "key.missing"),
        ("root", lambda key: key.write_text("no key"), "key.damaged"),
        ("server-rsa", lambda key: key.write_bytes(key.with_name("server-ecdsa.pem").read_bytes()), "key.other"),
    ],
    ids=["gone", "damaged", "another"],
)
def test_a_key_that_the_next_start_would_not_find_is_told(
    tmp_path: Path, name: str, break_it: Callable[[Path], None], code: str
) -> None:
    """Though it is in memory, and signs until then."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> tuple[calls.FailedRow, ...]:
        desk.office._desk.keys.key(name)
        assert (await examine(desk)).failed == ()
        break_it(home.keys / f"{name}.pem")
        return (await examine(desk)).failed

    assert [(row.what, row.code) for row in at_the_desk(home, story)] == [(f"key of {name}", code)]


def test_a_key_that_is_used_no_more_may_be_gone(tmp_path: Path) -> None:
    """Of an authority that was retired; nobody needs it."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> tuple[calls.FailedRow, ...]:
        for call, answer in (
            (calls.RollOver("station"), calls.RolledOver),
            (calls.ActivateIssuer("station-2"), calls.Activated),
            (calls.RetireIssuer("station"), calls.Done),
        ):
            await desk.ask(call, answer)
        (home.keys / "station.pem").unlink()
        return (await examine(desk)).failed

    assert at_the_desk(home, story) == ()


def test_an_authority_that_signs_no_more_is_to_be_retired(tmp_path: Path) -> None:
    """A successor it has already."""

    async def story(desk: Desk) -> dict[str, str]:
        await desk.ask(calls.RollOver("station"), calls.RolledOver)
        await desk.ask(calls.ActivateIssuer("station-2"), calls.Activated)
        return {row.name: row.renewed_by for row in (await examine(desk)).expiring}

    renewed_by = at_the_desk(make_home(tmp_path), story)
    assert "bollard ca retire station" in renewed_by["station"]
    assert "bollard ca rollover station --plan" in renewed_by["station-2"]


def test_an_altered_ledger_is_told_and_the_rest_is_looked_at_all_the_same(tmp_path: Path) -> None:
    """The proof fails; what ends is listed."""
    home = make_home(tmp_path)
    tamper(home, "UPDATE certificate SET subject = 'CN=x' WHERE id = 1")
    told = at_the_desk(home, examine)
    assert [(row.what, row.code) for row in told.failed] == [("audit log", "audit.rows")]
    assert len(told.expiring) == 6


def test_a_row_that_cannot_be_is_told_as_damage(tmp_path: Path) -> None:
    """Whoever edited it, the examination goes on to its end."""
    home = make_home(tmp_path)
    tamper(home, "INSERT INTO anchor VALUES ('csms', '', zeroblob(32), 'CN=x', 'never', 'x')")
    told = at_the_desk(home, examine)
    assert [(row.what, row.code) for row in told.failed] == [("audit log", "audit.rows"), ("anchors", "ledger.damaged")]


def test_certificates_given_in_the_settings_are_looked_at_in_our_own_ones_place(tmp_path: Path) -> None:
    """And a file that cannot be read is told by the name of the setting."""
    home = make_home(tmp_path)
    given = f'\n[[server_certificate]]\ncertificate = "{home.ca / "server-rsa.pem"}"\nkey = "{tmp_path / "key"}"\n'
    text = home.settings.read_text()
    home.settings.write_text(text + given)
    told = at_the_desk(home, examine)
    kinds = [row.kind for row in told.expiring]
    assert (kinds.count("server certificate"), kinds.count("our certificate")) == (1, 4)
    assert [(row.what, row.code) for row in told.failed] == [("server certificates", "settings.server_certificate")]
    assert "cannot be read" in told.failed[0].cause

    home.settings.write_text(text + given.replace("server-rsa.pem", "gone.pem"))
    told = at_the_desk(home, examine)
    assert [(row.what, row.code) for row in told.failed] == [("server certificates", "settings.server_certificate")]
    assert told.failed[0].what in SOURCES


def test_what_is_counted_is_what_reached_the_disk(tmp_path: Path) -> None:
    """An act that was refused is none; what ends is told as it is when everything is examined."""

    async def story(desk: Desk) -> tuple[calls.Measured, calls.Examined]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        with pytest.raises(BollardError):
            await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        return await desk.ask(calls.Measure(), calls.Measured), await examine(desk)

    told, examined = at_the_desk(make_home(tmp_path), story)
    assert (told.acts["station.added"], told.acts["certificate.issued"]) == (1, 1)
    assert (told.expiring, told.audit_size, told.troubles) == (examined.expiring, examined.audit_size, 0)
