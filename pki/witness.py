"""What was signed over the log, held against the log as it is counted out again.

A checkpoint is a witness: whoever rewrites entries cannot rewrite what was signed over them, least of all a checkpoint
that lies elsewhere. Every witness must be met on the way, and met with the root it states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pki.audit import Frontier


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
