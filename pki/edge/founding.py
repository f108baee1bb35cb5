"""Fills a new home: keys, the operator's root, the authorities below it, the server certificates, the first entries.

Every certificate goes the one way of ``office.issuing``: planned, linted, recorded, signed, recorded. The kinds and the
tree are two tables.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import assertion_keys
from pki.edge import clock, keys, store
from pki.edge.commit import GroupCommit
from pki.edge.crashpoints import reach
from pki.edge.keys import KeyKind, Padding, Store
from pki.edge.office import settings
from pki.edge.office.authorities import BELOW, Wanted, certify, export
from pki.edge.office.desk import Desk
from pki.edge.office.root_requests import ask_root
from pki.edge.vault import Vault
from pki.holding import Holding
from pki.settings import Hsm, parse_settings

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.home import Home
    from pki.names import Host, Organisation

WHO: Final = "init"  # who acts, in the audit log

KEYS: Final = {
    "audit": KeyKind.ED25519,  # C2SP checkpoints are signed with Ed25519
    "root": KeyKind.EC_P384,  # lives twenty years, signs a handful of times
    "csms": KeyKind.EC_P256,
    "station": KeyKind.EC_P256,
    "ocsp": KeyKind.EC_P256,
    "server-ecdsa": KeyKind.EC_P256,  # A00.FR.318: ECDSA and RSA suites are both mandatory for a CSMS,
    "server-rsa": KeyKind.RSA_2048,  # so a listener presents both kinds
}
"""Each key's name and kind (A00.FR.501-503)."""

CA_KEYS: Final = frozenset({"root", "csms", "station"})
"""The keys that may lie in a token, and whose kind may be chosen. The others are needed by other processes, or are of a
kind that few tokens have."""


@dataclass(frozen=True, slots=True)
class CaKeys:
    """How the authorities' keys are to be made: of which kind (``None``: as the table says), and where."""

    kind: KeyKind | None = None
    padding: Padding = Padding.PKCS1
    hsm: Hsm | None = None

    @classmethod
    def parse(cls, kind: str | None, padding: str, module: str, token: str, slot: int | None) -> CaKeys:
        """Read what a person asked for; empty words ask for nothing."""
        hsm = Hsm.parse(module, token, slot) if module or token or slot is not None else None
        return cls(KeyKind(kind) if kind else None, Padding(padding), hsm)


TREE: Final = (
    Wanted(Holding("root", "root", "root"), "root", "", "Bollard Root CA"),
    Wanted(Holding("csms", "csms", "csms"), "issuing", "root", "Bollard CSMS CA"),
    Wanted(Holding("station", "station", "station"), "issuing", "root", "Bollard Station CA"),
    *BELOW,
)
"""Our certificates, issuers first."""

ELSEWHERE: Final = "root"  # the key that a home with an offline root does not have


def render_settings(
    organisation: Organisation, csms_host: Host, public_url: str, status_url: str, hsm: Hsm | None = None
) -> str:
    """Write ``bollard.toml`` as ``init`` leaves it; what cannot be read back is refused here."""
    text = f"""\
# Bollard's settings. No secret stands here.

[organisation]
name = {json.dumps(organisation.text)}

[csms]
host = {json.dumps(csms_host.text)}
upstream = ""                       # the CSMS: ws://HOST:PORT[/PATH]; 'bollard up --upstream' overrides

[[listener]]
address = "0.0.0.0:8443"
profile = 3                         # TLS with client certificate

[[listener]]
address = "0.0.0.0:8442"
profile = 2                         # TLS with password

[web]
address = "0.0.0.0:8440"
public_url = {json.dumps(public_url)}
status_address = "0.0.0.0:8480"     # plain HTTP: lists of revoked certificates, OCSP
status_url = {json.dumps(status_url)}   # stands in every certificate, so choose it once

[proxy]
workers = 0                         # 0: one per core

[est]
enabled = true                      # stations with a one-time token, a maker's or our certificate may ask for one
{_render_hsm(hsm)}"""
    parse_settings(text)
    return text


def _render_hsm(hsm: Hsm | None) -> str:
    if hsm is None:
        return ""
    slot = "" if hsm.slot is None else f"slot = {hsm.slot}\n"
    return f"""
[hsm]                               # the PIN comes from BOLLARD_HSM_PIN_FILE
module = {json.dumps(hsm.module)}
token = {json.dumps(hsm.token)}
{slot}"""


async def found(
    home: Home, settings: str, passphrase: keys.Passphrase, ca_keys: CaKeys, *, offline_root: bool = False
) -> int:
    """Make the keys and certificates of a home; return the size of its audit log.

    With an offline root there are no certificates yet: the authorities' requests are laid out for a ceremony.
    """
    read = parse_settings(settings)
    store.create(home.ledger)
    desk = Desk(home, read, GroupCommit(home.ledger), keys.open_keyring(home.keys, passphrase, read), Vault(home.vault))
    try:
        names = _names(offline_root=offline_root)
        for name in names:
            _make_key(desk, name, ca_keys)
        reach("init.keys")
        await desk.ledger.write(partial(_begin, desk, names))
        await (_ask(desk) if offline_root else _certify(desk))
        reach("init.certificates")
        _export(desk)
        reach("init.exported")
        return (await desk.ledger.write(desk.checkpoint)).size
    finally:
        desk.keys.close()
        await desk.ledger.close()


def _make_key(desk: Desk, name: str, wanted: CaKeys) -> None:
    if name not in CA_KEYS:
        desk.keys.make(name, KEYS.get(name, KeyKind.ED25519))
        return
    store = Store.FILE if wanted.hsm is None else Store.HSM
    desk.keys.make(name, wanted.kind or KEYS[name], store=store, padding=wanted.padding)


async def _certify(desk: Desk) -> None:
    for wanted in TREE:
        await certify(desk, wanted, WHO)
        reach(f"init.{wanted.holding.name}")


async def _ask(desk: Desk) -> None:
    """Ask an offline root for the authorities directly below it."""
    for wanted in TREE:
        if wanted.issuer == ELSEWHERE:
            await ask_root(desk, wanted.holding.name, wanted.common_name, WHO)


def _names(*, offline_root: bool) -> list[str]:
    """Name every key to be made; that for assertions is named after the time, and Ed25519."""
    named = [name for name in KEYS if not (offline_root and name == ELSEWHERE)]
    return [*named, assertion_keys.name_at(clock.now())]


def _begin(desk: Desk, made: list[str], tx: Tx) -> None:
    what = {"organisation": desk.settings.organisation.text, "csms_host": desk.settings.csms_host.text}
    facts = {name: asdict(desk.keys.describe(name)) for name in made}
    told = settings.found(desk, tx)
    desk.record(tx, "home.founded", WHO, {**what, "keys": made, "key_facts": facts, **told})


def _export(desk: Desk) -> None:
    export(desk)
    public = desk.audit_public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys.write_private(desk.home.ca / "audit.pub.pem", public)
