"""Judges what a payload holds: its shape, what a vendor's own message carries, which certificate is to be installed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jsonschema_rs import Draft202012Validator, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Payload = Mapping[str, object]

SAYS_LENGTH: Final = 160  # characters of what a schema's complaint says

_PEM: Final = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


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


@dataclass(frozen=True, slots=True)
class Certificates:
    """Which certificates may be installed, by SHA-256 over their DER, in hex."""

    fingerprints: frozenset[str]

    def fault(self, payload: Payload) -> str:
        """Say that a certificate may not be installed, or cannot be read as one; empty when it may."""
        written = payload.get("certificate")
        match = _PEM.fullmatch(written) if isinstance(written, str) else None
        try:
            der = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
        except binascii.Error:
            der = b""
        if not der:
            return "the certificate is not one certificate in PEM"
        fingerprint = hashlib.sha256(der).hexdigest()
        return f"certificate {fingerprint} is none of those allowed" * (fingerprint not in self.fingerprints)
