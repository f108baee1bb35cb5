"""permessage-deflate: what is agreed on can be kept, and nothing that is inflated becomes more than it may."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.deflate import RATIO, SMALL, BombError, Compression, accept, inflate

OURS = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


def packed(message: bytes, bits: int = 15) -> bytes:
    """A message as RFC 7692 7.2.1 has it compressed."""
    deflater = zlib.compressobj(wbits=-bits)
    return (deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize(
    ("offers", "agreed"),
    [
        ("permessage-deflate", Compression(OURS, 15)),
        (
            "permessage-deflate; client_max_window_bits",
            Compression(f"{OURS}; client_max_window_bits=11", 11),
        ),
        ("permessage-deflate; client_max_window_bits=9", Compression(f"{OURS}; client_max_window_bits=9", 9)),
        ('permessage-deflate; client_max_window_bits="9"', Compression(f"{OURS}; client_max_window_bits=9", 9)),
        ("permessage-deflate; server_max_window_bits=10", Compression(f"{OURS}; server_max_window_bits=10", 15)),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", Compression(OURS, 15)),
        ("x-webkit-deflate-frame, permessage-deflate", Compression(OURS, 15)),
        ("permessage-deflate; server_max_window_bits=16, permessage-deflate", Compression(OURS, 15)),
    ],
)
def test_the_first_offer_that_can_be_kept_is_taken(offers: str, agreed: Compression) -> None:
    """RFC 7692 7.1: without context either way, and with a small window where the station lets us choose it."""
    assert accept(offers) == agreed


@pytest.mark.parametrize(
    "offers",
    [
        "",
        "permessage-bzip2",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; unheard_of",
        "permessage-deflate;;",
        "permessage-deflate, ,=",
    ],
)
def test_what_is_no_offer_of_the_standard_is_declined(offers: str) -> None:
    """Unknown, doubled and impossible settings; then nothing is compressed (RFC 7692 7.1)."""
    assert accept(offers) is None


@given(st.binary(max_size=3_000), st.sampled_from([9, 11, 15]))
def test_what_was_compressed_comes_back(message: bytes, bits: int) -> None:
    """With any window that can be agreed on."""
    assert inflate(packed(message, bits), bits, 3_000) == message


def test_a_station_with_the_smallest_window_is_understood() -> None:
    """Eight bits can be agreed on, and zlib reads them, though it writes nine at least."""
    agreed = accept("permessage-deflate; client_max_window_bits=8")
    assert agreed is not None
    assert inflate(packed(b"a" * 200, 9)[:], agreed.bits, 1_000) == b"a" * 200


def test_what_ends_with_its_own_last_block_is_read() -> None:
    """RFC 7692 7.2.3.4: a sender may close the stream; nothing may follow."""
    deflater = zlib.compressobj(wbits=-15)
    closed = deflater.compress(b"hello") + deflater.flush()
    assert inflate(closed, 15, 100) == b"hello"
    with pytest.raises(ValueError, match="behind its end"):
        inflate(closed + b"more", 15, 100)


@pytest.mark.parametrize("broken", [b"\xff\xff\xff", packed(b"hello world " * 9)[:-3]])
def test_what_is_no_compressed_message_is_refused(broken: bytes) -> None:
    """Garbage, and a message cut short that swallows the tail."""
    with pytest.raises(ValueError, match="cannot be read"):
        inflate(broken, 15, 100_000)


@pytest.mark.parametrize(("limit", "too_big"), [(65_536, True), (10_000_000, False)])
def test_attack_22_a_bomb_is_stopped_while_it_is_inflated(limit: int, too_big: bool) -> None:
    """By its size or by its ratio, whichever comes first; of 64 MiB no more is ever made than is allowed."""
    bomb = packed(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(BombError) as stopped:
            inflate(bomb, 15, limit)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stopped.value.too_big is too_big
    assert most < 3 * min(limit, RATIO * len(bomb)) + len(bomb) * 2


def test_a_small_message_may_grow_as_it_likes() -> None:
    """A kilobyte of blanks is no bomb; what counts is what it could do."""
    assert inflate(packed(b" " * SMALL), 15, 65_536) == b" " * SMALL
    with pytest.raises(BombError):
        inflate(packed(b" " * 40_000), 15, 65_536)
