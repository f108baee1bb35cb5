"""Payloads that fit the official schemas, made from the schemas: the least of each, all of it, and the longest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from secproxy.edge.schema_files import SchemaFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    Raw = Mapping[str, object]

FILES: Final = SchemaFiles()
FORMATS: Final = {"date-time": "2026-11-28T00:00:00Z", "uri": "https://a.example/b"}
URLS: Final = frozenset({"location", "remoteLocation", "responderURL", "ocppCsmsUrl", "urls"})
"""Properties that are URLs, though their schemas say no more than that they are texts."""


@dataclass(frozen=True)
class Measure:
    """How much of what a schema allows: all properties or those alone that must be there, texts of ``text`` characters
    and lists of ``items`` at most, ``letter`` repeated."""

    everything: bool
    text: int = 1
    items: int = 1
    letter: str = "x"


LEAST: Final = Measure(everything=False)
FULL: Final = Measure(everything=True)
LONGEST: Final = Measure(everything=True, text=256, items=2, letter="ü")  # two bytes each


def raw(version: str, name: str) -> Raw:
    """A schema as the standard has it."""
    return cast("Raw", json.loads(FILES.text(version, name)))


def example(schema: Raw, root: Raw, measure: Measure, name: str = "") -> object:
    """A value that fits a schema, for a property of this name."""
    if "$ref" in schema:
        schema = cast("Mapping[str, Raw]", root["definitions"])[str(schema["$ref"]).rpartition("/")[2]]
    if "enum" in schema:
        return cast("list[object]", schema["enum"])[-1]
    kind = cast("str | None", schema.get("type"))
    if kind == "object":
        return _object(schema, root, measure)
    if kind == "array":
        return [example(cast("Raw", schema["items"]), root, measure, name)] * _size(schema, "Items", measure.items)
    if kind == "string":
        known = "uri" if name in URLS else str(schema.get("format"))
        return FORMATS.get(known, measure.letter * _size(schema, "Length", measure.text))
    return {
        "boolean": True,
        "integer": schema.get("minimum", 1),
        "number": schema.get("minimum", schema.get("maximum", 1.5)),
        None: {"a": [2]},
    }[kind]


def _object(schema: Raw, root: Raw, measure: Measure) -> dict[str, object]:
    properties = cast("Mapping[str, Raw]", schema.get("properties", {}))
    wanted = properties if measure.everything else cast("list[str]", schema.get("required", []))
    return {name: example(properties[name], root, measure, name) for name in wanted}


def _size(schema: Raw, of: str, wanted: int) -> int:
    most = cast("int", schema.get(f"max{of}", wanted))
    return max(cast("int", schema.get(f"min{of}", 0)), min(most, wanted))


def payload(version: str, name: str, measure: Measure) -> dict[str, object]:
    """A payload of the message whose schema has this name."""
    schema = raw(version, name)
    return cast("dict[str, object]", example(schema, schema, measure))
