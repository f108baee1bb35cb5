"""Asks a root whose key is elsewhere for certificates: our key, our request, recorded before it is laid out."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.certificate import key_id
from pki.edge import calls
from pki.edge.keys import KeyFacts, KeyKind, Padding, Store, write_private
from pki.errors import InputError
from pki.holding import Keeper
from pki.strength import signing_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk
    from pki.strength import SigningKey

SLOTS: Final[dict[str, str]] = {"csms": "Bollard CSMS CA", "station": "Bollard Station CA"}
"""The duties that stand directly below the root, and what their first authority is called."""


async def ask(desk: Desk, call: calls.AskRoot, who: str) -> calls.RootAsked:
    """Make a key for a duty and a request for it. Asked again before the certificate came, the same key is used."""
    if call.slot not in SLOTS:
        raise InputError(
            "issuer.slot", f"{call.slot[:40]!r} is no authority below the root", f"Use {' or '.join(SLOTS)}."
        )
    name = next(name for name in key_names(call.slot) if name not in desk.own)
    if not desk.keys.has(name):
        _make_key(desk, name, call.slot)
    common_name = SLOTS[call.slot] + name.removeprefix(call.slot).replace("-", " ")
    request, index = await ask_root(desk, name, common_name, who)
    return calls.RootAsked(name, request, index)


def key_names(slot: str) -> Iterator[str]:
    """Yield the names that keys of a slot have, without end: ``station``, ``station-2``, ``station-3`` ..."""
    yield slot
    yield from (f"{slot}-{number}" for number in count(2))


async def ask_root(desk: Desk, name: str, common_name: str, who: str) -> tuple[str, int]:
    """Record and write ``ca/<name>.csr`` for a key that the keyring has; return it in PEM, and the entry's index."""
    key = desk.keys.key(name)
    index = await desk.ledger.write(partial(_record, desk, name, common_name, key_id(key.public_key()), who))
    request = _request(desk, key, common_name)
    write_private(desk.home.ca / f"{name}.csr", request.encode())
    return request, index


def _record(desk: Desk, name: str, common_name: str, key: bytes, who: str, tx: Tx) -> int:
    return desk.record(tx, "root.asked", who, {"name": name, "common_name": common_name, "key_id": key.hex()})


def _request(desk: Desk, key: SigningKey, common_name: str) -> str:
    pairs = [(NameOID.ORGANIZATION_NAME, desk.settings.organisation.text), (NameOID.COMMON_NAME, common_name)]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in pairs])
    made = x509.CertificateSigningRequestBuilder(subject).sign(key, signing_hash(key.public_key()))
    return made.public_bytes(Encoding.PEM).decode("ascii")


def _make_key(desk: Desk, name: str, slot: str) -> None:
    """A successor's key is of the kind of those before it, and lies where they lie."""
    mine = [own for own in desk.own.values() if own.holding.slot == slot and own.holding.keeper is Keeper.HERE]
    facts = desk.keys.describe(mine[-1].name) if mine else KeyFacts(KeyKind.EC_P256, Store.FILE, Padding.PKCS1)
    desk.keys.make(name, facts.kind, store=facts.store, padding=facts.padding)
