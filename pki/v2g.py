"""What ISO 15118 asks of the certificates that a station shows to cars, edition by edition, as one table.

A car of one edition knows nothing of the other's keys, so a station that serves both has two certificates, and each
edition has a hierarchy of its own. The facts are few and old; where an edition changes one, it changes here alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class V2gEdition(StrEnum):
    """The two editions in use, by the number that people call them by."""

    TWO = "2"
    """ISO 15118-2."""
    TWENTY = "20"
    """ISO 15118-20."""


@dataclass(frozen=True, slots=True)
class V2gRules:
    """What one edition allows. ``keys`` are names as ``pki.strength.name_key`` writes them, the first is ours."""

    keys: tuple[str, ...]
    keys_clause: str
    length_most: int
    """Bytes of one certificate in DER."""
    length_clause: str
    subject_clause: str


RULES: Final = {
    V2gEdition.TWO: V2gRules(
        keys=("ec-p256",),
        keys_clause="V2G2-006",
        length_most=800,
        length_clause="V2G2-010",
        subject_clause="ISO 15118-2 F",
    ),
    V2gEdition.TWENTY: V2gRules(
        keys=("ec-p521", "ed448"),
        keys_clause="ISO 15118-20",
        length_most=1600,
        length_clause="ISO 15118-20",
        subject_clause="ISO 15118-20",
    ),
}
"""Each edition's rules. The hash follows from the key: SHA-256 for P-256, SHA-512 for P-521, Ed448 brings its own."""

DOMAIN_CPO: Final = "CPO"
"""The DC in the subject of a station's certificate; cars hang up without it (V2G2-875)."""
