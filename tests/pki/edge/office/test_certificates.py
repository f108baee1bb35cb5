"""Stations get the certificate that is due to them and no other; what is revoked stays revoked."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pki.certificate import read_certificates
from pki.chain import Purpose, verify
from pki.edge import calls, clock
from pki.edge.ledger import audit as log
from pki.errors import BollardError, ConflictError, RefusedError
from tests.certs import request
from tests.worlds import ORGANISATION, Paper, at_the_desk, make_home, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

PAPER = Paper.of(1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


async def issued(desk: Desk, paper: Paper = PAPER) -> calls.CertificateIssued:
    """A station with its certificate."""
    await desk.ask(paper.add, calls.StationAdded)
    return await desk.ask(paper.issue, calls.CertificateIssued)


def test_a_station_gets_a_chain_that_verifies_and_names_it(home: Home) -> None:
    """Leaf first, no root; the serial number as common name, our organisation, its own key (A00.FR.509, .511)."""
    answer = at_the_desk(home, issued)
    leaf, *above = read_certificates(answer.chain)
    assert len(above) == 1
    anchor = x509.load_pem_x509_certificate((home.ca / "root.pem").read_bytes())
    verify(leaf, [anchor], above, Purpose.STATION, clock.now())
    assert leaf.public_key() == station_key(1).public_key()
    names = {attribute.oid: attribute.value for attribute in leaf.subject}
    assert names == {NameOID.COMMON_NAME: PAPER.serial, NameOID.ORGANIZATION_NAME: ORGANISATION}


def test_the_ledgers_row_says_what_the_certificate_says(home: Home) -> None:
    """Lists and proxies see the same facts as the station."""
    answer = at_the_desk(home, issued)
    row, leaf = answer.certificate, read_certificates(answer.chain)[0]
    assert (int(row.serial, 16), row.subject, row.issuer) == (
        leaf.serial_number, leaf.subject.rfc4514_string(), leaf.issuer.rfc4514_string(),
    )  # fmt: skip
    assert (row.not_before, row.not_after) == (leaf.not_valid_before_utc, leaf.not_valid_after_utc)
    assert (row.status, row.purpose, row.station) == ("valid", "station", PAPER.identity)


def test_the_days_asked_for_are_the_days_given(home: Home) -> None:
    """Within what the profile allows."""

    async def story(desk: Desk) -> calls.CertificateIssued:
        await desk.ask(PAPER.add, calls.StationAdded)
        with pytest.raises(RefusedError, match=r"plan\.refused"):
            await desk.ask(calls.IssueCertificate(PAPER.identity, PAPER.csr, days=99_999), calls.CertificateIssued)
        return await desk.ask(calls.IssueCertificate(PAPER.identity, PAPER.csr, days=10), calls.CertificateIssued)

    left = at_the_desk(home, story).certificate.not_after - clock.now()
    assert dt.timedelta(days=9) < left <= dt.timedelta(days=10)


def test_a_refused_request_leaves_an_entry_and_no_certificate(home: Home) -> None:
    """Nothing is refused without a record; nothing of the stranger's text is in it."""

    async def story(desk: Desk) -> None:
        await desk.ask(PAPER.add, calls.StationAdded)
        wrong = request(station_key(1), "SN-stranger", ORGANISATION)
        with pytest.raises(RefusedError, match=r"csr\.refused"):
            await desk.ask(calls.IssueCertificate(PAPER.identity, wrong), calls.CertificateIssued)
        entry = (await desk.ask(calls.ListAudit(limit=1), calls.AuditRows)).rows[0].entry
        assert json.loads(entry)["act"] == "certificate.refused"
        assert "SN-stranger" not in entry
        assert (await desk.ask(calls.ListCertificates(PAPER.identity), calls.Certificates)).certificates == ()

    at_the_desk(home, story)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (PAPER.issue, "station.unknown"),
        (calls.IssueCertificate("CP 1", PAPER.csr), "name.identity"),
        (calls.RevokeCertificate("1a"), "certificate.unknown"),
        (calls.RevokeCertificate("xyz"), "name.certificate_serial"),
        (calls.RevokeCertificate("1a", "boredom"), "revocation.reason"),
        (calls.ListCertificates(serial="xyz"), "name.certificate_serial"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(home: Home, call: calls.Call, code: str) -> None:
    """The code is what scripts go by."""

    async def story(desk: Desk) -> None:
        await desk.ask(call, calls.Row)

    with pytest.raises(BollardError) as refused:
        at_the_desk(home, story)
    assert refused.value.code == code


def test_a_disabled_station_gets_nothing(home: Home) -> None:
    """And gets it again once enabled."""

    async def story(desk: Desk) -> None:
        await desk.ask(PAPER.add, calls.StationAdded)
        await desk.ask(calls.SetStationStatus(PAPER.identity, "disabled"), calls.Done)
        with pytest.raises(ConflictError, match=r"station\.disabled"):
            await desk.ask(PAPER.issue, calls.CertificateIssued)
        await desk.ask(calls.SetStationStatus(PAPER.identity, "active"), calls.Done)
        await desk.ask(PAPER.issue, calls.CertificateIssued)

    at_the_desk(home, story)


def test_revoking_is_recorded_once_with_its_reason(home: Home) -> None:
    """A second time is a conflict; the serial is taken however openssl prints it."""

    async def story(desk: Desk) -> dict[str, object]:
        serial = (await issued(desk)).certificate.serial
        spelled = ":".join(serial.upper().rjust(len(serial) + len(serial) % 2, "0")[i : i + 2] for i in range(0, 40, 2))
        done = await desk.ask(calls.RevokeCertificate(spelled, "key_compromise"), calls.Done)
        with pytest.raises(ConflictError, match=r"certificate\.state"):
            await desk.ask(calls.RevokeCertificate(serial), calls.Done)
        rows = (await desk.ask(calls.ListCertificates(status="revoked"), calls.Certificates)).certificates
        assert [row.serial for row in rows] == [serial]
        entry = (await desk.ask(calls.ListAudit(done.audit_index, 1), calls.AuditRows)).rows[0].entry
        return {"serial": serial, **json.loads(entry)["what"]} | {"act": json.loads(entry)["act"]}

    told = at_the_desk(home, story)
    assert told == {
        "serial": told["serial"], "station": PAPER.identity, "reason": "key_compromise", "act": "certificate.revoked",
        "revoked_at": told["revoked_at"],
    }  # fmt: skip


def test_our_own_certificates_are_not_revoked_by_a_slip(home: Home) -> None:
    """Revoked alone, a root or a server certificate would stop every station."""

    async def story(desk: Desk) -> None:
        for row in (await desk.ask(calls.ListCertificates(), calls.Certificates)).certificates:
            with pytest.raises(ConflictError, match=r"certificate\.own"):
                await desk.ask(calls.RevokeCertificate(row.serial), calls.Done)

    at_the_desk(home, story)


def test_fifty_requests_at_once_are_all_answered_with_serials_of_their_own(home: Home) -> None:
    """They share transactions, and nothing else."""

    async def story(desk: Desk) -> list[calls.CertificateIssued]:
        return list(await asyncio.gather(*(issued(desk, Paper.of(number)) for number in range(50))))

    answers = at_the_desk(home, story)
    assert len({answer.certificate.serial for answer in answers}) == 50
    assert len({answer.audit_index for answer in answers}) == 50
    for number, answer in enumerate(answers):
        leaf = read_certificates(answer.chain)[0]
        assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == f"SN-{number:03}"


def test_lists_filter_by_station_and_by_what_ends_soon(home: Home) -> None:
    """What a renewal run asks."""

    async def story(desk: Desk) -> tuple[list[str], int]:
        for number in (1, 2):
            await issued(desk, Paper.of(number))
        mine = await desk.ask(calls.ListCertificates(station="CP-002"), calls.Certificates)
        soon = clock.now() + dt.timedelta(days=30)
        ending = await desk.ask(calls.ListCertificates(expiring_before=soon), calls.Certificates)
        return [row.station for row in mine.certificates], len([row for row in ending.certificates if row.station])

    assert at_the_desk(home, story) == (["CP-002"], 0)


@pytest.mark.parametrize(("reason", "findings"), [("key_compromise", {"csr.compromised"}), ("superseded", set[str]())])
def test_a_compromised_key_is_certified_for_nobody_again(home: Home, reason: str, findings: set[str]) -> None:
    """Not for the same station and not for another; a key that was merely replaced is as good as before."""
    other = request(station_key(1), "SN-009", ORGANISATION)

    async def story(desk: Desk) -> set[str]:
        serial = (await issued(desk)).certificate.serial
        await desk.ask(calls.RevokeCertificate(serial, reason), calls.Done)
        await desk.ask(calls.AddStation("CP-009", "SN-009", 3), calls.StationAdded)
        try:
            await desk.ask(calls.IssueCertificate("CP-009", other), calls.CertificateIssued)
        except RefusedError as refused:
            return {finding.code for finding in refused.findings}
        return set()

    assert at_the_desk(home, story) == findings


@pytest.mark.parametrize("held", [False, True], ids=["valid", "on hold"])
def test_a_key_is_certified_for_one_station_alone(home: Home, *, held: bool) -> None:
    """A00.FR.427: whoever has the key of another could pass for it; its own station may renew with it."""
    other = request(station_key(1), "SN-009", ORGANISATION)

    async def story(desk: Desk) -> tuple[set[str], str]:
        serial = (await issued(desk)).certificate.serial
        await desk.ask(PAPER.issue, calls.CertificateIssued)
        if held:
            await desk.ask(calls.RevokeCertificate(serial, "certificate_hold"), calls.Done)
        await desk.ask(calls.AddStation("CP-009", "SN-009", 3), calls.StationAdded)
        with pytest.raises(RefusedError) as refused:
            await desk.ask(calls.IssueCertificate("CP-009", other), calls.CertificateIssued)
        rows = (await desk.ask(calls.ListAudit(refused_at(desk), 1), calls.AuditRows)).rows
        return {finding.code for finding in refused.value.findings}, json.loads(rows[0].entry)["act"]

    def refused_at(desk: Desk) -> int:
        return desk.office._desk.ledger.glance(log.edge).size - 1

    assert at_the_desk(home, story) == ({"csr.key_taken"}, "certificate.refused")


def test_two_stations_that_ask_at_once_with_one_key_get_one_certificate(home: Home) -> None:
    """The key is looked at again in the transaction that records the intention."""
    other = request(station_key(1), "SN-009", ORGANISATION)

    async def story(desk: Desk) -> list[str]:
        await desk.ask(PAPER.add, calls.StationAdded)
        await desk.ask(calls.AddStation("CP-009", "SN-009", 3), calls.StationAdded)
        asked = (PAPER.issue, calls.IssueCertificate("CP-009", other))
        ended = await asyncio.gather(
            *(desk.ask(call, calls.CertificateIssued) for call in asked), return_exceptions=True
        )
        return sorted(type(each).__name__ for each in ended)

    assert at_the_desk(home, story) == ["CertificateIssued", "RefusedError"]


@pytest.mark.parametrize("name", ["station", "root", "server-ecdsa"])
def test_no_station_gets_a_certificate_for_a_key_of_ours(home: Home, name: str) -> None:
    """Whoever could sign such a request has that key."""

    async def story(desk: Desk) -> set[str]:
        await desk.ask(PAPER.add, calls.StationAdded)
        own = desk.office._desk.keys.key(name)
        assert isinstance(own, ec.EllipticCurvePrivateKey)
        ours = request(own, PAPER.serial, ORGANISATION)
        with pytest.raises(RefusedError) as refused:
            await desk.ask(calls.IssueCertificate(PAPER.identity, ours), calls.CertificateIssued)
        return {finding.code for finding in refused.value.findings}

    assert at_the_desk(home, story) == {"csr.key_taken"}


@pytest.mark.parametrize("days", [10**12, -1])
def test_days_beyond_the_calendar_are_refused_like_any_others(home: Home, days: int) -> None:
    """A finding, not an accident."""

    async def story(desk: Desk) -> list[str]:
        await desk.ask(PAPER.add, calls.StationAdded)
        with pytest.raises(RefusedError) as refused:
            await desk.ask(calls.IssueCertificate(PAPER.identity, PAPER.csr, days), calls.CertificateIssued)
        return [finding.code for finding in refused.value.findings]

    assert "plan.days" in at_the_desk(home, story)
