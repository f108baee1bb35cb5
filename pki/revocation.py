"""Why a certificate was revoked, in the words of RFC 5280 5.3.1.

Revoking is final here: the two reasons that can be undone (a hold, and the removal of a hold) are refused by name.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from cryptography import x509

from pki.errors import InputError


class Reason(StrEnum):
    """A reason for revoking, as people, the ledger and the audit log write it."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"
    AA_COMPROMISE = "aa_compromise"

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Read a reason; ``keyCompromise``, ``key-compromise`` and ``key_compromise`` are the same."""
        name = re.sub(r"[_\- ]", "", text[:40].lower())
        if name in _UNDOABLE:
            raise InputError(
                "revocation.reason",
                f"{text[:40]!r} can be undone, and a revocation here cannot (RFC 5280 5.3.1)",
                "Disable the station instead; enabling it again is one command.",
            )
        for reason in cls:
            if name == reason.value.replace("_", ""):
                return reason
        raise InputError(
            "revocation.reason",
            f"{text[:40]!r} is no reason for revoking (RFC 5280 5.3.1)",
            f"Use one of: {', '.join(cls)}.",
        )

    @property
    def flag(self) -> x509.ReasonFlags:
        """The same reason as CRL and OCSP write it."""
        return x509.ReasonFlags[self.value]


_UNDOABLE: Final = frozenset({"certificatehold", "removefromcrl"})
