"""``secproxy.sealed``: a signed message of a station's is read as the same words in the clear, or not at all."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.envelope import Call, Message, Result, Send
from secproxy.errors import MessageRefused
from secproxy.plan import small
from secproxy.sealed import READ, open_signed


def encoded(text: bytes) -> str:
    """Bytes as a JWS writes them."""
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@given(st.dictionaries(st.text(), st.integers(-1000, 1000) | st.text()))
def test_what_was_signed_comes_out_as_it_went_in(payload: dict[str, object]) -> None:
    """Whatever its length makes of the end of the text, and in any case of the action."""
    jws: dict[str, object] = {"payload": encoded(json.dumps(payload).encode()), "protected": "e30", "signature": "x"}
    assert open_signed(Call("1", "BOOTNotification-signed", jws)) == Call("1", "BOOTNotification", payload)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(Call("1", "BootNotification", {"payload": "e30"}), id="in the clear"),
        pytest.param(Call("1", "Heartbeat-Signed", {"payload": "?"}), id="judged by nobody"),
        pytest.param(Call("1", "UpdateFirmware-Signed", {"payload": "?"}), id="refused by its name"),
        pytest.param(Send("1", "BootNotification-Signed", {"payload": "?"}), id="a call that is none"),
        pytest.param(Result("1", {"payload": "?"}), id="an answer"),
    ],
)
def test_everything_else_stays_as_it_is(said: Message) -> None:
    """Only what is judged by what it says is looked into."""
    assert open_signed(said) is said


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param(None, "no payload", id="none"),
        pytest.param(7, "no payload", id="a number"),
        pytest.param("", "no payload", id="empty"),
        pytest.param("e30=", "no payload", id="padded"),
        pytest.param("e3 0", "no payload", id="what some readers skip"),
        pytest.param("e30\n", "no payload", id="an end of line"),
        pytest.param("e30xx", "no payload", id="a letter too many"),
        pytest.param("+/+/", "no payload", id="the other alphabet"),
        pytest.param('{"reason":"PowerUp"}', "no payload", id="not encoded (RFC 7797)"),
        pytest.param(encoded(b"[]"), "not an object", id="a list"),
        pytest.param(encoded(b'{"a":1,"a":2}'), "same key twice", id="ambiguous"),
        pytest.param(encoded(b"{}{}"), "not one JSON value", id="two"),
        pytest.param(encoded(b"\xff"), "UTF-8", id="no text"),
        pytest.param(encoded(b"[" * 100), "deeper", id="too deep"),
    ],
)
@pytest.mark.parametrize("action", sorted(READ))
def test_what_two_readers_could_read_differently_is_refused(action: bytes, written: object, says: str) -> None:
    """It is answered to the caller, whose id stands outside, and never said anew: not even a key that stands twice."""
    call = Call("m-1", f"{action.decode()}-Signed", {"payload": written})
    with pytest.raises(MessageRefused) as refused:
        open_signed(call)

    assert (refused.value.fault, refused.value.message_id) == ("signed", "m-1")
    assert says in str(refused.value.note.evidence["says"])
    assert small(str(refused.value.note.evidence["action"])).removesuffix(b"-signed") == action
