"""Tells what will stop working, before it does: facts about a home and its host in, symptoms with their cure out.

* Nothing is looked up here. Whoever gathers the facts says as well what could not be looked at, and that is told too:
  silence is never health.
* ``CRITICAL`` is what has stopped working, or will within a tenth of its life; ``WARNING`` is what should be planned.
* Each symptom carries the command, or the one act, that cures it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS: Final = (0.5, 0.75, 0.9)  # parts of a lifetime: renewals are planned, due, late; the last one is critical
SOON: Final = dt.timedelta(days=30)  # ours: a month leaves time to visit a station whose renewal fails
FREE_LEAST: Final = 128 * 1024**2  # bytes; below it the ledger and its log of 16 MiB may fail to grow any moment
FREE_WANTED: Final = 1024**3  # bytes; a day of a busy fleet's events and a backup beside it
WAL_MOST: Final = 256 * 1024**2  # bytes; sixteen times what it is bounded to while nobody holds it open
AHEAD_MOST: Final = dt.timedelta(minutes=5)  # that the newest entry may be ahead: clocks of hosts are set, not born


class Weight(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was looked at. ``fix`` is the command or the act that puts it right; empty when it is right."""

    code: str
    weight: Weight
    what: str
    says: str
    fix: str = ""
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Expiring:
    """A thing that ends. ``kind`` and ``name`` are for people, ``renewed_by`` is the command that renews it."""

    kind: str
    name: str
    not_before: dt.datetime
    not_after: dt.datetime
    renewed_by: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Something that was asked for and is wrong, in the words of the error: code, cause and advice."""

    what: str
    code: str
    cause: str
    advice: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that must be there and is not: an authority in use, a list of revoked certificates."""

    what: str
    says: str
    fix: str
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Loose:
    """A file or folder that others may read or write, or that belongs to somebody else."""

    path: str
    says: str
    fix: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes free where the home lies, bytes of the ledger's log file, and whether anything can be written at all."""

    free: int
    wal: int
    writable: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What the authority knows. ``ending`` counts stations whose last valid certificate ends within ``SOON``, ``ended``
    those whose last one has ended."""

    expiring: tuple[Expiring, ...]
    ending: int
    newest_entry: dt.datetime
    audit_size: int
    restored_behind: tuple[dt.datetime, ...] = ()
    missing: tuple[Missing, ...] = ()
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Csms:
    """One URL of a CSMS: why it cannot be reached, or nothing; ``spared`` when another URL of the same one can be."""

    url: str
    missed: str = ""
    spared: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with something, and the act that puts it right."""

    says: str
    fix: str
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """A listener of ours, as it was looked at: what is wrong with it, if anything. ``seen`` says what was looked at,
    and what was not, where that is not the certificate it presents."""

    what: str
    faults: tuple[Fault, ...] = ()
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody to whom security events are sent on: how many wait, how many were deleted before, what is wrong."""

    name: str
    waiting: int
    missed: int
    trouble: str
    since: str


@dataclass(frozen=True, slots=True)
class Collector:
    """Whom arrivals are told to in spans: where it is, empty when they are told to nobody; when it took some last, and
    what is wrong with it since when."""

    to: str = ""
    taken: str = ""
    trouble: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Unsafe:
    """Something that the settings allow although it weakens the system."""

    what: str
    says: str
    fix: str
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was found. ``None`` for what could not be looked at; ``unseen`` says why, as (what, why).

    ``failed`` is what is broken: the audit proof, the ledger, an authority that refuses to open.
    """

    now: dt.datetime
    known: Known | None = None
    disk: Disk | None = None
    loose: tuple[Loose, ...] = ()
    passphrase_beside: bool = False
    synchronised: bool | None = None
    running: tuple[tuple[str, bool | None], ...] = ()
    """Each process by name: True answers, False its socket is there and nobody answers, None does not run."""
    csms: tuple[Csms, ...] = ()
    """Each URL of a CSMS that was tried; empty when none is configured."""
    served: tuple[Served, ...] = ()
    """Each listener of ours, and each certificate that it is meant to present; empty when nothing runs."""
    receivers: tuple[Receiver, ...] = ()
    collector: Collector | None = None
    unsafe: tuple[Unsafe, ...] = ()
    failed: tuple[Failed, ...] = ()
    unseen: tuple[tuple[str, str], ...] = field(default=())


def judge(facts: Facts) -> tuple[Symptom, ...]:
    """Judge the facts; every area that was looked at is told, the worst first."""
    found = [symptom for look in _AREAS for symptom in look(facts)]
    return tuple(sorted(found, key=lambda symptom: _ORDER[symptom.weight]))


def worst(symptoms: tuple[Symptom, ...]) -> Weight:
    """Return the weight of the worst symptom."""
    return max((symptom.weight for symptom in symptoms), key=lambda weight: -_ORDER[weight], default=Weight.OK)


_ORDER: Final = {Weight.CRITICAL: 0, Weight.WARNING: 1, Weight.OK: 2}


def _failures(facts: Facts) -> Iterator[Symptom]:
    for failed in facts.failed:
        says = f"{failed.code}: {failed.cause}"
        yield Symptom("health.failed", Weight.CRITICAL, failed.what, says, failed.advice)
    for what, why in facts.unseen:
        yield Symptom("health.unseen", Weight.WARNING, what, f"not looked at: {why}", "Put that right, then run again.")


def _missing(facts: Facts) -> Iterator[Symptom]:
    for each in facts.known.missing if facts.known else ():
        yield Symptom("health.missing", Weight.CRITICAL, each.what, each.says, each.fix, each.clause)


def _lifetimes(facts: Facts) -> Iterator[Symptom]:
    for each in facts.known.expiring if facts.known else ():
        yield _lifetime(each, facts.now)


def _lifetime(each: Expiring, now: dt.datetime) -> Symptom:
    what, end = f"{each.kind} {each.name}", f"{each.not_after:%Y-%m-%d %H:%M} UTC"
    if now >= each.not_after:
        says = f"it expired at {end}"
        return Symptom("health.expired", Weight.CRITICAL, what, says, each.renewed_by, "RFC 5280 4.1.2.5")
    if now < each.not_before:
        says = f"it is valid from {each.not_before:%Y-%m-%d %H:%M} UTC on, which is to come"
        return Symptom("health.early", Weight.CRITICAL, what, says, "Set this host's clock.", "RFC 5280 4.1.2.5")
    lived = (now - each.not_before) / (each.not_after - each.not_before)
    passed = [step for step in STEPS if lived >= step]
    if not passed:
        return Symptom("health.lifetime", Weight.OK, what, f"it ends at {end}")
    weight = Weight.CRITICAL if passed[-1] == STEPS[-1] else Weight.WARNING
    says = f"it ends at {end}; {passed[-1]:.0%} of its life is over"
    return Symptom("health.expiring", weight, what, says, each.renewed_by, "RFC 5280 4.1.2.5")


def _stations(facts: Facts) -> Iterator[Symptom]:
    if facts.known is None:
        return
    if facts.known.ended:
        says = f"{facts.known.ended} stations have none any more that lasts: what they had has ended"
        fix = "bollard rotate --plan names them: renew each, or 'bollard station disable' what is gone."
        yield Symptom("health.stations", Weight.WARNING, "station certificates", says, fix)
    if facts.known.ending:
        says = f"{facts.known.ending} stations have no certificate that lasts longer than {SOON.days} days"
        fix = f"bollard cert list --expiring {SOON.days}d; then a new request of each, and bollard cert issue"
        yield Symptom("health.stations", Weight.WARNING, "station certificates", says, fix)
    else:
        yield Symptom("health.stations", Weight.OK, "station certificates", f"none ends within {SOON.days} days")


def _clock(facts: Facts) -> Iterator[Symptom]:
    if facts.synchronised is False:
        says = "the kernel's clock is not synchronised"
        yield Symptom("health.clock", Weight.WARNING, "clock", says, "Start an NTP client (timedatectl set-ntp true).")
    if facts.known is None:
        return
    if facts.now + AHEAD_MOST < facts.known.newest_entry:
        says = f"the clock is behind the newest audit entry, which was written at {facts.known.newest_entry:%F %T} UTC"
        yield Symptom("health.clock", Weight.CRITICAL, "clock", says, "Set this host's clock.")
    else:
        yield Symptom("health.clock", Weight.OK, "clock", "not behind the audit log")


def _disk(facts: Facts) -> Iterator[Symptom]:
    disk = facts.disk
    if disk is None:
        return
    if not disk.writable:
        fix = "Mount it writable, or correct whom it belongs to."
        yield Symptom("health.disk", Weight.CRITICAL, "disk", "nothing can be written to the home", fix)
    if disk.wal > WAL_MOST:
        says = f"ledger.db-wal has {_mib(disk.wal)}: some program has held the ledger open for long"
        yield Symptom("health.wal", Weight.WARNING, "disk", says, "Find it with: fuser ledger.db; end it.")
    weight = Weight.CRITICAL if disk.free < FREE_LEAST else Weight.WARNING if disk.free < FREE_WANTED else Weight.OK
    fix = "" if weight is Weight.OK else "Free space on the disk of the home: what cannot be recorded is not done."
    yield Symptom("health.space", weight, "disk", f"{_mib(disk.free)} are free", fix)


def _files(facts: Facts) -> Iterator[Symptom]:
    for loose in facts.loose:
        weight = Weight.CRITICAL if loose.secret else Weight.WARNING
        yield Symptom("health.files", weight, loose.path, loose.says, loose.fix)
    if not facts.loose:
        yield Symptom("health.files", Weight.OK, "files", "they belong to one user, and to nobody else")
    if facts.passphrase_beside:
        says = "the passphrase lies beside the keys it protects"
        fix = "Move keys/passphrase to a place of its own and name that with BOLLARD_PASSPHRASE_FILE."
        yield Symptom("health.passphrase", Weight.WARNING, "keys/passphrase", says, fix)


def _audit(facts: Facts) -> Iterator[Symptom]:
    if facts.known is None:
        return
    says = f"the audit log's {facts.known.audit_size} entries are whole, and the ledger follows from them"
    if not any(failed.what == "audit log" for failed in facts.failed):
        yield Symptom("health.audit", Weight.OK, "audit log", says)
    for moment in facts.known.restored_behind:
        says = f"the restore at {moment:%F %T} UTC undid acts that had been recorded"
        fix = "Compare with the home it replaced: revoke again what was revoked there, then take a backup."
        yield Symptom("health.restored", Weight.WARNING, "audit log", says, fix)


def _processes(facts: Facts) -> Iterator[Symptom]:
    for name, answers in facts.running:
        if answers is False:
            says = "its socket is there, yet nobody answers"
            fix = "bollard up; if that says one runs already, end the process that holds run/lock (fuser run/lock)."
            yield Symptom("health.process", Weight.CRITICAL, name, says, fix)
        else:
            yield Symptom("health.process", Weight.OK, name, "it answers" if answers else "it does not run")


def _served(facts: Facts) -> Iterator[Symptom]:
    for each in facts.served:
        for fault in each.faults:
            yield Symptom("health.served", Weight.CRITICAL, each.what, fault.says, fault.fix, fault.clause)
        if not each.faults:
            says = each.seen or "it presents the certificate that it is meant to, and who trusts our root accepts it"
            yield Symptom("health.served", Weight.OK, each.what, says)


def _upstream(facts: Facts) -> Iterator[Symptom]:
    if not facts.csms:
        yield Symptom("health.upstream", Weight.OK, "CSMS", "bollard.toml names none, and no proxy runs")
    for csms in facts.csms:
        if csms.missed:
            weight = Weight.WARNING if csms.spared else Weight.CRITICAL
            fix = "Start the CSMS, or correct [csms] upstream or [[upstream]] in bollard.toml."
            yield Symptom("health.upstream", weight, f"CSMS {csms.url}", csms.missed, fix)
        else:
            yield Symptom("health.upstream", Weight.OK, f"CSMS {csms.url}", "it can be reached")


def _receivers(facts: Facts) -> Iterator[Symptom]:
    for each in facts.receivers:
        what = f"event sink {each.name}"
        if each.trouble:
            says = f"{each.waiting} events wait for it; since {each.since}: {each.trouble}"
            fix = "Bring it back or correct its [[event_sink]] in bollard.toml; nothing else waits for it."
            yield Symptom("health.sink", Weight.WARNING, what, says, fix)
        elif each.missed:
            says = f"up to {each.missed} events were deleted before it took them"
            fix = "Have [events] in bollard.toml keep more, or see that it takes them faster."
            yield Symptom("health.sink", Weight.WARNING, what, says, fix)
        else:
            yield Symptom("health.sink", Weight.OK, what, f"{each.waiting} events wait for it")


def _collector(facts: Facts) -> Iterator[Symptom]:
    found = facts.collector
    if found is None:
        return
    if found.trouble:
        says = f"{found.to} takes no spans since {found.since}: {found.trouble}"
        fix = "Bring it back or correct [traces] in bollard.toml; nothing else waits for it."
        yield Symptom("health.traces", Weight.WARNING, "traces", says, fix)
    elif not found.to:
        yield Symptom("health.traces", Weight.OK, "traces", "they are off")
    else:
        told = f"took some last at {found.taken}" if found.taken else "was sent nothing yet"
        yield Symptom("health.traces", Weight.OK, "traces", f"{found.to} {told}")


def _unsafe(facts: Facts) -> Iterator[Symptom]:
    for each in facts.unsafe:
        yield Symptom("health.unsafe", Weight.WARNING, each.what, each.says, each.fix, each.clause)


_AREAS: Final[tuple[Callable[[Facts], Iterator[Symptom]], ...]] = (
    _failures,
    _missing,
    _lifetimes,
    _stations,
    _clock,
    _disk,
    _files,
    _audit,
    _processes,
    _served,
    _upstream,
    _receivers,
    _collector,
    _unsafe,
)


def _mib(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"
