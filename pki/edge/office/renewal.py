"""Our own leaf keys are replaced: a new key each time, its certificate by the one way, and the former key is gone.

* What is new is in use before what is old goes: a crash at any step leaves one of the two, never none.
* The former key's file is deleted once the ledger says that it is retired; what a crash left lying is cleared later.
* Listeners are told after the commit. Connections that stand keep what they began with (A00.FR.701).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.certificate import common_names, names_issuer
from pki.edge import calls
from pki.edge.crashpoints import reach
from pki.edge.keys import Store
from pki.edge.ledger import certificates
from pki.edge.office.authorities import Wanted, certify, export
from pki.errors import BollardError
from pki.holding import Holding, Keeper, KeyState
from pki.rollover import refuse_elsewhere

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.edge.office.issuing import Sealed

PROFILES: Final[Mapping[str, str]] = {"server": "csms", "ocsp": "ocsp"}
"""The purposes of keys that are renewed by themselves, and the certificate profile of each."""
NAME_BYTES: Final = 4  # random bytes in a key's name: no two of one home's keys meet

_MADE_HERE = re.compile(rf"(?:server-ecdsa|server-rsa|ocsp(?:-[a-z0-9-]+)?)-[0-9a-f]{{{2 * NAME_BYTES}}}")


@dataclass(frozen=True, slots=True)
class Fresh:
    """A key of ours that has just taken the place of another."""

    former: OwnCertificate
    sealed: Sealed
    name: str


async def renew(desk: Desk, purpose: str, who: str) -> tuple[calls.Renewed, ...]:
    """Replace every key of a purpose (``server``, ``ocsp``), whether or not it is due."""
    async with desk.renewing:
        formers = [own for own in desk.own.values() if own.purpose == purpose and _is_active(own)]
        fresh = [await _succeed(desk, former, who) for former in formers]
        await desk.ledger.write(partial(_retire_formers, desk, who))
        reach("renew.retired")
        _clear(desk)
        reach("renew.cleared")
    return tuple(map(_row, fresh))


async def tidy(desk: Desk, who: str) -> None:
    """Finish what a crash left of a renewal, or of an authority's retirement."""
    async with desk.renewing:
        await let_go(desk, who)


async def let_go(desk: Desk, who: str) -> None:
    """Retire the keys of leaves that serve nobody any more, and delete them. Whoever calls holds ``desk.renewing``."""
    if any(_serves_nobody(desk, own) for own in desk.own.values()):
        await desk.ledger.write(partial(_retire_formers, desk, who))
    _clear(desk)


def issuer_of(desk: Desk, own: OwnCertificate) -> OwnCertificate:
    """Say which authority signs the successor: the CSMS's, in use now; for an OCSP signer the one it answers for, which
    alone may delegate to it (RFC 6960 4.2.2.2)."""
    if own.purpose == "ocsp":
        for each in desk.own.values():
            if names_issuer(own.certificate, each.certificate) and not _is_retired(each):
                return each
    return desk.active("csms")


async def make_like(desk: Desk, name: str, former: str) -> None:
    """Make a key of the same kind as another, where that lies, signing as that does: whoever took it takes this one."""
    facts = desk.keys.describe(former)
    make = partial(desk.keys.make, name, facts.kind, store=facts.store, padding=facts.padding)
    if facts.store is Store.FILE:
        await asyncio.to_thread(make)  # an RSA key takes its time
    else:
        make()


async def _succeed(desk: Desk, former: OwnCertificate, who: str) -> Fresh:
    slot, purpose = former.holding.slot, former.purpose
    issuer = issuer_of(desk, former)
    if issuer.holding.keeper is Keeper.ELSEWHERE:
        raise refuse_elsewhere(issuer.name)
    name = f"{slot}-{secrets.token_hex(NAME_BYTES)}"
    await make_like(desk, name, former.name)
    reach("renew.key")
    wanted = Wanted(Holding(name, slot, purpose), PROFILES[purpose], issuer.name, *_subject(desk, former))
    try:
        sealed = await certify(desk, wanted, who)
    except BollardError:
        desk.keys.discard(name)
        raise
    reach("renew.certified")
    return Fresh(former, sealed, name)


def _subject(desk: Desk, former: OwnCertificate) -> tuple[str, float]:
    """Common name and days: the CSMS host and what the settings say, else the former's name and the profile's days."""
    if former.purpose == "server":
        return "", desk.settings.certificate_hours / 24
    return common_names(former.certificate.subject)[0], 0


def _retire_formers(desk: Desk, who: str, tx: Tx) -> None:
    """Nobody presents them from now on, so nothing of theirs is kept."""
    bereft = {own.name for own in desk.own.values() if _serves_nobody(desk, own)}
    for held in certificates.held(tx.database):
        if held.purpose in PROFILES and (held.state is KeyState.OLD or held.name in bereft):
            certificates.set_state(tx.database, held.name, KeyState.RETIRED)
            desk.record(tx, "key.retired", who, {"name": held.name, "slot": held.slot})
            tx.after.append(partial(desk.move, held.name, KeyState.RETIRED))
    tx.after.append(partial(desk.board.publish, calls.CredentialsChanged()))
    reach("renew.retiring")


def _serves_nobody(desk: Desk, own: OwnCertificate) -> bool:
    """Whether nothing is presented, or signed, with this key any more."""
    if own.purpose not in PROFILES or _is_retired(own):
        return False
    return own.holding.state is KeyState.OLD or (own.purpose == "ocsp" and _answers_for_nobody(desk, own))


def _answers_for_nobody(desk: Desk, signer: OwnCertificate) -> bool:
    """Whether the authority that it answers for was retired, since it may answer for no other (RFC 6960 4.2.2.2), or
    has another signer, made later."""
    issuers = [each for each in desk.own.values() if names_issuer(signer.certificate, each.certificate)]
    alive = [each.certificate for each in issuers if not _is_retired(each)]
    signers = [each for each in desk.own.values() if each.purpose == "ocsp" and _is_active(each)]
    mine = [each for each in signers if any(names_issuer(each.certificate, issuer) for issuer in alive)]
    newest = max(mine, key=lambda each: each.certificate.not_valid_before_utc, default=None)
    return bool(issuers) and signer is not newest


def _clear(desk: Desk) -> None:
    """Delete the keys that are retired, and those that a crash left without a certificate."""
    retired = {own.name for own in desk.own.values() if own.purpose in PROFILES and _is_retired(own)}
    orphans = {path.stem for path in desk.home.keys.glob("*.pem") if _MADE_HERE.fullmatch(path.stem)} - desk.own.keys()
    for name in sorted(orphans | {name for name in retired if desk.keys.has(name)}):
        desk.keys.discard(name)
    export(desk)


def _row(fresh: Fresh) -> calls.Renewed:
    row = fresh.sealed.row
    former = f"{fresh.former.certificate.serial_number:x}"
    return calls.Renewed(fresh.name, fresh.former.purpose, row.serial, former, row.not_after, fresh.sealed.audit_index)


def _is_active(own: OwnCertificate) -> bool:
    return own.holding.state is KeyState.ACTIVE


def _is_retired(own: OwnCertificate) -> bool:
    return own.holding.state is KeyState.RETIRED
