"""Judges what a payload holds: its shape, and what a vendor's own message carries."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jsonschema_rs import Draft202012Validator, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Payload = Mapping[str, object]

SAYS_LENGTH: Final = 160  # characters of what a schema's complaint says


@dataclass(frozen=True, slots=True)
class Shape:
    """A JSON Schema (draft 2020-12) that payloads satisfy; no other document is fetched for it.

    Raises ``ValueError`` for what is no schema, and for one that fetches.
    """

    schema: Mapping[str, object]
    _validator: Draft202012Validator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_validator", Draft202012Validator(dict(self.schema), offline=True))

    def fault(self, payload: Payload) -> str:
        """Say where a payload is of another shape, without what it holds there; empty when it is of this one."""
        try:
            self._validator.validate(dict(payload))
        except ValidationError as other:
            place = ".".join(map(str, other.instance_path)) or "the payload"
            return f"{place} does not satisfy {'/'.join(map(str, other.schema_path))}"[:SAYS_LENGTH]
        return ""


@dataclass(frozen=True, slots=True)
class Vendors:
    """Whose own messages may pass, and how much they may carry. ``None``: anybody's, or any length."""

    allow: frozenset[str] | None = None
    longest: int | None = None
    """Characters of ``data``, as JSON where it is no text."""

    def fault(self, payload: Payload) -> str:
        """Say whose message may not pass, or that it is too long; empty when it may."""
        vendor, data = payload.get("vendorId"), payload.get("data", "")
        if self.allow is not None and vendor not in self.allow:
            return f"{str(vendor)[:64]!r} is none of the vendors that are allowed"
        length = len(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))
        if self.longest is not None and length > self.longest:
            return f"data has {length} characters, {self.longest} are allowed"
        return ""
