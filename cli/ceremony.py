"""The offline root: plan what it signs, sign it on a machine without a network, verify it, bring it home.

All but ``import`` and ``request`` need no home. Each witness types the beginning of the file's SHA-256; it is never
shown before, for it is to come from their own machines.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

import click

from cli.asked import Asked, pass_asked
from cli.files import free_to_write, write_out
from cli.render import note, row_of, to_plain, write
from cli.words import ORGANISATION, Parsed
from pki.edge import calls
from pki.errors import InputError
from pki.settings import parse_status_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.render import Plain
    from pki.ceremony.replay import Replayed
    from pki.ceremony.terms import Ceremony
    from pki.names import Organisation

ISSUERS: Final = ("name", "purpose", "state", "subject", "not_after")


class Terms(TypedDict):
    """What ``plan`` is told."""

    org: Organisation
    requests: Path | None
    witness: tuple[tuple[str, str], ...]
    existing: Path | None
    root_name: str
    root_key: str
    at: dt.datetime | None
    status_url: str


class Inputs(TypedDict):
    """What ``run`` works with."""

    file: Path
    requests: Path | None
    keys: Path | None
    witness: tuple[tuple[str, str], ...]
    unsafe_networked: bool


def parse_moment(text: str) -> dt.datetime:
    """Read a moment such as ``2026-01-31T09:00:00Z``."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = dt.datetime.min  # noqa: DTZ901 - without a zone, so that it is refused below
    if moment.tzinfo is None or moment.microsecond:
        raise InputError("usage.moment", f"{text[:40]!r} is no moment", "Write it like 2026-01-31T09:00:00Z.")
    return moment.astimezone(dt.UTC)


def parse_witness(text: str) -> tuple[str, str]:
    """Read ``NAME, ROLE``; the form of either is judged with the file."""
    return _pair(text, ",", "NAME, ROLE")


def parse_phrase(text: str) -> tuple[str, str]:
    """Read ``NAME=DIGITS``."""
    return _pair(text, "=", "NAME=DIGITS")


def _pair(text: str, mark: str, form: str) -> tuple[str, str]:
    name, _, rest = (part.strip() for part in text.partition(mark))
    if not name or not rest:
        raise InputError("usage.witness", f"{text[:80]!r} is not of the form {form}", "Put it in quotation marks.")
    return name, rest


FOLDER: Final = click.Path(path_type=Path, file_okay=False)
FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.group()
def ceremony() -> None:
    """Hold the ceremony of an offline root, and bring home what it signed."""


@ceremony.command()
@click.option("--org", type=ORGANISATION, required=True, help="Your organisation, as it stands in certificates.")
@click.option("--requests", type=FOLDER, help="Folder with the home's requests (*.csr); a root alone else.")
@click.option(
    "--witness", type=Parsed("name, role", parse_witness), multiple=True, help="Who takes part; at least two."
)
@click.option("--existing", type=FOLDER, help="Newest result of a root that is there; a new root else.")
@click.option("--root-name", default="Bollard Root CA", show_default=True, help="Common name of a new root.")
@click.option("--root-key", default="ec-p384", show_default=True, help="Kind of a new root's key.")
@click.option(
    "--status-url",
    type=Parsed("url", parse_status_url),
    default="",
    help="The online home's, http://HOST:PORT: certificates then say that the root's list is found there.",
)
@click.option("--at", type=Parsed("moment", parse_moment), help="What all is dated by: 2026-01-31T09:00:00Z; now else.")
@click.option("--out", required=True, help="File to write; everybody reviews it.")
@pass_asked
def plan(asked: Asked, out: str, **terms: Unpack[Terms]) -> None:
    """Write a ceremony's file to be reviewed: commented, with every number drawn."""
    path = free_to_write(out, replace=asked.yes)
    text = drafted(path, terms)
    record: dict[str, Plain] = {"file": out, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    if asked.dry_run:
        asked.would({"call": "plan", **record})
    write_out(path, text, replace=asked.yes)
    given = f" --requests {terms['requests']}" if terms["requests"] else ""
    note(
        f"wrote {out}; review every line, compare its SHA-256, then: bollard ca ceremony run {out}{given} --out FOLDER"
    )
    asked.record(record)


@ceremony.command()
@click.argument("file", type=FILE)
@click.option("--requests", type=FOLDER, help="Folder with the home's requests (*.csr).")
@click.option("--out", type=FOLDER, required=True, help="New folder for the result.")
@click.option("--keys", type=FOLDER, help="Folder of the root's key; keys/ in the result that made it else.")
@click.option(
    "--witness", type=Parsed("name=digits", parse_phrase), multiple=True, help="Typed by them; asked for else."
)
@click.option("--unsafe-networked", is_flag=True, help="Go on although the machine is on a network; it is recorded.")
@pass_asked
def run(asked: Asked, out: Path, **inputs: Unpack[Inputs]) -> None:
    """Perform the ceremony, on a machine without a network: make the root, sign, write the transcript."""
    from pki.ceremony.witnesses import confirm
    from pki.edge.ceremony import perform, prepare
    from pki.edge.networks import networks_allowed

    networks = tell_networks(networks_allowed(any_at_all=inputs["unsafe_networked"] or asked.dry_run))
    prepared = prepare(inputs["file"], inputs["requests"])
    if asked.dry_run:
        asked.would({"call": "run", "out": str(out), **outline(prepared.ceremony)})
    confirm(prepared.ceremony, typed(prepared.ceremony, dict(inputs["witness"]), click.prompt))
    done = perform(prepared, out, networks, inputs["keys"])
    note(f"done; everybody writes the digest down. Take {out} to the online home, all but its folder keys/")
    asked.record(facts(done))


@ceremony.command()
@click.argument("folder", type=FOLDER)
@click.option("--file", type=FILE, required=True, help="The file that you reviewed.")
@click.option("--requests", type=FOLDER, help="The requests as you hold them; those in the folder else.")
@click.option("--with-key", is_flag=True, help="Make each signature again too, with the root's key.")
@click.option("--keys", type=FOLDER, help="Folder of the root's key; keys/ in FOLDER else.")
@pass_asked
def verify(asked: Asked, folder: Path, file: Path, requests: Path | None, keys: Path | None, *, with_key: bool) -> None:
    """Make a finished ceremony again from its file and compare every byte; no key is needed."""
    from pki.edge.ceremony import verify as replayed

    found = replayed(folder, file, requests, (keys or folder / "keys") if with_key else None)
    note("the ceremony holds: every byte follows from the file and the requests, every signature is the root's")
    if with_key:
        note("its key makes each signature again, byte for byte")
    asked.record(facts(found))


@ceremony.command("import")
@click.argument("folder", type=FOLDER)
@click.option("--digest", required=True, help="The transcript's digest, as it was written down at the ceremony.")
@pass_asked
def import_(asked: Asked, folder: Path, digest: str) -> None:
    """Take over in this home what the offline root has signed."""
    from pki.edge.result_folder import read_without_key

    files = dict(read_without_key(folder).files)
    if asked.dry_run:
        asked.would({"call": "ImportCeremony", "files": [*sorted(files)], "digest": digest})
    done = asked.change(calls.ImportCeremony(files, digest), calls.CeremonyImported)
    warn(done)
    rows: list[Plain] = [{**row_of(each, ISSUERS)} for each in done.issuers]
    asked.done(done.audit_index, {"issuers": rows, "crl_number": done.crl_number})


@ceremony.command()
@click.argument("slot", type=click.Choice(["csms", "station"]))
@pass_asked
def request(asked: Asked, slot: str) -> None:
    """Make a key and a request for a new authority below the offline root, and print the request."""
    made = asked.change(calls.AskRoot(slot), calls.RootAsked)
    write(made.request)
    note(f"the request is for the next ceremony; it lies in {asked.home_path / 'ca' / made.name}.csr too")
    note(f"recorded in the audit log at {made.audit_index}")


def drafted(path: Path, terms: Terms) -> str:
    """Write the file's text; what could not be read back is refused before it is written."""
    from pki.ceremony.file import parse_ceremony
    from pki.ceremony.terms import Witness
    from pki.edge.ceremony import Draft, draft
    from pki.edge.clock import now

    text = draft(
        Draft(
            organisation=terms["org"],
            moment=terms["at"] or now(),
            witnesses=[Witness(*each) for each in terms["witness"]],
            requests=terms["requests"],
            common_name=terms["root_name"],
            key=terms["root_key"],
            existing=terms["existing"],
            beside=path.parent,
            status_url=terms["status_url"],
        )
    )
    parse_ceremony(text.encode())
    return text


def tell_networks(found: tuple[str, ...]) -> tuple[str, ...]:
    """Say aloud which networks this machine is on."""
    if found:
        note(f"WARNING: this machine is on a network ({', '.join(found)[:120]}); the transcript will say so")
    return found


def typed(ceremony: Ceremony, given: dict[str, str], ask: Callable[..., str]) -> dict[str, str]:
    """Have each witness type, on a terminal, who has not done so on the command line."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return given
    digits = len(ceremony.phrase)
    for each in ceremony.witnesses:
        if each.name not in given:
            given[each.name] = ask(f"{each.name}, {each.role}: the file's SHA-256 begins ({digits} digits)", err=True)
    return given


def outline(ceremony: Ceremony) -> dict[str, Plain]:
    """Say what a ceremony is about."""
    return {
        "sha256": ceremony.digest,
        "organisation": ceremony.organisation.text,
        "moment": to_plain(ceremony.moment),
        "certificates": [due.name for due in ceremony.certificates],
        "published": [ceremony.published.list_url, ceremony.published.certificate] if ceremony.published else [],
        "crl_number": ceremony.crl.number,
        "witnesses": [each.name for each in ceremony.witnesses],
    }


def facts(found: Replayed) -> dict[str, Plain]:
    """Say what came of a ceremony."""
    return {"digest": found.digest, **outline(found.ceremony), "networks": [*found.networks], "entries": found.entries}


def warn(done: calls.CeremonyImported) -> None:
    """Say aloud what an admin should not overlook."""
    if done.networks:
        note(f"WARNING: the root's machine was on a network then: {', '.join(done.networks)[:120]}")
    for place in done.not_here:
        note(f"WARNING: {place} stands in what was signed and is not served by this home; somebody has to do it")
    for name in done.revoked:
        note(f"WARNING: the root's list revokes {name}; nothing that it signed should be trusted any more")
