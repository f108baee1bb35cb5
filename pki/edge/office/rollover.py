"""An authority of ours gets a successor: made and trusted first, in use later, and the former let go last.

* A successor is ``next``: proxies trust it, nothing is signed with it. Taking it into use makes the former ``old``;
  its certificates still count. Letting go is refused while anybody needs the former; ``pki.rollover`` says who does.
* A new root is signed by the old one as well (a *link*, M05.FR.09), so that stations can be led from one to the other.
* Every change is told to the proxies after its commit. A crash leaves what is done so far; the same command goes on.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from pki import rollover as rules
from pki.certificate import common_names, is_self_issued, key_id, names_issuer
from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.ledger import anchors, certificates, successions
from pki.edge.office import duties
from pki.edge.office.anchors import our_issuers, trust_changed
from pki.edge.office.authorities import LINK, Wanted, certify, export
from pki.edge.office.renewal import let_go, make_like
from pki.errors import ConflictError, InputError, NotFoundError
from pki.findings import refuse_errors
from pki.hierarchy import AUTHORITIES, succession_elsewhere
from pki.holding import Holding, Keeper, KeyState, step
from pki.plan import COMMON_NAME_LENGTH
from pki.raw_form import read_form
from pki.rollover import Facts, Needs
from pki.signed import is_pss_only
from pki.station import CertificateStatus
from pki.strength import check_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database

    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate

PROFILES: Final[Mapping[str, str]] = {"root": "root", "csms": "issuing", "station": "issuing"}
"""The purposes of authorities that get successors here, and the certificate profile of each."""

_NUMBER = re.compile(r" \d{1,4}$")


async def shown(desk: Desk, call: calls.ShowRollover, who: str) -> calls.Rollover:  # noqa: ARG001 - one shape for all
    """Say how a slot's rollover stands."""
    facts = await desk.ledger.read(partial(_facts, desk, _slot(desk, call.slot)))
    rows = tuple(calls.RolloverStep(*_values(each)) for each in rules.steps(facts))
    return calls.Rollover(facts.slot, facts.former, facts.successor, rows)


async def roll_over(desk: Desk, call: calls.RollOver, who: str) -> calls.RolledOver:
    """Make a successor, and a root's link."""
    async with desk.renewing:
        active = _slot(desk, call.slot)
        successor = _in_state(desk, call.slot, KeyState.NEXT)
        if successor is None:
            successor = await _succeed(desk, active, call, who)
        elif active.purpose != "root" or _link_of(desk, successor) is not None:
            raise ConflictError(
                "rollover.pending",
                f"{successor.name!r} is the next for {call.slot[:40]!r} already",
                f"Take it into use with 'bollard ca activate {successor.name}', or 'bollard ca retire' it.",
            )
        if active.purpose == "root":
            await _link(desk, active, successor, who)
        done = await desk.ledger.write(partial(_prepared, desk, successor.name, who))
        export(desk)
    await duties.serve(desk, who)
    link = _link_of(desk, successor)
    return calls.RolledOver(_issuer(desk, successor.name), _issuer(desk, link.name) if link else None, done)


async def activate(desk: Desk, call: calls.ActivateIssuer, who: str) -> calls.Activated:
    """Let an authority sign from now on."""
    async with desk.renewing:
        own = _authority(desk, call.name)
        step(own.holding, KeyState.ACTIVE)
        desk.refuse_fallen(own)
        if own.holding.keeper is Keeper.ELSEWHERE and own.purpose != "root":
            raise rules.refuse_elsewhere(own.name)
        index = await desk.ledger.write(partial(_activate, desk, own, who))
    left = await desk.ledger.read(partial(_unconfirmed, desk, _root_of(desk, own))) if own.purpose in PROFILES else []
    return calls.Activated(len(left), index)


async def retire(desk: Desk, call: calls.RetireIssuer, who: str) -> calls.Done:
    """Trust an authority no longer; refused while anybody needs it, with everybody who does."""
    async with desk.renewing:
        own = desk.mine(call.name)
        in_use = own.purpose == "link" or desk.fallen(own) is not None  # these are let go while they are in use
        if not in_use or own.holding.state is KeyState.RETIRED:
            step(_authority(desk, call.name).holding, KeyState.RETIRED)
        index = await desk.ledger.write(partial(_retire, desk, own, who), long=True)
        await let_go(desk, who)
    return calls.Done(index)


# -- making --------------------------------------------------------------------------------------------------------


async def _succeed(desk: Desk, active: OwnCertificate, call: calls.RollOver, who: str) -> OwnCertificate:
    slot, purpose = active.holding.slot, active.purpose
    signer = active if purpose == "root" else _authority(desk, call.under or desk.active("root").name)
    if signer.holding.keeper is Keeper.ELSEWHERE:
        raise rules.refuse_elsewhere(signer.name, succession_elsewhere(purpose, slot))
    desk.refuse_fallen(signer)
    number = next(each for each in range(2, 10_000) if not _is_taken(desk, f"{slot}-{each}"))
    name = f"{slot}-{number}"
    await make_like(desk, name, active.name)
    reach("rollover.key")
    holding = Holding(name, slot, purpose, KeyState.NEXT)
    common_name = call.common_name or _next_name(active, number)
    issuer = "" if purpose == "root" else signer.name
    await certify(desk, Wanted(holding, PROFILES[purpose], issuer, common_name, call.days), who)
    reach("rollover.certified")
    return desk.mine(name)


async def _link(desk: Desk, old: OwnCertificate, new: OwnCertificate, who: str) -> None:
    """The new root's name and key, signed by the old root, as long as that lives.

    A root of others may have a key with a mark, which a link would drop.
    """
    mark = check_mark(is_pss_only=is_pss_only(new.certificate.public_key(), read_form(new.certificate).key))
    refuse_errors(mark, "plan.refused", f"a link to {new.name!r}", "Take it into use without one: bollard ca activate.")
    name = f"{new.name}-link"
    holding = Holding(name, name, "link", KeyState.ACTIVE, Keeper.ELSEWHERE)
    days = (old.certificate.not_valid_after_utc - clock.now()).days
    common_name = common_names(new.certificate.subject)[0]
    await certify(desk, Wanted(holding, LINK, old.name, common_name, days, key=new.name), who)
    reach("rollover.linked")


def _next_name(active: OwnCertificate, number: int) -> str:
    """``Bollard Root CA`` is followed by ``Bollard Root CA 2``: two authorities of one name cannot be told apart."""
    base = _NUMBER.sub("", common_names(active.certificate.subject)[0])
    return f"{base[: COMMON_NAME_LENGTH - 5]} {number}"


def _is_taken(desk: Desk, name: str) -> bool:
    return name in desk.own or desk.keys.has(name)


# -- recording -----------------------------------------------------------------------------------------------------


def _prepared(desk: Desk, name: str, who: str, tx: Tx) -> int:
    index = desk.record(tx, "issuer.prepared", who, _what(desk.mine(name)))
    _announce(desk, tx)
    return index


def _activate(desk: Desk, own: OwnCertificate, who: str, tx: Tx) -> int:
    certificates.refuse_fallen(tx.database, own.name)
    others = (held for held in certificates.held(tx.database) if held.slot == own.holding.slot)
    former = [held.name for held in others if held.state is KeyState.ACTIVE]
    for name in former:
        certificates.set_state(tx.database, name, KeyState.OLD)
    certificates.set_state(tx.database, own.name, KeyState.ACTIVE)
    tx.after.append(partial(desk.move, own.name, KeyState.ACTIVE))
    index = desk.record(tx, "issuer.activated", who, {**_what(own), "replaces": "".join(former)})
    _announce(desk, tx)
    return index


def _retire(desk: Desk, own: OwnCertificate, who: str, tx: Tx) -> int:
    """Judged in the transaction itself, so that nothing is signed in between that would still need it."""
    if own.purpose != "link" and own.status is not CertificateStatus.REVOKED:  # what was revoked serves nobody
        rules.refuse_needed(own.name, _needs(desk, own, tx.database))
    links = _links_by(desk, own)
    for name in (own.name, *links):
        certificates.set_state(tx.database, name, KeyState.RETIRED)
        tx.after.append(partial(desk.move, name, KeyState.RETIRED))
    tx.after.append(partial(desk.board.publish, calls.CredentialsChanged()))  # a link is presented no longer
    index = desk.record(tx, "issuer.retired", who, {**_what(own), "links": [*links]})
    _announce(desk, tx)
    return index


def _what(own: OwnCertificate) -> dict[str, Json]:
    return {"name": own.name, "slot": own.holding.slot, "key_id": key_id(own.certificate).hex()}


def _announce(desk: Desk, tx: Tx) -> None:
    """Tell whom we trust now."""
    others = tuple(anchors.every(tx.database))
    tx.after.append(lambda: desk.board.publish(trust_changed(desk, others)))
    reach("rollover.telling")


# -- knowing -------------------------------------------------------------------------------------------------------


def _facts(desk: Desk, active: OwnCertificate, database: Database) -> Facts:
    slot, is_root = active.holding.slot, active.purpose == "root"
    coming, leaving = _in_state(desk, slot, KeyState.NEXT), _in_state(desk, slot, KeyState.OLD)
    former, successor = (active, coming) if coming else (leaving, active if leaving else None)
    stations = successions.served(database)
    left = len(_unconfirmed(desk, successor, database)) if is_root else 0
    link = _link_of(desk, successor) if successor else None
    return Facts(
        slot=slot,
        is_root=is_root,
        active=active.name,
        former=former.name if former else "",
        successor=successor.name if successor else "",
        state=successor.holding.state if successor else None,
        linked=link.name if link else "",
        stations=stations,
        confirmed=stations - left,
        below=_below(desk, successor) if is_root else (),
        ready=_ready(desk, successor) if is_root and successor else (),
        elsewhere=_signs_elsewhere(desk, (successor or active) if is_root else None),
        leaves=_leaves(desk, former, database) if former else 0,
    )


def _needs(desk: Desk, own: OwnCertificate, database: Database) -> Needs:
    live = successions.live_below(database, own.name, key_id(own.certificate), clock.stamp(clock.now()))
    is_used = own.holding.state is KeyState.OLD and own.purpose == "root"
    left = _unconfirmed(desk, desk.active(own.holding.slot), database) if is_used else []
    return Needs(tuple(live), tuple(left))


def _unconfirmed(desk: Desk, root: OwnCertificate | None, database: Database) -> list[str]:
    """Stations that are not known to trust a root. A home's first one needs no confirming: all began with it."""
    if root is None:
        return successions.unconfirmed(database, b"")
    first = next(each for each in desk.own.values() if each.holding.slot == root.holding.slot)
    return [] if root is first else successions.unconfirmed(database, key_id(root.certificate))


def _leaves(desk: Desk, former: OwnCertificate, database: Database) -> int:
    """All leaves that end in it: below it, or below one of our authorities that it signed."""
    signed = [each for each in desk.own.values() if each.purpose in PROFILES and _is_below(each, former)]
    keys = {key_id(each.certificate) for each in (former, *signed) if each.holding.state is not KeyState.RETIRED}
    return successions.leaves_below(database, keys, clock.stamp(clock.now()))


def _below(desk: Desk, root: OwnCertificate | None) -> tuple[tuple[str, bool], ...]:
    """The slots of issuing authorities, and whether the one in use in each stands below this root."""
    active = [each for each in desk.own.values() if each.purpose in PROFILES and each.purpose != "root"]
    in_use = [each for each in active if each.holding.state is KeyState.ACTIVE]
    return tuple(sorted((each.holding.slot, root is not None and _is_below(each, root)) for each in in_use))


def _ready(desk: Desk, root: OwnCertificate) -> tuple[tuple[str, str], ...]:
    """The newest key of each slot that waits under this root."""
    mine = (own for own in desk.own.values() if own.purpose in PROFILES and _is_below(own, root))
    return tuple((own.holding.slot, own.name) for own in mine if own.holding.state is KeyState.NEXT)


def _signs_elsewhere(desk: Desk, root: OwnCertificate | None) -> bool:
    """Whether a root's key, or that of the root in use, is kept elsewhere."""
    mine = (own for own in desk.own.values() if own.purpose == "root" and own.holding.state is KeyState.ACTIVE)
    found = root or next(mine, None)
    return found is not None and found.holding.keeper is Keeper.ELSEWHERE


def _is_below(own: OwnCertificate, issuer: OwnCertificate) -> bool:
    return own is not issuer and names_issuer(own.certificate, issuer.certificate)


def _root_of(desk: Desk, own: OwnCertificate) -> OwnCertificate | None:
    if is_self_issued(own.certificate):
        return own
    return next((each for each in desk.own.values() if each.purpose == "root" and _is_below(own, each)), None)


def _link_of(desk: Desk, root: OwnCertificate) -> OwnCertificate | None:
    """The certificate of a root by the one before it."""
    key = key_id(root.certificate)
    links = (each for each in desk.own.values() if each.purpose == "link" and key_id(each.certificate) == key)
    return next((each for each in links if each.holding.state is not KeyState.RETIRED), None)


def _links_by(desk: Desk, root: OwnCertificate) -> list[str]:
    """The links that lead to a root or away from it: with it, they end."""
    key = key_id(root.certificate)
    links = [each for each in desk.own.values() if each.purpose == "link" and each is not root]
    ends = [each for each in links if _is_below(each, root) or key_id(each.certificate) == key]
    return [each.name for each in ends if each.holding.state is not KeyState.RETIRED and root.purpose == "root"]


def _slot(desk: Desk, slot: str) -> OwnCertificate:
    """The authority in use in a slot, or the one that was last: one that has fallen needs a successor most of all."""
    mine = [each for each in desk.own.values() if each.holding.slot == slot]
    own = next((each for each in mine if each.holding.state is KeyState.ACTIVE), mine[-1] if mine else None)
    own = own or desk.active(slot)
    if own.purpose not in PROFILES:
        slots = sorted({each.holding.slot for each in desk.own.values() if each.purpose in PROFILES})
        raise InputError("rollover.slot", f"{slot[:40]!r} is no authority's slot", f"Use one of: {', '.join(slots)}.")
    return own


def _authority(desk: Desk, name: str) -> OwnCertificate:
    own = desk.mine(name)
    if own.purpose not in AUTHORITIES:
        raise InputError("rollover.authority", f"{name[:40]!r} is no authority of ours", "See 'bollard ca list'.")
    return own


def _in_state(desk: Desk, slot: str, state: KeyState) -> OwnCertificate | None:
    """The newest key of a slot in a state; one that has fallen leads nowhere."""
    mine = [each for each in desk.own.values() if each.holding.slot == slot and desk.fallen(each) is None]
    found = [each for each in mine if each.holding.state is state]
    return found[-1] if found else None


def _issuer(desk: Desk, name: str) -> calls.IssuerRow:
    for row in our_issuers(desk):
        if row.name == name:
            return row
    raise NotFoundError("issuer.unknown", f"this home has no key named {name[:40]!r}", "See 'bollard ca list'.")


def _values(each: rules.Step) -> tuple[int, str, str, str, int, int]:
    return each.number, each.says, each.command, each.clause, each.done, each.total
