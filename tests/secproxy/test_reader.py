"""JSON read quickly is JSON read slowly: no text means one thing here and another there."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secproxy import reader
from secproxy.reader import DEPTH_LIMIT, UnreadableError, glance, is_within, read, read_merging

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6)
KEYS = st.sampled_from(["a", "b", ":", '":', "\\", "é", " :"]) | st.text(max_size=3)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
PIECES = st.lists(
    st.sampled_from(
        [
            "{", "}", "[", "]", ",", ":", '"', '"a"', '"a":', '"a" :', '":b"', '"b":', "1", "-0", "1.50", "1e999",
            "01", "9" * 19, "9" * 18, "0." + "1" * 70, "NaN", "null", "true", "\\", "\\u003a", '"\\u0061":',
            '"\\ud800"', '"\\/"', '"\\":"', " ", "\n", "\t", "\x0c", "\x00", "\ufeff", "é", "/**/", "'",
        ]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@st.composite
def _spoiled(draw: st.DrawFn) -> str:
    """JSON as somebody might write it, with perhaps a piece put in, taken out, or said twice."""
    value = draw(VALUES)
    gap = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
    text = json.dumps(value, separators=gap, ensure_ascii=draw(st.booleans()))
    start, stop = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    return text[:stop] + draw(st.sampled_from(["", text[start:stop], draw(PIECES)])) + text[stop:]


def _slowly(text: bytes) -> str:
    try:
        return repr(reader.read_slowly(text))
    except UnreadableError as refused:
        return refused.name


def _quickly(text: bytes) -> str:
    try:
        return repr(read(text))
    except UnreadableError as refused:
        return refused.name


@given((_spoiled() | PIECES).map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=30))
@example(b'{"a" :1,"a":2}')
@example(b'{"a" :1,"a":":2"}')
@example(b'{"a":1,"a":"\\u003a2"}')
@example(b'{"a":" :","a" :1}')
@example(b'{"\\u0061":1,"a":":x"}')
@example(b"[" * 31 + b"{}" + b"]" * 31)
@example(b"[" * 32 + b"{}" + b"]" * 32)
@example(b"[" + b"{}," * 40 + b"[" * 31 + b"]" * 32)
@example(b"[" + b"{}," * 40 + b"[" * 32 + b"]" * 33)
@example(b"1" * 5_000)
def test_attack_26_what_is_read_quickly_is_what_is_read_slowly(text: bytes) -> None:
    """Both ways give the same value, down to its types, or refuse for the same reason."""
    assert _quickly(text) == _slowly(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a":1,"a":2}', "a key twice"),
        ('{"a" :1,"a":2}', "a gap that would hide one of the two"),
        ('{"a":1,"a":":"}', "a text like a member, lost with its key"),
        ('{"a":1,"\\u0061":2}', "a key twice in two spellings"),
        ('{"a":"\\u003a"}', "an escape by number"),
        ('{"a": 1}', "white space"),
        ('{"a":1.50}', "a number that has another form"),
        ('{"a":"\\/"}', "an escape that need not be"),
        ("[1", "it has no end"),
        ("[1]]", "it goes on after its end"),
    ],
)
def test_a_glance_answers_for_nothing_doubtful(text: str, why: str) -> None:
    """What it cannot show to be unambiguous is left to the slow way."""
    assert glance(text.encode()) is None, why


@pytest.mark.parametrize(
    "text", ['{"a":1}', '{"a":1.5,"b":[]}', '{"a":"\\n\\"\\\\"}', '[2,"1","Heartbeat",{}]', '{"a":"é:\\u0001"}', "{}"]
)
def test_ordinary_texts_are_read_at_a_glance(text: str) -> None:
    """What is written without white space costs no slow reading, or every message would."""
    assert glance(text.encode()) == json.loads(text)


def test_a_value_is_within_bounds_by_its_numbers_and_its_depth() -> None:
    """Nineteen digits may not fit into 64 bits; many brackets are no depth."""
    assert is_within(b"[999999999999999999]", [999_999_999_999_999_999])
    assert not is_within(b"[9999999999999999999]", [9_999_999_999_999_999_999])
    wide: object = [[]] * 100
    assert is_within(json.dumps(wide).encode(), wide)
    deep: object = 1
    for _ in range(DEPTH_LIMIT):
        deep = [deep]
    assert is_within(json.dumps(deep).encode(), deep)
    assert not is_within(json.dumps([deep]).encode(), [deep])
    assert not is_within(json.dumps(deep).encode(), deep, DEPTH_LIMIT - 1)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"a":1,"a":1}', {"a": 1}),
        ('{"a":{"b":1,"c":[2]},"x":0,"a":{"c":[2],"b":1}}', {"a": {"b": 1, "c": [2]}, "x": 0}),
        ('{"a":1,"\\u0061":1}', {"a": 1}),
        ('{"a":1e2,"a":100.0}', {"a": 100.0}),
        ('{"a":{"b":1,"b":1},"a":{"b":1}}', {"a": {"b": 1}}),
    ],
)
def test_a_key_that_stands_twice_with_one_value_has_one_meaning(text: str, meant: object) -> None:
    """Whichever of the two a reader keeps."""
    assert repr(read_merging(text.encode())) == repr(meant)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a":1,"a":2}', "duplicate"),
        ('{"a":1,"a":1.0}', "duplicate"),
        ('{"a":1,"a":true}', "duplicate"),
        ('{"a":"1","a":1}', "duplicate"),
        ('{"a":{"b":1},"a":{"b":2}}', "duplicate"),
        ('{"a":[1,2],"a":[2,1]}', "duplicate"),
        ('{"a":1,"a":1,"a":2}', "duplicate"),
        ('{"a":"\\ud800","a":"\\ud800"}', "surrogate"),
        ('{"a":1e999,"a":1e999}', "number"),
        ('{"a":9223372036854775808}', "number"),
    ],
)
def test_attack_26_what_has_no_safe_meaning_is_refused_all_the_same(text: str, fault: str) -> None:
    """Two values leave a choice; half a character and a number that is rounded have no meaning to keep."""
    with pytest.raises(UnreadableError) as refused:
        read_merging(text.encode())
    assert refused.value.name == fault
