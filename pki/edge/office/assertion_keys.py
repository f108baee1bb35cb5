"""Makes, hands out and drops the keys that proxy workers sign assertions with; ``pki.assertion_keys`` says when.

The keys certify nothing and are certified by nobody; they have no row, and what becomes of them is in the audit log.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import assertion_keys as rules
from pki.edge import calls, clock
from pki.edge.keys import KeyKind, in_clear

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

SELF = "authority"  # who acts, in the audit log


async def hand_out(desk: Desk) -> tuple[str, tuple[str, ...]]:
    """Return the key that signs, PKCS#8 PEM in clear, and the public keys to publish; makes the first key there is."""
    if not _held(desk):
        await _make(desk)
    held = _held(desk)
    signer = rules.signing(held, clock.now())
    if desk.memory.asserting is None:
        desk.memory.asserting = signer, clock.now()
    return in_clear(desk.keys.key(signer)), tuple(_public(desk, name) for name in held)


async def tend(desk: Desk) -> None:
    """Make a key when one is due, drop those that are spent, and tell of every change of what is signed with or kept.

    Of the first key there is nobody is told: whoever asked before has none, and asks again.
    """
    before, told = _held(desk), desk.memory.asserting
    if rules.is_due(before, clock.now()):
        await _make(desk)
    signer = rules.signing(_held(desk), clock.now())
    if told is None or told[0] != signer:
        desk.memory.asserting = signer, clock.now()
    for name in rules.spent(_held(desk), *(desk.memory.asserting or (signer, clock.now())), clock.now()):
        await desk.ledger.write(partial(_record, desk, "assertion.key_dropped", name))
        desk.keys.discard(name)
    if before and (before != _held(desk) or (told is not None and told[0] != signer)):
        desk.board.publish(calls.CredentialsChanged())


async def _make(desk: Desk) -> None:
    name = rules.name_at(clock.now())
    desk.keys.make(name, KeyKind.ED25519)
    await desk.ledger.write(partial(_record, desk, "assertion.key_made", name))


def _record(desk: Desk, act: str, name: str, tx: Tx) -> None:
    desk.record(tx, act, SELF, {"name": name})


def _held(desk: Desk) -> list[str]:
    return rules.keys_among(desk.keys.names())


def _public(desk: Desk, name: str) -> str:
    key = desk.keys.key(name).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
