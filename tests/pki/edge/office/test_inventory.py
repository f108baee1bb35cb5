"""Everything that ends is in the inventory: ours, given ones, stations', others'."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.office import inventory
from pki.external import ExternalIssuer
from pki.rotation import Actor, Item, Kind
from tests.ceremonies import ceremony_of, waiting_home
from tests.certs import NOW, Party, request
from tests.worlds import Manufacturer, Paper, at_the_desk, make_home, station_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

ROOT = Party.root("Public Root", "Somebody Else")


async def taken(desk: Desk) -> list[Item]:
    """The inventory."""
    return list((await inventory.take(desk.office._desk)).items)


def test_a_new_home_has_its_own_authorities_and_servers(tmp_path: Path) -> None:
    """Authorities by slot, as the command that replaces them names them; none of them is outdated."""
    items = at_the_desk(make_home(tmp_path), taken)

    assert {(item.kind, item.name) for item in items} == {
        (Kind.ROOT, "root"),
        (Kind.ISSUING, "csms"),
        (Kind.ISSUING, "station"),
        (Kind.OCSP, "ocsp"),
        (Kind.SERVER, "server-ecdsa"),
        (Kind.SERVER, "server-rsa"),
    }
    assert not any(item.outdated for item in items)
    bears = {item.name: item.bears for item in items}
    assert bears["station"] == dt.timedelta(days=1096)
    assert bears["root"] > bears["station"] > bears["csms"] > bears["ocsp"]


def test_stations_and_what_is_trusted_of_others_are_in_it(tmp_path: Path) -> None:
    """By the names that people know them under."""

    async def story(desk: Desk) -> list[Item]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        await desk.ask(Manufacturer.named("Volta").trust, calls.Done)
        return await taken(desk)

    items = at_the_desk(make_home(tmp_path), story)
    names = {item.kind: item.name for item in items}
    assert names[Kind.STATION] == "CP-001"
    assert names[Kind.ANCHOR] == "firmware CN=Volta Root,O=Volta"


def test_given_server_certificates_are_in_it_by_their_files(tmp_path: Path) -> None:
    """While what lies there is unsound nothing is known of them; a duty tells of that."""
    home = make_home(tmp_path)
    given = ROOT.issue("csms.example.org", dns="csms.example.org")
    (tmp_path / "given.pem").write_text(given.pem)
    (tmp_path / "given.key").write_text(given.key_pem)
    table = f'[[server_certificate]]\ncertificate = "{tmp_path}/given.pem"\nkey = "{tmp_path}/given.key"\n'
    home.settings.write_text(f"{home.settings.read_text()}\n{table}")

    def found() -> list[Item]:
        return [item for item in at_the_desk(home, taken) if item.kind is Kind.GIVEN_SERVER]

    (item,) = found()
    assert (item.name, item.not_after) == (f"{tmp_path}/given.pem", NOW + dt.timedelta(days=30))
    (tmp_path / "given.pem").write_text("nonsense")
    assert found() == []


async def _other_authority(desk: Desk) -> None:
    made = await desk.ask(calls.RollOver("csms"), calls.RolledOver)
    await desk.ask(calls.ActivateIssuer(made.issuer.name), calls.Activated)


async def _nothing(_: Desk) -> None:
    return


@pytest.mark.parametrize(
    ("settings", "act"),
    [
        pytest.param(("[csms]", "[csms]\ncertificate_hours = 20"), _nothing, id="another length of life"),
        pytest.param(('host = "csms.example.org"', 'host = "new.example.org"'), _nothing, id="another host"),
        pytest.param(("", ""), _other_authority, id="another issuer"),
    ],
)
def test_a_server_certificate_that_would_be_another_today_is_outdated(
    tmp_path: Path, settings: tuple[str, str], act: Callable[[Desk], Awaitable[None]]
) -> None:
    """So that a change takes hold without anybody remembering it."""
    home = make_home(tmp_path)
    home.settings.write_text(home.settings.read_text().replace(*settings))

    async def story(desk: Desk) -> list[Item]:
        await act(desk)
        return await taken(desk)

    outdated = {item.name for item in at_the_desk(home, story) if item.outdated}
    assert outdated == {"server-ecdsa", "server-rsa"}


def test_what_an_authority_elsewhere_must_sign_is_an_operators(tmp_path: Path) -> None:
    """Bollard alone cannot."""
    home = make_home(tmp_path)
    set_elsewhere(home, "csms")

    by = {item.name: item.by for item in at_the_desk(home, taken)}
    assert by["server-ecdsa"] is Actor.OPERATOR


def set_elsewhere(home: Home, name: str) -> None:
    """Say that a key of ours is kept by somebody else."""

    async def story(desk: Desk) -> None:
        sql = "UPDATE own_key SET keeper = 'elsewhere' WHERE name = :name"
        await desk.office._desk.ledger.write(lambda tx: tx.database.execute(sql, {"name": name}))

    at_the_desk(home, story)


def test_every_authority_is_in_it_with_the_command_that_replaces_it(tmp_path: Path) -> None:
    """Those for cars, operators and makers too; what is due last of all is due in half a century."""

    async def story(desk: Desk) -> list[calls.DueRow]:
        await desk.ask(calls.CreateIssuer("v2g", "v2g", edition="2"), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("operators", "operator"), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("volta", "manufacturer", vendor="Volta"), calls.IssuersCreated)
        moment = dt.datetime(2070, 6, 1, tzinfo=dt.UTC)
        return list((await desk.ask(calls.ShowRotation(moment), calls.Rotation)).due)

    due = {row.name: row for row in at_the_desk(make_home(tmp_path), story)}
    v2g = "bollard ca create NAME --purpose v2g --edition 2"
    assert {name: row.command for name, row in due.items() if row.by == "operator"} == {
        "root": "bollard ca rollover root",
        "csms": "bollard ca rollover csms",
        "station": "bollard ca rollover station",
        "operator": "bollard ca create NAME --purpose operator, then bollard ca activate NAME",
        "manufacturer:Volta": "bollard ca create NAME --purpose manufacturer --vendor 'Volta',"
        " then bollard ca activate NAME",
        "v2g-root-2": f"{v2g}, then bollard ca activate NAME",
        "v2g-sub1-2": f"{v2g} --under v2g-root, then bollard ca activate NAME",
        "v2g-sub2-2": f"{v2g} --under v2g-sub1, then bollard ca activate NAME",
    }


def test_what_a_key_elsewhere_signs_is_due_with_a_command_that_is_not_refused(tmp_path: Path) -> None:
    """The root itself, those below it, and those of other purposes."""
    home = make_home(tmp_path)

    async def make(desk: Desk) -> None:
        await desk.ask(calls.CreateIssuer("v2g", "v2g", edition="2"), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("operators", "operator"), calls.IssuersCreated)

    at_the_desk(home, make)
    set_elsewhere(home, "root")
    set_elsewhere(home, "v2g-sub1")
    moment = dt.datetime(2070, 6, 1, tzinfo=dt.UTC)
    due = {row.name: row.command for row in ask_once(home, calls.ShowRotation(moment), calls.Rotation).due}

    assert due["root"] == "bollard ca ceremony plan --root-name NAME, then run it and import what it signed"
    assert due["csms"] == "bollard ca ceremony request csms"
    assert due["operator"] == "bollard ca import FILE --purpose operator, then bollard ca activate NAME"
    assert due["v2g-sub2-2"] == ("bollard ca import FILE --purpose v2g-sub2 --edition 2, then bollard ca activate NAME")


@pytest.mark.parametrize(
    ("slot", "create"),
    [
        ("operator", calls.CreateIssuer("new", "operator")),
        ("v2g-sub2-2", calls.CreateIssuer("new", "v2g", edition="2", under="v2g-sub1")),
        ("manufacturer:Volta", calls.CreateIssuer("new", "manufacturer", vendor="Volta")),
    ],
)
def test_the_commands_of_the_plan_lead_to_a_successor_in_use(
    tmp_path: Path, slot: str, create: calls.CreateIssuer
) -> None:
    """As the plan has them: create, then activate; the former is old then, and can be let go."""

    async def story(desk: Desk) -> dict[str, str]:
        for call in (
            calls.CreateIssuer("v2g", "v2g", edition="2"),
            calls.CreateIssuer("operators", "operator"),
            calls.CreateIssuer("volta", "manufacturer", vendor="Volta"),
            create,
        ):
            await desk.ask(call, calls.IssuersCreated)
        await desk.ask(calls.ActivateIssuer("new"), calls.Activated)
        rows = [row for row in (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers if row.slot == slot]
        (former,) = (row.name for row in rows if row.name != "new")
        await desk.ask(calls.RetireIssuer(former), calls.Done)
        return {row.name: row.state for row in rows}

    found = at_the_desk(make_home(tmp_path), story)
    assert found.pop("new") == "active"
    assert set(found.values()) == {"old"}


def test_what_a_station_shows_to_cars_is_in_it(tmp_path: Path) -> None:
    """With the certificate profile that its successor is issued by."""

    async def story(desk: Desk) -> list[Item]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(calls.CreateIssuer("v2g", "v2g", edition="2"), calls.IssuersCreated)
        name = "DEABCS0123456789ABCDEF0123456789ABCDEF0"
        csr = request(station_key(5), name, "Example Charging")
        call = calls.IssueCertificate("CP-001", csr, profile="v2g-secc-2", name=name)
        await desk.ask(call, calls.CertificateIssued)
        return await taken(desk)

    (item,) = [item for item in at_the_desk(make_home(tmp_path), story) if item.kind is Kind.V2G]
    assert item.name == "CP-001"
    assert "--certificate-profile v2g-secc-2 --seccid DEABCS0123456789ABCDEF0123456789ABCDEF0 --csr" in item.command


def test_each_name_that_a_station_shows_to_cars_is_in_it(tmp_path: Path) -> None:
    """One place to charge at is renewed without the other, and the plan still has both, each with its command."""
    names = [f"DEABCS0123456789ABCDEF0123456789ABCDEF{number}" for number in (1, 2)]

    async def story(desk: Desk) -> list[Item]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(calls.CreateIssuer("v2g", "v2g", edition="2"), calls.IssuersCreated)
        for number, name in enumerate((*names, names[0])):
            csr = request(station_key(5 + number), name, "Example Charging")
            await desk.ask(
                calls.IssueCertificate("CP-001", csr, profile="v2g-secc-2", name=name), calls.CertificateIssued
            )
        return await taken(desk)

    items = [item for item in at_the_desk(make_home(tmp_path), story) if item.kind is Kind.V2G]
    assert [name for item in items for name in names if f"--seccid {name} " in item.command] == [names[1], names[0]]
    assert {item.name for item in items} == {"CP-001"}


def test_what_an_external_authority_issues_by_a_profile_of_the_home_s_is_in_it(tmp_path: Path) -> None:
    """It is kept under the profile's name, whatever that is."""

    async def story(desk: Desk) -> list[Item]:
        office = desk.office._desk
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        issued = await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        await office.ledger.write(
            lambda tx: tx.database.execute(
                "UPDATE certificate SET purpose = 'our-secc' WHERE serial = ?", [issued.certificate.serial]
            )
        )
        hub = ExternalIssuer("hub", "https://hub/.well-known/est", "our-secc", "a.pem", "a.pem")
        named = replace(office, settings=replace(office.settings, external_issuers=(hub,)))
        return [*(await inventory.take(named)).items]

    (item,) = [item for item in at_the_desk(make_home(tmp_path), story) if item.kind is Kind.V2G]
    assert "--certificate-profile our-secc --seccid SN-001 " in item.command


def test_an_authority_that_has_fallen_is_a_persons_and_what_it_signs_waits(tmp_path: Path) -> None:
    """Nothing is tried in vain, round after round; the doctor says the same until another is in use."""

    async def story(desk: Desk) -> None:
        serial = desk.office._desk.mine("csms").serial
        await desk.ask(calls.RevokeCertificate(serial, "ca_compromise", True), calls.Done)
        due = (await desk.ask(calls.ShowRotation(), calls.Rotation)).due
        assert {(row.name, row.by, row.command) for row in due} == {
            (name, "operator", "bollard ca rollover csms") for name in ("csms", "server-ecdsa", "server-rsa")
        }
        (missing,) = (await desk.ask(calls.Examine(30), calls.Examined)).missing
        assert missing.what == "authority for csms"
        assert "bollard ca rollover csms" in missing.fix
        made = await desk.ask(calls.RollOver("csms"), calls.RolledOver)
        await desk.ask(calls.ActivateIssuer(made.issuer.name), calls.Activated)
        assert [row.kind for row in (await desk.ask(calls.Rotate(), calls.Rotated)).renewed] == ["server", "server"]
        assert (await desk.ask(calls.Examine(30), calls.Examined)).missing == ()

    at_the_desk(make_home(tmp_path), story)


def test_a_list_from_an_offline_root_is_in_the_plan_and_told_by_the_doctor(tmp_path: Path) -> None:
    """It is shown with the others, and renewed by a ceremony alone."""
    home = waiting_home(tmp_path)
    call = ceremony_of(home, tmp_path / "c").call

    async def story(desk: Desk) -> None:
        await desk.ask(call, calls.CeremonyImported)
        (item,) = [item for item in await taken(desk) if item.kind is Kind.ROOT_CRL]
        (row,) = (await desk.ask(calls.ListCrls("root"), calls.Crls)).crls
        assert (item.name, item.not_after) == (row.issuer, row.next_update)
        assert (row.issuer, row.shard, row.number) == ("root", 0, 1)
        (told,) = [
            each
            for each in (await desk.ask(calls.Examine(30), calls.Examined)).expiring
            if (each.kind, each.name) == ("revocation list of", "root")
        ]
        assert told.not_after == row.next_update
        assert "ceremony" in told.renewed_by

    at_the_desk(home, story)
