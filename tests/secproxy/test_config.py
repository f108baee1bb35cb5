"""bollard.toml: read once, strictly, with the key named in every complaint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from pki.station import SecurityProfile
from secproxy.config import (
    Limits,
    ListenerConfig,
    UpstreamConfig,
    WebConfig,
    parse_address,
    parse_config,
    parse_upstream,
    upstream_path,
)
from tests.secproxy.scene import admitted, station

GOOD = """
[organisation]
name = "Example Charging"
[csms]
host = "CSMS.example.org"
upstream = "ws://127.0.0.1:9000/ocpp/"
[[listener]]
address = "0.0.0.0:8443"
profile = 3
[[listener]]
address = "[::1]:8442"
profile = 2
[web]
address = "0.0.0.0:8440"
public_url = "https://csms.example.org:8440/"
[proxy]
workers = 2
"""


def test_the_file_that_init_writes_is_read() -> None:
    """Every setting arrives in its parsed form."""
    config = parse_config(GOOD)
    assert config.csms_host.text == "csms.example.org"
    assert config.upstream == UpstreamConfig("127.0.0.1", 9000, "/ocpp", secure=False)
    assert config.listeners == (
        ListenerConfig("0.0.0.0", 8443, SecurityProfile.MUTUAL_TLS),  # noqa: S104 - the file's own text
        ListenerConfig("::1", 8442, SecurityProfile.TLS_BASIC),
    )
    assert config.web == WebConfig("0.0.0.0", 8440, "https://csms.example.org:8440")  # noqa: S104 - as above
    assert (config.workers, config.limits) == (2, Limits())


def test_where_status_is_served_may_be_named_or_left_out() -> None:
    """Homes from before have neither key; one socket cannot serve both pages."""
    line = 'address = "0.0.0.0:8440"\n'
    named = parse_config(GOOD.replace(line, f'{line}status_address = "[::1]:8480"\nstatus_url = "http://x:8480"\n')).web
    assert (named.status, named.status_url) == (("::1", 8480), "http://x:8480")
    assert parse_config(GOOD).web.status is None
    with pytest.raises(InputError, match=r"web\.status_address"):
        parse_config(GOOD.replace(line, f"{line}status_{line}"))


def test_an_upstream_may_be_named_later() -> None:
    """A fresh home has none; the command line gives it."""
    assert parse_config(GOOD.replace("ws://127.0.0.1:9000/ocpp/", "")).upstream is None


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[proxy]", "[prxy]", "prxy"),
        ("workers = 2", "worker = 2", "proxy.worker"),
        ("profile = 3", "profil = 3", "listener.profil"),
        ("workers = 2", "workers = -1", "proxy.workers"),
        ("workers = 2", "workers = true", "proxy.workers"),
        ("workers = 2", "workers = 10000", "proxy.workers"),
        ("profile = 3", "profile = 0", "listener.profile"),
        ("profile = 3", "profile = 1", "listener.profile"),
        ("profile = 3", "profile = 4", "listener.profile"),
        ("profile = 3", 'profile = "3"', "listener.profile"),
        ("profile = 3", "", "listener.profile"),
        ('"0.0.0.0:8443"', '"0.0.0.0"', "listener.address"),
        ('"0.0.0.0:8443"', '"localhost:8443"', "listener.address"),
        ('"0.0.0.0:8443"', "8443", "listener.address"),
        ('"[::1]:8442"', '"0.0.0.0:8443"', "listener.address"),
        ('public_url = "https://', 'public_url = "https://[', "web.public_url"),
        (":8440/", ":84400/", "web.public_url"),
        ("[web]", "[[web]]", "web"),
        ('public_url = "https://', 'public_url = "http://', "web.public_url"),
        ('public_url = "https://', 'public_url = "https://user:secret@', "web.public_url"),
        ('"ws://127.0.0.1:9000/ocpp/"', '"http://127.0.0.1:9000"', "csms.upstream"),
        ('host = "CSMS.example.org"', "", "csms.host"),
    ],
)
def test_a_slip_is_refused_and_its_key_named(old: str, new: str, key: str) -> None:
    """Nothing unknown, misspelled or out of range is passed over in silence."""
    with pytest.raises(InputError) as refused:
        parse_config(GOOD.replace(old, new))
    assert refused.value.cause.startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("text", "form"),
    [("csms = 1", "[csms]"), ("listener = 1", "[[listener]]"), ('[listener]\naddress = "0.0.0.0:1"', "[[listener]]")],
)
def test_a_table_in_the_wrong_form_is_shown_the_right_one(text: str, form: str) -> None:
    """TOML writes one table and a list of tables differently; the complaint says which is due."""
    with pytest.raises(InputError) as refused:
        parse_config(text)
    assert refused.value.cause.endswith(f"write {form}")


def test_no_listener_is_no_configuration() -> None:
    """An empty list of doors is a mistake, not a wish."""
    with pytest.raises(InputError, match="no station could connect"):
        parse_config(GOOD[: GOOD.index("[[listener]]")])


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    """The parser's own words say where."""
    with pytest.raises(InputError, match="line 1"):
        parse_config("[csms\n")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8443", "127.0.0.1", 8443), ("[::1]:0", "::1", 0), ("[2001:DB8::1]:65535", "2001:db8::1", 65_535)],
)
def test_an_address_is_an_ip_address_and_a_port(text: str, host: str, port: int) -> None:
    """Both families, in the form people know from URLs."""
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", ":8443", "::1:8443", "[127.0.0.1]:1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "1.2.3:80"]
)
def test_anything_else_is_no_address(text: str) -> None:
    """A host name would make start-up wait for a name server; an IPv6 address without brackets is ambiguous."""
    with pytest.raises(InputError):
        parse_address(text)


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("ws://csms.example.org", UpstreamConfig("csms.example.org", 80, "", secure=False)),
        ("wss://csms.example.org/", UpstreamConfig("csms.example.org", 443, "", secure=True)),
        ("ws://[::1]:9000/a%20b/c", UpstreamConfig("::1", 9000, "/a%20b/c", secure=False)),
    ],
)
def test_an_upstream_has_the_usual_ports_and_no_trailing_slash(url: str, parsed: UpstreamConfig) -> None:
    """RFC 6455 3: 80 and 443 where none is named."""
    assert parse_upstream(url) == parsed


@pytest.mark.parametrize(
    "url",
    ["", "csms:80", "ws://", "ws:///x", "ws://h:99999", "ws://h:0", "ws://h?x", "ws://h/#x", "ws://h/a b", "ws://[x]"],
)
def test_what_is_no_upstream_is_refused(url: str) -> None:
    """Each names the key that is to be corrected."""
    with pytest.raises(InputError):
        parse_upstream(url)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    """The complaint may land in a log; the secret must not."""
    with pytest.raises(InputError) as refused:
        parse_upstream("ws://user:hunter2@csms.example.org:9000/x?token=hunter2")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "name", "path"),
    [
        ("ws://csms", "CP-001", "/ocpp/CP-001"),
        ("ws://csms/", "CP-001", "/ocpp/CP-001"),
        ("ws://csms/steve/ws", "CP-001", "/steve/ws/CP-001"),
        ("ws://csms/steve/ws/", "A|B", "/steve/ws/A%7CB"),
    ],
)
def test_the_csms_is_asked_for_its_own_path_or_the_stations(url: str, name: str, path: str) -> None:
    """Without a path in the upstream URL the station's goes on; with one, the identity is put behind it."""
    assert upstream_path(parse_upstream(url), admitted(station(name))) == path


@given(st.text())
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    """Whatever stands in the file, the answer is a configuration or an ``InputError``."""
    for value in (text, f'[csms]\nhost = "x"\nupstream = "ws://{text}"', f"listener = {text}"):
        with pytest.raises(InputError):
            parse_config(value)
