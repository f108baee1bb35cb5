"""Makes a finished ceremony again, without any key, and compares every byte; with the key, every signature too.

The inputs are the reviewed file, the requests and the public keys. Of the transcript, the times and the networks that
were seen are taken as told; everything else in it, and every file, must come out the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from pki.ceremony import transcript
from pki.ceremony.file import parse_ceremony
from pki.ceremony.history import Before, after, judge_history
from pki.ceremony.pieces import pieces_below, root_piece
from pki.ceremony.requests import read_keys
from pki.ceremony.result import FILE, LIST, NOTE, TEXT, TRANSCRIPT, Result, certificate_file, request_file
from pki.ceremony.signing import deterministic
from pki.ceremony.terms import ROOT, Ceremony, NewRoot
from pki.ceremony.transcript import Entry, Line, refused
from pki.certificate import read_certificates, to_pem
from pki.errors import ConflictError, InputError
from pki.findings import Finding, error, refuse_errors
from pki.strength import kind_of
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pki.ceremony.pieces import Piece, Twin
    from pki.strength import SigningKey

_ADVICE = "Use nothing of it; find out who changed what, or hold the ceremony again."


@dataclass(frozen=True, slots=True)
class Replayed:
    """Evidence: every byte of the folder follows from its inputs, and every signature is the root's."""

    ceremony: Ceremony
    digest: str
    """The transcript's digest, in hex."""
    root: x509.Certificate
    certificates: Mapping[str, x509.Certificate]
    """What the root signed, by name."""
    crl: bytes
    networks: tuple[str, ...]
    history: Before
    """What the next ceremony of this root will know."""
    entries: int


@dataclass(frozen=True, slots=True)
class _Told:
    """What only the transcript can tell."""

    networks: tuple[str, ...]
    before: Before | None


@dataclass(slots=True)
class _Remade:
    """What has come out so far, and what differs."""

    lines: list[Line] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)


def replay(result: Result, twin: Twin, key: SigningKey | None = None) -> Replayed:
    """Make it again. Raises ``RefusedError("ceremony.replay")`` with every difference.

    ``twin`` gives a throw-away key of a public key's kind, for the list; with ``key``, the root's, each signature is
    made again.
    """
    entries = transcript.read_entries(result.transcript)
    _refuse_unfinished(result, entries)
    _refuse_other_file(result, entries[0])
    ceremony, told = parse_ceremony(result.file), _read_told(entries[0])
    root = _read_root(result, ceremony)
    transcript.open_note(_text(result.note), ceremony, entries, root.public_key())
    _refuse(_examine_files(result, ceremony))
    keys, findings = read_keys(ceremony, result.requests)
    _refuse(findings)
    remade = _Remade()
    for piece in [*_root_pieces(ceremony, root), *pieces_below(ceremony, keys, root, twin)]:
        _remake(piece, result, root, key, remade)
    differing = _examine_entries(entries, _expected(ceremony, result, told, root, remade.lines))
    _refuse([*remade.findings, *differing, *_examine_rest(result, ceremony, entries, told.before, root, key)])
    digest = transcript.digest_of(entries)
    history = after(ceremony, told.before, digest, _sha256(root))
    remade.certificates.pop(ROOT, None)
    return Replayed(ceremony, digest, root, remade.certificates, result.crl, told.networks, history, len(entries))


def compare_inputs(result: Result, reviewed: bytes, requests: Mapping[str, bytes] | None) -> None:
    """Compare the inputs that lie in the folder with those that the verifier holds. Raises ``RefusedError``."""
    found = []
    if reviewed != result.file:
        ours, theirs = (hashlib.sha256(each).hexdigest() for each in (reviewed, result.file))
        found.append(_differs(FILE, f"its SHA-256 is {theirs}, that of the file given is {ours}"))
    for name, content in result.requests.items() if requests is not None else ():
        if requests is not None and requests.get(name) != content:
            found.append(_differs(request_file(name), "it is not the request given"))
    _refuse(found)


def _refuse_unfinished(result: Result, entries: Sequence[Entry]) -> None:
    if not result.note:
        last = entries[-1]
        raise ConflictError(
            "ceremony.unfinished",
            f"the ceremony ended early; its last entry is {last.index}, {last.line.act} of {last.line.who[:64]!r}",
            "Nothing of it is valid. Keep the folder as evidence and hold the ceremony again, in a new folder.",
        )


def _refuse_other_file(result: Result, first: Entry) -> None:
    digest = hashlib.sha256(result.file).hexdigest()
    if first.line.what.get("file") != digest:
        raise refused(f"it is of another file than the one beside it, whose SHA-256 is {digest}")


def _read_told(first: Entry) -> _Told:
    what = {name: first.line.what.get(name) for name in ("networks", "before")}
    try:
        return msgspec.convert(what, _Told)
    except msgspec.ValidationError:
        raise refused("its first entry does not tell what it should") from None


def _read_root(result: Result, ceremony: Ceremony) -> x509.Certificate:
    found, wrong = _read_certificate(result, ROOT)
    if found is None:
        raise refused(f"{certificate_file(ROOT)}: {wrong}")
    try:
        found.verify_directly_issued_by(found)
    except (InvalidSignature, *UNREADABLE):
        raise refused("the root's certificate is not signed by its own key") from None
    if isinstance(ceremony.root, NewRoot) and kind_of(found.public_key()) != ceremony.root.key:
        raise refused(f"the root's key is not of the kind {ceremony.root.key} that the file names")
    return found


def _read_certificate(result: Result, name: str) -> tuple[x509.Certificate | None, str]:
    """Read one file in the one form that we write; where it is not, say what is wrong with it."""
    raw = result.certificate(name)
    if not raw:
        return None, "it is missing, or empty"
    try:
        found = read_certificates(raw)
    except InputError as problem:
        return None, problem.cause[:120]
    if to_pem(found[:1]).encode() != raw:
        return None, "it is not in the one form that certificates have here"
    return found[0], ""


def _examine_files(result: Result, ceremony: Ceremony) -> list[Finding]:
    names = [due.name for due in ceremony.certificates]
    due = {FILE, TRANSCRIPT, NOTE, TEXT, LIST, *map(certificate_file, [ROOT, *names]), *map(request_file, names)}
    missing = [_differs(name, "it is missing") for name in sorted(due - set(result.files))]
    return missing + [_differs(name, "nothing in the file asks for it") for name in sorted(set(result.files) - due)]


def _root_pieces(ceremony: Ceremony, root: x509.Certificate) -> Iterator[Piece]:
    if isinstance(ceremony.root, NewRoot):
        yield root_piece(ceremony, ceremony.root, root.public_key())


def _remake(piece: Piece, result: Result, root: x509.Certificate, key: SigningKey | None, remade: _Remade) -> None:
    """Compare one piece with what lies in the folder: its bytes, its signature, and with the key both at once."""
    der, where = result.crl, LIST
    if piece.kind == "certificate":
        where = certificate_file(piece.name)
        found, wrong = _read_certificate(result, piece.name)
        if found is None:
            remade.findings.append(_differs(where, wrong))
            return
        remade.certificates[piece.name] = found
        der = found.public_bytes(Encoding.DER)
    says = _certificate_differs(der, piece, root) if piece.kind == "certificate" else _list_differs(der, piece, root)
    if not says and key is not None and piece.sign(deterministic(key)) != der:
        says = "its signature is not the one that the root's key makes"
    if says:
        remade.findings.append(_differs(where, says))
    remade.lines += [transcript.intended(piece), transcript.signed(piece, der)]


def _certificate_differs(der: bytes, piece: Piece, root: x509.Certificate) -> str:
    found = x509.load_der_x509_certificate(der)
    if found.tbs_certificate_bytes != piece.tbs:
        return "it is not the certificate that follows from the file"
    try:
        found.verify_directly_issued_by(root)
    except (InvalidSignature, *UNREADABLE):
        return "its signature is not the root's"
    return ""


def _list_differs(der: bytes, piece: Piece, root: x509.Certificate) -> str:
    try:
        found = x509.load_der_x509_crl(der)
    except UNREADABLE:
        return "it is no revocation list"
    if found.tbs_certlist_bytes != piece.tbs or found.public_bytes(Encoding.DER) != der:
        return "it is not the list that follows from the file"
    if not found.is_signature_valid(root.public_key()):  # type: ignore[arg-type] # a kind that signs, as the note shows
        return "its signature is not the root's"
    return ""


def _expected(
    ceremony: Ceremony, result: Result, told: _Told, root: x509.Certificate, lines: Sequence[Line]
) -> list[Line]:
    return [
        transcript.begun(ceremony, result.requests, told.networks, told.before),
        *(transcript.witnessed(each, ceremony.phrase) for each in ceremony.witnesses),
        transcript.key_ready(ceremony, root.public_key()),
        *lines,
        transcript.ended(len(lines) // 2),
    ]


def _examine_entries(entries: Sequence[Entry], expected: Sequence[Line]) -> Iterator[Finding]:
    if len(entries) != len(expected):
        yield _differs(TRANSCRIPT, f"it has {len(entries)} entries; {len(expected)} follow from the file")
    for entry, line in zip(entries, expected, strict=False):
        if Entry.write(entry.index, entry.at, line).raw != entry.raw:
            yield _differs(TRANSCRIPT, f"entry {entry.index}, {entry.line.act[:40]!r}, does not follow from the file")


def _examine_rest(
    result: Result,
    ceremony: Ceremony,
    entries: Sequence[Entry],
    before: Before | None,
    root: x509.Certificate,
    key: SigningKey | None,
) -> Iterator[Finding]:
    """The log's own bytes, its end, its printed form, and its place among the ceremonies of the root."""
    yield from judge_history(ceremony, before, root, _sha256(root))
    if transcript.write_entries(entries) != result.transcript:
        yield _differs(TRANSCRIPT, "something follows its last entry")
    if transcript.for_people(ceremony, entries).encode() != result.text:
        yield _differs(TEXT, "it does not say what the transcript says")
    if key is not None and transcript.sign_note(ceremony, entries, key).encode() != result.note:
        yield _differs(NOTE, "its signature is not the one that the root's key makes")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise refused("its note is no text") from None


def _sha256(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _differs(name: str, says: str) -> Finding:
    return error("ceremony.differs", "RFC 6962 2.1" if name == TRANSCRIPT else "", f"{name}: {says}")


def _refuse(findings: Sequence[Finding]) -> None:
    refuse_errors(findings, "ceremony.replay", "the ceremony's result", _ADVICE)
