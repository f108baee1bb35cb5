"""Runs an act up to the record it would make, and takes that back: what a dry run asks for.

The act is the real one, so it refuses what the real one refuses, in the ledger's own transaction too. It works at a
desk of its own, whose ledger undoes every write, whose new keys lie nowhere but in memory, and whose vault keeps
nothing. The first write that makes an audit entry ends it: record comes before sign, so no key of ours is used. An
entry that only says that something was refused ends nothing, for the refusal itself follows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pki.edge import calls
from pki.edge.commit import GroupCommit
from pki.edge.keys import Borrowed
from pki.edge.ledger import audit as log
from pki.edge.office.desk import Desk
from pki.edge.office.memory import Memory
from pki.edge.vault import Vault
from pki.replay import read_entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlite_utils import Database

    from pki.edge.commit import Tx

T = TypeVar("T")
C = TypeVar("C", bound=calls.Call)

REFUSALS: Final = frozenset({"certificate.refused", "firmware.refused", "enrolment.refused"})
"""What is recorded on the way to a refusal."""
ENTRIES_MOST: Final = 1_000  # audit entries of one transaction that are told


class _Undone(Exception):  # noqa: N818 - a turn of events, not an error
    """The transaction is to be undone, with what it came to and the acts it recorded."""

    def __init__(self, result: object, acts: tuple[str, ...]) -> None:
        self.result = result
        self.acts = acts


class _Reached(Exception):  # noqa: N818 - a turn of events, not an error
    """The act came to its record, and would have recorded this."""

    def __init__(self, acts: tuple[str, ...]) -> None:
        self.acts = acts


class _Undoing(GroupCommit):
    """The ledger, whose every write is undone."""

    def __init__(self, ledger: GroupCommit) -> None:
        self._ledger = ledger

    async def write(self, act: Callable[[Tx], T], *, long: bool = False) -> T:
        """Run an act and undo it. What it raises is raised here; an entry that it made ends the rehearsal."""
        results: list[T] = []

        def tried(tx: Tx) -> None:
            size = tx.log.edge().size
            results.append(act(tx))
            raise _Undone(results, _acts_since(tx.database, size))

        try:
            await self._ledger.write(tried, long=long)
        except _Undone as undone:
            if set(undone.acts) - REFUSALS:
                raise _Reached(undone.acts) from None
        return results[0]

    def glance(self, look: Callable[[Database], T]) -> T:
        """Look at the real ledger."""
        return self._ledger.glance(look)

    def peek(self, look: Callable[[Database], T]) -> T:
        """Look at the real ledger."""
        return self._ledger.peek(look)

    async def read(self, look: Callable[[Database], T]) -> T:
        """Look at the real ledger."""
        return await self._ledger.read(look)

    async def read_apart(self, look: Callable[[Database], T]) -> T:
        """Look at the real ledger."""
        return await self._ledger.read_apart(look)


class _Unkept(Vault):
    """A store that takes no image in."""

    def keep(self, source: Path, digest: str) -> Path:
        """Say where it would lie."""
        return self._path(digest) if source.exists() else source


@dataclass(frozen=True, slots=True)
class Stage(Desk):
    """A desk at which nothing lasts."""

    def checkpoint(self, tx: Tx) -> calls.Checkpoint:
        """Sign nothing."""
        edge = tx.log.edge()
        return calls.Checkpoint(edge.size, edge.root().hex(), "")


async def rehearse(
    desk: Desk, act: Callable[[Desk, C, str], Awaitable[calls.Row]], call: C, who: str
) -> calls.Rehearsed:
    """Run an act as far as its first record. Raises whatever the act raises before that."""
    try:
        await act(_stage(desk), call, who)
    except _Reached as reached:
        return calls.Rehearsed(reached.acts)
    return calls.Rehearsed(())


def _stage(desk: Desk) -> Stage:
    same: dict[str, Any] = {each.name: getattr(desk, each.name) for each in fields(desk)}
    own = {
        "ledger": _Undoing(desk.ledger),
        "keys": Borrowed.of(desk.keys),
        "vault": _Unkept(desk.home.vault),
        "own": dict(desk.own),
        "memory": Memory(),
        "given": list(desk.given),
    }
    return Stage(**{**same, **own})


def _acts_since(database: Database, size: int) -> tuple[str, ...]:
    return tuple(read_entry(row.entry).act for row in log.listed(database, size, ENTRIES_MOST))
