"""``secproxy.policy.carried``: which DataTransfer carries a call of OCPP 2.0.1, and what it says."""

from __future__ import annotations

import json

import pytest

from secproxy.jws import write_coded
from secproxy.plan import small
from secproxy.policy.actions import ACTIONS
from secproxy.policy.carried import (
    CALLS,
    CARRIER,
    VENDOR,
    VERSION,
    Carried,
    find_carried,
    may_carry,
    name_carried,
    tie,
    untie,
)


def transfer(**changes: object) -> dict[str, object]:
    """A DataTransfer that carries a SignCertificate."""
    return {"vendorId": VENDOR, "messageId": "SignCertificate", "data": json.dumps({"csr": "x"}), **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"csr": "x"}},
        {"data": ' {"csr" : "x"}\n'},
        {"vendorId": VENDOR.upper(), "messageId": "signcertificate"},
        {"vendorId": f" {VENDOR}\t", "messageId": "\nSignCertificate "},
        {"data": '{"csr":"\\u0078"}'},
    ],
)
def test_a_call_is_found_however_it_is_written(changes: dict[str, object]) -> None:
    """As some peer may read it: names in any case, the payload as a text or as it is."""
    assert find_carried(CARRIER, transfer(**changes)) == Carried(b"signcertificate", {"csr": "x"})


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        (b"signcertificate", {}),
        (CARRIER, {"vendorId": "com.example"}),
        (CARRIER, {"vendorId": None}),
        (CARRIER, {"messageId": "Reset"}),
        (CARRIER, {"messageId": 7}),
        (CARRIER, {"messageId": ""}),
    ],
)
def test_everything_else_carries_none(action: bytes, changes: dict[str, object]) -> None:
    """Another vendor's message is another vendor's, and a name that is not carried means nothing to anybody."""
    assert find_carried(action, transfer(**changes)) is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(None, "not an object", id="nothing"),
        pytest.param("", "not one JSON value", id="empty"),
        pytest.param("[]", "not an object", id="a list"),
        pytest.param('"{}"', "not an object", id="a text inside a text"),
        pytest.param(json.dumps(json.dumps({"csr": "x"})), "not an object", id="JSON in JSON"),
        pytest.param("eyJjc3IiOiJ4In0", "not one JSON value", id="base64"),
        pytest.param("csr=x", "not one JSON value", id="no JSON"),
        pytest.param('{"csr":"x"}{}', "not one JSON value", id="two"),
        pytest.param('{"csr":"x","csr":"y"}', "same key twice", id="ambiguous"),
        pytest.param("[" * 200, "deeper", id="too deep"),
        pytest.param("\ud800", "UTF-8", id="half a character"),
    ],
)
def test_what_two_readers_could_read_differently_cannot_be_read(data: object, says: str) -> None:
    """It is known what it is, and not what it says."""
    found = find_carried(CARRIER, transfer(data=data))
    assert found is not None
    assert (found.action, found.payload) == (b"signcertificate", {})
    assert says in found.unreadable


def test_each_is_a_call_of_the_version_it_is_of() -> None:
    """A name misspelt here would be looked into by nobody."""
    assert frozenset(small(name) for names in ACTIONS[VERSION].values() for name in names) >= CALLS


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("SignCertificate-Signed", {"payload": write_coded({"csr": "x"}), "signature": "x"}, ""),
        ("signcertificate-SIGNED ", json.dumps({"payload": write_coded({"csr": "x"})}), ""),
        ("SignCertificate-Signed", {"csr": "x"}, "base64url"),
        ("SignCertificate-Signed", "{", "not one JSON value"),
        ("SignCertificate-Signed-Signed", {"payload": write_coded({"csr": "x"})}, "signed more than once"),
    ],
)
def test_a_call_that_is_carried_may_be_signed(name: str, data: object, says: str) -> None:
    """It is known for what it is whether its payload can be read or not."""
    found = find_carried(CARRIER, transfer(messageId=name, data=data))
    assert found is not None
    assert (found.action, found.signed, found.payload) == (b"signcertificate", True, {} if says else {"csr": "x"})
    assert says in found.unreadable
    assert bool(says) is bool(found.unreadable)


def test_its_name_is_found_without_reading_what_it_says() -> None:
    """However much that is."""
    assert name_carried(CARRIER, transfer(data="[" * 100_000)) == b"signcertificate"
    assert name_carried(CARRIER, transfer(messageId="Reset")) == b""


def test_an_open_call_is_named_with_what_it_carries() -> None:
    """Since its answer does not say it; signed or not, and whether it can be read or not."""
    assert tie(CARRIER, transfer(data="?")) == b"datatransfer:signcertificate"
    signed = {"payload": write_coded(transfer(messageId="signCertificate-Signed"))}
    assert tie(CARRIER + b"-signed", signed) == b"datatransfer-signed:signcertificate"
    for action, payload in ((b"reset", transfer()), (CARRIER, {}), (CARRIER + b"-signed", transfer())):
        assert tie(action, payload) == action
        assert untie(action) == (action, b"")
    assert untie(b"datatransfer:signcertificate") == (CARRIER, b"signcertificate")


def test_what_surely_carries_nothing_needs_no_reading() -> None:
    """An escape may hide the vendor's name, and a signature everything."""
    for name in (VENDOR, VENDOR.upper(), "\\u006frg.example"):
        assert may_carry(CARRIER, f'{{"vendorId":"{name}"}}'.encode())
    assert may_carry(CARRIER + b"-signed", b"{}")
    assert not may_carry(CARRIER, b'{"vendorId":"com.example"}')
    assert not may_carry(b"reset", VENDOR.encode())
