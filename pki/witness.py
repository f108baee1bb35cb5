"""What was signed over the log, held against the log as it is counted out again.

A checkpoint is a witness: whoever rewrites entries cannot rewrite what was signed over them, least of all a checkpoint
that lies elsewhere. Every witness must be met on the way, and met with the root it states.

Nor can they be taken away: each entry tells how many were signed before it, and there is one in every thousand entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pki.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pki.audit import Frontier

CHECKPOINT_EVERY: Final = 1_000  # entries; so that an auditor who holds a checkpoint is never far behind


class _Counted(msgspec.Struct, frozen=True):
    """What an entry tells of checkpoints; those of older versions tell nothing."""

    checkpoints: int | None = None


class Due:
    """The checkpoints that a log must have: ``sizes`` are those it has, in the order in which they were signed."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self._sizes = list(sizes)
        self._before = 0  # how many of them were signed before the entry at hand

    def heed(self, index: int, entry: str) -> None:
        """Take in the next entry; ``RefusedError("audit.broken")`` when it tells of more of them, or of fewer."""
        try:
            told = _COUNTED.decode(entry).checkpoints
        except (msgspec.DecodeError, ValueError):
            return  # no entry at all, which whoever reads them tells
        while self._before < len(self._sizes) and self._sizes[self._before] <= index:
            self._before += 1
        if told is not None and told != self._before:
            raise broken(f"entry {index} tells of {told} checkpoints signed before it, yet {self._before} are there")

    def end(self, size: int) -> None:
        """Find the stretch that nothing was signed over, though it is longer than any may be."""
        begins = [0, *self._sizes]
        for begin, end in zip(begins, [*self._sizes, size], strict=True):
            if end - begin > CHECKPOINT_EVERY:
                raise broken(f"no checkpoint was signed over the entries from {begin} to {end - 1}")


_COUNTED: Final = msgspec.json.Decoder(_Counted)


class Witnesses:
    """Checkpoints that were opened, as (size, root); show them every frontier in order, then ask whether all agree."""

    def __init__(self, signed: Iterable[tuple[int, bytes]]) -> None:
        self._roots: dict[int, list[bytes]] = {}
        for size, root in signed:
            self._roots.setdefault(size, []).append(root)
        self._agreed = 0

    def meet(self, frontier: Frontier) -> None:
        """Compare those signed at this size; ``RefusedError("audit.broken")`` when one states another root."""
        signed = self._roots.get(frontier.size)
        if signed is None:
            return
        if any(root != frontier.root() for root in signed):
            raise broken(f"the first {frontier.size} entries are not those of the checkpoint signed over them")
        self._agreed += len(signed)

    def agreed(self, frontier: Frontier) -> int:
        """Return how many agreed; ``RefusedError("audit.broken")`` when one was signed over more than there is."""
        most = max(self._roots, default=0)
        if most > frontier.size:
            raise broken(f"a checkpoint was signed over {most} entries, yet only {frontier.size} are there")
        return self._agreed


def broken(cause: str) -> RefusedError:
    """Say that the log was altered."""
    return RefusedError(
        "audit.broken",
        f"the audit log does not hold: {cause}",
        "Keep a copy of it as it is, take the home out of service, and compare with a backup.",
    )
