"""Rules about what there is not: found before they are in force, and would never have objected."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from pki.edge.policies import FOLDER
from pki.errors import InputError
from secproxy.policy.fields import DEPTH_MOST, fields_of, find_strange_words
from secproxy.policy.reading import parse_policy

CALL = {
    "definitions": {
        "Log": {
            "type": "object",
            "properties": {"remoteLocation": {"type": "string"}, "again": {"$ref": "#/definitions/Log"}},
        },
        "Own": {"type": "object", "properties": {"vendorId": {"type": "string"}}},
    },
    "properties": {
        "log": {"$ref": "#/definitions/Log"},
        "urls": {"type": "array", "items": {"type": "object", "properties": {"url": {"type": "string"}}}},
        "data": {"description": "anything"},
    },
}
RULE = """
[[rule]]
name = "one"
clause = "attack 33"
from = "csms"
actions = ["GetLog"]
"""


def fields(version: str, action: str) -> dict[str, bool]:
    """GetLog of OCPP 2.0.1 is the call above, and nothing is known of others."""
    return fields_of(CALL) if (version, action) == ("ocpp2.0.1", "GetLog") else {}


def mistakes(test: str, versions: str = "") -> list[str]:
    """What is wrong with a rule of this test; empty when nothing is."""
    try:
        parse_policy("own", f"{RULE}{versions}\n{test}", ZoneInfo, fields)
    except InputError as wrong:
        return [finding.says for finding in wrong.findings]
    return []


def test_fields_are_named_through_lists_and_references_to_some_depth() -> None:
    """A schema that holds itself has an end; what has no type may hold anything."""
    found = fields_of(CALL)
    assert {"log", "log.remoteLocation", "urls", "urls.url", "data"} <= found.keys()
    assert max(name.count(".") for name in found) == DEPTH_MOST - 1
    assert [name for name, free in found.items() if free] == ["data"]


@pytest.mark.parametrize(
    ("test", "strange", "meant"),
    [
        (
            "urls = { fields = ['log.remotelocation'], schemes = ['https'] }",
            "'log.remotelocation'",
            "log.remoteLocation",
        ),
        ("schema = { properties = { LOG = false } }", "'LOG'", "log"),
        ("schema = { required = ['qqq'] }", "'qqq'", ""),
        ("schema = { anyOf = [{ properties = { log = { required = ['zzz'] } } }] }", "'log.zzz'", ""),
        ("schema = { properties = { urls = { items = { required = ['uri'] } } } }", "'urls.uri'", ""),
    ],
)
def test_a_field_that_no_call_has_is_a_mistake_with_its_line(test: str, strange: str, meant: str) -> None:
    """Such a rule would never object."""
    [told] = mistakes(test)
    assert told.startswith("line 8: ")
    assert f"{strange} is no field of GetLog" in told
    assert told.endswith(f"; write {meant!r}" if meant else "of GetLog")


@pytest.mark.parametrize(
    "test",
    [
        "urls = { fields = ['log.remoteLocation', 'urls.url'], schemes = ['https'] }",
        "urls = { fields = ['data.deep.down'], schemes = ['https'] }",
        "schema = { properties = { data = { required = ['anything'] } }, required = ['log'] }",
        "deny = true",
    ],
)
def test_fields_that_there_are_and_what_may_hold_anything_are_right(test: str) -> None:
    """In one of the versions that the rule is for."""
    assert mistakes(test) == []


def test_of_a_call_that_nothing_is_known_of_nothing_is_said() -> None:
    """As of GetDiagnostics here."""
    assert mistakes("schema = { required = ['qqq'] }", 'versions = ["ocpp1.6"]') != mistakes(
        "schema = { required = ['qqq'] }"
    )


@pytest.mark.parametrize("word", ["propertys", "requird", "minlength"])
def test_a_word_that_is_no_keyword_is_told_wherever_it_stands(word: str) -> None:
    """JSON Schema has readers pass it over, and the rule with it."""
    schemas: list[dict[str, object]] = [
        {word: {}},
        {"properties": {"a": {"anyOf": [{word: 1}]}}},
        {"$defs": {"x": {"not": {word: 1}}}},
    ]
    for schema in schemas:
        [told] = find_strange_words(schema)
        assert repr(word) in told
        assert ("; write 'minLength'" in told) is (word == "minlength")


def test_names_of_fields_and_remarks_are_no_keywords() -> None:
    """Neither is what an enum lists."""
    schema: dict[str, object] = {
        "properties": {"propertys": {"const": {"requird": 1}, "x-why": "because", "enum": [{"a": 1}]}}
    }
    assert list(find_strange_words(schema)) == []


def test_no_policy_that_ships_has_a_strange_word() -> None:
    """They are read without a complaint; of fields the edge's test knows more."""
    for path in (FOLDER / "proxy").glob("*.toml"):
        parse_policy(path.stem, path.read_text(), ZoneInfo)
