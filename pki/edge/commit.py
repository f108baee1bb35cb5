"""Many acts, one trip to the disk: acts that arrive while the disk is busy share the next durable transaction.

* One thread owns the ledger's only writing connection. An act is a function of the open transaction.
* Each act runs in a savepoint of its own: one that fails is undone alone, the others go on.
* Nobody hears of an act before its transaction is on the disk. What an act left in ``after`` (news for watchers) runs
  on the event loop in the order of the commits, and before the act's own answer.
* When the transaction as a whole is lost (disk full, failed commit), every act in it fails; none was done.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pki.edge import store
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database

BATCH: Final = 256  # acts in one transaction at most: bounds how long the first of them waits for the rest

T = TypeVar("T")


class Tx:
    """The open transaction as one act sees it: the database, and what to do on the event loop after the commit."""

    __slots__ = ("after", "database")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.after: list[Callable[[], None]] = []


class GroupCommit:
    """The ledger's writer and its reader. Open it inside a running event loop; close it before the loop ends."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._writer = store.open_writer(path)
        self._reader = store.open_reader(path)
        self._acts: queue.SimpleQueue[_Act | None] = queue.SimpleQueue()
        self._closed = False
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-reader")
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    async def write(self, act: Callable[[Tx], T]) -> T:
        """Run an act; return what it returned, once it is on the disk. What it raises is raised here; it is undone."""
        if self._closed:
            raise BollardError("ledger.closed", "the authority is stopping", "Start it again, then repeat this.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._acts.put(_Pending(act, future))
        return await future

    async def read(self, look: Callable[[Database], T]) -> T:
        """Look at one consistent state of the ledger, at least as new as every write already answered."""
        return await self._loop.run_in_executor(self._reading, _look, self._reader, look)

    async def read_apart(self, look: Callable[[Database], T]) -> T:
        """Look for as long as it takes, on a connection of its own, while everybody else goes on."""
        return await asyncio.to_thread(self._look_apart, look)

    async def close(self) -> None:
        """Finish what was asked for, then close the file."""
        if self._closed:
            return
        self._closed = True
        self._acts.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.sleep(0)  # what the thread delivered last is on the loop by now; let it run
        self._reading.shutdown()
        self._reader.close()
        self._writer.close()

    def _look_apart(self, look: Callable[[Database], T]) -> T:
        reader = store.open_reader(self._path)
        try:
            return _look(reader, look)
        finally:
            reader.close()

    def _work(self) -> None:
        while (first := self._acts.get()) is not None:
            batch, last = self._gather(first)
            self._commit(batch)
            self._loop.call_soon_threadsafe(_deliver, batch)
            if last:
                return

    def _gather(self, first: _Act) -> tuple[list[_Act], bool]:
        batch = [first]
        with contextlib.suppress(queue.Empty):
            while len(batch) < BATCH:
                act = self._acts.get_nowait()
                if act is None:
                    return batch, True
                batch.append(act)
        return batch, False

    def _commit(self, batch: list[_Act]) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for act in batch:
                self._attempt(act)
            self._writer.execute("COMMIT")
        except sqlite3.Error as problem:
            self._writer.rollback()
            for act in batch:
                act.lost(store.translate(problem))

    def _attempt(self, act: _Act) -> None:
        """Run one act in its savepoint. SQLite's error is raised on when it took the whole transaction with it."""
        self._writer.execute("SAVEPOINT act")
        try:
            act.run(Tx(self._writer))
        except Exception as problem:  # whatever an act raises belongs to the one who asked for it
            if not self._writer.conn.in_transaction and isinstance(problem, sqlite3.Error):
                raise
            self._writer.execute("ROLLBACK TO act")
            act.lost(store.translate(problem) if isinstance(problem, sqlite3.Error) else problem)
        self._writer.execute("RELEASE act")


class _Act:
    """What the writer thread knows of an act, whatever it returns."""

    def run(self, tx: Tx) -> None:
        raise NotImplementedError

    def lost(self, problem: Exception) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        raise NotImplementedError


class _Pending(_Act, Generic[T]):
    """An act and the future of the one who waits for it. The thread touches no future: ``settle`` runs on the loop."""

    def __init__(self, act: Callable[[Tx], T], future: asyncio.Future[T]) -> None:
        self.future = future
        self._act = act
        self._results: list[T] = []
        self._after: list[Callable[[], None]] = []
        self._problem: Exception | None = None

    def run(self, tx: Tx) -> None:
        self._results.append(self._act(tx))
        self._after = tx.after

    def lost(self, problem: Exception) -> None:
        self._problem = self._problem or problem

    def settle(self) -> None:
        if self._problem is None:
            for step in self._after:
                step()
        if self.future.cancelled():
            return
        if self._problem is None:
            self.future.set_result(self._results[0])
        else:
            self.future.set_exception(self._problem)


def _deliver(batch: list[_Act]) -> None:
    for act in batch:
        act.settle()


def _look(reader: Database, look: Callable[[Database], T]) -> T:
    try:
        reader.execute("BEGIN")
        try:
            return look(reader)
        finally:
            reader.rollback()
    except sqlite3.Error as problem:
        raise store.translate(problem) from problem
