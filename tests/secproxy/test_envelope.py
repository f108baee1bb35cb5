"""OCPP-J messages: what passes has one reading, and what fails is answered without a word too much."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.envelope import (
    HEAD,
    Call,
    Error,
    Message,
    Result,
    ResultError,
    Send,
    call_bytes,
    canonical,
    error_bytes,
    glance,
    parse,
    result_bytes,
)
from secproxy.errors import MessageRefused
from secproxy.reader import DEPTH_LIMIT

PAYLOADS = st.dictionaries(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1) | st.text() | st.none(), max_size=4)
NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=36)


def _jsonish() -> st.SearchStrategy[bytes]:
    """Arrays that look much like messages."""
    item: st.SearchStrategy[object] = st.sampled_from(
        [2, 3, 4, 6, "1", "Heartbeat", "é", "", {}, {"a": 1}, [], None, 2.0]
    )
    return st.lists(item, max_size=6).map(lambda items: json.dumps(items, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[2,"1","Heartbeat",{}]', Call("1", "Heartbeat", {})),
        (' [ 2 ,\t"1" ,\r\n"Heartbeat" , { "a" : [ 1.5 , null ] } ] \n', Call("1", "Heartbeat", {"a": [1.5, None]})),
        ('[2,"\\u0031","Boot\\u004eotification",{}]', Call("1", "BootNotification", {})),
        ('[3,"1",{"status":"Accepted"}]', Result("1", {"status": "Accepted"})),
        ('[4,"1","InternalError","x",{}]', Error("1", "InternalError", "x", {})),
        ('[5,"1","InternalError","",{}]', ResultError("1", "InternalError", "", {})),
        ('[6,"1","NotifyPeriodicEventStream",{}]', Send("1", "NotifyPeriodicEventStream", {})),
        (f'[3,"{"é" * 36}",{{}}]', Result("é" * 36, {})),
    ],
)
def test_each_type_is_read(text: str, message: Message) -> None:
    """OCPP-J 4.2 and, for types 5 and 6, OCPP 2.1's part 4."""
    assert parse(text.encode()) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[2,"1","Heartbeat",null]', Call("1", "Heartbeat", {})),
        ('[3,"1",null]', Result("1", {})),
        ('[6,"1","A",null]', Send("1", "A", {})),
        ('[4,"1","InternalError","boom",null]', Error("1", "InternalError", "boom", {})),
        ('[4,"1",null,"boom",{}]', Error("1", "", "boom", {})),
        ('[4,"1","FormationViolation","x",[{"keyword":"type"}]]', Error("1", "FormationViolation", "x", {})),
        ('[4,"1","GenericError","x"]', Error("1", "GenericError", "x", {})),
        ('[4,"1","GenericError"]', Error("1", "GenericError", "", {})),
        ('[5,"1","GenericError",null,""]', ResultError("1", "GenericError", "", {})),
    ],
)
def test_what_libraries_write_for_nothing_is_nothing(text: str, message: Message) -> None:
    """OCPP-J 4.2 lets a payload be null. Libraries of stations and CSMSs write each of these where their user gave no
    payload, no code, no details, or more of them than an object; whoever waits for the answer understands it."""
    assert parse(text.encode()) == message


@pytest.mark.parametrize(
    ("text", "fault", "answered"),
    [
        ("", "json", ""),
        ("[", "json", ""),
        ("hello", "json", ""),
        ("{}", "array", ""),
        ("[]", "array", ""),
        ("null", "array", ""),
        ('\ufeff[2,"1","A",{}]', "json", ""),
        ('[2,"1","A",{}] []', "json", "1"),
        ("[2]", "id", ""),
        ('[7,"1",{}]', "type", ""),
        ('["2","1","A",{}]', "type", ""),
        ('[2.0,"1","A",{}]', "type", ""),
        ('[true,"1","A",{}]', "type", ""),
        ('[2,1,"A",{}]', "id", ""),
        ('[2,"","A",{}]', "id", ""),
        (f'[2,"{"x" * 37}","A",{{}}]', "id", ""),
        ('[2,"a\\u0000","A",{}]', "id", ""),
        ('[2,"1","A"]', "arity", "1"),
        ('[2,"1","A",{},{}]', "arity", "1"),
        ('[2,"1","A",[]]', "payload", "1"),
        ('[2,"1","",{}]', "action", "1"),
        ('[2,"1","Update Firmware",{}]', "action", "1"),
        ('[2,"1",7,{}]', "text", "1"),
        ('[3,"1"]', "arity", ""),
        ('[3,"1",{},{}]', "arity", ""),
        ('[4,"1"]', "arity", ""),
        ('[4,"1","X","",{},{}]', "arity", ""),
        ('[4,"1","X",{}]', "text", ""),
        ('[4,"1",7,"",{}]', "text", ""),
        ('[6,"1","A"]', "arity", ""),
    ],
)
def test_attack_27_what_is_no_message_is_refused(text: str, fault: str, answered: str) -> None:
    """Type, id, action and number of items are exact; a call is answered when its id can be read."""
    _refused(text.encode(), fault, answered)


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (b'[2,"1","A",{"a":"\xff"}]', "utf8"),
        (b'[2,"1","A",{"a":"\xed\xa0\x80"}]', "utf8"),
        (b'[2,"1","A",{"a":"\\ud800"}]', "surrogate"),
        (b'[2,"1","A",{"\\udfff":1}]', "surrogate"),
        (b'[2,"1","A",{"a":"\x00"}]', "json"),
    ],
)
def test_attack_23_text_that_is_not_unicode_is_refused(message: bytes, fault: str) -> None:
    """Bytes that are not UTF-8, halves of characters and raw control characters."""
    _refused(message, fault, "1")


def test_a_whole_character_in_two_escapes_is_text() -> None:
    """A surrogate pair is how JSON writes what lies beyond 16 bits (RFC 8259 7)."""
    assert parse(b'[3,"1",{"a":"\\ud83d\\ude00"}]') == Result("1", {"a": "\U0001f600"})


def test_attack_24_nesting_stops_before_the_parser_dives() -> None:
    """As deep as the limit is read, one deeper is refused, and a million brackets cost no stack."""
    inside = DEPTH_LIMIT - 2
    assert parse(b'[3,"1",{"a":' + b"[" * inside + b"]" * inside + b"}]")
    for count in (inside + 1, 1_000_000):
        _refused(b'[2,"1","A",{"a":' + b"[" * count + b"]" * count + b"}]", "depth", "1")


def test_brackets_inside_texts_are_not_nesting() -> None:
    """Only structure counts, whatever is quoted."""
    text = '\\"' + "[{" * 100
    assert parse(json.dumps([3, "1", {"a": text}]).encode()) == Result("1", {"a": text})


def test_a_text_that_never_ends_is_refused_in_one_pass() -> None:
    """A quarter of a megabyte of escaped quotes must not make the scanner go back over them again and again."""
    _refused(b'[2,"1","A",{"a":"' + b'\\"' * 131_072, "json", "1")


@pytest.mark.parametrize(
    "number",
    [
        "9223372036854775808",
        "-9223372036854775809",
        "1e999",
        "-1e999",
        "NaN",
        "-Infinity",
        "1" * 5_000,
        "0." + "1" * 99,
    ],
)
def test_attack_25_a_number_that_readers_round_differently_is_refused(number: str) -> None:
    """Outside int64, not finite, or longer than any real number is written."""
    _refused(f'[2,"1","A",{{"a":{number}}}]'.encode(), "number", "1")


@pytest.mark.parametrize("object", ['{"a":1,"a":2}', '{"x":[{"a":1,"\\u0061":1}]}'])
def test_attack_26_the_same_key_twice_is_refused(object: str) -> None:  # noqa: A002 - JSON's own word
    """One reader keeps the first, another the last; also when one of the two is escaped."""
    _refused(f'[2,"1","A",{object}]'.encode(), "duplicate", "1")


@pytest.mark.parametrize("letter", [b"A", b"\x7f", b"\\u2028"], ids=["plain", "escaped", "of six characters"])
def test_what_is_kept_of_a_bad_message_is_short(letter: bytes) -> None:
    """CVE-2025-59399: a long message must not come back in the error about it."""
    with pytest.raises(MessageRefused) as refused:
        parse(b'[2,"1","' + letter * 60_000 + b'",{}]')
    assert all(len(str(value)) <= 120 for value in refused.value.note.evidence.values())


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | _jsonish())
def test_no_bytes_make_the_reader_stumble(message: bytes) -> None:
    """Whatever arrives is a message or is refused; where the head speaks, both read the same."""
    head = HEAD.match(message)
    try:
        read = parse(message)
    except MessageRefused:
        return
    if head is not None:
        assert head["id"].decode() == read.id
        assert isinstance(read, Call | Send) is (head["type"] in {b"2", b"6"})
        if isinstance(read, Call | Send):
            assert head["action"].decode() == read.action


@given(NAMES, st.from_regex(r"[A-Za-z0-9-]{1,50}", fullmatch=True), PAYLOADS)
def test_the_head_of_what_we_write_is_always_plain(id: str, action: str, payload: dict[str, object]) -> None:  # noqa: A002 - OCPP's own word
    """What is written is read back the same, and by the head as well unless the id needs an escape."""
    written = call_bytes(Call(id, action, payload))
    assert parse(written) == Call(id, action, payload)
    head = HEAD.match(written)
    if '"' in id or "\\" in id:
        assert head is None
    else:
        assert head is not None
        assert head.group("type", "id", "action") == (b"2", id.encode(), action.encode())


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ('[2,"1","Heartbeat",{', ("2", "1", "Heartbeat")),
        (' [\n2 , "1"\t,"UpdateFirmware-Signed"\r,{', ("2", "1", "UpdateFirmware-Signed")),
        ('[6,"1","A",{', ("6", "1", "A")),
        ('[3,"1",{"a":1}]', ("3", "1", None)),
        ('[4,"1","","",{}]', ("4", "1", None)),
    ],
)
def test_the_head_tells_type_id_and_action(text: str, groups: tuple[str | None, ...]) -> None:
    """The groups bear those names."""
    match = HEAD.match(text.encode())
    assert match is not None
    assert tuple(group and group.decode() for group in match.group("type", "id", "action")) == groups


@pytest.mark.parametrize(
    "text",
    [
        '[2,"1","Boot\\u004eotification",{}]',
        '[2,"\\u0031","Heartbeat",{}]',
        '[2,"é","Heartbeat",{}]',
        '[2,"1",{"a":"UpdateFirmware"}]',
        '[2,"1","Heartbeat"]',
        '[2,"1","Update Firmware",{}]',
        '[2,"1","' + "A" * 51 + '",{}]',
        '[2,"' + "1" * 37 + '","Heartbeat",{}]',
        '[2.0,"1","Heartbeat",{}]',
        '[02,"1","Heartbeat",{}]',
        '[22,"1","Heartbeat",{}]',
        '["2","1","Heartbeat",{}]',
        '\ufeff[2,"1","Heartbeat",{}]',
        '\x0c[2,"1","Heartbeat",{}]',
        '[[2,"1","Heartbeat",{}]]',
        '{"a":[2,"1","Heartbeat",{}]}',
        '[6,"1",{}]',
    ],
)
def test_the_head_is_silent_where_readers_could_differ(text: str) -> None:
    """No match sends the message to the strict reader; a match by mistake would send it past every gate."""
    assert HEAD.match(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[2,"1","Reset",{"type":"Hard"}]', Call("1", "Reset", {})),
        ('[6,"1","Reset",', Send("1", "Reset", {})),
        ('[3,"1",{"a":1,"a":2}]', Result("1", {})),
        ('[4,"1","GenericError","x",{}]', Error("1", "", "", {})),
        ('[5,"1","GenericError","x",{}]', ResultError("1", "", "", {})),
    ],
)
def test_a_glance_leaves_out_what_the_head_does_not_say(text: str, message: Message) -> None:
    """Nobody can mistake what was not read for something that was said."""
    head = HEAD.match(text.encode())
    assert head is not None
    assert glance(head) == message


def test_answers_are_compact_and_bounded() -> None:
    """The smallest JSON that says it, in UTF-8."""
    assert result_bytes("1", {"status": "é"}) == '[3,"1",{"status":"é"}]'.encode()
    assert error_bytes("1", "InternalError", "x" * 999) == b'[4,"1","InternalError","' + b"x" * 255 + b'",{}]'


def _refused(message: bytes, fault: str, answered: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        parse(message)
    assert (refused.value.fault, refused.value.message_id) == (fault, answered)


def test_a_message_that_says_a_thing_twice_can_be_said_once() -> None:
    """What is said anew has one reading, and is the message that was meant."""
    anew = canonical(b'[2, "1", "Heartbeat", {"a": "\xc3\xa9", "b": 1.50, "a": "\\u00e9"}]')
    assert anew == b'[2,"1","Heartbeat",{"a":"\xc3\xa9","b":1.5}]'
    assert parse(anew) == Call("1", "Heartbeat", {"a": "é", "b": 1.5})
    for message in (b'[2,"1","A",{"a":1,"a":2}]', b'[2,"1",{"a":1,"a":1}]', b'{"a":1,"a":1}', b"[2"):
        with pytest.raises(MessageRefused):
            canonical(message)
