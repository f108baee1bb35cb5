"""Stations: who may connect, with what proof, and whether they may at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from cli.asked import Asked, one, pass_asked
from cli.enrolment import token
from cli.files import LIST_BYTES, read_given_password, read_text
from cli.render import Output, Plain, note, row_of, write
from cli.seeds import read_seeds
from cli.words import IDENTITY, PROFILE, PROTOCOL, SERIAL, TIME
from pki.edge import calls
from pki.errors import ConflictError, InputError, NotFoundError
from pki.station import PasswordForm, StationStatus

if TYPE_CHECKING:
    from pki.names import ProtocolVersion, StationIdentity, StationSerial

COLUMNS = ("identity", "serial", "profile", "status", "group", "site", "has_password", "last_seen")
FIELDS = (
    *COLUMNS,
    *("vendor", "model", "firmware_version", "password_form", "protocol", "tls"),
    *("seen_profile", "ratchet", "rotating", "expired_until"),
)
MINUTES = 10  # of a recording for which nothing was said
MINUTES_MOST = 1440  # of a recording: a day
ALLOWANCES = frozenset({"allow_downgrade", "unsafe_no_tls"})  # what goes with a change and is none by itself
SETTABLE = [StationStatus.ACTIVE.value, StationStatus.DISABLED.value]
GUEST_COLUMNS = ("time", "identity", "serial", "vendor", "model", "remote", "admit")
GUESTS_SHOWN = 10_000  # events looked at, the newest; each name makes one an hour in a worker
CERTIFICATE_FIELDS = ("serial", "status", "not_before", "not_after", "issuer")

password_option = click.option("--password-file", help="File with a password of your own choice; - reads the input.")
form_option = click.option(
    "--password-form",
    type=click.Choice([form.value for form in PasswordForm]),
    default=PasswordForm.ANY.value,
    help="What the station makes of its password: the text, the bytes of its hex, or the hex as text; any tries all.",
)


@click.group()
def station() -> None:
    """Register stations and decide which may connect."""


station.add_command(token)


@station.command()
@click.argument("identity", type=IDENTITY)
@click.option("--serial", type=SERIAL, required=True, help="Serial number on the type plate.")
@click.option("--profile", type=PROFILE, required=True, help="Lowest security profile it may connect with.")
@click.option("--group", default="", help="Group it belongs to.")
@click.option("--site", default="", help="Site it stands on.")
@password_option
@form_option
@pass_asked
def add(
    asked: Asked,
    identity: StationIdentity,
    serial: StationSerial,
    profile: str,
    group: str,
    site: str,
    password_file: str | None,
    password_form: str,
) -> None:
    """Register a station. For profiles 1 and 2 its password is printed, this once."""
    password = read_given_password(password_file)
    call = calls.AddStation(str(identity), str(serial), int(profile), group, site, password, password_form)
    _tell_added(asked, asked.change(call, calls.StationAdded))


@station.command("import")
@click.argument("file")
@click.option("--profile", type=PROFILE, help="Profile of the rows that name none.")
@pass_asked
def import_(asked: Asked, file: str, profile: str | None) -> None:
    """Register all stations of a CSV file (identity,serial[,profile,group,site]), or none."""
    seeds = read_seeds(read_text(file, LIST_BYTES), int(profile) if profile else None)
    added = asked.change(calls.AddStations(seeds), calls.StationsAdded)
    rows: list[dict[str, Plain]] = [{"identity": name, "password": word} for name, word in added.passwords.items()]
    note(f"{added.count} stations registered; recorded in the audit log at {added.audit_index}")
    if rows:
        note("the passwords are shown this once and stored nowhere")
    asked.rows("passwords", rows, ("identity", "password"))


@station.command("list")
@click.option(
    "--quarantined", is_flag=True, help="In place of stations, who waits unregistered, with the command for it."
)
@pass_asked
def list_(asked: Asked, quarantined: bool) -> None:
    """List all stations."""
    if quarantined:
        asked.rows("quarantined", _quarantined(asked), GUEST_COLUMNS)
        return
    found = asked.ask(calls.ListStations(), calls.Stations).stations
    asked.rows("stations", [row_of(each, FIELDS) for each in found], COLUMNS)


@station.command()
@click.argument("identity", type=IDENTITY)
@pass_asked
def show(asked: Asked, identity: StationIdentity) -> None:
    """Show one station and its certificates."""
    stations = asked.ask(calls.ListStations(str(identity)), calls.Stations).stations
    found = one(stations, "station.unknown", "station", str(identity))
    certificates: list[Plain] = [row_of(each, CERTIFICATE_FIELDS) for each in found.certificates]
    asked.record({**row_of(found, FIELDS), "certificates": certificates})


@station.command("set")
@click.argument("identity", type=IDENTITY)
@click.option("--status", type=click.Choice(SETTABLE), help="Whether it may connect.")
@click.option("--protocol", type=PROTOCOL, help="Version of OCPP it speaks, with an edition as in ocpp2.0.1/3.")
@click.option("--serial", type=SERIAL, help="Serial number, when the controller was exchanged.")
@click.option("--group", help="Group it belongs to; empty for none.")
@click.option("--site", help="Site it stands on; empty for none.")
@click.option("--profile", type=PROFILE, help="Lowest security profile it may connect with.")
@click.option("--ratchet/--no-ratchet", default=None, help="Whether a higher profile that it comes with becomes that.")
@click.option("--allow-downgrade", is_flag=True, help="Let the profile go from 3 to 2 (AllowSecurityProfileDowngrade).")
@click.option("--unsafe-no-tls", is_flag=True, help="Let the profile go to 1, which has no TLS.")
@click.option("--expired-until", type=TIME, help="Until when it may show an expired certificate, to renew it.")
@click.option("--forget-tls", is_flag=True, help="Forget over which version of TLS it has booted; it may bring less.")
@pass_asked
def set_(
    asked: Asked, /, identity: StationIdentity, status: str | None, protocol: ProtocolVersion | None, **wanted: object
) -> None:
    """Change a station. Its live session is judged again at once."""
    given = {name: value for name, value in wanted.items() if value is not None and value is not False}
    if wanted["ratchet"] is not None:
        given["ratchet"] = wanted["ratchet"]
    steps: list[calls.Call] = [calls.SetStationProtocol(str(identity), str(protocol))] if protocol else []
    if given.pop("forget_tls", False):
        steps.append(calls.ForgetStationTls(str(identity)))
    if given.keys() - ALLOWANCES:
        steps.append(_changed(identity, given))
    if status:
        steps.append(calls.SetStationStatus(str(identity), status))
    if not steps:
        raise InputError("usage", "nothing to change was named", "'bollard station set --help' lists what can be.")
    for call in steps:
        asked.done(asked.change(call, calls.Done).audit_index)


def _changed(identity: StationIdentity, given: dict[str, object]) -> calls.Call:
    """Write what was given as the authority's call."""
    fields = {name: str(value) if name == "serial" else value for name, value in given.items()}
    if "profile" in fields:
        fields["profile"] = int(str(fields["profile"]))
    return msgspec.convert({"identity": str(identity), **fields}, calls.ChangeStation)


@station.command()
@click.argument("identity", type=IDENTITY)
@click.option("--revoke", is_flag=True, help="Revoke its certificates with it (cessation of operation).")
@pass_asked
def remove(asked: Asked, identity: StationIdentity, revoke: bool) -> None:
    """Let a station go: it may connect no more, and its name and its serial number are free."""
    asked.confirm(f"Remove {identity}?")
    asked.done(asked.change(calls.RemoveStation(str(identity), revoke), calls.Done).audit_index)


@station.command()
@click.argument("identity", type=IDENTITY)
@password_option
@form_option
@click.option("--rotate", is_flag=True, help="Let the former one count too, until the station comes with the new one.")
@click.option("--keep-old", is_flag=True, help="Give up the new one of a --rotate; the former one stays.")
@pass_asked
def password(
    asked: Asked, identity: StationIdentity, password_file: str | None, password_form: str, rotate: bool, keep_old: bool
) -> None:
    """Give a station a new password; a generated one is printed, this once."""
    if keep_old:
        if rotate or password_file:
            raise InputError("usage", "--keep-old sets no password", "Give it alone.")
        asked.done(asked.change(calls.SettlePassword(str(identity), taken=False), calls.Done).audit_index)
        return
    chosen = read_given_password(password_file)
    call = calls.SetStationPassword(str(identity), chosen, password_form, rotate)
    _tell_added(asked, asked.change(call, calls.StationAdded))


@station.command("record")
@click.argument("identity", type=IDENTITY)
@click.option("--minutes", type=click.IntRange(1, MINUTES_MOST), help="How long; 10 unless told.")
@click.option("--stop", is_flag=True, help="End the recording that runs.")
@click.option("--plain-tokens", is_flag=True, help="Keep the tokens of drivers, which are hashed else.")
@pass_asked
def record_(asked: Asked, identity: StationIdentity, minutes: int | None, stop: bool, plain_tokens: bool) -> None:
    """Write down what a connected station and its CSMS say, without secrets, in HOME/recordings."""
    import asyncio

    from secproxy.edge.errands import ask_record

    if stop and (minutes or plain_tokens):
        raise InputError("usage", "--stop begins no recording", "Give it alone.")
    span = 0 if stop else minutes or MINUTES
    if asked.dry_run:
        asked.would({"call": "record", "station": str(identity), "minutes": span})
    done = asyncio.run(ask_record(asked.home(), str(identity), span, plain=plain_tokens))
    if done.code:
        kind = NotFoundError if done.code in {"recording.absent", "recording.none"} else ConflictError
        raise kind(done.code, done.cause, done.advice)
    path = asked.home().recordings / done.file
    asked.record({"station": str(identity), "file": str(path), "minutes": span, "recording": not stop})


@station.command()
@click.argument("identity", type=IDENTITY)
@pass_asked
def disable(asked: Asked, identity: StationIdentity) -> None:
    """Close a station's session and let it in no more."""
    _set_status(asked, identity, StationStatus.DISABLED)


@station.command()
@click.argument("identity", type=IDENTITY)
@pass_asked
def enable(asked: Asked, identity: StationIdentity) -> None:
    """Let a disabled station in again."""
    _set_status(asked, identity, StationStatus.ACTIVE)


@station.command()
@click.argument("identities", type=IDENTITY, nargs=-1, required=True)
@click.option("--root", required=True, help="Name of the root, as 'bollard ca list' prints it.")
@pass_asked
def confirm(asked: Asked, identities: tuple[StationIdentity, ...], root: str) -> None:
    """Note that stations have a root of ours installed, so that the one before it may be retired."""
    names = tuple(map(str, identities))
    done = asked.change(calls.ConfirmTrust(names, root), calls.Done)
    asked.done(done.audit_index, {"root": root, "stations": [*names]})


def _quarantined(asked: Asked) -> list[dict[str, Plain]]:
    """Tell who knocked of late without being registered: the newest event of each name, as the journal has it."""
    from secproxy.edge.event_store import EventStore

    stations = {each.identity for each in asked.ask(calls.ListStations(), calls.Stations).stations}
    newest: dict[str, dict[str, Plain]] = {}
    for event in EventStore(asked.home()).list(cause="station.quarantined", limit=GUESTS_SHOWN):
        told, name = event["evidence"], str(event["station"])
        if name not in stations and isinstance(told, dict):
            shown = {key: str(told.get(key, "")) for key in ("serial", "vendor", "model", "admit")}
            newest[name] = {"time": str(event["time"]), "identity": name, "remote": str(event["remote"]), **shown}
    return list(newest.values())


def _set_status(asked: Asked, identity: StationIdentity, status: StationStatus) -> None:
    asked.done(asked.change(calls.SetStationStatus(str(identity), status.value), calls.Done).audit_index)


def _tell_added(asked: Asked, added: calls.StationAdded) -> None:
    """Print the station, or in a table's place its new password alone, for ``$(bollard station add ...)``."""
    record = row_of(added.station, FIELDS)
    if added.password:
        note(f"the password of {added.station.identity} is shown this once and stored nowhere")
        record["password"] = added.password
    if added.password and asked.output is Output.TABLE:
        write(added.password)
        return asked.done(added.audit_index)
    return asked.done(added.audit_index, record)
