"""The settings in force, as child processes read them."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pki.names import Host, Organisation
from pki.settings import parse_settings
from pki.station import SecurityProfile
from secproxy.config import (
    Config,
    ListenerConfig,
    NoSubprotocol,
    Outage,
    TransactionIds,
    Unknown,
    WebConfig,
    parse_config,
)
from secproxy.edge.effective import in_force, write_config
from secproxy.event_settings import Sink, Wanted
from secproxy.message_settings import Ambiguous, MessageSettings, Mode
from secproxy.policy_settings import PolicySettings
from secproxy.trace_settings import TraceSettings
from secproxy.upstreams import Preset, Upstream, UpstreamConfig, plain
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from pathlib import Path

OURS = Organisation('Strom "AG" \\ Söhne')
CONFIG = Config(
    Host("csms.example.org"),
    (plain(UpstreamConfig("::1", 9000, "/ocpp", secure=True)),),
    (ListenerConfig("127.0.0.1", 8443, SecurityProfile(3)), ListenerConfig("::", 8442, SecurityProfile(2))),
    WebConfig("127.0.0.1", 8440, "https://csms.example.org:8440", ("::1", 8480), "http://csms.example.org:8480"),
    workers=2,
)

ports = st.integers(1, 65_535)
addresses = st.ip_addresses().map(str).filter(lambda address: "." not in address or ":" not in address)
urls = st.builds(
    UpstreamConfig,
    st.one_of(addresses, st.just("csms.example.org")),
    ports,
    st.sampled_from(["", "/a", "/a/b%20c", "/~x;y=1"]),
    st.booleans(),
)
texts = st.text(min_size=1).filter(lambda text: "\ud800" not in text)
whole = texts.filter(str.isprintable).map("/".__add__)  # paths


@st.composite
def upstreams(draw: st.DrawFn) -> tuple[Upstream, ...]:
    """CSMSs that the settings can name: names, groups and paths are each given once."""
    names = draw(st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True), max_size=4, unique=True))
    found = []
    for number, name in enumerate(names):
        places = tuple(draw(st.lists(urls, min_size=1, max_size=3)))
        weights = draw(st.just(()) | st.tuples(*[st.integers(1, 1000)] * len(places)))
        files = all(url.secure for url in places) and draw(st.booleans())
        pair = (draw(whole), draw(whole)) if files and draw(st.booleans()) else ("", "")
        whose = ((f"G{number}", f"{draw(texts)}-{number}"), draw(st.sampled_from(["", f"/p{number}"])))
        preset = draw(st.sampled_from(Preset))
        found.append(
            Upstream(
                name,
                places,
                weights,
                *whose,
                draw(whole) if files else "",
                *pair,
                preset,
                draw(st.booleans()),
                draw(st.booleans()),
            )
        )
    return (*found, *draw(st.just(()) | urls.map(lambda url: (plain(url),)).filter(lambda _: "csms" not in names)))


networks = st.lists(st.ip_addresses().map(ipaddress.ip_network), max_size=2).map(tuple)
listeners = st.lists(
    st.builds(
        ListenerConfig,
        addresses,
        ports,
        st.sampled_from(SecurityProfile),
        networks,
        st.just(()),
        st.sampled_from(Unknown),
        st.integers(10, 86_400),
        st.booleans(),
        st.sampled_from(NoSubprotocol),
    )
    | st.builds(
        ListenerConfig,
        addresses,
        ports,
        st.sampled_from([SecurityProfile.TLS_BASIC, SecurityProfile.MUTUAL_TLS]),
        networks,
        st.lists(st.sampled_from(["CP-001", "a*b", "=+|@."]), unique=True).map(tuple),
        compression=st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda door: (door.host, door.port),
).map(tuple)
policy_names = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)
paths = st.just("") | st.sampled_from(["/etc/a b/c", '/"ä"'])
collectors = st.builds(
    lambda place, port, target, pair, files: Sink(
        "traces", "otlp", Wanted(), host=place[0], port=port, target=target, tls=place[1],
        certificate=pair, key=pair, **files,
    ),
    st.sampled_from([("localhost", False), ("::1", False), ("::1", True), ("a.example", True)]),
    ports,
    st.sampled_from(["/", "/v1/traces", "/a?b=c%20d"]),
    paths,
    st.fixed_dictionaries({"ca_file": paths, "token_file": paths}),
)  # fmt: skip
configs = st.builds(
    Config,
    st.just(Host("csms.example.org")),
    upstreams(),
    listeners,
    st.builds(
        WebConfig, addresses, ports, st.sampled_from(["https://a.example", "https://[::1]:8440", "https://a:1/p"])
    ),
    st.integers(0, 256),
    outage=st.sampled_from(Outage),
    transaction_ids=st.sampled_from(TransactionIds),
    worker_mib=st.just(0) | st.integers(128, 1_048_576),
    fenced=st.booleans(),
    messages=st.builds(MessageSettings, st.sampled_from(Mode), st.sampled_from(Mode), st.sampled_from(Ambiguous)),
    policies=st.builds(PolicySettings, policy_names, *[st.dictionaries(texts, policy_names, max_size=2)] * 2),
    keeps_tls=st.booleans(),
    metrics=st.sampled_from([None, ("127.0.0.1", 9108), ("::1", 0)]),
    traces=st.none() | st.builds(TraceSettings, collectors, st.floats(0, 1), st.floats(0, 1)),
)


@given(configs)
def test_what_is_written_is_what_was_meant(config: Config) -> None:
    """Reading the file gives the very configuration back, for every one there can be."""
    assert parse_config(write_config(OURS, config)) == config


def test_the_file_can_be_read_in_place_of_the_settings() -> None:
    """The authority finds what it needs there as well, whatever the organisation is called."""
    settings = parse_settings(write_config(OURS, CONFIG))

    assert (settings.organisation, settings.public_url) == (OURS, "https://csms.example.org:8440")


def test_the_file_is_private_and_there_only_while_it_is_in_force(tmp_path: Path) -> None:
    """A process started by itself later on reads the settings alone."""
    home = bare_home(tmp_path / "home")
    home.settings.write_text(write_config(OURS, CONFIG))
    (home.run / "config.toml").write_text("left behind by one that was killed")
    changed = replace(CONFIG, workers=7)
    with in_force(home, changed):
        assert parse_config((home.run / "config.toml").read_text()) == changed
        assert (home.run / "config.toml").stat().st_mode & 0o777 == 0o600

    assert not (home.run / "config.toml").exists()
