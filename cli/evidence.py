"""Audit evidence that was handed over: an export or a proof, judged without any home.

A key that comes with the evidence proves nothing about whose log it is, and the reader is told so, loudly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.files import existing, read_given, read_text
from cli.render import Plain, note
from pki import proof as proofs
from pki.checkpoint import read_public_key
from pki.edge.exporting import lines_of
from pki.export import verify_export

if TYPE_CHECKING:
    from collections.abc import Sequence

UNTRUSTED = (
    "WARNING: only agreement with itself was proved. The key came with the file, so anybody could have made both;",
    "         give --key with the log's public key, had from elsewhere, to learn whose log this is.",
)


def verify_file(name: str, key: str | None, held: Sequence[str]) -> dict[str, Plain]:
    """Verify an export; the record says what the verdict rests on."""
    found = verify_export(lines_of(existing(name)), read_public_key(read_text(key)) if key is not None else None, held)
    note(f"entries {found.first} to {found.size - 1} are whole")
    _warn(key, held)
    return {
        "origin": found.origin,
        "first": found.first,
        "size": found.size,
        "root": found.root.hex(),
        "checkpoints": found.checkpoints,
        "rests_on": "key" if key else "checkpoint" if held else "itself",
    }


def check_proof(name: str, key: str | None) -> dict[str, Plain]:
    """Check a proof; the record says what was proved."""
    proof = proofs.read_proof(read_text(name, limit=proofs.PROOF_BYTES))
    size, root = proof.check(read_public_key(read_given(key) or proof.public_key))
    note("the proof holds")
    _warn(key)
    shown: dict[str, Plain] = {"origin": proof.origin, "size": size, "root": root.hex()}
    rests: dict[str, Plain] = {"rests_on": "key" if key else "itself"}
    if isinstance(proof, proofs.Inclusion):
        return {"proved": "inclusion", **shown, "index": proof.index, "entry": proof.entry, **rests}
    return {"proved": "consistency", **shown, **rests}


def _warn(key: str | None, held: Sequence[str] = ()) -> None:
    if key:
        return
    if held:
        note(
            "WARNING: this rests on the checkpoints given; entries after the newest of them agree with the file alone."
        )
        return
    for line in UNTRUSTED:
        note(line)
