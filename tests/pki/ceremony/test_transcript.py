"""The transcript: one form for each entry, one signature over all of them, nothing that can be changed unseen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.audit import leaf_hash, root_of
from pki.ceremony import transcript
from pki.ceremony.transcript import ENTRIES_MOST, Entry, open_note, read_entries, sign_note, write_entries
from pki.errors import RefusedError
from tests.ceremonies import MOMENT, ceremony
from tests.pki.papers import key

THIS = ceremony()
ENTRIES = [
    Entry.write(0, MOMENT, transcript.begun(THIS, {}, ["eth0"], None)),
    Entry.write(1, MOMENT, transcript.witnessed(THIS.witnesses[0], THIS.phrase)),
    Entry.write(2, MOMENT, transcript.ended(0)),
]
KINDS = ["p256", "p384", "rsa2048", "ed25519"]


def test_what_is_written_is_read_back() -> None:
    """Byte for byte; a torn last line is no entry."""
    raw = write_entries(ENTRIES)

    assert [each.raw for each in read_entries(raw)] == [each.raw for each in ENTRIES]
    assert len(read_entries(raw + b'{"act":')) == len(ENTRIES)


def test_the_digest_is_the_root_of_the_tree() -> None:
    """RFC 6962 2.1, as in the audit log."""
    assert transcript.digest_of(ENTRIES) == root_of([leaf_hash(each.raw) for each in ENTRIES]).hex()


@pytest.mark.parametrize("kind", KINDS)
def test_the_note_is_the_root_key_s_word_for_all_entries(kind: str) -> None:
    """Another key, an entry less, an entry changed, another file: each is refused."""
    holder = key(kind, "note")
    note = sign_note(THIS, ENTRIES, holder)
    open_note(note, THIS, ENTRIES, holder.public_key())
    assert sign_note(THIS, ENTRIES, holder) == note

    other = Entry.write(2, MOMENT, transcript.ended(1))
    wrong = [
        (note, THIS, ENTRIES, key(kind, "other")),
        (note, THIS, ENTRIES[:-1], holder),
        (note, THIS, [*ENTRIES[:-1], other], holder),
        (note, ceremony(), ENTRIES, holder),
        (note.replace("\n3\n", "\n4\n"), THIS, ENTRIES, holder),
        (note + "more", THIS, ENTRIES, holder),
        ("", THIS, ENTRIES, holder),
    ]
    for text, of, entries, signer in wrong:
        with pytest.raises(RefusedError, match=r"ceremony\.transcript"):
            open_note(text, of, entries, signer.public_key())


@given(st.data())
def test_a_changed_byte_is_another_entry_or_none(data: st.DataObject) -> None:
    """What can still be read has another digest."""
    raw = bytearray(write_entries(ENTRIES))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert transcript.digest_of(read_entries(bytes(raw))) != transcript.digest_of(ENTRIES)
    except RefusedError as refusal:
        assert refusal.code == "ceremony.transcript"  # noqa: PT017 - either answer is right


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"[" * 100_000 + b"\n",
        ENTRIES[0].raw.replace(b'{"act"', b'{ "act"') + b"\n",
        ENTRIES[1].raw + b"\n",
        write_entries(ENTRIES[:1]) * (ENTRIES_MOST + 1),
    ],
    ids=["nothing", "empty", "list", "null", "deep", "blank", "another number", "too many"],
)
def test_what_is_not_in_the_one_form_is_refused(raw: bytes) -> None:
    """Whatever came on the stick."""
    with pytest.raises(RefusedError, match=r"ceremony\.transcript"):
        read_entries(raw)


def test_people_can_read_and_sign_it() -> None:
    """Names, times, digest, and a line for each to sign on."""
    text = transcript.for_people(THIS, ENTRIES)

    assert transcript.digest_of(ENTRIES)[:4] in text
    assert text.count("____") >= len(THIS.witnesses)
    assert "eth0" in text
