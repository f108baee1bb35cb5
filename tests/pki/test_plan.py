"""Plans: what a certificate will say, before anybody signs it."""

from __future__ import annotations

import ast
import dataclasses
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from pki.certificate import common_names, extension
from pki.errors import RefusedError
from pki.issue import sign
from pki.lint import approve
from pki.plan import Issuer, Plan, Subject, examine_mark, plan, plan_root
from pki.strength import Padding
from tests.certs import Party
from tests.chains import SHA256, SHA512, pss
from tests.marked import marked_authority
from tests.pki.papers import NOW, ORGANISATION, authority, codes, handmade, issuing, key, profile, root, serial

if TYPE_CHECKING:
    from pki.profile import CertificateProfile

STATION = Subject("SN-001", ORGANISATION)
PUBLIC = key("p256", "leaf").public_key()


def planned(
    wanted: CertificateProfile | None = None, now: dt.datetime = NOW, days: int = 0, kind: str = "p256"
) -> Plan:
    """A plan for a station below our issuing authority."""
    public = key(kind, "leaf").public_key()
    return plan(wanted or profile("station"), STATION, public, issuing(), serial(9), now, days)


def test_a_plan_is_a_function_of_its_arguments() -> None:
    """The same arguments give the same bytes, so that a twin can be compared with the real one."""
    assert planned().twin().tbs_certificate_bytes == planned().twin().tbs_certificate_bytes


def test_the_beginning_is_backdated_and_the_end_counts_from_now() -> None:
    """A02.FR.06: a station with a slow clock takes it; whole seconds only."""
    made = planned(now=NOW + dt.timedelta(days=1, microseconds=5))

    assert made.not_before == NOW + dt.timedelta(hours=23)
    assert made.not_after == NOW + dt.timedelta(days=366)
    assert made.twin().not_valid_after_utc == made.not_after


def test_the_beginning_never_precedes_the_issuer_s() -> None:
    """A leaf of the issuer's first minute is no older than the issuer."""
    young = handmade("Young CA", key("p256", "issuing"), "Root", key("p384", "root"), *authority(), days=(-0.01, 900))
    made = plan(profile("station"), STATION, PUBLIC, Issuer("young", young), serial(9), NOW)

    assert made.not_before == young.not_valid_before_utc


def test_times_of_another_zone_mean_the_same() -> None:
    """UTC is what goes into the certificate."""
    east = dt.timezone(dt.timedelta(hours=5, minutes=30))

    assert planned(now=NOW.astimezone(east)).not_after == planned().not_after


def test_a_leaf_ends_with_its_issuer_when_little_is_cut_off() -> None:
    """Up to a tenth of the lifetime goes with a warning."""
    made = planned(now=issuing().certificate.not_valid_after_utc - dt.timedelta(days=340))

    assert made.not_after == issuing().certificate.not_valid_after_utc
    assert codes(made.findings) == {"plan.shortened"}


def test_a_leaf_that_would_lose_more_is_refused() -> None:
    """Whoever planned the renewal would be surprised; renewing the issuer is due."""
    with pytest.raises(RefusedError) as refusal:
        planned(now=issuing().certificate.not_valid_after_utc - dt.timedelta(days=300))

    assert (refusal.value.code, codes(refusal.value)) == ("plan.refused", {"plan.outlives_issuer"})


@pytest.mark.parametrize("days", [-1, 1097])
def test_days_outside_the_profile_are_refused(days: int) -> None:
    """The certificate profile has the last word."""
    with pytest.raises(RefusedError) as refusal:
        planned(days=days)

    assert codes(refusal.value) == {"plan.days"}


@pytest.mark.parametrize("days", [1, 1096])
def test_days_within_the_profile_are_granted(days: int) -> None:
    """Asked and given, to the day."""
    assert planned(days=days).not_after == NOW + dt.timedelta(days=days)


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        pytest.param(handmade("X", key("p256", "x"), "X", key("p256", "x")), "station", id="no authority"),
        pytest.param(
            handmade("X", key("p256", "x"), "X", key("p256", "x"), *authority(), days=(1, 900)), "station", id="future"
        ),
        pytest.param(
            handmade("X", key("p256", "x"), "X", key("p256", "x"), *authority(), days=(-9, -1)), "station", id="expired"
        ),
        pytest.param(issuing().certificate, "issuing", id="an authority below one that may sign leaves alone"),
        pytest.param(root().certificate, "root", id="a root below another"),
    ],
)
def test_an_issuer_that_may_not_issue_this_is_refused(issuer: x509.Certificate, name: str) -> None:
    """RFC 5280 6.1.4, asked before the signature in place of after it."""
    with pytest.raises(RefusedError) as refusal:
        plan(profile(name), STATION, PUBLIC, Issuer("x", issuer), serial(9), NOW)

    assert "plan.issuer" in codes(refusal.value)


@pytest.mark.parametrize("kind", ["rsa1024", "p192", "p224"])
def test_a_weak_key_is_refused(kind: str) -> None:
    """Even one that came past the examination of requests."""
    with pytest.raises(RefusedError):
        planned(kind=kind)


def test_a_name_that_does_not_fit_is_refused() -> None:
    """RFC 5280 A.1: 64 characters are the most."""
    with pytest.raises(RefusedError) as refusal:
        plan(profile("station"), Subject("S" * 65, ORGANISATION), PUBLIC, issuing(), serial(9), NOW)

    assert codes(refusal.value) == {"plan.common_name"}


def test_a_station_s_certificate_says_what_it_should_and_no_more() -> None:
    """Constraints and key usage critical, both key identifiers, nothing else (A00.FR.511, .512, .514)."""
    found = {each.oid._name: each.critical for each in planned().twin().extensions}

    assert found == {
        "basicConstraints": True,
        "keyUsage": True,
        "subjectKeyIdentifier": False,
        "authorityKeyIdentifier": False,
    }


def test_the_subject_is_organisation_and_common_name() -> None:
    """A00.FR.509 and .511; the profile may leave the organisation out."""
    bare = dataclasses.replace(profile("station"), organisation=False)

    assert planned().twin().subject.rfc4514_string() == "CN=SN-001,O=Example Charging"
    assert planned(bare).twin().subject.rfc4514_string() == "CN=SN-001"


def test_the_authority_key_is_the_issuer_s_subject_key() -> None:
    """Paths are found by it."""
    ours = extension(planned().twin(), x509.AuthorityKeyIdentifier)
    theirs = extension(issuing().certificate, x509.SubjectKeyIdentifier)

    assert ours is not None
    assert theirs is not None
    assert ours.value.key_identifier == theirs.value.digest


@pytest.mark.parametrize(("kind", "enciphers"), [("rsa2048", True), ("p256", False)])
def test_only_rsa_keys_encipher(kind: str, enciphers: bool) -> None:
    """RFC 5480 3; the static-RSA suites of A00.FR.318 need it of RSA."""
    subject = Subject("csms.example.org", ORGANISATION)
    made = plan(profile("csms"), subject, key(kind, "leaf").public_key(), issuing(), serial(9), NOW)
    usage = extension(made.twin(), x509.KeyUsage)

    assert usage is not None
    assert usage.value.key_encipherment is enciphers


def test_the_csms_has_one_alternative_name_equal_to_its_common_name() -> None:
    """A00.FR.510, and what today's TLS libraries look for."""
    subject = Subject("csms.example.org", ORGANISATION)
    certificate = plan(profile("csms"), subject, PUBLIC, issuing(), serial(9), NOW).twin()
    names = extension(certificate, x509.SubjectAlternativeName)

    assert names is not None
    assert [name.value for name in names.value] == list(common_names(certificate.subject)) == ["csms.example.org"]


def test_an_ocsp_signer_is_marked_as_not_to_be_checked() -> None:
    """RFC 6960 4.2.2.2.1."""
    certificate = plan(profile("ocsp"), STATION, PUBLIC, issuing(), serial(9), NOW).twin()

    assert extension(certificate, x509.OCSPNoCheck) is not None


def test_a_root_is_its_own_issuer() -> None:
    """Its plan has no issuer, and verifies under its own key."""
    made = plan_root(profile("root"), Subject("Root", ORGANISATION), PUBLIC, serial(1), NOW)
    certificate = sign(approve(made), key("p256", "leaf")).certificate

    assert made.issuer_public_key == PUBLIC
    certificate.verify_directly_issued_by(certificate)
    assert extension(certificate, x509.AuthorityKeyIdentifier) is None


def test_a_root_needs_a_profile_for_roots() -> None:
    """No station becomes a root by a slip."""
    with pytest.raises(RefusedError) as refusal:
        plan_root(profile("station"), STATION, PUBLIC, serial(1), NOW)

    assert "plan.purpose" in codes(refusal.value)


def test_an_issuer_without_a_key_identifier_is_named_by_its_key() -> None:
    """Imported authorities may lack the extension; the identifier is then computed."""
    bare = Issuer("bare", handmade("X", key("p256", "x"), "X", key("p256", "x"), *authority(), days=(-1, 900)))
    certificate = plan(profile("station"), STATION, PUBLIC, bare, serial(9), NOW).twin()
    ours = extension(certificate, x509.AuthorityKeyIdentifier)

    assert ours is not None
    assert ours.value.key_identifier == x509.SubjectKeyIdentifier.from_public_key(bare.certificate.public_key()).digest


def test_pss_is_planned_for_rsa_issuers_alone() -> None:
    """A choice that could not be kept is refused before a serial is drawn for it."""
    wrong = Issuer("station", issuing().certificate, Padding.PSS)
    with pytest.raises(RefusedError) as refusal:
        plan(profile("station"), STATION, PUBLIC, wrong, serial(9), NOW)
    assert codes(refusal.value) == {"plan.padding"}

    with pytest.raises(RefusedError) as refusal:
        plan_root(profile("root"), Subject("Root", ORGANISATION), PUBLIC, serial(1), NOW, padding=Padding.PSS)
    assert codes(refusal.value) == {"plan.padding"}


@pytest.mark.parametrize(
    ("parameters", "padding", "found"),
    [
        ((), Padding.PKCS1, {"plan.mark"}),
        ((), Padding.PSS, set()),
        ((pss(SHA256, SHA256, 32),), Padding.PSS, set()),
        ((pss(SHA512, SHA512, 64),), Padding.PSS, {"plan.mark"}),
    ],
)
def test_an_issuer_signs_as_its_key_says_of_itself(
    parameters: tuple[bytes, ...], padding: Padding, found: set[str]
) -> None:
    """RFC 4055 1.2 and 3.3: of another signature nobody would take it."""
    holder = key("rsa2048", "marked")
    assert isinstance(holder, rsa.RSAPrivateKey)
    marked = marked_authority(Party.root(), holder, "Marked CA", *parameters).certificate
    issuer = Issuer("marked", marked, padding)
    today = marked.not_valid_before_utc + dt.timedelta(days=1)

    assert {each.code for each in examine_mark(marked, padding)} == found
    if found:
        with pytest.raises(RefusedError) as refusal:
            plan(profile("station"), STATION, PUBLIC, issuer, serial(9), today, days=5)
        assert codes(refusal.value) == found
    else:
        made = plan(profile("station"), STATION, PUBLIC, issuer, serial(9), today, days=5)
        assert sign(approve(made), holder).certificate.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS


def test_only_the_lint_builds_a_certificate_and_only_what_it_saw_is_signed() -> None:
    """Nothing in the rooms signs a plan in any other way: the approval cannot be gone around by accident."""
    rooms = Path(__file__).resolve().parents[2]
    uses = {
        (path.relative_to(rooms).as_posix(), ast.unparse(node))
        for room in ("pki", "secproxy", "cli")
        for path in (rooms / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }

    assert {path for path, used in uses if used.endswith(".twin")} == {"pki/lint.py"}
    assert {path for path, used in uses if used == "signature.make"} == {"pki/issue.py"}


def test_a_plan_shows_no_bytes() -> None:
    """Printing a plan is short and holds facts alone."""
    assert "tbs" not in repr(planned())


@pytest.mark.parametrize(
    ("changes", "days", "advice"),
    [
        ({"keys": ("ec-p521",)}, 0, "Have a key made of a kind that the certificate profile names"),
        ({}, 10**6, "Ask for fewer days."),
        (
            {"lifetime": dt.timedelta(days=9_000), "longest": dt.timedelta(days=9_000)},
            0,
            "Ask for fewer days, or renew",
        ),
    ],
)
def test_the_next_step_is_that_of_what_is_wrong(changes: dict[str, Any], days: float, advice: str) -> None:
    """A key of the wrong kind gets no better by fewer days."""
    wanted = dataclasses.replace(profile("station"), **changes)

    with pytest.raises(RefusedError) as refused:
        plan(wanted, STATION, PUBLIC, issuing(), serial(9), NOW, days)

    assert refused.value.advice.startswith(advice)
    assert ("days" in refused.value.advice) is ("days" in advice)
