"""Certificate authorities: our own, and those of others that we trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, one, pass_asked
from cli.ceremony import ceremony
from cli.files import existing, free_to_write, read_paper, read_secret, read_text, write_out
from cli.render import Output, Plain, note, row_of, to_span, write
from cli.words import HIERARCHY, IMPORTED, PADDING, PURPOSE
from pki.edge import calls

if TYPE_CHECKING:
    from pki.edge.policies import PolicyFile

FIELDS = ("name", "purpose", "vendor", "edition", "state", "subject", "not_after", "key_id", "slot", "keeper")
COLUMNS = ("name", "purpose", "vendor", "edition", "state", "keeper", "subject", "not_after")
STEP_FIELDS = ("number", "says", "done", "total", "command", "clause")
PROFILE_COLUMNS = ("name", "purpose", "lifetime", "longest", "keys", "versions", "source")
KEY_PASSWORD = "BOLLARD_KEY_PASSWORD"  # noqa: S105 - the name of the variable, not its content
TRUST_FIELDS = ("purpose", "vendor", "subject", "not_after", "key_id")


@click.group()
def ca() -> None:
    """Show our certificate authorities and say whose we trust."""


ca.add_command(ceremony)


@ca.command("list")
@pass_asked
def list_(asked: Asked) -> None:
    """List our own CAs, the root first."""
    found = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    asked.rows("issuers", [row_of(each, FIELDS) for each in found], COLUMNS)


@ca.command()
@click.argument("name")
@pass_asked
def show(asked: Asked, name: str) -> None:
    """Show one of our CAs."""
    asked.record(row_of(_issuer(asked, name), (*FIELDS, "pem")))


@ca.command()
@click.argument("name")
@click.option("--chain", is_flag=True, help="With the certificates above it, the root last.")
@click.option("--out", help="File for the PEM certificate, in place of stdout.")
@pass_asked
def export(asked: Asked, name: str, out: str | None, *, chain: bool) -> None:
    """Print a CA's certificate in PEM, to be installed in stations."""
    path = free_to_write(out, replace=asked.yes) if out else None
    pem = _chain(asked, name) if chain else _issuer(asked, name).pem
    if path:
        write_out(path, pem, replace=asked.yes)
    else:
        write(pem)


@ca.command()
@click.argument("name")
@click.option("--purpose", type=HIERARCHY, required=True, help="What it is for; v2g makes root, Sub-CA 1 and Sub-CA 2.")
@click.option("--vendor", default="", help="For manufacturer: whose firmware its signers sign.")
@click.option("--edition", metavar="2|20", default="", help="For v2g: the edition of ISO 15118.")
@click.option("--under", default="", help="CA that signs it; the one in use else. For v2g: makes the next one below.")
@click.option(
    "--key", default="", help="Kind of its key, for example ec-p384 or rsa-3072; what suits its purpose else."
)
@click.option("--padding", type=PADDING, default="pkcs1", help="How its key signs if it is RSA.")
@click.option("--store", default="", metavar="file|hsm", help="Where its key lies; in the token where there is one.")
@click.option("--days", type=click.IntRange(1, 36500), help="Days it is valid; the certificate profile says else.")
@click.option("--name", "common_name", default="", help="Common name in its certificate.")
@pass_asked
def create(asked: Asked, /, name: str, days: int | None, **words: str) -> None:
    """Make a CA called NAME: it signs at once where none does yet for its purpose, and waits else."""
    made = asked.change(calls.CreateIssuer(name, days=days or 0, **words), calls.IssuersCreated)
    for issuer in made.issuers:
        note(f"made {issuer.name}, {issuer.state}, valid until {issuer.not_after:%Y-%m-%d}")
    issuers: list[Plain] = [row_of(each, FIELDS) for each in made.issuers]
    asked.done(made.audit_index, {} if asked.output is Output.TABLE else {"issuers": issuers}, made.findings)


@ca.command("import")
@click.argument("file")
@click.option("--purpose", type=IMPORTED, required=True, help="What it is for.")
@click.option("--key", help="File with its private key in PEM; left out, the key stays elsewhere.")
@click.option(
    "--password-file", help="File with the key's password; else BOLLARD_KEY_PASSWORD has it, if it needs one."
)
@click.option("--chain", help="File with the certificates above it, up to the root.")
@click.option("--name", default="", help="What to call it here; its purpose and a number else.")
@click.option("--vendor", default="", help="For manufacturer: whose firmware its signers sign.")
@click.option("--edition", metavar="2|20", default="", help="For v2g-...: the edition of ISO 15118.")
@click.option("--padding", type=PADDING, default="pkcs1", help="How its key signs if it is RSA and not marked for PSS.")
@pass_asked
def import_(
    asked: Asked, /, file: str, key: str | None, password_file: str | None, chain: str | None, **words: str
) -> None:
    """Take in a CA that others made, with its key or without; its chain is verified up to the root.

    For one that is here without its key, the same again with --key brings it."""
    call = calls.ImportIssuer(
        pem=read_paper(file),
        chain=read_paper(chain) if chain is not None else "",
        private_key=read_text(key) if key is not None else "",
        password=read_secret(password_file, KEY_PASSWORD) if key is not None else "",
        **words,
    )
    taken = asked.change(call, calls.IssuerImported)
    asked.done(taken.audit_index, row_of(taken.issuer, FIELDS), taken.findings)


@ca.command()
@click.option("--check", help="Check this file instead: every mistake, with its line and its clause.")
@pass_asked
def profiles(asked: Asked, check: str | None) -> None:
    """List the certificate profiles: those that ship, and this home's own in policies/certificates."""
    from pki.edge.policies import PolicyFile, certificate_policies

    if check is not None:
        path = existing(check)
        return asked.record(_profile(PolicyFile(path.stem, path, shipped=False)))
    own = asked.home_path / "policies"
    rows = [_profile(file) for file in certificate_policies(own).values()]
    return asked.rows("profiles", rows, PROFILE_COLUMNS)


@ca.group()
def trust() -> None:
    """Trust certificates of others, for one purpose each."""


@trust.command("add")
@click.argument("file")
@click.option("--purpose", type=PURPOSE, required=True, help="What it is trusted for.")
@click.option("--vendor", default="", help="For firmware: the vendor whose images it may sign.")
@pass_asked
def trust_add(asked: Asked, file: str, purpose: str, vendor: str) -> None:
    """Trust a certificate of somebody else's."""
    from pki.certificate import read_certificates

    pem = read_paper(file)
    read_certificates(pem)
    asked.done(asked.change(calls.AddAnchor(pem, purpose, vendor), calls.Done).audit_index)


@trust.command("list")
@pass_asked
def trust_list(asked: Asked) -> None:
    """List the certificates of others that are trusted."""
    found = asked.ask(calls.ListAnchors(), calls.Anchors).anchors
    asked.rows("anchors", [row_of(each, TRUST_FIELDS) for each in found], TRUST_FIELDS)


@trust.command("remove")
@click.argument("keyid")
@click.option("--purpose", type=PURPOSE, required=True, help="What it is trusted for no longer.")
@click.option("--vendor", default="", help="For firmware: the vendor whose images it may sign no longer.")
@click.option("--all-vendors", is_flag=True, help="For firmware: of every vendor that it is trusted for.")
@pass_asked
def trust_remove(asked: Asked, keyid: str, purpose: str, vendor: str, *, all_vendors: bool) -> None:
    """Trust a certificate no longer; KEYID as 'ca trust list' prints it, or its beginning."""
    asked.confirm(f"Trust {keyid} no longer for {purpose}{f' of {vendor}' if vendor else ''}?")
    asked.done(asked.change(calls.RemoveAnchor(keyid, purpose, vendor, all_vendors), calls.Done).audit_index)


@ca.command()
@click.argument("slot")
@click.option("--plan", is_flag=True, help="Show the steps from here to the end, and how far each is; make nothing.")
@click.option("--under", default="", help="Root that signs it; the one in use else.")
@click.option("--name", default="", help="Its common name; the former's with a number else.")
@click.option("--days", type=click.IntRange(1, 36500), help="Days it is valid; the certificate profile says else.")
@pass_asked
def rollover(asked: Asked, slot: str, *, plan: bool, under: str, name: str, days: int | None) -> None:
    """Make the successor of the authority in SLOT (csms, station, root): trusted at once, in use once activated."""
    if plan:
        found = asked.ask(calls.ShowRollover(slot), calls.Rollover)
        return asked.rows("steps", [row_of(each, STEP_FIELDS) for each in found.steps], STEP_FIELDS)
    made = asked.change(calls.RollOver(slot, under, name, days or 0), calls.RolledOver)
    note(f"made {made.issuer.name}; next: bollard ca rollover {slot} --plan")
    record: dict[str, Plain] = {"issuer": row_of(made.issuer, FIELDS)}
    if made.link:
        record["link"] = row_of(made.link, FIELDS)
    return asked.done(made.audit_index, record)


@ca.command()
@click.argument("name")
@pass_asked
def activate(asked: Asked, name: str) -> None:
    """Take one of our authorities into use; the one in use before becomes old, and its certificates still count."""
    done = asked.change(calls.ActivateIssuer(name), calls.Activated)
    if done.unconfirmed:
        note(f"{done.unconfirmed} stations are not known to trust its root; see 'bollard ca rollover root --plan'")
    asked.done(done.audit_index, {"name": name, "unconfirmed": done.unconfirmed})


@ca.command()
@click.argument("name")
@pass_asked
def retire(asked: Asked, name: str) -> None:
    """Trust one of our authorities no longer; refused while a certificate or a station still needs it."""
    asked.confirm(f"Trust {name} no longer, for good?")
    asked.done(asked.change(calls.RetireIssuer(name), calls.Done).audit_index, {"name": name})


def _chain(asked: Asked, name: str) -> str:
    from pki.certificate import read_certificates, stack_up, to_pem

    found = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    every = {each.name: read_certificates(each.pem)[0] for each in found}
    one([each for each in found if each.name == name], "ca.unknown", "CA", name)
    return to_pem(stack_up(every[name], every.values()))


def _profile(file: PolicyFile) -> dict[str, Plain]:
    from pki.edge.policies import read_profile
    from pki.profile import versions_of

    profile = read_profile(file)
    return {
        "name": profile.name,
        "purpose": profile.purpose.value,
        "lifetime": to_span(profile.lifetime),
        "longest": to_span(profile.longest),
        "keys": ", ".join(profile.keys) or "any",
        "versions": ", ".join(versions_of(file.read())),
        "source": "shipped" if file.shipped else str(file.path),
    }


def _issuer(asked: Asked, name: str) -> calls.IssuerRow:
    found = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    return one([each for each in found if each.name == name], "ca.unknown", "CA", name)
