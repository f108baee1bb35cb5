"""A station's former certificate ends once the station was seen to live with the newer one (A02.FR.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


@pytest.mark.parametrize(
    ("days", "used", "statuses"),
    [
        pytest.param(0, "new", ["revoked", "valid"], id="the new one in use, for long enough"),
        pytest.param(30, "new", ["valid", "valid"], id="not yet for long enough"),
        pytest.param(0, "old", ["valid", "valid"], id="the new one never used"),
        pytest.param(0, "", ["valid", "valid"], id="nothing seen"),
    ],
)
def test_only_what_was_seen_ends_a_former_certificate(
    tmp_path: Path, days: int, used: str, statuses: list[str]
) -> None:
    """A station that failed to switch keeps its old one, however long it takes."""
    home = make_home(tmp_path)
    home.settings.write_text(f"{home.settings.read_text()}\n[issuing]\nkeep_old_days = {days}\n")

    async def story(desk: Desk) -> list[str]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        old, new = [await desk.ask(Paper.of(1).issue, calls.CertificateIssued) for _ in range(2)]
        serial = {"old": old.certificate.serial, "new": new.certificate.serial, "": ""}[used]
        await desk.ask(calls.ReportBoot("CP-001", "Volta", "Wall", "SN-001", "1.0", certificate=serial), calls.Done)
        await desk.office.tend()
        rows = (await desk.ask(calls.ListStations("CP-001"), calls.Stations)).stations[0].certificates
        return [row.status for row in rows]

    assert at_the_desk(home, story) == statuses
