"""The journal's files as readers see them."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from secproxy.edge.segments import CHUNK_BYTES, Segment, held_if_final, list_segments, read_lines, segment_name

if TYPE_CHECKING:
    from pathlib import Path


def segment(folder: Path, content: bytes, opened: int = 1) -> Segment:
    path = folder / segment_name("worker-0", opened, 7)
    path.write_bytes(content)
    return Segment(path, opened, len(content))


def test_segments_are_listed_oldest_first(tmp_path: Path) -> None:
    """Order is the time of opening, as a number and not as text."""
    for opened in (10, 9, 100):
        segment(tmp_path, b"x\n", opened)

    assert [found.opened for found in list_segments(tmp_path)] == [9, 10, 100]


def test_files_of_another_shape_are_no_segments(tmp_path: Path) -> None:
    """A stray file in the folder is neither read nor deleted."""
    (tmp_path / "notes.jsonl").write_bytes(b"{}\n")
    (tmp_path / "worker-0-1-2.jsonl.bak").write_bytes(b"{}\n")

    assert list_segments(tmp_path) == []


@pytest.mark.parametrize("writer", ["", "../up", "Worker", "a" * 41, "a b"])
def test_a_writer_that_would_break_the_file_name_is_refused(writer: str) -> None:
    """Names hold lower-case letters, digits and dashes."""
    with pytest.raises(ValueError, match="no name of a writer"):
        segment_name(writer, 1, 2)


def test_a_locked_segment_is_not_final(tmp_path: Path) -> None:
    """Whoever may still write holds the lock; when it lets go, the segment is final."""
    found = segment(tmp_path, b"")
    with found.path.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with held_if_final(found) as final:
            assert not final

    with held_if_final(found) as final:
        assert final


def test_a_final_segment_cannot_be_locked_by_a_writer_while_it_is_held(tmp_path: Path) -> None:
    """A new segment looks final until its writer has locked it; a writer that comes too late must make another."""
    found = segment(tmp_path, b"")
    with held_if_final(found), found.path.open("ab") as writer, pytest.raises(BlockingIOError):
        fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    ("content", "offset", "rest", "expected"),
    [
        (b"", 0, False, b""),
        (b"a\nb\n", 0, False, b"a\nb\n"),
        (b"a\nb\n", 2, False, b"b\n"),
        (b"a\nhalf", 0, False, b"a\n"),
        (b"a\nhalf", 2, False, b""),
        (b"a\nhalf", 0, True, b"a\n"),
        (b"a\nhalf", 2, True, b"half"),
        (b"a\n", 2, True, b""),
    ],
)
def test_only_whole_lines_are_read_until_the_rest_is_asked_for(
    tmp_path: Path, content: bytes, offset: int, rest: bool, expected: bytes
) -> None:
    """A half line may still be growing, unless the segment is final."""
    assert expected == read_lines(segment(tmp_path, content), offset, rest=rest)


def test_a_chunk_without_any_line_end_is_handed_over(tmp_path: Path) -> None:
    """A reader never waits for ever for the end of a line that cannot be an event."""
    found = segment(tmp_path, b"x" * (CHUNK_BYTES + 10))

    assert len(read_lines(found, 0)) == CHUNK_BYTES
