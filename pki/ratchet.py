"""Whether a station's security profile may become another one: upwards freely, downwards only where it is spelled out.

Once connected with a higher profile a station is not let back with a lower one (A05.FR.09 of 1.6, .07 of 2.x). So what
a station was seen with pins it, unless an operator has switched that off for it. The one way down that the standard
knows is from 3 to 2, for stations whose AllowSecurityProfileDowngrade is true (errata of 2.0.1, and 2.1); to 1 leads
none.
"""

from __future__ import annotations

from pki.errors import RefusedError
from pki.station import SecurityProfile


def pinned(registered: SecurityProfile, seen: SecurityProfile, *, ratchet: bool) -> SecurityProfile:
    """Say which profile a station has to keep from now on, having been seen with one."""
    return max(registered, seen) if ratchet else registered


def examine_profile(
    now: SecurityProfile, wanted: SecurityProfile, *, allow_downgrade: bool, unsafe_no_tls: bool
) -> None:
    """Judge an operator's wish. Raises ``RefusedError("station.downgrade")``."""
    if wanted >= now:
        return
    if wanted is SecurityProfile.BASIC:
        if not unsafe_no_tls:
            raise _refused(f"profile {now:d} to 1 would take TLS away, which no version of OCPP allows", _UNSAFE)
    elif not allow_downgrade:
        raise _refused("profile 3 to 2 would let a password do where a certificate is asked for now", _ALLOW)


_UNSAFE = "If it is meant, and the network is one that you trust, say --unsafe-no-tls."
_ALLOW = "If the station's AllowSecurityProfileDowngrade is true and it is meant, say --allow-downgrade."


def _refused(says: str, advice: str) -> RefusedError:
    return RefusedError("station.downgrade", f"{says} (A00.FR.005, A05.FR.08, .09)", advice)
