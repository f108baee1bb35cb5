"""The names that things go by, each parsed once into a type that cannot be wrong.

Nothing past the door takes a raw ``str`` where one of these belongs. Every ``parse`` raises ``InputError`` with the
clause, and what is returned is in normal form, so equality is exact equality.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from pki.errors import InputError

IDENTITY_LENGTH: Final = 48  # characters; OCPP-J, SecurityCtrlr.Identity
SERIAL_LENGTH: Final = 64  # characters; the upper bound of a common name, RFC 5280 appendix A
HOST_LENGTH: Final = 64  # characters; the host stands in a common name as well (A00.FR.510), RFC 5280 appendix A
ORGANISATION_LENGTH: Final = 64  # characters; upper bound of an organisation name, RFC 5280 appendix A
HOLDER_LENGTH: Final = 64  # characters; ub-common-name, RFC 5280 appendix A
CERTIFICATE_SERIAL_BITS: Final = (
    159  # OCPP prints serials as at most 40 hex digits; RFC 5280 4.1.2.2 wants <= 20 octets
)

_IPV4_DOTS: Final = 3
_IDENTITY = re.compile(rf"[A-Za-z0-9*\-_=+|@.]{{1,{IDENTITY_LENGTH}}}")
_SERIAL = re.compile(rf"[A-Za-z0-9*\-_=+|@. /#]{{1,{SERIAL_LENGTH}}}")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_HEX = re.compile(r"[0-9a-f]{1,40}")
_SECC_ID = re.compile(r"[A-Za-z]{2}[A-Za-z0-9]{3}[Ss][A-Za-z0-9]{33,58}")
EDITIONS: Final = {"ocpp1.6": 4, "ocpp2.0.1": 4, "ocpp2.1": 2}
"""The newest edition of each version's documents; of 1.6 it is the security white paper's."""
_PROTOCOL = re.compile(r"(ocpp1\.6|ocpp2\.0\.1|ocpp2\.1)(?:/([1-9]))?")
_URL_LIKE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|^www\.|^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\.[A-Za-z]{2,}$")


@dataclass(frozen=True, slots=True, order=True)
class StationIdentity:
    """The name a station connects under: 1 to 48 characters of the standard's identifier set, no colon (A00.FR.204)."""

    text: str

    @classmethod
    def parse(cls, text: str) -> StationIdentity:
        """Read an identity as a person types it."""
        if not _IDENTITY.fullmatch(text):
            raise InputError(
                "name.identity",
                f"{text[:64]!r} is no station identity: 1 to 48 of A-Z a-z 0-9 *-_=+|@. and no colon (A00.FR.204)",
                "Use the identity exactly as it is set in the station.",
            )
        if text in {".", ".."}:
            raise InputError("name.identity", "an identity of dots alone is a path, not a name", "Rename the station.")
        return cls(text)

    @classmethod
    def from_path_segment(cls, segment: str) -> StationIdentity:
        """Read an identity from a URL's last path segment: percent-decoded once, then compared exactly."""
        if re.search(r"%(?![0-9A-Fa-f]{2})", segment):
            raise InputError("name.identity", "a broken percent escape in the identity", "Escape % itself as %25.")
        try:
            return cls.parse(unquote_to_bytes(segment).decode("ascii"))
        except UnicodeDecodeError:
            raise InputError("name.identity", "the identity holds bytes outside ASCII", "Use ASCII alone.") from None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class StationSerial:
    """A station's unique serial number, the common name of its certificate; shaped neither as URL nor as IP address."""

    text: str

    @classmethod
    def parse(cls, text: str) -> StationSerial:
        """Read a serial; A00.FR.511 forbids the shape of a URL or an IP address."""
        if not _SERIAL.fullmatch(text) or text != text.strip():
            raise InputError(
                "name.serial",
                f"{text[:72]!r} is no serial number: 1 to {SERIAL_LENGTH} ASCII letters, digits, blanks and *-_=+|@./#",
                "Copy the serial number from the station's type plate.",
            )
        if _URL_LIKE.search(text) or _is_address(text):
            raise InputError(
                "name.serial",
                f"the serial number {text!r} has the shape of a URL or an IP address, which A00.FR.511 forbids",
                "Copy the serial number from the station's type plate.",
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class Host:
    """A fully qualified host name, lower case, without a trailing dot."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Host:
        """Read a host name; an address or a wildcard is refused, ``localhost`` is allowed for trying things out."""
        host = text.lower().removesuffix(".")
        labels = host.split(".")
        if len(host) > HOST_LENGTH or _is_address(host) or not all(_LABEL.fullmatch(label) for label in labels):
            raise InputError(
                "name.host",
                f"{text[:72]!r} is no host name (A00.FR.510 wants the FQDN, at most {HOST_LENGTH} characters)",
                "Give the name stations dial, for example csms.example.org.",
            )
        return cls(host)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class Organisation:
    """The name of an organisation as it stands in a subject's O (A00.FR.509)."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Organisation:
        """Read an organisation name: 1 to 64 printable characters."""
        if not 1 <= len(text) <= ORGANISATION_LENGTH or not text.isprintable() or text != text.strip():
            raise InputError(
                "name.organisation",
                f"{text[:72]!r} is no organisation name: 1 to {ORGANISATION_LENGTH} printable characters",
                "Give the legal or trading name, without line breaks.",
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class HolderName:
    """The common name of one who is neither a station nor a host: a firmware signer, an operator, an authority."""

    text: str

    @classmethod
    def parse(cls, text: str) -> HolderName:
        """Read a common name: 1 to 64 printable characters (RFC 5280 A.1)."""
        if not 1 <= len(text) <= HOLDER_LENGTH or not text.isprintable() or text != text.strip():
            raise InputError(
                "name.holder",
                f"{text[:72]!r} is no common name: 1 to {HOLDER_LENGTH} printable characters (RFC 5280 A.1)",
                "Give a plain name on one line.",
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class SeccId:
    """The name a station goes by towards cars: country, operator, ``S``, and an id of its own, 39 to 64 in all."""

    text: str

    @classmethod
    def parse(cls, text: str) -> SeccId:
        """Read a SECCID: two letters, three letters or digits, ``S``, then 33 or more; it comes out in capitals."""
        if not _SECC_ID.fullmatch(text):
            raise InputError(
                "name.secc_id",
                f"{text[:72]!r} is no SECCID: country (2 letters), operator (3), S, then 33 to 58 letters and digits"
                " (ISO 15118-2 F)",
                "Take it from the contract with the V2G root, without blanks and stars.",
            )
        return cls(text.upper())  # capitals make no difference in it, so that two that differ in them would be one

    @property
    def country(self) -> str:
        """The country code it begins with, in capitals."""
        return self.text[:2]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class ProtocolVersion:
    """A version of OCPP as the WebSocket names it, and an edition of its documents where that matters.

    ``edition`` is empty when it is not known, which is the usual case: stations do not say it.
    """

    protocol: str
    edition: str = ""

    @classmethod
    def parse(cls, text: str) -> ProtocolVersion:
        """Read ``ocpp2.0.1`` or, with an edition, ``ocpp2.0.1/3``."""
        found = _PROTOCOL.fullmatch(text)
        if found is None or int(found[2] or 1) > EDITIONS[found[1]]:
            raise InputError(
                "name.protocol",
                f"{text[:40]!r} is no version of OCPP, or no edition of it, that is known here (OCPP-J 3.1.2)",
                "Write ocpp1.6, ocpp2.0.1 or ocpp2.1, with an edition as in ocpp2.0.1/3.",
            )
        return cls(found[1], found[2] or "")

    def __str__(self) -> str:
        return f"{self.protocol}/{self.edition}" if self.edition else self.protocol


@dataclass(frozen=True, slots=True, order=True)
class CertificateSerial:
    """A certificate's serial number; printed as lower-case hex without leading zeros, as OCPP does."""

    number: int

    @classmethod
    def parse(cls, text: str) -> CertificateSerial:
        """Read a serial as hex; colons and upper case, as openssl prints it, are taken too."""
        digits = text.replace(":", "").lower()
        if not _HEX.fullmatch(digits) or int(digits, 16) == 0:
            raise InputError(
                "name.certificate_serial",
                f"{text[:60]!r} is no certificate serial number",
                "Give it in hex, as 'bollard cert list' prints it.",
            )
        return cls(int(digits, 16))

    @classmethod
    def from_random(cls, random: bytes) -> CertificateSerial:
        """Make a serial of 159 bits from 20 random bytes; the top bit pair is set to 01 so that none is short."""
        if len(random) != 20:
            raise ValueError("20 random bytes make a serial")
        number = int.from_bytes(random) & ((1 << CERTIFICATE_SERIAL_BITS) - 1)
        return cls(number | (1 << (CERTIFICATE_SERIAL_BITS - 1)))

    @property
    def hex(self) -> str:
        """The form that people and OCPP see."""
        return f"{self.number:x}"

    def __str__(self) -> str:
        return self.hex


def _is_address(text: str) -> bool:
    bare = text.strip("[]")
    if bare.count(".") != _IPV4_DOTS and ":" not in bare:
        return False  # most names are none at first sight; to try and fail costs as much as the rest of a name's rules
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False
    return True
