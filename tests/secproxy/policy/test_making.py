"""What is made of what was read: nothing is lost, nothing is widened on the way."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from secproxy.plan import Side
from secproxy.policy import as_read
from secproxy.policy.as_read import RuleAsRead
from secproxy.policy.certificates import Certificates, KeepRoots, Requests
from secproxy.policy.contents import Shape, Vendors
from secproxy.policy.keys import Keys
from secproxy.policy.making import make_allow, make_rule
from secproxy.policy.rules import Allow, Deny, KeepProfile, Rate, Rest, Scope, Test
from secproxy.policy.urls import Urls

URLS = as_read.UrlsAsRead(["log.remoteLocation"], ["https"], hosts=[], ports=[443])


@pytest.mark.parametrize(
    ("read", "made"),
    [
        ({"deny": True}, Deny()),
        ({"keep_profile": True}, KeepProfile()),
        ({"rate": as_read.RateAsRead(10, Scope.STATION)}, Rate(10, 10, Scope.STATION)),
        ({"rate": as_read.RateAsRead(0.5, Scope.STATION)}, Rate(0.5, 1, Scope.STATION)),
        ({"rate": as_read.RateAsRead(10, Scope.FLEET, 5)}, Rate(10, 5, Scope.FLEET)),
        ({"schema": {"type": "object"}}, Shape({"type": "object"})),
        ({"urls": URLS}, Urls((("log", "remoteLocation"),), frozenset({"https"}), (), frozenset({443}))),
        ({"keys": as_read.KeysAsRead(deny=["A.B"])}, Keys(("a.b",))),
        ({"keys": as_read.KeysAsRead(allow=[])}, Keys(allow=())),
        ({"vendors": as_read.VendorsAsRead(allow=[])}, Vendors(frozenset())),
        ({"vendors": as_read.VendorsAsRead(longest=0)}, Vendors(longest=0)),
        ({"certificates": as_read.CertificatesAsRead([])}, Certificates(frozenset())),
        (
            {"certificates": as_read.CertificatesAsRead(["ab"], catalogue=True, unsafe_types=["x"])},
            Certificates(frozenset({"ab"}), catalogue=True, unsafe_types=frozenset({"x"})),
        ),
        ({"requests": True}, Requests()),
        ({"keep_roots": True}, KeepRoots()),
    ],
)
def test_each_test_is_made_as_it_was_written(read: dict[str, object], made: Test) -> None:
    """Empty lists stay empty: they allow nothing, and are not taken for none given."""
    rule = RuleAsRead(name="r", clause="attack 35", side=Side.CSMS, actions=["Reset"], **read)  # type: ignore[arg-type]  # the table says which key
    assert make_rule(rule, ZoneInfo).test == made


def test_what_is_let_through_is_a_word_or_a_list() -> None:
    """A list lets nothing else through."""
    assert make_allow(Rest.KNOWN) == Allow(Rest.KNOWN)
    assert make_allow(["GetLog"]) == Allow(Rest.NONE, frozenset({b"getlog"}))
    assert make_allow([]) == Allow(Rest.NONE)
