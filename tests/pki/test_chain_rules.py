"""Each rule for paths, broken once, for firmware signers by the codes of the firmware gate."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.chain import Purpose, verify
from pki.errors import RefusedError
from pki.findings import Severity
from tests.pki.papers import NOW, authority, codes, handmade, key, over_sha1, usage

MAKER = key("p256", "maker")
ROOT = handmade("Maker Root", MAKER, "Maker Root", MAKER, *authority())
SIGNER = key("p256", "signer")
SIGNS = (usage(digital_signature=True), True)
CODE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)


def signer(
    *extensions: tuple[x509.ExtensionType, bool], days: tuple[float, float] = (-1, 365), kind: str = ""
) -> x509.Certificate:
    """A firmware signing certificate directly below the maker's root."""
    extensions += ((x509.AuthorityKeyIdentifier.from_issuer_public_key(MAKER.public_key()), False),)
    return handmade("Signer", key(kind, "signer") if kind else SIGNER, ROOT, MAKER, *extensions, days=days)


PINNED = signer(SIGNS, CODE)


def under(
    *extensions: tuple[x509.ExtensionType, bool], days: tuple[float, float] = (-1, 365)
) -> list[x509.Certificate]:
    """A station's certificate below an authority with these extensions: leaf, authority, root."""
    holder = key("p256", "ca")
    middle = handmade("CA", holder, ROOT, MAKER, *extensions, days=days)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(holder.public_key())
    return [handmade("SN", key(), middle, holder, (above, False)), middle, ROOT]


def refused(certificate: x509.Certificate, anchors: list[x509.Certificate], purpose: Purpose) -> set[str]:
    """The error codes of a refusal."""
    with pytest.raises(RefusedError) as refusal:
        verify(certificate, anchors, [], purpose, NOW)
    errors = [finding for finding in refusal.value.findings if finding.severity is Severity.ERROR]
    assert all(finding.clause for finding in errors)
    return codes(errors)


def test_a_good_signer_directly_below_its_maker_s_root_is_trusted() -> None:
    """A00.FR.707: key usage and extended key usage both say what it is for."""
    chain = verify(signer(SIGNS, CODE), [ROOT], [], Purpose.FIRMWARE, NOW)

    assert chain.findings == ()


def test_a_signer_that_does_not_say_code_signing_is_trusted_with_a_warning() -> None:
    """OCPP only advises on extended key usage, so its absence refuses nothing."""
    chain = verify(signer(SIGNS), [ROOT], [], Purpose.FIRMWARE, NOW)

    assert [(finding.code, finding.severity) for finding in chain.findings] == [("signer.purpose", Severity.WARNING)]


@pytest.mark.parametrize(
    ("certificate", "anchors", "expected"),
    [
        pytest.param(handmade("S", SIGNER, "S", SIGNER), [ROOT], {"signer.untrusted"}, id="self-signed"),
        pytest.param(signer(), [], {"signer.untrusted"}, id="no anchors"),
        pytest.param(ROOT, [ROOT], {"signer.is_ca", "signer.purpose"}, id="the root itself"),
        pytest.param(
            signer(*authority()), [ROOT], {"signer.is_ca", "signer.purpose"}, id="an authority below the root"
        ),
        pytest.param(signer(SIGNS, CODE, days=(-9, -1)), [ROOT], {"signer.expired"}, id="expired"),
        pytest.param(signer(SIGNS, CODE, days=(1, 9)), [ROOT], {"signer.not_yet_valid"}, id="not yet valid"),
        pytest.param(signer((usage(key_agreement=True), True), CODE), [ROOT], {"signer.purpose"}, id="may not sign"),
        pytest.param(
            signer(SIGNS, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)),
            [ROOT],
            {"signer.purpose"},
            id="a server's certificate",
        ),
        pytest.param(signer(SIGNS, CODE, kind="rsa1024"), [ROOT], {"alg.weak"}, id="a short RSA key"),
        pytest.param(signer(SIGNS, CODE, kind="p192"), [ROOT], {"alg.weak"}, id="a short curve"),
        pytest.param(PINNED, [PINNED], {"signer.untrusted"}, id="pinned without a root"),
    ],
)
def test_a_signer_that_must_not_be_trusted_is_refused_by_code(
    certificate: x509.Certificate, anchors: list[x509.Certificate], expected: set[str]
) -> None:
    """One fault, one code, which the gate hands on to the CSMS."""
    assert refused(certificate, anchors, Purpose.FIRMWARE) == expected


def test_a_signer_below_an_intermediate_is_too_deep() -> None:
    """The message has room for one certificate, so the station could not follow."""
    leaf, middle, top = under(*authority())

    with pytest.raises(RefusedError) as refusal:
        verify(leaf, [top], [middle], Purpose.FIRMWARE, NOW)

    assert "signer.depth" in codes(refusal.value)


def test_a_revoked_signer_has_a_code_of_its_own() -> None:
    """The gate answers RevokedCertificate for it."""
    with pytest.raises(RefusedError) as refusal:
        verify(signer(SIGNS, CODE), [ROOT], [], Purpose.FIRMWARE, NOW, revoked=lambda _issuer, serial: serial == 7)

    assert codes(refusal.value) == {"signer.revoked"}


def test_a_signature_over_sha1_is_weak_below_the_anchor_alone() -> None:
    """A00.FR.506; an anchor is trusted for its key, whatever signature it carries."""
    old = key("rsa2048", "old")
    sound = handmade("Old Root", old, "Old Root", old, *authority())
    anchor = x509.load_der_x509_certificate(over_sha1(sound.public_bytes(Encoding.DER), sound.tbs_certificate_bytes))
    fresh = handmade("Signer", SIGNER, anchor, old, SIGNS, CODE)
    weak = x509.load_der_x509_certificate(over_sha1(fresh.public_bytes(Encoding.DER), fresh.tbs_certificate_bytes))

    assert verify(fresh, [anchor], [], Purpose.FIRMWARE, NOW).anchor == anchor
    assert "alg.weak" in refused(weak, [anchor], Purpose.FIRMWARE)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        pytest.param(under(), {"chain.path"}, id="an issuer that says nothing of itself"),
        pytest.param(under((x509.BasicConstraints(False, None), True)), {"chain.path"}, id="an issuer that is a leaf"),
        pytest.param(under(authority()[0], SIGNS), {"chain.path"}, id="an issuer that may not sign certificates"),
        pytest.param(under(*authority(), days=(-9, -1)), {"chain.expired"}, id="an issuer that has expired"),
        pytest.param(
            under(*authority(), (x509.NameConstraints([x509.DNSName("example.org")], None), False)),
            {"chain.malformed"},
            id="name constraints that are not critical",
        ),
        pytest.param(
            under(*authority(), (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"), True)),
            {"chain.path"},
            id="a critical extension that nobody knows",
        ),
        pytest.param(
            under(*authority(), (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.14"), b"\xff"), False)),
            {"chain.untrusted", "chain.malformed"},
            id="extensions that cannot be read",
        ),
    ],
)
def test_an_issuer_on_the_path_must_be_one(chain: list[x509.Certificate], expected: set[str]) -> None:
    """RFC 5280 6.1.4 and 4.2."""
    with pytest.raises(RefusedError) as refusal:
        verify(chain[0], [chain[2]], [chain[1]], Purpose.STATION, NOW)

    assert codes(refusal.value) == expected


def test_a_path_length_is_kept() -> None:
    """RFC 5280 6.1.4 (m): an authority for leaves alone has no authority below it."""
    holder = key("p256", "a")
    narrow = handmade("Narrow", holder, "Narrow", holder, *authority(0))
    below = key("p256", "b")
    middle = handmade("B", below, narrow, holder, *authority())
    leaf = handmade("SN", key(), middle, below)

    assert verify(middle, [narrow], [], Purpose.ANY, NOW).anchor == narrow
    with pytest.raises(RefusedError) as refusal:
        verify(leaf, [narrow], [middle], Purpose.STATION, NOW)
    assert codes(refusal.value) == {"chain.path"}


@pytest.mark.parametrize(
    ("purpose", "use", "good"),
    [
        (Purpose.STATION, ExtendedKeyUsageOID.CLIENT_AUTH, True),
        (Purpose.STATION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, True),
        (Purpose.STATION, ExtendedKeyUsageOID.SERVER_AUTH, False),
        (Purpose.CSMS, ExtendedKeyUsageOID.SERVER_AUTH, True),
        (Purpose.CSMS, ExtendedKeyUsageOID.CLIENT_AUTH, False),
        (Purpose.FIRMWARE, ExtendedKeyUsageOID.CLIENT_AUTH, False),
        (Purpose.ANY, ExtendedKeyUsageOID.CLIENT_AUTH, True),
    ],
)
def test_an_extended_key_usage_must_fit_where_there_is_one(
    purpose: Purpose, use: x509.ObjectIdentifier, good: bool
) -> None:
    """A00.FR.514 advises against it, so its absence is fine and its presence is heeded."""
    certificate = signer(SIGNS, (x509.ExtendedKeyUsage([use]), False))

    if good:
        assert verify(certificate, [ROOT], [], purpose, NOW).anchor == ROOT
    else:
        assert refused(certificate, [ROOT], purpose) == {
            f"{'signer' if purpose is Purpose.FIRMWARE else 'chain'}.purpose"
        }


def test_the_validity_holds_to_the_second() -> None:
    """RFC 5280 4.1.2.5: both ends belong to it."""
    certificate = signer(SIGNS, CODE)
    end = certificate.not_valid_after_utc

    assert verify(certificate, [ROOT], [], Purpose.FIRMWARE, end)
    with pytest.raises(RefusedError):
        verify(certificate, [ROOT], [], Purpose.FIRMWARE, end + dt.timedelta(seconds=1))


def test_an_expired_anchor_vouches_for_nobody() -> None:
    """An anchor past its end is not renewed trust."""
    late = handmade("Late", MAKER, "Late", MAKER, *authority(), days=(-9, -1))

    assert refused(handmade("SN", key(), late, MAKER), [late], Purpose.STATION) == {"chain.expired"}


def test_an_authority_held_to_servers_vouches_for_no_station() -> None:
    """As TLS libraries do, and as its owner meant it (RFC 5280 4.2.1.12); an anchor was named for its purpose."""
    servers = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    below = key("p256", "below")
    middle = handmade("Middle", below, ROOT, MAKER, *authority(), servers)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(below.public_key())
    station = handmade("SN-1", SIGNER, middle, below, SIGNS, (above, False))

    with pytest.raises(RefusedError) as refused:
        verify(station, [ROOT], [middle], Purpose.STATION, NOW)
    assert codes(refused.value) == {"chain.purpose"}
    assert verify(station, [ROOT], [middle], Purpose.CSMS, NOW).anchor == ROOT
    assert verify(station, [ROOT], [middle], Purpose.ANY, NOW).anchor == ROOT
