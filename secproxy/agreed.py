"""What a handshake agreed on: version, cipher suite and group of one TLS connection, in the words of its events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Agreed:
    """``version`` as ``TLSv1.3``, ``suite`` and ``group`` by OpenSSL's names; no group where static RSA was used."""

    version: str
    suite: str
    group: str = ""

    def facts(self) -> dict[str, str]:
        """Write it as evidence of an event."""
        return {"tls": self.version, "suite": self.suite, "group": self.group}


@lru_cache(maxsize=256)
def agree(version: str, suite: str, group: str) -> Agreed:
    """Return one and the same object for equal agreements: every connection keeps its own for as long as it lasts."""
    return Agreed(version, suite, group)
