"""Certificates of our own keys come to be like any other, and are taken into use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.edge import calls
from pki.edge.keys import KeyKind
from pki.edge.office.authorities import Wanted, certify
from pki.holding import Holding, KeyState
from tests.worlds import WHO, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk

SUCCESSOR = Holding("station-2", "station", "station")


def test_a_successor_takes_over_its_slot_and_the_former_stays_trusted(tmp_path: Path) -> None:
    """From the next certificate on, the new authority signs; a restart finds it so."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        mine.keys.make("station-2", KeyKind.EC_P256)
        await certify(mine, Wanted(SUCCESSOR, "issuing", "root", "Bollard Station CA 2"), WHO)
        assert mine.active("station").holding == SUCCESSOR

    async def after(desk: Desk) -> None:
        rows = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        assert [(row.name, row.state) for row in rows if row.slot == "station"] == [
            ("station", KeyState.OLD),
            ("station-2", KeyState.ACTIVE),
        ]

    at_the_desk(home, story)
    at_the_desk(home, after)
