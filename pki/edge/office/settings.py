"""Puts on record which settings certificates are made by, whenever they are others than before.

They are edited in files, past the authority, so nobody knows by whom; that they changed is seen when it opens its home,
before anything is signed by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.edge.ledger import settings as told
from pki.edge.office.desk import sha256
from pki.edge.policies import certificate_policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk


def found(desk: Desk, tx: Tx) -> Mapping[str, Json]:
    """Keep what a new home begins with; what is returned is told by its first entry."""
    now = in_force(desk)
    told.keep(tx.database, now)
    return {"settings": {**now}}


def watch(desk: Desk, who: str, tx: Tx) -> None:
    """Record what is not as the log last told, with what it was before; one that is gone is empty."""
    before, now = told.every(tx.database), in_force(desk)
    changed = {name: now.get(name, "") for name in {**before, **now} if before.get(name, "") != now.get(name, "")}
    if changed:
        told.keep(tx.database, changed)
        former: dict[str, Json] = {name: before[name] for name in changed if name in before}
        desk.record(tx, "settings.changed", who, {"settings": {**changed}, "former": former})


def in_force(desk: Desk) -> dict[str, str]:
    """Return the settings by their names in ``bollard.toml``, and the home's own certificate profiles by digest."""
    own = [file for file in certificate_policies(desk.home.policies).values() if not file.shipped]
    profiles = {f"{file.path.parent.name}/{file.path.name}": sha256(file.read()) for file in own}
    return {**desk.settings.in_certificates(), **profiles}
