"""Certificates in the ledger that an authority of others issued on our request, with the chain that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pki.edge import store
from pki.edge.ledger import certificates

if TYPE_CHECKING:
    from sqlite_utils import Database

    from pki.edge.calls import CertificateRow


class _Received(msgspec.Struct, frozen=True):
    serial: str
    chain: str


def keep(
    database: Database, row: CertificateRow, parts: tuple[bytes, bytes], origin: tuple[str, bytes], chain: str
) -> None:
    """Keep a certificate that was received as valid. ``parts`` are its to-be-signed bytes and its DER, ``origin`` the
    issuer's name in the settings and the id of its key (32 bytes), ``chain`` what is handed out in PEM."""
    number = certificates.intend(database, row, parts[0])
    certificates.seal(database, number, parts[1])
    store.change(
        database,
        "INSERT INTO external_chain (certificate, issuer, key_id, chain) VALUES (:number, :issuer, :key_id, :chain)",
        {"number": number, "issuer": origin[0], "key_id": origin[1], "chain": chain},
    )


def find(database: Database, station: str, issuer: str, key_id: bytes) -> tuple[CertificateRow, str] | None:
    """Return the newest certificate that an issuer gave a station for a key and that still holds, with its chain."""
    found = store.rows(
        database,
        _Received,
        "SELECT serial, chain FROM external_chain JOIN certificate ON certificate = certificate.id"
        " WHERE station = :station AND external_chain.issuer = :issuer AND key_id = :key_id AND status = 'valid'"
        " ORDER BY certificate.id DESC LIMIT 1",
        {"station": station, "issuer": issuer, "key_id": key_id},
    )
    if not found:
        return None
    return certificates.listed(database, station=station, serial=found[0].serial)[0], found[0].chain
