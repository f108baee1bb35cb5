"""The upgrade's head is read strictly and written from scratch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.headers import parse_subprotocol
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.uri import parse_uri
from websockets.utils import accept_key

from secproxy.head import (
    HeadError,
    Upgrade,
    read_request,
    read_response,
    write_acceptance,
    write_refusal,
    write_request,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = (
    b"GET /ocpp/CP-001 HTTP/1.1\r\nHost: csms.example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6\r\nAuthorization: Basic QTpC\r\n\r\n"
)


def test_an_ordinary_upgrade_is_read_whole() -> None:
    """Target, key, subprotocols in the station's order, and the credentials as they came."""
    assert Upgrade("/ocpp/CP-001", KEY, ("ocpp2.0.1", "ocpp1.6"), "Basic QTpC") == read_request(GOOD, 100)


@pytest.mark.parametrize("value", [b"ocpp2.0.1,ocpp1.6", b" ,ocpp2.0.1,, ocpp1.6 , "])
def test_empty_items_of_a_list_are_passed_over(value: bytes) -> None:
    """RFC 9110 5.6.1.2: a list that is put together carelessly names what it names."""
    head = GOOD.replace(b" ocpp2.0.1, ocpp1.6", value)
    assert read_request(head, 100).subprotocols == ("ocpp2.0.1", "ocpp1.6")


@pytest.mark.parametrize("value", [b"", b" ,", b'"ocpp1.6"', b"ocpp1.6;q=1", b"ocpp 1.6"])
def test_a_list_without_a_name_or_with_something_else_is_refused(value: bytes) -> None:
    """RFC 6455 11.3.4: names, one at least."""
    with pytest.raises(HeadError) as refused:
        read_request(GOOD.replace(b" ocpp2.0.1, ocpp1.6", value), 100)
    assert refused.value.status == 400


def test_the_library_s_own_client_is_understood() -> None:
    """What the websockets client sends is an upgrade to us."""
    protocol = ClientProtocol(parse_uri("ws://csms.example.org/ocpp/CP-1"))
    request = protocol.connect()

    assert read_request(request.serialize(), 100).target == "/ocpp/CP-1"


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        pytest.param(b"Host: csms.example.org\r\n", b"", 426, id="no host"),
        pytest.param(b"Upgrade: websocket\r\n", b"", 426, id="no upgrade"),
        pytest.param(b"keep-alive, Upgrade", b"keep-alive", 426, id="connection does not say upgrade"),
        pytest.param(b"Version: 13", b"Version: 12", 426, id="another version"),
        pytest.param(KEY.encode(), b"c2hvcnQ=", 400, id="a key that is not 16 bytes"),
        pytest.param(b"GET", b"POST", 400, id="not GET"),
        pytest.param(b"HTTP/1.1", b"HTTP/1.0", 400, id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nHost: other\r\n", 400, id="two hosts"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nAuthorization: Basic QTpD\r\n", 400, id="two credentials"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nContent-Length: 5\r\n", 400, id="a body"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 400, id="a chunked body"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX: a\nY: b\r\n", 400, id="a bare line feed"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX: a\rY: b\r\n", 400, id="a bare carriage return"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX: a\r\n folded\r\n", 400, id="a folded line"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX: a\0b\r\n", 400, id="a NUL"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX : a\r\n", 400, id="a blank before the colon"),
        pytest.param(b"HTTP/1.1\r\n", b"HTTP/1.1\r\n" + b"X: a\r\n" * 101, 431, id="too many headers"),
        pytest.param(b"/ocpp/CP-001", b"/ocpp/CP 001", 400, id="a blank in the target"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(old: bytes, new: bytes, status: int) -> None:
    """Each trick gets the status that fits, and nothing is guessed."""
    with pytest.raises(HeadError) as refused:
        read_request(GOOD.replace(old, new, 1), 100)

    assert status == refused.value.status


LINES = st.lists(
    st.sampled_from(
        [
            b"Host: a",
            b"Host:b",
            b"Upgrade: websocket",
            b"Upgrade: h2c, websocket",
            b"Connection: Upgrade",
            b"connection: keep-alive ,upgrade\t",
            b"Sec-WebSocket-Key: " + KEY.encode(),
            b"Sec-WebSocket-Key: x",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Protocol: ocpp1.6 , ocpp2.0.1",
            b"Sec-WebSocket-Protocol:",
            b"Content-Length: 0",
            b"Content-Length: 7",
            b" folded",
            b"X : y",
            b"X\0: y",
            b"Authorization: Basic \xff",
            b"X: a\nY: b",
            b"X: a\rY: b",
            b": empty",
            b"no colon",
        ]
    ),
    min_size=3,
    max_size=9,
)


@given(LINES, st.sampled_from([b"GET /ocpp/CP-1 HTTP/1.1", b"GET /a b HTTP/1.1", b"GET / HTTP/1.0", b"get / HTTP/1.1"]))
def test_what_we_read_the_library_reads_alike(lines: list[bytes], start: bytes) -> None:
    """A head that passes here means the same to the websockets library; no head is read in a way of our own."""
    head = b"\r\n".join([start, *lines]) + b"\r\n\r\n"
    try:
        ours = read_request(head, 100)
    except HeadError:
        return
    reader = StreamReader()
    reader.feed_data(head)
    parser = Request.parse(reader.read_line)
    with pytest.raises(StopIteration) as done:
        next(parser)
    theirs: Request = done.value.value

    assert (ours.target, ours.key) == (theirs.path, theirs.headers["Sec-WebSocket-Key"])
    assert ours.authorization == theirs.headers.get("Authorization")
    assert list(ours.subprotocols) == [
        name for value in theirs.headers.get_all("Sec-WebSocket-Protocol") for name in parse_subprotocol(value)
    ]
    assert ServerProtocol(subprotocols=None).accept(theirs).status_code == 101


@given(st.binary(max_size=400))
def test_noise_is_refused_and_nothing_else_is_raised(noise: bytes) -> None:
    """Whatever the bytes, the error is ours and carries a status."""
    with pytest.raises(HeadError) as refused:
        read_request(noise + b"\r\n\r\n", 100)

    assert refused.value.status in {400, 426, 431}


def test_our_request_to_the_csms_is_what_we_would_accept() -> None:
    """Writing and reading are each other's inverse."""
    written = write_request("csms:9000", "/ocpp/CP-001", KEY, ["ocpp1.6"], [("X-Forwarded-For", "192.0.2.1")])

    assert Upgrade("/ocpp/CP-001", KEY, ("ocpp1.6",), None) == read_request(written, 100)
    assert b"X-Forwarded-For: 192.0.2.1\r\n" in written


def test_a_line_break_never_reaches_the_csms() -> None:
    """A header with a line break would be two headers."""
    with pytest.raises(ValueError, match="line break"):
        write_request("csms", "/x", KEY, ["ocpp1.6"], [("Authorization", "Basic A\r\nX-Admin: yes")])


def test_the_subprotocol_the_csms_chose_is_returned() -> None:
    """The 101 we write is the 101 we read."""
    assert read_response(write_acceptance(KEY, "ocpp1.6"), KEY, ["ocpp2.0.1", "ocpp1.6"]) == "ocpp1.6"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(write_acceptance("x" * 22 + "==", "ocpp1.6"), id="accepted for another key"),
        pytest.param(write_acceptance(KEY, "ocpp2.1"), id="a subprotocol nobody offered"),
        pytest.param(
            write_acceptance(KEY, "ocpp1.6").replace(b"Upgrade: w", b"Sec-WebSocket-Extensions: x\r\nUpgrade: w"),
            id="an extension nobody offered",
        ),
        pytest.param(write_refusal(403), id="refused"),
        pytest.param(
            f"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: {accept_key(KEY)}\r\n\r\n".encode(), id="no subprotocol"
        ),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="not HTTP"),
    ],
)
def test_an_answer_of_the_csms_that_does_not_fit_is_refused(answer: bytes) -> None:
    """The station never gets a 101 on the strength of such an answer."""
    with pytest.raises(HeadError) as refused:
        read_response(answer, KEY, ["ocpp1.6"])

    assert refused.value.status == 502


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"ocpp1.6", b"ocpp2.1", "the CSMS chose subprotocol 'ocpp2.1', which was not offered"),
        (b"Sec-WebSocket-Protocol: ocpp1.6\r\n", b"", "the CSMS speaks none of ocpp1.6: it chose no subprotocol"),
        (
            b"Upgrade: w",
            b"Sec-WebSocket-Extensions: permessage-deflate\r\nUpgrade: w",
            "the CSMS answered with the extension 'permessage-deflate', which was not offered",
        ),
    ],
)
def test_it_is_said_what_about_the_answer_does_not_fit(old: bytes, new: bytes, says: str) -> None:
    """Whoever reads the event knows what to change at the CSMS."""
    with pytest.raises(HeadError) as refused:
        read_response(write_acceptance(KEY, "ocpp1.6").replace(old, new), KEY, ["ocpp1.6"])

    assert refused.value.says == says


def test_refusals_differ_in_nothing_but_status_and_challenge() -> None:
    """Same status, same bytes, whatever the cause; a 401 asks for Basic (OCTT TC_A_02, TC_A_03)."""
    assert write_refusal(403) == write_refusal(403)
    assert b'WWW-Authenticate: Basic realm="ocpp"' in write_refusal(401, challenge=True)
    assert b"Retry-After: 10" in write_refusal(503, retry_after=10)


def test_extensions_are_put_together_and_answered_only_where_agreed() -> None:
    """A list in several lines is one list (RFC 6455 9.1)."""
    lines = b"Upgrade: websocket\r\nSec-WebSocket-Extensions: a; b\r\nSec-WebSocket-Extensions: c\r\n"
    assert read_request(GOOD.replace(b"Upgrade: websocket\r\n", lines), 100).extensions == "a; b, c"
    assert read_request(GOOD, 100).extensions == ""
    assert b"Extensions" not in write_acceptance(KEY, "ocpp1.6")
    assert b"\r\nSec-WebSocket-Extensions: a; b\r\n" in write_acceptance(KEY, "ocpp1.6", "a; b")
