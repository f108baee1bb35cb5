"""Bodies of certificates: what we write is, byte for byte, what the library's builder makes of the same words."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.certificate import extension
from pki.plan import Issuer, Plan, Subject, plan, plan_root
from pki.profile import CertificateProfile, CertificatePurpose, KeyUse, SanRule
from pki.services import Services, shard_of
from pki.strength import Padding, signing_hash, signing_padding
from tests.pki.papers import NOW, ORGANISATION, POLICIES, authority, handmade, issuing, key, profile, root, serial

if TYPE_CHECKING:
    from pki.strength import SigningKey

SERVICES = Services("http://csms.example.org:8480", "station")
SECC = "DEABCS" + "0" * 33
NAMES = {"csms": "csms.example.org", "v2g-secc-2": SECC, "v2g-secc-20": SECC}
ROOTS = {"root", "manufacturer-root", "v2g-root-2", "v2g-root-20"}
PROFILES = sorted(path.stem for path in POLICIES.glob("*.toml"))


def by_the_library(made: Plan, holder: SigningKey, services: Services | None = None) -> bytes:
    """The same certificate as the library builds it, without its signature."""
    issuer = made.issuer.certificate if made.issuer else None
    builder = x509.CertificateBuilder(
        subject_name=made.subject_name,
        issuer_name=issuer.subject if issuer else made.subject_name,
        public_key=made.public_key,
        serial_number=made.serial.number,
        not_valid_before=made.not_before,
        not_valid_after=made.not_after,
    )
    for content, critical in due(made, issuer, services):
        builder = builder.add_extension(content, critical)
    public = holder.public_key()
    signed = builder.sign(holder, signing_hash(public), rsa_padding=signing_padding(public, made.padding))
    return signed.tbs_certificate_bytes


def due(
    made: Plan, issuer: x509.Certificate | None, services: Services | None
) -> list[tuple[x509.ExtensionType, bool]]:
    """Every extension that the profile calls for, as the library has it."""
    wanted = made.profile
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(wanted.is_ca, wanted.path_length), True),
        (uses(wanted, made), True),
        (x509.SubjectKeyIdentifier.from_public_key(made.public_key), False),
    ]
    if issuer:
        own = extension(issuer, x509.SubjectKeyIdentifier)
        assert own is not None
        found.append((x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value), False))
    if wanted.eku:
        found.append((x509.ExtendedKeyUsage(wanted.eku), False))
    if wanted.san is SanRule.DNS:
        found.append((x509.SubjectAlternativeName([x509.DNSName(made.subject.common_name)]), False))
    if wanted.purpose is CertificatePurpose.OCSP:
        found.append((x509.OCSPNoCheck(), False))
    return found + [(each, False) for each in pointed(made, services) if services]


def uses(wanted: CertificateProfile, made: Plan) -> x509.KeyUsage:
    """The key usage, which depends on the kind of key (RFC 5480 3, RFC 8410 5)."""
    on_curve, is_rsa = (isinstance(made.public_key, kind) for kind in (ec.EllipticCurvePublicKey, rsa.RSAPublicKey))
    return x509.KeyUsage(
        digital_signature=KeyUse.DIGITAL_SIGNATURE in wanted.key_usage,
        content_commitment=False,
        key_encipherment=KeyUse.KEY_ENCIPHERMENT in wanted.key_usage and is_rsa,
        data_encipherment=False,
        key_agreement=KeyUse.KEY_AGREEMENT in wanted.key_usage and on_curve,
        key_cert_sign=KeyUse.KEY_CERT_SIGN in wanted.key_usage,
        crl_sign=KeyUse.CRL_SIGN in wanted.key_usage,
        encipher_only=False,
        decipher_only=False,
    )


def pointed(made: Plan, services: Services | None) -> list[x509.ExtensionType]:
    """Where to ask about it, if anywhere."""
    found: list[x509.ExtensionType] = []
    if services and made.profile.crl:
        place = x509.UniformResourceIdentifier(services.crl(shard_of(made.serial, services.shards)))
        found.append(x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)]))
    ways = [(AuthorityInformationAccessOID.OCSP, services.ocsp)] if services and made.profile.ocsp else []
    if services and (made.profile.crl or made.profile.ocsp) and not made.profile.der_length:
        ways.append((AuthorityInformationAccessOID.CA_ISSUERS, services.certificate))
    if ways:
        found.append(
            x509.AuthorityInformationAccess(
                [x509.AccessDescription(kind, x509.UniformResourceIdentifier(url)) for kind, url in ways]
            )
        )
    return found


def above(made: CertificateProfile) -> tuple[Issuer, SigningKey]:
    """An authority that may sign this, and its key."""
    return (root(), key("p384", "root")) if made.is_ca else (issuing(), key("p256", "issuing"))


@pytest.mark.parametrize("services", [None, SERVICES], ids=["pointing nowhere", "pointing at services"])
@pytest.mark.parametrize("name", [name for name in PROFILES if name not in ROOTS])
def test_a_body_is_what_the_library_makes(name: str, services: Services | None) -> None:
    """Every certificate profile, with and without addresses in it."""
    wanted, (issuer, holder) = profile(name), above(profile(name))
    kind = {"ec-p521": "p521", "ec-p256": "p256"}.get(wanted.keys[0], "p256") if wanted.keys else "p256"
    subject = Subject(NAMES.get(name, "SN-001"), ORGANISATION)
    made = plan(wanted, subject, key(kind, "leaf").public_key(), issuer, serial(9), NOW, 0, services)

    assert made.tbs == by_the_library(made, holder, services)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448"])
@pytest.mark.parametrize("name", ["station", "csms"])
def test_a_body_names_every_kind_of_key_as_the_library_does(name: str, kind: str) -> None:
    """The key itself, what it may be used for, and its identifier."""
    made = plan(
        profile(name), Subject("x.example.org", ORGANISATION), key(kind).public_key(), issuing(), serial(9), NOW
    )

    assert made.tbs == by_the_library(made, key("p256", "issuing"))


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448", "mldsa44"])
def test_a_body_names_every_kind_of_signature_as_the_library_does(kind: str, padding: Padding) -> None:
    """A root's own body and one below it, under each kind of issuer's key; PSS is for RSA alone."""
    if padding is Padding.PSS and not kind.startswith("rsa"):
        return
    holder = key(kind, "root")
    first = plan_root(profile("root"), Subject("Root", ORGANISATION), holder.public_key(), serial(1), NOW, 0, padding)
    issuer = Issuer("root", first.twin(), padding)
    below = plan(profile("issuing"), Subject("CA", ORGANISATION), key("p256").public_key(), issuer, serial(2), NOW)

    assert [first.tbs, below.tbs] == [by_the_library(first, holder), by_the_library(below, holder)]


@pytest.mark.parametrize("days", [100, 7000])
@pytest.mark.parametrize("year", [2045, 2049, 2055])
def test_times_are_written_in_the_form_due_for_their_years(year: int, days: int) -> None:
    """RFC 5280 4.1.2.5: the turn of 2050 is one that a root lives through."""
    holder, now = key("p384", "root"), dt.datetime(year, 12, 1, tzinfo=dt.UTC)
    made = plan_root(profile("root"), Subject("Root", ORGANISATION), holder.public_key(), serial(1), now, days)

    assert made.tbs == by_the_library(made, holder)


def test_an_issuer_is_named_in_its_own_spelling() -> None:
    """An imported authority's name may be written as PrintableString: below it, it stands as it stands above."""
    printable = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Old CA", x509.name._ASN1Type.PrintableString)])
    holder = key("p256", "old")
    made = handmade("x", holder, "Root", key("p384", "root"), *authority(), days=(-1, 900))
    builder = x509.CertificateBuilder(
        printable, printable, holder.public_key(), 7, made.not_valid_before_utc, made.not_valid_after_utc
    )
    for found in made.extensions:
        builder = builder.add_extension(found.value, found.critical)
    issuer = Issuer("old", builder.sign(holder, hashes.SHA256()))
    planned = plan(profile("station"), Subject("SN-1", ORGANISATION), key("p256").public_key(), issuer, serial(9), NOW)

    assert planned.tbs == by_the_library(planned, holder)
    assert printable.public_bytes() in planned.tbs
