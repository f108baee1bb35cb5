"""Which fields a rule looks at, and which ones a call can have: a rule about a field that no call has never objects.

What is known of calls are the official schemas of their versions; where they lie is the edge's affair. Vendors' own
data may hold anything, so nothing is said about what stands in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from secproxy.policy.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from secproxy.policy.as_read import RuleAsRead

    Fields: TypeAlias = Callable[[str, str], Mapping[str, bool]]
    """Of a version (``ocpp1.6``) and an action, as ``fields_of``; empty where there is no such call."""

DEPTH_MOST: Final = 12  # fields within fields; the deepest of OCPP 2.1 has 8

_MAPS: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_SAME: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "items", "contains", "prefixItems")
"""Keywords whose schemas are about the field itself, or about the items of its list."""
_OTHERS: Final = ("additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "contentSchema")
_PLAIN: Final = (
    "$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment",
    "type", "const", "enum", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
    "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
    "maxProperties", "minProperties", "required", "dependentRequired", "format", "contentEncoding", "contentMediaType",
    "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples",
)  # fmt: skip
_WORDS: Final = frozenset({*_MAPS, *_LISTS, *_SAME, *_OTHERS, *_PLAIN})


def find_strange_words(schema: Mapping[str, object]) -> Iterator[str]:
    """Say which keywords of a JSON Schema there are not in draft 2020-12: whoever reads it passes them over."""
    waiting: list[object] = [schema]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        for word, value in node.items():
            if word not in _WORDS and not word.startswith("x-"):
                yield f"{word[:40]!r} is no keyword of JSON Schema{_meant(word, _WORDS)}; remarks begin with x-"
            waiting += _inner(word, value)


def find_strange_fields(rule: RuleAsRead, fields: Fields) -> Iterator[tuple[tuple[str, ...], str]]:
    """Say which fields a rule looks at that none of its calls has, with the key that names each."""
    known: dict[str, bool] = {}
    for version in rule.versions or ACTIONS:
        for action in rule.actions:
            known |= fields(version, action)
    if not known:
        return
    for key, field in _looked_at(rule):
        if field not in known and not _is_free(field, known):
            says = f"{field[:64]!r} is no field of {', '.join(rule.actions)[:80]}{_meant(field, known)}"
            yield key, f"{'.'.join(key)}: {says}"


def fields_of(official: Mapping[str, object]) -> dict[str, bool]:
    """The fields that a call can have by its schema, as ``log.remoteLocation``, each with whether it may hold anything.

    Lists are gone through, so the fields of their items are named as if there were one.
    """
    kinds = official.get("definitions", {})
    found: dict[str, bool] = {}
    waiting: list[tuple[tuple[str, ...], object]] = [((), official)]
    while waiting:
        path, node = waiting.pop()
        while isinstance(node, dict) and ("$ref" in node or "items" in node):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            node = kinds.get(name) if name and isinstance(kinds, dict) else node.get("items")
        inside = node.get("properties") if isinstance(node, dict) else None
        if path:
            found[".".join(path)] = not inside and isinstance(node, dict) and node.get("type", "object") == "object"
        if isinstance(inside, dict) and len(path) < DEPTH_MOST:
            waiting += [((*path, key), value) for key, value in inside.items()]
    return found


def _looked_at(rule: RuleAsRead) -> Iterator[tuple[tuple[str, ...], str]]:
    for field in rule.urls.fields if rule.urls else ():
        yield ("urls", "fields"), field
    for field in _named_by(rule.schema or {}):
        yield ("schema",), field


def _named_by(schema: Mapping[str, object]) -> Iterator[str]:
    """The fields that a JSON Schema speaks of."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), schema)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict):
            continue
        inside = node.get("properties")
        names = {**dict.fromkeys(_texts(node.get("required"))), **(inside if isinstance(inside, dict) else {})}
        for name, value in names.items():
            yield ".".join((*path, name))
            waiting.append(((*path, name), value))
        waiting += [(path, each) for word in _SAME for each in _inner(word, node.get(word))]


def _inner(word: str, value: object) -> Iterable[object]:
    """The schemas that stand below a keyword."""
    if word in _MAPS:
        return value.values() if isinstance(value, dict) else ()
    if word in _LISTS:
        return value if isinstance(value, list) else ()
    return [value] if word in _SAME or word in _OTHERS else ()


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_free(field: str, known: Mapping[str, bool]) -> bool:
    parts = field.split(".")
    return any(known.get(".".join(parts[:end])) for end in range(1, len(parts)))


def _meant(word: str, known: Iterable[str]) -> str:
    meant = next((each for each in known if each.lower() == word.lower()), "")
    return f"; write {meant!r}" * bool(meant)
