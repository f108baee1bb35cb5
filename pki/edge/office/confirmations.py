"""Which stations are known to trust which root of ours: by an operator's word, or by what was done and seen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pki.certificate import is_self_issued, key_id
from pki.edge import calls, clock
from pki.edge.ledger import stations, successions
from pki.errors import InputError
from pki.names import StationIdentity

if TYPE_CHECKING:
    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

STATIONS_MOST: Final = 10_000  # stations confirmed by one call; more come in several
WAYS: Final = ("operator", "installed", "observed")
"""How it is known: a person says so, the station accepted the root, or it was seen to rely on it."""


async def confirm(desk: Desk, call: calls.ConfirmTrust, who: str) -> calls.Done:
    """Note that stations trust a root of ours (M05.FR.16)."""
    own = desk.mine(call.name)
    if not is_self_issued(own.certificate) or own.purpose != "root":
        raise InputError("confirm.root", f"{call.name[:40]!r} is no root", "Stations are given roots alone: M05.FR.09.")
    if call.how not in WAYS:
        raise InputError("confirm.how", f"{call.how[:40]!r} is no way to know it", f"Use one of: {', '.join(WAYS)}.")
    if not 1 <= len(call.identities) <= STATIONS_MOST:
        says = f"{len(call.identities)} stations were named"
        raise InputError("confirm.stations", says, f"Name 1 to {STATIONS_MOST} at once.")
    identities = [StationIdentity.parse(each).text for each in call.identities]
    act = partial(_confirm, desk, identities, call, key_id(own.certificate), who)
    return await desk.ledger.write(act, long=True)


def _confirm(desk: Desk, identities: list[str], call: calls.ConfirmTrust, key: bytes, who: str, tx: Tx) -> calls.Done:
    moment, new = clock.stamp(clock.now()), []
    for identity in identities:
        stations.plain(tx.database, identity)
        if successions.confirm(tx.database, identity, key, moment, call.how):
            new.append(identity)
    what: dict[str, Json] = {"root": call.name, "key_id": key.hex(), "moment": moment, "how": call.how}
    return calls.Done(desk.record(tx, "trust.confirmed", who, {**what, "stations": [*new]}))
