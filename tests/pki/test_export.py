"""Whoever holds an export can count the log out again; nothing in the file is believed for standing there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki import audit, export
from pki.errors import BollardError, InputError
from tests.pki.logs import KEY, checkpoint, entries, exported, leaves, lines

if TYPE_CHECKING:
    from collections.abc import Callable

STRANGER = Ed25519PrivateKey.generate()


@pytest.mark.parametrize("first", range(8))
def test_an_export_verifies_from_whichever_entry_it_begins_with(first: int) -> None:
    """The tree's edge stands for what came before."""
    sizes = [size for size in (0, 3, 7) if size >= first]
    found = export.verify_export(lines(exported(first=first, sizes=sizes)), KEY.public_key())

    assert (found.first, found.size, found.checkpoints) == (first, 7, len(sizes))
    assert found.root == audit.root_of(leaves(7))


def test_checkpoints_held_elsewhere_are_compared_too() -> None:
    """One that agrees counts; one over more than the file has does not pass."""
    assert export.verify_export(lines(exported()), held=[checkpoint(5)]).checkpoints == 3
    with pytest.raises(BollardError, match="over 9 entries, yet only 7"):
        export.verify_export(lines(exported()), held=[checkpoint(9)])


def test_a_part_cannot_be_held_against_what_was_signed_before_it() -> None:
    """That is said, not passed over."""
    with pytest.raises(InputError, match=r"audit\.export_part"):
        export.verify_export(lines(exported(first=4, sizes=[7])), held=[checkpoint(3)])
    with pytest.raises(InputError, match=r"audit\.export_part"):
        export.leaves(lines(exported(first=4)), export.read_header(lines(exported(first=4))))


def _header(**changes: object) -> Callable[[list[bytes]], list[bytes]]:
    def forge(whole: list[bytes]) -> list[bytes]:
        header = msgspec.json.decode(whole[0], type=export.Header)
        return [export.write_line(msgspec.structs.replace(header, **changes))[:-1], *whole[1:]]

    return forge


def _foreign(whole: list[bytes]) -> list[bytes]:
    """Every checkpoint and the key replaced by a stranger's."""
    sealed = [export.write_line(export.Sealed(checkpoint(size, STRANGER)))[:-1] for size in (3, 7)]
    return [*whole[:-2], *sealed]


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (lambda whole: [*whole[:3], whole[3].replace(b"CP-2", b"CP-9"), *whole[4:]], "first 3 entries"),
        (lambda whole: [*whole[:7], whole[7].replace(b"CP-6", b"CP-9"), *whole[8:]], "first 7 entries"),
        (lambda whole: [*whole[:4], *whole[5:]], "1 of 2 checkpoints"),
        (lambda whole: [*whole[:4], whole[5], whole[4], *whole[6:]], "in the place of entry 3"),
        (lambda whole: whole[:5], "0 of 2 checkpoints"),
        (lambda whole: whole[:-1], "1 of 2 checkpoints"),
        (lambda whole: [*whole[:-1], b"{}"], "something else"),
        (lambda whole: [*whole[:-2], whole[-1], whole[-2]], "nothing was signed over its last"),
        (lambda whole: [whole[0], b"x", *whole[2:]], "in the place of entry 0"),
        (_header(size=6, checkpoints=3), "something else"),
        (_header(first=1, size=8, frontier=("00" * 32,)), "nothing was signed"),
        (_header(public_key="x"), "no Ed25519 public key"),
        (_foreign, "another key"),
        (_header(schema_version=2), "newer version"),
        (_header(first=9), "first line is no header"),
        (_header(frontier=("00",)), "first line is no header"),
        (lambda whole: whole[1:], "first line is no header"),
        (lambda _: [], "first line is no header"),
    ],
)
def test_every_forgery_of_an_export_is_found(forge: Callable[[list[bytes]], list[bytes]], says: str) -> None:
    """An entry edited, dropped, swapped; the file cut; the header bent; all signed anew by a stranger."""
    export.verify_export(lines(exported()))
    with pytest.raises(BollardError, match=says):
        export.verify_export(lines(forge(exported())))


def test_a_stranger_s_whole_export_agrees_with_itself_and_fails_under_our_key() -> None:
    """Which is why the reader of a verdict is told what it rests on."""
    forged = _foreign(exported())
    export.verify_export(lines(forged), STRANGER.public_key())
    with pytest.raises(BollardError, match="another key"):
        export.verify_export(lines(forged), KEY.public_key())


def test_an_entry_s_line_is_what_was_hashed() -> None:
    """So anybody can hash it again with tools of their own."""
    whole = exported()
    assert list(export.entries(lines(whole), export.read_header(lines(whole)))) == entries(7)
