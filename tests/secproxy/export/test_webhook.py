"""What is posted: a batch, its name, and a signature that a receiver can check with a few lines."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import Any

from secproxy.export import webhook
from tests.documents import DOCS
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


def test_the_lines_that_a_receiver_is_given_do_what_is_promised() -> None:
    """The function in the documentation takes what we sign now, and nothing that was changed, foreign or old."""
    [code] = re.findall(r"```python\n(.*?)```", (DOCS / "operating.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own documentation
    now = int(time.time())
    assert names["verify"](b"secret", webhook.sign(b"secret", now, b"{}"), b"{}")
    assert not names["verify"](b"secret", webhook.sign(b"secret", now, b"{}"), b"{ }")
    assert not names["verify"](b"secret", webhook.sign(b"other", now, b"{}"), b"{}")
    assert not names["verify"](b"secret", webhook.sign(b"secret", now - 3_600, b"{}"), b"{}")


def test_the_signature_covers_time_and_body() -> None:
    """HMAC-SHA256 over the seconds, a dot, and the body, as documented for receivers."""
    header = webhook.sign(b"secret", 1_780_315_200, b"{}")
    expected = hmac.new(b"secret", b"1780315200.{}", hashlib.sha256).hexdigest()
    assert header == f"t=1780315200,v1={expected}"
    others = {webhook.sign(b"secret", 1_780_315_201, b"{}"), webhook.sign(b"secret", 1_780_315_200, b"{ }")}
    assert header.partition("v1=")[2] not in {other.partition("v1=")[2] for other in others}
