"""``secproxy.sealed``: a signed message is read as the same words in the clear, or not at all."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.envelope import Call, Message, Result, Send
from secproxy.errors import MessageRefused
from secproxy.plan import small
from secproxy.sealed import READ, open_answer, open_signed, refuse_twice_signed


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
        pytest.param(encoded(b'{"payload":"e30","signature":"x"}'), "signed message itself", id="signed again"),
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


TOLD: dict[str, object] = {"configurationKey": []}
ANSWER = Result("1", {"payload": encoded(json.dumps(TOLD).encode()), "signature": "x"})


@pytest.mark.parametrize("asked", [b"getvariables", b"getconfiguration", b"getvariables-signed"])
def test_a_signed_answer_that_can_tell_a_secret_is_opened(asked: bytes) -> None:
    """By its looks, whether what it answers was signed or not; one in the clear stays as it is."""
    assert open_answer(ANSWER, asked) == Result("1", TOLD)
    clear = Result("1", TOLD)
    assert open_answer(clear, asked) is clear
    with pytest.raises(MessageRefused) as refused:
        open_answer(Result("m-1", {"payload": "e30=", "signatures": []}), asked)
    assert (refused.value.fault, refused.value.message_id) == ("signed", "")


def test_any_other_answer_stays_as_it_is() -> None:
    """Nobody here judges what it says."""
    assert open_answer(ANSWER, b"reset-signed") is ANSWER


@pytest.mark.parametrize("said", [Call, Send])
def test_what_is_signed_twice_by_its_name_is_refused(said: type[Call | Send]) -> None:
    """Whatever it is, and in any case of letters: who unwraps once hears another action than who unwraps to the end."""
    for action in ("Reset-Signed-Signed", "MadeUp-Signed-SIGNED-signed"):
        with pytest.raises(MessageRefused) as refused:
            refuse_twice_signed(said("m-1", action, {}))
        assert refused.value.message_id == ("m-1" if said is Call else "")
    for fine in (said("1", "Reset-Signed", {}), said("1", "-Signed", {}), Result("1", {})):
        refuse_twice_signed(fine)
