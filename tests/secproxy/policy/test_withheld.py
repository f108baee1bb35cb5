"""Which tests can be made on what redaction leaves of a message, and which cannot."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.errors import PolicyRefused
from secproxy.policy.certificates import Certificates, KeepRoots, Requests
from secproxy.policy.contents import Shape, Vendors
from secproxy.policy.gauges import Gauges
from secproxy.policy.keys import Keys
from secproxy.policy.rules import Deny, KeepProfile, Rate, Scope, Test
from secproxy.policy.urls import Urls
from secproxy.policy.withheld import ASSUMED, REDACTED, UNRECORDED, Hindsight, reads_values, withheld
from secproxy.redaction import DATA_KEPT, Redaction
from tests.secproxy.policy.test_rulebook import DENY, HOST, INSTALLED, OPEN, RATE, asked, carried
from tests.secproxy.test_replay import VALUES, own

Payload = dict[str, object]
REDACTION = Redaction(bytes(16))
LOCATION = Urls((("location",),), frozenset({"https"}))
LONG = "y" * 99
PASSWORD: Payload = {"key": "AuthorizationKey", "value": "s3cr3t"}
NAMES = Shape({"properties": {"a": {"properties": {"password": False}}}, "required": ["a"]})
TEXTS = Shape({"properties": {"value": {"maxLength": 3}}})


def redacted(action: str, payload: Payload) -> Payload:
    """What a recording keeps of a call's payload."""
    written = REDACTION.redact(json.dumps([2, "1", action, payload]).encode())
    assert isinstance(written, list)
    found: Payload = written[3]
    return found


@pytest.mark.parametrize(
    ("test", "action", "payload", "is_withheld"),
    [
        (Deny(), "ChangeConfiguration", PASSWORD, False),
        (Rate(1, 1, Scope.STATION), "ChangeConfiguration", PASSWORD, False),
        (Keys(deny=("authorizationkey",)), "ChangeConfiguration", PASSWORD, False),
        (Keys(deny=("x",)), "ChangeConfiguration", {"key": "password=1", "value": "1"}, True),
        (KeepProfile(), "ChangeConfiguration", PASSWORD, False),
        (KeepProfile(), "ChangeConfiguration", {"key": "SecurityProfile", "value": "pin=1"}, True),
        (KeepProfile(), "SetNetworkProfile", {"connectionData": {"securityProfile": 1, "vpn": {"key": "x"}}}, False),
        (KeepProfile(), "SetNetworkProfile", {"connectionData": {"securityProfile": "pin=1"}}, True),
        (TEXTS, "ChangeConfiguration", PASSWORD, True),
        (TEXTS, "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "9999"}, False),
        (TEXTS, "Authorize", {"idTag": "TAG"}, True),
        (TEXTS, "X", {"simPin": 7}, True),
        (TEXTS, "X", {"simPin": True, "password": ""}, False),
        (NAMES, "X", {"a": {"password": "s3cr3t"}}, False),
        (NAMES, "X", {"a": {"https://u:s3cr3t@h/": 1}}, True),
        (LOCATION, "GetDiagnostics", {"location": "https://u:p@h/?t=1"}, False),
        (LOCATION, "GetDiagnostics", {"location": "nowhere"}, False),
        (Urls((("credentials", "url"),), frozenset({"https"})), "X", {"credentials": {"url": "https://h/"}}, True),
        (Vendors(None, DATA_KEPT), "DataTransfer", {"vendorId": "x", "data": LONG}, False),
        (Vendors(None, DATA_KEPT - 1), "DataTransfer", {"vendorId": "x", "data": "pin=1"}, True),
        (Vendors(None, 9), "DataTransfer", {"vendorId": "x", "data": {"pin": 1}}, True),
        (Vendors(frozenset(), None), "DataTransfer", {"vendorId": "x", "data": {"pin": 1}}, False),
        (Vendors(frozenset(), None), "DataTransfer", {"vendorId": "pin=1"}, True),
        (Certificates(frozenset()), "InstallCertificate", {"certificate": "x"}, False),
        (Certificates(frozenset()), "InstallCertificate", {"certificate": "key=A"}, True),
    ],
)
def test_what_a_test_reads_is_left_or_it_is_not(test: Test, action: str, payload: Payload, is_withheld: bool) -> None:
    """By what the test is about: a masked value disturbs nobody who does not read it."""
    assert bool(withheld(test, action.lower().encode(), redacted(action, payload))) is is_withheld


@pytest.mark.parametrize("test", [Requests(), KeepRoots(), Certificates(frozenset(), catalogue=True)])
def test_what_a_home_knows_is_in_no_recording(test: Test) -> None:
    """Which authorities it has, and whose a request is."""
    assert withheld(test, b"installcertificate", {"certificate": "x"}) == UNRECORDED


@pytest.mark.parametrize(
    ("schema", "reads"),
    [
        ({"properties": {"a": False}, "required": ["a"], "additionalProperties": {"type": "string"}}, False),
        ({"anyOf": [{"required": ["a"]}, {"not": {"items": {"type": "object"}}}]}, False),
        ({"properties": {"a": {"items": {"maxLength": 3}}}}, True),
        ({"properties": {"a": {"type": "integer"}}}, True),
        ({"anyOf": [{"const": 1}]}, True),
        ({"$defs": {"x": {"pattern": "^a"}}}, True),
    ],
)
def test_a_schema_of_names_and_kinds_reads_no_value(schema: Payload, reads: bool) -> None:
    """Masks keep both, but for a fraction, which becomes a whole number."""
    assert reads_values(schema) is reads


PARTS = st.text("ab9:@/\\?#&=%^ä;.[]{}-", max_size=12)
LONGEST = st.sampled_from([DATA_KEPT, DATA_KEPT + 1, 60])


@given(st.sampled_from(["https://", "ftp://", "HTTPS:/\\"]), PARTS, PARTS, st.booleans())
def test_a_url_is_judged_as_it_was_before_it_was_redacted(scheme: str, who: str, tail: str, credentials: bool) -> None:
    """Whatever stands in the place of a password, a query or a ticket."""
    test = Urls((("location",),), frozenset({"https"}), private_addresses=True, credentials=credentials)
    said: Payload = {"location": f"{scheme}{who}@a.example{tail}"}
    left = redacted("GetDiagnostics", said)
    if not withheld(test, b"getdiagnostics", left):
        assert bool(test.fault(left, HOST)) is bool(test.fault(said, HOST))


@given(st.lists(st.sampled_from(["pin=1 ", "token:abcdefgh ", "yyyyy", "https://u:p@h/ "]), max_size=9), LONGEST)
def test_a_vendor_s_data_are_as_long_as_they_were(parts: list[str], longest: int) -> None:
    """Whatever was masked in them."""
    said: Payload = {"vendorId": "x", "data": "".join(parts)}
    test, left = Vendors(None, longest), redacted("DataTransfer", said)
    assert not withheld(test, b"datatransfer", left)
    assert bool(test.fault(left)) is bool(test.fault(said))


def test_a_rule_that_cannot_be_asked_says_what_it_must_have_said() -> None:
    """What it let go it lets go, what was refused it may have refused; which rules those are is kept."""
    book = Hindsight(own(OPEN + VALUES), "ocpp1.6", HOST, 1)
    masked = asked("ChangeConfiguration", redacted("ChangeConfiguration", PASSWORD))
    book.begin(refused=False)
    assert book.judge(masked, Gauges(), Gauges()) == []
    assert ([rule.name for rule, _ in book.blind], book.heard) == (["short"], [])
    book.begin(refused=True)
    with pytest.raises(PolicyRefused):
        book.judge(masked, Gauges(), Gauges())
    assert [each.says for each in book.heard] == [ASSUMED]
    book.begin(refused=False)
    assert (book.blind, book.heard, book.asked) == ([], [], None)


def test_what_was_carried_is_cut_in_a_recording_and_so_cannot_be_asked() -> None:
    """What it let go then it lets go; a rule that counts it is found by it."""
    listed = INSTALLED.replace("catalogue = true, unsafe_types", "unsafe_types")
    book = Hindsight(own(OPEN + listed + RATE.replace('"Reset"', '"InstallCertificate"')), "ocpp1.6", HOST, 1)
    said = asked("DataTransfer", redacted("DataTransfer", carried("InstallCertificate", {"certificate": LONG})))
    assert book.judge(said, Gauges(), Gauges()) == []
    assert [(rule.name, why) for rule, why in book.blind] == [("known-roots", REDACTED)]
    counting = book.counting()
    assert counting is not None
    assert counting.name == "few-resets"


def test_rates_are_counted_from_call_to_call_whatever_gauges_are_given() -> None:
    """A session that has to begin anew has others; which rule counts an action can be asked."""
    book = Hindsight(own(OPEN + RATE + DENY.replace("Reset", "GetLog")), "ocpp1.6", HOST, 1)
    for _ in range(2):
        assert book.judge(asked("Reset"), Gauges(), Gauges()) == []
    with pytest.raises(PolicyRefused):
        book.judge(asked("Reset"), Gauges(), Gauges())
    rule = book.counting()
    assert rule is not None
    assert rule.name == "few-resets"
    with pytest.raises(PolicyRefused):
        book.judge(asked("GetLog"), Gauges(), Gauges())
    assert book.counting() is None
