"""The audit log in the ledger: every act an entry, every entry a leaf of a Merkle tree (RFC 6962 2.1), and checkpoints.

An entry and the tree's new right edge are written in the transaction of the act itself: no entry, no act.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from pki import audit
from pki.checkpoint import open_checkpoint
from pki.edge import store
from pki.edge.calls import AuditRow, Checkpoint
from pki.witness import Due, Witnesses, broken

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from sqlite_utils import Database

HASH: Final = 32  # bytes of SHA-256
FIRST: Final = -(2**63)  # the lowest row number SQLite has: a row below 0 is none of ours and must be found
PAGE: Final = 2_000  # entries read at a time while verifying: bounds memory


class Leaf(msgspec.Struct, frozen=True):
    """One stored entry with the hash that was stored beside it."""

    index: int
    entry: str
    leaf: bytes


class _Edge(msgspec.Struct, frozen=True):
    size: int
    hashes: bytes


class Log:
    """The log as the acts of one transaction write it: the tree's edge is read once, and written once, by ``settle``.

    Made for one transaction and dropped with it. Where an act is undone alone, the log goes back to what was ``known``
    before that act.
    """

    __slots__ = ("_database", "_signed", "_stored", "known")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._signed: int | None = None
        self._stored: audit.Frontier | None = None
        self.known: audit.Frontier | None = None

    def edge(self) -> audit.Frontier:
        """Return the tree's right edge with all that this transaction wrote."""
        if self.known is None:
            self.known = self._stored = edge(self._database)
        return self.known

    def append(self, at: dt.datetime, act: str, who: str, what: Mapping[str, audit.Json]) -> int:
        """Write one entry; return its index."""
        frontier = self.edge()
        if self._signed is None:
            self._signed = _signed_ever(self._database)
        entry = audit.entry(frontier.size, at, act, who, what, self._signed)
        leaf = audit.leaf_hash(entry)
        self._database.conn.execute(
            'INSERT INTO audit ("index", entry, leaf) VALUES (?, ?, ?)', (frontier.size, entry.decode(), leaf)
        )
        self.known = frontier.append(leaf)
        return frontier.size

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a signed checkpoint."""
        add_checkpoint(self._database, checkpoint)
        self._signed = None

    def go_back(self, known: audit.Frontier | None) -> None:
        """Forget what an act wrote that was undone in the database."""
        self.known, self._signed = known, None

    def settle(self) -> None:
        """Write the tree's new edge: the last that is done before the commit."""
        if self.known is not None and self.known != self._stored:
            store.change(
                self._database,
                "UPDATE frontier SET size = :size, hashes = :hashes WHERE id = 1",
                {"size": self.known.size, "hashes": b"".join(self.known.hashes)},
            )


def append(database: Database, at: dt.datetime, act: str, who: str, what: Mapping[str, audit.Json]) -> int:
    """Write one entry and the tree's new edge; return the entry's index."""
    log = Log(database)
    index = log.append(at, act, who, what)
    log.settle()
    return index


def edge(database: Database) -> audit.Frontier:
    """Return the tree's right edge as stored: within a transaction, as it was before."""
    found = store.rows(database, _Edge, "SELECT size, hashes FROM frontier WHERE id = 1")
    if not found:
        raise broken("the tree's edge is gone")
    packed = found[0].hashes
    try:
        return audit.Frontier(found[0].size, tuple(packed[i : i + HASH] for i in range(0, len(packed), HASH)))
    except ValueError:
        raise broken("the tree's edge was altered") from None


def listed(database: Database, first: int, limit: int) -> list[AuditRow]:
    """Return entries in order from ``first`` on; -1 means the newest ``limit``."""
    start = max(edge(database).size - limit, 0) if first < 0 else first
    return store.rows(
        database,
        AuditRow,
        'SELECT "index", entry FROM audit WHERE "index" >= :start ORDER BY "index" LIMIT :limit',
        {"start": start, "limit": limit},
    )


def add_checkpoint(database: Database, checkpoint: Checkpoint) -> None:
    """Keep a signed checkpoint."""
    store.change(
        database,
        "INSERT INTO checkpoint (size, root, text) VALUES (:size, :root, :text)",
        {"size": checkpoint.size, "root": checkpoint.root, "text": checkpoint.text},
    )


def checkpoints(database: Database) -> list[Checkpoint]:
    """Return every checkpoint, oldest first."""
    return store.rows(database, Checkpoint, "SELECT size, root, text FROM checkpoint ORDER BY id")


def checkpoints_from(database: Database, least: int, first: int, limit: int) -> list[Checkpoint]:
    """Return checkpoints over at least ``least`` entries, oldest first, ``limit`` of them after ``first`` others."""
    return store.rows(
        database,
        Checkpoint,
        "SELECT size, root, text FROM checkpoint WHERE size >= :least ORDER BY id LIMIT :limit OFFSET :first",
        {"least": least, "first": first, "limit": limit},
    )


def count_checkpoints(database: Database, least: int) -> int:
    """Count the checkpoints over at least ``least`` entries."""
    return int(database.execute("SELECT count(*) FROM checkpoint WHERE size >= ?", [least]).fetchone()[0])


def newest_checkpoint(database: Database) -> Checkpoint | None:
    """Return the newest checkpoint, if there is any."""
    found = store.rows(database, Checkpoint, "SELECT size, root, text FROM checkpoint ORDER BY id DESC LIMIT 1")
    return found[0] if found else None


def verify(
    database: Database,
    origin: str,
    public_key: Ed25519PublicKey,
    held: str = "",
    heed: Callable[[int, str], None] | None = None,
) -> tuple[audit.Frontier, int]:
    """Recompute the log; return its edge and how many checkpoints agree. Raises ``RefusedError("audit.broken")``.

    ``held`` is the text of a checkpoint kept elsewhere: whoever rewrote the ledger could not rewrite that one.
    ``heed`` hears each entry's index and text, in order.
    """
    signed = _signed(database, origin, public_key)
    due = Due(size for size, _ in signed)
    if held:
        signed.append(open_checkpoint(held, origin, public_key))
    witnesses, frontier = Witnesses(signed), audit.Frontier()
    witnesses.meet(frontier)
    for leaf in _leaves(database):
        _same(leaf, frontier.size)
        frontier = frontier.append(leaf.leaf)
        witnesses.meet(frontier)
        due.heed(leaf.index, leaf.entry)
        if heed:
            heed(leaf.index, leaf.entry)
    agreed = witnesses.agreed(frontier)
    due.end(frontier.size)
    if edge(database) != frontier:
        raise broken("the stored edge of the tree is not that of the entries")
    return frontier, agreed


def stored_leaves(database: Database) -> Iterator[bytes]:
    """Yield every leaf as stored, in order; not compared with the entries, so for what is checked afterwards alone."""
    return (leaf for (leaf,) in database.execute('SELECT leaf FROM audit WHERE "index" >= 0 ORDER BY "index"'))


@contextlib.contextmanager
def as_altered() -> Iterator[None]:
    """Turn the lack of leaves, where a checkpoint was signed over more, into words."""
    try:
        yield
    except ValueError as problem:
        raise broken(str(problem)) from None


def _signed(database: Database, origin: str, public_key: Ed25519PublicKey) -> list[tuple[int, bytes]]:
    """Open every checkpoint; their sizes may grow or stay, never shrink, and of their numbers none may lack."""
    found: list[tuple[int, bytes]] = []
    for checkpoint in checkpoints(database):
        opened = open_checkpoint(checkpoint.text, origin, public_key)
        if (opened[0], opened[1].hex()) != (checkpoint.size, checkpoint.root):
            raise broken(f"the checkpoint over {checkpoint.size} entries was altered")
        if found and opened[0] < found[-1][0]:
            raise broken(f"a checkpoint over {opened[0]} entries follows one over {found[-1][0]}")
        found.append(opened)
    _refuse_gap([number for (number,) in database.execute("SELECT id FROM checkpoint ORDER BY id")], database)
    return found


def _refuse_gap(numbers: list[int], database: Database) -> None:
    for number in range(1, _signed_ever(database) + 1):
        if numbers[number - 1 : number] != [number]:
            raise broken(f"the checkpoint that was signed as number {number} is gone")


def _signed_ever(database: Database) -> int:
    """Return how many checkpoints this ledger ever kept, as SQLite counts them, whatever became of them."""
    found = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'checkpoint'").fetchone()
    return int(found[0]) if found else 0


def _leaves(database: Database) -> Iterator[Leaf]:
    start = FIRST
    while page := store.rows(
        database,
        Leaf,
        'SELECT "index", entry, leaf FROM audit WHERE "index" >= :start ORDER BY "index" LIMIT :limit',
        {"start": start, "limit": PAGE},
    ):
        yield from page
        start = page[-1].index + 1


def _same(leaf: Leaf, index: int) -> None:
    if leaf.index != index:
        raise broken(f"entry {index} is missing")
    if audit.leaf_hash(leaf.entry.encode()) != leaf.leaf:
        raise broken(f"entry {index} was edited")
