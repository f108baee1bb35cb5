"""What is posted to a URL: a batch of events as JSON, with an id that a retry repeats and a signature over both.

``Bollard-Signature: t=SECONDS,v1=HEX`` is HMAC-SHA256 with the shared secret over ``SECONDS.`` and the body, byte for
byte. The receiver compares in constant time, refuses what is older than it likes (replays), and drops a delivery whose
``Bollard-Delivery`` it has seen.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

from secproxy.export import jsonl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy.export.event import Event, Origin


def delivery_id(sink: str, events: Sequence[Event]) -> str:
    """Name a delivery, 32 hex digits: the same events to the same sink have the same name, whoever sends them again."""
    return hashlib.sha256("\n".join([sink, *(event.id for event in events)]).encode()).hexdigest()[:32]


def body(delivery: str, events: Sequence[Event], origin: Origin) -> bytes:
    """Write the body of a delivery."""
    written = [msgspec.Raw(jsonl.write(event, origin)) for event in events]
    return msgspec.json.encode({"schema_version": 1, "delivery": delivery, "events": written})


def sign(secret: bytes, seconds: int, content: bytes) -> str:
    """Write the header ``Bollard-Signature``; ``seconds`` are since 1970."""
    return f"t={seconds},v1={hmac.new(secret, b'%d.' % seconds + content, hashlib.sha256).hexdigest()}"
