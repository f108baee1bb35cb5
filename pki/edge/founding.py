"""Fills a new home: keys, the operator's root, the authorities below it, the server certificates, the first entries.

What it makes, the blueprint says. Every certificate goes the one way of ``office.issuing``: planned, linted, recorded,
signed, recorded.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.edge import keys, store
from pki.edge.blueprint import AUDIT_KEY
from pki.edge.commit import GroupCommit
from pki.edge.crashpoints import reach
from pki.edge.office import settings
from pki.edge.office.authorities import certify, export
from pki.edge.office.desk import Desk
from pki.edge.office.root_requests import ask_root
from pki.edge.vault import Vault
from pki.settings import parse_settings

if TYPE_CHECKING:
    from pki.edge.blueprint import Blueprint
    from pki.edge.commit import Tx
    from pki.edge.home import Home

WHO: Final = "init"  # who acts, in the audit log


async def found(home: Home, blueprint: Blueprint, passphrase: keys.Passphrase) -> int:
    """Make the keys and certificates of a home, as the blueprint says; return the size of its audit log.

    What an offline root has to certify is laid out for a ceremony.
    """
    read = parse_settings(blueprint.settings)
    store.create(home.ledger)
    desk = Desk(home, read, GroupCommit(home.ledger), keys.open_keyring(home.keys, passphrase, read), Vault(home.vault))
    try:
        for name, facts in blueprint.keys.items():
            desk.keys.make(name, facts.kind, store=facts.store, padding=facts.padding)
        reach("init.keys")
        await desk.ledger.write(partial(_begin, desk, [*blueprint.keys]))
        for wanted in blueprint.certificates:
            await certify(desk, wanted, WHO)
            reach(f"init.{wanted.holding.name}")
        for wanted in blueprint.requests:
            await ask_root(desk, wanted.holding.name, wanted.common_name, WHO)
        reach("init.certificates")
        _export(desk)
        reach("init.exported")
        return (await desk.ledger.write(desk.checkpoint)).size
    finally:
        desk.keys.close()
        await desk.ledger.close()


def _begin(desk: Desk, made: list[str], tx: Tx) -> None:
    what = {"organisation": desk.settings.organisation.text, "csms_host": desk.settings.csms_host.text}
    facts = {name: asdict(desk.keys.describe(name)) for name in made}
    told = settings.found(desk, tx)
    desk.record(tx, "home.founded", WHO, {**what, "keys": made, "key_facts": facts, **told})


def _export(desk: Desk) -> None:
    export(desk)
    public = desk.audit_public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys.write_private(desk.home.ca / AUDIT_KEY, public)
