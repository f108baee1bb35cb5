"""Registering stations and changing what they must prove. Passwords are made here, shown once, and kept nowhere."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from pki import password as passwords
from pki.edge import calls, clock
from pki.edge.ledger import stations, successions
from pki.edge.office.desk import sha256
from pki.errors import ConflictError, InputError
from pki.names import CertificateSerial, ProtocolVersion, StationIdentity, StationSerial
from pki.station import PasswordForm, SecurityProfile, StationStatus, best_tls

if TYPE_CHECKING:
    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

LABEL_LENGTH: Final = 64  # characters of a group or site name; a bound against slips, not a rule of the standard
SETTABLE: Final = (StationStatus.ACTIVE.value, StationStatus.DISABLED.value)  # the third has an act of its own
BOOT_LENGTH: Final = 50  # characters; the longest of vendorName, model and firmwareVersion in BootNotification 2.x


async def add(desk: Desk, call: calls.AddStation, who: str) -> calls.StationAdded:
    """Register one station; profiles 1 and 2 get a password (A00.FR.205)."""
    seed = calls.StationSeed(call.identity, call.serial, call.profile, call.group, call.site)
    row = _parse(seed)
    shown, verifier = "", ""
    if call.password or row.profile < SecurityProfile.MUTUAL_TLS:
        shown, verifier = await _password(call.password)
    row = msgspec.structs.replace(row, verifier=verifier, password_form=_form(call.password_form))
    return await desk.ledger.write(partial(_add, desk, row, shown, who))


def _add(desk: Desk, row: calls.StationRow, shown: str, who: str, tx: Tx) -> calls.StationAdded:
    returned = stations.add(tx.database, row)
    index = desk.record(tx, "station.added", who, _what(row, returned=returned))
    return calls.StationAdded(_public(desk.tell_of_station(tx, row.identity)), shown, index)


async def add_many(desk: Desk, call: calls.AddStations, who: str) -> calls.StationsAdded:
    """Register many stations in one transaction: all or none."""
    rows, shown = [], {}
    for row in map(_parse, call.stations):
        verifier = ""
        if row.profile < SecurityProfile.MUTUAL_TLS:
            shown[row.identity], verifier = _generate()
        rows.append(msgspec.structs.replace(row, verifier=verifier))
    return await desk.ledger.write(partial(_add_many, desk, rows, shown, who), long=True)


def _add_many(desk: Desk, rows: list[calls.StationRow], shown: dict[str, str], who: str, tx: Tx) -> calls.StationsAdded:
    told: list[Json] = []
    for row in rows:
        told.append(_what(row, returned=stations.add(tx.database, row)))
        desk.tell_of_station(tx, row.identity)
    index = desk.record(tx, "stations.added", who, {"count": len(rows), "stations": told})
    return calls.StationsAdded(len(rows), shown, index)


async def listed(desk: Desk, call: calls.ListStations, who: str) -> calls.Stations:  # noqa: ARG001 - one shape for all
    """List all stations, or one; verifiers stay here."""
    if call.identity:
        return calls.Stations((_public(await desk.ledger.read(partial(stations.named, identity=call.identity))),))
    return calls.Stations(tuple(map(_public, await desk.ledger.read(stations.every))))


async def set_status(desk: Desk, call: calls.SetStationStatus, who: str) -> calls.Done:
    """Enable or disable a station."""
    if call.status not in SETTABLE:
        raise InputError(
            "station.status",
            f"{call.status[:40]!r} is no status that a station can be given",
            f"Use one of: {', '.join(SETTABLE)}.",
        )
    return await desk.ledger.write(partial(_set_status, desk, call, who))


def _set_status(desk: Desk, call: calls.SetStationStatus, who: str, tx: Tx) -> calls.Done:
    stations.set_status(tx.database, call.identity, call.status)
    index = desk.record(tx, "station.status_set", who, {"station": call.identity, "status": call.status})
    desk.tell_of_station(tx, call.identity)
    return calls.Done(index)


async def set_password(desk: Desk, call: calls.SetStationPassword, who: str) -> calls.StationAdded:
    """Give a station a new password."""
    form = _form(call.password_form)
    shown, verifier = await _password(call.password)
    if call.rotate:
        return await desk.ledger.write(partial(_offer_password, desk, call.identity, (shown, verifier, form), who))
    return await desk.ledger.write(partial(_set_password, desk, call.identity, (shown, verifier, form), who))


def _set_password(desk: Desk, identity: str, password: tuple[str, str, str], who: str, tx: Tx) -> calls.StationAdded:
    shown, verifier, form = password
    stations.set_password(tx.database, identity, verifier, form)
    what: dict[str, Json] = {
        "station": identity,
        "generated": bool(shown),
        "password_form": form,
        "verifier_sha256": sha256(verifier),
    }
    index = desk.record(tx, "station.password_set", who, what)
    return calls.StationAdded(_public(desk.tell_of_station(tx, identity)), shown, index)


def _offer_password(desk: Desk, identity: str, password: tuple[str, str, str], who: str, tx: Tx) -> calls.StationAdded:
    """Let a second password count beside the first, until the station is seen with it (A01)."""
    shown, verifier, form = password
    if not stations.plain(tx.database, identity).verifier:
        raise ConflictError(
            "password.none", f"{identity!r} has no password that another could follow", "Set one without --rotate."
        )
    stations.offer_password(tx.database, identity, verifier, form)
    what: dict[str, Json] = {"station": identity, "generated": bool(shown), "next_form": form}
    index = desk.record(tx, "station.password_offered", who, {**what, "next_sha256": sha256(verifier)})
    return calls.StationAdded(_public(desk.tell_of_station(tx, identity)), shown, index)


async def report_boot(desk: Desk, call: calls.ReportBoot, who: str) -> calls.Done:
    """Keep what a station says of itself; it makes an audit entry only when it says something new."""
    for text in (call.vendor, call.model, call.firmware_version, call.tls):
        if len(text) > BOOT_LENGTH or not (text.isprintable() or not text):
            raise InputError(
                "station.boot",
                f"{text[:60]!r} is longer than {BOOT_LENGTH} characters or not printable (B01.FR.01)",
                "The station's BootNotification is wrong; ask its manufacturer.",
            )
    return await desk.ledger.write(partial(_report_boot, desk, call, who))


def _report_boot(desk: Desk, call: calls.ReportBoot, who: str, tx: Tx) -> calls.Done:
    row = stations.plain(tx.database, call.identity)
    said = {"vendor": call.vendor, "model": call.model, "firmware_version": call.firmware_version}
    said["protocol"] = _sharper(row.protocol, call.protocol)
    said["tls"] = best_tls(row.tls, call.tls)
    moment = clock.stamp(clock.now())
    stations.set_boot(tx.database, msgspec.structs.replace(row, **said), moment)
    if call.certificate:
        successions.note_use(tx.database, row.identity, CertificateSerial.parse(call.certificate).hex, moment)
    if (row.vendor, row.model, row.firmware_version, row.protocol, row.tls) == tuple(said.values()):
        return calls.Done(desk.newest_index(tx))
    desk.tell_of_station(tx, call.identity)
    return calls.Done(desk.record(tx, "station.described", who, {"station": call.identity, **said}))


async def set_protocol(desk: Desk, call: calls.SetStationProtocol, who: str) -> calls.Done:
    """Note which version and edition of OCPP a station speaks; it does not say the edition itself."""
    protocol = str(ProtocolVersion.parse(call.protocol))
    return await desk.ledger.write(partial(_set_protocol, desk, call.identity, protocol, who))


def _set_protocol(desk: Desk, identity: str, protocol: str, who: str, tx: Tx) -> calls.Done:
    stations.set_protocol(tx.database, identity, protocol)
    index = desk.record(tx, "station.protocol_set", who, {"station": identity, "protocol": protocol})
    desk.tell_of_station(tx, identity)
    return calls.Done(index)


async def forget_tls(desk: Desk, call: calls.ForgetStationTls, who: str) -> calls.Done:
    """Forget what a station has booted over; for one whose controller or firmware went back on purpose."""
    return await desk.ledger.write(partial(_forget_tls, desk, call.identity, who))


def _forget_tls(desk: Desk, identity: str, who: str, tx: Tx) -> calls.Done:
    stations.forget_tls(tx.database, identity)
    index = desk.record(tx, "station.tls_forgotten", who, {"station": identity, "tls": ""})
    desk.tell_of_station(tx, identity)
    return calls.Done(index)


def _sharper(known: str, seen: str) -> str:
    """A proxy sees the version alone: the edition that an operator noted stays while it fits."""
    return known if not seen or known.startswith(f"{seen}/") else str(ProtocolVersion.parse(seen))


def _parse(seed: calls.StationSeed) -> calls.StationRow:
    if seed.profile not in set(SecurityProfile):
        raise InputError("station.profile", f"there is no security profile {seed.profile}", "Use 1, 2 or 3.")
    return calls.StationRow(
        identity=StationIdentity.parse(seed.identity).text,
        serial=StationSerial.parse(seed.serial).text,
        profile=seed.profile,
        status=StationStatus.ACTIVE.value,
        group=label(seed.group),
        site=label(seed.site),
    )


def label(text: str) -> str:
    """Read the name of a group or a site."""
    if len(text) > LABEL_LENGTH or not (text.isprintable() or not text):
        raise InputError(
            "station.label",
            f"{text[:72]!r} is no name for a group or site: at most {LABEL_LENGTH} printable characters",
            "Choose a shorter, plain name.",
        )
    return text


def _form(text: str) -> str:
    if text not in set(PasswordForm):
        raise InputError(
            "password.form", f"{text[:40]!r} is no form of a password", f"Use one of: {', '.join(PasswordForm)}."
        )
    return text


def _generate() -> tuple[str, str]:
    """Return a new password and its verifier."""
    password = passwords.generate(secrets.token_bytes(passwords.RANDOM_LEAST))
    return password, passwords.remember(password, secrets.token_bytes(passwords.SALT_LENGTH), generated=True)


async def _password(chosen: str) -> tuple[str, str]:
    """Return what is to be shown (nothing, when a person chose it) and the verifier. Argon2id runs beside the loop."""
    if not chosen:
        return _generate()
    passwords.examine_chosen(chosen)
    salt = secrets.token_bytes(passwords.SALT_LENGTH)
    return "", await asyncio.to_thread(passwords.remember, chosen, salt, generated=False)


def _public(row: calls.StationRow) -> calls.StationRow:
    return msgspec.structs.replace(row, verifier="", next_verifier="")


def _what(row: calls.StationRow, *, returned: bool) -> dict[str, Json]:
    """Write what the log tells of a new station; ``returned`` where the name was a removed one's."""
    again: dict[str, Json] = {"returned": True} if returned else {}
    return {
        **again,
        "station": row.identity,
        "serial": row.serial,
        "profile": row.profile,
        "group": row.group,
        "site": row.site,
        "password_form": row.password_form,
        "verifier_sha256": sha256(row.verifier),  # no secret: the verifier holds a random salt that nobody can guess
    }
