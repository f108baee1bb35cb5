"""A person's yes or no to the requests that wait, and the end of those that nobody decided."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pki.edge import calls, clock
from pki.edge.ledger import tokens, waiting
from pki.errors import ConflictError, InputError
from pki.waiting import REASON_LENGTH, Decision, decide

if TYPE_CHECKING:
    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk


async def listed(desk: Desk, call: calls.ListWaiting, who: str) -> calls.Waiting:  # noqa: ARG001 - one shape for all
    """List what waits, the oldest first."""
    return calls.Waiting(tuple(await desk.ledger.read(partial(waiting.every, now=clock.now()))))


async def answer(desk: Desk, call: calls.DecideRequest, who: str) -> calls.Done:
    """Take a decision; it reaches the station when it asks again."""
    if len(call.reason) > REASON_LENGTH or not (call.reason.isprintable() or not call.reason):
        raise InputError(
            "enrolment.reason",
            f"a reason of {len(call.reason)} characters",
            f"Give one line of {REASON_LENGTH} at most.",
        )
    return await desk.ledger.write(partial(_answer, desk, call, who))


def _answer(desk: Desk, call: calls.DecideRequest, who: str, tx: Tx) -> calls.Done:
    now = clock.now()
    row = waiting.numbered(tx.database, call.id, now)
    if row.issuer and call.approve:
        raise ConflictError(
            "enrolment.elsewhere",
            f"the request waits for {row.issuer}, not for us",
            "Ask there; deny it to give it up.",
        )
    state = decide(Decision(row.state), Decision.APPROVED if call.approve else Decision.DENIED)
    expires = waiting.decide(tx.database, row.id, state, who, call.reason, now)
    what: dict[str, Json] = {"id": row.id, "station": row.station, "key_id": row.key_id.hex()}
    told: dict[str, Json] = {**what, "reason": call.reason, "expires": expires}
    if state is Decision.APPROVED:
        return calls.Done(desk.record(tx, "enrolment.approved", who, told))
    index = desk.record(tx, "enrolment.denied", who, told)
    if given_up := waiting.forget_denied(tx.database):
        desk.record(tx, "enrolment.tidied", "authority", {"tokens": [], "requests": [*given_up]})
    return calls.Done(index)


async def tidy(desk: Desk) -> int:
    """Forget tokens and requests past their end; return how many. A duty of the authority's."""
    return await desk.ledger.write(partial(forget_ended, desk))


def forget_ended(desk: Desk, tx: Tx) -> int:
    """Forget it in a transaction that is open: what has ended must not stand in a new request's way."""
    now = clock.now()
    ended = tokens.forget_ended(tx.database, now)
    given_up = [row.id for row in waiting.forget_ended(tx.database, now)]
    if ended or given_up:
        desk.record(tx, "enrolment.tidied", "authority", {"tokens": ended, "requests": given_up})
    return len(ended) + len(given_up)
