"""Holds what was signed about certificates, lists and kept OCSP answers, against the certificates' own rows.

The rows follow from the log (``pki.edge.ledger.replay``), so what agrees with them does too. Of a shard's newest list:

* its bytes are those whose digest was recorded before they were signed, with the number of its row;
* every certificate of the shard that is revoked, on hold or abandoned is on it for that reason, or noted as to be
  listed anew (``crl_change``); one that had ended when the list was signed may be left out (RFC 5280 3.3);
* whatever else is on it is noted as to be listed anew.

A kept answer must be the one that its row was written for, true, and signed by one whom the authority named for that.

Lists are read one at a time, so this takes the memory of one shard.
"""

from __future__ import annotations

import hashlib
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.edge.clock import stamp
from pki.edge.ledger import answers, crls
from pki.findings import error, refuse_errors
from pki.revocation import Reason
from pki.services import named_shard
from pki.signature import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
    from sqlite_utils import Database

    from pki.ocsp import Standing

LOOKED_AT: Final = 64  # certificates of each issuer, the newest: half of them would tell of twice as many lists
CERT_ID_LEAST: Final = (
    50  # bytes of a CertID in DER, whose two hashes have 40 at least; so it is no chance that finds it
)
FINDINGS_MOST: Final = 100  # that are named; whoever took a table away needs no list of all its rows


def prove(database: Database) -> None:
    """Compare every newest list and every kept answer; raises ``RefusedError("audit.rows")``, which names the wrong."""
    says = islice(chain(_cuts(database), _lists(database), _answers(database)), FINDINGS_MOST)
    refuse_errors(
        [error("audit.list", "", each) for each in says],
        "audit.rows",
        "what was signed about certificates does not follow from the ledger's tables",
        "Keep a copy of ledger.db as it is; 'bollard crl publish --now' signs every list anew from the tables.",
    )


def _cuts(database: Database) -> Iterator[str]:
    """Into how many lists an issuer's is cut stands in each certificate that says where it would be listed."""
    for key, shards in database.execute("SELECT issuer_key_id, shards FROM crl_scope").fetchall():
        newest = database.execute(
            "SELECT der FROM certificate WHERE der IS NOT NULL AND id IN"
            " (SELECT id FROM certificate WHERE issuer_key_id = :key ORDER BY id DESC LIMIT :most)",
            {"key": key, "most": LOOKED_AT},
        )
        if not all(_is_cut(bytes(der), shards) for (der,) in newest):
            yield f"the lists of the key {bytes(key).hex()[:16]} are cut into {shards}, and certificates say otherwise"


def _is_cut(der: bytes, shards: int) -> bool:
    try:
        certificate = x509.load_der_x509_certificate(der)
        return named_shard(certificate) in {None, certificate.serial_number % shards}
    except ValueError:
        return True  # what cannot be read was told already


def _lists(database: Database) -> Iterator[str]:
    for row in crls.valid(database):
        der, digest = database.execute("SELECT der, tbs_digest FROM crl WHERE id = ?", [row.id]).fetchone()
        for says in _list(database, row, bytes(der), bytes(digest)):
            yield f"list {row.number} of shard {row.shard} of the key {row.issuer_key_id.hex()[:16]} {says}"


def _list(database: Database, row: crls.Listed, der: bytes, digest: bytes) -> Iterator[str]:
    try:
        signed = x509.load_der_x509_crl(der)
        number = signed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (ValueError, x509.ExtensionNotFound):
        yield "cannot be read"
        return
    if hashlib.sha256(signed.tbs_certlist_bytes).digest() != digest or number != row.number:
        yield "is not the one that was recorded before it was signed"
    shards = crls.shards(database, row.issuer_key_id)
    if row.shard != crls.ALL and not shards:
        yield "is a shard, yet into how many its issuer's list is cut is gone"
    elif row.shard != crls.ALL:
        yield from _entries(database, row, shards, {entry.serial_number: _reason(entry) for entry in signed})


def _entries(database: Database, row: crls.Listed, shards: int, listed: dict[int, Reason]) -> Iterator[str]:
    pending = crls.pending(database, row.issuer_key_id, row.shard, shards)
    for revoked in crls.entries(database, row.issuer_key_id, row.shard, shards, stamp(row.this_update)):
        on_it = listed.pop(revoked.serial, None)
        if on_it is not revoked.reason and revoked.serial not in pending:
            says = "lacks" if on_it is None else f"says {on_it.value} of"
            yield f"{says} {revoked.serial:x}, which is gone for {revoked.reason.value}, and nothing says it is to come"
    gone = {each.serial for each in crls.entries(database, row.issuer_key_id, row.shard, shards, "")} if listed else ()
    for serial in listed:
        if serial not in gone and serial not in pending:
            yield f"holds {serial:x}, which is not revoked, and nothing says it is to be taken off"


def _reason(entry: x509.RevokedCertificate) -> Reason:
    """Read why a certificate is on a list; RFC 5280 5.3.1 leaves an unspecified reason out."""
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return Reason.UNSPECIFIED
    return _REASONS[flag]


def _answers(database: Database) -> Iterator[str]:
    known: dict[tuple[bytes, bytes], CertificatePublicKeyTypes | None] = {}
    rows = database.execute(
        "SELECT issuer_key_id, serial, coalesce(cert_id, x''), this_update, next_update, tbs_digest, der"
        " FROM ocsp_answer WHERE status = 'valid' AND der IS NOT NULL"
    )
    for row in map(_Kept._make, rows):
        if not _agrees(database, row, known):
            yield f"the kept OCSP answer about {row.serial[:64]} is not the one that was recorded, or not true any more"


class _Kept(NamedTuple):
    """A kept answer, as its row says: what it is about, what it is found by, how long it holds, and its bytes."""

    key: bytes
    serial: str
    cert_id: bytes
    this_update: str
    next_update: str
    digest: bytes
    der: bytes


def _agrees(database: Database, row: _Kept, known: dict[tuple[bytes, bytes], CertificatePublicKeyTypes | None]) -> bool:
    """Tell whether the bytes are what the row says, true, and signed by one whom the authority named for that."""
    standing = answers.standing(database, row.key, row.serial)
    try:
        answer = ocsp.load_der_ocsp_response(row.der)
        times = (answer.this_update_utc, answer.next_update_utc or answer.this_update_utc)
        signer = _signer(database, row.key, answer.certificates[0], known)
        if signer is None or standing is None or not _is_so(answer, standing):
            return False
        verify(signer, answer.signature, answer.tbs_response_bytes)
    except (ValueError, IndexError, InvalidSignature):
        return False
    digest = hashlib.sha256(answer.tbs_response_bytes).digest()
    told = (digest, f"{answer.serial_number:x}", *map(stamp, times))
    is_told = told == (row.digest, row.serial, row.this_update, row.next_update)
    return is_told and len(row.cert_id) >= CERT_ID_LEAST and row.cert_id in row.der


def _is_so(answer: ocsp.OCSPResponse, standing: Standing) -> bool:
    if standing.revoked is None:
        return answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    is_revoked = answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    return is_revoked and _REASONS[answer.revocation_reason] is standing.reason


def _signer(
    database: Database,
    issuer: bytes,
    certificate: x509.Certificate,
    known: dict[tuple[bytes, bytes], CertificatePublicKeyTypes | None],
) -> CertificatePublicKeyTypes | None:
    """Return the key of one that may answer for this authority: the ledger has that very certificate for it."""
    der = certificate.public_bytes(Encoding.DER)
    if (issuer, der) not in known:
        found = database.execute(
            "SELECT der FROM certificate WHERE issuer_key_id = :issuer AND serial = :serial AND purpose = 'ocsp'",
            {"issuer": issuer, "serial": f"{certificate.serial_number:x}"},
        ).fetchone()
        known[issuer, der] = certificate.public_key() if found is not None and found[0] == der else None
    return known[issuer, der]


_REASONS: Final = {None: Reason.UNSPECIFIED} | {reason.flag: reason for reason in Reason}
