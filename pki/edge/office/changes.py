"""Changing what a registered station is or must prove, pinning what it was seen with, and letting it go."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from pki.edge import calls, clock
from pki.edge.ledger import certificates, stations, successions, tokens
from pki.edge.office.desk import sha256
from pki.edge.office.revoking import record as record_revoked
from pki.edge.office.stations import label
from pki.errors import ConflictError, InputError
from pki.names import StationSerial
from pki.ratchet import examine_profile, pinned
from pki.revocation import Reason
from pki.station import CertificateStatus, SecurityProfile, StationStatus

if TYPE_CHECKING:
    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

_LIVE = frozenset({CertificateStatus.VALID, CertificateStatus.HELD})


async def change(desk: Desk, call: calls.ChangeStation, who: str) -> calls.Done:
    """Change a station; its live session is judged again by the news of it."""
    return await desk.ledger.write(partial(_change, desk, call, who))


def _change(desk: Desk, call: calls.ChangeStation, who: str, tx: Tx) -> calls.Done:
    row = stations.plain(tx.database, call.identity)
    wanted = _wanted(row, call)
    what = {name: _json(value) for name, value in msgspec.structs.asdict(wanted).items() if value != getattr(row, name)}
    if not what:
        return calls.Done(desk.newest_index(tx))
    stations.change(tx.database, wanted)
    index = desk.record(tx, "station.changed", who, {"station": row.identity, **what})
    desk.tell_of_station(tx, row.identity)
    return calls.Done(index)


def _wanted(row: calls.StationRow, call: calls.ChangeStation) -> calls.StationRow:
    """Say how the row would be. A profile that goes down is seen anew, or the ratchet would have it back at once."""
    profile = _profile(row, call)
    ratchet = row.ratchet if call.ratchet is None else call.ratchet
    seen = 0 if profile < row.profile else row.seen_profile
    if ratchet:
        profile = pinned(profile, SecurityProfile(max(seen, profile)), ratchet=True)
    return msgspec.structs.replace(
        row,
        serial=row.serial if call.serial is None else StationSerial.parse(call.serial).text,
        profile=int(profile),
        group=row.group if call.group is None else label(call.group),
        site=row.site if call.site is None else label(call.site),
        ratchet=ratchet,
        seen_profile=seen,
        expired_until=row.expired_until if call.expired_until is None else call.expired_until,
    )


def _profile(row: calls.StationRow, call: calls.ChangeStation) -> SecurityProfile:
    now = SecurityProfile(row.profile)
    if call.profile is None:
        return now
    if call.profile not in set(SecurityProfile):
        raise InputError("station.profile", f"there is no security profile {call.profile}", "Use 1, 2 or 3.")
    wanted = SecurityProfile(call.profile)
    examine_profile(now, wanted, allow_downgrade=call.allow_downgrade, unsafe_no_tls=call.unsafe_no_tls)
    return wanted


def _json(value: object) -> Json:
    """Write a field as the log tells it: moments as the ledger has them, a switch as the number that it is there."""
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int) else stations.moment(value)


async def report_profile(desk: Desk, call: calls.ReportProfile, who: str) -> calls.Done:
    """Note that a station came with more than it was registered with; from then on that is the least (A05.FR.09)."""
    return await desk.ledger.write(partial(_report_profile, desk, call, who))


def _report_profile(desk: Desk, call: calls.ReportProfile, who: str, tx: Tx) -> calls.Done:
    row = stations.plain(tx.database, call.identity)
    if call.profile not in set(SecurityProfile) or call.profile <= max(row.profile, row.seen_profile):
        return calls.Done(desk.newest_index(tx))
    profile = pinned(SecurityProfile(row.profile), SecurityProfile(call.profile), ratchet=row.ratchet)
    stations.change(tx.database, msgspec.structs.replace(row, seen_profile=call.profile, profile=int(profile)))
    what: dict[str, Json] = {"station": row.identity, "seen_profile": call.profile, "profile": int(profile)}
    index = desk.record(tx, "station.profile_seen", who, what)
    desk.tell_of_station(tx, row.identity)
    return calls.Done(index)


async def settle_password(desk: Desk, call: calls.SettlePassword, who: str) -> calls.Done:
    """Let the new password be the only one, or give it up."""
    return await desk.ledger.write(partial(_settle_password, desk, call, who))


def _settle_password(desk: Desk, call: calls.SettlePassword, who: str, tx: Tx) -> calls.Done:
    row = stations.plain(tx.database, call.identity)
    if call.digest and call.digest != sha256(row.next_verifier):
        return calls.Done(desk.newest_index(tx))  # settled before, or replaced by a newer one meanwhile
    if not row.next_verifier:
        raise ConflictError(
            "password.settled",
            f"no new password of {row.identity!r} waits to be seen",
            "'bollard station password --rotate' makes one.",
        )
    kept = (row.next_verifier, row.next_form) if call.taken else (row.verifier, row.password_form)
    stations.set_password(tx.database, row.identity, *kept)
    what: dict[str, Json] = {"station": row.identity, "taken": call.taken, "password_form": kept[1]}
    index = desk.record(tx, "station.password_settled", who, {**what, "verifier_sha256": sha256(kept[0])})
    desk.tell_of_station(tx, row.identity)
    return calls.Done(index)


async def remove(desk: Desk, call: calls.RemoveStation, who: str) -> calls.Done:
    """Let a station go: what was recorded of it stays, and its name may be given to another."""
    return await desk.ledger.write(partial(_remove, desk, call, who))


def _remove(desk: Desk, call: calls.RemoveStation, who: str, tx: Tx) -> calls.Done:
    row = stations.named(tx.database, call.identity, live_after=clock.stamp(clock.now()))
    _end_certificates(desk, row, call, who, tx)
    if tokens.held(tx.database, row.identity):
        tokens.revoke(tx.database, row.identity)
        desk.record(tx, "token.revoked", who, {"station": row.identity})
    gone = f"{row.serial} (removed {clock.stamp(clock.now())})"  # no serial number, so the real one is free
    confirmations: list[Json] = [key.hex() for key in successions.forget(tx.database, row.identity)]
    stations.remove(tx.database, row.identity, gone)
    what: dict[str, Json] = {"station": row.identity, "status": StationStatus.REMOVED.value, "serial": gone}
    index = desk.record(tx, "station.removed", who, {**what, "confirmations": confirmations})
    desk.tell_of_removal(tx, row)
    return calls.Done(index)


def _end_certificates(desk: Desk, row: calls.StationRow, call: calls.RemoveStation, who: str, tx: Tx) -> None:
    live = [each.serial for each in row.certificates if each.status in _LIVE]
    if live and not call.revoke:
        raise ConflictError(
            "station.certified",
            f"{len(live)} certificates of {row.identity!r} are still valid or on hold, first {live[0]}",
            "Say --revoke to revoke them with it, or revoke them first with 'bollard cert revoke'.",
        )
    for serial in live:
        found = certificates.by_serial(tx.database, serial)
        record_revoked(desk, found, Reason.CESSATION_OF_OPERATION, clock.stamp(clock.now()), who, tx)
