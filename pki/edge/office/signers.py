"""The signers of OCSP answers: one for each issuing authority, each living shortly, renewed by itself with a new key.

Slots are named after the authority (``ocsp-station``). An older signer stays until its certificate ends, as answers
that it signed may still be about; nothing new is signed with it.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.certificate import names_issuer
from pki.edge import clock
from pki.edge.keys import KeyKind
from pki.edge.ledger import certificates
from pki.edge.office.authorities import Wanted, certify
from pki.edge.office.services import below_the_root
from pki.holding import Holding, KeyState, step
from pki.revocation import is_half_spent

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate

SELF: Final = "authority"  # who acts, in the audit log
NAME: Final = "Bollard OCSP Signer"  # their common name


async def renew_signers(desk: Desk) -> int:
    """Give each issuing authority a fresh signer where it needs one, and retire those that have ended.

    Where no address is set nobody can ask, so there is nobody to answer.
    """
    if not desk.settings.status_url:
        return 0
    for own in [own for own in desk.own.values() if _has_ended(own)]:
        await desk.ledger.write(partial(_retire, desk, own))
    due = [issuer for issuer in below_the_root(desk) if _needs_signer(desk, issuer)]
    for issuer in due:
        await _make(desk, issuer)
    return len(due)


def slot_of(issuer: OwnCertificate) -> str:
    """Name the duty of answering for an authority."""
    return f"ocsp-{issuer.name}"


def signer_of(desk: Desk, issuer: OwnCertificate) -> OwnCertificate | None:
    """Return the signer that answers for an authority now."""
    held = (own for own in desk.own.values() if (own.purpose, own.holding.state) == ("ocsp", KeyState.ACTIVE))
    mine = (own for own in held if names_issuer(own.certificate, issuer.certificate) and not _is_over(own))
    return max(mine, key=lambda own: own.certificate.not_valid_before_utc, default=None)


async def _make(desk: Desk, issuer: OwnCertificate) -> None:
    former = signer_of(desk, issuer)
    slot = former.holding.slot if former else slot_of(issuer)  # homes of an older version have one in the slot 'ocsp'
    name = f"{slot}-{secrets.token_hex(4)}"
    desk.keys.make(name, KeyKind.EC_P256)
    left = (issuer.certificate.not_valid_after_utc - clock.now()).days
    wanted = Wanted(Holding(name, slot, "ocsp"), "ocsp", issuer.name, NAME, min(desk.profile("ocsp").days, left))
    await certify(desk, wanted, SELF)


def _needs_signer(desk: Desk, issuer: OwnCertificate) -> bool:
    signer = signer_of(desk, issuer)
    if (issuer.certificate.not_valid_after_utc - clock.now()).days < 1:
        return False
    return signer is None or _is_half_spent(signer)


def _is_half_spent(own: OwnCertificate) -> bool:
    return is_half_spent(own.certificate.not_valid_before_utc, own.certificate.not_valid_after_utc, clock.now())


def _is_over(own: OwnCertificate) -> bool:
    return own.certificate.not_valid_after_utc <= clock.now()


def _has_ended(own: OwnCertificate) -> bool:
    return own.purpose == "ocsp" and own.holding.state is KeyState.OLD and _is_over(own)


def _retire(desk: Desk, own: OwnCertificate, tx: Tx) -> None:
    state = step(own.holding, KeyState.RETIRED)
    certificates.set_state(tx.database, own.name, state)
    desk.record(tx, "key.retired", SELF, {"name": own.name})
    retired = replace(own, holding=replace(own.holding, state=state))
    tx.after.append(partial(desk.own.__setitem__, own.name, retired))
