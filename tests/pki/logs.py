"""A small log with checkpoints, and the export that would be made of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import audit, export
from pki.checkpoint import sign_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY = Ed25519PrivateKey.generate()
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ORIGIN = "csms.example.org/bollard/audit"
THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def entries(count: int) -> list[bytes]:
    """So many entries."""
    return [audit.entry(number, THEN, "station.added", "x", {"station": f"CP-{number}"}) for number in range(count)]


def leaves(count: int) -> list[bytes]:
    """Their leaves."""
    return [audit.leaf_hash(entry) for entry in entries(count)]


def checkpoint(size: int, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> str:
    """What is signed over the first ``size`` of them."""
    return sign_checkpoint(size, audit.root_of(leaves(size)), origin, key)


def exported(size: int = 7, first: int = 0, sizes: Sequence[int] = (3, 7)) -> list[bytes]:
    """The lines of an export with checkpoints over these sizes."""
    frontier = audit.frontier_of(leaves(size), first)
    hashes = tuple(each.hex() for each in frontier.hashes)
    header = export.Header(ORIGIN, PEM, first, size, len(sizes), hashes)
    sealed = [export.write_line(export.Sealed(checkpoint(each)))[:-1] for each in sizes]
    return [export.write_line(header)[:-1], *entries(size)[first:], *sealed]


def lines(of: Sequence[bytes]) -> export.Lines:
    """What opens them."""

    def opened() -> Iterator[bytes]:
        return iter(of)

    return opened
