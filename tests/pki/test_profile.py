"""Certificate profiles: data in, a frozen class out, nonsense refused by key and clause."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.errors import InputError
from pki.profile import CertificatePurpose, KeyUse, SanRule, parse_profile
from tests.pki.papers import POLICIES, PROFILES, profile

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
        profile("station").days = 1  # type: ignore[misc] # that is the point


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
    """Two are, the rest are leaves."""
    assert {purpose for purpose in CertificatePurpose if purpose.is_ca} == {"root", "issuing"}
