"""What an operator accepts as a good firmware signature, written as a small TOML file.

What is not named is not accepted: an empty policy refuses every image. A key that weakens starts with ``unsafe_``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from pki.errors import InputError
from pki.toml_text import read_toml


class Algorithm(StrEnum):
    """How an image is signed. The first three are the standard's (1.6 and 2.x L01.FR.04, with the 2.0.1 errata)."""

    ECDSA_P256_SHA256 = "ecdsa-p256-sha256"
    ECDSA_P384_SHA384 = "ecdsa-p384-sha384"
    RSA_PSS_SHA256 = "rsa-pss-sha256"
    RSA_PKCS1V15_SHA256 = "rsa-pkcs1v15-sha256"


STANDARD: Final = frozenset(Algorithm) - {Algorithm.RSA_PKCS1V15_SHA256}


class MissingPurpose(StrEnum):
    """What to do with a signer whose certificate names no extended key usage (the standard does not demand one)."""

    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class FirmwarePolicy:
    """A policy in use. ``algorithms`` are the accepted ones; an image signed with any other is refused."""

    name: str
    algorithms: frozenset[Algorithm] = frozenset()
    missing_purpose: MissingPurpose = MissingPurpose.REFUSE


class _AsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    algorithms: tuple[str, ...] = ()
    missing_purpose: str = "refuse"
    unsafe_accept_pkcs1v15: bool = False


def parse_policy(name: str, text: str) -> FirmwarePolicy:
    """Read a policy's TOML text; ``InputError("firmware.policy")`` names the key that is wrong."""
    try:
        read = msgspec.convert(read_toml(text), _AsRead)
        missing = MissingPurpose(read.missing_purpose)
    except (msgspec.ValidationError, ValueError) as problem:
        raise InputError(
            "firmware.policy",
            f"the firmware policy {name!r} cannot be used: {str(problem)[:200]}",
            "Correct the key named, or start from policies/firmware/standard.toml.",
        ) from None
    unsafe = {Algorithm.RSA_PKCS1V15_SHA256} if read.unsafe_accept_pkcs1v15 else set[Algorithm]()
    return FirmwarePolicy(name, frozenset(_standard(name, text) for text in read.algorithms) | unsafe, missing)


def _standard(policy: str, text: str) -> Algorithm:
    if text in STANDARD:
        return Algorithm(text)
    raise InputError(
        "firmware.policy",
        f"the firmware policy {policy!r} names the algorithm {text[:64]!r} (L01.FR.04)",
        f"Choose among {', '.join(sorted(STANDARD))}; PKCS#1 v1.5 has the key unsafe_accept_pkcs1v15 of its own.",
    )
