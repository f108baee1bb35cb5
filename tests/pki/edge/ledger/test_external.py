"""What others issued stands in the ledger as every certificate does, with the chain that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.ledger import certificates, external, stations
from pki.errors import ConflictError
from pki.revocation import Reason
from tests.pki.edge.ledger.ledgers import certificate, empty_ledger, station

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

KEY = b"k" * 32


def keep(ledger: Database, serial: str, chain: str) -> None:
    """Keep a certificate that the issuer named hubject gave CP-1."""
    external.keep(ledger, certificate(serial, "CP-1"), (b"tbs", b"der"), ("hubject", KEY), chain)


def test_the_newest_that_still_holds_is_given_again(tmp_path: Path) -> None:
    """A revoked one is not, nor one for another key, station or issuer."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        for serial in ("1", "2"):
            keep(ledger, serial, f"chain {serial}")
        found = external.find(ledger, "CP-1", "hubject", KEY)
        assert found is not None
        assert (found[0].serial, found[0].status, found[1]) == ("2", "valid", "chain 2")

        certificates.revoke(ledger, certificates.by_serial(ledger, "2"), Reason.SUPERSEDED, "2026-02-01T00:00:00Z")
        found = external.find(ledger, "CP-1", "hubject", KEY)
        assert found is not None
        assert found[1] == "chain 1"
        for names in (("CP-2", "hubject", KEY), ("CP-1", "other", KEY), ("CP-1", "hubject", b"x" * 32)):
            assert external.find(ledger, *names) is None


def test_one_serial_of_one_issuer_is_kept_once(tmp_path: Path) -> None:
    """Whoever answers twice with one certificate gave one certificate."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        keep(ledger, "1", "chain")
        with pytest.raises(ConflictError, match=r"certificate\.serial_taken"):
            keep(ledger, "1", "chain")
