"""Everything that ends is in the inventory: ours, given ones, stations', others'."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.office import inventory
from pki.rotation import Actor, Item, Kind
from tests.certs import NOW, Party
from tests.worlds import Manufacturer, Paper, at_the_desk, make_home

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
