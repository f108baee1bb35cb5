"""What an authority of others issues is judged twice and recorded twice; nothing that was asked for is lost."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.certificate import read_certificates
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.errors import BollardError, ConflictError, RefusedError
from tests.certs import Party, request
from tests.pki.edge.est_world import (
    HANGS_UP,
    ROOT,
    SECC_ID,
    SUB_1,
    SUB_2,
    authority,
    elsewhere,
    secc,
    secc_request,
    settings,
)
from tests.pki.edge.office.enrolments import home_with
from tests.worlds import at_the_desk, free_port, running_authority, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.pki.edge.est_world import Elsewhere
    from tests.worlds import Desk

SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CODE_SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
CALL = calls.IssueCertificate("CP-001", secc_request(station_key()), profile="v2g-secc-2")


async def registered(desk: Desk) -> None:
    """The station is in the register."""
    await desk.ask(calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)


async def refusal(desk: Desk, call: calls.Call = CALL) -> str:
    """Ask and be refused with this code."""
    with pytest.raises(BollardError) as refused:
        await desk.ask(call, calls.Row)
    return refused.value.code


async def acts(desk: Desk) -> list[str]:
    """What the log says was done, since the home was made."""
    rows = (await desk.ask(calls.ListAudit(first=0, limit=1000), calls.AuditRows)).rows
    told = [json.loads(row.entry)["act"] for row in rows]
    return told[told.index("station.added") + 1 :]


async def states(desk: Desk) -> list[str]:
    """The states of what waits."""
    return [row.state for row in (await desk.ask(calls.ListWaiting(), calls.Waiting)).requests]


def make_due(home: Home) -> None:
    """Let the time pass until what was put off is due."""
    ledger = sqlite3.connect(home.ledger)
    ledger.execute("UPDATE waiting SET due = asked")
    ledger.commit()
    ledger.close()


def test_the_chain_is_handed_out_in_order_and_the_ledger_has_it(tmp_path: Path) -> None:
    """Leaf, Sub 2, Sub 1, no root; the certificate is listed as the station's, its issuer's key by its id."""
    with elsewhere(tmp_path) as world:
        home = home_with(tmp_path, settings(tmp_path, world.url))

        async def story(desk: Desk) -> calls.CertificateIssued:
            await registered(desk)
            issued = await desk.ask(CALL, calls.CertificateIssued)
            assert await acts(desk) == ["certificate.requested", "certificate.received"]
            await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
            row = (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates[0]
            assert row == issued.certificate
            assert (row.status, row.purpose, row.subject) == ("valid", "v2g-secc-2", f"DC=CPO,CN={SECC_ID},O=CPO,C=DE")
            return issued

        issued = at_the_desk(home, story)
    leaf, *above = read_certificates(issued.chain)
    assert leaf.public_key() == station_key().public_key()
    assert above == [SUB_2.certificate, SUB_1.certificate]
    ledger = sqlite3.connect(home.ledger)
    kept = ledger.execute("SELECT tbs, der FROM certificate WHERE station = 'CP-001'").fetchall()
    ledger.close()
    assert kept == [(leaf.tbs_certificate_bytes, leaf.public_bytes(Encoding.DER))]


def test_asking_again_for_the_same_key_gives_what_is_there(tmp_path: Path) -> None:
    """Whoever lost the answer asks again; the authority is not asked twice."""
    with elsewhere(tmp_path) as world:

        async def story(desk: Desk) -> None:
            await registered(desk)
            first = await desk.ask(CALL, calls.CertificateIssued)
            again = await desk.ask(CALL, calls.CertificateIssued)
            assert (again.certificate, again.chain) == (first.certificate, first.chain)

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)
        assert len(world.asked) == 2


def test_an_authority_that_takes_its_time_is_asked_again_by_a_duty(tmp_path: Path) -> None:
    """RFC 7030 4.2.3: 202; not before the time it named, and then the same command has the certificate."""
    with elsewhere(tmp_path, 202, 200) as world:
        world.headers["Retry-After"] = "3600"
        home = home_with(tmp_path, settings(tmp_path, world.url))

        async def story(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk) == "external.pending"
            assert await refusal(desk) == "external.pending"
            await desk.office.tend()
            assert len(world.asked) == 1
            assert await states(desk) == ["pending"]
            make_due(home)
            await desk.office.tend()
            assert await states(desk) == []
            assert (await desk.ask(CALL, calls.CertificateIssued)).chain
            assert await acts(desk) == ["certificate.requested", "certificate.received"]

        at_the_desk(home, story)


def test_a_network_that_fails_loses_nothing(tmp_path: Path) -> None:
    """The request is in the ledger before it is sent; when the authority answers again, so does the duty."""
    port = free_port()
    with elsewhere(tmp_path) as world:
        home = home_with(tmp_path, settings(tmp_path, f"https://localhost:{port}/.well-known/est"))

        async def away(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk) == "external.unreachable"
            assert await states(desk) == ["pending"]

        at_the_desk(home, away)
        home.settings.write_text(home.settings.read_text().replace(f":{port}/", f":{world.port}/"))
        make_due(home)

        async def back(desk: Desk) -> None:
            await desk.office.tend()
            assert (await desk.ask(CALL, calls.CertificateIssued)).certificate.status == "valid"

        at_the_desk(home, back)


def test_an_authority_that_hangs_up_destroys_no_request(tmp_path: Path) -> None:
    """Neither those of a command nor those that the duty sends on, however many wait; each is sent again later."""
    with elsewhere(tmp_path, HANGS_UP) as world:
        home = home_with(tmp_path, settings(tmp_path, world.url))

        async def story(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk) == "external.unreachable"
            assert await refusal(desk, other) == "external.unreachable"
            make_due(home)
            await desk.office.tend()
            assert await states(desk) == ["pending", "pending"]
            assert await acts(desk) == ["certificate.requested", "certificate.requested"]
            world.answers = [200]
            make_due(home)
            await desk.office.tend()
            assert await states(desk) == []

        other = msgspec.structs.replace(CALL, csr=secc_request(station_key(7)))
        at_the_desk(home, story)


@pytest.mark.parametrize("trouble", [404, 503, b"garbage", HANGS_UP], ids=["a no", "busy", "garbage", "it hangs up"])
def test_a_certificate_whose_chain_cannot_be_had_yet_is_kept_and_no_second_one_asked_for(
    tmp_path: Path, trouble: int | bytes
) -> None:
    """Neither by the command nor by the duty, nor after a restart; the one that was issued is what is handed out."""
    with elsewhere(tmp_path) as world:
        world.answers, world.above = [bag_of(world, mine := secc(station_key())), 403], [trouble]
        home = home_with(tmp_path, settings(tmp_path, world.url))
        code = "external.unreachable" if trouble == HANGS_UP else "external.chain"

        async def before(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk) == code
            make_due(home)
            assert await refusal(desk) == code
            make_due(home)
            await desk.office.tend()
            assert await states(desk) == ["pending"]

        async def after(desk: Desk) -> None:
            make_due(home)
            await desk.office.tend()
            assert await states(desk) == []
            issued = await desk.ask(CALL, calls.CertificateIssued)
            assert read_certificates(issued.chain)[0] == mine.certificate
            assert await acts(desk) == ["certificate.requested", "certificate.received"]
            await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

        at_the_desk(home, before)
        world.above = [200]
        at_the_desk(home, after)
        assert [path.rpartition("/")[2] for path, _, _ in world.asked] == ["simpleenroll", *["cacerts"] * 4]


@pytest.mark.parametrize(
    ("answer", "code"), [(403, "external.refused"), (b"garbage", "external.answer")], ids=["a no", "garbage"]
)
def test_a_no_and_what_is_no_answer_end_the_request_with_an_entry(
    tmp_path: Path, answer: int | bytes, code: str
) -> None:
    """Nothing waits any more, nothing was taken over."""
    with elsewhere(tmp_path, answer) as world:

        async def story(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk) == code
            assert await states(desk) == []
            assert await acts(desk) == ["certificate.requested", "enrolment.refused"]
            await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
            assert (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates == ()

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)


def bag_of(world: Elsewhere, *parties: Party) -> bytes:
    """What the authority would send for somebody else."""
    return world.bag(*(party.pem for party in parties))


@pytest.mark.parametrize(
    ("parties", "code"),
    [
        pytest.param((SUB_2.issue(SECC_ID, "CPO"),), "est.other_key", id="a certificate for another key"),
        pytest.param((Party.root("Evil").issue(SECC_ID, key=station_key()),), "chain.refused", id="from another root"),
        pytest.param((ROOT, SUB_1), "est.other_key", id="authorities alone"),
        pytest.param((secc(station_key(), days=(-30, -1)),), "chain.refused", id="one that has ended"),
        pytest.param((secc(station_key(), days=(1, 20)),), "chain.refused", id="one that does not hold yet"),
        pytest.param((secc(station_key(), ca=True),), "est.unfit", id="an authority's"),
        pytest.param((secc(station_key(), secc_id="X" + SECC_ID),), "est.unfit", id="for another SECCID"),
        pytest.param((secc(station_key(), secc_id="Other"),), "est.unfit", id="for another name"),
        pytest.param((secc(station_key(), CODE_SIGNING),), "est.unfit", id="for other uses"),
        pytest.param((secc(station_key(), number=7),), "est.unfit", id="a serial number that can be guessed"),
    ],
)
def test_what_cannot_be_verified_is_never_handed_out(tmp_path: Path, parties: tuple[Party, ...], code: str) -> None:
    """TLS says whom we spoke to, not what they may issue."""
    with elsewhere(tmp_path) as world:
        world.answers = [bag_of(world, *parties)]

        async def story(desk: Desk) -> None:
            await registered(desk)
            with pytest.raises(RefusedError, match=re.escape(code)):
                await desk.ask(CALL, calls.Row)
            assert (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates == ()
            assert await states(desk) == []
            assert await acts(desk) == ["certificate.requested", "enrolment.refused"]

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)


def test_a_chain_that_stations_would_reject_is_refused_before_one_of_them_has_it(tmp_path: Path) -> None:
    """A02.FR.16: the field has 10,000 characters, whoever filled it; the answer says so and what to do."""
    fat = authority("CPO Sub 2", SUB_1, 0, fat=7_000)
    with elsewhere(tmp_path) as world:
        world.answers = [bag_of(world, fat.issue(SECC_ID, "CPO", key=station_key()), fat)]

        async def story(desk: Desk) -> None:
            await registered(desk)
            with pytest.raises(RefusedError) as refused:
                await desk.ask(CALL, calls.Row)
            assert refused.value.code == "est.unfit"
            assert "lint.chain_length" in {each.code for each in refused.value.findings}
            assert "external authority" in refused.value.advice
            assert (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates == ()

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)


def test_a_refusal_stays_one_through_a_running_authority(tmp_path: Path) -> None:
    """Exit 5, whichever process has judged."""
    with elsewhere(tmp_path) as world:
        world.answers = [bag_of(world, Party.root("Evil").issue(SECC_ID, key=station_key()))]
        home = home_with(tmp_path, settings(tmp_path, world.url))
        with running_authority(home):
            ask_once(home, calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
            with pytest.raises(RefusedError, match=r"chain\.refused"):
                ask_once(home, CALL, calls.CertificateIssued)


def test_what_others_say_more_in_a_certificate_does_no_harm(tmp_path: Path) -> None:
    """A policy, what it is used for, where its status is: an authority of others has its own habits."""
    policy = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.3.6.1.4.1.1.1"), None)])
    with elsewhere(tmp_path) as world:
        world.answers = [bag_of(world, secc(station_key(), policy, SERVER))]

        async def story(desk: Desk) -> None:
            await registered(desk)
            assert (await desk.ask(CALL, calls.CertificateIssued)).certificate.status == "valid"

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)


def test_one_that_the_ledger_has_already_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """An issuer's serial number stands for one certificate; what was revoked here does not come back as valid."""
    with elsewhere(tmp_path) as world:
        world.answers = [bag_of(world, secc(station_key(), number=2**80))]

        async def story(desk: Desk) -> None:
            await registered(desk)
            issued = await desk.ask(CALL, calls.CertificateIssued)
            await desk.ask(calls.RevokeCertificate(issued.certificate.serial, "superseded"), calls.Done)
            with pytest.raises(RefusedError, match=r"external\.known"):
                await desk.ask(CALL, calls.Row)
            rows = (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates
            assert [row.status for row in rows] == ["revoked"]
            assert await states(desk) == []
            assert (await acts(desk))[-1] == "enrolment.refused"
            await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)


@pytest.mark.parametrize(("profile", "code"), [("elsewhere", "policy.unknown"), ("issuing", "external.authority")])
def test_nobody_is_asked_for_what_could_not_be_judged(tmp_path: Path, profile: str, code: str) -> None:
    """The certificate profile says what is due; a leaf's is needed, and one that is there."""
    with elsewhere(tmp_path) as world:

        async def story(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk, msgspec.structs.replace(CALL, profile=profile)) == code

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url, profile)), story)
        assert world.asked == []


@pytest.mark.parametrize(
    ("call", "code"),
    [
        pytest.param(
            calls.IssueCertificate("CP-001", request(station_key(), "SN-001", "CPO"), profile="v2g-secc-2"),
            "csr.refused",
            id="no SECCID",
        ),
        pytest.param(calls.IssueCertificate("CP-001", "nonsense", profile="v2g-secc-2"), "csr.unreadable", id="no CSR"),
        pytest.param(calls.IssueCertificate("CP-009", CALL.csr, profile="v2g-secc-2"), "station.unknown", id="nobody"),
        pytest.param(calls.IssueCertificate("CP-001", CALL.csr, profile="other"), "policy.unknown", id="no issuer"),
        pytest.param(msgspec.structs.replace(CALL, name=SECC_ID[:-1]), "issue.words", id="a name it does not have"),
        pytest.param(msgspec.structs.replace(CALL, vendor="Volta"), "issue.words", id="a vendor"),
    ],
)
def test_what_would_come_back_useless_is_never_sent(tmp_path: Path, call: calls.Call, code: str) -> None:
    """We judge first."""
    with elsewhere(tmp_path) as world:

        async def story(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk, call) == code

        at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)
        assert world.asked == []


def test_a_request_can_be_given_up_but_not_approved_here(tmp_path: Path) -> None:
    """The yes is the other authority's; the no stops the asking."""
    with elsewhere(tmp_path, 202) as world:
        home = home_with(tmp_path, settings(tmp_path, world.url))

        async def story(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk) == "external.pending"
            assert await refusal(desk, calls.DecideRequest(1, True)) == "enrolment.elsewhere"
            await desk.ask(calls.DecideRequest(1, False), calls.Done)
            make_due(home)
            await desk.office.tend()
            assert await refusal(desk) == "enrolment.decided"

        at_the_desk(home, story)
        assert len(world.asked) == 1


def test_two_at_once_send_one_request(tmp_path: Path) -> None:
    """The one who is later is told that it is under way."""
    import asyncio

    with elsewhere(tmp_path) as world:

        async def story(desk: Desk) -> list[object]:
            await registered(desk)
            asked = (desk.ask(CALL, calls.CertificateIssued) for _ in range(5))
            return list(await asyncio.gather(*asked, return_exceptions=True))

        answers = at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)
        assert sum(isinstance(each, calls.CertificateIssued) for each in answers) == 1
        assert sum(isinstance(each, ConflictError) for each in answers) == 4
        assert [path for path, _, _ in world.asked].count("/.well-known/est/simpleenroll") == 1


def test_a_request_whose_issuer_is_named_no_more_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the duty, on stderr, until somebody gives it up; nothing else is kept from being done."""
    with elsewhere(tmp_path, 202) as world:
        home = home_with(tmp_path, settings(tmp_path, world.url))

        async def ask(desk: Desk) -> None:
            await registered(desk)
            assert await refusal(desk) == "external.pending"

        at_the_desk(home, ask)
    home.settings.write_text(home.settings.read_text().partition("[[external_issuer]]")[0])
    make_due(home)

    async def tend(desk: Desk) -> None:
        await desk.office.tend()

    at_the_desk(home, tend)
    assert "external.file: request 1 waits for hubject" in capsys.readouterr().err


def test_the_station_profile_stays_ours(tmp_path: Path) -> None:
    """An external authority for one kind of certificate changes nothing for the others."""
    with elsewhere(tmp_path) as world:

        async def story(desk: Desk) -> calls.CertificateIssued:
            await registered(desk)
            csr = request(station_key(), "SN-001")
            return await desk.ask(calls.IssueCertificate("CP-001", csr), calls.CertificateIssued)

        issued = at_the_desk(home_with(tmp_path, settings(tmp_path, world.url)), story)
        assert "Bollard Station CA" in issued.certificate.issuer
        assert world.asked == []
