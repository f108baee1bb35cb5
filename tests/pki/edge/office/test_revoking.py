"""Revoking, holding and releasing: recorded, and told to whoever must know."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
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


async def authority(desk: Desk, reason: str, name: str = "station") -> calls.Done:
    """Revoke one of our own authorities, or put it on hold."""
    return await desk.ask(calls.RevokeCertificate(desk.office._desk.mine(name).serial, reason, True), calls.Done)


async def successor(desk: Desk, slot: str = "station", *, active: bool = True) -> str:
    """Make the next authority of a slot and take it into use."""
    name = (await desk.ask(calls.RollOver(slot), calls.RolledOver)).issuer.name
    if active:
        await desk.ask(calls.ActivateIssuer(name), calls.Activated)
    return name


@pytest.mark.parametrize(("reason", "code"), [("ca_compromise", "revoked"), ("hold", "held")])
def test_a_former_authority_that_has_fallen_never_comes_back(tmp_path: Path, reason: str, code: str) -> None:
    """Not by activating it, and after a restart neither."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> None:
        await successor(desk)
        await authority(desk, reason)
        with pytest.raises(ConflictError, match=rf"issuer\.{code}"):
            await desk.ask(calls.ActivateIssuer("station"), calls.Activated)

    async def after(desk: Desk) -> None:
        with pytest.raises(ConflictError, match=rf"issuer\.{code}"):
            await desk.ask(calls.ActivateIssuer("station"), calls.Activated)

    at_the_desk(home, story)
    at_the_desk(home, after)


@pytest.mark.parametrize(("reason", "state"), [("ca_compromise", "revoked"), ("hold", "held")])
def test_an_authority_in_use_falls_at_once_where_that_is_spelled_out(tmp_path: Path, reason: str, state: str) -> None:
    """It signs nothing more, proxies hear how it stands, the log tells of it, and the refusal names the way on."""

    async def story(desk: Desk) -> None:
        await issued(desk)
        watcher = await desk.office.watch()
        await watcher.next()
        await authority(desk, reason)
        told = await watcher.next()
        assert isinstance(told, calls.TrustChanged)
        assert {row.name: row.state for row in told.issuers}["station"] == state
        with pytest.raises(ConflictError, match=rf"issuer\.{state}") as refused:
            await desk.ask(PAPER.issue, calls.CertificateIssued)
        assert "bollard ca rollover station, then bollard ca activate" in refused.value.advice
        assert await successor(desk) == "station-2"
        answer = await desk.ask(PAPER.issue, calls.CertificateIssued)
        assert answer.certificate.issuer == "CN=Bollard Station CA 2,O=Example Charging"
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(make_home(tmp_path), story)


def test_a_slip_revokes_no_authority_in_use(tmp_path: Path) -> None:
    """Unless it is spelled out, the refusal names what to do instead: each purpose has its own command."""

    async def story(desk: Desk) -> dict[str, str]:
        await desk.ask(calls.RollOver("root"), calls.RolledOver)
        told = {}
        for name in ("station", "root", "root-2-link", "server-rsa", "ocsp"):
            call = calls.RevokeCertificate(desk.office._desk.mine(name).serial, authority=name != "station")
            with pytest.raises(ConflictError, match=r"certificate\.own") as refused:
                await desk.ask(call, calls.Done)
            told[name] = refused.value.advice
        return told

    told = at_the_desk(make_home(tmp_path), story)
    assert "bollard ca rollover station" in told["station"]
    assert "--authority" in told["station"]
    assert "bollard ca rollover root; then bollard ca retire root" in told["root"]
    assert "bollard ca retire root-2-link" in told["root-2-link"]
    assert "bollard rotate --now server" in told["server-rsa"]
    assert "bollard rotate --now ocsp" in told["ocsp"]


def test_a_hold_that_is_lifted_leaves_all_as_it_was(tmp_path: Path) -> None:
    """The authority in use is in use again."""

    async def story(desk: Desk) -> None:
        await desk.ask(PAPER.add, calls.StationAdded)
        await authority(desk, "hold")
        await desk.ask(calls.ReleaseCertificate(desk.office._desk.mine("station").serial), calls.Done)
        await desk.ask(PAPER.issue, calls.CertificateIssued)

    at_the_desk(make_home(tmp_path), story)


def test_nothing_is_signed_below_an_authority_that_has_fallen(tmp_path: Path) -> None:
    """A hierarchy ends where it is cut: with Sub-CA 1 gone, Sub-CA 2 signs nothing either."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.CreateIssuer("v2g", "v2g", edition="2"), calls.IssuersCreated)
        await authority(desk, "ca_compromise", "v2g-sub1")
        with pytest.raises(ConflictError, match=r"issuer\.revoked.*'v2g-sub1', above 'v2g-sub2'") as refused:
            desk.office._desk.active("v2g-sub2-2")
        assert "bollard ca create NAME --purpose v2g --edition 2" in refused.value.advice

    at_the_desk(make_home(tmp_path), story)


def test_an_authority_that_falls_while_it_signs_has_signed_nothing(tmp_path: Path) -> None:
    """What was planned before the revocation and would be recorded after it is refused by the ledger itself."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        mine.keys.make("late", KeyKind.EC_P256)
        late = Wanted(Holding("late", "late", "ocsp"), "ocsp", "station", "Late")
        signing = asyncio.ensure_future(certify(mine, late, WHO))
        asked = asyncio.ensure_future(authority(desk, "ca_compromise"))
        await asyncio.wait({signing, asked})
        if signing.exception() is None:  # the signature was recorded first
            await certify(mine, replace(late, holding=Holding("later", "later", "ocsp"), key="late"), WHO)

    with pytest.raises(ConflictError, match=r"issuer\.fallen"):
        at_the_desk(make_home(tmp_path), story)


def test_what_was_revoked_is_let_go_though_certificates_stand_below_it(tmp_path: Path) -> None:
    """They count no more, so nobody needs it."""

    async def story(desk: Desk) -> None:
        await issued(desk)
        await authority(desk, "ca_compromise")
        await desk.ask(calls.RetireIssuer("station"), calls.Done)
        assert "station" not in {row.name for row in (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers}
        assert await successor(desk) == "station-2"
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(make_home(tmp_path), story)
