"""What we take for an upgrade the websockets library takes with the same meaning; what it alone takes has a reason."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secproxy import head
from secproxy.head import read_request
from tests.fuzz.wire_seeds import UPGRADE
from tests.secproxy.reference import STRICTER, compare_heads, read_as_library

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
NAMES = [
    "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "X-Any",
    "Authorization", "Content-Length", "Transfer-Encoding", "Origin", "Sec-WebSocket-Extensions",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["", "a", "13", "websocket", "WebSocket", "Upgrade", "keep-alive, upgrade", "upgrade,, x ,", ";",
                     "0", "7", "ocpp1.6", "ocpp1.6 , ocpp2.0.1", ",ocpp1.6", "upgrade\xa0", '"upgrade"',
                     "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", "Basic QTpC", "chunked", "\t x \t"]),
    st.text(st.characters(max_codepoint=255), max_size=8),
)  # fmt: skip
CASES: dict[str, Callable[[str], str]] = {"as is": str, "upper": str.upper, "lower": str.lower}
FIELDS = st.builds(
    lambda name, case, colon, value: f"{CASES[case](name)}{colon}{value}".encode("latin-1"),
    st.sampled_from(NAMES), st.sampled_from(sorted(CASES)), st.sampled_from([": ", ":", ":\t ", " : "]), VALUES,
)  # fmt: skip
STARTS = st.sampled_from(
    [b"GET /ocpp/CP-1 HTTP/1.1"] * 6
    + [b"GET /a b HTTP/1.1", b"GET / HTTP/1.0", b"get / HTTP/1.1", b"GET  / HTTP/1.1", b"GET * HTTP/1.1",
       b"GET http://x/y HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET /\xc3 HTTP/1.1", b"GET /a\t HTTP/1.1"]
)  # fmt: skip
ENDS = st.sampled_from([b"\r\n"] * 20 + [b"\n", b"\r", b"\r\n ", b"\r\r\n"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A good upgrade with lines put in, taken out, doubled and shuffled."""
    lines = UPGRADE.split(b"\r\n")[1:-2]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines)))
        lines[at : at + draw(st.integers(0, 1))] = draw(st.lists(FIELDS, max_size=1))
    if draw(st.booleans()):
        lines = draw(st.permutations(lines))
    return b"".join(line + draw(ENDS) for line in [draw(STARTS), *lines]) + b"\r\n"


@settings(max_examples=600)
@given(requests())
def test_what_we_take_the_library_takes_with_the_same_meaning(request: bytes) -> None:
    """Path, key, subprotocols and credentials; and what it alone takes we refuse for a listed reason."""
    assert compare_heads(request) in {"", *STRICTER.values()}


EXAMPLES = {
    "not a GET": UPGRADE.replace(b"Authorization", b"X: \x80\r\nAuthorization").replace(b"CP-001", b"\x7f"),
    "host is": UPGRADE.replace(b"\r\nHost", b"\r\nHost: x\r\nHost"),
    "authorization is": UPGRADE.replace(b"\r\nHost", b"\r\nAuthorization: x\r\nHost"),
    "content-length is": UPGRADE.replace(b"\r\nHost", b"\r\nContent-Length: 0" * 2 + b"\r\nHost"),
    "more than": UPGRADE.replace(b"\r\nHost", b"\r\nX: y" * 100 + b"\r\nHost"),
    "no WebSocket": UPGRADE.replace(b"Host", b"X-Host"),
}


@pytest.mark.parametrize("says", EXAMPLES)
def test_every_listed_reason_is_one(says: str) -> None:
    """For each there is a head that the library takes and we do not; no reason stands there without use."""
    [why] = [reason for start, reason in STRICTER.items() if start.startswith(says)]
    assert compare_heads(EXAMPLES[says]) == why
    assert len(EXAMPLES) == len(STRICTER)


def test_more_headers_than_either_takes_are_refused_by_both() -> None:
    """The library's own bound is an error of another kind than the rest of its refusals; the fuzzer found it."""
    assert compare_heads(UPGRADE.replace(b"\r\nHost", b"\r\nX: y" * 200 + b"\r\nHost")) == ""


def test_a_good_share_of_what_is_tried_is_taken() -> None:
    """The comparison would hold of a reader that refuses everything."""
    counts: Counter[bool] = Counter()

    @settings(max_examples=200, database=None)
    @given(requests())
    def count(request: bytes) -> None:
        counts[read_as_library(request) is not None] += 1

    count()
    assert counts[True] >= 20
    assert counts[False] >= 20


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"Connection: Upgrade, ;", id="no token among the options"),
        pytest.param(b"Connection: Upgrade\r\nConnection:", id="an empty second header"),
        pytest.param(b"Connection: upgrade\xa0", id="a blank of Latin-1, which is none of HTTP's"),
        pytest.param(b"Connection: Upgrade\r\nOrigin: a\r\nOrigin: b", id="two origins"),
    ],
)
def test_what_the_library_would_not_take_is_refused_here(line: bytes) -> None:
    """Each was taken once, and found by the comparison."""
    request = UPGRADE.replace(b"Connection: keep-alive, Upgrade", line)
    with pytest.raises(head.HeadError) as refused:
        read_request(request, 100)
    assert refused.value.status in {400, 426}
    assert read_as_library(request) is None


def test_the_comparison_sees_a_reader_that_is_too_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes any key is found out."""
    monkeypatch.setattr(head, "_require_websocket", lambda _: None)
    with pytest.raises(AssertionError):
        compare_heads(UPGRADE.replace(KEY, b"Sec-WebSocket-Key: x"))
