"""One end of a line: words arrive whole, and whoever says what is none is hung up on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from secproxy.edge import claim_wire as wire
from secproxy.edge.line_end import LINE_BYTES, Wire, ask, line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def test_the_longest_line_fits_the_bound() -> None:
    """An identity of 48 characters and a credential of 32 bytes."""
    assert len(line(wire.Want(2**63, "C" * 48, bytes(32)))) < LINE_BYTES


@contextlib.asynccontextmanager
async def ends(
    path: Path, hear: Callable[[bytes], None]
) -> AsyncIterator[tuple[Wire, asyncio.StreamReader, asyncio.StreamWriter, asyncio.Event]]:
    """An end of ours that says what it hears to ``hear``, whoever speaks to it, and whether the line is over."""
    made: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    def meet() -> Wire:
        made.set_result(Wire(hear, over.set))
        return made.result()

    async with asyncio.timeout(20), await asyncio.get_running_loop().create_unix_server(meet, path):
        reader, writer = await asyncio.open_unix_connection(path)
        end = await made
        while not end.open:  # noqa: ASYNC110 - that it has begun is told to nobody
            await asyncio.sleep(0)
        try:
            yield end, reader, writer, over
        finally:
            writer.close()
            end.abort()
            await over.wait()


def read(said: bytes) -> None:
    """Take numbers, one a line."""
    int(said)


def test_lines_are_heard_whole_however_they_come(tmp_path: Path) -> None:
    """In pieces, several at once, and what has no end yet is kept."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def story() -> None:
        async with ends(tmp_path / "s", heard.put_nowait) as (end, _, writer, _over):
            for piece, rest in ((b"one\ntw", b"tw"), (b"o", b"two"), (b"\nthree\nfo", b"fo")):
                writer.write(piece)
                while end.rest != rest:  # noqa: ASYNC110 - half a line is told to nobody
                    await asyncio.sleep(0)
            assert [await heard.get() for _ in range(3)] == [b"one", b"two", b"three"]

    asyncio.run(story())


@pytest.mark.parametrize("junk", [b"7\nseven\n", b"7" * (LINE_BYTES + 1)], ids=["no word", "no end"])
def test_what_is_no_word_ends_the_line(tmp_path: Path, junk: bytes) -> None:
    """The other end sees it hang up, and whoever holds this one hears of it once."""

    async def story() -> None:
        async with ends(tmp_path / "s", read) as (end, reader, writer, over):
            writer.write(junk)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            await over.wait()
            assert (end.open, end.unread) == (False, 0)
            end.say(wire.Ready())  # nobody hears it, and nothing happens

    asyncio.run(story())


def test_what_the_other_end_does_not_take_can_be_asked_for(tmp_path: Path) -> None:
    """Whoever says very much finds out before it waits in our memory; what was said is sent before the end."""

    async def story() -> None:
        async with ends(tmp_path / "s", read) as (end, reader, _, _over):
            said = [wire.Drop(number) for number in range(20_000)]
            end.say(*said)
            assert end.unread > 0
            end.close()
            assert await reader.read() == b"".join(map(line, said))

    asyncio.run(story())


@pytest.mark.parametrize("answer", [b'{"says":"reloaddone"}\n', b""], ids=["answered", "hung up on"])
def test_one_thing_is_asked_and_one_line_comes_back(tmp_path: Path, answer: bytes) -> None:
    """Where whoever listens hangs up instead, the line is empty; where nobody listens, the system says so."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == line(wire.AskReload())
        writer.write(answer)
        writer.close()

    async def story() -> None:
        with pytest.raises(OSError, match="No such file"):
            await ask(tmp_path / "s", wire.AskReload())
        async with await asyncio.start_unix_server(reply, tmp_path / "s"):
            assert await ask(tmp_path / "s", wire.AskReload()) == answer

    asyncio.run(asyncio.wait_for(story(), 20))
