"""Decides what a new home will be, before anything of it is made: its settings, keys, certificates and files.

``bollard init`` makes this and nothing else, and ``bollard init --dry-run`` shows it: both have the same ``Blueprint``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki import assertion_keys
from pki.edge.home import FOLDERS, SETTINGS
from pki.edge.keys import KeyFacts, KeyKind, Padding, Store, refuse_padding
from pki.edge.office.authorities import BELOW, Wanted, rehearse
from pki.edge.passphrase import PASSPHRASE_FILE, SEAL
from pki.edge.policies import CERTIFICATES, read_policy
from pki.holding import Holding
from pki.profile import parse_profile
from pki.settings import Hsm, parse_settings

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from pki.names import Host, Organisation
    from pki.plan import Issuer, Plan
    from pki.profile import CertificateProfile

AUDIT_KEY: Final = "audit.pub.pem"  # in ca/: what checkpoints verify under
FILE_MODE, FOLDER_MODE = 0o600, 0o700  # of everything in a home

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

    def facts(self, name: str) -> KeyFacts:
        """Return how the key of this name is made; one that the table does not know is for assertions."""
        if name not in CA_KEYS:
            return KeyFacts(KEYS.get(name, KeyKind.ED25519), Store.FILE, Padding.PKCS1)
        kind = self.kind or KEYS[name]
        refuse_padding(kind, self.padding)
        return KeyFacts(kind, Store.FILE if self.hsm is None else Store.HSM, self.padding)


TREE: Final = (
    Wanted(Holding("root", "root", "root"), "root", "", "Bollard Root CA"),
    Wanted(Holding("csms", "csms", "csms"), "issuing", "root", "Bollard CSMS CA"),
    Wanted(Holding("station", "station", "station"), "issuing", "root", "Bollard Station CA"),
    *BELOW,
)
"""Our certificates, issuers first."""

ELSEWHERE: Final = "root"  # the key that a home with an offline root does not have


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A home as it is to be made. ``keys`` are all that are made, by name; ``certificates`` come issuers first;
    ``requests`` are laid out for an offline root. With ``passphrase_made`` none was given, and one is generated."""

    settings: str
    keys: Mapping[str, KeyFacts]
    certificates: tuple[Wanted, ...]
    requests: tuple[Wanted, ...]
    passphrase_made: bool

    def files(self) -> dict[str, int]:
        """Return each file and folder (with a slash at its end) below the home, and its mode."""
        ends = {Store.FILE: "pem", Store.HSM: "hsm"}
        names = [
            SETTINGS,
            "ledger.db",
            "events.db",
            f"keys/{SEAL}",
            *([f"keys/{PASSPHRASE_FILE}"] if self.passphrase_made else []),
            *(f"keys/{name}.{ends[facts.store]}" for name, facts in self.keys.items()),
            *(f"ca/{each.holding.name}.pem" for each in self.certificates),
            *(f"ca/{each.holding.name}.csr" for each in self.requests),
            f"ca/{AUDIT_KEY}",
        ]
        return {f"{name}/": FOLDER_MODE for name in FOLDERS} | dict.fromkeys(names, FILE_MODE)

    def rehearse(self) -> dict[str, Plan]:
        """Plan every certificate, and have it linted, as if it were made now, with keys that nobody keeps.

        ``RefusedError`` for what could not be made.
        """
        due = [(each, self.keys[each.holding.name]) for each in self.certificates]
        return rehearse(due, parse_settings(self.settings), _shipped, _nobody)


def _shipped(name: str) -> CertificateProfile:
    return parse_profile(name, read_policy(CERTIFICATES, name))


def _nobody(name: str) -> Issuer:
    raise KeyError(name)  # whoever signs here is in the blueprint, before those it signs


def draw(settings: str, ca_keys: CaKeys, now: dt.datetime, *, offline_root: bool, passphrase_made: bool) -> Blueprint:
    """Decide what a home with these settings will be. ``InputError`` for keys that cannot be.

    With an offline root there are no certificates yet, and no key of a root.
    """
    names = [name for name in KEYS if not (offline_root and name == ELSEWHERE)]
    made = {name: ca_keys.facts(name) for name in [*names, assertion_keys.name_at(now)]}
    below = tuple(wanted for wanted in TREE if wanted.issuer == ELSEWHERE)
    certificates, requests = ((), below) if offline_root else (TREE, ())
    return Blueprint(settings, made, certificates, requests, passphrase_made)


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
