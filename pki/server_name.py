"""Decides whether a certificate is for the name that somebody dialled, or the one a station goes by.

* A DNS name is matched by the subject alternative names alone where there are any; capitals do not matter, and a
  wildcard stands for exactly one whole label, the left-most, above at least two others (RFC 6125 6.4).
* An address is matched by an alternative name that is an address, never by text.
* The common name counts only in a certificate *without* alternative names, and only for the two purposes that OCPP
  binds to it: the CSMS's host (A00.FR.309, .510) and the station's serial number (A00.FR.511). It is never a wildcard.
* A common name that has the shape of a host or an address beside alternative names must be one of them, letter for
  letter: whoever reads the one and whoever reads the other then see the same server.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography import x509

from pki.certificate import common_names
from pki.dn import COMMON_NAME, DIRECTORY_STRINGS, forms_of
from pki.errors import InputError
from pki.findings import Finding, error
from pki.question import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.paper import Paper
    from pki.question import Question

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
ServerName: TypeAlias = str | Address
"""What was dialled: a DNS name in lower case, or an address."""

NAME_LENGTH: Final = 253  # characters of a DNS name, RFC 1035 2.3.4 as text
WILDCARD_LABELS: Final = 2  # labels after a wildcard at least: nobody holds all of a top-level domain

_NAME: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_WRITTEN: Final = re.compile(
    r"(\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_LIKE_HOST: Final = re.compile(r"[^\s@/]+\.[^\s@/]+|\S*:\S*|0[xX][0-9a-fA-F]+|[0-9]+\.?")
_BY_COMMON_NAME: Final = frozenset({Purpose.CSMS, Purpose.STATION})


def parse_server_name(text: str) -> ServerName:
    """Read what was dialled: an address, or a DNS name in A-labels without a wildcard and without a dot at its end."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        name = text.lower() if text.isascii() else ""
    if len(name) > NAME_LENGTH or not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
        raise InputError(
            "name.server",
            f"{text[:72]!r} is neither a DNS name nor an address",
            "Give a name like csms.example.org (letters outside ASCII as xn--), or an address like 192.0.2.1.",
        )
    return name


def is_written_well(name: str) -> bool:
    """Tell whether a dNSName is one: labels of letters, digits, hyphens and underscores; a wildcard only in front."""
    return len(name) <= NAME_LENGTH and _WRITTEN.fullmatch(name.lower()) is not None


def is_like_host(text: str) -> bool:
    """Tell whether a common name has the shape of a host, an address, or a number that some resolver takes for one."""
    return _LIKE_HOST.fullmatch(text) is not None


def bound_common_names(leaf: Paper, question: Question) -> tuple[str, ...]:
    """Return the common names that stand for the leaf's identity: those of a leaf without alternative names."""
    if question.purpose not in _BY_COMMON_NAME or leaf.find(x509.SubjectAlternativeName) is not None:
        return ()
    if not DIRECTORY_STRINGS.keys() >= {*forms_of(leaf.fields.subject, COMMON_NAME)}:
        return ()  # RFC 5280 A.1: written in another form, it is no common name
    return common_names(leaf.certificate.subject)


def examine_name(leaf: Paper, question: Question) -> Iterator[Finding]:
    """Find out whether the leaf is for ``question.name``, where one was asked for."""
    alternative = leaf.find(x509.SubjectAlternativeName)
    if alternative is not None and (question.purpose is Purpose.CSMS or question.name is not None):
        yield from _examine_common_name(leaf, alternative.value, question)
    if question.name is None:
        return
    matched = (
        _is_among(question.name, alternative.value)
        if alternative is not None
        else _is_common_name(question.name, bound_common_names(leaf, question))
    )
    if not matched:
        says = f"{leaf} is not for {str(question.name)!r}"
        yield error(question.code("name"), "RFC 6125 6.4", says)


def _is_among(name: ServerName, names: x509.SubjectAlternativeName) -> bool:
    if isinstance(name, str):
        return any(_is_match(name, each.lower()) for each in names.get_values_for_type(x509.DNSName))
    return name in names.get_values_for_type(x509.IPAddress)


def _is_match(name: str, written: str) -> bool:
    if not written.startswith("*."):
        return name == written
    first, _, rest = name.partition(".")
    return bool(first) and rest == written[2:] and rest.count(".") + 1 >= WILDCARD_LABELS


def _is_common_name(name: ServerName, found: tuple[str, ...]) -> bool:
    """A00.FR.510 wants the host's name in it, so an address never matches, and several names match nothing."""
    if not isinstance(name, str) or len(found) != 1:
        return False
    return found[0].isascii() and found[0].lower() == name


def _examine_common_name(leaf: Paper, names: x509.SubjectAlternativeName, question: Question) -> Iterator[Finding]:
    told = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    for common_name in common_names(leaf.certificate.subject):
        if is_like_host(common_name) and told and common_name not in told:
            says = f"the common name {common_name[:64]!r} is not among the alternative names of {leaf}"
            yield error(question.code("name"), "A00.FR.510", says)
