"""Performs a ceremony on the machine of the offline root, and looks at what one has left behind.

* Everything is judged, and rehearsed with a key that nobody keeps, before anything is made.
* The transcript says what is about to be signed before the key is used; it is on the disk by then.
* What was made is read back, with the key as it lies on the disk, and made again; only then is the ceremony over.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki.ceremony import result as names
from pki.ceremony import transcript
from pki.ceremony.file import parse_ceremony
from pki.ceremony.history import judge_history
from pki.ceremony.pieces import Piece, judge, pieces_below, root_piece
from pki.ceremony.replay import Replayed, compare_inputs, replay
from pki.ceremony.signing import deterministic
from pki.ceremony.template import Asked, KnownRootTerms, NewRootTerms, write_template
from pki.ceremony.terms import ROOT, KnownRoot, NewRoot
from pki.certificate import to_pem
from pki.edge import keys
from pki.edge.crashpoints import reach
from pki.edge.keys import KeyKind, Keyring, throwaway_key
from pki.edge.policies import read_policy
from pki.edge.result_folder import KEYS, ResultFolder, read_file, read_requests, read_result
from pki.errors import ForbiddenError, NotFoundError, RefusedError
from pki.names import CertificateSerial, Organisation
from pki.profile import parse_profile
from pki.services import Published

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pki.ceremony.history import Before
    from pki.ceremony.pieces import Keys
    from pki.ceremony.terms import Ceremony, Witness
    from pki.strength import SigningKey

SERIAL_BYTES: Final = 20  # RFC 5280 4.1.2.2
PROFILES: Final = ("root", "issuing")  # of policies/certificates, copied into the file


@dataclass(frozen=True, slots=True)
class Prepared:
    """Evidence: a ceremony that was judged and rehearsed. ``folder`` is that of the known root, if it is one."""

    ceremony: Ceremony
    file: bytes
    requests: Mapping[str, bytes]
    keys: Keys
    known: Replayed | None = None
    folder: Path | None = None

    @property
    def before(self) -> Before | None:
        """The ceremonies before this one."""
        return self.known.history if self.known else None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a template is written from. ``existing`` names the folder of a known root's newest result;
    the file will lie in the folder ``beside``. ``status_url`` is where the online home will serve the root's list;
    without it, it is found where the ceremony before said."""

    organisation: Organisation
    moment: dt.datetime
    witnesses: Sequence[Witness]
    requests: Path | None = None
    common_name: str = "Bollard Root CA"
    key: str = KeyKind.EC_P384.value
    existing: Path | None = None
    beside: Path | None = None
    status_url: str = ""


def draft(wanted: Draft) -> str:
    """Write a ceremony's file to begin with: serials drawn, keys named, list number counted on."""
    profiles = {name: read_policy("certificates", name) for name in PROFILES}
    days = {name: parse_profile(name, text).days for name, text in profiles.items()}
    asked = [
        Asked(name, request, days["issuing"], _serial()) for name, request in read_requests(wanted.requests).items()
    ]
    root: NewRootTerms | KnownRootTerms
    if wanted.existing:
        seen = os.path.relpath(wanted.existing, wanted.beside)
        root = KnownRootTerms(seen, verify(wanted.existing))
        published = root.newest.ceremony.published
    else:
        root = NewRootTerms(wanted.common_name, wanted.key, days["root"], _serial())
        published = None
    if wanted.status_url:
        published = Published.at_home(wanted.status_url, ROOT)
    return write_template(wanted.organisation, wanted.moment, root, asked, wanted.witnesses, profiles, published)


def prepare(path: Path, requests: Path | None) -> Prepared:
    """Read, judge and rehearse a ceremony. Nothing is made; every reason against it is told at once."""
    raw = read_file(path)
    ceremony, given = parse_ceremony(raw), read_requests(requests)
    mine = {due.name: given[due.name] for due in ceremony.certificates if due.name in given}
    if isinstance(ceremony.root, NewRoot):
        stand_in = keys.make(KeyKind(ceremony.root.key))
        return Prepared(ceremony, raw, mine, judge(ceremony, mine, stand_in, throwaway_key))
    folder = path.parent / ceremony.root.folder
    known = verify(folder)
    noticed = judge_history(ceremony, known.history, known.root, known.history.root)
    return Prepared(ceremony, raw, mine, judge(ceremony, mine, known.root, throwaway_key, noticed), known, folder)


def perform(prepared: Prepared, out: Path, networks: Sequence[str], key_folder: Path | None = None) -> Replayed:
    """Make the folder ``out`` and everything in it. The root's key lies in ``key_folder``, else in ``out/keys``."""
    ceremony = prepared.ceremony
    lies = key_folder or (prepared.folder or out) / KEYS
    key = _known_key(lies, prepared.known) if prepared.known else None
    passphrase = _passphrase(lies)
    folder = ResultFolder.make(out, *([KEYS] if lies == out / KEYS else []))
    folder.write(names.FILE, prepared.file)
    for name, request in prepared.requests.items():
        folder.write(names.request_file(name), request)
    folder.tell(transcript.begun(ceremony, prepared.requests, networks, prepared.before))
    for witness in ceremony.witnesses:
        folder.tell(transcript.witnessed(witness, ceremony.phrase))
    reach("ceremony.begun")
    if isinstance(ceremony.root, NewRoot):
        key = Keyring(lies, passphrase).make(ROOT, KeyKind(ceremony.root.key))
    assert key is not None  # noqa: S101 - for the type: a root is either new or known
    folder.tell(transcript.key_ready(ceremony, key.public_key()))
    reach("ceremony.keyed")
    _sign_all(prepared, folder, deterministic(key))
    _end(ceremony, folder, key)
    return verify(out, key_folder=lies)


def verify(
    folder: Path, reviewed: Path | None = None, requests: Path | None = None, key_folder: Path | None = None
) -> Replayed:
    """Make a finished ceremony again and compare every byte; with the key in ``key_folder`` every signature too."""
    found = read_result(folder)
    if reviewed:
        compare_inputs(found, read_file(reviewed), read_requests(requests) if requests else None)
    return replay(found, throwaway_key, _open_key(key_folder) if key_folder else None)


def _sign_all(prepared: Prepared, folder: ResultFolder, key: SigningKey) -> None:
    ceremony = prepared.ceremony
    if isinstance(ceremony.root, KnownRoot):
        assert prepared.known is not None  # noqa: S101 - for the type: prepare found it
        root = prepared.known.root
        folder.write(names.certificate_file(ROOT), to_pem([root]).encode())
    else:
        made = _sign(root_piece(ceremony, ceremony.root, key.public_key()), folder, key)
        root = x509.load_der_x509_certificate(made)
    for piece in pieces_below(ceremony, prepared.keys, root, throwaway_key):
        _sign(piece, folder, key)


def _sign(piece: Piece, folder: ResultFolder, key: SigningKey) -> bytes:
    """Record, sign, keep, record."""
    folder.tell(transcript.intended(piece))
    reach("ceremony.intended")
    der = piece.sign(key)
    reach("ceremony.signed")
    if piece.kind == "certificate":
        folder.write(names.certificate_file(piece.name), to_pem([x509.load_der_x509_certificate(der)]).encode())
    else:
        folder.write(names.LIST, der)
    reach("ceremony.kept")
    folder.tell(transcript.signed(piece, der))
    return der


def _end(ceremony: Ceremony, folder: ResultFolder, key: SigningKey) -> None:
    """The note comes last: where it is missing, nothing is valid."""
    signed = sum(each.line.act.endswith(".signed") for each in folder.entries)
    folder.tell(transcript.ended(signed))
    folder.write(names.TEXT, transcript.for_people(ceremony, folder.entries).encode())
    reach("ceremony.ended")
    folder.write(names.NOTE, transcript.sign_note(ceremony, folder.entries, key).encode())


def _open_key(folder: Path) -> SigningKey:
    if not (folder / f"{ROOT}.pem").exists():
        advice = "It lies where the root was first made; name that folder: --keys FOLDER."
        raise NotFoundError("ceremony.no_key", f"there is no key of a root in {str(folder)[:200]!r}", advice)
    return Keyring(folder, _passphrase(folder)).key(ROOT)


def _known_key(folder: Path, known: Replayed) -> SigningKey:
    key = _open_key(folder)
    if key.public_key() != known.root.public_key():
        cause = f"the key in {str(folder)[:200]!r} is another one than the root's"
        raise RefusedError("ceremony.key", cause, "Name the folder with the root's key: --keys FOLDER.")
    return key


def _passphrase(folder: Path) -> keys.Passphrase:
    """The root's key is never kept beside its passphrase, so none is generated."""
    found = keys.find_passphrase(folder)
    if found is None:
        raise ForbiddenError(
            "passphrase.missing",
            "no passphrase was given for the root's key",
            "Set BOLLARD_PASSPHRASE_FILE to a file with one line of text, on a medium of its own.",
        )
    return found


def _serial() -> CertificateSerial:
    return CertificateSerial.from_random(secrets.token_bytes(SERIAL_BYTES))
