"""Dual control: everybody whom the file names has compared it, and says so by typing how its digest begins."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from pki.ceremony.terms import PHRASE_DIGITS
from pki.findings import error, refuse_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.ceremony.terms import Ceremony


def confirm(ceremony: Ceremony, typed: Mapping[str, str]) -> None:
    """See that every witness typed the beginning of the file's digest. Raises ``RefusedError("ceremony.witness")``."""
    due = {each.name for each in ceremony.witnesses}
    found = [
        error("ceremony.phrase", "", f"{name[:64]!r} typed other than the first {PHRASE_DIGITS} digits of its SHA-256")
        for name in sorted(due & set(typed))
        if not hmac.compare_digest(typed[name].strip().lower().encode(), ceremony.phrase.encode())
    ]
    found += [error("ceremony.absent", "", f"{name[:64]!r} has typed nothing") for name in sorted(due - set(typed))]
    found += [error("ceremony.stranger", "", f"{name[:64]!r} is no witness") for name in sorted(set(typed) - due)]
    advice = f"Each witness types the first {PHRASE_DIGITS} hex digits of the SHA-256 of the file that was reviewed."
    refuse_errors(found, "ceremony.witness", "not everybody has confirmed the file", advice)
