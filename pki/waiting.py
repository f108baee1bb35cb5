"""Requests that wait for a person: by which ways a station may ask, which of them need a yes, and how that goes.

A request's way is a table (``_STEPS``). What is not decided in a week is forgotten, and what may wait is bounded, so
that nobody fills the house with questions. What was denied waits no more: it takes no place of those that do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.errors import ConflictError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

DAYS: Final = 7  # days a request waits for its decision, and a decision for the station to come back
EACH_MOST: Final = (
    4  # requests of one station at once, each for another key; a station has one, or two while it retries
)
ALL_MOST: Final = 10_000
"""Requests of all stations at once that wait, and denied ones that are kept; more than a person decides in a week."""
DENIED_EACH_MOST: Final = 16
"""Denied requests of one station that are kept, so that whoever asks again hears the reason; the oldest goes first. A
person denied each, so more of them are a device in a loop."""
RETRY_SECONDS: Final = 60  # what a station is told to wait before it asks again (RFC 7030 4.2.3)
REASON_LENGTH: Final = 200  # characters of the reason a person gives for a no


class Way(StrEnum):
    """How a station proves that it may ask."""

    TOKEN = "token"  # noqa: S105 - a word, not a secret
    """By a one-time token that an operator made for it."""
    MANUFACTURER = "manufacturer"
    """By the certificate its maker gave it, under an anchor trusted for stations."""
    RENEWAL = "renewal"
    """By the certificate that it has from us."""


class Decision(StrEnum):
    """Where a request that waits is."""

    PENDING = "pending"
    APPROVED = "approved"
    """The certificate is issued when the station asks again."""
    DENIED = "denied"


_STEPS: Final[Mapping[Decision, frozenset[Decision]]] = {
    Decision.PENDING: frozenset({Decision.APPROVED, Decision.DENIED}),
    Decision.APPROVED: frozenset({Decision.DENIED}),
    Decision.DENIED: frozenset(),
}
"""From each state to which others; a request that was issued, or has ended, is gone."""


def decide(state: Decision, to: Decision) -> Decision:
    """Take a decision. Raises ``ConflictError("enrolment.decided")`` where it was taken already."""
    if to not in _STEPS[state]:
        raise ConflictError(
            "enrolment.decided", f"the request is {state.value} already", "'bollard cert pending' shows where each is."
        )
    return to


def parse_way(word: str) -> frozenset[Way]:
    """Read a word of ``[issuing] approval``: a way, or ``est`` for all. Raises ``InputError("settings.approval")``."""
    if word == "est":
        return frozenset(Way)
    if word in list(Way):
        return frozenset({Way(word)})
    raise InputError(
        "settings.approval",
        f"[issuing] approval holds {word[:40]!r}",
        f"Use est for every way, or some of: {', '.join(Way)}.",
    )
