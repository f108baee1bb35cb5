"""The order of things when a certificate comes to be, as the ledger shows it from outside."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki import issue as signing
from pki.edge import calls, keys
from pki.edge.keys import KeyKind
from pki.edge.ledger import stations
from pki.edge.migrations import key_of_row
from pki.errors import BollardError, NotFoundError, RefusedError
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from pki.lint import Approved
    from pki.strength import SigningKey
    from tests.worlds import Desk


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def rows(home: Home) -> list[tuple[str, bytes, bytes | None]]:
    """What the ledger holds of station certificates: status, the bytes to sign, the signed bytes."""
    ledger = sqlite3.connect(home.ledger)
    found = ledger.execute("SELECT status, tbs, der FROM certificate WHERE station IS NOT NULL").fetchall()
    ledger.close()
    return found


def test_the_bytes_recorded_before_are_the_bytes_signed_after(home: Home) -> None:
    """The record is not a description: it is the certificate but for its signature."""

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(Paper.of(1).issue, calls.CertificateIssued)

    at_the_desk(home, story)
    [(status, tbs, der)] = rows(home)
    assert status == "valid"
    assert der is not None
    assert x509.load_der_x509_certificate(der).tbs_certificate_bytes == tbs


def test_a_row_is_of_the_key_in_its_bytes(home: Home) -> None:
    """Whether a key was given up, and whose it is, is asked by that name: it is the one that the bytes say."""

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(Paper.of(1).issue, calls.CertificateIssued)

    at_the_desk(home, story)
    ledger = sqlite3.connect(home.ledger)
    found = ledger.execute("SELECT tbs, certified_key FROM certificate").fetchall()
    ledger.close()
    assert len(found) > 1
    assert all(key == key_of_row(tbs) for tbs, key in found)


def test_a_signature_that_fails_leaves_an_abandoned_row_at_once(home: Home) -> None:
    """Somebody put another key in the station authority's place: nothing is handed out, and the log tells of it."""
    (home.keys / "station.pem").unlink()
    passphrase = keys.read_passphrase(home.keys)
    keys.save(home.keys / "station.pem", keys.make(KeyKind.EC_P256), passphrase)

    async def story(desk: Desk) -> str:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        with pytest.raises(RefusedError, match=r"issue\.key"):
            await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        return (await desk.ask(calls.ListAudit(limit=1), calls.AuditRows)).rows[0].entry

    assert '"act":"certificate.abandoned"' in at_the_desk(home, story)
    [(status, _, der)] = rows(home)
    assert (status, der) == ("abandoned", None)


def test_a_station_that_was_removed_meanwhile_gets_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the record and its signature: what was intended is abandoned, and the authority opens again."""

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)

        def sign(approved: Approved, key: SigningKey) -> signing.Issued:
            stations.remove(desk.office._desk.ledger._writer, "CP-001", "SN-001 (removed)")
            return real(approved, key)

        real = signing.sign
        monkeypatch.setattr(signing, "sign", sign)
        with pytest.raises(NotFoundError, match=r"station\.unknown"):
            await desk.ask(Paper.of(1).issue, calls.CertificateIssued)

    at_the_desk(home, story)
    [(status, _, der)] = rows(home)
    assert (status, der) == ("abandoned", None)


def test_no_record_no_signature(home: Home) -> None:
    """With a disk that takes no more, issuing stops before the key is used."""

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.fill_disk()
        with pytest.raises(BollardError, match=r"ledger\.full"):
            await desk.until_refused(Paper.of(1).issue)
        await desk.free_disk()

    at_the_desk(home, story)
    assert all((status == "valid") == (der is not None) for status, _, der in rows(home))
