"""The ledger remembers that it came back from a backup, and whether that took it behind where it had been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.ledger import restores
from pki.edge.ledger.restores import NOTHING, Restore
from tests.pki.edge.ledger.ledgers import LATER, THEN, empty_ledger

if TYPE_CHECKING:
    from pathlib import Path


def test_restores_are_kept_in_order(tmp_path: Path) -> None:
    """Each with its moment and both sizes."""
    rows = [Restore(3, THEN, 3, NOTHING), Restore(9, LATER, 9, 12)]
    with empty_ledger(tmp_path) as ledger:
        for row in rows:
            restores.add(ledger, row)
        assert restores.every(ledger) == rows


@pytest.mark.parametrize(("size", "replaced", "back"), [(9, 12, True), (12, 12, False), (3, NOTHING, False)])
def test_only_what_had_been_written_can_be_lost(size: int, replaced: int, back: bool) -> None:
    """A home that replaced nothing lost nothing."""
    assert Restore(0, THEN, size, replaced).went_back is back
