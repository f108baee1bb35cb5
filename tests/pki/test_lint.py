"""The approval: a twin is judged, and one permission to sign comes out."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import encode, lint
from pki.certificate import pem_length, to_pem
from pki.der import BIT_STRING, read_box
from pki.errors import ConflictError, RefusedError
from pki.findings import Finding, Severity
from pki.issue import sign
from pki.lint import Approved, approve, lint_certificate, try_out
from pki.lint_below import BELOW
from pki.names import CertificateSerial, Organisation
from pki.plan import Issuer, Plan, Subject, plan, plan_root
from pki.profile import CertificateProfile, CertificatePurpose, SanRule
from pki.profile_keys import CHAIN_LENGTH_MOST
from pki.raw_form import read_form
from pki.unreadable import UNREADABLE
from tests.pki.papers import (
    NOW,
    ORGANISATION,
    authority,
    codes,
    handmade,
    issuing,
    key,
    leaf,
    leaf_plan,
    profile,
    root,
    serial,
)

PUBLIC = key("p256", "leaf").public_key()
P256_SIGNATURE_MOST = 72  # bytes of DER: two numbers of 33 bytes with tag and length, in a sequence


def test_an_approval_holds_the_bytes_that_will_be_signed() -> None:
    """They can be recorded before the real key is touched."""
    assert approve(leaf_plan()).tbs == leaf().certificate.tbs_certificate_bytes


def test_an_approval_cannot_be_made_by_hand() -> None:
    """It comes from the lint or not at all."""
    with pytest.raises(TypeError):
        Approved()


def test_an_approval_is_good_once() -> None:
    """Two certificates can never come of one record."""
    permission = approve(leaf_plan())
    permission.redeem()

    with pytest.raises(ConflictError) as refusal:
        permission.redeem()

    assert refusal.value.code == "issue.spent"
    assert "spent" in repr(permission)


@pytest.mark.parametrize(
    ("common_name", "name"),
    [
        ("https://evil", "station"),
        ("10.0.0.1", "station"),
        ("fe80::1", "station"),
        (" SN", "station"),
        ("CSMS.example.org", "csms"),
        ("10.0.0.1", "csms"),
    ],
)
def test_a_name_of_the_wrong_shape_is_never_approved(common_name: str, name: str) -> None:
    """A00.FR.510 and .511, on the last step before the key."""
    with pytest.raises(RefusedError) as refusal:
        approve(leaf_plan(name, common_name))

    assert refusal.value.code == "lint.refused"
    assert codes(refusal.value) >= {"lint.common_name"}


def test_a_wildcard_is_never_approved() -> None:
    """A00.FR.510: stations take one only where they were told to."""
    with pytest.raises(RefusedError) as refusal:
        approve(leaf_plan("csms", "*.example.org"))

    assert "lint.wildcard" in codes(refusal.value)


def test_nothing_is_approved_for_later() -> None:
    """A02.FR.08: the station uses it at once."""
    with pytest.raises(RefusedError) as refusal:
        approve(leaf_plan(), NOW - dt.timedelta(days=1))

    assert codes(refusal.value) == {"lint.future"}
    assert approve(leaf_plan(), NOW).findings == ()


@pytest.mark.parametrize(
    ("tight", "code"),
    [
        (dataclasses.replace(profile("station"), der_length=100), "lint.profile_length"),
        (dataclasses.replace(profile("station"), pem_length=100), "lint.profile_length"),
        (dataclasses.replace(profile("station"), chain_length=100), "lint.chain_length"),
    ],
    ids=["der_length", "pem_length", "chain_length"],
)
def test_a_profile_may_allow_less_than_the_standard(tight: CertificateProfile, code: str) -> None:
    """Some stations have little room; what does not fit is not signed."""
    made = plan(tight, Subject("SN-001", ORGANISATION), PUBLIC, issuing(), serial(4), NOW)

    with pytest.raises(RefusedError) as refusal:
        approve(made)

    assert codes(refusal.value) == {code}


def test_a_profile_that_grants_too_much_is_never_approved() -> None:
    """Even a hand-made profile cannot give a leaf the right to sign certificates."""
    greedy = dataclasses.replace(profile("station"), key_usage=profile("issuing").key_usage)
    made = plan(greedy, Subject("SN-001", ORGANISATION), PUBLIC, issuing(), serial(4), NOW)

    with pytest.raises(RefusedError) as refusal:
        approve(made)

    assert "lint.key_usage" in codes(refusal.value)


KINDS = ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448", "mldsa44"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_is_what_will_be_signed_and_nobody_s(kind: str) -> None:
    """No signature but the real one makes a certificate of the judged bytes: what stands in for it verifies nowhere."""
    holder = key(kind, "root")
    made = plan_root(profile("root"), Subject("Root", ORGANISATION), holder.public_key(), serial(1), NOW)
    twin, signed = made.twin(), sign(approve(made), holder).certificate

    assert twin.tbs_certificate_bytes == signed.tbs_certificate_bytes
    assert twin.signature_algorithm_oid == signed.signature_algorithm_oid
    assert read_form(twin).length >= read_form(signed).length
    with pytest.raises(InvalidSignature):
        twin.verify_directly_issued_by(twin)


@pytest.mark.parametrize("purpose", CertificatePurpose)
def test_no_rule_looks_at_the_signature(purpose: CertificatePurpose) -> None:
    """So the verdict on a twin is the verdict on what is signed: whatever stands there, the same is found."""
    found = set()
    for kind in ("p256", "rsa2048"):
        made, above = leaf_plan(kind=kind), issuing().certificate
        whole = read_box(sign(approve(made), key("p256", "issuing")).der).boxes()
        for value in (b"\0" + whole[2].content[1:], b"\0", b"\0" + bytes(70), b"\0" + b"\xff" * 70):
            der = encode.sequence(whole[0].raw, whole[1].raw, encode.write(BIT_STRING, value))
            certificate = x509.load_der_x509_certificate(der)
            rules = lint_certificate(certificate, purpose, NOW)
            below = tuple(each for rule in BELOW for each in rule(certificate, above))
            found.add((kind, rules, below))

    assert len(found) == len({kind for kind, *_ in found})


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448"])
def test_roots_of_every_kind_are_approved(kind: str) -> None:
    """Whatever key a hierarchy stands on."""
    public = key(kind, "root").public_key()
    made = plan_root(profile("root"), Subject("Root", ORGANISATION), public, serial(1), NOW)

    assert approve(made).findings == ()


TRIAL = "an experiment that no station can verify yet"


@pytest.mark.parametrize(
    ("root_kind", "kind", "refused"),
    [
        ("p384", "mldsa44", set()),
        ("p384", "mldsa65", set()),
        ("p384", "mldsa87", {"lint.length", "lint.chain_length"}),
        ("mldsa44", "p256", set()),
        ("mldsa65", "p256", {"lint.length"}),
        ("mldsa87", "p256", {"lint.length"}),
    ],
)
def test_an_ml_dsa_authority_is_as_long_as_stations_can_take(root_kind: str, kind: str, refused: set[str]) -> None:
    """OCPP's fields hold 5,500 characters of one certificate and 10,000 of a chain: what fits them, and what does not.

    The root's own names have to be short: with these it has 20 characters to spare.
    """

    def story() -> Approved:
        names = Organisation.parse("Acme")
        above = plan_root(profile("root"), Subject("Acme", names), key(root_kind, "r").public_key(), serial(1), NOW)
        top = Issuer("root", sign(approve(above), key(root_kind, "r")).certificate)
        below = plan(profile("issuing"), Subject("Acme CA", names), key(kind, "i").public_key(), top, serial(2), NOW)
        issuer = Issuer("ca", sign(approve(below), key(root_kind, "r")).certificate)
        leaf = plan(profile("station"), Subject("SN-1", names), PUBLIC, issuer, serial(3), NOW)
        return approve(leaf)

    if not refused:
        trial = [f"its issuer has an ML-DSA key: {TRIAL}"] if kind.startswith("mldsa") else []
        assert [each.says for each in story().findings] == trial
        return
    with pytest.raises(RefusedError) as refusal:
        story()
    assert {each.code for each in refusal.value.findings if each.severity is Severity.ERROR} == refused


def test_an_ml_dsa_authority_is_warned_of_once_and_an_ml_dsa_station_refused() -> None:
    """The experiment ends at our own authorities, and is never a quiet one."""
    public = key("mldsa44", "issuing").public_key()
    authority_plan = plan(profile("issuing"), Subject("CA", ORGANISATION), public, root(), serial(2), NOW)
    assert [each.code for each in approve(authority_plan).findings] == ["alg.experimental"]

    with pytest.raises(RefusedError) as refusal:
        plan(profile("station"), Subject("SN-1", ORGANISATION), public, issuing(), serial(3), NOW)
    assert codes(refusal.value) == {"alg.unsupported"}


@pytest.mark.parametrize(
    ("mask", "salt"),
    [(hashes.SHA256(), 20), (hashes.SHA256(), 0), (hashes.SHA384(), 32)],
    ids=["a short salt", "no salt", "another mask"],
)
def test_a_pss_signature_with_strange_parameters_is_found(mask: hashes.HashAlgorithm, salt: int) -> None:
    """RFC 4055 3.1: some verifiers take them and some do not."""
    holder = key("rsa2048", "root")
    sound = plan_root(profile("root"), Subject("Root", ORGANISATION), holder.public_key(), serial(1), NOW)
    builder = x509.CertificateBuilder(
        sound.subject_name, sound.subject_name, sound.public_key, 2**150, sound.not_before, sound.not_after
    )
    for found in sound.twin().extensions:
        builder = builder.add_extension(found.value, found.critical)
    strange = padding.PSS(padding.MGF1(mask), salt)
    certificate = builder.sign(holder, hashes.SHA256(), rsa_padding=strange)

    noticed = lint_certificate(certificate, CertificatePurpose.ROOT)
    assert [(each.code, each.clause) for each in noticed] == [("alg.unsupported", "RFC 4055 3.1")]


def test_a_chain_too_long_for_stations_is_never_approved() -> None:
    """A02.FR.16: the station would reject it, and the old certificate would run out."""
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(CHAIN_LENGTH_MOST))
    holder = key("p256", "issuing")
    fat = handmade("Fat CA", holder, "Root", key("p384", "root"), *authority(), (padding, False), days=(-1, 900))
    made = plan(profile("station"), Subject("SN-001", ORGANISATION), PUBLIC, Issuer("fat", fat), serial(4), NOW)

    with pytest.raises(RefusedError) as refusal:
        approve(made)

    assert codes(refusal.value) == {"lint.chain_length"}


@pytest.mark.parametrize(("spare", "refused"), [(0, set()), (-1, {"lint.chain_length"})])
def test_a_chain_is_counted_as_it_is_handed_out_to_the_last_character(spare: int, refused: set[str]) -> None:
    """A02.FR.16: leaf, issuer, and whatever stands above that below the root; the signature at its longest."""
    above = handmade("Policy CA", key("p256", "policy"), "Root", key("p384", "root"), *authority(), days=(-1, 900))
    issuer = Issuer("station", issuing().certificate, above=(above,))
    behind = len(to_pem([issuer.certificate, above]))
    subject, public = Subject("SN-001", ORGANISATION), key("p256", "leaf").public_key()
    made = sign(approve(plan(profile("station"), subject, public, issuer, serial(4), NOW)), key("p256", "issuing"))
    longest = len(made.der) - len(made.certificate.signature) + P256_SIGNATURE_MOST
    tight = dataclasses.replace(profile("station"), chain_length=pem_length(longest) + behind + spare)
    planned = plan(tight, subject, public, issuer, serial(4), NOW)

    assert issuer.chain_length == behind
    assert codes(_findings(planned)) == refused


def _findings(planned: Plan) -> tuple[Finding, ...]:
    """What is found of a plan, refused or not."""
    try:
        return approve(planned).findings
    except RefusedError as refused:
        return refused.findings


def test_a_root_above_does_not_count_towards_the_chain() -> None:
    """Stations hold the root already; it is not sent along."""
    holder = key("p384", "root")
    made = plan(profile("station"), Subject("SN-001", ORGANISATION), PUBLIC, root(), serial(4), NOW)

    assert approve(made).plan.issuer_public_key == holder.public_key()


def test_findings_of_the_plan_stay_with_the_approval() -> None:
    """What was said at planning is told to whoever asked."""
    made = leaf_plan("csms", "csms.example.org")

    assert "lint.long_life" in codes(approve(made).findings)


def test_a_certificate_whose_extensions_cannot_be_read_has_one_finding() -> None:
    """Nothing more can be said of it."""
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), b"\xff\xff")
    certificate = handmade("X", key("p256", "x"), "X", key("p256", "x"), (broken, True))

    assert codes(lint_certificate(certificate, CertificatePurpose.STATION)) == {"lint.extensions"}


def judged(twin: x509.Certificate, made: Plan, *, anew: bool) -> tuple[Finding, ...] | str:
    """What the lint finds in a twin, or how it fails; ``anew`` with nothing remembered, else with the sound frame."""
    lint._CLEAN.clear()
    if not anew:
        approve(leaf_plan())
        assert lint._CLEAN
    try:
        return lint._lint_twin(twin, made)
    except UNREADABLE as problem:  # a name that cannot be read, where it is held against the issuer's
        return repr(problem)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("flip", [0x01, 0x02, 0x20, 0x80, 0xFF])
def test_a_frame_that_is_known_changes_no_verdict_on_any_byte(flip: int) -> None:
    """Each byte of the body in turn is made another: what the rules find is the same, remembered or not."""
    tbs, judgements = leaf_plan().tbs, set()
    for place in range(len(tbs)):
        made = dataclasses.replace(leaf_plan(), tbs=tbs[:place] + bytes([tbs[place] ^ flip]) + tbs[place + 1 :])
        try:
            twin = made.twin()
        except UNREADABLE:
            continue  # the library reads no certificate in it, so there is nothing to judge

        assert judged(twin, made, anew=False) == judged(twin, made, anew=True), place
        judgements.add(judged(twin, made, anew=True))

    assert len(judgements) > 1


NAMES = st.sampled_from(["SN-1", "SN-0002"]) | st.text(
    st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64
)
PROFILES = st.builds(
    dataclasses.replace,
    st.sampled_from([profile("station"), profile("csms"), profile("issuing")]),
    purpose=st.just(CertificatePurpose.STATION),
    key_usage=st.sampled_from([profile(name).key_usage for name in ("station", "issuing", "csms")]),
    eku=st.sampled_from([profile(name).eku for name in ("station", "ocsp", "csms")]),
    path_length=st.none(),
    organisation=st.booleans(),
    domain_component=st.sampled_from(["", "CPO"]),
    san=st.sampled_from(list(SanRule)),
    pem_length=st.sampled_from([600, 5_500]),
)

WORDS = st.tuples(
    NAMES,
    st.sampled_from([2**158, 2**150]) | st.integers(1, 2**159 - 1),
    st.sampled_from([0, 1, 300]),
    st.sampled_from("ab"),
)
"""Common name, serial, days, and which key."""


def planned(wanted: CertificateProfile, kind: str, name: str, number: int, days: int, which: str) -> Plan:
    """A plan of these words; where the profile gives no such time, for as long as it gives."""
    public, bounded = key(kind, f"leaf {which}").public_key(), days if days <= wanted.longest_days else 0
    return plan(wanted, Subject(name, ORGANISATION), public, issuing(), CertificateSerial(number), NOW, bounded)


@settings(max_examples=100, deadline=None)
@given(
    profiles=st.lists(PROFILES, min_size=1, max_size=2),
    words=st.lists(WORDS, min_size=2, max_size=6),
    kinds=st.lists(st.sampled_from(["p256", "p384", "p521", "rsa2048", "ed25519"]), min_size=1, max_size=2),
)
def test_what_is_remembered_of_others_changes_no_verdict(
    profiles: list[CertificateProfile], words: list[tuple[str, int, int, str]], kinds: list[str]
) -> None:
    """Sound and broken certificates of some profiles come in a row: each is judged as if it had come alone."""
    lint._CLEAN.clear()
    row = [planned(each, kind, *told) for each in profiles for kind in kinds for told in words]
    twins = [made.twin() for made in row]

    in_a_row = [lint._lint_twin(twin, made) for twin, made in zip(twins, row, strict=True)]
    alone = []
    for twin, made in zip(twins, row, strict=True):
        lint._CLEAN.clear()
        alone.append(lint._lint_twin(twin, made))

    assert in_a_row == alone


def test_frames_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound all are forgotten, and come back one by one."""
    monkeypatch.setattr(lint, "CLEAN_MOST", 1)
    lint._CLEAN.clear()
    for kind in ("p256", "p384"):
        approve(leaf_plan(kind=kind))

    assert len(lint._CLEAN) == 1


def test_what_is_tried_out_is_judged_and_signed_by_nobody() -> None:
    """What would stand below it is planned by it; no approval is left over that anybody could redeem."""
    planned = plan_root(profile("root"), Subject("Root", ORGANISATION), PUBLIC, serial(1), NOW)
    tried = try_out(planned, NOW)

    assert tried.tbs_certificate_bytes == planned.tbs
    with pytest.raises((InvalidSignature, ValueError)):
        tried.verify_directly_issued_by(tried)
    with pytest.raises(RefusedError, match=r"lint\.refused"):
        try_out(planned, NOW - dt.timedelta(days=1))
