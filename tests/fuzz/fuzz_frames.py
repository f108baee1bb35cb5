"""Fuzzes the frame walk: it agrees with the websockets library but where a difference is listed, and however a stream
is cut, the same comes out of it.

``python -m tests.fuzz.fuzz_frames CORPUS [libFuzzer options]`` with atheris installed.
"""

from __future__ import annotations

from secproxy.frames import CLOSE, TEXT, FrameViolationError, Walker
from tests.fuzz import wire_seeds
from tests.fuzz.running import fuzz
from tests.secproxy.reference import compare_frames, read

LIMIT, FRAGMENTS = 200, 4  # small, so that the fuzzer meets them


def try_one(data: bytes) -> None:
    """The first two bytes say who speaks and how the rest is cut."""
    if len(data) < 2:
        return
    masked, cut, stream = bool(data[0] & wire_seeds.MASKED), 1 + data[1], data[2:]
    compare_frames(stream, masked=masked, limit=LIMIT, fragments=FRAGMENTS)
    whole = read(walker(masked=masked), [stream])
    if data[0] & wire_seeds.CUT:
        assert read(walker(masked=masked), pieces(stream, cut)) == whole
    check_what_goes_on(stream, masked=masked)


def check_what_goes_on(stream: bytes, *, masked: bool) -> None:
    """What is sent on is read by the other side as we read it, and keeps the bounds."""
    try:
        found = walker(masked=masked).feed(stream)
    except FrameViolationError as violation:
        found = violation.before
    again = walker(masked=masked)
    assert [again.feed(frame.raw)[0][:2] for frame in found] == [frame[:2] for frame in found]
    assert all(len(frame.payload) <= LIMIT for frame in found)
    assert all(frame.payload.decode() is not None for frame in found if frame.opcode == TEXT)
    assert CLOSE not in [frame.opcode for frame in found[:-1]]


def walker(*, masked: bool) -> Walker:
    """A fresh one."""
    return Walker(masked=masked, limit=LIMIT, fragments=FRAGMENTS)


def pieces(stream: bytes, cut: int) -> list[bytes]:
    """A stream in pieces of one size."""
    return [stream[at : at + cut] for at in range(0, len(stream), cut)]


if __name__ == "__main__":
    fuzz(try_one, wire_seeds.streams(), "secproxy.frames", "websockets.frames", "websockets.protocol")
