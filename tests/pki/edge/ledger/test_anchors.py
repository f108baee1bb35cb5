"""Anchors are kept once for each purpose and vendor, and removed by any unique beginning of their key id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.ledger import anchors
from pki.errors import ConflictError, NotFoundError
from tests.pki.edge.ledger.ledgers import LATER, empty_ledger

if TYPE_CHECKING:
    from pathlib import Path


def anchor(key: bytes = b"k" * 32, purpose: str = "station", vendor: str = "") -> calls.AnchorRow:
    """An anchor's row."""
    return calls.AnchorRow(purpose, vendor, "CN=their root", LATER, key, "pem")


def test_an_anchor_is_read_back_and_trusted_once(tmp_path: Path) -> None:
    """The same key may be trusted for another purpose or vendor, each a decision of its own."""
    rows = [anchor(purpose="firmware", vendor="A"), anchor(purpose="firmware", vendor="B"), anchor()]
    with empty_ledger(tmp_path) as ledger:
        for row in rows:
            anchors.add(ledger, row)
        with pytest.raises(ConflictError, match=r"anchor\.exists"):
            anchors.add(ledger, anchor())
        assert anchors.every(ledger) == rows


def test_a_beginning_must_name_one_key(tmp_path: Path) -> None:
    """Two keys that begin alike are not both removed by half a name."""
    near, far = bytes.fromhex("ab" * 31 + "01"), bytes.fromhex("ab" * 31 + "02")
    with empty_ledger(tmp_path) as ledger:
        anchors.add(ledger, anchor(near))
        anchors.add(ledger, anchor(far))
        with pytest.raises(ConflictError, match=r"anchor\.ambiguous"):
            anchors.remove(ledger, "abababab", "station")
        assert [row.key_id for row in anchors.remove(ledger, far.hex(), "station")] == [far]
        assert [row.key_id for row in anchors.remove(ledger, "abababab", "station")] == [near]
        with pytest.raises(NotFoundError, match=r"anchor\.unknown"):
            anchors.remove(ledger, "abababab", "station")


def test_removing_keeps_other_purposes(tmp_path: Path) -> None:
    """Trust for stations is not trust for firmware, in either direction."""
    with empty_ledger(tmp_path) as ledger:
        anchors.add(ledger, anchor())
        anchors.add(ledger, anchor(purpose="csms"))
        anchors.remove(ledger, (b"k" * 32).hex(), "station")
        assert [row.purpose for row in anchors.every(ledger)] == ["csms"]
