"""What a payload holds: its shape, and vendors' messages."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.policy.contents import Shape, Vendors


def test_a_payload_of_another_shape_is_refused_without_repeating_it() -> None:
    """The place and the rule are told, the value is not: it may be a secret."""
    shape = Shape({"properties": {"a": {"properties": {"b": {"enum": ["x"]}}}}})
    assert shape.fault({"a": {"b": "x"}}) == ""
    assert shape.fault({"a": {"b": "secret"}}) == "a.b does not satisfy properties/a/properties/b/enum"
    assert shape.fault({"a": {"b": "x"}, "c": 1}) == ""


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"$ref": "https://example.org/schema"}])
def test_what_is_no_schema_or_fetches_one_is_none(schema: dict[str, object]) -> None:
    """Nothing is looked up in the network."""
    with pytest.raises((ValueError, jsonschema_rs.ReferencingError)):
        Shape(schema)


@pytest.mark.parametrize(
    ("vendors", "payload", "refused"),
    [
        (Vendors(frozenset({"org.good"})), {"vendorId": "org.good", "data": "x" * 9999}, False),
        (Vendors(frozenset({"org.good"})), {"vendorId": "org.GOOD"}, True),
        (Vendors(frozenset({"org.good"})), {}, True),
        (Vendors(frozenset()), {"vendorId": "org.good"}, True),
        (Vendors(longest=4), {"vendorId": "x", "data": "1234"}, False),
        (Vendors(longest=4), {"vendorId": "x", "data": "12345"}, True),
        (Vendors(longest=4), {"vendorId": "x", "data": {"a": "bcd"}}, True),
        (Vendors(longest=0), {"vendorId": "x"}, False),
    ],
)
def test_attack_37_a_vendor_is_listed_and_brief(vendors: Vendors, payload: dict[str, object], refused: bool) -> None:
    """Ids are compared whole; data that is no text counts as it is written."""
    assert bool(vendors.fault(payload)) is refused


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=5), st.integers(0, 60))
def test_the_length_of_data_is_that_of_its_json(data: dict[str, object], longest: int) -> None:
    """So nobody gets more through by nesting."""
    fits = len(json.dumps(data, ensure_ascii=False)) <= longest
    assert (Vendors(longest=longest).fault({"vendorId": "x", "data": data}) == "") is fits
