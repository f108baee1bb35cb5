"""What stations show to cars, firmware signers and operators get the certificate due to them, and no other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.certificate import read_certificates
from pki.chain import Purpose, verify
from pki.edge import calls, clock
from pki.errors import BollardError
from pki.findings import Severity
from pki.lint import lint_certificate
from pki.profile import CertificatePurpose
from tests.pki.papers import key, request
from tests.pki.specimens import SECC_ID
from tests.worlds import ORGANISATION, Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

OURS = (ORGANISATION,)
SECC = request((SECC_ID,), OURS, key("p256", "secc"))
SECC_20 = request((SECC_ID,), OURS, key("p521", "secc"))
SECC_448 = request((SECC_ID,), OURS, key("ed448", "secc"))
SIGNER = request(("Volta Signer",), ("Volta",), key("p256", "signer"))
ALICE = request(("Alice",), OURS, key("p256", "alice"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with every hierarchy and one station."""
    made = make_home(tmp_path)

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        for edition in ("2", "20"):
            await desk.ask(calls.CreateIssuer(f"v2g{edition}", "v2g", edition=edition), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("volta", "manufacturer", vendor="Volta"), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("operators", "operator"), calls.IssuersCreated)

    at_the_desk(made, story)
    return made


def secc(csr: str, edition: str, name: str = SECC_ID, station: str = "CP-001") -> calls.IssueCertificate:
    """The call for what a station shows to cars."""
    return calls.IssueCertificate(station, csr, profile=f"v2g-secc-{edition}", name=name)


def signer(csr: str = SIGNER, vendor: str = "Volta", name: str = "") -> calls.IssueCertificate:
    """The call for a firmware signer."""
    return calls.IssueCertificate("", csr, profile="firmware-signer", vendor=vendor, name=name)


def operator(csr: str = ALICE, name: str = "Alice") -> calls.IssueCertificate:
    """The call for an operator."""
    return calls.IssueCertificate("", csr, profile="operator", name=name)


def issued(home: Home, call: calls.IssueCertificate) -> calls.CertificateIssued:
    """What comes of a call."""

    async def story(desk: Desk) -> calls.CertificateIssued:
        return await desk.ask(call, calls.CertificateIssued)

    return at_the_desk(home, story)


@pytest.mark.parametrize(("csr", "edition"), [(SECC, "2"), (SECC_20, "20"), (SECC_448, "20")])
def test_a_station_gets_what_it_shows_to_cars(home: Home, csr: str, edition: str) -> None:
    """Leaf, Sub-CA 2, Sub-CA 1, no root; CN, O, C and DC as cars want them; it fits into their room."""
    answer = issued(home, secc(csr, edition))
    leaf, sub2, sub1 = read_certificates(answer.chain)
    root = read_certificates((home.ca / f"v2g{edition}-root.pem").read_bytes())[0]
    verify(leaf, [root], [sub2, sub1], Purpose.ANY, clock.now())

    assert leaf.subject.rfc4514_string() == f"CN={SECC_ID},O={ORGANISATION},C=DE,DC=CPO"
    assert len(leaf.public_bytes(Encoding.DER)) <= (800 if edition == "2" else 1600)
    assert isinstance(leaf.signature_hash_algorithm, hashes.SHA256 if edition == "2" else hashes.SHA512)
    found = lint_certificate(leaf, CertificatePurpose(f"v2g-secc-{edition}"))
    assert [each for each in found if each.severity is not Severity.INFO] == []
    assert (answer.certificate.station, answer.certificate.purpose) == ("CP-001", f"v2g-secc-{edition}")
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey | ed448.Ed448PublicKey)


def places(certificate: x509.Certificate) -> set[str]:
    """What kinds of place a certificate points at."""
    found = set()
    for each in certificate.extensions:
        if isinstance(each.value, x509.CRLDistributionPoints):
            found.add("crl")
        if isinstance(each.value, x509.AuthorityInformationAccess):
            found |= {access.access_method._name for access in each.value}
    return found


@pytest.fixture
def served(tmp_path: Path) -> Home:
    """A home that says where its status can be asked, under a name that is not short, with all hierarchies."""
    made = make_home(tmp_path, status=True)
    text = made.settings.read_text().replace(
        'status_url = "http://csms.example.org:8480"', f'status_url = "http://{"status." * 8}example.org:8480"'
    )
    assert "status.status" in text
    made.settings.write_text(text)

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        for edition in ("2", "20"):
            await desk.ask(calls.CreateIssuer(f"v2g{edition}", "v2g", edition=edition), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("volta", "manufacturer", vendor="Volta"), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("operators", "operator"), calls.IssuersCreated)

    at_the_desk(made, story)
    return made


ALL: set[str] = {"crl", "OCSP", "caIssuers"}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (secc(SECC, "2"), [{"crl", "OCSP"}, {"crl", "OCSP"}, {"crl"}]),
        (secc(SECC_20, "20"), [{"crl", "OCSP"}, {"crl", "OCSP"}, {"crl"}]),
        (signer(), [{"crl", "caIssuers"}]),
        (operator(), [ALL, {"crl", "caIssuers"}]),
    ],
    ids=["ISO 15118-2", "ISO 15118-20", "firmware signer", "operator"],
)
def test_each_says_where_its_status_is_found(
    served: Home, call: calls.IssueCertificate, expected: list[set[str]]
) -> None:
    """RFC 5280 4.2.1.13 and 4.2.2.1, in the room that there is; a root answers no OCSP."""
    chain = read_certificates(issued(served, call).chain)

    assert [places(each) for each in chain] == expected
    if call.profile == "v2g-secc-2":
        assert max(len(each.public_bytes(Encoding.DER)) for each in chain) <= 800  # V2G2-010


@pytest.mark.parametrize(("csr", "edition"), [(SECC, "2"), (SECC_20, "20")])
def test_a_station_finds_what_it_staples_where_its_certificate_points(served: Home, csr: str, edition: str) -> None:
    """Our responder answers for Sub-CA 2 and Sub-CA 1."""

    async def story(desk: Desk) -> list[ocsp.OCSPCertStatus]:
        chain = read_certificates((await desk.ask(secc(csr, edition), calls.CertificateIssued)).chain)
        await desk.office.tend()
        said = []
        for below, above in pairwise(chain):
            asked = ocsp.OCSPRequestBuilder().add_certificate(below, above, hashes.SHA1()).build()  # noqa: S303 - clients
            answer = await desk.ask(calls.AnswerOcsp(asked.public_bytes(Encoding.DER)), calls.OcspAnswer)
            said.append(ocsp.load_der_ocsp_response(answer.der).certificate_status)
        return said

    assert at_the_desk(served, story) == [ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.GOOD]


def test_a_firmware_signer_stands_directly_below_its_manufacturer_s_root(home: Home) -> None:
    """One certificate, since OCPP has a field for one; the vendor is its organisation."""
    (leaf,) = read_certificates(issued(home, signer()).chain)
    root = read_certificates((home.ca / "volta.pem").read_bytes())[0]
    verify(leaf, [root], [], Purpose.FIRMWARE, clock.now())

    assert leaf.subject.rfc4514_string() == "CN=Volta Signer,O=Volta"


def test_an_operator_is_no_station(home: Home) -> None:
    """Its issuer is one that no proxy takes stations from, and its certificate is for connecting alone."""
    leaf, issuer = read_certificates(issued(home, operator()).chain)
    rows = at_the_desk(home, lambda desk: desk.ask(calls.ListIssuers(), calls.Issuers)).issuers

    assert issuer.subject.rfc4514_string() in {row.subject for row in rows if row.purpose == "operator"}
    assert issuer.subject.rfc4514_string() not in {row.subject for row in rows if row.purpose == "station"}
    assert [each.severity for each in lint_certificate(leaf, CertificatePurpose.OPERATOR)] == []


@pytest.mark.parametrize(
    ("call", "code", "finding"),
    [
        (secc(SECC, "2", name="DEABCS" + "9" * 33), "csr.refused", "csr.common_name"),
        (secc(SECC, "20"), "plan.refused", "plan.key"),
        (secc(SECC_20, "2"), "plan.refused", "plan.key"),
        (secc(SECC, "2", name="SN-001"), "name.secc_id", ""),
        (secc(SECC, "2", name=""), "issue.words", ""),
        (secc(SECC, "2", station=""), "issue.words", ""),
        (secc(SECC, "2", station="CP-404"), "station.unknown", ""),
        (signer(vendor="Ampere"), "issuer.none", ""),
        (signer(vendor=""), "issue.words", ""),
        (signer(name="Another"), "csr.refused", "csr.common_name"),
        (signer(csr=ALICE), "csr.refused", "csr.organisation"),
        (operator(name="Bob"), "csr.refused", "csr.common_name"),
        (operator(name=""), "issue.words", ""),
        (calls.IssueCertificate("CP-001", Paper.of(1).csr, profile="csms"), "issue.profile", ""),
        (calls.IssueCertificate("CP-001", Paper.of(1).csr, profile="root"), "issue.profile", ""),
        (calls.IssueCertificate("CP-001", Paper.of(1).csr, profile="toaster"), "policy.unknown", ""),
        (calls.IssueCertificate("CP-001", Paper.of(1).csr, profile="../station"), "policy.unknown", ""),
        (calls.IssueCertificate("CP-001", Paper.of(1).csr, name="SN-001"), "issue.words", ""),
        (calls.IssueCertificate("", Paper.of(1).csr), "issue.words", ""),
    ],
)
def test_what_is_not_due_is_refused_by_name(home: Home, call: calls.IssueCertificate, code: str, finding: str) -> None:
    """A name too many is a slip, a name too few another; no certificate comes of either."""

    async def story(desk: Desk) -> tuple[str, set[str], int]:
        with pytest.raises(BollardError) as refused:
            await desk.ask(call, calls.CertificateIssued)
        rows = (await desk.ask(calls.ListCertificates(station="CP-001"), calls.Certificates)).certificates
        return refused.value.code, {each.code for each in refused.value.findings}, len(rows)

    told, findings, count = at_the_desk(home, story)
    assert (told, count) == (code, 0)
    assert not finding or finding in findings


def test_a_disabled_station_gets_nothing_to_show_either(home: Home) -> None:
    """Whatever it is for."""

    async def story(desk: Desk) -> str:
        await desk.ask(calls.SetStationStatus("CP-001", "disabled"), calls.Done)
        with pytest.raises(BollardError) as refused:
            await desk.ask(secc(SECC, "2"), calls.CertificateIssued)
        return refused.value.code

    assert at_the_desk(home, story) == "station.disabled"


def test_a_key_that_was_given_up_is_certified_for_nothing_else(home: Home) -> None:
    """A00.FR.705 reaches across hierarchies."""

    async def story(desk: Desk) -> set[str]:
        serial = (await desk.ask(secc(SECC, "2"), calls.CertificateIssued)).certificate.serial
        await desk.ask(calls.RevokeCertificate(serial, "key_compromise"), calls.Done)
        with pytest.raises(BollardError) as refused:
            await desk.ask(operator(request(("Alice",), OURS, key("p256", "secc"))), calls.CertificateIssued)
        return {each.code for each in refused.value.findings}

    assert at_the_desk(home, story) == {"csr.compromised"}


TAKEN = [
    (operator(request(("Alice",), OURS, key("p256", "signer"))), "csr.key_taken"),
    (operator(request(("Bob",), OURS, key("p256", "alice")), "Bob"), "csr.key_taken"),
    (signer(request(("Other Signer",), ("Volta",), key("p256", "signer"))), "csr.key_taken"),
    (secc(request((SECC_ID,), OURS, key("p256", "other")), "2", station="CP-002"), "csr.secc_id_taken"),
    (secc(request((SECC_ID,), OURS, key("p521", "other")), "20", station="CP-002"), "csr.secc_id_taken"),
    (secc(SECC, "2", station="CP-002"), "csr.key_taken"),
]


@pytest.mark.parametrize(("call", "finding"), TAKEN)
def test_neither_key_nor_secc_id_is_shared(home: Home, call: calls.IssueCertificate, finding: str) -> None:
    """A00.FR.427: a key for one holder and one purpose, a SECCID for one station; their owners may have them again."""

    async def story(desk: Desk) -> set[str]:
        await desk.ask(Paper.of(2).add, calls.StationAdded)
        for had in (secc(SECC, "2"), signer(), operator(), secc(SECC, "2"), signer(), operator()):
            await desk.ask(had, calls.CertificateIssued)
        with pytest.raises(BollardError) as refused:
            await desk.ask(call, calls.CertificateIssued)
        assert refused.value.code == "csr.refused"
        return {each.code for each in refused.value.findings}

    assert finding in at_the_desk(home, story)
