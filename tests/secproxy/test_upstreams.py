"""The CSMSs of the settings: each station has one, and every slip is named by its key."""

from __future__ import annotations

import tomllib

import pytest

from pki.errors import InputError
from pki.tables import Tables
from secproxy.upstreams import (
    UPSTREAMS_MOST,
    Preset,
    Upstream,
    UpstreamConfig,
    parse_upstream,
    plain,
    put_in_place,
    read_upstreams,
)

NORTH = """
name = "north"
urls = ["wss://a.example.org/ocpp", "wss://b.example.org:8443"]
weights = [3, 1]
groups = ["north", "islands"]
path = "/north/"
ca_file = "/tls/ca.pem"
client_certificate = "/tls/us.pem"
client_key = "/tls/us.key"
preset = "steve"
assertion = false
proxy_protocol = true
"""
A = UpstreamConfig("a", 80, "", secure=False)


def table(text: str) -> object:
    """One ``[[upstream]]`` as it comes out of the file."""
    return tomllib.loads(text)


def parse_upstreams(short: str, tables: list[object]) -> tuple[Upstream, ...]:
    """The CSMSs of a file with these."""
    file = Tables({"csms": {"upstream": short}, "upstream": tables})
    found = read_upstreams(file)
    file.settle()
    return found


def test_every_key_arrives_in_its_parsed_form() -> None:
    """The path without its last slash, as that of a URL."""
    urls = (
        UpstreamConfig("a.example.org", 443, "/ocpp", secure=True),
        UpstreamConfig("b.example.org", 8443, "", secure=True),
    )
    assert parse_upstreams("", [table(NORTH)]) == (
        Upstream(
            "north",
            urls,
            (3, 1),
            ("north", "islands"),
            "/north",
            "/tls/ca.pem",
            "/tls/us.pem",
            "/tls/us.key",
            Preset.STEVE,
            False,
            True,
        ),
    )


def test_the_short_form_is_a_csms_that_takes_the_rest() -> None:
    """Signed assertions and the plain form, without PROXY protocol."""
    [short] = parse_upstreams("ws://a", [])
    assert short == plain(A)
    assert short.takes_the_rest
    assert (short.preset, short.assertion, short.proxy_protocol) == (Preset.PLAIN, True, False)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "north"', "", "upstream.name"),
        ('name = "north"', 'name = "North Pole"', "upstream.name"),
        ('urls = ["wss://a.example.org/ocpp", "wss://b.example.org:8443"]', "urls = []", "upstream.urls"),
        ("wss://b.example.org:8443", "ftp://b", "upstream.urls"),
        ("wss://b.example.org:8443", "ws://b", "upstream.urls"),
        ("[3, 1]", "[3]", "upstream.weights"),
        ("[3, 1]", "[3, 0]", "upstream.weights"),
        ('"islands"', '""', "upstream.groups"),
        ('"islands"', '"north"', "upstream.groups"),
        ('path = "/north/"', 'path = "north"', "upstream.path"),
        ('path = "/north/"', 'path = "/a b"', "upstream.path"),
        ('client_key = "/tls/us.key"', "", "upstream.client_key"),
        # it would be another file for each who stands elsewhere: the processes, and the command that asks for a reload
        ("/tls/ca.pem", "ca.pem", "upstream.ca_file"),
        ("/tls/us.pem", "./us.pem", "upstream.client_certificate"),
        ("/tls/us.key", "~/us.key", "upstream.client_key"),
        ('"steve"', '"other"', "upstream.preset"),
        ("assertion = false", "assertion = 1", "upstream.assertion"),
    ],
)
def test_a_slip_is_refused_and_its_key_named(old: str, new: str, key: str) -> None:
    """Nothing is guessed."""
    assert old in NORTH
    with pytest.raises(InputError, match=key.replace(".", r"\.")):
        parse_upstreams("", [table(NORTH.replace(old, new))])


@pytest.mark.parametrize(
    ("short", "tables", "key"),
    [
        pytest.param("ws://a", ['name = "x"\nurls = ["ws://x"]'], "upstream", id="two take the rest"),
        pytest.param("ws://a", ['name = "csms"\nurls = ["ws://x"]\npath = "/x"'], "upstream.name", id="one name"),
        pytest.param(
            "", [f'name = "{n}"\nurls = ["ws://x"]\ngroups = ["g"]' for n in "ab"], "upstream.groups", id="one group"
        ),
        pytest.param("", [f'name = "{n}"\nurls = ["ws://x"]\npath = "/p"' for n in "ab"], "upstream.path", id="path"),
        pytest.param(
            "",
            [f'name = "n{n}"\nurls = ["ws://x"]\npath = "/{n}"' for n in range(UPSTREAMS_MOST + 1)],
            "upstream",
            id="too many",
        ),
    ],
)
def test_no_station_could_belong_to_two(short: str, tables: list[str], key: str) -> None:
    """Whose is a station, is never a matter of order in the file."""
    with pytest.raises(InputError, match=key.replace(".", r"\.")):
        parse_upstreams(short, [table(text) for text in tables])


def test_the_command_line_replaces_the_one_that_takes_the_rest() -> None:
    """Those with groups or a path stay."""
    tables = [table('name = "x"\nurls = ["ws://x"]\npath = "/x"'), table('name = "rest"\nurls = ["wss://r"]')]
    assert [each.name for each in put_in_place(parse_upstreams("", tables), A)] == ["csms", "x"]
    assert [each.name for each in put_in_place(parse_upstreams("ws://b", tables[:1]), A)] == ["csms", "x"]


def test_a_complaint_about_an_option_names_the_option() -> None:
    """``--upstream`` is corrected where it was typed."""
    with pytest.raises(InputError) as refused:
        parse_upstream("http://x", "--upstream")
    assert refused.value.advice == "Correct --upstream."


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
