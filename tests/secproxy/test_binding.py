"""A certificate is this station's, or it is refused with the gravest reason."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.errors import InputError
from pki.station import CertificateStatus, StationStatus
from secproxy.binding import NO_OBJECTION, READ_MOST, ClientCertificate, Recently, objection, read_certificate
from secproxy.station_view import Trust
from tests.play import NOON
from tests.secproxy.scene import MAKERS, OURS, certificate, fact, station, view


def self_signed(common_name: str) -> bytes:
    """A certificate of this name, O and the serial number 77."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Charging"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 77, NOON, NOON + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def test_a_real_certificate_is_read_to_the_last_field() -> None:
    """Names in order, serial, end, and the two hashes that name key and certificate."""
    der = self_signed("SN-1")
    read = read_certificate(der, OURS)
    assert read_certificate(der, MAKERS, OURS) == dataclasses.replace(read, between=(MAKERS,))
    assert dataclasses.replace(read, between=(MAKERS,)).signer_key_id == MAKERS
    assert read == ClientCertificate(
        subject="CN=SN-1,O=Example Charging",
        common_names=("SN-1",),
        organisations=("Example Charging",),
        serial=fact(77).serial,
        issuer_key_id=OURS,
        not_after=NOON + dt.timedelta(days=1),
        fingerprint=hashlib.sha256(der).hexdigest(),
    )


def test_a_certificate_that_comes_again_is_known_by_all_that_was_read_of_it() -> None:
    """Its bytes and the way up to its anchor; what cannot be read is never known; the longest away are forgotten."""
    der, known = self_signed("SN-1"), Recently()
    first = known.read(der, OURS)
    assert first == read_certificate(der, OURS)
    assert known.read(der, OURS) is first
    assert known.read(der, MAKERS, OURS) == read_certificate(der, MAKERS, OURS)
    for _ in range(2):
        with pytest.raises(InputError):
            known.read(der[:-1], OURS)
    for number in range(READ_MOST):
        known.read(der, number.to_bytes(32), OURS)
    assert known.read(der, OURS) is not first
    assert len(known) == READ_MOST


@pytest.mark.parametrize("der", [b"", b"\x30\x03\x02\x01\x01", b"-----BEGIN CERTIFICATE-----"])
def test_what_is_no_certificate_is_an_input_error(der: bytes) -> None:
    """No parser's exception passes the door."""
    with pytest.raises(InputError, match="certificate"):
        read_certificate(der, OURS)


def test_the_stations_own_certificate_meets_no_objection() -> None:
    """The one registered serial as the one common name, our O, listed as valid (A00.FR.404, .405, .705)."""
    known = station()
    assert objection(certificate(), known, view(known), NOON) == NO_OBJECTION


def test_a_makers_certificate_is_taken_without_our_ledger() -> None:
    """A trusted organisation's certificate is not listed by us; its O is the maker's (A00.FR.404)."""
    known = station(certificates=())
    shown = certificate(issuer=MAKERS, organisations=("Acme Works",))
    assert objection(shown, known, view(known), NOON) == NO_OBJECTION


@pytest.mark.parametrize(
    ("shown", "cause"),
    [
        (certificate(issuer=hashlib.sha256(b"stranger").digest()), "cert.unknown_ca"),
        (certificate("SN-CP-002"), "cert.other_station"),
        (certificate("SN-CP-002", "SN-nobody"), "cert.other_station"),
        (certificate(not_after=NOON), "cert.expired"),
        (certificate("SN-nobody"), "cert.invalid"),
        (certificate("sn-cp-001"), "cert.invalid"),
        (certificate("SN-CP-001 "), "cert.invalid"),
        (certificate("SN-CP-001", "SN-CP-001"), "cert.invalid"),
        (certificate("SN-CP-001", "SN-nobody"), "cert.invalid"),
        (certificate(organisations=()), "cert.invalid"),
        (certificate(organisations=("Acme Works",)), "cert.invalid"),
        (certificate(organisations=("example charging",)), "cert.invalid"),
        (certificate(number=78), "cert.invalid"),
    ],
)
def test_attack_02_a_certificate_that_is_not_this_stations_is_refused(shown: ClientCertificate, cause: str) -> None:
    """Issuer, owner, end, exact name, organisation and ledger, the gravest reason first (A00.FR.403 to .407, .705)."""
    known = station()
    assert objection(shown, known, view(known, station("CP-002")), NOON)[0] == cause


def test_an_issuer_without_an_organisation_vouches_for_no_empty_one() -> None:
    """Empty means no: a certificate with an empty O does not match an anchor that names none (A00.FR.404)."""
    known = view(station())
    known.trusts[MAKERS] = Trust(MAKERS, "", ours=False, subject="CN=Acme Factory")
    shown = certificate(issuer=MAKERS, organisations=("",))
    assert objection(shown, known.stations["CP-001"], known, NOON)[0] == "cert.invalid"


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (CertificateStatus.REVOKED, "cert.revoked"),
        (CertificateStatus.ABANDONED, "cert.revoked"),
        (CertificateStatus.HELD, "cert.held"),
        (CertificateStatus.INTENDED, "cert.invalid"),
    ],
)
def test_attack_11_only_a_valid_entry_of_the_ledger_counts(status: CertificateStatus, cause: str) -> None:
    """A00.FR.705: what was revoked, put on hold, abandoned or never finished is no certificate."""
    known = station(certificates=(fact(76), fact(77, status)))
    assert objection(certificate(), known, view(known), NOON)[0] == cause


@pytest.mark.parametrize("place", ["signer", "above the signer", "anchor"])
def test_what_one_of_ours_issued_counts_only_if_the_ledger_lists_it(place: str) -> None:
    """Whatever anchor the way ends in: an operator's certificate with a station's serial for a name is no station's."""
    ours, theirs = hashlib.sha256(b"our operator CA").digest(), hashlib.sha256(b"x").digest()
    way = {"signer": (ours, theirs), "above the signer": (theirs, ours), "anchor": ()}[place]
    shown = dataclasses.replace(certificate(issuer=MAKERS, organisations=("Acme Works",)), between=way)
    known = view(station(certificates=(fact(76),)))
    assert objection(shown, known.stations["CP-001"], known, NOON) == NO_OBJECTION
    known.own_keys = frozenset({MAKERS if place == "anchor" else ours})

    assert objection(shown, known.stations["CP-001"], known, NOON)[0] == "cert.invalid"


def test_a_listed_certificate_of_ours_counts_below_any_anchor() -> None:
    """The ledger names who signed it, not where the way ended."""
    ours = hashlib.sha256(b"our operator CA").digest()
    shown = dataclasses.replace(certificate(issuer=MAKERS, organisations=("Acme Works",)), between=(ours,))
    known = view(station(certificates=(fact(77, issuer=ours),)))
    known.own_keys = frozenset({ours})

    assert objection(shown, known.stations["CP-001"], known, NOON) == NO_OBJECTION


def test_the_same_serial_number_of_another_issuer_is_another_certificate() -> None:
    """A serial number means something together with its issuer only (RFC 5280 4.1.2.2)."""
    known = station(certificates=(fact(77, issuer=MAKERS),))
    assert objection(certificate(), known, view(known), NOON)[0] == "cert.invalid"


def test_a_station_that_is_unknown_or_disabled_is_refused_with_a_good_certificate() -> None:
    """Registration decides; the certificate of a removed station opens nothing."""
    assert objection(certificate("SN-nobody"), None, view(), NOON)[0] == "station.unknown"
    known = station(status=StationStatus.DISABLED)
    assert objection(certificate(), known, view(known), NOON)[0] == "station.disabled"


def test_another_stations_certificate_is_named_with_its_owner() -> None:
    """Both names stand in the event, so that somebody can go and look (A00.FR.427), registered or not."""
    owner = station("CP-002")
    for claimed in (station(), None):
        cause, facts = objection(certificate("SN-CP-002"), claimed, view(station(), owner), NOON)
        assert (cause, facts) == ("cert.other_station", {"certificate_of": "CP-002"})


@pytest.mark.parametrize("state", ["revoked", "held"])
def test_below_an_authority_that_has_fallen_nothing_counts(state: str) -> None:
    """However the ledger lists the certificate itself, and whoever else has the same key (RFC 5280 6.1.3)."""
    known = station()
    about = view(known)
    about.fallen = {OURS: state}
    assert objection(certificate(), known, about, NOON)[0] == f"cert.{state}"
