"""Plays a conversation: each fact told, each order expected; what differs is shown as two transcripts side by side."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from secproxy.claims import Claims

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy import claims
    from secproxy import orders as words
    from secproxy.session import Session

NOON: Final = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


def play(
    told: Session | Claims,
    *turns: tuple[words.Fact | claims.Fact, Sequence[words.Order | claims.Order]],
    now: dt.datetime = NOON,
) -> None:
    """Tell each fact in turn and compare what is ordered; a difference fails with both transcripts up to there."""
    wanted, heard = [], []
    for fact, orders in turns:
        ordered = told.tell(fact, now.timestamp() if isinstance(told, Claims) else now)  # type: ignore[arg-type]  # reason: a turn's facts belong to the conversation played
        wanted.append(_turn(fact, orders))
        heard.append(_turn(fact, ordered))
        assert ordered == list(orders), "\n".join(["expected:", *wanted, "", "heard:", *heard])


def _turn(fact: object, orders: Sequence[object]) -> str:
    return "\n".join([f"  {fact}", *(f"      -> {order}" for order in orders)])
