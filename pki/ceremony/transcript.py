"""The log of a ceremony: who was there, what was about to be signed and what was, under the root's own signature.

Entries are lines of canonical JSON, each a leaf of a Merkle tree (RFC 6962 2.1), as in the audit log of a home. The end
is a signed note in C2SP's form over size and root of the tree. It is signed with the root's key, whose kind C2SP has no
name for, so the note's key id is the beginning of the SHA-256 over that key's SubjectPublicKeyInfo. The same lines can
be printed for people to sign on paper; nothing stands there that is not in the log.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.audit import entry, leaf_hash, root_of
from pki.ceremony.signing import is_signed, sign_bytes
from pki.ceremony.terms import KnownRoot
from pki.certificate import key_id
from pki.errors import RefusedError
from pki.strength import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.audit import Json
    from pki.ceremony.history import Before
    from pki.ceremony.pieces import Piece
    from pki.ceremony.terms import Ceremony, Witness
    from pki.strength import SigningKey

ENTRIES_MOST: Final = 200  # lines; 16 witnesses, and two for each of 18 pieces, leave room
LINE_BYTES: Final = 256 * 1024  # bytes of one line; the first tells every serial that the root ever signed
SELF: Final = "ceremony"  # who acts, where it is no person

_KEY_HASH: Final = 4  # bytes; C2SP signed-note
_NOTE: Final = re.compile(
    r"(?P<body>(?P<origin>[^\n]{1,128})\n(?P<size>[1-9][0-9]{0,8})\n(?P<root>[A-Za-z0-9+/]{43}=)\n)\n"
    r"\u2014 (?P<name>[^\n ]{1,128}) (?P<signature>[A-Za-z0-9+/]{16,2000}={0,2})\n"
)
_ADVICE: Final = "Use nothing of this ceremony; compare with a copy kept elsewhere, or hold the ceremony again."


@dataclass(frozen=True, slots=True)
class Line:
    """What an entry tells, beside its number and its time."""

    act: str
    who: str
    what: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands in the log."""

    index: int
    at: dt.datetime
    line: Line
    raw: bytes

    @classmethod
    def write(cls, index: int, at: dt.datetime, line: Line) -> Entry:
        """Write an entry in its one canonical form."""
        return cls(index, at, line, entry(index, at, line.act, line.who, line.what))


def begun(ceremony: Ceremony, requests: Mapping[str, bytes], networks: Sequence[str], before: Before | None) -> Line:
    """Begin: what is performed, on which inputs, and which networks the machine was on (none, as it should be)."""
    what: dict[str, Json] = {
        "file": ceremony.digest,
        "organisation": ceremony.organisation.text,
        "requests": {due.name: hashlib.sha256(requests[due.name]).hexdigest() for due in ceremony.certificates},
        "networks": list(networks),
        "before": before.told() if before else None,
    }
    return Line("ceremony.begun", SELF, what)


def witnessed(witness: Witness, phrase: str) -> Line:
    """Say that a person has compared the file and typed its phrase."""
    return Line("ceremony.witnessed", witness.name, {"role": witness.role, "typed": phrase})


def key_ready(ceremony: Ceremony, key: CertificatePublicKeyTypes) -> Line:
    """Say which root key is at hand: one just made, or the known one just opened."""
    act = "key.opened" if isinstance(ceremony.root, KnownRoot) else "key.made"
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Line(act, SELF, {"kind": kind_of(key), "key_id": key_id(key).hex(), "public_key": spki.hex()})


def intended(piece: Piece) -> Line:
    """Say what is about to be signed; on the disk before the key is used."""
    what: dict[str, Json] = {"name": piece.name, "tbs_sha256": hashlib.sha256(piece.tbs).hexdigest()}
    return Line(f"{piece.kind}.intended", SELF, what)


def signed(piece: Piece, der: bytes) -> Line:
    """Say what was signed. ``der`` is the whole, signature included."""
    return Line(f"{piece.kind}.signed", SELF, {"name": piece.name, "sha256": hashlib.sha256(der).hexdigest()})


def ended(count: int) -> Line:
    """Say that all is done; only the note comes after."""
    return Line("ceremony.ended", SELF, {"signed": count})


def digest_of(entries: Sequence[Entry]) -> str:
    """Return the transcript's digest: the root of the tree over its entries, in hex."""
    return root_of([leaf_hash(each.raw) for each in entries]).hex()


def write_entries(entries: Sequence[Entry]) -> bytes:
    """Write the log's file."""
    return b"".join(each.raw + b"\n" for each in entries)


def read_entries(raw: bytes) -> tuple[Entry, ...]:
    """Read the log's file. Raises ``RefusedError("ceremony.transcript")`` for any byte not in the one form.

    A last line without its end, as a killed ceremony may leave, is no entry.
    """
    lines = raw.split(b"\n")[:-1]
    if not lines or len(lines) > ENTRIES_MOST:
        raise refused(f"it has {len(lines)} entries; 1 to {ENTRIES_MOST} are due")
    return tuple(_read(number, line) for number, line in enumerate(lines))


def sign_note(ceremony: Ceremony, entries: Sequence[Entry], key: SigningKey) -> str:
    """Sign the whole log with the root's key."""
    origin = _origin(ceremony)
    body = f"{origin}\n{len(entries)}\n{_base64(bytes.fromhex(digest_of(entries)))}\n"
    signature = key_id(key.public_key())[:_KEY_HASH] + sign_bytes(key, body.encode("ascii"))
    return f"{body}\n\u2014 {origin} {_base64(signature)}\n"


def open_note(text: str, ceremony: Ceremony, entries: Sequence[Entry], key: CertificatePublicKeyTypes) -> None:
    """Verify the end of the log. Raises ``RefusedError("ceremony.transcript")``."""
    note = _NOTE.fullmatch(text)
    if note is None or {note["origin"], note["name"]} != {_origin(ceremony)}:
        raise refused("its note is not in the form due, or is another ceremony's")
    if (int(note["size"]), note["root"]) != (len(entries), _base64(bytes.fromhex(digest_of(entries)))):
        raise refused("its entries are not those that the root's key has signed")
    try:
        signature = base64.b64decode(note["signature"], validate=True)
    except binascii.Error:
        raise refused("the signature at its end is not in base64") from None
    named, made = signature[:_KEY_HASH], signature[_KEY_HASH:]
    if not hmac.compare_digest(named, key_id(key)[:_KEY_HASH]) or not is_signed(key, note["body"].encode(), made):
        raise refused("the signature at its end is not the root's")


def for_people(ceremony: Ceremony, entries: Sequence[Entry]) -> str:
    """Write the transcript to be printed and signed by hand."""
    digest = digest_of(entries)
    rows = [f"{each.index:>4}  {each.at:%Y-%m-%d %H:%M:%S}  {_row(each.line)}" for each in entries]
    names = [f"  {each.name}, {each.role}:  ______________________________" for each in ceremony.witnesses]
    head = [
        f"Transcript of a ceremony of {ceremony.organisation}",
        "",
        f"SHA-256 of the file        {ceremony.digest}",
        f"Digest of this transcript  {' '.join(digest[i : i + 4] for i in range(0, len(digest), 4))}",
        "",
    ]
    tail = ["", "Write the digest down; the online home asks for it. Signed by hand:", "", *names, ""]
    return "\n".join([*head, *rows, *tail])


def refused(cause: str) -> RefusedError:
    """Say that the transcript does not hold."""
    return RefusedError("ceremony.transcript", f"the transcript does not hold: {cause}", _ADVICE)


def _row(line: Line) -> str:
    facts = "; ".join(f"{name} {_fact(value)}" for name, value in sorted(line.what.items()) if value)
    return f"{line.act}  {line.who}: {facts}"


def _fact(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _read(number: int, line: bytes) -> Entry:
    try:
        told = json.loads(line[:LINE_BYTES])
        at = dt.datetime.strptime(told["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=dt.UTC)
        found = Entry.write(number, at, Line(told["act"], told["who"], told["what"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise refused(f"entry {number} cannot be read") from None
    if not hmac.compare_digest(found.raw, line):
        raise refused(f"entry {number} is not in the one form that entries have")
    return found


def _origin(ceremony: Ceremony) -> str:
    return f"bollard/ceremony/{ceremony.digest}"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
