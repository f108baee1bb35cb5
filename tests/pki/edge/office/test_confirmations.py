"""Only for a root of ours, and only for stations there are, can it be noted who trusts it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.office.confirmations import STATIONS_MOST
from pki.errors import InputError, NotFoundError
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


def test_a_confirmation_is_recorded_with_its_way(tmp_path: Path) -> None:
    """One entry for all stations that were named."""

    async def story(desk: Desk) -> dict[str, object]:
        for number in (1, 2):
            await desk.ask(Paper.of(number).add, calls.StationAdded)
        done = await desk.ask(calls.ConfirmTrust(("CP-001", "CP-002"), "root", "installed"), calls.Done)
        (row,) = (await desk.ask(calls.ListAudit(done.audit_index, 1), calls.AuditRows)).rows
        entry: dict[str, object] = json.loads(row.entry)["what"]
        return entry

    what = at_the_desk(make_home(tmp_path), story)
    assert (what["root"], what["how"], what["stations"]) == ("root", "installed", ["CP-001", "CP-002"])


def test_who_is_confirmed_already_is_not_confirmed_again(tmp_path: Path) -> None:
    """The entry names those who are new, so that the log tells how every row came to be."""

    async def story(desk: Desk) -> str:
        for number in (1, 2):
            await desk.ask(Paper.of(number).add, calls.StationAdded)
        await desk.ask(calls.ConfirmTrust(("CP-001",), "root"), calls.Done)
        done = await desk.ask(calls.ConfirmTrust(("CP-001", "CP-002"), "root"), calls.Done)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        (row,) = (await desk.ask(calls.ListAudit(done.audit_index, 1), calls.AuditRows)).rows
        return ", ".join(json.loads(row.entry)["what"]["stations"])

    assert at_the_desk(make_home(tmp_path), story) == "CP-002"


@pytest.mark.parametrize(
    ("call", "kind", "code"),
    [
        pytest.param(calls.ConfirmTrust(("CP-001",), "csms"), InputError, "confirm.root", id="an issuing authority"),
        pytest.param(calls.ConfirmTrust(("CP-001",), "moon"), NotFoundError, "issuer.unknown", id="no key of ours"),
        pytest.param(calls.ConfirmTrust(("CP-009",), "root"), NotFoundError, "station.unknown", id="no station"),
        pytest.param(calls.ConfirmTrust((), "root"), InputError, "confirm.stations", id="nobody"),
        pytest.param(
            calls.ConfirmTrust(("CP",) * (STATIONS_MOST + 1), "root"), InputError, "confirm.stations", id="all"
        ),
        pytest.param(calls.ConfirmTrust(("CP-001",), "root", "hope"), InputError, "confirm.how", id="no way to know"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, call: calls.ConfirmTrust, kind: type[Exception], code: str) -> None:
    """Nothing is noted."""

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        with pytest.raises(kind, match=code.replace(".", r"\.")):
            await desk.ask(call, calls.Done)

    at_the_desk(make_home(tmp_path), story)
