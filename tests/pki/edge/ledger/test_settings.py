"""What the settings said is kept by name, the newest in the place of the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.edge.ledger import settings
from tests.pki.edge.ledger.ledgers import empty_ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_the_newest_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """And what is not spoken of stays."""
    with empty_ledger(tmp_path) as ledger:
        assert settings.every(ledger) == {}
        settings.keep(ledger, {"csms.host": "a", "web.status_url": "http://a"})
        settings.keep(ledger, {"web.status_url": ""})

        assert settings.every(ledger) == {"csms.host": "a", "web.status_url": ""}
