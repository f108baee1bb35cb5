"""bollard.toml: read once, strictly, with the key named in every complaint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from pki.station import SecurityProfile
from secproxy.config import (
    WORKER_MIB,
    Limits,
    ListenerConfig,
    Outage,
    TransactionIds,
    Unknown,
    WebConfig,
    parse_address,
    parse_config,
)
from secproxy.message_settings import MessageSettings, Mode
from secproxy.upstreams import UpstreamConfig, plain
from secproxy.weakening import Weakened, weakened

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
    assert config.upstreams == (plain(UpstreamConfig("127.0.0.1", 9000, "/ocpp", secure=False)),)
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


def test_a_listener_says_what_becomes_of_strangers() -> None:
    """They are refused unless it says otherwise, in so many words."""
    text = GOOD.replace("profile = 3", 'profile = 3\nunknown = "quarantine"\npending_seconds = 60')
    first, second = parse_config(text).listeners
    assert (first.unknown, first.pending_seconds) == (Unknown.QUARANTINE, 60)
    assert (second.unknown, second.pending_seconds) == (Unknown.REFUSE, 300)


def test_profile_1_is_served_where_it_is_spelled_out_alone() -> None:
    """A00.FR.201: on a listener of its own, which is told for as long as it is there."""
    config = parse_config(GOOD.replace("profile = 2", "profile = 1\nunsafe_plain = true"))
    assert config.listeners[1].profile is SecurityProfile.BASIC
    assert weakened(config) == [Weakened("[::1]:8442", "unsafe_plain")]
    observing = parse_config(GOOD.replace("profile = 2", 'profile = 2\nunknown = "unsafe_observe"'))
    assert weakened(observing) == [Weakened("[::1]:8442", "unsafe_observe")]
    assert weakened(parse_config(GOOD)) == []


def test_an_upstream_may_be_named_later() -> None:
    """A fresh home has none; the command line gives it."""
    assert parse_config(GOOD.replace("ws://127.0.0.1:9000/ocpp/", "")).upstreams == ()


def test_several_csms_stand_beside_the_one_that_takes_the_rest() -> None:
    """Tables and the short form are one list."""
    config = parse_config(GOOD + '[[upstream]]\nname = "north"\nurls = ["wss://n.example.org"]\ngroups = ["north"]\n')
    assert [upstream.name for upstream in config.upstreams] == ["csms", "north"]


def test_what_happens_while_the_csms_is_away_is_chosen() -> None:
    """Refuse unless told to hold."""
    host = 'host = "CSMS.example.org"\n'
    assert parse_config(GOOD).outage is Outage.REFUSE
    assert parse_config(GOOD.replace(host, f'{host}outage = "hold"\n')).outage is Outage.HOLD
    assert parse_config(GOOD).transaction_ids is TransactionIds.ANY
    unique = parse_config(GOOD.replace(host, f'{host}transaction_ids = "unique"\n'))
    assert unique.transaction_ids is TransactionIds.UNIQUE


def test_load_balancers_are_named_by_their_networks() -> None:
    """As networks or single addresses, of either kind."""
    networks = 'proxy_protocol = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]'
    [first, *_] = parse_config(GOOD.replace("profile = 3", f"profile = 3\n{networks}")).listeners
    assert [str(network) for network in first.proxies] == ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]


def test_what_a_worker_may_take_and_touch_is_bounded_unless_said_otherwise() -> None:
    """Both bounds are there by default; 0 takes the one away, a word that begins with unsafe the other."""
    assert (parse_config(GOOD).worker_mib, parse_config(GOOD).fenced) == (WORKER_MIB, True)
    loose = parse_config(GOOD.replace("workers = 2", "worker_mib = 0\nunsafe_no_landlock = true"))
    assert (loose.worker_mib, loose.fenced) == (0, False)


def test_old_tls_is_for_stations_that_are_named_one_by_one() -> None:
    """A00.FR.312 of OCPP 1.6: for those known to be unable to do better, and no listener is so by itself."""
    words = 'unsafe_legacy_tls = true\nstations = ["CP-001", "CP-002", "CP-001"]'
    first, second = parse_config(GOOD.replace("profile = 3", f"profile = 3\n{words}")).listeners
    assert (first.legacy, second.legacy) == (("CP-001", "CP-002"), ())


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[proxy]", "[prxy]", "prxy"),
        ("workers = 2", "worker = 2", "proxy.worker"),
        ("profile = 3", "profil = 3", "listener.profil"),
        ("workers = 2", "workers = -1", "proxy.workers"),
        ("workers = 2", "workers = true", "proxy.workers"),
        ("workers = 2", "workers = 10000", "proxy.workers"),
        ("workers = 2", "worker_mib = 127", "proxy.worker_mib"),
        ("workers = 2", "worker_mib = -1", "proxy.worker_mib"),
        ("workers = 2", 'worker_mib = "512"', "proxy.worker_mib"),
        ("workers = 2", "unsafe_no_landlock = 1", "proxy.unsafe_no_landlock"),
        ("workers = 2", 'refuse_tls_downgrade = "1.3"', "proxy.refuse_tls_downgrade"),
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
        ("[csms]", '[csms]\noutage = "guess"', "csms.outage"),
        ("[csms]", '[csms]\ntransaction_ids = "guess"', "csms.transaction_ids"),
        ("profile = 3", 'profile = 3\nproxy_protocol = "10.0.0.0/8"', "listener.proxy_protocol"),
        ("profile = 3", 'profile = 3\nproxy_protocol = ["10.0.0.1/8"]', "listener.proxy_protocol"),
        ("profile = 3", 'profile = 3\nproxy_protocol = ["lb"]', "listener.proxy_protocol"),
        ("profile = 3", 'profile = 3\nunknown = "observe"', "listener.unknown"),
        ("profile = 3", "profile = 3\nunsafe_plain = true", "listener.unsafe_plain"),
        ("profile = 2", "profile = 1", "listener.profile"),
        ("profile = 2", "profile = 1\nunsafe_plain = false", "listener.profile"),
        ("profile = 2", "profile = 0\nunsafe_plain = true", "listener.profile"),
        ("profile = 3", "profile = 3\nunknown = true", "listener.unknown"),
        ("profile = 3", "profile = 3\npending_seconds = 1", "listener.pending_seconds"),
        ("profile = 3", "profile = 3\nunsafe_legacy_tls = true", "listener.stations"),
        ("profile = 3", "profile = 3\nunsafe_legacy_tls = true\nstations = []", "listener.stations"),
        ("profile = 3", 'profile = 3\nstations = ["CP-001"]', "listener.stations"),
        ("profile = 3", 'profile = 3\nunsafe_legacy_tls = "yes"', "listener.unsafe_legacy_tls"),
        ("[proxy]", "[upstream]\n[proxy]", "upstream"),
        ("[proxy]", '[[upstream]]\nname = "x"\npath = "/x"\nurl = "ws://x"\n[proxy]', "upstream.url"),
    ],
)
def test_a_slip_is_refused_and_its_key_named(old: str, new: str, key: str) -> None:
    """Nothing unknown, misspelled or out of range is passed over in silence."""
    with pytest.raises(InputError) as refused:
        parse_config(GOOD.replace(old, new))
    [mistake] = refused.value.findings
    assert f": {key}: " in mistake.says


@pytest.mark.parametrize(
    ("text", "form"),
    [("csms = 1", "[csms]"), ("listener = 1", "[[listener]]"), ('[listener]\naddress = "0.0.0.0:1"', "[[listener]]")],
)
def test_a_table_in_the_wrong_form_is_shown_the_right_one(text: str, form: str) -> None:
    """TOML writes one table and a list of tables differently; the complaint says which is due."""
    with pytest.raises(InputError) as refused:
        parse_config(text)
    assert f"write {form}" in refused.value.cause


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


@given(st.text())
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    """Whatever stands in the file, the answer is a configuration or an ``InputError``."""
    for value in (text, f'[csms]\nhost = "x"\nupstream = "ws://{text}"', f"listener = {text}"):
        with pytest.raises(InputError):
            parse_config(value)


def test_how_strictly_each_side_is_held_to_the_schemas_is_a_setting() -> None:
    """Without ``[messages]`` both are observed."""
    assert parse_config(GOOD).messages == MessageSettings()
    config = parse_config(GOOD + '[messages]\nschema_csms = "enforce"\n')
    assert config.messages == MessageSettings(schema_csms=Mode.ENFORCE)


def test_compression_is_a_setting_of_a_listener_and_off_without_a_word() -> None:
    """Each door says for itself whether stations may compress."""
    config = parse_config(GOOD.replace("profile = 2", "profile = 2\ncompression = true"))
    assert [listener.compression for listener in config.listeners] == [False, True]


def test_a_station_that_names_no_version_is_refused_without_a_word() -> None:
    """Each door says for itself whether such stations speak OCPP 1.6; no other version is guessed."""
    config = parse_config(GOOD.replace("profile = 2", 'profile = 2\nno_subprotocol = "ocpp1.6"'))
    assert [listener.assumed for listener in config.listeners] == [(), ("ocpp1.6",)]
    with pytest.raises(InputError, match="no_subprotocol"):
        parse_config(GOOD.replace("profile = 2", 'profile = 2\nno_subprotocol = "ocpp2.0.1"'))


def test_figures_are_served_nowhere_until_an_address_is_named() -> None:
    """Nobody proves who he is at that page, so it is asked for by name."""
    assert parse_config(GOOD).metrics is None
    assert parse_config(GOOD + '[metrics]\naddress = "127.0.0.1:9108"\n').metrics == ("127.0.0.1", 9108)
    with pytest.raises(InputError, match=r"metrics\.address"):
        parse_config(GOOD + '[metrics]\naddress = "localhost:9108"\n')


MANY = """\
[organisation]
name = ""
[csms]
hots = "csms.example.org"
[[listener]]
address = "localhost:8443"
profile = 4
[[listener]]
address = "0.0.0.0:8442"
profile = 2
unknown = "guess"
[web]
address = "0.0.0.0:8440"
public_url = "http://user:hunter2@csms.example.org"
[hsm]
module = "x.so"
token = " CA"
[[event_sink]]
name = "soc"
kind = "webhook"
url = "http://192.0.2.1/"
[[upstream]]
name = "North"
urls = []
[[external_issuer]]
name = "hub"
kind = "acme"
[polcy]
"""


def test_every_mistake_of_the_file_is_told_at_once() -> None:
    """Whoever reads the table: proxy, authority or web; each with its line and what belongs there, none twice."""
    with pytest.raises(InputError) as refused:
        parse_config(MANY)
    told = [mistake.says for mistake in refused.value.findings]
    assert [says.split(": ")[:2] for says in told] == [
        ["line 2", "organisation.name"],
        ["line 4", "csms.hots"],
        ["line 6", "listener.address"],
        ["line 7", "listener.profile"],
        ["line 11", "listener.unknown"],
        ["line 14", "web.public_url"],
        ["line 16", "hsm.module"],
        ["line 17", "hsm.token"],
        ["line 18", "event_sink.secret_file"],
        ["line 21", "event_sink.url"],
        ["line 23", "upstream.name"],
        ["line 24", "upstream.urls"],
        ["line 25", "external_issuer.anchor"],
        ["line 25", "external_issuer.url"],
        ["line 25", "external_issuer.certificate_profile"],
        ["line 25", "external_issuer.user"],
        ["line 27", "external_issuer.kind"],
        ["line 28", "polcy"],
    ]
    assert "hunter2" not in str(refused.value)
