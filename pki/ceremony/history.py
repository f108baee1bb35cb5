"""What a ceremony knows of those before it: numbers only grow, what was revoked stays so, no serial comes twice.

Each transcript names the digest of the one before, so the ceremonies of a root are a chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pki.ceremony.terms import KnownRoot, NewRoot
from pki.certificate import organisations
from pki.findings import Finding, error

if TYPE_CHECKING:
    from cryptography import x509

    from pki.audit import Json
    from pki.ceremony.terms import Ceremony


@dataclass(frozen=True, slots=True)
class Before:
    """The ceremonies before this one, of the same root."""

    transcript: str
    """The digest of the newest one's transcript, in hex."""
    root: str
    """The SHA-256 of the root's certificate in DER, in hex."""
    crl_number: int
    revoked: tuple[str, ...]
    """The serials on its list, in hex, sorted."""
    serials: tuple[str, ...]
    """Every serial that the root has used, in hex, sorted."""

    def told(self) -> dict[str, Json]:
        """Write it as the first entry of a transcript tells it."""
        return {
            "transcript": self.transcript,
            "root": self.root,
            "crl_number": self.crl_number,
            "revoked": self.revoked,
            "serials": self.serials,
        }


def after(ceremony: Ceremony, before: Before | None, transcript: str, root: str) -> Before:
    """Return what the next ceremony will know; ``transcript`` and ``root`` are digests in hex."""
    own = [due.serial.hex for due in ceremony.certificates]
    own += [ceremony.root.serial.hex] if isinstance(ceremony.root, NewRoot) else []
    return Before(
        transcript=transcript,
        root=root,
        crl_number=ceremony.crl.number,
        revoked=tuple(sorted(each.serial.hex for each in ceremony.crl.revoked)),
        serials=tuple(sorted({*own, *(before.serials if before else ())})),
    )


def judge_history(
    ceremony: Ceremony, before: Before | None, root: x509.Certificate | None, digest: str
) -> list[Finding]:
    """Find where a ceremony does not follow the ones before. ``root`` is the known root's certificate, ``digest`` its
    SHA-256 in hex; both are nothing for a new root."""
    if not isinstance(ceremony.root, KnownRoot):
        return [] if before is None else [_wrong("", "it makes a new root, yet tells of ceremonies before it")]
    if before is None or root is None:
        return [_wrong("", "it works with a known root, and nothing is known of the ceremonies before it")]
    found = []
    if (before.transcript, before.root) != (ceremony.root.previous, digest):
        found.append(_wrong("", f"the newest transcript of this root is {before.transcript}, not the one in the file"))
    if ceremony.crl.number <= before.crl_number:
        says = f"the list has the number {ceremony.crl.number}, and the one before it had {before.crl_number}"
        found.append(_wrong("RFC 5280 5.2.3", says))
    if gone := set(before.revoked) - {each.serial.hex for each in ceremony.crl.revoked}:
        found.append(_wrong("RFC 5280 3.3", f"the list leaves out what was revoked before: {', '.join(sorted(gone))}"))
    if twice := set(before.serials) & {due.serial.hex for due in ceremony.certificates}:
        found.append(_wrong("RFC 5280 4.1.2.2", f"the root has used this serial before: {', '.join(sorted(twice))}"))
    if organisations(root.subject) != (ceremony.organisation.text,):
        found.append(_wrong("A00.FR.509", f"the root is not of {ceremony.organisation.text!r}"))
    return found


def _wrong(clause: str, says: str) -> Finding:
    return error("ceremony.history", clause, says)
