"""A file for people is there whole, or not at all, and takes nobody's place unasked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pki.edge.whole import written
from pki.errors import BollardError, ConflictError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: bytes = b"new", *, replace: bool = False) -> None:
    """Write a file."""
    with written(path, replace=replace) as (out, _):
        out.write(content)


def test_a_file_is_its_owner_s_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    """Whatever the umask."""
    write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_came_to_be_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    """The check before is too early; the last step is the one that counts."""
    with contextlib.ExitStack() as open_file:
        open_file.enter_context(written(tmp_path / "file", replace=False))
        (tmp_path / "file").write_bytes(b"other")
        with pytest.raises(ConflictError, match=r"file\.exists"):
            open_file.close()
    assert (tmp_path / "file").read_bytes() == b"other"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_with_leave_a_file_is_replaced_at_once_and_a_link_is_not_followed(tmp_path: Path) -> None:
    """What the link leads to stays as it is."""
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    write(tmp_path / "file", replace=True)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "other").read_bytes() == b"other"


def test_a_failure_leaves_what_was_there_and_no_more(tmp_path: Path) -> None:
    """Half a file is worse than none."""
    (tmp_path / "file").write_bytes(b"old")
    with contextlib.suppress(ZeroDivisionError), written(tmp_path / "file", replace=True) as (out, _):
        out.write(b"new")
        raise ZeroDivisionError
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_does_not_take_it_is_told(tmp_path: Path) -> None:
    """With the system's word and what to do."""
    with pytest.raises(BollardError, match=r"file\.unwritten.*No such file"):
        write(tmp_path / "nowhere" / "file")
