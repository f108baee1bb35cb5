"""What stations and CSMS may say to each other: the policies there are, whether they are right, what one would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from cli.asked import Asked, one, pass_asked
from cli.files import existing, read_text
from cli.render import Output, Plain, note, write
from cli.replay import replay
from cli.words import IDENTITY
from pki.edge import calls
from pki.errors import InputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pki.edge.policies import PolicyFile
    from pki.names import StationIdentity
    from secproxy.config import Config
    from secproxy.policy.explanation import Line
    from secproxy.policy.rules import Policy, Rule
    from secproxy.station_view import View

COLUMNS: Final = ("name", "says", "rules", "enforced", "under", "source")
RULE_COLUMNS: Final = ("name", "clause", "from", "actions", "versions", "mode", "test")
CHECK_COLUMNS: Final = ("name", "says", "rules", "enforced", "source")
LINE_COLUMNS: Final = ("rule", "clause", "mode", "verdict", "says")
PAYLOAD_BYTES: Final = 262_144  # of a payload; no message is longer (secproxy.config.Limits)


@click.group()
def policy() -> None:
    """Look at what stations and CSMS may say to each other."""


policy.add_command(replay)


@policy.command("list")
@pass_asked
def list_(asked: Asked) -> None:
    """List the policies: those that ship, and this home's own in policies/proxy, with who is under which."""
    from pki.edge.policies import PROXY, find_policies

    settings = _config(asked).policies
    rows = []
    for file in find_policies(PROXY, asked.home().policies).values():
        everybody = ["everybody else"] if settings.preset == file.name else []
        groups = [f"group {name}" for name, preset in settings.groups.items() if preset == file.name]
        stations = [name for name, preset in settings.stations.items() if preset == file.name]
        rows.append({**_summary(file), "under": ", ".join(stations + groups + everybody)})
    asked.rows("policies", rows, COLUMNS)


@policy.command()
@click.argument("name")
@pass_asked
def show(asked: Asked, name: str) -> None:
    """Print a policy, to be read or copied into the home's policies/proxy; its rules as data with -o json."""
    from pki.edge.policies import PROXY, find_policy

    file = find_policy(PROXY, asked.home().policies, name)
    if asked.output is Output.TABLE:
        return write(file.read())
    found = _read(file)
    rows = [_rule(rule) for rule in found.rules]
    if asked.output is Output.CSV:
        return asked.rows("rules", rows, RULE_COLUMNS)
    return asked.record({**_summary(file), "rules": [*rows]})


@policy.command()
@click.argument("file", required=False)
@pass_asked
def check(asked: Asked, file: str | None) -> None:
    """Check FILE, or else bollard.toml and every policy of this home's own: every mistake, with its line and key."""
    from pki.edge.policies import PROXY, find_policies

    if file is not None:
        own = _file_of(asked, file)
        _read(own, closely=True)
        return asked.record(_summary(own))
    files = find_policies(PROXY, asked.home().policies)
    _check_all(each for each in files.values() if not each.shipped)
    for name in sorted(_config(asked).policies.names - files.keys()):
        says = f"bollard.toml puts stations under {name!r}, and there is no such policy"
        raise InputError("config.value", says, f"Choose one of: {', '.join(files)}.")
    return asked.rows("policies", [_summary(each) for each in files.values()], CHECK_COLUMNS)


@policy.command()
@click.option("--station", type=IDENTITY, required=True, help="Station that the call is about.")
@click.option("--action", required=True, help="Action that is called, as Reset.")
@click.option("--from", "side", type=click.Choice(["csms", "station"]), help="Who calls; else who can, the CSMS first.")
@click.option("--payload", help="File with the call's payload in JSON; - reads the input.")
@click.option("--version", "version", help="Subprotocol, as ocpp1.6; what the station last spoke else.")
@pass_asked
def explain(
    asked: Asked, station: StationIdentity, action: str, side: str | None, payload: str | None, version: str | None
) -> None:
    """Say what becomes of a call: which rules it meets, by which clause, and what they do; exits 5 when it is refused.

    Without --payload, rules that would read it are named and not asked. Rates are told and not counted.
    """
    from pki.edge.clock import now
    from secproxy.edge import reading
    from secproxy.edge.policies import parse, read_policy_text
    from secproxy.plan import GATED, Side, small
    from secproxy.policy import explanation
    from secproxy.policy.rulebook import Asked as Called
    from secproxy.policy.rulebook import Rulebook

    config, home = _config(asked), asked.home()
    stations = asked.ask(calls.ListStations(str(station)), calls.Stations).stations
    row = one(stations, "station.unknown", "station", str(station))
    name = config.policies.of(row.identity, row.group)
    spoken = _version(version or row.protocol)
    rulebook = Rulebook(parse(name, read_policy_text(home, name)), spoken, config.csms_host.text)
    read = _payload(action, payload)
    _doubt(spoken, action)
    side = side or _caller(spoken, action)
    called = Called(Side(side), small(action), read or {}, reading.station(row), _view(asked, config), now())
    lines = explanation.explain(rulebook, called, read)
    refusing = [line for line in lines if line.refuses]
    gated = not refusing and small(action) in GATED[Side(side)] and side == "csms"
    facts: dict[str, Plain] = {
        "station": row.identity, "action": action, "from": side, "version": spoken, "policy": name,
        "outcome": "refused" if refusing else "goes on to the firmware gate" if gated else "passes",
    }  # fmt: skip
    _show(asked, facts, lines)
    if refusing:
        says = f"rule {refusing[0].rule} ({refusing[0].clause}): {refusing[0].says}"
        raise RefusedError("policy.refused", says, f"'bollard policy show {name}' prints the whole policy.")


def _view(asked: Asked, config: Config) -> View:
    """What is known of trust. What listeners present is not asked for, since their keys would come with it: what stands
    above our own certificates in use is."""
    from pki.certificate import read_certificates
    from pki.edge.home import read_settings
    from pki.settings import parse_settings
    from secproxy.edge import reading
    from secproxy.station_view import View

    issuers = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    anchors = asked.ask(calls.ListAnchors(), calls.Anchors).anchors
    view = View(parse_settings(read_settings(asked.home())).organisation.text, config.csms_host.text)
    reading.apply(view, calls.TrustChanged(issuers, anchors))
    presented = (row.pem for row in issuers if (row.purpose, row.state) == ("csms", "active") or row.purpose == "link")
    view.presented = tuple(each for pem in presented for each in read_certificates(pem))
    return view


def _show(asked: Asked, facts: dict[str, Plain], lines: list[Line]) -> None:
    rows = [_line(line) for line in lines]
    if asked.output is not Output.TABLE:
        return asked.record({**facts, "rules": [*rows]})
    note(f"{facts['action']} of {facts['station']}'s, under {facts['policy']}: {facts['outcome']}")
    return asked.rows("rules", rows, LINE_COLUMNS)


def _version(text: str) -> str:
    from pki.names import ProtocolVersion
    from secproxy.policy.actions import ACTIONS

    if not text:
        raise InputError("usage", "nobody knows which OCPP the station speaks", "Give --version, as ocpp1.6.")
    version = ProtocolVersion.parse(text).protocol
    if version not in ACTIONS:
        raise InputError("usage", f"{version!r} is not spoken here", f"Give one of {', '.join(ACTIONS)}.")
    return version


def _doubt(version: str, action: str) -> None:
    """Say that nobody calls an action: a slip of the pen would be explained as if it were meant."""
    from pki.tables import meant
    from secproxy.plan import small
    from secproxy.policy.actions import ACTIONS

    known = {name for names in ACTIONS[version].values() for name in names}
    if small(action) not in map(small, known):
        note(f"{version} has no action {action[:50]!r}{meant(action, known)}")


def _caller(version: str, action: str) -> str:
    """Who calls an action in this version; the CSMS where both do, and where nobody does."""
    from secproxy.plan import SIGNED, Side, small
    from secproxy.policy.actions import ACTIONS

    theirs = {small(name) for name in ACTIONS[version][Side.STATION] - ACTIONS[version][Side.CSMS]}
    return "station" if small(action).removesuffix(SIGNED) in theirs else "csms"


def _payload(action: str, name: str | None) -> dict[str, object] | None:
    """Read a payload as strictly as a message is read; ``RefusedError`` for what would not pass as one."""
    from secproxy.envelope import Call, call_bytes, parse
    from secproxy.errors import MessageRefused
    from secproxy.sealed import open_signed, refuse_twice_signed

    head = call_bytes(Call("policy-explain", action, {})).removesuffix(b"{}]")
    try:
        said = parse(head + (b"{}" if name is None else read_text(name, PAYLOAD_BYTES).encode()) + b"]")
        refuse_twice_signed(said)
        if name is not None:
            open_signed(said)
    except MessageRefused as refused:
        fault = "the payload is no JSON" if refused.fault == "json" else refused.fault
        says = f"with this action and payload it would be no message: {fault}"
        raise RefusedError(refused.code, says, "Correct what was given, or take it as the proxy's answer.") from None
    return said.payload if name is not None and isinstance(said, Call) else None


def _config(asked: Asked) -> Config:
    from pki.edge.home import read_settings
    from secproxy.config import parse_config

    return parse_config(read_settings(asked.home()))


def _read(file: PolicyFile, *, closely: bool = False) -> Policy:
    from secproxy.edge.policies import parse
    from secproxy.edge.schema_files import SchemaFiles, official_fields

    return parse(file.name, file.read(), official_fields(SchemaFiles()) if closely else None)


def _file_of(asked: Asked, which: str) -> PolicyFile:
    """Find a file, or the policy of this name where there is no such file."""
    from pathlib import Path

    from pki.edge.policies import PROXY, PolicyFile, find_policies

    plain = which.replace("-", "").isalnum() and not Path(which).exists()
    if plain and (named := find_policies(PROXY, asked.home().policies).get(which)):
        return named
    path = existing(which)
    return PolicyFile(path.stem, path, shipped=False)


def _check_all(files: Iterable[PolicyFile]) -> None:
    """Tell the mistakes of all files at once."""
    from pki.findings import Finding

    mistakes: list[Finding] = []
    for file in files:
        try:
            _read(file, closely=True)
        except InputError as wrong:
            mistakes += [
                Finding(each.code, each.severity, each.clause, f"{file.path}: {each.says}") for each in wrong.findings
            ]
    if mistakes:
        says = "; ".join(mistake.says for mistake in mistakes)[:2000]
        raise InputError("policy.wrong", says, "Correct the files that the findings name.", findings=tuple(mistakes))


def _summary(file: PolicyFile) -> dict[str, Plain]:
    from secproxy.policy.rules import Mode

    found = _read(file)
    return {
        "name": found.name,
        "says": found.says,
        "rules": len(found.rules),
        "enforced": sum(rule.mode is Mode.ENFORCE for rule in found.rules),
        "allow": {side.value: _allowed(allow.rest.value, allow.named) for side, allow in found.allow.items()},
        "allow_mode": found.mode.value,
        "source": "shipped" if file.shipped else str(file.path),
    }


def _allowed(rest: str, named: frozenset[bytes]) -> Plain:
    return [name.decode() for name in sorted(named)] if named else rest


def _rule(rule: Rule) -> dict[str, Plain]:
    return {
        "name": rule.name,
        "clause": rule.clause,
        "from": rule.side.value,
        "actions": [action.decode() for action in sorted(rule.actions)],
        "versions": [*sorted(rule.versions)],
        "mode": rule.mode.value,
        "test": type(rule.test).__name__.lower(),
        "says": rule.says,
    }


def _line(line: Line) -> dict[str, Plain]:
    return {
        "rule": line.rule,
        "clause": line.clause,
        "mode": line.mode.value,
        "verdict": line.verdict.value,
        "says": line.says,
    }
