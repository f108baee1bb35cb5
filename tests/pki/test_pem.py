"""PEM, as strict as the field allows."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from pki.pem import _normal, read_base64, read_blocks

LABELS = frozenset({"THING"})
DER = bytes(range(100))


def block(der: bytes = DER, label: str = "THING") -> str:
    """One clean block."""
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


CLEAN = block()


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4))
def test_clean_blocks_come_back_in_order(ders: list[bytes]) -> None:
    """What was written is what is read."""
    assert read_blocks("".join(block(der) for der in ders), LABELS, "code") == ders


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CLEAN.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(CLEAN.replace("\n", "\\n"), id="a literal backslash-n"),
        pytest.param(CLEAN.replace("\n", "\\r\\n"), id="literal backslash-r backslash-n"),
        pytest.param(CLEAN.replace("\n", "  \t\n"), id="blanks at line ends"),
        pytest.param(CLEAN.rstrip("\n"), id="no last line end"),
        pytest.param(CLEAN + "\n\n", id="empty lines after it"),
        pytest.param(CLEAN.encode(), id="bytes"),
    ],
)
def test_what_stations_really_send_is_tolerated(text: str | bytes) -> None:
    """Line ends suffer on the way through JSON and through people; the content does not."""
    assert read_blocks(text, LABELS, "code") == [DER]


@given(st.text(alphabet="A-\\rn\r\n \t", max_size=30))
def test_a_text_that_is_clean_at_first_sight_is_clean(text: str) -> None:
    """What spares most texts the cleaning overlooks nothing of what would have been cleaned."""
    lines = text.replace("\\r", "").replace("\\n", "\n").replace("\r\n", "\n").split("\n")
    clean = "".join(f"{line}\n" for line in (line.rstrip(" \t") for line in lines) if line)

    assert _normal(text) == (clean or "\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("hello", id="no PEM"),
        pytest.param("subject=x\n" + CLEAN, id="text before it"),
        pytest.param(CLEAN + "x", id="text after it"),
        pytest.param("\ufeff" + CLEAN, id="a byte order mark"),
        pytest.param(CLEAN.replace("A", "\0", 1), id="a NUL"),
        pytest.param(CLEAN.replace("A", "\u00c4", 1), id="a letter outside ASCII"),
        pytest.param("\ud800" + CLEAN, id="a lone surrogate"),
        pytest.param(DER, id="DER"),
        pytest.param(block(label="OTHER"), id="another label"),
        pytest.param(CLEAN.replace("END THING", "END OTHER"), id="an end that does not fit"),
        pytest.param(block(label="EC PRIVATE KEY"), id="a private key"),
        pytest.param(CLEAN + block(label="PRIVATE KEY"), id="a private key behind it"),
        pytest.param(CLEAN.replace("\nAA", "\nA A", 1), id="a blank inside base64"),
        pytest.param("-----BEGIN THING-----\nYWJ=\n-----END THING-----\n", id="base64 that is not canonical"),
        pytest.param("-----BEGIN THING-----\nYWJj====\n-----END THING-----\n", id="base64 with too much padding"),
        pytest.param("-----BEGIN THING-----\nYW=j\n-----END THING-----\n", id="padding in the middle"),
        pytest.param(CLEAN[:-20], id="cut off"),
    ],
)
def test_all_else_is_refused(text: str | bytes) -> None:
    """Anything that is not exactly the blocks asked for is refused under the caller's code."""
    with pytest.raises(InputError) as refusal:
        read_blocks(text, LABELS, "code")

    assert refusal.value.code == "code"
    assert refusal.value.advice


def test_a_private_key_is_never_shown_back() -> None:
    """The refusal speaks of the key without a byte of it."""
    with pytest.raises(InputError) as refusal:
        read_blocks(block(b"secret" * 20, "PRIVATE KEY"), LABELS, "code")

    assert base64.b64encode(b"secret").decode() not in f"{refusal.value} {refusal.value.advice}"


def test_text_longer_than_the_limit_is_refused_before_it_is_read() -> None:
    """The limit counts characters as received."""
    with pytest.raises(InputError, match="are the most"):
        read_blocks(CLEAN, LABELS, "code", longest=len(CLEAN) - 1)

    assert read_blocks(CLEAN, LABELS, "code", longest=len(CLEAN)) == [DER]


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_no_input_ends_in_anything_but_an_input_error(text: str | bytes) -> None:
    """A stranger cannot make it fail in a way that nobody planned."""
    with pytest.raises(InputError):
        read_blocks(text, LABELS, "code")


@pytest.mark.parametrize("text", [b"AAEC", b"AA\nEC\n", b" AA EC\r\n"])
def test_base64_without_its_lines_is_read(text: bytes) -> None:
    """As EST carries it (RFC 8951 3.1)."""
    assert read_base64(text, "csr.unreadable") == b"\0\1\2"


@pytest.mark.parametrize("text", [b"A", b"AA=E", b"AB==", b"A*==", b"-----", "ü".encode(), b"A" * 9])
def test_base64_that_is_none_is_refused(text: bytes) -> None:
    """Neither loose nor too long."""
    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_base64(text, "csr.unreadable", 8)


@pytest.mark.parametrize("text", [b"", b" \r\n"])
def test_base64_of_nothing_is_told_as_that(text: bytes) -> None:
    """Whoever sent an empty body is not told of a request in it."""
    with pytest.raises(InputError, match="there is nothing in it"):
        read_base64(text, "x.unreadable")
