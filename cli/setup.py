"""Makes a new home: our CAs, the server's certificates, the ledger, and the settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.render import Output, note, to_plain
from cli.words import HOST, KEY_KIND, ORGANISATION, PADDING

if TYPE_CHECKING:
    from cli.render import Plain
    from pki.edge.blueprint import Blueprint
    from pki.names import Host, Organisation
    from pki.plan import Plan


_WORKS = "bollard station add, bollard cert issue, bollard up --upstream URL"
_WAITS = "take ca/*.csr to 'bollard ca ceremony plan'; the home waits for what comes out"


@click.command()
@click.option("--org", type=ORGANISATION, required=True, help="Your organisation, as it stands in certificates.")
@click.option("--csms-host", type=HOST, required=True, help="Host name that stations dial.")
@click.option("--public-url", default="", help="Where stations fetch firmware; https://CSMS-HOST:8440 else.")
@click.option(
    "--status-url",
    help="Where lists and OCSP are served, as every certificate says; port 8480 of the public URL's host else. "
    "Empty: nowhere.",
)
@click.option("--ca-key", type=KEY_KIND, help="Kind of the authorities' keys; P-384 and P-256 else.")
@click.option("--ca-padding", type=PADDING, default="pkcs1", help="How an authority's RSA key signs.")
@click.option("--hsm-module", default="", help="PKCS#11 library: the authorities' keys are made in a hardware token.")
@click.option("--hsm-token", default="", help="Label of that token; its PIN comes from BOLLARD_HSM_PIN_FILE.")
@click.option("--hsm-slot", type=int, help="Slot of that token, where several have its label.")
@click.option("--offline-root", is_flag=True, help="Make no root: lay out requests for a ceremony elsewhere.")
@pass_asked
def init(
    asked: Asked,
    org: Organisation,
    csms_host: Host,
    public_url: str,
    status_url: str | None,
    ca_key: str | None,
    ca_padding: str,
    hsm_module: str,
    hsm_token: str,
    hsm_slot: int | None,
    *,
    offline_root: bool,
) -> None:
    """Make the home: certificate authorities, keys, ledger and settings."""
    from pki.edge.blueprint import CaKeys
    from pki.edge.creation import intend, make

    record: dict[str, Plain] = {"home": str(asked.home_path), "org": str(org), "csms_host": str(csms_host)}
    ca_keys = CaKeys.parse(ca_key, ca_padding, hsm_module, hsm_token, hsm_slot)
    blueprint = intend(
        asked.home_path, org, csms_host, public_url, ca_keys, offline_root=offline_root, status_url=status_url
    )
    if asked.dry_run:  # whether a token is there, only the deed would tell
        asked.would({"call": "init", **record, **shown(blueprint, asked.output)}, judged=ca_keys.hsm is None)
    created = make(asked.home_path, blueprint)
    if created.passphrase_made:
        note("WARNING: the keys' passphrase was generated and lies beside them, in keys/passphrase;")
        note("         move it elsewhere and name it with BOLLARD_PASSPHRASE_FILE")
    note(f"made {asked.home_path}; next: {_WAITS if offline_root else _WORKS}")
    asked.done(created.audit_size - 1, record)


def shown(blueprint: Blueprint, output: Output) -> dict[str, Plain]:
    """Say everything that would be made; in a table, each key, certificate and file on a line of its own."""
    keys = {name: {**asdict(facts)} for name, facts in blueprint.keys.items()}
    papers = {name: _paper(plan) for name, plan in blueprint.rehearse().items()}
    requests = {each.holding.name: each.common_name for each in blueprint.requests}
    files: dict[str, Plain] = {name: f"{mode:04o}" for name, mode in blueprint.files().items()}
    if output is not Output.TABLE:
        told: dict[str, Plain] = {"keys": {**keys}, "certificates": {**papers}, "requests": {**requests}}
        return {**told, "files": files, "settings": blueprint.settings}
    lines: dict[str, Plain] = {
        "keys": {name: f"{key['kind']}, {key['store']}" for name, key in keys.items()},
        "certificates": {name: _line(paper) for name, paper in papers.items()},
        "requests": {name: f"CN={common_name}" for name, common_name in requests.items()},
    }
    return {**{noun: each for noun, each in lines.items() if each}, "files": files}


def _paper(plan: Plan) -> dict[str, Plain]:
    return {
        "subject": plan.subject_text,
        "issuer": plan.issuer.name if plan.issuer else "",
        "not_before": to_plain(plan.not_before),
        "not_after": to_plain(plan.not_after),
    }


def _line(paper: dict[str, Plain]) -> str:
    by = f"by {paper['issuer']}" if paper["issuer"] else "by itself"
    return f"{paper['subject']}, {by}, {paper['not_before']} to {paper['not_after']}"
