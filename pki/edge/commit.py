"""Many acts, one trip to the disk: acts that arrive while the disk is busy share the next durable transaction.

* One connection writes, one transaction at a time. An act is a function of the open transaction. Acts run on the event
  loop, where they cost microseconds; what waits for the disk is handed to a thread. Two threads taking turns at every
  statement would cost more than the statements.
* Each act runs in a savepoint of its own: one that fails is undone alone, the others go on.
* All acts of a transaction write to one log, whose tree gets its new edge once, before the commit.
* Nobody hears of an act before its transaction is on the disk. What an act left in ``after`` (news for watchers) runs
  on the event loop in the order of the commits, and before the act's own answer.
* A ledger that was taken away, or replaced, while it is open takes no more acts: they would be lost with the process.
* When the transaction as a whole is lost (disk full, failed commit), every act in it fails; none was done.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pki.edge import store
from pki.edge.ledger.audit import Log
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database

BATCH: Final = 256  # acts in one transaction at most: bounds how long the first of them waits for the rest

T = TypeVar("T")
A = TypeVar("A")


class Tx:
    """The open transaction as one act sees it: the database, the log, and what to do on the event loop afterwards."""

    __slots__ = ("after", "database", "log")

    def __init__(self, database: Database, log: Log) -> None:
        self.database = database
        self.log = log
        self.after: list[Callable[[], None]] = []


class GroupCommit:
    """The ledger's writer and its readers. Open it inside a running event loop; close it before the loop ends."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._writer = store.open_writer(path)
        self._file = store.identify(path)
        self._reader = store.open_reader(path)
        self._near = store.open_reader(path)
        self._waiting: deque[_Act] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-reader")
        self._writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-writer")

    async def write(self, act: Callable[[Tx], T], *, long: bool = False) -> T:
        """Run an act; return what it returned, once it is on the disk. What it raises is raised here; it is undone.

        ``long`` keeps an act of thousands of rows off the event loop.
        """
        if self._closed:
            raise BollardError("ledger.closed", "the authority is stopping", "Start it again, then repeat this.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Pending(act, future, long=long))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await future

    def glance(self, look: Callable[[Database], T]) -> T:
        """Look at a row or two at once, on the event loop: a thread's turn would cost more than the look itself."""
        return self._look(self._near, look)

    def peek(self, look: Callable[[Database], T]) -> T:
        """Glance with one query alone: it sees one state of the ledger without a transaction around it."""
        try:
            return look(self._near)
        except sqlite3.Error as problem:
            raise store.translate(problem, self._path) from problem

    async def read(self, look: Callable[[Database], T]) -> T:
        """Look at one consistent state of the ledger, at least as new as every write already answered."""
        return await self._loop.run_in_executor(self._reading, self._look, self._reader, look)

    async def read_apart(self, look: Callable[[Database], T]) -> T:
        """Look for as long as it takes, on a connection of its own, while everybody else goes on."""
        return await asyncio.to_thread(self._look_apart, look)

    async def close(self) -> None:
        """Finish what was asked for, then close the file."""
        if self._closed:
            return
        self._closed = True
        if self._flushing is not None:
            await self._flushing
        self._writing.shutdown()
        self._reading.shutdown()
        for connection in (self._near, self._reader, self._writer):
            connection.close()

    def _look_apart(self, look: Callable[[Database], T]) -> T:
        reader = store.open_reader(self._path)
        try:
            return self._look(reader, look)
        finally:
            reader.close()

    def _look(self, reader: Database, look: Callable[[Database], T]) -> T:
        try:
            reader.conn.execute("BEGIN")
            try:
                return look(reader)
            finally:
                reader.rollback()
        except sqlite3.Error as problem:
            raise store.translate(problem, self._path) from problem

    async def _flush(self) -> None:
        """Commit what waits, batch by batch, until nothing does: what comes while the disk is busy shares the next."""
        while self._waiting:
            problem = await self._begin()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            problem = problem or await self._run(batch) or await self._on_disk("COMMIT")
            if problem is not None:
                _attempted(
                    lambda _: self._writer.rollback(), None
                )  # should that fail as well, the next one begins with it
            for act in batch:
                if problem is not None:
                    act.lost(self._told(problem))
                act.settle()

    async def _begin(self) -> Exception | None:
        """Begin a transaction; return what went wrong. What is written to a file without a name is gone with us."""
        try:
            if store.identify(self._path) != self._file:
                return store.missing("ledger.db is another file than the one that was opened")
        except (BollardError, OSError) as problem:
            return problem
        return await self._on_disk("BEGIN IMMEDIATE")

    def _told(self, problem: Exception) -> Exception:
        return store.translate(problem, self._path) if isinstance(problem, sqlite3.Error) else problem

    async def _on_disk(self, statement: str) -> sqlite3.Error | None:
        """Run a statement that waits for a lock or for the disk; return what went wrong."""
        return await self._loop.run_in_executor(self._writing, _attempted, self._writer.execute, statement)

    async def _run(self, batch: list[_Act]) -> sqlite3.Error | None:
        """Run the acts of a transaction; return the error that took all of it along."""
        if any(act.long for act in batch):
            return await self._loop.run_in_executor(self._writing, _attempted, self._attempt_all, batch)
        return _attempted(self._attempt_all, batch)

    def _attempt_all(self, batch: list[_Act]) -> None:
        log = Log(self._writer)
        for act in batch:
            self._attempt(act, log)
        log.settle()

    def _attempt(self, act: _Act, log: Log) -> None:
        """Run one act in its savepoint. SQLite's error is raised on when it took the whole transaction with it."""
        connection, before = self._writer.conn, log.known
        connection.execute("SAVEPOINT act")
        try:
            act.run(Tx(self._writer, log))
        except Exception as problem:  # whatever an act raises belongs to the one who asked for it
            if not connection.in_transaction and isinstance(problem, sqlite3.Error):
                raise
            connection.execute("ROLLBACK TO act")
            log.go_back(before)
            act.lost(self._told(problem))
        connection.execute("RELEASE act")


class _Act:
    """What the writer knows of an act, whatever it returns."""

    long = False

    def run(self, tx: Tx) -> None:
        raise NotImplementedError

    def lost(self, problem: Exception) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        raise NotImplementedError


class _Pending(_Act, Generic[T]):
    """An act and the future of the one who waits for it. No thread touches the future: ``settle`` runs on the loop."""

    def __init__(self, act: Callable[[Tx], T], future: asyncio.Future[T], *, long: bool) -> None:
        self.future = future
        self.long = long
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


def _attempted(work: Callable[[A], object], argument: A) -> sqlite3.Error | None:
    try:
        work(argument)
    except sqlite3.Error as problem:
        return problem
    return None
