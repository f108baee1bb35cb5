"""Writes a ceremony's file to begin with: whole, commented for those who review it, with every number already drawn.

What comes out is read by ``parse_ceremony`` like any other file; people change it, and only then review it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.ceremony.terms import PHRASE_DIGITS
from pki.certificate import key_id
from pki.errors import InputError
from pki.request import read_request

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from pki.ceremony.replay import Replayed
    from pki.ceremony.terms import Revoked, Witness
    from pki.names import CertificateSerial, Organisation
    from pki.services import Published

ROOT_PROFILE: Final = "root"
BELOW_PROFILE: Final = "issuing"
CRL_DAYS: Final = 365  # days; a ceremony a year keeps the list alive


@dataclass(frozen=True, slots=True)
class NewRootTerms:
    """What a template says of a root that is to be made."""

    common_name: str
    key: str
    days: int
    serial: CertificateSerial


@dataclass(frozen=True, slots=True)
class KnownRootTerms:
    """What a template says of a root that is there: where its newest result lies, and what that was."""

    folder: str
    newest: Replayed


@dataclass(frozen=True, slots=True)
class Asked:
    """A certificate that is asked for: its request (PEM), the days it lives, a serial drawn for it."""

    name: str
    request: bytes
    days: int
    serial: CertificateSerial


def write_template(
    organisation: Organisation,
    moment: dt.datetime,
    root: NewRootTerms | KnownRootTerms,
    asked: Sequence[Asked],
    witnesses: Sequence[Witness],
    profiles: Mapping[str, str],
    published: Published | None = None,
) -> str:
    """Write the file. ``profiles`` are the texts of ``policies/certificates`` by name; ``published`` is where the
    root's list will be found. A request that cannot be read is refused with ``InputError``."""
    parts = [
        _head(organisation, moment),
        _new_root(root) if isinstance(root, NewRootTerms) else _known_root(root),
        _published(published),
        *(_certificate(each) for each in asked),
        _crl(root),
        *(f"[[witness]]\nname = {_toml(each.name)}\nrole = {_toml(each.role)}\n" for each in witnesses),
        _PROFILES,
        *(_profile(name, profiles[name]) for name in _profile_names(root, asked)),
    ]
    return "\n".join(parts)


def slot_of(name: str) -> str:
    """Tell the duty of a key from its name: ``station-2`` is for ``station``."""
    head, _, tail = name.rpartition("-")
    return head if head and tail.isalnum() and any(digit in tail for digit in "0123456789") else name


def _head(organisation: Organisation, moment: dt.datetime) -> str:
    return f"""\
# A ceremony of an offline root: everything that will be signed, and nothing else.
#
# Review every line. Then all who take part compare the SHA-256 of this very file ('sha256sum FILE' on a machine of
# their own) and bring its first {PHRASE_DIGITS} hex digits; each types them before anything is made. Changing one byte
# changes them.
version = 1
organisation = {_toml(organisation.text)}    # O of every certificate (A00.FR.509)
moment = {moment:%Y-%m-%dT%H:%M:%SZ}    # what certificates and list are dated by, whatever the clock says
"""


def _new_root(root: NewRootTerms) -> str:
    return f"""\
[root]    # made in this ceremony; its key never leaves the machine unencrypted
common_name = {_toml(root.common_name)}
key = {_toml(root.key)}
profile = "{ROOT_PROFILE}"
days = {root.days}
serial = "{root.serial.hex}"    # drawn at random (RFC 5280 4.1.2.2)
"""


def _known_root(root: KnownRootTerms) -> str:
    return f"""\
[root]    # the root of an earlier ceremony, {_comment(root.newest.root.subject.rfc4514_string())}
existing = {_toml(root.folder)}    # folder of its newest result, seen from this file
previous = "{root.newest.digest}"    # the digest of that one's transcript
"""


def _published(found: Published | None) -> str:
    if found is None:
        return """\
# Where everybody will find the root's list and its certificate. It stands in each certificate below for as long as that
# lives; while this stays out, only who is given the list learns that an authority was revoked.
# [published]
# crl = "http://ca.example.org/root.crl"
# certificate = "http://ca.example.org/root.crt"
"""
    return f"""\
[published]    # stands in each certificate below for as long as that lives: somebody has to serve both there
crl = {_toml(found.list_url)}    # the root's list, in DER (RFC 5280 4.2.1.13)
certificate = {_toml(found.certificate)}    # its certificate, in DER (RFC 5280 4.2.2.1)
"""


def _certificate(asked: Asked) -> str:
    request = read_request(asked.request)
    if len(request.common_names) != 1:
        raise InputError("ceremony.request", f"{asked.name}.csr does not have one common name", "Have it made anew.")
    return f"""\
[[certificate]]    # asked for by {_comment(asked.name)}.csr
name = {_toml(asked.name)}
slot = {_toml(slot_of(asked.name))}    # its duty in the online home
common_name = {_toml(request.common_names[0])}
profile = "{BELOW_PROFILE}"
days = {asked.days}
serial = "{asked.serial.hex}"    # drawn at random (RFC 5280 4.1.2.2)
key_id = "{key_id(request.public_key).hex()}"    # SHA-256 of the public key in the request
"""


def _crl(root: NewRootTerms | KnownRootTerms) -> str:
    known = root.newest.ceremony.crl if isinstance(root, KnownRootTerms) else None
    revoked = "".join(_revoked(each) for each in known.revoked) if known else ""
    return f"""\
[crl]    # the root's list of revoked authorities; renew it before it ends, by another ceremony
number = {known.number + 1 if known else 1}    # grows with each list (RFC 5280 5.2.3)
days = {CRL_DAYS}
# To revoke an authority:
# [[crl.revoked]]
# serial = "..."
# moment = {"2026-01-31T09:00:00Z"}
# reason = "ca_compromise"    # RFC 5280 5.3.1
{revoked}"""


def _revoked(revoked: Revoked) -> str:
    return f"""
[[crl.revoked]]    # from the list before; it stays (RFC 5280 3.3)
serial = "{revoked.serial.hex}"
moment = {revoked.moment:%Y-%m-%dT%H:%M:%SZ}
reason = "{revoked.reason.value}"
"""


_PROFILES: Final = """\
# What each kind of certificate looks like, as data. These are copies of policies/certificates, so that the review
# covers them and a later version of the program makes the same bytes.
"""


def _profile(name: str, text: str) -> str:
    """Take a profile's keys over, with their comments; it has no tables of its own."""
    keys = text if not text.startswith("[") else ""
    return f"[profile.{name}]\n{keys.partition(chr(10) + '[')[0].strip()}\n"


def _profile_names(root: NewRootTerms | KnownRootTerms, asked: Iterable[Asked]) -> list[str]:
    names = [ROOT_PROFILE] if isinstance(root, NewRootTerms) else []
    return [*names, BELOW_PROFILE] if list(asked) or not names else names


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    """Write foreign text into a comment: on one line, and bounded."""
    return "".join(char for char in text[:96] if char.isprintable())
