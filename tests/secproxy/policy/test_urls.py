"""Where URLs may lead: what is refused, and what every correct CSMS writes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.policy.urls import PORTS, Urls

if TYPE_CHECKING:
    import ipaddress

FIELD = (("log", "remoteLocation"),)
ANY = Urls(FIELD, frozenset(PORTS), private_addresses=True, credentials=True)
OUTSIDE = Urls(FIELD, frozenset({"https"}))


def fault(rule: Urls, url: object) -> str:
    """What is wrong with a URL in a GetLog."""
    return rule.fault({"log": {"remoteLocation": url}}, "csms.example.org")


@pytest.mark.parametrize(
    "url",
    [
        "https://logs.example.org/up/",
        "ftp://user:secret@ftp.example.org/in",
        "sftp://10.1.2.3:2222/in",
        "https://[2001:4860:4860::8888]/x?a=1#f",
        "https://xn--bcher-kva.example/",
    ],
)
def test_what_a_correct_csms_writes_may_be(url: str) -> None:
    """Under a rule that limits the schemes alone."""
    assert fault(ANY, url) == ""


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("file:///etc/passwd", id="a file of the station's"),
        pytest.param("gopher://example.org/", id="a scheme that nobody named"),
        pytest.param("//example.org/x", id="no scheme"),
        pytest.param("https:///x", id="no host"),
        pytest.param("https://localhost/x", id="the station itself, by name"),
        pytest.param("https://a.localhost./x", id="the same, with a dot at the end"),
        pytest.param("http://127.0.0.1:8080/x", id="the station itself"),
        pytest.param("http://[::1]/x", id="the station itself in IPv6"),
        pytest.param("http://[::ffff:127.0.0.1]/x", id="the station itself, IPv4 in IPv6"),
        pytest.param("http://[64:ff9b::7f00:1]/x", id="the station itself, through NAT64"),
        pytest.param("http://[2002:7f00:1::]/x", id="the station itself, through 6to4"),
        pytest.param("https://a@b@c.example/", id="two at signs"),
        pytest.param("https://good.example#@evil.example/", id="an at sign behind a fragment"),
        pytest.param("https://good.example?@evil.example/", id="an at sign behind a query"),
        pytest.param("http://169.254.169.254/latest", id="a cloud's metadata"),
        pytest.param("http://[fe80::1]/x", id="the station's own link"),
        pytest.param("http://224.0.0.1/x", id="a group of hosts"),
        pytest.param("http://0.0.0.0/x", id="no host at all"),
        pytest.param("http://2130706433/x", id="an address as one number"),
        pytest.param("http://0x7f.1/x", id="an address in pieces"),
        pytest.param("http://0177.0.0.1/x", id="an address in octal"),
        pytest.param("http://127.1/x", id="a short address"),
        pytest.param("https://good.example\\@evil.example/", id="a backslash"),
        pytest.param("https://good.example/\tx", id="a blank that some readers drop"),
        pytest.param("https://good.example\n/x", id="a line break"),
        pytest.param("https://bücher.example/x", id="a name that is not ASCII"),
        pytest.param("https://example.org:99999/x", id="a port that is none"),
        pytest.param("https://ex%61mple.org/x", id="a host in escapes"),
        pytest.param("", id="nothing"),
        pytest.param(7, id="no text"),
    ],
)
def test_attack_32_what_is_never_right_or_read_in_two_ways_may_not_be(url: object) -> None:
    """Even where a rule allows private addresses and credentials."""
    assert fault(ANY, url).startswith("log.remoteLocation: ")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.org/", "schemes"),
        ("https://me:pw@example.org/", "user name"),
        ("https://me@example.org/", "user name"),
        ("https://192.168.1.1/", "own network"),
        ("https://10.0.0.1/", "own network"),
        ("https://[fd00::1]/", "own network"),
        ("https://[::ffff:10.0.0.1]/", "own network"),
        ("https://100.64.0.1/", "own network"),
        ("https://router/", "own network"),
        ("https://nas.local/", "own network"),
    ],
)
def test_attack_33_what_a_rule_says_nothing_of_is_not_allowed(url: str, says: str) -> None:
    """Schemes besides those named, credentials, places inside somebody's network."""
    assert says in fault(OUTSIDE, url)
    assert fault(dataclasses.replace(ANY, private_addresses=True), url) == ""


@pytest.mark.parametrize(
    ("hosts", "host", "allowed"),
    [
        (("logs.example.org",), "logs.example.org", True),
        (("logs.example.org",), "LOGS.Example.org.", True),
        (("logs.example.org",), "xlogs.example.org", False),
        (("logs.example.org",), "logs.example.org.evil.net", False),
        (("*.example.org",), "a.b.example.org", True),
        (("*.example.org",), "example.org", False),
        (("*.example.org",), "evilexample.org", False),
        (("@csms",), "csms.example.org", True),
        (("@csms",), "other.example.org", False),
        (("8.8.8.8",), "8.8.8.8", True),
        ((), "example.org", False),
    ],
)
def test_hosts_are_compared_whole(hosts: tuple[str, ...], host: str, allowed: bool) -> None:
    """A list that is empty allows none."""
    assert (fault(dataclasses.replace(OUTSIDE, hosts=hosts), f"https://{host}/") == "") is allowed


@pytest.mark.parametrize(("url", "allowed"), [("https://a.example:8443/", True), ("https://a.example/", False)])
def test_a_port_that_goes_without_saying_counts(url: str, allowed: bool) -> None:
    """Port 443 is not 8443."""
    assert (fault(dataclasses.replace(OUTSIDE, ports=frozenset({8443})), url) == "") is allowed


def test_lists_on_the_way_to_a_url_are_gone_through() -> None:
    """As in GetCertificateChainStatus; a field that is missing is the schema's business."""
    rule = Urls((("certificateStatusRequests", "urls"),), frozenset({"http"}))
    good, bad = {"urls": ["http://a.example/"]}, {"urls": ["http://a.example/", "http://127.0.0.1/"]}
    assert rule.fault({"certificateStatusRequests": [good, bad]}, "") != ""
    assert rule.fault({"certificateStatusRequests": [good, {}]}, "") == ""
    assert rule.fault({}, "") == ""


@given(st.ip_addresses())
def test_an_address_is_private_or_public_and_never_slips_through(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Whatever the library calls not global is refused, in either notation."""
    host = f"[{address}]" if address.version == 6 else str(address)
    allowed = fault(OUTSIDE, f"https://{host}/") == ""
    assert not (allowed and not address.is_global and not getattr(address, "ipv4_mapped", None))


@given(st.text(max_size=40))
def test_no_text_makes_the_judge_stumble(text: str) -> None:
    """It is refused or it is a URL."""
    assert isinstance(fault(ANY, text), str)
