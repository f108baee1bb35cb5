"""What is due is said, and what needs nobody else is done: at a command, and by itself while the authority runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import calls, clock
from pki.edge.office import credentials, crls, inventory, renewal, signers
from pki.errors import InputError
from pki.rotation import Actor, Due, Inventory, Kind, calendar, due

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import TypeAlias

    from pki.edge.office.desk import Desk

    Renewal: TypeAlias = Callable[[Desk, str], Awaitable[tuple[calls.Renewed, ...]]]

SELF: Final = "authority"  # who acts, in the audit log, when nobody asked for it

ALONE: Final[Mapping[Kind, Renewal]] = {
    Kind.SERVER: lambda desk, who: renewal.renew(desk, "server", who),
    Kind.OCSP: lambda desk, who: renewal.renew(desk, "ocsp", who),
}
"""How each kind that needs nobody else is renewed; kinds that are not here have duties of their own."""


async def shown(desk: Desk, call: calls.ShowRotation, who: str) -> calls.Rotation:  # noqa: ARG001 - one shape for all
    """Say what is due."""
    moment = call.at or clock.now()
    everything = calendar(await inventory.take(desk))
    after = [each for each in everything if each.when > moment]
    rows = _rows((each for each in everything if each.when <= moment), moment)
    return calls.Rotation(rows, _rows(after[:1], moment)[0] if after else None)


async def rotate(desk: Desk, call: calls.Rotate, who: str) -> calls.Rotated:
    """Renew what is due, or what is named."""
    if call.now and call.now not in ALONE:
        says = f"{call.now[:40]!r} is nothing that is renewed at once"
        raise InputError("rotate.now", says, f"Use one of: {', '.join(ALONE)}.")
    await renewal.tidy(desk, who)
    done = await ALONE[Kind(call.now)](desk, who) if call.now else await _renew_due(desk, who)
    if not call.now:
        done += await signers.renew_due(desk, who)
    signed = 0 if call.now else await crls.sign_due_crls(desk, who)
    await credentials.watch(desk, who)
    moment = clock.now()
    return calls.Rotated(done, _rows(due(await inventory.take(desk), moment), moment), signed)


async def tend(desk: Desk) -> None:
    """Do one round: finish what a crash left, renew what is due."""
    await renewal.tidy(desk, SELF)
    await _renew_due(desk, SELF)


async def watch(desk: Desk) -> None:
    """Look whether the files of given server certificates hold others by now."""
    await credentials.watch(desk, SELF)


async def _renew_due(desk: Desk, who: str) -> tuple[calls.Renewed, ...]:
    owed = due(Inventory(tuple(await inventory.ours(desk))), clock.now())
    kinds = dict.fromkeys(each.item.kind for each in owed if each.by is Actor.ALONE and each.item.kind in ALONE)
    if desk.settings.status_url:  # each signer is renewed for itself, with the lists: see ``signers``
        kinds.pop(Kind.OCSP, None)
    return tuple([row for kind in kinds for row in await ALONE[kind](desk, who)])


def _rows(owed: Iterable[Due], moment: dt.datetime) -> tuple[calls.DueRow, ...]:
    return tuple(map(partial(_row, moment=moment), owed))


def _row(each: Due, moment: dt.datetime) -> calls.DueRow:
    return calls.DueRow(
        kind=each.item.kind.value,
        name=each.item.name,
        when=each.when,
        not_after=each.item.not_after,
        by=each.by.value,
        clause=each.clause,
        says=each.says,
        command=each.command,
        needs_person=each.needs_person(moment),
    )
