"""Making and ending the one-time tokens that stations enrol with. A token is shown once; its hash alone is kept."""

from __future__ import annotations

import datetime as dt
import secrets
from functools import partial
from typing import TYPE_CHECKING

from pki import token as words
from pki.edge import calls, clock
from pki.edge.ledger import stations, tokens
from pki.errors import ConflictError, InputError

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk


async def mint(desk: Desk, call: calls.MintToken, who: str) -> calls.TokenMinted:
    """Make a station's token; the one it had ends."""
    refuse_off(desk)
    hours = call.hours or words.HOURS
    if not 1 <= hours <= words.HOURS_MOST:
        raise InputError("token.hours", f"{call.hours} hours", f"Give 1 to {words.HOURS_MOST} hours.")
    token = words.write_token(secrets.token_bytes(words.RANDOM_BYTES))
    expires = clock.now() + dt.timedelta(hours=hours)
    return await desk.ledger.write(partial(_mint, desk, call.station, token, expires, who))


def _mint(desk: Desk, station: str, token: str, expires: dt.datetime, who: str, tx: Tx) -> calls.TokenMinted:
    row = stations.plain(tx.database, station)
    tokens.mint(tx.database, row.identity, words.hash_token(token), expires)
    # no secret: a token has 192 random bits, which nobody finds from its hash
    what = {"station": station, "expires": clock.stamp(expires), "token_sha256": words.hash_token(token).hex()}
    index = desk.record(tx, "token.minted", who, what)
    return calls.TokenMinted(token, expires, index)


async def revoke(desk: Desk, call: calls.RevokeToken, who: str) -> calls.Done:
    """End a station's token unused."""
    return await desk.ledger.write(partial(_revoke, desk, call.station, who))


def _revoke(desk: Desk, station: str, who: str, tx: Tx) -> calls.Done:
    tokens.revoke(tx.database, stations.plain(tx.database, station).identity)
    return calls.Done(desk.record(tx, "token.revoked", who, {"station": station}))


def refuse_off(desk: Desk) -> None:
    """Refuse what makes no sense while EST is switched off."""
    if not desk.settings.est:
        raise ConflictError(
            "est.off", "EST is switched off in this home", "Set [est] enabled = true in bollard.toml, run 'up' anew."
        )
