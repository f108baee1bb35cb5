"""Locks that die with their holder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secproxy.edge.locks import exclusive

if TYPE_CHECKING:
    from pathlib import Path


def test_only_one_holds_a_lock_at_a_time(tmp_path: Path) -> None:
    """The second one is told so at once and does not wait."""
    with exclusive(tmp_path / "lock") as first, exclusive(tmp_path / "lock") as second:
        assert (first, second) == (True, False)


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    """Letting go needs no clean-up of files."""
    with exclusive(tmp_path / "lock") as first:
        assert first
    with exclusive(tmp_path / "lock") as second:
        assert second


def test_a_lock_file_is_private(tmp_path: Path) -> None:
    """Nobody else can hold our lock against us."""
    with exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
