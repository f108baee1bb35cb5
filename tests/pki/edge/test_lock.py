"""The lock lets one authority in at a time and cannot go stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge import lock
from pki.edge.lock import exclusive
from pki.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_holder_is_refused_at_once(tmp_path: Path) -> None:
    """Two authorities would sign with one ledger's serials."""
    with lock.hold(tmp_path / "lock"), pytest.raises(ConflictError) as refused, lock.hold(tmp_path / "lock"):
        pass
    assert refused.value.code == "authority.running"


def test_the_lock_is_free_again_after_its_holder(tmp_path: Path) -> None:
    """The file stays, the lock does not."""
    for _ in range(2):
        with lock.hold(tmp_path / "lock"):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


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


def test_a_lock_s_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """A home may be copied without it; the cure is one command."""
    with pytest.raises(NotFoundError, match=r"home\.folder") as refused, exclusive(tmp_path / "run" / "lock"):
        pass
    assert f"mkdir -m 700 {tmp_path / 'run'}" in refused.value.advice
