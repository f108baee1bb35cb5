"""Which authorities of ours answer for what they signed, and at which addresses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pki.edge.ledger import crls
from pki.edge.office.services import answering, below_the_root, services_of
from pki.holding import Keeper
from pki.services import ROOT_SHARDS, SHARDS
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


def test_addresses_follow_from_the_settings_and_the_name_of_the_key(tmp_path: Path) -> None:
    """The root's list is one, an issuing authority's is cut; each is fixed in the ledger from then on."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        station, root = await services_of(mine, mine.mine("station")), await services_of(mine, mine.mine("root"))
        assert station is not None
        assert root is not None
        assert (station.shards, root.shards) == (SHARDS, ROOT_SHARDS)
        assert station.crl(7) == "http://csms.example.org:8480/crl/station/7.crl"
        assert await mine.ledger.read(crls.bases) == ("http://csms.example.org:8480",)

    at_the_desk(make_home(tmp_path, status=True), story)


def test_without_an_address_in_the_settings_there_is_none(tmp_path: Path) -> None:
    """And what is issued points nowhere."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        assert await services_of(mine, mine.mine("station")) is None

    at_the_desk(make_home(tmp_path), story)


def test_a_key_that_lies_elsewhere_signs_its_list_elsewhere(tmp_path: Path) -> None:
    """An offline root is left out; it never has OCSP answered, wherever it lies."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        assert [own.name for own in answering(mine)] == ["root", "csms", "station"]
        root = mine.own["root"]
        mine.own["root"] = replace(root, holding=replace(root.holding, keeper=Keeper.ELSEWHERE))
        assert [own.name for own in answering(mine)] == ["csms", "station"]
        assert below_the_root(mine) == answering(mine)

    at_the_desk(make_home(tmp_path), story)
