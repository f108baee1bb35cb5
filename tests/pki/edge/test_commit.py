"""Acts share transactions and nothing else: one that fails is undone alone, and none is heard of too early."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from pki import audit
from pki.edge import store
from pki.edge.commit import BATCH, GroupCommit, Tx
from pki.edge.ledger import audit as log
from pki.errors import BollardError, NotFoundError
from tests.faults import BROKEN, failing_disk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlite_utils import Database

T = TypeVar("T")
THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[GroupCommit]:
    """A ledger with a table for the test."""
    store.create(folder / "ledger.db")
    ledger = GroupCommit(folder / "ledger.db")
    await ledger.write(lambda tx: tx.database.execute("CREATE TABLE mark (name TEXT PRIMARY KEY, size BLOB)"))
    try:
        yield ledger
    finally:
        await ledger.close()


def play(folder: Path, story: Callable[[GroupCommit], Awaitable[T]]) -> T:
    """Run a story against a ledger."""

    async def run() -> T:
        async with opened(folder) as ledger:
            return await story(ledger)

    return asyncio.run(run())


def mark(name: str, tx: Tx) -> str:
    """Leave a mark; a second one of the same name is an error of SQLite's."""
    store.change(tx.database, "INSERT INTO mark (name) VALUES (:name)", {"name": name})
    return name


def marks(database: Database) -> list[str]:
    """The marks that are there."""
    return [str(row[0]) for row in database.execute("SELECT name FROM mark ORDER BY rowid")]


def refuse(name: str, tx: Tx) -> str:
    """Leave a mark, then think better of it."""
    mark(name, tx)
    raise NotFoundError("test.refused", "this act refuses")


async def together(ledger: GroupCommit, *acts: Callable[[Tx], T]) -> list[T | BaseException]:
    """Have these acts share one transaction: they are all there before it begins."""
    return await asyncio.gather(*map(ledger.write, acts), return_exceptions=True)


def test_what_is_answered_is_there_for_every_reader(tmp_path: Path) -> None:
    """An answer means the disk has it: a stranger's connection sees it too."""

    async def story(ledger: GroupCommit) -> tuple[str, list[str], list[str]]:
        answer = await ledger.write(partial(mark, "one"))
        stranger = sqlite3.connect(tmp_path / "ledger.db")
        seen = [row[0] for row in stranger.execute("SELECT name FROM mark")]
        stranger.close()
        return answer, seen, await ledger.read(marks)

    assert play(tmp_path, story) == ("one", ["one"], ["one"])


def test_an_act_that_fails_is_undone_alone(tmp_path: Path) -> None:
    """Its neighbours in the same transaction are kept, whether it raised our error or SQLite's."""

    async def story(ledger: GroupCommit) -> tuple[list[str | BaseException], list[str]]:
        acts = [partial(mark, "a"), partial(refuse, "b"), partial(mark, "c"), partial(mark, "a"), partial(mark, "d")]
        return await together(ledger, *acts), await ledger.read(marks)

    results, kept = play(tmp_path, story)
    assert kept == ["a", "c", "d"]
    assert [str(result) for result in results] == [
        "a",
        "test.refused: this act refuses",
        "c",
        "ledger.failed: the ledger failed: UNIQUE constraint failed: mark.name",
        "d",
    ]


def record(name: str, tx: Tx) -> int:
    """Leave a mark and an entry in the log."""
    mark(name, tx)
    return tx.log.append(THEN, "test.marked", "tester", {"name": name})


def record_and_refuse(name: str, tx: Tx) -> int:
    """The same, then think better of it."""
    record(name, tx)
    raise NotFoundError("test.refused", "this act refuses")


@pytest.mark.parametrize("last", [record, record_and_refuse])
def test_acts_of_one_transaction_write_one_log(tmp_path: Path, last: Callable[[str, Tx], int]) -> None:
    """An act that is undone leaves no entry, no gap and no trace in the tree, wherever in the transaction it stood."""
    acts = [record_and_refuse, record, record_and_refuse, record_and_refuse, record, last]

    async def story(ledger: GroupCommit) -> tuple[list[int], audit.Frontier, list[str]]:
        answers: list[int] = []
        for turn in range(3):
            done = await together(ledger, *(partial(act, f"{turn}{at}") for at, act in enumerate(acts)))
            answers += [each for each in done if isinstance(each, int)]
        entries = await ledger.read(lambda database: [row.entry for row in log.listed(database, 0, 100)])
        return answers, await ledger.read(log.edge), entries

    answers, edge, entries = play(tmp_path, story)
    assert answers == [*range(3 * acts.count(record))]
    assert edge == audit.frontier_of([audit.leaf_hash(entry.encode()) for entry in entries], len(answers))
    assert len(entries) == len(answers)


def test_a_transaction_that_is_lost_takes_its_entries_along(tmp_path: Path) -> None:
    """What comes after goes on where the disk is, not where the lost acts were."""

    def spoil(tx: Tx) -> int:
        record("spoilt", tx)
        tx.database.conn.execute("ROLLBACK")  # as SQLite does by itself when the disk is full
        raise sqlite3.OperationalError("lost")

    async def story(ledger: GroupCommit) -> tuple[list[int | BaseException], int, int]:
        lost = await together(ledger, partial(record, "one"), spoil, partial(record, "two"))
        after = await ledger.write(partial(record, "three"))
        return lost, after, (await ledger.read(log.edge)).size

    lost, after, size = play(tmp_path, story)
    assert all(isinstance(each, BollardError) for each in lost)
    assert (after, size) == (0, 1)


def test_many_acts_share_few_transactions(tmp_path: Path) -> None:
    """What makes recording first affordable: a hundred acts, one flush of the disk."""

    async def story(ledger: GroupCommit) -> int:
        before = await ledger.read(_commits)
        await together(ledger, *(partial(mark, str(number)) for number in range(100)))
        return await ledger.read(_commits) - before

    assert play(tmp_path, story) <= 3


def _commits(database: Database) -> int:
    """Frames in the write-ahead log that end a transaction: their field for the size after it is not zero."""
    path = database.execute("PRAGMA database_list").fetchone()[2]
    data = Path(f"{path}-wal").read_bytes()
    return sum(data[at + 4 : at + 8] != bytes(4) for at in range(32, len(data), 24 + 4096))


def test_more_acts_than_one_batch_holds_are_all_done(tmp_path: Path) -> None:
    """The bound is on a transaction, not on what may be asked."""

    async def story(ledger: GroupCommit) -> list[str]:
        await together(ledger, *(partial(mark, f"{number:04}") for number in range(BATCH + 50)))
        return await ledger.read(marks)

    assert play(tmp_path, story) == [f"{number:04}" for number in range(BATCH + 50)]


def test_news_comes_in_the_order_of_the_commits_and_before_the_answer(tmp_path: Path) -> None:
    """A watcher is never told of an older state after a newer one; an act that failed tells nothing."""

    async def story(ledger: GroupCommit) -> list[str]:
        told: list[str] = []

        def tell(name: str, fail: bool, tx: Tx) -> str:
            tx.after.append(partial(told.append, f"news {name}"))
            return refuse(name, tx) if fail else mark(name, tx)

        async def ask(name: str, fail: bool = False) -> None:
            with contextlib.suppress(NotFoundError):
                told.append(f"answer {await ledger.write(partial(tell, name, fail))}")

        await asyncio.gather(ask("a"), ask("b", fail=True), ask("c"))
        return told

    told = play(tmp_path, story)
    assert [line for line in told if line.startswith("news")] == ["news a", "news c"]
    assert told.index("news a") < told.index("answer a")
    assert told.index("news c") < told.index("answer c")


def test_a_full_disk_loses_the_whole_transaction_and_says_so(tmp_path: Path) -> None:
    """Every act in it fails with the same clear error, none was done, and the next one works when there is room."""

    async def story(ledger: GroupCommit) -> tuple[list[str | BaseException], list[str]]:
        pages = await ledger.write(lambda tx: tx.database.execute("PRAGMA page_count").fetchone()[0])
        await ledger.write(lambda tx: tx.database.execute(f"PRAGMA max_page_count = {pages}").fetchall())
        results = await together(ledger, partial(mark, "a"), _fill, partial(mark, "b"))
        await ledger.write(lambda tx: tx.database.execute("PRAGMA max_page_count = 1000000").fetchall())
        await ledger.write(partial(mark, "c"))
        return results, await ledger.read(marks)

    results, kept = play(tmp_path, story)
    assert isinstance(results[1], BollardError)
    assert results[1].code == "ledger.full"
    assert kept == [*(result for result in results if isinstance(result, str)), "c"]


def _fill(tx: Tx) -> str:
    tx.database.execute("INSERT INTO mark (name, size) VALUES ('big', zeroblob(10000000))")
    return "big"


@pytest.mark.parametrize(("room", "code"), [(0, "ledger.failed"), (2**62, "ledger.full")])
def test_a_write_that_fails_where_there_is_no_room_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, code: str
) -> None:
    """SQLite says I/O error of both; what is written after the disk has healed is there."""
    monkeypatch.setattr(store, "ROOM_LEAST", room)

    async def story(ledger: GroupCommit) -> tuple[str, list[str]]:
        disk.fail(BROKEN, 1)
        with pytest.raises(BollardError) as refused:
            await ledger.write(partial(mark, "a"))
        await ledger.write(partial(mark, "b"))
        return refused.value.code, await ledger.read(marks)

    with failing_disk(tmp_path) as disk:
        assert play(tmp_path, story) == (code, ["b"])


@pytest.mark.parametrize("replaced", [False, True], ids=["taken away", "replaced"])
def test_a_ledger_that_is_not_in_its_place_any_more_takes_no_acts(tmp_path: Path, replaced: bool) -> None:
    """What is written to a file without a name would be lost when the process ends."""
    aside = tmp_path / "aside"

    async def story(ledger: GroupCommit) -> tuple[str, list[str]]:
        await ledger.write(partial(mark, "a"))
        (tmp_path / "ledger.db").rename(aside)
        if replaced:
            (tmp_path / "ledger.db").write_bytes(b"another")
        with pytest.raises(BollardError) as refused:
            await ledger.write(partial(mark, "b"))
        (tmp_path / "ledger.db").unlink(missing_ok=True)
        aside.rename(tmp_path / "ledger.db")
        await ledger.write(partial(mark, "c"))
        return refused.value.code, await ledger.read(marks)

    assert play(tmp_path, story) == ("ledger.missing", ["a", "c"])


def test_one_who_no_longer_waits_disturbs_nobody(tmp_path: Path) -> None:
    """A peer that hung up: its act is done all the same, and the others are answered."""

    async def story(ledger: GroupCommit) -> list[str]:
        waiting = asyncio.create_task(ledger.write(partial(mark, "a")))
        await asyncio.sleep(0)
        waiting.cancel()
        await ledger.write(partial(mark, "b"))
        return await ledger.read(marks)

    assert play(tmp_path, story) == ["a", "b"]


def test_closing_finishes_what_was_asked_and_takes_no_more(tmp_path: Path) -> None:
    """A clean stop loses nothing; afterwards the ledger says that it is closed."""

    async def story() -> tuple[list[str], str]:
        async with opened(tmp_path) as ledger:
            asked = [asyncio.create_task(ledger.write(partial(mark, str(number)))) for number in range(20)]
            await asyncio.sleep(0)
            await ledger.close()
            done = await asyncio.gather(*asked)
            with pytest.raises(BollardError) as refused:
                await ledger.write(partial(mark, "late"))
            return done, refused.value.code

    assert asyncio.run(story()) == ([str(number) for number in range(20)], "ledger.closed")


def test_a_glance_sees_what_was_answered(tmp_path: Path) -> None:
    """At once, whatever else is being read."""

    async def story(ledger: GroupCommit) -> list[str]:
        await ledger.write(partial(mark, "one"))
        return ledger.glance(marks)

    assert play(tmp_path, story) == ["one"]


def test_a_peek_sees_what_was_answered(tmp_path: Path) -> None:
    """As a glance does; and what SQLite complains about is said in our words."""

    async def story(ledger: GroupCommit) -> tuple[list[str], str]:
        await ledger.write(partial(mark, "one"))
        with pytest.raises(BollardError) as refused:
            ledger.peek(lambda database: database.execute("SELECT * FROM nothing"))
        return ledger.peek(marks), refused.value.code

    assert play(tmp_path, story) == (["one"], "ledger.failed")


def test_a_long_act_leaves_the_event_loop_free(tmp_path: Path) -> None:
    """An import of thousands of rows, while others are answered from what was there before."""

    async def story(ledger: GroupCommit) -> tuple[list[str], list[str]]:
        started, go_on = threading.Event(), threading.Event()

        def import_all(tx: Tx) -> str:
            started.set()
            assert go_on.wait(10)
            return mark("imported", tx)

        long = asyncio.create_task(ledger.write(import_all, long=True))
        await asyncio.to_thread(started.wait, 10)
        meanwhile = ledger.glance(marks)
        go_on.set()
        await long
        return meanwhile, ledger.glance(marks)

    assert play(tmp_path, story) == ([], ["imported"])


def test_a_long_look_has_a_connection_of_its_own(tmp_path: Path) -> None:
    """Verifying a long log keeps nobody waiting: others read and write meanwhile."""

    async def story(ledger: GroupCommit) -> tuple[list[str], list[str]]:
        started, go_on = threading.Event(), threading.Event()

        def look(database: Database) -> list[str]:
            before = marks(database)
            started.set()
            assert go_on.wait(10)
            return [*before, *marks(database)]

        long = asyncio.create_task(ledger.read_apart(look))
        await asyncio.to_thread(started.wait, 10)
        await ledger.write(partial(mark, "meanwhile"))
        seen = await ledger.read(marks)
        go_on.set()
        return await long, seen

    assert play(tmp_path, story) == ([], ["meanwhile"])


def test_trouble_while_reading_is_said_in_our_words(tmp_path: Path) -> None:
    """No error of SQLite's leaves the room."""

    async def story(ledger: GroupCommit) -> None:
        await ledger.read(lambda database: database.execute("SELECT * FROM absent").fetchall())

    with pytest.raises(BollardError, match=r"ledger\.failed"):
        play(tmp_path, story)
