"""Why a certificate was revoked, in the words of RFC 5280 5.3.1.

All reasons are final but one: a hold can be lifted. Lifting it is no reason for revoking, so it is refused by name.
That the key was compromised may be learnt later, and takes the place of any other reason.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki.errors import InputError

if TYPE_CHECKING:
    import datetime as dt


class Reason(StrEnum):
    """A reason for revoking, as people, the ledger and the audit log write it."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    CERTIFICATE_HOLD = "certificate_hold"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"
    AA_COMPROMISE = "aa_compromise"

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Read a reason; ``keyCompromise``, ``key-compromise`` and ``key_compromise`` are the same, so are the two
        words for a hold."""
        name = re.sub(r"[_\- ]", "", text[:40].lower())
        if name == _LIFTED:
            raise InputError(
                "revocation.reason",
                f"{text[:40]!r} lifts a hold, so nothing is revoked for it (RFC 5280 5.3.1)",
                "Lift a hold with 'bollard cert release SERIAL'.",
            )
        for reason in cls:
            if _SHORT.get(name, name) == reason.value.replace("_", ""):
                return reason
        raise InputError(
            "revocation.reason",
            f"{text[:40]!r} is no reason for revoking (RFC 5280 5.3.1)",
            f"Use one of: hold, {', '.join(reason for reason in cls if not reason.is_hold)}.",
        )

    @property
    def flag(self) -> x509.ReasonFlags:
        """The same reason as CRL and OCSP write it."""
        return x509.ReasonFlags[self.value]

    @property
    def is_hold(self) -> bool:
        """Whether it can be undone."""
        return self is Reason.CERTIFICATE_HOLD


_LIFTED: Final = "removefromcrl"
_SHORT: Final = {"hold": "certificatehold"}


def is_half_spent(begins: dt.datetime, ends: dt.datetime, now: dt.datetime) -> bool:
    """Tell whether half of a life is over: lists, answers and their signers are renewed then, changed or not."""
    return now >= begins + (ends - begins) / 2
