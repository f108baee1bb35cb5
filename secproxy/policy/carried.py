"""Finds the call that a DataTransfer carries for Plug & Charge, so that it is judged as what it is.

OCPP 1.6 has no messages for ISO 15118. An application note of the Open Charge Alliance carries those of OCPP 2.0.1:
``messageId`` is the action, ``data`` its payload as a text. Whoever cannot read what is inside cannot judge it, so what
two readers could take for two things is said to be unreadable. A call that is carried may be signed as any other.
An answer is carried in the same way, and says nothing of what it answers: whoever keeps open calls ties that to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy import jws, reader
from secproxy.plan import SIGNED, small
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
SPELLED: Final[Mapping[bytes, bytes]] = {small(name): name.encode() for name in _NAMES.split()}
CALLS: Final = frozenset(SPELLED)
"""What may be carried, of either side, in small letters."""
CARRIERS: Final = frozenset({CARRIER, CARRIER + SIGNED})
_TIE: Final = b":"  # no action has one (OCPP-J 4.2.1)
_HINT: Final = re.compile(rb"(?i:iso15118pnc)|\\u")  # the vendor's name, or an escape that may hide it


@dataclass(frozen=True, slots=True)
class Carried:
    """The call inside. ``unreadable`` says why its payload cannot be read, and is then empty itself."""

    action: bytes
    """In small letters."""
    payload: Mapping[str, object]
    unreadable: str = ""
    signed: bool = False


def may_carry(action: bytes, message: bytes) -> bool:
    """Whether a call, as it came, may carry another; ``action`` is in small letters. Most need no reading for that."""
    return action in CARRIERS and (action != CARRIER or _HINT.search(message) is not None)


def tie(action: bytes, payload: Mapping[str, object]) -> bytes:
    """Name an action with the one that it carries, if it does, signed or not; ``action`` is in small letters."""
    if action not in CARRIERS:
        return action
    try:
        said = payload if action == CARRIER else jws.unseal(payload)
    except UnreadableError:
        return action
    inside = name_carried(CARRIER, said)
    return join(action, inside) if inside else action


def join(action: bytes, inside: bytes) -> bytes:
    """Name an action with the one that it carries."""
    return action + _TIE + inside


def untie(tied: bytes) -> tuple[bytes, bytes]:
    """Take apart what ``tie`` named; the latter is empty where nothing was carried."""
    action, _, inside = tied.partition(_TIE)
    return action, inside


def name_carried(action: bytes, payload: Mapping[str, object]) -> bytes:
    """Name the call that another carries, in small letters and as it is in the clear; empty for one that carries none.

    ``action`` is in small letters. The case of vendor and name makes no difference (OCPP 1.6, 7: CiString), nor do
    blanks around them.
    """
    vendor, name = payload.get("vendorId"), payload.get("messageId")
    if action != CARRIER or not isinstance(vendor, str) or not isinstance(name, str):
        return b""
    inside = _plain(small(name.strip()))
    return inside if vendor.strip().lower() == VENDOR and inside in CALLS else b""


def find_carried(action: bytes, payload: Mapping[str, object]) -> Carried | None:
    """Return the call that another carries, as ``name_carried`` finds it; None for one that carries none."""
    inside = name_carried(action, payload)
    if not inside:
        return None
    suffix = small(str(payload["messageId"]).strip()).removeprefix(inside)
    try:
        found = read_data(payload.get("data"))
        if suffix:
            found = _unseal(found, suffix)
    except UnreadableError as fault:
        return Carried(inside, {}, f"what the DataTransfer carries cannot be read: {fault.says}", bool(suffix))
    return Carried(inside, found, signed=bool(suffix))


def _plain(name: bytes) -> bytes:
    """A name without what says that it is signed, however often it says so."""
    while name.endswith(SIGNED):
        name = name.removesuffix(SIGNED)
    return name


def _unseal(found: Mapping[str, object], suffix: bytes) -> Mapping[str, object]:
    if suffix != SIGNED:
        raise UnreadableError("signed", "it is signed more than once")
    return jws.unseal(found)


def read_data(data: object) -> Mapping[str, object]:
    """Read what ``data`` carry. Some write the payload itself in the place of its text. Raises ``UnreadableError``."""
    found = reader.read(data.encode(errors="surrogatepass")) if isinstance(data, str) else data
    if not isinstance(found, dict):
        raise UnreadableError("payload", "it is not an object")
    return found
