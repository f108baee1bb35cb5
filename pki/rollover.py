"""The way from one authority to its successor: the steps in order, how far each is, and what still holds the former.

* Nothing here is done or remembered: a step is done when the facts say so.
* An authority is let go only when nobody needs it any more: no live certificate of its, and, for a root, no station
  that has not confirmed the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.errors import ConflictError, RefusedError
from pki.findings import Finding, error, refuse_errors
from pki.holding import KeyState
from pki.station import CertificateStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

NEW_ROOT: Final = "bollard ca ceremony plan --root-name NAME"
"""How the ceremony of another offline root begins; two roots of one name could be taken for each other."""
NAMED_MOST: Final = 20  # stations named in a refusal; the rest are counted


@dataclass(frozen=True, slots=True)
class Facts:
    """How a slot stands. ``former`` is the key that leaves, ``successor`` the one that comes; each may be empty.

    ``confirmed`` and ``stations`` count the stations that may connect, those who are known to trust the successor, and
    all. ``below`` names the slots that are to have a key under the new root, with whether they do. ``leaves`` counts
    the live certificates that end in the former: for a root, all that stand below it. ``ready`` names those slots'
    keys that are made and wait under the new root. ``elsewhere`` says that the root which signs the successor is not
    kept here, so that it takes a ceremony; for a root, the one that comes.
    """

    slot: str
    is_root: bool
    active: str
    former: str = ""
    successor: str = ""
    state: KeyState | None = None
    linked: str = ""
    stations: int = 0
    confirmed: int = 0
    below: tuple[tuple[str, bool], ...] = ()
    ready: tuple[tuple[str, str], ...] = ()
    leaves: int = 0
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what is to be done, by which command, how much of it is done, and the clause it rests on."""

    number: int
    says: str
    command: str
    clause: str
    done: int
    total: int

    @property
    def is_done(self) -> bool:
        """Whether nothing is left of it."""
        return self.done >= self.total


@dataclass(frozen=True, slots=True)
class Needs:
    """Who still needs an authority: live certificates directly below it, and stations that trust no other root yet."""

    certificates: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fallen:
    """One of our certificates that was revoked or is on hold: the name of its key, which of the two, its serial."""

    name: str
    status: CertificateStatus
    serial: str


def steps(facts: Facts) -> tuple[Step, ...]:
    """Return the plan, first step first."""
    rows = _root_steps(facts) if facts.is_root else _issuing_steps(facts)
    return tuple(Step(number, *row) for number, row in enumerate(rows, 1))


def refuse_needed(name: str, needs: Needs) -> None:
    """Raise ``RefusedError("rollover.needed")`` with everything that still needs an authority."""
    found: list[Finding] = []
    if needs.certificates:
        says = f"{len(needs.certificates)} of its certificates still hold: {_names(needs.certificates)}"
        found.append(error("rollover.live", "RFC 5280 6.1", says))
    if needs.stations:
        says = f"{len(needs.stations)} stations have not confirmed the new root: {_names(needs.stations)}"
        found.append(error("rollover.unconfirmed", "M05.FR.16", says))
    advice = "Renew or revoke what is named, 'bollard station confirm' what was seen to trust the new root, or wait."
    refuse_errors(found, "rollover.needed", f"{name!r} cannot be retired", advice)


def refuse_fallen(name: str, fallen: Fallen, ready: Sequence[str], maker: str) -> ConflictError:
    """Say that an authority must not be used (RFC 5280 6.1.3), and what is used instead: one that is ready, or one that
    this command makes."""
    is_held = fallen.status is CertificateStatus.HELD
    whose = f"{name!r}" if fallen.name == name else f"{fallen.name!r}, above {name!r},"
    says = f"the certificate of {whose} is {'on hold' if is_held else 'revoked'}, so {name!r} signs nothing"
    instead = f"bollard ca activate {ready[0]}" if ready else f"{maker}, then bollard ca activate"
    lift = f"Lift the hold with 'bollard cert release {fallen.serial}', or use"
    if is_held:
        return ConflictError("issuer.held", says, f"{lift} another: {instead}.")
    return ConflictError("issuer.revoked", says, f"Use another: {instead}.")


def refuse_elsewhere(name: str, instead: str = "bollard ca ceremony --help") -> RefusedError:
    """Say that a key is not here, so that what it must sign needs a ceremony; ``instead`` is how that begins."""
    return RefusedError(
        "rollover.elsewhere",
        f"the key of {name!r} is not kept here, so it can sign nothing here",
        f"Use the ceremony where that key is: {instead}.",
    )


_Row = tuple[str, str, str, int, int]


def _issuing_steps(facts: Facts) -> list[_Row]:
    made, switched = int(bool(facts.successor)), int(facts.state is KeyState.ACTIVE)
    new, old = facts.successor or "NAME", facts.former or facts.active
    make = f"{_request(facts.slot)}, {_CEREMONY}" if facts.elsewhere else f"bollard ca rollover {facts.slot}"
    return [
        ("make the successor; proxies trust it at once", make, "A00.FR.403", made, 1),
        ("sign with it from now on", f"bollard ca activate {new}", "RFC 5280 6.1", switched, 1),
        _leaves(facts, "renew the certificates of the former"),
        ("trust the former no longer", f"bollard ca retire {old}", "RFC 5280 6.1.3", 0, 1),
    ]


def _root_steps(facts: Facts) -> list[_Row]:
    made, switched = int(bool(facts.successor)), int(facts.state is KeyState.ACTIVE)
    new, old = facts.successor or "NAME", facts.former or facts.active
    confirm = f"bollard station confirm IDENTITY --root {new}"
    return [
        (*_make_root(facts), "M05.FR.09", made, 1),
        ("install it in the stations", _install(facts, new), "M05.FR.09", facts.confirmed, facts.stations),
        ("confirm each station that has it", confirm, "M05.FR.16", facts.confirmed, facts.stations),
        ("let it sign from now on", f"bollard ca activate {new}", "RFC 5280 6.1", switched, 1),
        *(_below(facts, slot, new, is_done=is_done) for slot, is_done in facts.below),
        _leaves(facts, "renew what stands below the old root"),
        ("trust the old root no longer", f"bollard ca retire {old}", "M05.FR.16", 0, 1),
    ]


_CEREMONY: Final = "bollard ca ceremony plan --existing RESULT, run it, import what it signed"
"""What the root signs that is there already."""


def _request(slot: str) -> str:
    return f"bollard ca ceremony request {slot}"


def _make_root(facts: Facts) -> tuple[str, str]:
    """How the new root comes to be. In a ceremony those below it can be signed at once; a link is never made there."""
    if not facts.elsewhere:
        return "make the new root, signed by the old one as well", "bollard ca rollover root"
    requests = "".join(f"{_request(slot)}; " for slot, _ in facts.below)
    return "make the new root, and those below it", f"{requests}{NEW_ROOT}, run it, import what it signed"


def _install(facts: Facts, new: str) -> str:
    link = facts.linked or ("" if facts.elsewhere else f"{new}-link")
    what = f"{link} (or {new})" if link else new
    return f"bollard ca export {what}, then InstallCertificate as CSMSRootCertificate"


def _below(facts: Facts, slot: str, root: str, *, is_done: bool) -> _Row:
    ready = dict(facts.ready).get(slot)
    make = f"{_request(slot)}, {_CEREMONY}" if facts.elsewhere else f"bollard ca rollover {slot} --under {root}"
    command = f"bollard ca activate {ready}" if ready else f"{make}, then bollard ca activate"
    if facts.elsewhere and not facts.successor:
        command = "bollard ca activate, once it has come with the root"
    return f"put the authority for {slot} under it", command, "A00.FR.601", int(is_done), 1


def _leaves(facts: Facts, says: str) -> _Row:
    """What is left is all that is known: how many there once were is not. Before the successor signs none is done."""
    command = "bollard rotate; bollard cert reissue --out FILE"
    signs = facts.state is KeyState.ACTIVE and all(is_done for _, is_done in facts.below)
    return says, command, "A03.FR.02", int(signs and not facts.leaves), facts.leaves or 1


def _names(names: tuple[str, ...]) -> str:
    """Name each once: a station may have several certificates."""
    once = [*dict.fromkeys(names)]
    more = f" and {len(once) - NAMED_MOST} more" if len(once) > NAMED_MOST else ""
    return ", ".join(once[:NAMED_MOST]) + more
