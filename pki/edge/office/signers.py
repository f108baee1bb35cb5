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
from pki.edge import calls, clock
from pki.edge.keys import KeyFacts, KeyKind, Store
from pki.edge.ledger import certificates
from pki.edge.office.authorities import Wanted, certify, rehearse
from pki.edge.office.renewal import NAME_BYTES
from pki.edge.office.services import below_the_root
from pki.edge.office.troubles import alone
from pki.errors import RefusedError
from pki.findings import reasons
from pki.holding import Holding, KeyState, step
from pki.revocation import is_half_spent
from pki.strength import EXPERIMENTAL, Padding, kind_of

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate

SELF: Final = "authority"  # who acts, in the audit log
NAME: Final = "Bollard OCSP Signer"  # their common name


async def renew_signers(desk: Desk) -> int:
    """Retire the signers that have ended, and make those that are due; return how many were made."""
    for own in [own for own in desk.own.values() if _has_ended(own) and desk.settings.status_url]:
        await desk.ledger.write(partial(_retire, desk, own))
    return len(await renew_due(desk, SELF))


async def renew_due(desk: Desk, who: str) -> tuple[calls.Renewed, ...]:
    """Give each issuing authority a fresh signer where it needs one; one that cannot have any stops no other.

    Where no address is set nobody can ask, so there is nobody to answer.
    """
    due = [issuer for issuer in below_the_root(desk) if desk.settings.status_url and needs_signer(desk, issuer)]
    for gone in [each for each in desk.own.values() if each not in due]:
        desk.memory.troubles.pop(named(gone), None)
    made = [await alone(desk, named(issuer), _make(desk, issuer, who)) for issuer in due]
    return tuple(row for row in made if row is not None)


def named(issuer: OwnCertificate) -> str:
    """What people call the signer of an authority."""
    return f"OCSP signer of {issuer.name}"


def slot_of(issuer: OwnCertificate) -> str:
    """Name the duty of answering for an authority."""
    return f"ocsp-{issuer.name}"


def signer_of(desk: Desk, issuer: OwnCertificate) -> OwnCertificate | None:
    """Return the signer that answers for an authority now."""
    held = (own for own in desk.own.values() if (own.purpose, own.holding.state) == ("ocsp", KeyState.ACTIVE))
    mine = (own for own in held if names_issuer(own.certificate, issuer.certificate) and not _is_over(own))
    return max(mine, key=lambda own: own.certificate.not_valid_before_utc, default=None)


async def _make(desk: Desk, issuer: OwnCertificate, who: str) -> calls.Renewed:
    async with desk.renewing:  # whoever clears keys without a certificate away must not meet this one
        former = signer_of(desk, issuer)
        slot = former.holding.slot if former else slot_of(issuer)  # homes of an older version have it in slot 'ocsp'
        wanted = _wanted(desk, issuer, f"{slot}-{secrets.token_hex(NAME_BYTES)}", slot)
        name = wanted.holding.name
        if refused := refusal(desk, issuer):
            raise refused
        desk.keys.make(name, KeyKind.EC_P256)
        try:
            sealed = await certify(desk, wanted, who)
        except BaseException:
            desk.keys.discard(name)
            raise
    row = sealed.row
    return calls.Renewed(name, "ocsp", row.serial, former.serial if former else "", row.not_after, sealed.audit_index)


def _wanted(desk: Desk, issuer: OwnCertificate, name: str, slot: str) -> Wanted:
    left = (issuer.certificate.not_valid_after_utc - clock.now()).days
    return Wanted(Holding(name, slot, "ocsp"), "ocsp", issuer.name, NAME, min(desk.profile("ocsp").days, left))


def refusal(desk: Desk, issuer: OwnCertificate) -> RefusedError | None:
    """Why an authority can have no signer, and what to do then; ``None`` where one can be made.

    A signature by ML-DSA-87 alone fills what a certificate may have (A00.FR.507): nothing fits below such an authority.
    """
    slot = slot_of(issuer)
    facts = KeyFacts(KeyKind.EC_P256, Store.FILE, Padding.PKCS1)
    try:
        rehearse([(_wanted(desk, issuer, slot, slot), facts)], desk.settings, desk.profile, desk.issuer)
    except RefusedError as refused:
        says = f"{issuer.name} can have no OCSP signer: {reasons(refused.findings) or refused.cause}"
        return RefusedError(refused.code, says, _instead(desk, issuer), findings=refused.findings)
    return None


def _instead(desk: Desk, issuer: OwnCertificate) -> str:
    """A key of another kind helps; a rollover makes one of the same."""
    if kind_of(issuer.certificate.public_key()) not in EXPERIMENTAL:
        return "Correct what is named here in policies/certificates/ocsp.toml, then: bollard rotate"
    away, maker = f"bollard ca retire {issuer.name}", desk.maker_of(issuer)
    if issuer.holding.state is not KeyState.ACTIVE:
        return away
    if maker.startswith("bollard ca rollover"):
        maker = f"bollard ca create NAME --purpose {issuer.purpose} --key ec-p256"
    return f"{maker}, bollard ca activate NAME, then {away}"


def needs_signer(desk: Desk, issuer: OwnCertificate) -> bool:
    """Tell whether an authority needs a signer, or a fresh one; one that has fallen makes do with what it has."""
    signer = signer_of(desk, issuer)
    if desk.fallen(issuer) or (issuer.certificate.not_valid_after_utc - clock.now()).days < 1:
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
