"""Holds what was signed about certificates, lists and kept OCSP answers, against the certificates' own rows.

The rows follow from the log (``pki.edge.ledger.replay``), so what agrees with them does too. Of a shard's newest list:

* its bytes are those whose digest was recorded before they were signed, with the number of its row;
* every certificate of the shard that is revoked, on hold or abandoned is on it for that reason, or noted as to be
  listed anew (``crl_change``); one that had ended when the list was signed may be left out (RFC 5280 3.3);
* whatever else is on it is noted as to be listed anew.

Lists are read one at a time, so this takes the memory of one shard.
"""

from __future__ import annotations

import hashlib
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509 import ocsp

from pki.edge.clock import stamp
from pki.edge.ledger import answers, crls
from pki.findings import error, refuse_errors
from pki.revocation import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

    from pki.ocsp import Standing

FINDINGS_MOST: Final = 100  # that are named; whoever took a table away needs no list of all its rows


def prove(database: Database) -> None:
    """Compare every newest list and every kept answer; raises ``RefusedError("audit.rows")``, which names the wrong."""
    says = islice(chain(_lists(database), _answers(database)), FINDINGS_MOST)
    refuse_errors(
        [error("audit.list", "", each) for each in says],
        "audit.rows",
        "what was signed about certificates does not follow from the ledger's tables",
        "Keep a copy of ledger.db as it is; 'bollard crl publish --now' signs every list anew from the tables.",
    )


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
    rows = database.execute(
        "SELECT issuer_key_id, serial, tbs_digest, der FROM ocsp_answer WHERE status = 'valid' AND der IS NOT NULL"
    )
    for key, serial, digest, der in rows:
        if not _agrees(answers.standing(database, bytes(key), serial), serial, bytes(digest), bytes(der)):
            yield f"the kept OCSP answer about {serial[:64]} is not the one that was recorded, or not true any more"


def _agrees(standing: Standing | None, serial: str, digest: bytes, der: bytes) -> bool:
    try:
        answer = ocsp.load_der_ocsp_response(der)
        tells = (hashlib.sha256(answer.tbs_response_bytes).digest(), f"{answer.serial_number:x}")
        status, reason = answer.certificate_status, answer.revocation_reason
    except ValueError:
        return False
    if standing is None or tells != (digest, serial):
        return False
    if standing.revoked is None:
        return status is ocsp.OCSPCertStatus.GOOD
    return status is ocsp.OCSPCertStatus.REVOKED and _REASONS[reason] is standing.reason


_REASONS: Final = {None: Reason.UNSPECIFIED} | {reason.flag: reason for reason in Reason}
