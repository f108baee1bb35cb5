"""Making authorities of our own: the operator's, a manufacturer's, those for V2G.

Each is a key, then a certificate in the one way of ``issuing``. One that fills a slot where another already works waits
as the next one: trusted from now on, signing not yet. A run that was cut short leaves what it made, and a second run by
the same names goes on from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.edge import calls, keys
from pki.edge.keys import KeyFacts, KeyKind, Padding, Store
from pki.edge.office import anchors, duties
from pki.edge.office.authorities import Wanted, certify, rehearse
from pki.edge.office.issuing import told
from pki.errors import BollardError, ConflictError, InputError
from pki.hierarchy import HierarchyKind, Level, levels_of
from pki.holding import Holding, Keeper, KeyState
from pki.names import HolderName, Organisation
from pki.strength import name_key

if TYPE_CHECKING:
    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.edge.office.issuing import Sealed

Choice = TypeVar("Choice", bound=StrEnum)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_RESERVED: Final = frozenset({"audit", "passphrase"})  # files in keys/ that are no authority's


async def create(desk: Desk, call: calls.CreateIssuer, who: str) -> calls.IssuersCreated:
    """Make an authority, or the three of a V2G hierarchy."""
    above = desk.mine(call.under) if call.under else None
    role = above.purpose if above else ""
    levels = levels_of(one_of(HierarchyKind, call.purpose, "issuer.purpose"), call.vendor, call.edition, role)
    names = [call.name] if len(levels) == 1 else [f"{call.name}-{level.role.removeprefix('v2g-')}" for level in levels]
    there = _made_before(desk, names, levels)
    _refuse_taken(desk, names[there:])
    if call.common_name:
        HolderName.parse(call.common_name)
    signers = (_signer(desk, levels[0], above) if there == 0 else "", *names)
    due = [_Due(*each) for each in zip(names, levels, signers, (call, *[_defaults(call)] * len(names)), strict=False)]
    _judge(desk, due[there:])
    made = [await _make(desk, each, who) for each in due[there:]]
    await desk.ledger.write(partial(anchors.announce, desk))
    await duties.serve(desk, who)
    rows = {row.name: row for row in anchors.our_issuers(desk)}
    noticed = tuple(dict.fromkeys(each for sealed in made for each in sealed.findings))
    return calls.IssuersCreated(tuple(rows[name] for name in names), made[-1].audit_index, told(noticed))


@dataclass(frozen=True, slots=True)
class _Due:
    """One authority that is to be made: its name, what it is, the name of who signs it, and what was asked of it."""

    name: str
    level: Level
    signer: str
    call: calls.CreateIssuer

    @property
    def kind(self) -> KeyKind:
        """Of its key."""
        return one_of(KeyKind, self.call.key or self.level.key, "issuer.key_kind")

    def wanted(self, desk: Desk) -> Wanted:
        """Its certificate."""
        slot, call = self.level.slot, self.call
        return Wanted(
            holding=Holding(self.name, slot, self.level.role.value, waiting_state(desk, slot)),
            profile=self.level.profile.value,
            issuer=self.signer,
            common_name=call.common_name or _title(desk, self.name, self.level),
            days=call.days,
            organisation=Organisation.parse(call.vendor) if call.vendor else None,
        )


def _made_before(desk: Desk, names: list[str], levels: tuple[Level, ...]) -> int:
    """Return how many of several authorities, from the topmost on, a run that was cut short has left."""
    count = 0
    for name, level in zip(names, levels, strict=True):
        own = desk.own.get(name)
        if own is None or (own.purpose, own.holding.slot) != (level.role.value, level.slot):
            break
        if own.holding.keeper is Keeper.ELSEWHERE or own.holding.state is KeyState.RETIRED:
            break
        count += 1
    return count if count < len(names) else 0


def _judge(desk: Desk, due: list[_Due]) -> None:
    """Of several none is made where one of them could not be; one alone is judged when it is made."""
    if len(due) > 1:
        wanted = [(each.wanted(desk), KeyFacts(each.kind, Store.FILE, Padding.PKCS1)) for each in due]
        rehearse(wanted, desk.settings, desk.profile, desk.issuer)


async def _make(desk: Desk, due: _Due, who: str) -> Sealed:
    name = due.name
    new = _prepare_key(desk, name, due.call, due.kind)
    try:
        sealed = await certify(desk, due.wanted(desk), who)
    except BollardError:
        if new and name not in desk.own:
            desk.keys.discard(name)
        raise
    keys.write_private(desk.home.ca / f"{name}.pem", sealed.certificate.public_bytes(Encoding.PEM))
    return sealed


def refuse_name(desk: Desk, name: str) -> None:
    """Refuse a name that no key can have, or that one of ours has."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        says = f"{name[:48]!r} is no name for an authority: 1 to 40 small letters, digits and hyphens"
        raise InputError("issuer.name", says, "Choose a short plain name, for example station-2.")
    if name in desk.own:
        raise ConflictError("issuer.exists", f"a key of this home is named {name!r} already", "Choose another name.")


def waiting_state(desk: Desk, slot: str) -> KeyState:
    """Say how a newcomer to a slot begins: in use where nobody is, else as the next one."""
    active = (own for own in desk.own.values() if own.holding.slot == slot and own.holding.state is KeyState.ACTIVE)
    taken = any(desk.fallen(own) is None for own in active)
    return KeyState.NEXT if taken else KeyState.ACTIVE


def _prepare_key(desk: Desk, name: str, call: calls.CreateIssuer, kind: KeyKind) -> bool:
    """Make a key, or take the one that a run cut short has left: no certificate was ever made for it.

    Tell whether there is a new file, to be deleted when the certificate is refused; a key in the token stays for later.
    """
    usual = Store.FILE if desk.keys.token is None else Store.HSM
    store = one_of(Store, call.store or usual.value, "issuer.key_store")
    if not desk.keys.has(name):
        desk.keys.make(name, kind, store=store, padding=one_of(Padding, call.padding, "issuer.key_padding"))
        return store is Store.FILE
    if name_key(desk.keys.key(name).public_key()) != kind.value:
        says = f"a key of another kind lies there as keys/{name}.pem, and belongs to no authority"
        raise ConflictError("issuer.key_left", says, "Move that file away, or choose another name.")
    return False


def _refuse_taken(desk: Desk, names: list[str]) -> None:
    for name in names:
        refuse_name(desk, name)


def _signer(desk: Desk, level: Level, above: OwnCertificate | None) -> str:
    """Name the key that signs the topmost one: the one asked for, else the one in use; empty where it signs itself."""
    if not level.above:
        return ""
    signer = above or desk.active(level.above)
    if signer.holding.keeper is Keeper.ELSEWHERE:
        says = f"the key of {signer.name!r} is not kept here, so it signs nothing here"
        raise ConflictError("issuer.elsewhere", says, "Let whoever keeps it sign, then 'bollard ca import' the result.")
    desk.refuse_fallen(signer)
    return signer.name


def _defaults(call: calls.CreateIssuer) -> calls.CreateIssuer:
    """What was asked of the topmost one is not asked of those below it, but for the kind of key."""
    return msgspec.structs.replace(call, days=0, common_name="", under="")


def _title(desk: Desk, name: str, level: Level) -> str:
    """Two authorities never share a name, so that nobody takes one for the other."""
    plain = level.title
    taken = {own.certificate.subject.rfc4514_string() for own in desk.own.values()}
    same = any(f"CN={plain}," in f"{subject}," for subject in taken)
    return f"{plain} {name}"[:64] if same else plain


def one_of(choices: type[Choice], text: str, code: str) -> Choice:
    """Read a word that stands for one of a few choices. ``InputError`` with this code and all of them for another."""
    try:
        return choices(text)
    except ValueError:
        says = f"{text[:40]!r} is not known here"
        raise InputError(code, says, f"Use one of: {', '.join(choices)}.") from None
