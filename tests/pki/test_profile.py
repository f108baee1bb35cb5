"""Certificate profiles: data in, a frozen class out, nonsense refused by key and clause."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import tomllib

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.errors import InputError, RefusedError
from pki.findings import Severity
from pki.lint import approve
from pki.names import ProtocolVersion
from pki.plan import Issuer, Subject, plan, plan_root
from pki.profile import (
    EXTENDED_KEY_USES,
    CertificateProfile,
    CertificatePurpose,
    CountryRule,
    KeyUse,
    SanRule,
    parse_profile,
    versions_of,
)
from tests.pki.papers import NOW, ORGANISATION, POLICIES, PROFILES, key, profile, serial
from tests.pki.specimens import FAMILY, specimen

STATION = (POLICIES / "station.toml").read_text()


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_that_ships_can_be_read(name: str) -> None:
    """Its file name is its purpose, so nobody takes one for another."""
    assert profile(name).purpose == name


def test_every_file_that_ships_is_a_known_profile() -> None:
    """No file lies there unread."""
    assert sorted(path.stem for path in POLICIES.glob("*.toml")) == sorted(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_every_shipped_default_stands_beside_its_clause(name: str) -> None:
    """Whoever changes a number can look up why it was there."""
    text = (POLICIES / f"{name}.toml").read_text()

    assert "A00.FR.512" in text
    assert "A02.FR.06" in text


@pytest.mark.parametrize("name", ["csms", "station"])
def test_leaves_have_no_extended_key_usage(name: str) -> None:
    """A00.FR.514 advises against it."""
    assert profile(name).eku == ()


def test_only_the_csms_has_an_alternative_name() -> None:
    """A00.FR.511; today's TLS libraries need it on the server."""
    assert {name for name in PROFILES if profile(name).san is SanRule.DNS} == {"csms"}


def test_stations_have_long_enough_for_renewal() -> None:
    """They renew when one month is left (A03.FR.02)."""
    assert profile("station").days >= 90


def test_the_ocsp_signer_may_sign_answers_alone() -> None:
    """RFC 6960 4.2.2.2."""
    assert profile("ocsp").eku == (ExtendedKeyUsageOID.OCSP_SIGNING,)
    assert profile("ocsp").key_usage == {KeyUse.DIGITAL_SIGNATURE}


def test_a_profile_cannot_be_changed_after_reading() -> None:
    """What was judged at the door stays what it was."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile("station").san = SanRule.DNS  # type: ignore[misc] # that is the point


def test_the_longest_lifetime_is_the_usual_one_unless_said() -> None:
    """Leaving the key out does not widen anything."""
    text = "\n".join(line for line in STATION.splitlines() if not line.startswith("longest_days"))

    assert parse_profile("station", text).longest_days == 365


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("days = 365", "days = 0"), "days = 0"),
        (("days = 365", "days = 40000"), "days = 40000"),
        (("days = 365", "days = 'x'"), "days"),
        (("longest_days = 1096", "longest_days = 10"), "longest_days = 10"),
        (("backdate_minutes = 60", "backdate_minutes = -1"), "A02.FR.06"),
        (("backdate_minutes = 60", "backdate_minutes = 2000"), "A02.FR.06"),
        (('["digital_signature"]', "[]"), "A00.FR.512"),
        (('["digital_signature"]', '["sign_everything"]'), "key_usage"),
        (('["digital_signature"]', '["key_cert_sign"]'), "RFC 5280 4.2.1.3"),
        (("is_ca = false", "is_ca = true"), "RFC 5280 4.2.1.9"),
        (("eku = []", 'eku = ["everything"]'), "A00.FR.514"),
        (('san = "none"', 'san = "dns"'), "A00.FR.511"),
        (('purpose = "station"\n', 'purpose = "ocsp"\n'), "RFC 6960 4.2.2.2"),
        (('san = "none"', 'san = "wildcard"'), "san"),
        (("is_ca = false", "is_ca = false\npath_length = 0"), "path_length"),
        (('purpose = "station"', 'purpose = "toaster"'), "purpose"),
        (('purpose = "station"', 'purpose = "ocsp"'), "RFC 6960 4.2.2.2"),
        (('purpose = "station"', ""), "purpose"),
        (("is_ca = false", "is_ca = false\nunknown_key = 1"), "unknown_key"),
        (("is_ca = false", "is_ca = = false"), "line"),
    ],
)
def test_nonsense_is_refused_by_key_and_clause(change: tuple[str, str], named: str) -> None:
    """The message names the profile, and the key or the clause at fault."""
    assert change[0] in STATION
    with pytest.raises(InputError, match="'station'") as refusal:
        parse_profile("station", STATION.replace(*change, 1))

    assert refusal.value.code == "profile.wrong"
    assert named in refusal.value.cause


def test_an_empty_profile_means_no() -> None:
    """Nothing is assumed for whoever says nothing."""
    with pytest.raises(InputError):
        parse_profile("empty", "")


def test_purposes_know_whether_they_are_authorities() -> None:
    """Roots sign themselves; the rest are leaves."""
    roots = {"root", "manufacturer-root", "v2g-root-2", "v2g-root-20"}
    below = {"issuing", "link", "v2g-sub1-2", "v2g-sub1-20", "v2g-sub2-2", "v2g-sub2-20"}

    assert {purpose for purpose in CertificatePurpose if purpose.is_root} == roots
    assert {purpose for purpose in CertificatePurpose if purpose.is_ca} == roots | below


def test_every_mistake_is_named_at_once_each_with_its_line() -> None:
    """Whoever corrects a file need not run the check four times."""
    text = STATION.replace("days = 365", "days = 0", 1).replace("is_ca = false", "is_ca = 3")
    text = text.replace('purpose = "station"', "") + 'colour = "red"\nkeys = ["rsa-512"]\n'
    with pytest.raises(InputError) as refusal:
        parse_profile("station", text)
    lines = text.splitlines()

    def line(beginning: str) -> int:
        return next(number for number, line in enumerate(lines, 1) if line.startswith(beginning))

    says = {finding.says for finding in refusal.value.findings}
    assert len(says) == 5
    for begins in ("days = 0", "is_ca", "colour", "keys"):
        assert any(f"line {line(begins)}: " in each and begins.split()[0] in each for each in says), begins
    assert "line 1: purpose is missing" in says
    assert {each.clause == "" for each in refusal.value.findings if "colour" not in each.says} == {False}


@given(st.sampled_from(["days", "backdate_minutes", "is_ca", "organisation", "key_usage", "san", "longest_days"]))
def test_a_key_of_the_wrong_kind_is_named_with_its_line(key: str) -> None:
    """Whichever it is, and wherever it stands."""
    lines = [f"{key} = {{}}" if line.startswith(f"{key} ") else line for line in STATION.splitlines()]
    with pytest.raises(InputError) as refusal:
        parse_profile("station", "\n".join(lines))

    assert [finding.says.split(": ")[:2] for finding in refusal.value.findings] == [
        [f"line {lines.index(f'{key} = {{}}') + 1}", key]
    ]


VERSIONS = """
[versions."ocpp1.6"]
eku = ["client_auth"]
hours = 20

[versions."ocpp2.0.1"]
days = 100

[versions."ocpp2.0.1".edition3]
organisation = false
"""


@pytest.mark.parametrize(
    ("version", "hours", "eku", "organisation"),
    [
        (None, 365 * 24, 0, True),
        ("ocpp1.6", 20, 1, True),
        ("ocpp2.0.1", 100 * 24, 0, True),
        ("ocpp2.0.1/2", 100 * 24, 0, True),
        ("ocpp2.0.1/3", 100 * 24, 0, False),
        ("ocpp2.1", 365 * 24, 0, True),
    ],
)
def test_a_version_changes_single_keys(version: str | None, hours: int, eku: int, organisation: bool) -> None:
    """An edition goes before its version, a version before the base; a lifetime in hours takes the place of days."""
    wanted = ProtocolVersion.parse(version) if version else None
    found = parse_profile("station", STATION.replace("longest_days", "# longest_days") + VERSIONS, wanted)

    assert (found.lifetime, len(found.eku), found.organisation) == (dt.timedelta(hours=hours), eku, organisation)
    assert found.longest == found.lifetime
    assert versions_of(VERSIONS) == ("ocpp1.6", "ocpp2.0.1", "ocpp2.0.1/3")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[versions."ocpp1.6"]\ndays = 0', "days = 0 is outside"),
        ('[versions."ocpp1.6"]\nsan = "dns"', "does not fit purpose"),
        ('[versions."ocpp1.5"]\ndays = 10', "is no version of OCPP"),
        ('[versions."ocpp1.6".edition]\ndays = 10', "is no edition"),
        ('[versions."ocpp2.0.1".edition9]\ndays = 10', "is no edition"),
        ('[versions."ocpp2.1".edition3]\ndays = 10', "is no edition"),
        ('[versions."ocpp1.6"]\npurpose = "csms"', "is the same in every version"),
        ("[versions]\nocpp = 3", "is no version of OCPP"),
        ('[versions."ocpp1.6".edition4]\ncolour = 1', "'colour' is no key"),
    ],
)
def test_a_mistake_in_a_version_is_refused_whoever_asks(table: str, says: str) -> None:
    """Else it would be found on the day that the first such station comes."""
    with pytest.raises(InputError) as refusal:
        parse_profile("station", f"{STATION}\n{table}\n")

    assert says in refusal.value.cause
    first = len(STATION.splitlines()) + 2
    assert all(each.says.startswith((f"line {first}: ", f"line {first + 1}: ")) for each in refusal.value.findings)


V2G = (POLICIES / "v2g-secc-2.toml").read_text()
SUB = (POLICIES / "v2g-sub1-2.toml").read_text()


@pytest.mark.parametrize(
    ("text", "change", "clause"),
    [
        (STATION, ("eku = []", 'eku = ["code_signing"]'), "RFC 5280 4.2.1.12"),
        (STATION, ("eku = []", 'eku = ["server_auth"]'), "RFC 5280 4.2.1.12"),
        (STATION, ('["digital_signature"]', '["key_agreement"]'), "A00.FR.512"),
        (V2G, ('keys = ["ec-p256"]', 'keys = ["ec-p521"]'), "V2G2-006"),
        (V2G, ("der_length = 800", "der_length = 2000"), "V2G2-010"),
        (V2G, ('domain_component = "CPO"', 'domain_component = ""'), "V2G2-875"),
        (V2G, ('country = "seccid"', 'country = "none"'), "ISO 15118-2 F"),
        (SUB, ("path_length = 1", "path_length = 3"), "RFC 5280 4.2.1.9"),
    ],
)
def test_what_the_lint_would_always_refuse_is_found_on_load(text: str, change: tuple[str, str], clause: str) -> None:
    """With the line that is at fault, and not on the day that somebody needs the certificate."""
    assert text.count(change[0]) == 1
    number = next(number for number, line in enumerate(text.splitlines(), 1) if change[0] in line)
    with pytest.raises(InputError) as refusal:
        parse_profile("own", text.replace(*change))

    assert [each.clause for each in refusal.value.findings] == [clause]
    assert refusal.value.findings[0].says.startswith(f"line {number}: ")


def written(name: str, changes: dict[str, object]) -> str:
    """The profile that ships, with other values; TOML's values are JSON's, as far as they go here."""
    raw = tomllib.loads((POLICIES / f"{name}.toml").read_text())
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**raw, **changes}.items())


ANYTHING = st.fixed_dictionaries(
    {},
    optional={
        "key_usage": st.lists(st.sampled_from(KeyUse), unique=True),
        "eku": st.lists(st.sampled_from(tuple(EXTENDED_KEY_USES)), unique=True),
        "san": st.sampled_from(SanRule),
        "path_length": st.integers(0, 3),
        "country": st.sampled_from(CountryRule),
        "domain_component": st.sampled_from(["", "CPO", "V2G"]),
        "keys": st.lists(st.sampled_from(["ec-p256", "ec-p521", "ed448", "rsa-2048"]), unique=True),
        "der_length": st.sampled_from([0, 10, 400, 700, 800, 900, 1600, 2000, 4096]),
        "pem_length": st.sampled_from([1, 600, 5500]),
        "organisation": st.booleans(),
        "crl": st.booleans(),
    },
)
KINDS = {"p256": "ec-p256", "p521": "ec-p521", "ed448": "ed448", "rsa2048": "rsa-2048"}


@settings(deadline=None, max_examples=400)
@given(name=st.sampled_from(PROFILES), changes=ANYTHING)
def test_what_loads_can_be_issued(name: str, changes: dict[str, object]) -> None:
    """For some key that it allows, nothing is refused, save for want of room, which depends on the names."""
    try:
        own = parse_profile(name, written(name, changes))
    except InputError:
        return
    kinds = [kind for kind in KINDS if not own.keys or KINDS[kind] in own.keys]
    assert any(refusals(own, kind) <= {"lint.profile_length"} for kind in kinds)


def refusals(own: CertificateProfile, kind: str) -> set[str]:
    """What keeps a specimen of this profile, for a key of this kind, from being signed."""
    above, _, common_name = FAMILY[own.purpose]
    subject, public = Subject(common_name, ORGANISATION), key(kind, "issued by profile").public_key()
    try:
        if above is None:
            planned = plan_root(own, subject, public, serial(7), NOW)
        else:
            planned = plan(own, subject, public, Issuer(above, specimen(above)), serial(7), NOW)
        approve(planned)
    except RefusedError as refused:
        return {each.code for each in refused.findings if each.severity is Severity.ERROR}
    return set()


def test_hours_are_counted_as_hours() -> None:
    """A00.FR.701: less than a day for the CSMS."""
    text = (POLICIES / "csms.toml").read_text().replace("longest_days = 398", "").replace("days = 365", "hours = 20")

    assert parse_profile("csms", text).lifetime == dt.timedelta(hours=20)
    assert parse_profile("csms", text).longest_days == 0


SIGNS = frozenset({KeyUse.DIGITAL_SIGNATURE})
ISSUES = frozenset({KeyUse.KEY_CERT_SIGN, KeyUse.CRL_SIGN})


@pytest.mark.parametrize(
    ("name", "uses", "eku", "path_length"),
    [
        ("firmware-signer", SIGNS, (ExtendedKeyUsageOID.CODE_SIGNING,), None),
        ("v2g-secc-2", SIGNS | {KeyUse.KEY_AGREEMENT}, (), None),
        ("v2g-sub1-2", ISSUES, (), 1),
        ("v2g-sub2-20", ISSUES, (), 0),
        ("manufacturer-root", ISSUES, (), 0),
    ],
)
def test_the_shapes_that_the_standards_name(
    name: str, uses: frozenset[KeyUse], eku: tuple[ObjectIdentifier, ...], path_length: int | None
) -> None:
    """Firmware signers directly below their root; two levels of V2G above the leaf."""
    found = profile(name)

    assert (found.key_usage, found.eku, found.path_length) == (uses, eku, path_length)


@pytest.mark.parametrize("pointer", ["crl", "ocsp"])
@pytest.mark.parametrize("name", ["root", "ocsp"])
def test_what_nobody_asks_about_points_nowhere(name: str, pointer: str) -> None:
    """A root is trusted as it is, a signer of answers is not to be checked (RFC 6960 4.2.2.2.1)."""
    text = (POLICIES / f"{name}.toml").read_text()
    assert not profile(name).crl
    assert not profile(name).ocsp

    with pytest.raises(InputError, match=r"RFC 6960 4\.2\.2\.2\.1"):
        parse_profile(name, f"{text}\n{pointer} = true\n")
