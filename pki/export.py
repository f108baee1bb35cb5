"""The audit log as one file: whoever has it can verify the whole log without the home it came from.

* The file is JSON lines: a header (origin, public key, how much follows, and the tree's edge before the first entry),
  then each entry's exact text on a line, then each checkpoint. A line's SHA-256 with a zero byte before it is the leaf.
* Nothing in the file is believed because it says so. The key in the header may be anybody's: without a key or a
  checkpoint from elsewhere, what is proved is that the file agrees with itself.
* Files are read as streams of lines, twice: first what was signed, then what it was signed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from pki import audit
from pki.checkpoint import open_checkpoint, read_public_key
from pki.errors import InputError
from pki.witness import Witnesses, broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SCHEMA_VERSION: Final = 1  # of the file; grows when a line changes its meaning
LINE_BYTES: Final = 32 * 1024**2  # of one line; an entry of a bulk import of 100,000 stations fits

Lines: TypeAlias = "Callable[[], Iterator[bytes]]"
"""Opens the file and yields its lines, without their ends."""


class Header(msgspec.Struct, frozen=True, tag="bollard.audit", tag_field="kind"):
    """The first line. Entries ``first`` to ``size`` (exclusive) follow, then ``checkpoints`` checkpoints.

    ``frontier`` is the tree's edge before entry ``first``, in hex; ``public_key`` is PEM.
    """

    origin: str
    public_key: str
    first: int
    size: int
    checkpoints: int
    frontier: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def edge(self) -> audit.Frontier:
        """Return the tree's edge before the first entry of the file."""
        return audit.Frontier(self.first, tuple(map(bytes.fromhex, self.frontier)))


class Sealed(msgspec.Struct, frozen=True):
    """A line with a checkpoint."""

    checkpoint: str


class _Numbered(msgspec.Struct, frozen=True):
    index: int


@dataclass(frozen=True, slots=True)
class Exported:
    """The file holds: entries ``first`` to ``size`` lead to ``root``, and all ``checkpoints`` agree with it."""

    origin: str
    first: int
    size: int
    root: bytes
    checkpoints: int


def write_line(line: Header | Sealed) -> bytes:
    """Write a header or a checkpoint as a line of the file."""
    return msgspec.json.encode(line) + b"\n"


def read_header(lines: Lines) -> Header:
    """Read the first line; ``InputError("audit.export")`` when the file is no export."""
    try:
        header = _HEADER.decode(next(lines(), b""))
        header.edge()
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _malformed("its first line is no header of an export") from None
    if header.schema_version != SCHEMA_VERSION or not 0 <= header.first <= header.size or header.checkpoints < 0:
        raise _malformed("its header says what cannot be, or what only a newer version can read")
    return header


def verify_export(lines: Lines, key: Ed25519PublicKey | None = None, held: Sequence[str] = ()) -> Exported:
    """Count the file's entries out and compare with every checkpoint in it, and with those ``held`` elsewhere.

    ``lines`` opens the file anew each time. Without ``key`` the file's own is used, which proves nothing by itself.
    Raises ``RefusedError("audit.broken")`` or ``RefusedError("audit.checkpoint")``.
    """
    header = read_header(lines)
    key = key or read_public_key(header.public_key)
    signed = [open_checkpoint(text, header.origin, key) for text in checkpoints(lines, header)]
    if not signed or signed[-1][0] != header.size:
        raise broken("nothing was signed over its last entries")
    signed += [_within(header, open_checkpoint(text, header.origin, key)) for text in held]
    witnesses, frontier = Witnesses(signed), header.edge()
    witnesses.meet(frontier)
    for entry in entries(lines, header):
        _number(entry, frontier.size)
        frontier = frontier.append(audit.leaf_hash(entry))
        witnesses.meet(frontier)
    return Exported(header.origin, header.first, header.size, frontier.root(), witnesses.agreed(frontier))


def entries(lines: Lines, header: Header) -> Iterator[bytes]:
    """Yield each entry's text; ``RefusedError("audit.broken")`` when the file ends before the last."""
    count = 0
    for line in islice(lines(), 1, 1 + header.size - header.first):
        count += 1
        yield line
    if count != header.size - header.first:
        raise broken(f"the file ends after entry {header.first + count - 1} of {header.size}")


def checkpoints(lines: Lines, header: Header) -> list[str]:
    """Return the checkpoints' texts; ``RefusedError("audit.broken")`` when some are missing or more follows."""
    try:
        found = [_SEALED.decode(line).checkpoint for line in islice(lines(), 1 + header.size - header.first, None)]
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise broken("behind its entries stands something else than a checkpoint") from None
    if len(found) != header.checkpoints:
        raise broken(f"{len(found)} of {header.checkpoints} checkpoints are there")
    return found


def leaves(lines: Lines, header: Header) -> Iterator[bytes]:
    """Yield the leaves of the whole log; ``InputError("audit.export_part")`` when the file does not begin with it."""
    if header.first:
        raise InputError(
            "audit.export_part",
            f"the file begins at entry {header.first}, so proofs that need what came before cannot be made from it",
            "Export the log from its first entry on.",
        )
    return map(audit.leaf_hash, entries(lines, header))


def _number(entry: bytes, index: int) -> None:
    try:
        right = _NUMBERED.decode(entry).index == index
    except (msgspec.DecodeError, ValueError, RecursionError):
        right = False
    if not right:
        raise broken(f"what stands in the place of entry {index} is not that entry")


def _within(header: Header, signed: tuple[int, bytes]) -> tuple[int, bytes]:
    if signed[0] < header.first:
        raise InputError(
            "audit.export_part",
            f"the file begins at entry {header.first}, the checkpoint was signed over {signed[0]} entries",
            "Give a newer checkpoint, or export the log from its first entry on.",
        )
    return signed


def _malformed(cause: str) -> InputError:
    return InputError("audit.export", f"the file is no export of an audit log: {cause}", "Give it as it was written.")


_HEADER: Final = msgspec.json.Decoder(Header)
_SEALED: Final = msgspec.json.Decoder(Sealed)
_NUMBERED: Final = msgspec.json.Decoder(_Numbered)
