"""Who signs answers, by command."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def test_signers_are_shown_with_their_end(bollard: Bollard) -> None:
    """One for the CSMS's authority from ``init`` on; the others are made when the authority first runs."""
    told = bollard("-o", "json", "ocsp", "show")
    signers = {row["issuer"]: row["signer"] for row in told.rows("signers")}

    assert signers == {"csms": "ocsp", "station": ""}
    assert "asked at http://localhost:8480/ocsp" in told.err


def test_a_home_that_serves_no_status_says_so(bollard: Bollard, home: Path) -> None:
    """Rather than showing an address that leads nowhere."""
    settings = home / "bollard.toml"
    kept = [line for line in settings.read_text().splitlines() if not line.startswith("status_")]
    settings.write_text("\n".join(kept))

    assert "asked nowhere" in bollard("ocsp", "show").err
