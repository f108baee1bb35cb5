"""The open calls of one side: what waits, what answers it, and what is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secproxy.calls import OPEN_LIMIT, RESULTS_KEPT, RETRY_SECONDS, Calls


def test_an_answer_closes_the_call_of_its_id_once() -> None:
    """It tells which action was asked for."""
    calls = Calls()
    assert calls.ask(b"1", b"heartbeat", 0.0)
    assert calls.asked(b"1") == b"heartbeat"
    assert calls.answer(b"1") == b"heartbeat"
    assert calls.answer(b"1") is None
    assert calls.asked(b"1") is None


def test_a_call_that_was_never_answered_may_be_repeated_under_its_id() -> None:
    """Not at once: then two calls would wait for one answer. The repetition waits as long as the first did."""
    calls = Calls()
    assert calls.ask(b"1", b"BootNotification", 100.0)
    assert not calls.ask(b"1", b"BootNotification", 100.0 + RETRY_SECONDS - 0.1)
    assert calls.ask(b"1", b"BootNotification", 100.0 + RETRY_SECONDS)
    assert not calls.ask(b"1", b"BootNotification", 100.0 + RETRY_SECONDS + 0.1)


def test_what_waits_is_bounded_and_the_oldest_goes_first() -> None:
    """A peer that never answers makes nothing grow."""
    calls = Calls()
    for number in range(OPEN_LIMIT + 1):
        assert calls.ask(b"%d" % number, b"Heartbeat", 0.0)
    assert calls.answer(b"0") is None
    assert calls.answer(b"1") == b"Heartbeat"


def test_a_result_may_be_objected_to_once_and_soon() -> None:
    """OCPP 2.1: to a result that came, not to an error; what is kept for it is bounded."""
    calls = Calls(objects=True)
    for number in range(RESULTS_KEPT + 2):
        calls.ask(b"%d" % number, b"heartbeat", 0.0)
    assert calls.answer(b"0") == b"heartbeat"
    assert [calls.result(b"%d" % number) for number in range(1, RESULTS_KEPT + 2)] == [b"heartbeat"] * (
        RESULTS_KEPT + 1
    )
    assert calls.result(b"1") is None
    assert [calls.object_to(each) for each in (b"0", b"1", b"2", b"2", b"3")] == [False, False, True, False, True]


def test_where_nobody_objects_no_result_is_kept() -> None:
    """Before OCPP 2.1 a result is the end of its call."""
    calls = Calls()
    calls.ask(b"1", b"heartbeat", 0.0)
    assert calls.result(b"1") == b"heartbeat"
    assert not calls.object_to(b"1")


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.booleans()), max_size=50))
def test_every_answer_that_passes_has_its_own_call(steps: list[tuple[bytes, bool]]) -> None:
    """However calls and answers mingle: never more answers than calls under one id, and never two calls at once."""
    calls, waiting = Calls(), set[bytes]()
    for id_, asks in steps:
        if asks:
            assert calls.ask(id_, b"X", 0.0) is (id_ not in waiting)
            waiting.add(id_)
        else:
            assert (calls.answer(id_) is not None) is (id_ in waiting)
            waiting.discard(id_)
