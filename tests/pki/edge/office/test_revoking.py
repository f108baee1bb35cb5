"""Revoking, holding and releasing: recorded, and told to whoever must know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.edge import calls
from pki.edge.keys import KeyKind
from pki.edge.office.authorities import Wanted, certify
from pki.errors import BollardError, ConflictError, InputError, NotFoundError
from pki.holding import Holding
from pki.revocation import Reason
from tests.worlds import WHO, Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk

PAPER = Paper.of(1)


async def issued(desk: Desk) -> calls.CertificateRow:
    """A station's certificate."""
    await desk.ask(PAPER.add, calls.StationAdded)
    return (await desk.ask(PAPER.issue, calls.CertificateIssued)).certificate


async def status(desk: Desk, serial: str) -> str:
    """How a certificate stands."""
    return (await desk.ask(calls.ListCertificates(serial=serial), calls.Certificates)).certificates[0].status


def test_a_hold_is_lifted_or_becomes_final(tmp_path: Path) -> None:
    """Each step has its own entry in the log, and the station's watchers hear of it."""

    async def story(desk: Desk) -> None:
        row = await issued(desk)
        watcher = await desk.office.watch()
        await watcher.next()
        for call, expected in (
            (calls.RevokeCertificate(row.serial, "hold"), "held"),
            (calls.ReleaseCertificate(row.serial), "valid"),
            (calls.RevokeCertificate(row.serial, "hold"), "held"),
            (calls.RevokeCertificate(row.serial, "key_compromise"), "revoked"),
        ):
            await desk.ask(call, calls.Done)
            assert await status(desk, row.serial) == expected
            told = await watcher.next()
            assert isinstance(told, calls.StationChanged)
            assert [each.status for each in told.station.certificates] == [expected]
            assert await watcher.next() == calls.StatusChanged(row.issuer_key_id, row.serial)
        rows = (await desk.ask(calls.ListAudit(limit=4), calls.AuditRows)).rows
        assert [json.loads(each.entry)["act"].removeprefix("certificate.") for each in rows] == [
            "held",
            "released",
            "held",
            "revoked",
        ]
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)  # the rows follow from these entries

    at_the_desk(make_home(tmp_path), story)


def test_what_is_not_in_the_state_for_it_is_a_conflict(tmp_path: Path) -> None:
    """A revoked certificate stays revoked, a held one is not held again, a valid one not released."""

    async def story(desk: Desk) -> None:
        serial = (await issued(desk)).serial
        with pytest.raises(ConflictError, match="not on hold"):
            await desk.ask(calls.ReleaseCertificate(serial), calls.Done)
        await desk.ask(calls.RevokeCertificate(serial, "hold"), calls.Done)
        with pytest.raises(ConflictError, match=r"certificate\.state"):
            await desk.ask(calls.RevokeCertificate(serial, "hold"), calls.Done)
        await desk.ask(calls.RevokeCertificate(serial), calls.Done)
        for call in (calls.RevokeCertificate(serial), calls.RevokeCertificate(serial, "hold")):
            with pytest.raises(ConflictError, match=r"certificate\.state"):
                await desk.ask(call, calls.Done)
        with pytest.raises(ConflictError, match="not on hold"):
            await desk.ask(calls.ReleaseCertificate(serial), calls.Done)

    at_the_desk(make_home(tmp_path), story)


@pytest.mark.parametrize("call", [calls.RevokeCertificate("abcdef"), calls.ReleaseCertificate("abcdef")])
def test_a_serial_we_never_issued_is_an_error(tmp_path: Path, call: calls.Call) -> None:
    """Never a success that changed nothing."""

    async def story(desk: Desk) -> None:
        with pytest.raises(NotFoundError, match=r"certificate\.unknown"):
            await desk.ask(call, calls.Done)
        with pytest.raises(InputError, match=r"revocation\.reason"):
            await desk.ask(calls.RevokeCertificate("abcdef", "removeFromCRL"), calls.Done)

    at_the_desk(make_home(tmp_path), story)


@pytest.mark.parametrize("reason", ["superseded", "unspecified", "cessation_of_operation"])
def test_a_compromise_that_is_learnt_later_is_said_then(tmp_path: Path, reason: str) -> None:
    """The key is closed to new requests, list and answers say the new reason since the first day, and the log proves
    it (RFC 5280 5.3.1)."""

    async def story(desk: Desk) -> tuple[str, str, dict[str, object]]:
        serial = (await issued(desk)).serial
        await desk.ask(calls.RevokeCertificate(serial, reason), calls.Done)
        await desk.ask(PAPER.issue, calls.CertificateIssued)  # the same key, which is still good
        before = await listed(desk, serial)
        watcher = await desk.office.watch()
        await watcher.next()
        done = await desk.ask(calls.RevokeCertificate(serial, "key_compromise"), calls.Done)
        assert isinstance(await watcher.next(), calls.StationChanged)
        assert isinstance(await watcher.next(), calls.StatusChanged)
        with pytest.raises(BollardError, match="compromise"):
            await desk.ask(PAPER.issue, calls.CertificateIssued)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        entry = (await desk.ask(calls.ListAudit(done.audit_index, 1), calls.AuditRows)).rows[0].entry
        return before, await listed(desk, serial), json.loads(entry)["what"]

    before, after, told = at_the_desk(make_home(tmp_path, status=True), story)
    assert after == before.replace(reason, "key_compromise")
    assert (told["reason"], told["before"]) == ("key_compromise", reason)


async def listed(desk: Desk, serial: str) -> str:
    """What the newest list says of a certificate: its reason and since when."""
    await desk.ask(calls.SignCrls("station"), calls.Crls)  # what is due, and no more
    shard = int(serial[-2:], 16) % 32
    der = (await desk.ask(calls.FetchCrl("station", shard), calls.Crl)).der
    entry = x509.load_der_x509_crl(der).get_revoked_certificate_by_serial_number(int(serial, 16))
    assert entry is not None
    try:
        reason = Reason(entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name).value
    except x509.ExtensionNotFound:
        reason = "unspecified"
    return f"{reason} since {entry.revocation_date_utc}"


def test_a_reason_is_never_taken_back(tmp_path: Path) -> None:
    """Once a key is given up, no word makes it good again; and it is given up once."""

    async def story(desk: Desk) -> None:
        serial = (await issued(desk)).serial
        await desk.ask(calls.RevokeCertificate(serial, "key_compromise"), calls.Done)
        for reason in ("superseded", "unspecified", "hold", "key_compromise"):
            with pytest.raises(ConflictError, match=r"certificate\.state"):
                await desk.ask(calls.RevokeCertificate(serial, reason), calls.Done)

    at_the_desk(make_home(tmp_path), story)


def test_no_stations_certificate_is_revoked_for_an_authority_s_compromise(tmp_path: Path) -> None:
    """The reason would leave its key open to new requests (RFC 5280 5.3.1)."""

    async def story(desk: Desk) -> None:
        serial = (await issued(desk)).serial
        with pytest.raises(InputError, match=r"revocation\.reason"):
            await desk.ask(calls.RevokeCertificate(serial, "ca_compromise"), calls.Done)
        assert await status(desk, serial) == "valid"

    at_the_desk(make_home(tmp_path), story)


def test_an_own_certificate_is_revoked_once_another_took_its_place(tmp_path: Path) -> None:
    """The one in use is refused: alone, its revocation would stop every station."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        former = f"{mine.active('station').certificate.serial_number:x}"
        with pytest.raises(ConflictError, match=r"certificate\.own"):
            await desk.ask(calls.RevokeCertificate(former), calls.Done)
        mine.keys.make("station-2", KeyKind.EC_P256)
        wanted = Wanted(Holding("station-2", "station", "station"), "issuing", "root", "Bollard Station CA 2")
        await certify(mine, wanted, WHO)
        await desk.ask(calls.RevokeCertificate(former, "superseded"), calls.Done)
        assert await status(desk, former) == "revoked"

    at_the_desk(make_home(tmp_path), story)
