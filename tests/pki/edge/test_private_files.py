"""Files of ours are private, whole, and read with a bound."""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pki.edge.private_files import read_private, write_private

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_written_is_read_back_and_belongs_to_its_owner(tmp_path: Path) -> None:
    """Nothing is left beside it, and what stood there before is replaced as a whole."""
    for content in (b"one", b"two"):
        write_private(tmp_path / "file", content)

    assert read_private(tmp_path / "file", 3) == b"two"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    """Here a folder stands there."""
    (tmp_path / "file" / "x").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "file", b"content")

    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_longer_than_expected_is_not_read(tmp_path: Path) -> None:
    """64 MiB in place of a key cost no more than the bound."""
    with (tmp_path / "file").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="longer than 100 bytes"):
            read_private(tmp_path / "file", 100)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_plain_file_holds_nobody_up(kind: str, tmp_path: Path) -> None:
    """A pipe that nobody writes to would be waited for till the end of days."""
    path = tmp_path / "file"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match=r"no plain file|directory"):
        read_private(path, 100)
