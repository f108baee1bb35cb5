"""One screen of what is there and what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Bollard


def test_status_counts_and_names_expiries(bollard: Bollard) -> None:
    """Stations, certificates, images, and the day each of our CAs ends."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    told = bollard("-o", "json", "status").json()

    assert isinstance(told["counts"], dict)
    assert told["counts"]["stations"] == 1
    assert told["processes"] == {"authority": False, "proxy": False}
    assert isinstance(told["issuers"], list)
    assert all(issuer["not_after"] for issuer in told["issuers"])


def test_people_read_it_on_one_screen(bollard: Bollard) -> None:
    """At most a terminal's 24 lines."""
    told = bollard("status")

    assert "server ends" in told.out
    assert "root ends" in told.out
    assert len(told.out.splitlines()) <= 24
