"""A result's folder is closed to others, made once, and read within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.ceremony.terms import FILE_BYTES
from pki.ceremony.transcript import ended, read_entries
from pki.edge.result_folder import FILES_MOST, ResultFolder, read_requests, read_result, read_without_key
from pki.errors import ConflictError, ForbiddenError, InputError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path


def made(folder: Path) -> ResultFolder:
    """A folder with one entry."""
    new = ResultFolder.make(folder / "result", "keys")
    new.tell(ended(0))
    return new


def test_it_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """Folders 0700, files 0600."""
    folder = made(tmp_path)
    folder.write("ca/root.pem", b"x")
    modes = {(each.is_dir(), each.stat().st_mode & 0o777) for each in [folder.path, *folder.path.rglob("*")]}

    assert modes == {(True, 0o700), (False, 0o600)}


def test_one_that_is_there_is_never_used_again(tmp_path: Path) -> None:
    """It may be evidence of a ceremony that ended early."""
    made(tmp_path)
    with pytest.raises(ConflictError, match=r"ceremony\.exists"):
        ResultFolder.make(tmp_path / "result")


def test_each_entry_is_added_and_none_replaced(tmp_path: Path) -> None:
    """The file on the disk is the list in memory."""
    folder = made(tmp_path)
    folder.tell(ended(1))

    assert list(read_entries(read_result(folder.path).transcript)) == folder.entries
    assert [each.line.what["signed"] for each in folder.entries] == [0, 1]


def test_the_root_s_key_is_not_read(tmp_path: Path) -> None:
    """It is no part of what travels."""
    folder = made(tmp_path)
    (folder.path / "keys" / "root.pem").write_text("secret")

    assert list(read_result(folder.path).files) == ["transcript.jsonl"]
    with pytest.raises(ForbiddenError, match=r"ceremony\.key_here"):
        read_without_key(folder.path)
    (folder.path / "keys" / "root.pem").unlink()
    assert read_without_key(folder.path) == read_result(folder.path)


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    """A stick must not make us read a file of this machine."""
    folder = made(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (folder.path / "ceremony.toml").symlink_to(tmp_path / "secret")

    assert read_result(folder.path).file == b""


def test_too_much_is_refused(tmp_path: Path) -> None:
    """Too many files, or one that is too large; and a folder without a transcript is none."""
    folder = made(tmp_path)
    with (folder.path / "large").open("wb") as file:
        file.truncate(8 * FILE_BYTES)
    with pytest.raises(InputError, match=r"ceremony\.unreadable.*larger"):
        read_result(folder.path)
    (folder.path / "large").unlink()
    for number in range(FILES_MOST):
        (folder.path / f"{number}").touch()
    with pytest.raises(InputError, match=r"ceremony\.unreadable.*more than"):
        read_result(folder.path)
    with pytest.raises(NotFoundError, match=r"ceremony\.none"):
        read_result(tmp_path)


def test_requests_go_by_their_files_names(tmp_path: Path) -> None:
    """Other files are none."""
    (tmp_path / "csms.csr").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"y")

    assert read_requests(tmp_path) == {"csms": b"x"}
    assert read_requests(None) == {}
