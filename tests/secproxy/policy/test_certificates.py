"""What changes a station's trust: requests of its own, roots that are known here, roots that it cannot do without."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pki.ocsp import identify
from pki.request import REQUEST_LENGTH
from secproxy.policy.certificates import CERTIFICATE_LENGTH, TYPES, Certificates, KeepRoots, Requests
from secproxy.station_view import Authority, View
from tests.certs import Party
from tests.pki.papers import ORGANISATION, STATION, key, request
from tests.pki.test_external import SECC_ID

if TYPE_CHECKING:
    from pki.strength import SigningKey

ROOT, OTHER_ROOT, MAKER, CARS = (Party.root(name) for name in ("Our Root", "Trusted Root", "Acme Root", "V2G Root"))
CSMS_CA, STATIONS = (ROOT.issue(name, ca=True) for name in ("Our CSMS CA", "Our Station CA"))
EVIL = Party.root("Evil Root")
OTHERS = {kind: Party.root(kind) for kind in ("V2GRootCertificate", "MORootCertificate", "OEMRootCertificate")}
KNOWN = (
    Authority("root", ROOT.certificate),
    Authority("csms", CSMS_CA.certificate),
    Authority("csms", OTHER_ROOT.certificate),
    Authority("firmware", MAKER.certificate),
    Authority("v2g-root", CARS.certificate),
    Authority("station", STATIONS.certificate),
    *(Authority(kind, party.certificate) for kind, party in OTHERS.items()),
)
CSMS, OLD_CSMS, MAKERS = "CSMSRootCertificate", "CentralSystemRootCertificate", "ManufacturerRootCertificate"


def fingerprint(party: Party) -> str:
    """As a policy lists it."""
    return hashlib.sha256(party.certificate.public_bytes(Encoding.DER)).hexdigest()


def view(*presented: x509.Certificate) -> View:
    """What is known here, while this is presented."""
    found = View(ORGANISATION.text, "csms.example.org", authorities=KNOWN)
    found.presented = presented
    return found


# -- what is installed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "refused"),
    [
        pytest.param(ROOT.pem, False, id="the one listed"),
        pytest.param(ROOT.pem.replace("\n", "\r\n"), False, id="with other line ends"),
        pytest.param(ROOT.pem.replace("\n", "\\n"), False, id="with line ends spelled out"),
        pytest.param(EVIL.pem, True, id="another"),
        pytest.param(ROOT.pem + EVIL.pem, True, id="another behind it"),
        pytest.param(ROOT.pem.replace("M", "!", 1), True, id="broken"),
        pytest.param(ROOT.pem + "\n" * CERTIFICATE_LENGTH, True, id="too long"),
        pytest.param("", True, id="nothing"),
        pytest.param(7, True, id="no text"),
    ],
)
def test_attack_35_only_what_is_listed_is_installed(certificate: object, refused: bool) -> None:
    """By its fingerprint, whatever stands around it; what the home knows counts where the policy says so alone."""
    payload = {"certificateType": CSMS, "certificate": certificate}
    for listed in (Certificates(frozenset({fingerprint(ROOT)})), Certificates(frozenset(), catalogue=True)):
        assert bool(listed.fault(payload, view())) is refused
    assert Certificates(frozenset()).fault(payload, view())


@pytest.mark.parametrize(
    ("party", "types"),
    [
        (ROOT, {CSMS, OLD_CSMS}),
        (CSMS_CA, {CSMS, OLD_CSMS}),
        (OTHER_ROOT, {CSMS, OLD_CSMS}),
        (MAKER, {MAKERS}),
        (CARS, {"V2GRootCertificate", "MORootCertificate"}),
        (STATIONS, set()),
        (EVIL, set()),
        *((party, {kind}) for kind, party in OTHERS.items()),
    ],
    ids=lambda each: each.certificate.subject.rfc4514_string() if isinstance(each, Party) else "",
)
def test_attack_35_what_the_home_knows_is_installed_for_its_own_purpose_alone(party: Party, types: set[str]) -> None:
    """A maker's root is no root of the CSMS; a type that nobody knows is for nothing."""
    rule = Certificates(frozenset(), catalogue=True)
    allowed = {
        kind
        for kind in (*TYPES, "csmsrootcertificate", "", None, 7)
        if not rule.fault({"certificateType": kind, "certificate": party.pem}, view())
    }
    assert allowed == types


def test_what_is_not_allowed_is_named_by_subject_and_fingerprint() -> None:
    """So that a person who reads the event can find it; a subject that cannot be read is said to be one."""
    says = Certificates(frozenset(), catalogue=True).fault({"certificateType": CSMS, "certificate": EVIL.pem}, view())
    assert fingerprint(EVIL) in says
    assert "CN=Evil Root" in says
    junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert "cannot be read" in Certificates(frozenset()).fault({"certificate": junk}, view())


def test_an_unsafe_type_is_tolerated_and_still_objected_to() -> None:
    """Who lets a type through is told of each."""
    rule = Certificates(frozenset(), catalogue=True, unsafe_types=frozenset({"MORootCertificate"}))
    payload = {"certificateType": "MORootCertificate", "certificate": EVIL.pem}
    assert rule.fault(payload, view())
    assert rule.tolerates(payload)
    assert not rule.tolerates({**payload, "certificateType": CSMS})


# -- what is deleted ---------------------------------------------------------------------------------------------------


def named(root: Party | x509.Certificate, algorithm: str = "SHA256") -> dict[str, object]:
    """A root as the standard names it (CertificateHashData)."""
    certificate = root.certificate if isinstance(root, Party) else root
    _, name, public = identify(algorithm.lower(), certificate)
    serial = f"{certificate.serial_number:x}"
    hashes = {"issuerNameHash": name.hex(), "issuerKeyHash": public.hex()}
    return {"hashAlgorithm": algorithm, **hashes, "serialNumber": serial}


def hash_data(root: Party | x509.Certificate, algorithm: str = "SHA256") -> dict[str, object]:
    """A DeleteCertificate of a root."""
    return {"certificateHashData": named(root, algorithm)}


NAMED = named(ROOT)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_attack_35_the_root_above_what_is_presented_is_not_deleted(algorithm: str) -> None:
    """In each of the three hashes; every other root may go, and that one too once nothing presented needs it."""
    leaf = CSMS_CA.issue("csms.example.org")
    shown = view(leaf.certificate, CSMS_CA.certificate)
    assert "CN=Our Root" in KeepRoots().fault(hash_data(ROOT, algorithm), shown)
    for other in (EVIL, OTHER_ROOT, MAKER, CARS):
        assert KeepRoots().fault(hash_data(other, algorithm), shown) == ""
    assert KeepRoots().fault(hash_data(ROOT, algorithm), view()) == ""


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"issuerNameHash": "00" * 32}, id="another name"),
        pytest.param({"issuerKeyHash": "00" * 32}, id="a key hashed wrongly"),
        pytest.param({"serialNumber": "0"}, id="another serial number"),
        pytest.param({name: str(value).upper() for name, value in NAMED.items()}, id="in capitals"),
        pytest.param({"hashAlgorithm": "MD5"}, id="a hash that there is not"),
        pytest.param({"hashAlgorithm": ["SHA256"]}, id="a list of hashes"),
        pytest.param({"issuerKeyHash": None}, id="half a name"),
    ],
)
def test_attack_35_a_root_is_not_deleted_under_a_crooked_name(changes: dict[str, object]) -> None:
    """A careless station might look at a part of the name alone."""
    shown = view(CSMS_CA.issue("csms.example.org").certificate, CSMS_CA.certificate)
    assert KeepRoots().fault({"certificateHashData": {**NAMED, **changes}}, shown)


@pytest.mark.parametrize("payload", [{}, {"certificateHashData": None}, {"certificateHashData": []}])
def test_what_names_nothing_deletes_nothing(payload: dict[str, object]) -> None:
    """Empty means no."""
    assert KeepRoots().fault(payload, view())


def test_attack_35_while_one_root_leads_to_another_both_stay() -> None:
    """A station may have either alone; the link that is presented says so (M05.FR.09)."""
    new = Party.root("Our Root 2")
    csms_ca = new.issue("Our CSMS CA 2", ca=True)
    link = ROOT.issue("Our Root 2", ca=True, key=new.key)
    known = view(csms_ca.issue("csms.example.org").certificate, csms_ca.certificate, link.certificate)
    known.authorities += (Authority("root", new.certificate), Authority("link", link.certificate))
    for root in (ROOT, new):
        assert KeepRoots().fault(hash_data(root), known)
    known.presented = known.presented[:2]
    assert KeepRoots().fault(hash_data(ROOT), known) == ""
    assert KeepRoots().fault(hash_data(new), known)


def test_a_root_that_is_known_by_its_name_alone_stays() -> None:
    """Above a certificate of others, which the settings name, stands a root that no home has."""
    public = Party.root("Public Root")
    shown = view(public.issue("csms.example.org").certificate)
    assert KeepRoots().fault(hash_data(public), shown)


# -- what is asked for -------------------------------------------------------------------------------------------------


def against(csr: object, version: str = "ocpp2.0.1", **more: object) -> str:
    """What is said against a SignCertificate of the station with serial number SN-001."""
    return Requests().fault({"csr": csr, **more}, version, STATION, ORGANISATION.text)


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
@pytest.mark.parametrize(
    ("csr", "says"),
    [
        pytest.param(request(), "", id="its own"),
        pytest.param(request().replace("\n", "\\n"), "", id="with line ends spelled out"),
        pytest.param(request(organisations=()), "", id="without an organisation"),
        pytest.param(request(("SN-002",)), "A00.FR.511", id="another station's"),
        pytest.param(request(("SN-001", "SN-001")), "2 common names", id="two names"),
        pytest.param(request(organisations=("Other",)), "A00.FR.509", id="another organisation's"),
        pytest.param(request(holder=key("rsa1024")), "A00.FR.502", id="a weak key"),
        pytest.param(request() + request(), "more than one", id="two requests"),
        pytest.param(request() + "\n" * REQUEST_LENGTH, "5500 are the most", id="too long to be read"),
        pytest.param("x", "no PEM", id="no request"),
        pytest.param(None, "no request", id="nothing"),
        pytest.param(7, "no request", id="no text"),
    ],
)
def test_attack_35_a_station_asks_for_its_own_certificate_alone(version: str, csr: object, says: str) -> None:
    """By the very rules of the authority's intake, in every version, whether the type is named or not."""
    for more in ({}, {"certificateType": "ChargingStationCertificate"}):
        found = against(csr, version, **more)
        assert says in found
        assert bool(found) is bool(says)


CAR_2, CAR_20 = "V2GCertificate", "V2G20Certificate"


@pytest.mark.parametrize(
    ("version", "kind", "holder", "names", "refused"),
    [
        ("ocpp2.0.1", CAR_2, key("p256"), (SECC_ID,), False),
        ("ocpp2.0.1", CAR_2, key("p521"), (SECC_ID,), False),  # this version has one word for both editions
        ("ocpp2.1", CAR_2, key("p256"), (SECC_ID,), False),
        ("ocpp2.1", CAR_2, key("p521"), (SECC_ID,), True),
        ("ocpp2.1", CAR_20, key("p521"), (SECC_ID,), False),
        ("ocpp2.1", CAR_20, key("ed448"), (SECC_ID,), False),
        ("ocpp2.1", CAR_20, key("p256"), (SECC_ID,), True),
        ("ocpp2.0.1", CAR_20, key("p521"), (SECC_ID,), True),
        ("ocpp2.0.1", CAR_2, key("p384"), (SECC_ID,), True),
        ("ocpp2.0.1", CAR_2, key("p256"), ("SN-001",), True),
        ("ocpp2.0.1", CAR_2, key("p256"), (), True),
        ("ocpp2.0.1", CAR_2, key("p256"), (SECC_ID, SECC_ID), True),
        ("ocpp2.0.1", "Other", key("p256"), ("SN-001",), True),
        ("ocpp2.0.1", ["x"], key("p256"), ("SN-001",), True),
        ("ocpp1.6", CAR_2, key("p256"), (SECC_ID,), True),  # 1.6 has no types: whoever reads it sees a station's
        ("ocpp1.6", CAR_2, key("p256"), ("SN-001",), False),
    ],
)
def test_attack_35_what_cars_are_shown_follows_the_rules_of_its_edition(
    version: str, kind: object, holder: SigningKey, names: tuple[str, ...], refused: bool
) -> None:
    """The name is a SECCID, the key one that cars of the edition know."""
    assert bool(against(request(names, holder=holder), version, certificateType=kind)) is refused


def test_attack_35_a_request_for_cars_is_proved_and_ours_too() -> None:
    """Another name is no way around the other rules."""
    sound = request((SECC_ID,))
    body = "".join(sound.split("\n")[1:-2])
    der = bytearray(base64.b64decode(body))
    der[-1] ^= 1
    forged = sound.replace("\n".join(sound.split("\n")[1:-2]), base64.encodebytes(der).decode().rstrip())
    assert against(sound, certificateType=CAR_2) == ""
    assert against(forged, certificateType=CAR_2)
    assert "A00.FR.509" in against(request((SECC_ID,), ("Other",)), certificateType=CAR_2)


@given(
    st.one_of(
        st.text(max_size=200),
        st.binary(max_size=300),
        st.tuples(st.integers(0, 2**16), st.integers(1, 255)).map(lambda change: bent(*change)),
    ),
    st.sampled_from([None, "ChargingStationCertificate", CAR_2, CAR_20, "x", 7]),
    st.sampled_from(["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]),
)
def test_attack_35_no_request_makes_anything_stumble(csr: str | bytes, kind: object, version: str) -> None:
    """Noise, noise that is dressed up as a request, and honest requests with a byte changed are all refused."""
    written = csr if isinstance(csr, str) else dressed(csr)
    assert against(written, version, certificateType=kind)


@given(st.one_of(st.text(max_size=99), st.binary(max_size=300)), st.sampled_from([*TYPES, None, 7]))
def test_attack_35_no_certificate_makes_anything_stumble(noise: str | bytes, kind: object) -> None:
    """Nor does a certificate that is none."""
    written = noise if isinstance(noise, str) else dressed(noise, "CERTIFICATE")
    payload = {"certificate": written, "certificateType": kind}
    assert Certificates(frozenset(), catalogue=True).fault(payload, view())


def bent(place: int, change: int) -> bytes:
    """An honest request with one byte changed."""
    der = bytearray(x509.load_pem_x509_csr(request().encode()).public_bytes(Encoding.DER))
    der[place % len(der)] ^= change
    return bytes(der)


def dressed(der: bytes, label: str = "CERTIFICATE REQUEST") -> str:
    """DER as PEM."""
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"
