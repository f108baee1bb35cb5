"""``pki.firmware.signer``: who may sign for a vendor, and in which one form the certificate comes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.certificate import key_id
from pki.errors import RefusedError
from pki.firmware.policy import FirmwarePolicy, MissingPurpose
from pki.firmware.signer import Anchors, examine_signer, form_findings, purpose_findings, read_signer
from tests.pki.firmware.makers import NOW, STANDARD, Signed, make_maker, make_root, make_signer, rsa_key

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = make_root()
OTHER = make_root("Ampere Manufacturer Root")
OURS = make_root("Example Charging Root")
ANCHORS = Anchors({"Volta": (ROOT.certificate,), "Ampere": (OTHER.certificate,)}, (OURS.certificate,))
DAY = dt.timedelta(days=1)


def codes(signer: Signed, anchors: Anchors = ANCHORS) -> list[str]:
    """What is wrong with a signer for Volta."""
    return [finding.code for finding in examine_signer(signer.certificate, "Volta", anchors, NOW)]


def refusal(pem: str) -> str:
    """The code that a certificate's text is refused with."""
    with pytest.raises(RefusedError) as refused:
        read_signer(pem)
    return refused.value.findings[0].code


def test_a_signer_directly_below_its_vendors_root_is_good() -> None:
    """Nothing is found against an honest signer."""
    assert codes(make_signer(ROOT)) == []


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda: make_signer(OURS), "signer.hierarchy", id="gate_03 our own root issued it"),
        pytest.param(lambda: make_root("Nobody"), "signer.untrusted", id="gate_04 self-signed"),
        pytest.param(lambda: make_signer(make_root("Nobody")), "signer.untrusted", id="gate_04 unknown root"),
        pytest.param(lambda: ROOT, "signer.is_ca", id="gate_05 the root itself"),
        pytest.param(lambda: make_signer(OTHER), "signer.vendor", id="gate_06 another vendor's"),
        pytest.param(lambda: make_signer(ROOT, end=NOW - DAY), "signer.expired", id="gate_07 expired"),
        pytest.param(lambda: make_signer(ROOT, start=NOW + DAY), "signer.not_yet_valid", id="gate_08 not yet valid"),
        pytest.param(
            lambda: make_signer(ROOT, purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
            "signer.purpose",
            id="gate_11 clientAuth",
        ),
        pytest.param(lambda: make_signer(ROOT, digital_signature=False), "signer.purpose", id="gate_11 key usage"),
        pytest.param(lambda: make_signer(ROOT, rsa_key(1024)), "alg.weak", id="gate_16 RSA-1024"),
        pytest.param(
            lambda: make_signer(ROOT, ec.generate_private_key(ec.SECP192R1())), "alg.weak", id="gate_16 P-192"
        ),
    ],
)
def test_gate_03_to_16_a_wrong_signer_is_refused_by_name(make: Callable[[], Signed], code: str) -> None:
    """Each wrong signer is told from every other; the rows stand in the ids."""
    assert code in codes(make())


def test_gate_13_an_intermediate_between_root_and_signer_is_not_trusted() -> None:
    """The field holds one certificate: whatever stands above the signer must be an anchor."""
    between = make_signer(ROOT, ca=True)
    assert codes(make_signer(between)) == ["signer.untrusted"]


def test_gate_13_an_intermediate_sent_along_is_named() -> None:
    """Leaf and intermediate in one field are one certificate too many."""
    between = make_signer(ROOT, ca=True)
    assert refusal(make_signer(between).pem + between.pem) == "signer.depth"


def test_gate_15_an_issuer_that_is_no_authority_is_refused() -> None:
    """Trusting a certificate does not make an authority of it."""
    plain = make_root("Plain", ca=False)
    assert "signer.path" in codes(make_signer(plain), Anchors({"Volta": (plain.certificate,)}))


def test_gate_09_a_revoked_signer_is_refused() -> None:
    """The deny list names issuer and serial number."""
    maker = make_maker()
    entry = (key_id(maker.root.certificate), maker.signer.certificate.serial_number)
    found = examine_signer(maker.signer.certificate, "Volta", maker.anchors, NOW, frozenset({entry}))
    assert [finding.code for finding in found] == ["signer.revoked"]


def test_no_anchors_trust_nobody() -> None:
    """Empty means no."""
    assert codes(make_signer(ROOT), Anchors()) == ["signer.untrusted"]


@pytest.mark.parametrize(("missing", "severity"), [(MissingPurpose.WARN, "warning"), (MissingPurpose.REFUSE, "error")])
def test_gate_12_a_signer_without_any_purpose_is_told_or_refused_as_the_policy_says(
    missing: MissingPurpose, severity: str
) -> None:
    """The standard does not demand the extension; an operator may."""
    signer = make_signer(ROOT, purpose=None).certificate
    (finding,) = purpose_findings(signer, FirmwarePolicy("mine", STANDARD.algorithms, missing))
    assert (finding.code, finding.severity) == ("signer.purpose", severity)
    assert purpose_findings(make_signer(ROOT).certificate, STANDARD) == ()


def test_gate_14_certificates_beside_the_one_due_are_refused() -> None:
    """An unrelated or repeated certificate has no business there."""
    assert refusal(make_signer(ROOT).pem * 2) == "cert.order"


def test_gate_24_a_certificate_of_more_than_5500_characters_is_refused_for_its_size() -> None:
    """5500 is the field's bound in every version."""
    assert refusal(make_signer(ROOT).pem + "\n" * 5500) == "field.size"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda signer: signer.pem + private(signer), id="a private key beside it"),
        pytest.param(lambda signer: signer.pem.replace("M", "\0", 1), id="NUL"),
        pytest.param(lambda signer: "\ufeff" + signer.pem, id="a byte order mark"),
        pytest.param(lambda signer: signer.certificate.public_bytes(Encoding.DER).hex(), id="DER in hex"),
        pytest.param(lambda signer: "subject=CN = Volta\n" + signer.pem, id="text before it"),
        pytest.param(lambda signer: signer.pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), id="another label"),
        pytest.param(lambda signer: signer.pem[:0], id="nothing"),
    ],
)
def test_gate_25_a_certificate_in_any_other_form_is_refused(spoil: Callable[[Signed], str]) -> None:
    """Two readers must never see two certificates in one text."""
    assert refusal(spoil(make_signer(ROOT))) == "cert.encoding"


@pytest.mark.parametrize("loose", ["\r\n", "\\n", " \n", "\t\n"])
def test_gate_25_loose_line_ends_pass_in_a_file_but_not_on_the_wire(loose: str) -> None:
    """People's editors change line ends; a CSMS that does may meet a station that stumbles over it."""
    signer = make_signer(ROOT)
    loosened = signer.pem.replace("\n", loose)
    assert read_signer(loosened) == signer.certificate
    assert [finding.code for finding in form_findings(loosened)] == ["cert.encoding"]
    assert form_findings(signer.pem) == form_findings(signer.pem.rstrip("\n")) == ()


def private(signer: Signed) -> str:
    """The signer's key as PEM."""
    return signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
