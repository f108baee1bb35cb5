"""Whose transaction is whose: another's is seen where it is known to be another's, and nowhere else; nothing grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy import transactions
from secproxy.calls import OPEN_LIMIT
from secproxy.plan import Need, Side
from secproxy.transactions import EVENT, METER, START, STOP, Said, Transactions, Watch, wish

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def event(name: object, number: object = 0, **more: object) -> dict[str, object]:
    """A TransactionEvent of 2.x."""
    return {"eventType": "Updated", "seqNo": number, "transactionInfo": {"transactionId": name}, **more}


def begin(known: Transactions, identity: str, number: int, *, at: str = "2026-06-01T12:00:00Z") -> str:
    """A transaction of 1.6 begins: the station asks, the CSMS answers with an id."""
    session = known.open_session()
    said = known.hear(identity, session, START, {"connectorId": 1, "timestamp": at})
    known.answered(identity, said.key)
    return known.given(identity, {"transactionId": number, "idTagInfo": {"status": "Accepted"}})


@pytest.mark.parametrize("action", [STOP, METER])
def test_attack_31_another_s_transaction_is_seen(action: bytes) -> None:
    """CVE-2026-28230: an id that the CSMS gave to one station is spoken of by another."""
    known = Transactions()
    begin(known, "CP-001", 7)

    assert known.hear("CP-002", 9, action, {"transactionId": 7}).owner == "CP-001"
    assert known.hear("CP-001", 9, action, {"transactionId": 7}).owner == ""


@pytest.mark.parametrize(
    "payload", [{"transactionId": 8}, {"transactionId": "7"}, {"transactionId": True}, {"transactionId": None}, {}]
)
def test_an_id_nobody_was_seen_to_get_is_nobody_s(payload: dict[str, object]) -> None:
    """It may have been given before this worker was started, or by way of another; and what is no id is none."""
    known = Transactions()
    begin(known, "CP-001", 7)

    assert known.hear("CP-002", 9, STOP, payload).owner == ""


def test_a_csms_that_numbers_for_each_station_is_found_out_and_never_hindered() -> None:
    """The same id for two stations whose transactions both run: told once; both stop theirs, and so may any third."""
    known = Transactions()
    assert begin(known, "CP-001", 1) == ""
    assert begin(known, "CP-002", 1) == "CP-001"
    assert begin(known, "CP-003", 1) == ""

    assert known.by_station
    assert [known.hear(f"CP-00{n}", 9, STOP, {"transactionId": 1}).owner for n in (1, 2, 3, 4)] == [""] * 4


def test_an_id_that_is_given_again_after_its_transaction_ended_is_the_new_owner_s() -> None:
    """A CSMS may be installed anew and count from one; that alone says nothing of how it numbers."""
    known = Transactions()
    begin(known, "CP-001", 1)
    known.hear("CP-001", 1, STOP, {"transactionId": 1})

    assert begin(known, "CP-002", 1) == ""
    assert not known.by_station
    assert known.hear("CP-003", 9, STOP, {"transactionId": 1}).owner == "CP-002"


@pytest.mark.parametrize(("name", "owner"), [(UUID, "CP-001"), (UUID.replace("-", ""), "CP-001"), ("17", "")])
def test_in_2_x_only_a_name_that_cannot_be_chance_is_somebody_s(name: str, owner: str) -> None:
    """E01: stations name transactions; two of them may both say 17, but not the same UUID."""
    known = Transactions()
    known.hear("CP-001", 1, EVENT, event(name))

    assert known.hear("CP-002", 2, EVENT, event(name, 1)).owner == owner
    assert known.hear("CP-001", 1, EVENT, event(name, 1)).owner == ""


def test_the_numbering_of_1_6_says_nothing_of_names_in_2_x() -> None:
    """One CSMS may serve both, and number the former for each station."""
    known = Transactions()
    begin(known, "CP-001", 1)
    begin(known, "CP-002", 1)
    known.hear("CP-003", 1, EVENT, event(UUID))

    assert known.hear("CP-004", 2, EVENT, event(UUID)).owner == "CP-003"


MESSAGES = [
    (START, {"connectorId": 1, "idTag": "A", "timestamp": "2026-06-01T12:00:00Z"}),
    (STOP, {"transactionId": 7, "meterStop": 100}),
    (EVENT, event(UUID, 3)),
    (EVENT, event("17", 3)),
]


@pytest.mark.parametrize(("action", "payload"), MESSAGES)
@pytest.mark.parametrize(
    ("answered", "again", "repeats"),
    [(True, 2, True), (True, 1, False), (False, 2, False)],
    ids=["answered, in a new session", "in the same session", "never answered"],
)
def test_attack_30_what_was_answered_and_comes_again_in_a_new_session_is_seen(
    action: bytes, payload: dict[str, object], answered: bool, again: int, repeats: bool
) -> None:
    """What was not answered is repeated rightly: so offline stations do."""
    known = Transactions()
    first = known.hear("CP-001", 1, action, payload)
    if answered:
        known.answered("CP-001", first.key)

    assert known.hear("CP-001", again, action, payload).repeats is repeats
    assert not known.hear("CP-002", again, START, {"other": 1}).repeats


def test_a_repetition_that_says_something_else_is_told_apart() -> None:
    """The same place in the same transaction with another meter value is no lost answer."""
    known = Transactions()
    for session, value, changed in ((1, 5, False), (2, 5, False), (3, 6, True)):
        said = known.hear("CP-001", session, EVENT, event(UUID, 3, meter=value))
        assert (said.repeats, said.changed) == (session > 1, changed)
        known.answered("CP-001", said.key)


def test_a_refused_message_is_not_remembered_as_told() -> None:
    """Else a stranger's message would make the owner's own look like a repetition."""
    known = Transactions()
    begin(known, "CP-001", 7)

    assert known.hear("CP-002", 9, STOP, {"transactionId": 7}) == Said("7", "CP-001", repeats=False)
    assert known._stations["CP-002"].told == {}


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 60), st.text(max_size=40), st.just({}), st.just([]))
STEPS = st.tuples(
    st.integers(0, 6), st.sampled_from([START, STOP, EVENT, METER]), VALUES, st.booleans(), st.integers(0, 90)
)


@given(st.lists(STEPS, max_size=120))
def test_whatever_is_said_nothing_grows_and_everything_fits_together(
    steps: list[tuple[int, bytes, object, bool, int]],
) -> None:
    """The bounds hold, every owner has what it owns, and nobody is called a stranger to what is its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "STATIONS_LIMIT", 4)
        patch.setattr(transactions, "IDS_LIMIT", 3)
        patch.setattr(transactions, "TOLD_LIMIT", 5)
        known = Transactions()
        for station, action, value, answers, number in steps:
            identity = f"CP-{station}"
            payload = event(value, number) if action == EVENT else {"transactionId": value, "n": number}
            said = known.hear(identity, number, action, payload)
            assert said.owner != identity
            if answers:
                known.answered(identity, said.key)
                known.given(identity, {"transactionId": value})
        assert len(known._stations) <= 4
        assert all(len(each.runs) <= 3 and len(each.told) <= 5 for each in known._stations.values())
        assert all(name in known._stations[owner].runs for name, owner in known._owners.items())


def test_a_watch_keeps_no_more_calls_than_may_wait() -> None:
    """A CSMS that never answers makes nothing grow; an answer to what was never asked says nothing."""
    watch = Watch(Transactions(), "CP-001", refuses=True)
    for number in range(OPEN_LIMIT + 100):
        watch.hear(str(number), START, {"n": number})

    assert len(watch._asked) == OPEN_LIMIT
    assert watch.answered("never", STOP, {}) == ""


def test_meter_values_are_read_only_where_they_can_be_refused() -> None:
    """They are most of what stations say."""
    for unique in (True, False):
        plan = wish(unique=unique)
        assert plan.calls[Side.STATION].of(METER) is (Need.WHOLE if unique else Need.PASS)
        assert plan.calls[Side.STATION].of(STOP) is Need.WHOLE
        assert plan.answers[Side.CSMS].of(START) is Need.WHOLE


def test_a_station_of_2_x_cannot_take_a_number_that_the_csms_gave() -> None:
    """It may name its transactions as it likes; by a short name nothing becomes its own, nor is the CSMS misjudged."""
    known = Transactions()
    begin(known, "CP-001", 7)
    for number in range(20):
        known.hear("CP-002", 1, EVENT, event(str(number)))
    assert begin(known, "CP-003", 8) == ""

    assert not known.by_station
    assert known.hear("CP-004", 9, STOP, {"transactionId": 7}).owner == "CP-001"


def heir_of(before: Transactions, after: Transactions | None = None) -> Transactions:
    """One that was told all that another knows."""
    after = after or Transactions()
    after.by_station = after.by_station or before.by_station
    for identity in before.stations():
        after.inherit(identity, before.of(identity))
    return after


def test_attack_31_what_is_another_s_still_is_for_who_takes_over() -> None:
    """Those that run and those that have ended; its own station goes on with them."""
    before = Transactions()
    begin(before, "CP-001", 7)
    begin(before, "CP-001", 8)
    before.hear("CP-001", 1, STOP, {"transactionId": 8})
    before.hear("CP-002", 1, EVENT, event(UUID))
    after = heir_of(before)

    assert [after.hear("CP-003", 1, STOP, {"transactionId": each}).owner for each in (7, 8)] == ["CP-001"] * 2
    assert after.hear("CP-003", 1, EVENT, event(UUID, 1)).owner == "CP-002"
    assert after.hear("CP-001", 1, STOP, {"transactionId": 7}).owner == ""
    assert after.of("CP-001") == {"7": False, "8": False}


def test_a_csms_that_numbers_for_each_station_is_known_to_who_takes_over() -> None:
    """By what was seen before, or by what two workers saw each; nobody's own transaction is refused."""
    one, other = Transactions(), Transactions()
    begin(one, "CP-001", 1)
    begin(other, "CP-002", 1)
    for found in (heir_of(other, heir_of(one)), heir_of(heir_of(other, heir_of(one)))):
        assert found.by_station
        assert [found.hear(f"CP-00{n}", 9, STOP, {"transactionId": 1}).owner for n in (1, 2, 3)] == [""] * 3


def test_what_was_known_before_comes_before_what_was_said_meanwhile() -> None:
    """Who names another's transaction before it is known does not keep it; a number goes to whom it was given."""
    before, after = Transactions(), Transactions()
    before.hear("CP-001", 1, EVENT, event(UUID))
    begin(before, "CP-001", 7)
    before.hear("CP-001", 1, STOP, {"transactionId": 7})
    after.hear("CP-002", 1, EVENT, event(UUID))
    begin(after, "CP-003", 7)
    heir_of(before, after)

    assert after.hear("CP-002", 1, EVENT, event(UUID, 1)).owner == "CP-001"
    assert after.hear("CP-004", 1, STOP, {"transactionId": 7}).owner == "CP-003"
    assert not after.by_station


def test_what_is_learned_is_told_once() -> None:
    """A transaction that begins, or ends; not each message of it."""
    known, told = Transactions(), list[str]()
    known.changed = told.append
    begin(known, "CP-001", 7)
    known.hear("CP-001", 1, METER, {"transactionId": 7})
    for _ in range(3):
        known.hear("CP-001", 1, STOP, {"transactionId": 7})
        known.hear("CP-002", 1, EVENT, event(UUID))
        known.hear("CP-003", 1, STOP, {"transactionId": 7})

    assert told == ["CP-001", "CP-001", "CP-002"]


RUNS = st.dictionaries(st.sampled_from(["1", "2", "17", UUID, UUID[::-1], "x" * 99]), st.booleans())


@given(st.lists(st.tuples(st.integers(0, 6), RUNS), max_size=30), st.lists(STEPS, max_size=30))
def test_whatever_is_taken_in_the_bounds_hold(
    taken: list[tuple[int, dict[str, bool]]], steps: list[tuple[int, bytes, object, bool, int]]
) -> None:
    """Between what is said, and of whatever a worker tells that was taken over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "STATIONS_LIMIT", 4)
        patch.setattr(transactions, "IDS_LIMIT", 3)
        known = Transactions()
        for place, (station, action, value, _, number) in enumerate(steps):
            for heir, runs in taken[place::30]:
                known.inherit(f"CP-{heir}", runs)
            payload = event(value, number) if action == EVENT else {"transactionId": value, "n": number}
            assert known.hear(f"CP-{station}", number, action, payload).owner != f"CP-{station}"
            known.given(f"CP-{station}", {"transactionId": value})
        assert len(known._stations) <= 4
        assert all(len(each.runs) <= 3 for each in known._stations.values())
        assert all(name in known._stations[owner].runs for name, owner in known._owners.items())
