"""What is asked of a path of certificates: for which purpose, at what time, for which name, against which lists.

For two purposes (``csms``, ``any``) all that a conforming authority must write is demanded. The other two are about
devices as they are: what their authorities leave out is told as a warning where it weakens nothing (``lapse``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.findings import Finding, Severity

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv6Address

    from pki.crl import RevocationLists


class Purpose(StrEnum):
    """What a chain is to prove."""

    STATION = "station"
    """The leaf is a station's client certificate."""
    CSMS = "csms"
    """The leaf is the CSMS's server certificate."""
    FIRMWARE = "firmware"
    """The leaf signs firmware, and stands directly below its manufacturer's anchor."""
    ANY = "any"
    """The path holds; what the leaf may do is not asked, unless a name is: then it is a server's."""


DEPTH_MOST: Final = {Purpose.STATION: 4, Purpose.CSMS: 4, Purpose.FIRMWARE: 1, Purpose.ANY: 10}
"""Certificates above the leaf. OCPP lists four children of a chain at most; a firmware signer has no field for more.
Where OCPP has no say, ten are more than any authority in use stacks."""

_CLAUSES: Final = {
    Purpose.STATION: "A00.FR.403",
    Purpose.CSMS: "A00.FR.308",
    Purpose.FIRMWARE: "A00.FR.707",
    Purpose.ANY: "RFC 5280 6.1",
}
_TO_THE_LETTER: Final = frozenset({Purpose.CSMS, Purpose.ANY})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a path, and what is known while judging it."""

    purpose: Purpose
    now: dt.datetime
    max_depth: int
    is_revoked: Callable[[bytes, int], bool]
    """Takes the issuer's key id (32 bytes) and the serial number."""
    name: str | IPv4Address | IPv6Address | None = None
    """What the leaf must be for: a DNS name in lower case, or an address."""
    lists: RevocationLists | None = None
    """Where given, each certificate below the anchor must be cleared by one of them."""

    def code(self, name: str) -> str:
        """Return the stable code of a finding."""
        return f"{'signer' if self.purpose is Purpose.FIRMWARE else 'chain'}.{name}"

    @property
    def use(self) -> Purpose:
        """What the leaf is to be used for: whoever asks for a name without a purpose has dialled a server."""
        return Purpose.CSMS if self.purpose is Purpose.ANY and self.name is not None else self.purpose

    @property
    def to_the_letter(self) -> bool:
        """Whether all is demanded that RFC 5280 has a conforming authority write."""
        return self.purpose in _TO_THE_LETTER

    @property
    def clause(self) -> str:
        """The clause that demands a valid path for this purpose."""
        return _CLAUSES[self.purpose]


def lapse(question: Question, code: str, clause: str, says: str) -> Finding:
    """Make a finding about what a conforming authority writes, but whose lack weakens nothing."""
    severity = Severity.ERROR if question.to_the_letter else Severity.WARNING
    return Finding(code, severity, clause, says)
