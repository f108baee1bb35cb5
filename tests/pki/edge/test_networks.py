"""A machine that is on a network is told from one that is not; where nobody knows, it counts as on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.networks import UNKNOWN, networks_allowed, networks_up
from pki.errors import ForbiddenError

if TYPE_CHECKING:
    from pathlib import Path

LO, UP, DOWN = "0x9", "0x1003", "0x1002"


def machine(folder: Path, **flags: str) -> Path:
    """A folder as Linux shows interfaces."""
    for name, value in flags.items():
        (folder / name).mkdir()
        (folder / name / "flags").write_text(f"{value}\n")
    (folder / "bonding_masters").write_text("")
    return folder


def test_loopback_and_interfaces_that_are_down_do_not_count(tmp_path: Path) -> None:
    """A laptop with its radio off is on no network."""
    assert networks_up(machine(tmp_path, lo=LO, eth0=DOWN)) == ()


def test_an_interface_that_is_up_counts_even_without_a_cable(tmp_path: Path) -> None:
    """Up means that a cable is all that is missing."""
    assert networks_up(machine(tmp_path, lo=LO, wlan0=UP, eth0=UP)) == ("eth0", "wlan0")


@pytest.mark.parametrize("flags", ["", "many"])
def test_where_nobody_knows_it_is_not_taken_for_none(tmp_path: Path, flags: str) -> None:
    """Neither without the folder nor with nonsense in it."""
    assert networks_up(machine(tmp_path, eth0=flags)) == (UNKNOWN,)
    assert networks_up(tmp_path / "nowhere") == (UNKNOWN,)


def test_any_network_is_refused_unless_it_is_allowed_aloud(tmp_path: Path) -> None:
    """A root's key must never have been on one."""
    folder = machine(tmp_path, eth0=UP)
    with pytest.raises(ForbiddenError, match=r"ceremony\.networked.*eth0"):
        networks_allowed(folder)
    assert networks_allowed(folder, any_at_all=True) == ("eth0",)
    (folder / "eth0" / "flags").write_text(DOWN)
    assert networks_allowed(folder) == ()
