"""Live connections by the thousand, as far as whoever ends or settles them is concerned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from secproxy.edge.links import Links
    from secproxy.edge.relay import Link


class Here:
    """One of them: what it was told to go by, and why it was closed."""

    def __init__(self, leg: int, *, observed: bool = False) -> None:
        self.leg, self.identity = leg, f"CP-{leg}"
        self.admitted = SimpleNamespace(certificate=None, observed=observed, link=self)
        self.obeys: list[object] = []
        self.closed = ""

    def open(self) -> None:
        """Nothing flows."""

    def obey(self, find: object) -> None:
        self.obeys.append(find)

    def close(self, _code: int, reason: str) -> None:
        self.closed = self.closed or reason


def come(links: Links, *those: Here) -> None:
    """Take them in."""
    for each in those:
        links.add(cast("Link", each))


def go(links: Links, *those: Here) -> None:
    """Forget them."""
    for each in those:
        links.remove(cast("Link", each))
