"""The authority's settings, read once and named when wrong."""

from __future__ import annotations

import pytest

from pki.errors import InputError
from pki.names import Host
from pki.settings import PUBLIC_URL_LENGTH, Hsm, ServerCertificate, parse_settings
from pki.waiting import Way

GOOD = """
[organisation]
name = "Example Charging"
[csms]
host = "csms.example.org"
upstream = ""
[[listener]]
address = "0.0.0.0:8443"
profile = 3
[web]
address = "0.0.0.0:8440"
public_url = "https://csms.example.org:8440"
"""


def test_good_settings_become_types_and_the_proxy_s_are_left_alone() -> None:
    """Other tables are somebody else's to judge."""
    settings = parse_settings(GOOD)

    assert settings.organisation.text == "Example Charging"
    assert settings.csms_host.text == "csms.example.org"
    assert settings.public_url == "https://csms.example.org:8440"


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (('name = "Example Charging"', ""), "config.value", "organisation.name"),
        (('[csms]\nhost = "csms.example.org"', "[other]"), "config.value", "csms.host"),
        (('name = "Example Charging"', "name = 3"), "config.value", "organisation.name"),
        (('"csms.example.org"', '"10.0.0.1"'), "name.host", "10.0.0.1"),
        (('"Example Charging"', '""'), "name.organisation", ""),
        (("https://", "http://"), "settings.public_url", "L01.FR.08"),
        (("https://csms", "https://user@csms"), "settings.public_url", "public_url"),
        ((':8440"\n', ':8440/?x=1"\n'), "settings.public_url", "public_url"),
        (("csms.example.org:8440", "csms.example.org:port"), "settings.public_url", "public_url"),
        (("csms.example.org:8440", "c" * PUBLIC_URL_LENGTH), "settings.public_url", "public_url"),
        (("csms.example.org:8440", ""), "settings.public_url", "public_url"),
        (("[csms]", "[csms"), "config.syntax", "TOML"),
        (("[organisation]\n", "organisation = 1\n[x]\n"), "config.value", "organisation"),
    ],
)
def test_a_wrong_setting_is_named(change: tuple[str, str], code: str, named: str) -> None:
    """Which key, and what is wrong with it."""
    with pytest.raises(InputError) as refusal:
        parse_settings(GOOD.replace(*change))

    assert refusal.value.code == code
    assert named in refusal.value.cause


def test_a_slash_at_the_end_of_the_address_is_dropped() -> None:
    """So that paths can be put behind it."""
    assert parse_settings(GOOD.replace(':8440"\n', ':8440/files/"\n')).public_url.endswith(":8440/files")


def test_certificates_of_others_are_named_by_their_files() -> None:
    """Any number of tables, each with a certificate and its key; none means our own."""
    table = '[[server_certificate]]\ncertificate = "/tls/chain.pem"\nkey = "/tls/key.pem"\n'

    assert parse_settings(GOOD).server_certificates == ()
    assert parse_settings(GOOD + table).server_certificates == (ServerCertificate("/tls/chain.pem", "/tls/key.pem"),)
    [named] = parse_settings(GOOD + table + 'host = "Other.example.org"\n').server_certificates
    assert named == ServerCertificate("/tls/chain.pem", "/tls/key.pem", Host("other.example.org"))


@pytest.mark.parametrize(
    "table",
    [
        '[server_certificate]\ncertificate = "a"\nkey = "b"\n',
        '[[server_certificate]]\ncertificate = "a"\n',
        "[[server_certificate]]\ncertificate = 1\nkey = 2\n",
        '[[server_certificate]]\ncertificate = "/a"\nkey = "/b"\nhost = 3\n',
        '[[server_certificate]]\ncertificate = "/a"\nkey = "tls/b"\n',
        '[[server_certificate]]\ncertificate = "a"\nkey = "/b"\n',
    ],
)
def test_half_a_certificate_of_others_is_refused(table: str) -> None:
    """One bracket too few, a key that is missing, a number for a path, a path that depends on where somebody stands."""
    with pytest.raises(InputError, match="server_certificate"):
        parse_settings(GOOD + table)


def test_a_token_is_named_by_module_and_label_and_has_no_pin_in_the_settings() -> None:
    """The slot is needed only where labels repeat."""
    assert parse_settings(GOOD).hsm is None
    text = GOOD + '[hsm]\nmodule = "/usr/lib/x.so"\ntoken = "CA"\n'
    assert parse_settings(text).hsm == Hsm("/usr/lib/x.so", "CA")
    assert parse_settings(text + "slot = 0\n").hsm == Hsm("/usr/lib/x.so", "CA", 0)


@pytest.mark.parametrize(
    ("table", "code", "named"),
    [
        ('[hsm]\ntoken = "CA"', "config.value", "hsm.module"),
        ('[hsm]\nmodule = "/x.so"', "config.value", "hsm.token"),
        ('[hsm]\nmodule = "x.so"\ntoken = "CA"', "settings.hsm", "x.so"),
        ('[hsm]\nmodule = "/x.so"\ntoken = ""', "settings.hsm", "token"),
        ('[hsm]\nmodule = "/x.so"\ntoken = " CA"', "settings.hsm", "token"),
        (f'[hsm]\nmodule = "/x.so"\ntoken = "{"x" * 33}"', "settings.hsm", "token"),
        ('[hsm]\nmodule = "/x.so"\ntoken = "CA"\nslot = -1', "config.value", "slot"),
        ('[hsm]\nmodule = "/x.so"\ntoken = "CA"\nslot = "1"', "config.value", "slot"),
        ('[hsm]\nmodule = "/x.so"\ntoken = "CA"\nslot = true', "config.value", "slot"),
        ("[keys]\nunsafe_experimental_ml_dsa = 1", "config.value", "unsafe_experimental_ml_dsa"),
    ],
)
def test_a_wrong_setting_of_the_keys_is_named(table: str, code: str, named: str) -> None:
    """Which key, and what is wrong with it."""
    with pytest.raises(InputError) as refusal:
        parse_settings(GOOD + table)

    assert refusal.value.code == code
    assert named in refusal.value.cause


def test_kinds_under_trial_are_off_unless_switched_on() -> None:
    """By a name that says what it is."""
    assert not parse_settings(GOOD).unsafe_experimental_ml_dsa
    assert parse_settings(GOOD + "[keys]\nunsafe_experimental_ml_dsa = true\n").unsafe_experimental_ml_dsa


@pytest.mark.parametrize("url", ["", "http://csms.example.org:8480", "http://10.0.0.1", "http://[::1]:80"])
def test_the_address_of_status_is_plain_http_or_none(url: str) -> None:
    """Homes from before have none, and point nowhere."""
    text = f'{GOOD.rstrip()}\nstatus_url = "{url}"\n' if url else GOOD

    assert parse_settings(text).status_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://csms.example.org:8480",
        "http://csms.example.org:8480/",
        "http://csms.example.org:0",
        "http://user@csms.example.org",
        "http://csms.example.org?x",
        "http://cafe\u0301.example.org",
        "ldap://csms.example.org",
        "http://",
        "http://" + "c" * 200,
    ],
)
def test_an_address_that_would_stand_wrong_in_every_certificate_is_refused(url: str) -> None:
    """RFC 5280 8 and RFC 6960 A.1: not https, and nothing that two readers take differently."""
    with pytest.raises(InputError, match=r"settings\.status_url.*RFC 5280 8"):
        parse_settings(f'{GOOD.rstrip()}\nstatus_url = "{url}"\n')


def test_lengths_of_life_are_whole_numbers_within_bounds() -> None:
    """Left out they are the defaults: the profile's life, and a month for what is old (A02.FR.10)."""
    text = GOOD.replace("[csms]", "[csms]\ncertificate_hours = 20") + "[issuing]\nkeep_old_days = 0\n"
    read, left_out = parse_settings(text), parse_settings(GOOD)

    assert (read.certificate_hours, read.keep_old_days) == (20, 0)
    assert (left_out.certificate_hours, left_out.keep_old_days) == (0, 30)


@pytest.mark.parametrize(
    "line",
    [
        "certificate_hours = 3",
        "certificate_hours = 9553",
        "certificate_hours = 20.5",
        "certificate_hours = true",
        'certificate_hours = "20"',
    ],
)
def test_a_life_that_no_renewal_could_keep_up_with_is_refused(line: str) -> None:
    """Or that the certificate profile would refuse each time."""
    with pytest.raises(InputError, match=r"config\.value.*certificate_hours"):
        parse_settings(GOOD.replace("[csms]", f"[csms]\n{line}"))


EXTERNAL = """
[[external_issuer]]
name = "hubject"
kind = "est"
url = "https://est.example.org/.well-known/est"
anchor = "/etc/tls.pem"
user = "cpo"
password_file = "/etc/cpo.password"
certificate_profile = "v2g-secc-2"
"""


def test_enrolment_is_off_until_it_is_switched_on() -> None:
    """A home from before EST stays as it was; nothing waits, nobody else issues."""
    settings = parse_settings(GOOD)
    assert (settings.est, settings.approval, settings.external_issuers) == (False, frozenset(), ())

    settings = parse_settings(GOOD + '[est]\nenabled = true\n[issuing]\napproval = ["token"]\n' + EXTERNAL)
    assert (settings.est, settings.approval) == (True, frozenset({Way.TOKEN}))
    both = parse_settings(GOOD + '[issuing]\napproval = ["token", "renewal", "token"]\n')
    assert both.approval == {Way.TOKEN, Way.RENEWAL}
    assert [issuer.name for issuer in settings.external_issuers] == ["hubject"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ('[est]\nenabled = "yes"\n', "config.value"),
        ("[est]\nenabled = 1\n", "config.value"),
        ('[issuing]\napproval = "est"\n', "config.value"),
        ('[issuing]\napproval = ["all"]\n', "settings.approval"),
        ('[issuing]\napproval = ["est", 1]\n', "config.value"),
        ("[external_issuer]\n", "config.value"),
        (EXTERNAL.replace("user", "users"), "config.value"),
        (EXTERNAL + EXTERNAL.replace("hubject", "other"), "config.value"),
    ],
)
def test_a_switch_that_is_none_is_refused(more: str, code: str) -> None:
    """Else a slip of the pen would open or close a door in silence."""
    with pytest.raises(InputError) as refused:
        parse_settings(GOOD + more)
    assert refused.value.code == code


def test_lines_are_for_people_unless_the_settings_say_otherwise() -> None:
    """Two words are known; a third is a slip of the pen."""
    assert parse_settings(GOOD).log_format == "text"
    assert parse_settings(GOOD + '[log]\nformat = "json"\n').log_format == "json"
    with pytest.raises(InputError) as wrong:
        parse_settings(GOOD + '[log]\nformat = "xml"\n')
    assert wrong.value.code == "config.value"
