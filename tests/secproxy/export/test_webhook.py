"""What is posted: a batch, its name, and a signature that a receiver can check with a few lines."""

from __future__ import annotations

import hashlib
import hmac
import json

from secproxy.export import webhook
from tests.secproxy.export.samples import ORIGIN, SAMPLE, SIX


def test_the_same_events_to_the_same_sink_have_the_same_name() -> None:
    """So that a receiver can drop what it has, even when another process sends it again."""
    names = [
        webhook.delivery_id("a", [SAMPLE, SIX]),
        webhook.delivery_id("a", [SAMPLE, SIX]),
        webhook.delivery_id("b", [SAMPLE, SIX]),
        webhook.delivery_id("a", [SAMPLE]),
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3 or SAMPLE.id == SIX.id
    assert all(len(name) == 32 for name in names)


def test_a_body_holds_the_events_as_they_were_written_down() -> None:
    """In the order in which they were recorded."""
    body = json.loads(webhook.body("d1", [SAMPLE, SIX], ORIGIN))
    assert (body["schema_version"], body["delivery"]) == (1, "d1")
    assert [event["remote"] for event in body["events"]] == ["192.0.2.7:4000", "[2001:db8::7]:4000"]


def test_the_signature_covers_time_and_body() -> None:
    """HMAC-SHA256 over the seconds, a dot, and the body, as documented for receivers."""
    header = webhook.sign(b"secret", 1_780_315_200, b"{}")
    expected = hmac.new(b"secret", b"1780315200.{}", hashlib.sha256).hexdigest()
    assert header == f"t=1780315200,v1={expected}"
    others = {webhook.sign(b"secret", 1_780_315_201, b"{}"), webhook.sign(b"secret", 1_780_315_200, b"{ }")}
    assert header.partition("v1=")[2] not in {other.partition("v1=")[2] for other in others}
