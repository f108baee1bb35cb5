"""Fuzzes the OCPP-J message: what is read has one meaning to three readers, what is refused is refused with reason, and
the head that lets most messages pass never says another thing than a whole reading.

``python -m tests.fuzz.fuzz_envelope CORPUS [libFuzzer options]`` with atheris installed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from secproxy.envelope import (
    ECHO_LENGTH,
    ERROR,
    HEAD,
    RESULT_ERROR,
    Call,
    Message,
    Result,
    Send,
    call_bytes,
    error_bytes,
    parse,
    result_bytes,
)
from secproxy.errors import MessageRefused
from tests.fuzz import wire_seeds
from tests.fuzz.running import fuzz

if TYPE_CHECKING:
    import re

KINDS = {2: "Call", 3: "Result", 4: "Error", 5: "ResultError", 6: "Send"}
FOUND_ON_THE_WAY = {"utf8", "json", "depth", "number", "duplicate"}
"""Faults that are found before it is known whether the whole is JSON."""


def try_one(data: bytes) -> None:
    """The bytes as a message."""
    try:
        message = parse(data)
    except MessageRefused as refused:
        check_refusal(data, refused)
    else:
        check_reading(data, message)
    head = HEAD.match(data)
    if head is not None:
        check_head(data, head)


def check_reading(data: bytes, message: Message) -> None:
    """The standard library and msgspec read the same."""
    read = json.loads(data.decode())
    fields = [getattr(message, name) for name in type(message).__slots__]
    assert [KINDS[read[0]], read[1], *meant(read)] == [type(message).__name__, *fields]
    assert msgspec.json.decode(data) == read
    if isinstance(message, Call):
        assert parse(call_bytes(message)) == message
    if isinstance(message, Result):
        assert parse(result_bytes(message.id, message.payload)) == message


def meant(read: list[Any]) -> list[object]:
    """What stands behind the id, with that filled in which its writer had nothing to say for."""
    if read[0] not in {ERROR, RESULT_ERROR}:
        return [*read[2:-1], {} if read[-1] is None else read[-1]]
    code, description, details = [*read[2:], None, None][:3]
    return [code or "", description or "", details if isinstance(details, dict) else {}]


def check_refusal(data: bytes, refused: MessageRefused) -> None:
    """Not JSON for us is not JSON for anybody; what we say of it is short, and can be said in JSON."""
    if refused.fault == "json":
        assert read_by_others(data) is None
    elif refused.fault not in FOUND_ON_THE_WAY:
        json.loads(data.decode())
    assert all(len(str(value)) <= 2 * ECHO_LENGTH for value in refused.note.evidence.values())
    if refused.message_id:
        read = read_by_others(data)
        assert read is None or (isinstance(read, list) and read[1] == refused.message_id)
        parse(error_bytes(refused.message_id, "FormationViolation", refused.fault))


def check_head(data: bytes, head: re.Match[bytes]) -> None:
    """Whoever can read the whole message finds in it what the head says: that is all the relay looks at."""
    read = read_by_others(data)
    if isinstance(read, list) and read:
        assert type(read[0]) is int
        assert str(read[0]).encode() == head["type"]
        assert read[1].encode() == head["id"]
        if head["action"] is not None:
            assert read[2].encode() == head["action"]
        try:
            said = parse(data)
        except MessageRefused:
            return
        assert said.id.encode() == head["id"]
        assert isinstance(said, Call | Send) is (head["action"] is not None)


def read_by_others(data: bytes) -> object:
    """What the standard library makes of a message; None when it cannot read it."""
    try:
        read: object = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return read


if __name__ == "__main__":
    fuzz(try_one, wire_seeds.messages(), "secproxy.envelope", "json.decoder")
