"""Stations get their certificate over EST by a token, their maker's certificate, or ours; nobody else gets anything."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import key_id, to_pem
from pki.edge import calls
from pki.edge.ledger import anchors
from pki.edge.office import enrolment
from pki.errors import BollardError, ForbiddenError, RefusedError
from pki.token import TRIES_MOST
from tests.certs import DAY, NOW, Party, request
from tests.pki.edge.office.enrolments import MAKER, body, by_certificate, by_token, enrolled, home_with, token_of
from tests.worlds import ORGANISATION, at_the_desk, make_home, station_key

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


async def refusal(desk: Desk, call: calls.Call) -> BollardError:
    """Ask, and be refused."""
    with pytest.raises(BollardError) as refused:
        await desk.ask(call, calls.Row)
    return refused.value


async def entries(desk: Desk) -> str:
    """The whole log as text."""
    rows = (await desk.ask(calls.ListAudit(first=0, limit=1000), calls.AuditRows)).rows
    return "\n".join(row.entry for row in rows)


def test_a_token_gives_one_certificate_for_the_key_that_asked(home: Home) -> None:
    """The names are ours, the ledger lists it, the log says by which way and from where it was asked for."""

    async def story(desk: Desk) -> tuple[x509.Certificate, str]:
        token = await token_of(desk)
        certificate = await enrolled(desk, by_token(token, body(key=station_key(7))))
        rows = (await desk.ask(calls.ListCertificates("CP-001", "valid"), calls.Certificates)).certificates
        assert [int(row.serial, 16) for row in rows] == [certificate.serial_number]
        return certificate, await entries(desk)

    certificate, log = at_the_desk(home, story)
    assert certificate.public_key() == station_key(7).public_key()
    assert certificate.subject.rfc4514_string() == f"CN=SN-001,O={ORGANISATION}"
    assert "CP-001 by token from '192.0.2.7', told by tester" in log


def test_a_token_is_good_once(home: Home) -> None:
    """Whoever finds the paper afterwards has nothing."""

    async def story(desk: Desk) -> BollardError:
        token = await token_of(desk)
        await enrolled(desk, by_token(token, body()))
        return await refusal(desk, by_token(token, body()))

    assert at_the_desk(home, story).code == "est.credentials"


def test_of_twenty_uses_of_one_token_at_once_one_succeeds(home: Home) -> None:
    """The token ends in the transaction that records the intention; whoever is later finds none."""

    async def story(desk: Desk) -> list[object]:
        token = await token_of(desk)
        asked = (desk.ask(by_token(token, body()), calls.Enrolled) for _ in range(20))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        rows = (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates
        assert [row.status for row in rows] == ["valid"]
        return [getattr(answer, "code", "") for answer in answers]

    assert sorted(map(str, at_the_desk(home, story))) == ["", *["est.credentials"] * 19]


def test_nobody_learns_which_stations_there_are(home: Home) -> None:
    """Unknown, disabled, without a token, with a wrong or an ended one, or no name at all: one answer."""

    async def story(desk: Desk) -> set[tuple[str, str, str]]:
        token = await token_of(desk)
        await desk.ask(calls.AddStation("CP-002", "SN-002", 3), calls.StationAdded)
        disabled = await token_of(desk, "CP-003", "SN-003")
        await desk.ask(calls.SetStationStatus("CP-003", "disabled"), calls.Done)
        asked = [
            by_token(token[:-1] + "x", body()),
            by_token(token, body(), "CP-009"),
            by_token(token, body(), "CP-002"),
            by_token(disabled, body("SN-003"), "CP-003"),
            by_token(token, body(), "no identity:"),
            calls.Enroll(body(), calls.Shown()),
        ]
        refused = [await refusal(desk, call) for call in asked]
        return {(each.code, each.cause, each.advice) for each in refused}

    assert len(at_the_desk(home, story)) == 1


def test_a_refused_request_does_not_cost_the_token_and_cannot_go_on_for_ever(home: Home) -> None:
    """The installer corrects it; a program that does not is stopped, and each try stands in the log."""

    async def story(desk: Desk) -> str:
        token = await token_of(desk)
        assert (await refusal(desk, by_token(token, body("SN-002")))).code == "csr.refused"
        assert (await refusal(desk, by_token(token, b"nonsense"))).code == "csr.unreadable"
        assert (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates == ()
        for _ in range(TRIES_MOST - 2):
            await refusal(desk, by_token(token, b"nonsense"))
        assert (await refusal(desk, by_token(token, body()))).code == "est.credentials"
        return await entries(desk)

    assert at_the_desk(home, story).count('"token.tried"') == TRIES_MOST


def test_a_disk_that_is_full_does_not_cost_the_token(home: Home) -> None:
    """What fails before the signature is as if it had not been tried."""

    async def story(desk: Desk) -> None:
        token = await token_of(desk)
        await desk.fill_disk()
        for call in (calls.SetStationStatus("CP-001", "active"), by_token(token, body())):
            with pytest.raises(BollardError, match=r"ledger\.full"):
                await desk.until_refused(call)
        await desk.free_disk()
        await enrolled(desk, by_token(token, body()))

    at_the_desk(home, story)


def test_what_was_noticed_stands_in_the_log(home: Home) -> None:
    """EST has no place for it in the answer: the request named no organisation, so ours went in (A00.FR.509)."""

    async def story(desk: Desk) -> list[object]:
        token = await token_of(desk)
        await enrolled(desk, by_token(token, body(organisation="")))
        told = [json.loads(line) for line in (await entries(desk)).splitlines()]
        return [each["what"].get("noticed") for each in told if each["act"] == "certificate.issued"][-1:]

    assert at_the_desk(home, story) == [["csr.organisation"]]


def test_the_makers_certificate_gives_the_station_its_first(home: Home) -> None:
    """Under an anchor trusted for stations, by its serial number alone (A00.FR.405)."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
        made = MAKER.issue("SN-001", "Maker").certificate
        assert (await refusal(desk, by_certificate(made, csr=body()))).code == "est.certificate"
        await desk.ask(calls.AddAnchor(MAKER.pem, "station"), calls.Done)
        await enrolled(desk, by_certificate(made, csr=body()))
        sub = MAKER.issue("Sub", "Maker", ca=True)
        below = sub.issue("SN-001", "Maker").certificate
        await enrolled(desk, by_certificate(below, sub.certificate, csr=body()))
        assert (await refusal(desk, by_certificate(below, csr=body()))).code == "est.certificate"

    at_the_desk(home, story)


def test_an_anchor_that_became_ours_vouches_for_nobody(home: Home) -> None:
    """An authority that was taken in after it was trusted: what it signs is in the ledger, or no station's."""

    async def story(desk: Desk) -> BollardError:
        await desk.ask(calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
        await desk.ask(calls.AddAnchor(MAKER.pem, "station"), calls.Done)
        await desk.ask(calls.ImportIssuer("maker", "root", MAKER.pem), calls.IssuerImported)
        return await refusal(desk, by_certificate(MAKER.issue("SN-001", "Maker").certificate, csr=body()))

    assert at_the_desk(home, story).code == "est.certificate"


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        pytest.param("SN-002", "station", id="another station's, which is not registered"),
        pytest.param("CP-001", "station", id="the identity in place of the serial"),
        pytest.param("SN-001", "csms", id="trusted for something else"),
    ],
)
def test_a_makers_certificate_proves_its_own_serial_and_no_more(home: Home, name: str, purpose: str) -> None:
    """A00.FR.405; one answer for all, which names no station."""

    async def story(desk: Desk) -> BollardError:
        await desk.ask(calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
        await desk.ask(calls.AddAnchor(MAKER.pem, purpose), calls.Done)
        return await refusal(desk, by_certificate(MAKER.issue(name, "Maker").certificate, csr=body()))

    assert at_the_desk(home, story).code == "est.certificate"


def test_a_makers_certificate_does_not_name_another_station_in_its_request(home: Home) -> None:
    """The register decides what goes in, so a stolen factory certificate is that one station."""

    async def story(desk: Desk) -> BollardError:
        for number in (1, 2):
            await desk.ask(calls.AddStation(f"CP-00{number}", f"SN-00{number}", 3), calls.StationAdded)
        await desk.ask(calls.AddAnchor(MAKER.pem, "station"), calls.Done)
        return await refusal(desk, by_certificate(MAKER.issue("SN-001").certificate, csr=body("SN-002")))

    assert isinstance(at_the_desk(home, story), RefusedError)


def test_a_station_renews_by_the_certificate_it_has(home: Home) -> None:
    """With a new key or the old one; both certificates are in the ledger."""
    key = ec.generate_private_key(ec.SECP256R1())

    async def story(desk: Desk) -> None:
        first = await enrolled(desk, by_token(await token_of(desk), body(key=key)))
        second = await enrolled(desk, by_certificate(first, csr=body(), renewal=True))
        third = await enrolled(desk, by_certificate(first, csr=body(key=key), renewal=True))
        assert third.public_key() == first.public_key()
        rows = (await desk.ask(calls.ListCertificates("CP-001", "valid"), calls.Certificates)).certificates
        assert {int(row.serial, 16) for row in rows} == {each.serial_number for each in (first, second, third)}

    at_the_desk(home, story)


def test_what_the_ledger_does_not_list_as_valid_renews_nothing(home: Home) -> None:
    """A00.FR.705: revoked, of a disabled station, or of our CA but not in our ledger."""

    async def story(desk: Desk) -> list[str]:
        first = await enrolled(desk, by_token(await token_of(desk), body()))
        signer = desk.office._desk.keys.key("station")
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        stray = Party(desk.office._desk.active("station").certificate, signer).issue("SN-001").certificate
        asked = by_certificate(first, csr=body(), renewal=True)
        codes = [(await refusal(desk, by_certificate(stray, csr=body(), renewal=True))).code]
        await desk.ask(calls.SetStationStatus("CP-001", "disabled"), calls.Done)
        codes.append((await refusal(desk, asked)).code)
        await desk.ask(calls.SetStationStatus("CP-001", "active"), calls.Done)
        await desk.ask(calls.RevokeCertificate(f"{first.serial_number:x}"), calls.Done)
        return [*codes, (await refusal(desk, asked)).code]

    assert at_the_desk(home, story) == ["est.certificate"] * 3


def anchor_row(certificate: x509.Certificate) -> calls.AnchorRow:
    """A certificate as an anchor for stations."""
    subject, end = certificate.subject.rfc4514_string(), certificate.not_valid_after_utc
    return calls.AnchorRow("station", "", subject, end, key_id(certificate), to_pem([certificate]))


@pytest.mark.parametrize("trusted_besides", [False, True])
def test_below_an_authority_that_was_revoked_nobody_renews(home: Home, trusted_besides: bool) -> None:
    """Not as somebody else's either, though its certificate was given as an anchor for stations."""

    async def story(desk: Desk) -> str:
        first = await enrolled(desk, by_token(await token_of(desk), body()))
        mine = desk.office._desk
        if trusted_besides:
            row = anchor_row(mine.mine("station").certificate)  # as a home may have it from before that was refused
            await mine.ledger.write(lambda tx: anchors.add(tx.database, row))
        await desk.ask(calls.RevokeCertificate(mine.mine("station").serial, "ca_compromise", True), calls.Done)
        await desk.ask(calls.RollOver("station"), calls.RolledOver)
        await desk.ask(calls.ActivateIssuer("station-2"), calls.Activated)
        return (await refusal(desk, by_certificate(first, csr=body(), renewal=not trusted_besides))).code

    assert at_the_desk(home, story) == "est.certificate"


def test_a_renewal_keeps_the_subject_and_takes_no_token(home: Home) -> None:
    """RFC 7030 4.2.2; and a maker's certificate is not ours to renew."""

    async def story(desk: Desk) -> None:
        token = await token_of(desk)
        first = await enrolled(desk, by_token(token, body()))
        refused = await refusal(desk, by_certificate(first, csr=body(organisation=""), renewal=True))
        assert {finding.code for finding in refused.findings} == {"csr.subject", "csr.organisation"}
        shown = calls.Shown("CP-001", token)
        assert (await refusal(desk, calls.Enroll(body(), shown, True))).code == "est.certificate"
        await desk.ask(calls.AddAnchor(MAKER.pem, "station"), calls.Done)
        made = MAKER.issue("SN-001").certificate
        assert (await refusal(desk, by_certificate(made, csr=body(), renewal=True))).code == "est.certificate"

    at_the_desk(home, story)


def test_an_expired_certificate_renews_nothing(home: Home) -> None:
    """The exceptions of A00.FR.429 are the proxy's, under an operator's eyes."""
    old = MAKER.issue("SN-001", start=NOW - 9 * DAY, end=NOW - DAY).certificate

    async def story(desk: Desk) -> BollardError:
        await desk.ask(calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
        await desk.ask(calls.AddAnchor(MAKER.pem, "station"), calls.Done)
        return await refusal(desk, by_certificate(old, csr=body()))

    refused = at_the_desk(home, story)
    assert isinstance(refused, ForbiddenError)
    assert "chain.expired" in {finding.code for finding in refused.findings}


def listed(until: dt.datetime = NOW + DAY) -> calls.ChangeStation:
    """Let CP-001 show an expired certificate."""
    return calls.ChangeStation("CP-001", expired_until=until)


def late(certificate: x509.Certificate, identity: str = "CP-001", serial: str = "SN-001") -> calls.RenewExpired:
    """Ask as the proxy does for a station that showed this."""
    csr = request(ec.generate_private_key(ec.SECP256R1()), serial, ORGANISATION)
    return calls.RenewExpired(identity, csr, (certificate.public_bytes(Encoding.DER),), "192.0.2.7:40000")


def test_a_listed_station_renews_what_has_ended_through_the_proxy(home: Home) -> None:
    """A00.FR.429: by what its maker gave it, or by ours; the answer is the chain that CertificateSigned carries."""
    old = MAKER.issue("SN-001", "Maker", start=NOW - 9 * DAY, end=NOW - DAY).certificate

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
        await desk.ask(calls.AddAnchor(MAKER.pem, "station"), calls.Done)
        await desk.ask(listed(), calls.Done)
        first = (await desk.ask(late(old), calls.LateRenewed)).chain
        leaf, issuer = x509.load_pem_x509_certificates(first.encode())
        assert issuer.subject == leaf.issuer
        assert (await desk.ask(late(leaf), calls.LateRenewed)).chain != first
        assert "by an expired certificate" in await entries(desk)

    at_the_desk(home, story)


@pytest.mark.parametrize(
    ("call", "change"),
    [
        pytest.param(late, None, id="it is not listed"),
        pytest.param(late, listed(NOW - DAY), id="it was listed until yesterday"),
        pytest.param(lambda old: late(old, "CP-002"), listed(), id="another station's certificate"),
    ],
)
def test_nobody_else_renews_what_has_ended(
    home: Home, call: Callable[[x509.Certificate], calls.RenewExpired], change: calls.ChangeStation | None
) -> None:
    """The list is the operator's, and is for one station each."""
    old = MAKER.issue("SN-001", "Maker", start=NOW - 9 * DAY, end=NOW - DAY).certificate

    async def story(desk: Desk) -> BollardError:
        for number in "12":
            await desk.ask(calls.AddStation(f"CP-00{number}", f"SN-00{number}", 3), calls.StationAdded)
        await desk.ask(calls.AddAnchor(MAKER.pem, "station"), calls.Done)
        if change:
            await desk.ask(change, calls.Done)
            await desk.ask(calls.ChangeStation("CP-002", expired_until=NOW + DAY), calls.Done)
        return await refusal(desk, call(old))

    assert isinstance(at_the_desk(home, story), ForbiddenError)


def test_bytes_that_are_no_certificate_prove_nothing(home: Home) -> None:
    """What only OpenSSL could read is not trusted because it could."""

    async def story(desk: Desk) -> BollardError:
        return await refusal(desk, calls.Enroll(body(), calls.Shown(chain=(b"\x30\x00",))))

    assert at_the_desk(home, story).code == "est.certificate"


def test_a_station_in_a_loop_is_stopped_for_the_day(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one program error fills the ledger."""
    monkeypatch.setattr(enrolment, "DAILY_MOST", 2)

    async def story(desk: Desk) -> BollardError:
        first = await enrolled(desk, by_token(await token_of(desk), body()))
        await enrolled(desk, by_certificate(first, csr=body(), renewal=True))
        return await refusal(desk, by_certificate(first, csr=body(), renewal=True))

    assert at_the_desk(home, story).code == "enrolment.often"


def test_stations_are_told_our_issuing_authority_and_the_root(home: Home) -> None:
    """RFC 7030 4.1: to trust the CSMS, and to know who signs for them."""

    async def story(desk: Desk) -> list[str]:
        found = await desk.ask(calls.ListCaCertificates(), calls.CaCertificates)
        return [x509.load_der_x509_certificate(der).subject.rfc4514_string() for der in found.certificates]

    assert at_the_desk(home, story) == [
        f"CN=Bollard Station CA,O={ORGANISATION}",
        f"CN=Bollard Root CA,O={ORGANISATION}",
    ]


def test_a_home_without_the_switch_enrols_nobody(tmp_path: Path) -> None:
    """Whatever the web process may ask."""
    home = home_with(tmp_path)
    home.settings.write_text(home.settings.read_text().partition("[est]")[0])

    async def story(desk: Desk) -> BollardError:
        return await refusal(desk, by_token("x" * 32, body()))

    assert at_the_desk(home, story).code == "est.off"


def test_what_is_handed_out_is_the_der_of_the_certificate(home: Home) -> None:
    """Nothing before it, nothing behind it."""

    async def story(desk: Desk) -> bytes:
        return (await desk.ask(by_token(await token_of(desk), body()), calls.Enrolled)).certificate

    der = at_the_desk(home, story)
    assert x509.load_der_x509_certificate(der).public_bytes(Encoding.DER) == der
