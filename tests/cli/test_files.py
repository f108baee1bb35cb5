"""Files that people hand over are bounded before they are read, and never overwritten by accident."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.files import (
    TEXT_BYTES,
    existing,
    free_to_write,
    new_folder,
    read_bytes,
    read_given,
    read_given_password,
    read_paper,
    read_password,
    read_secret,
    read_signature,
    read_text,
    write_out,
    write_parts,
)
from pki.errors import ConflictError, InputError, NotFoundError
from pki.request import read_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_a_file_at_the_limit_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    """The limit is exact, and said."""
    file = tmp_path / "f"
    file.write_bytes(b"x" * TEXT_BYTES)
    assert len(read_bytes(str(file))) == TEXT_BYTES

    file.write_bytes(b"x" * (TEXT_BYTES + 1))
    with pytest.raises(InputError, match=str(TEXT_BYTES)):
        read_bytes(str(file))


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"], ids=["no bytes", "a byte order mark alone"])
def test_a_file_with_nothing_in_it_is_refused(tmp_path: Path, content: bytes) -> None:
    """Its text would say that no file was given, and what was asked for would be passed by."""
    (tmp_path / "f").write_bytes(content)
    for read in (read_text, read_password, read_given, read_given_password):
        with pytest.raises(InputError, match=r"file\.empty"):
            read(str(tmp_path / "f"))


def test_an_empty_line_is_no_password(tmp_path: Path) -> None:
    """Nor does it ask for one to be made up."""
    (tmp_path / "f").write_bytes(b"\r\n")
    for read in (read_password, read_given_password, partial(read_secret, variable="NONE")):
        with pytest.raises(InputError, match=r"file\.empty"):
            read(str(tmp_path / "f"))


def test_an_option_that_was_not_given_is_empty_and_one_without_a_name_is_no_file() -> None:
    """``--checkpoint "$UNSET"`` names nothing, and is not the same as no option."""
    assert (read_given(None), read_given_password(None)) == ("", "")
    for read in (read_given, read_given_password, partial(read_secret, variable="NONE")):
        with pytest.raises(NotFoundError, match=r"file\.missing"):
            read("")


def test_a_dash_reads_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes work."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe")))

    assert read_text("-") == "from a pipe"


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """Exit code 4, not a traceback."""
    with pytest.raises(NotFoundError):
        existing(str(tmp_path / "none"))


@pytest.mark.parametrize(("name", "word"), [("folder", "folder"), ("/dev/null", "device"), ("/dev/zero", "device")])
def test_what_is_there_and_no_file_is_called_what_it_is(tmp_path: Path, name: str, word: str) -> None:
    """'There is no file' would send people looking for it; and nothing is read of what has no end."""
    (tmp_path / "folder").mkdir()

    for read in (read_text, existing):
        with pytest.raises(InputError, match=f"is a {word}, not a file"):
            read(str(tmp_path / name))


def test_a_pipe_is_read_to_its_end_within_the_bound() -> None:
    """Process substitution names one; it may come in pieces."""
    for length in (3, TEXT_BYTES, TEXT_BYTES + 1):
        ours, theirs = os.pipe()
        feeding = threading.Thread(target=feed, args=(theirs, b"x" * length))
        feeding.start()
        try:
            if length <= TEXT_BYTES:
                assert len(read_bytes(f"/dev/fd/{ours}")) == length
            else:
                with pytest.raises(InputError, match=str(TEXT_BYTES)):
                    read_bytes(f"/dev/fd/{ours}")
        finally:
            os.close(ours)
            feeding.join()


def feed(handle: int, content: bytes) -> None:
    """Fill a pipe and close it; whoever reads may have had enough."""
    with contextlib.suppress(BrokenPipeError), open(handle, "wb") as out:
        out.write(content)


def test_a_pipe_that_nobody_fills_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with what to look at."""
    monkeypatch.setattr("cli.files.PIPE_SECONDS", 0.05)
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InputError, match="was not filled"):
        read_text(str(tmp_path / "pipe"))
    with pytest.raises(InputError, match="is a pipe, not a file"):
        existing(str(tmp_path / "pipe"))


@pytest.mark.parametrize("label", ["CERTIFICATE", "CERTIFICATE REQUEST"])
def test_a_paper_in_der_becomes_pem(tmp_path: Path, label: str) -> None:
    """Whatever form people have it in; what is neither is refused as before."""
    der = b"\x30\x82" + bytes(range(200))
    (tmp_path / "der").write_bytes(der)
    (tmp_path / "pem").write_text(read_paper(str(tmp_path / "der"), label))
    text = read_paper(str(tmp_path / "pem"), label)
    (tmp_path / "junk").write_bytes(b"\xff\xfe")

    assert text.splitlines()[0] == f"-----BEGIN {label}-----"
    assert base64.b64decode("".join(text.splitlines()[1:-1])) == der
    with pytest.raises(InputError, match="no text file"):
        read_paper(str(tmp_path / "junk"), label)


def test_a_byte_order_mark_is_left_for_the_reader_of_pem_to_refuse(tmp_path: Path) -> None:
    """It says why; a text of another kind, as a list of stations, is read without its mark."""
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbfsome text\n")
    assert read_text(str(tmp_path / "f")) == "some text\n"
    with pytest.raises(InputError, match=r"csr\.unreadable.*byte order mark"):
        read_request(read_paper(str(tmp_path / "f"), "CERTIFICATE REQUEST"))


def test_binary_is_no_text(tmp_path: Path) -> None:
    """A DER file is named as what it is not, with the way out."""
    (tmp_path / "der").write_bytes(b"\x30\x82\xff\xfe")

    with pytest.raises(InputError, match="no text"):
        read_text(str(tmp_path / "der"))


def test_a_password_ends_before_the_line_end(tmp_path: Path) -> None:
    """Editors add a line end that is no part of the password; blanks are."""
    (tmp_path / "p").write_bytes(b" secret \r\n")

    assert read_password(str(tmp_path / "p")) == " secret "


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n"])
def test_an_empty_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Neither a key nor a password: an option with an empty file is not the same as none."""
    (tmp_path / "f").write_bytes(content)

    for read in (read_text, read_password):
        with pytest.raises(InputError, match=r"file\.empty"):
            read(str(tmp_path / "f"))


@given(st.binary(min_size=40, max_size=200))
def test_a_signature_is_taken_raw_and_in_base64(tmp_path_factory: pytest.TempPathFactory, signature: bytes) -> None:
    """Whatever a signing tool wrote, the same base64 comes out."""
    raw = b"\x30" + signature + b"\x80"  # as DER begins; never text
    text = base64.b64encode(raw).decode()
    folder = tmp_path_factory.mktemp("signatures")
    (folder / "raw").write_bytes(raw)
    (folder / "text").write_text(f"{text[:30]}\n{text[30:]}\n")

    assert read_signature(str(folder / "raw")) == read_signature(str(folder / "text")) == text


def test_a_new_folder_is_its_owners_and_was_not_there(tmp_path: Path) -> None:
    """Somebody's folder is never played in."""
    assert new_folder(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConflictError):
        new_folder(tmp_path / "a" / "b")


def test_nothing_is_written_over_without_a_word(tmp_path: Path) -> None:
    """An existing file needs ``--yes``."""
    (tmp_path / "out").write_text("mine")

    with pytest.raises(ConflictError):
        free_to_write(str(tmp_path / "out"), replace=False)
    assert free_to_write(str(tmp_path / "out"), replace=True) == tmp_path / "out"
    assert free_to_write(str(tmp_path / "new"), replace=False) == tmp_path / "new"


def test_an_output_that_cannot_be_written_is_told_before_anything_is_done(tmp_path: Path) -> None:
    """Else a certificate would be issued and then be lost."""
    with pytest.raises(NotFoundError, match="no folder"):
        free_to_write(str(tmp_path / "missing" / "chain.pem"), replace=True)
    with pytest.raises(ConflictError, match="is a folder"):
        free_to_write(str(tmp_path), replace=True)


def test_a_link_that_leads_nowhere_yet_is_not_written_through(tmp_path: Path) -> None:
    """In a folder that others may write to, somebody else would choose where our file goes."""
    (tmp_path / "chain.pem").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConflictError):
        free_to_write(str(tmp_path / "chain.pem"), replace=False)
    with pytest.raises(FileExistsError):
        write_out(tmp_path / "chain.pem", "text", replace=False)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_written_in_parts_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """When a part cannot be made, what stood there before stands there still, and nothing lies beside it."""

    def parts() -> Iterator[bytes]:
        yield b"new"
        raise InputError("x.y", "no more")

    (tmp_path / "e").write_bytes(b"old")
    with pytest.raises(InputError):
        write_parts(tmp_path / "e", parts(), replace=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
    write_parts(tmp_path / "e", [b"a", b"b"], replace=True, mode=0o600)
    assert ((tmp_path / "e").read_bytes(), (tmp_path / "e").stat().st_mode & 0o777) == (b"ab", 0o600)
    with pytest.raises(FileExistsError):
        write_parts(tmp_path / "e", [b"c"], replace=False)
