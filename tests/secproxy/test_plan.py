"""The plan: what the session must hear of, how far it must be read, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secproxy.plan import GATED, Need, Needs, Plan, Side, compile_plan, small


def test_every_way_to_update_firmware_is_told() -> None:
    """Also inside a signed message, also by another version's name: the gate must see it (L01, L02, L03)."""
    names = {b"updatefirmware", b"publishfirmware", b"signedupdatefirmware"}
    names |= {name + b"-signed" for name in names}
    assert compile_plan().calls[Side.CSMS] == Needs(dict.fromkeys(names, Need.WHOLE))
    assert GATED[Side.CSMS] == names


def test_a_station_is_heard_when_it_boots_and_when_it_raises_an_alarm() -> None:
    """Signed or not, and when it reports or answers what its settings are. All else goes on after a look at its head,
    and so do all answers of a CSMS."""
    names = (b"bootnotification", b"securityeventnotification", b"notifyreport")
    heard = (*names, *(name + b"-signed" for name in names))
    assert compile_plan().calls[Side.STATION] == Needs(dict.fromkeys(heard, Need.WHOLE))
    asked = (b"getconfiguration", b"getvariables")
    settings = dict.fromkeys((*asked, *(name + b"-signed" for name in asked)), Need.WHOLE)
    assert compile_plan().answers == {Side.STATION: Needs(settings), Side.CSMS: Needs()}


def test_a_wish_is_added_to_what_the_gates_need() -> None:
    """Of calls and of answers, and for all that nobody names; the firmware gate's need is never lowered."""
    calls = {Side.STATION: Needs(rest=Need.HEAD), Side.CSMS: Needs({b"reset": Need.HEAD, b"updatefirmware": Need.PASS})}
    answers = {Side.STATION: Needs({b"getvariables": Need.SCHEMA}), Side.CSMS: Needs()}
    plan = compile_plan(Plan(calls, answers))
    assert plan.calls[Side.CSMS].of(b"updatefirmware") is Need.WHOLE
    assert plan.calls[Side.CSMS].of(b"reset") is Need.HEAD
    assert plan.calls[Side.CSMS].of(b"clearcache") is Need.PASS
    assert plan.calls[Side.STATION].of(b"bootnotification") is Need.WHOLE
    assert plan.calls[Side.STATION].of(b"metervalues") is Need.HEAD
    assert plan.answers[Side.STATION].of(b"getvariables") is Need.SCHEMA


def needs() -> st.SearchStrategy[Needs]:
    """Any wish about a few actions."""
    actions = st.sampled_from([b"reset", b"getlog", b"heartbeat"])
    return st.builds(Needs, st.dictionaries(actions, st.sampled_from(Need)), st.sampled_from(Need))


@given(needs(), needs(), st.sampled_from([b"reset", b"getlog", b"heartbeat", b"nobodys"]))
def test_of_two_wishes_the_greater_counts(one: Needs, other: Needs, action: bytes) -> None:
    """Whoever wishes for less, by naming the action or by leaving it to the rest, takes nothing away."""
    assert (one | other).of(action) is max(one.of(action), other.of(action))


def test_an_action_is_named_in_small_letters() -> None:
    """As the relay looks it up."""
    assert small("UpdateFirmware-Signed") == b"updatefirmware-signed"
