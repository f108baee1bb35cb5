"""What an offline root sent is kept once, and never gives way to something older."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.ledger import ceremonies
from pki.errors import ConflictError
from tests.pki.edge.ledger.ledgers import THEN, empty_ledger

if TYPE_CHECKING:
    from pathlib import Path

OURS, OTHER = b"r" * 32, b"o" * 32


def test_the_newest_list_of_each_root_is_found(tmp_path: Path) -> None:
    """Roots count for themselves."""
    with empty_ledger(tmp_path) as ledger:
        assert ceremonies.newest_list(ledger, OURS) is None
        for number, root in ((1, OURS), (7, OTHER), (2, OURS)):
            ceremonies.add(ledger, f"{number:064}", root, number, b"list %d" % number, THEN)

        assert (ceremonies.newest_list(ledger, OURS), ceremonies.newest_number(ledger, OURS)) == (b"list 2", 2)
        assert ceremonies.is_imported(ledger, f"{7:064}")
        assert not ceremonies.is_imported(ledger, f"{3:064}")


@pytest.mark.parametrize("number", [1, 2])
def test_a_list_that_is_not_newer_is_refused(tmp_path: Path, number: int) -> None:
    """RFC 5280 5.2.3: whoever brings an old one would take revocations back."""
    with empty_ledger(tmp_path) as ledger:
        ceremonies.add(ledger, "a" * 64, OURS, 2, b"list", THEN)
        with pytest.raises(ConflictError, match=r"ceremony\.stale"):
            ceremonies.add(ledger, "b" * 64, OURS, number, b"old", THEN)
        assert ceremonies.newest_list(ledger, OURS) == b"list"
