"""Finds the call that a DataTransfer carries for Plug & Charge, so that it is judged as what it is.

OCPP 1.6 has no messages for ISO 15118. An application note of the Open Charge Alliance carries those of OCPP 2.0.1:
``messageId`` is the action, ``data`` its payload as a text. Whoever cannot read what is inside cannot judge it, so what
two readers could take for two things is said to be unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy import reader
from secproxy.plan import small
from secproxy.reader import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

CARRIER: Final = b"datatransfer"
VENDOR: Final = "org.openchargealliance.iso15118pnc"
VERSION: Final = "ocpp2.0.1"
"""Whose messages are carried, whatever the session's version is."""
_NAMES: Final = (
    "Authorize CertificateSigned DeleteCertificate Get15118EVCertificate GetCertificateStatus "
    "GetInstalledCertificateIds InstallCertificate SignCertificate TriggerMessage"
)
CALLS: Final = frozenset(map(small, _NAMES.split()))
"""What may be carried, of either side, in small letters."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The call inside. ``unreadable`` says why its payload cannot be read, and is then empty itself."""

    action: bytes
    """In small letters."""
    payload: Mapping[str, object]
    unreadable: str = ""


def find_carried(action: bytes, payload: Mapping[str, object]) -> Carried | None:
    """Return the call that another carries; None for one that carries none. ``action`` is in small letters.

    The case of both names makes no difference (OCPP 1.6, 7: CiString), nor do blanks around them.
    """
    vendor, name = payload.get("vendorId"), payload.get("messageId")
    if action != CARRIER or not isinstance(vendor, str) or not isinstance(name, str):
        return None
    inside = small(name.strip())
    if vendor.strip().lower() != VENDOR or inside not in CALLS:
        return None
    try:
        return Carried(inside, _read(payload.get("data")))
    except UnreadableError as fault:
        return Carried(inside, {}, f"what the DataTransfer carries cannot be read: {fault.says}")


def _read(data: object) -> Mapping[str, object]:
    """Some write the payload itself in the place of its text."""
    found = reader.read(data.encode(errors="surrogatepass")) if isinstance(data, str) else data
    if not isinstance(found, dict):
        raise UnreadableError("payload", "it is not an object")
    return found
