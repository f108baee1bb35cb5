"""One live connection for each station, told as conversations between workers and supervisor."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from secproxy.claims import (
    FREEZE_SECONDS,
    REPLACED_AT_ONCE,
    Claims,
    Deny,
    Drop,
    Fact,
    Grant,
    Probe,
    Probed,
    Released,
    Wanted,
    WorkerGone,
)
from tests.play import play

KEY, OTHER = b"k" * 32, b"o" * 32
BOTH = {"connected": "6b" * 8, "refused": "6f" * 8}
CP = "CP-001"


def test_a_free_station_is_granted_at_once() -> None:
    """Nobody holds it, so nobody is asked; each leg has a number of its own."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 10, "CP-002", KEY), [Grant(2, 10, leg=2)]),
    )


def test_attack_03_another_credential_cannot_take_a_live_station_away() -> None:
    """Not even a sign of life is asked for: the holder proved itself otherwise. The event names both credentials."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 20, CP, OTHER), [Deny(2, 20, "session.duplicate", BOTH)]),
    )


def test_attack_03_a_live_holder_keeps_its_place() -> None:
    """The same credential makes the supervisor ask; an answer decides for the one who is there."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 20, CP, KEY), [Probe(1, leg=1)]),
        (Probed(CP, 1, alive=True), [Deny(2, 20, "session.duplicate")]),
        (Wanted(2, 21, CP, KEY), [Probe(1, leg=1)]),
    )


def test_a_dead_holder_makes_room_for_its_successor() -> None:
    """A station that lost its network comes back without waiting for time-outs."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(1, 11, CP, KEY), [Probe(1, leg=1)]),
        (Probed(CP, 1, alive=False), [Drop(1, leg=1), Grant(1, 11, leg=2)]),
    )


def test_attack_04_the_dying_connection_cannot_free_its_replacement() -> None:
    """The release of the old leg, or a late answer about it, says nothing about the new one."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 20, CP, KEY), [Probe(1, leg=1)]),
        (Probed(CP, 1, alive=False), [Drop(1, leg=1), Grant(2, 20, leg=2)]),
        (Released(1, 1), []),
        (Probed(CP, 1, alive=False), []),
        (Wanted(3, 30, CP, OTHER), [Deny(3, 30, "session.duplicate", BOTH)]),
    )


def test_attack_04_nor_when_both_are_the_same_workers() -> None:
    """The number of the leg decides, not who speaks of it."""
    claims = Claims()
    play(
        claims,
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(1, 11, CP, KEY), [Probe(1, leg=1)]),
        (Probed(CP, 1, alive=False), [Drop(1, leg=1), Grant(1, 11, leg=2)]),
        (Released(1, 1), []),
        (Wanted(2, 20, CP, OTHER), [Deny(2, 20, "session.duplicate", BOTH)]),
    )
    assert (claims.holder_of(1), claims.holder_of(2)) == (None, 1)


def test_one_newcomer_waits_and_the_others_are_turned_away() -> None:
    """The queue has one place, so a flood of copies costs nothing."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 20, CP, KEY), [Probe(1, leg=1)]),
        (Wanted(3, 30, CP, KEY), [Deny(3, 30, "session.duplicate")]),
        (Released(1, 1), [Grant(2, 20, leg=2)]),
    )


def test_a_worker_cannot_release_what_another_holds() -> None:
    """A release counts only from the leg's own worker."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Released(2, 1), []),
        (Wanted(2, 20, CP, OTHER), [Deny(2, 20, "session.duplicate", BOTH)]),
    )


def test_a_worker_that_died_frees_its_stations_and_forgets_its_wishes() -> None:
    """Its legs go to who waits; what it waited for itself is granted to nobody."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 20, "CP-002", KEY), [Grant(2, 20, leg=2)]),
        (Wanted(2, 21, CP, KEY), [Probe(1, leg=1)]),
        (Wanted(1, 11, "CP-002", KEY), [Probe(2, leg=2)]),
        (WorkerGone(1), [Grant(2, 21, leg=3)]),
        (Released(2, 2), []),
        (WorkerGone(2), []),
        (Wanted(3, 30, CP, OTHER), [Grant(3, 30, leg=4)]),
    )


def taken_over(claims: Claims, times: int, now: float) -> int:
    """Have a station's dead connection replaced so often; return the leg that is held then."""
    claims.tell(Wanted(1, 1, CP, KEY), now)
    leg = 1
    for _ in range(times):
        assert claims.tell(Wanted(1, 1, CP, KEY), now) == [Probe(1, leg)]
        assert claims.tell(Probed(CP, leg, alive=False), now) == [Drop(1, leg), Grant(1, 1, leg + 1)]
        leg += 1
    return leg


def test_attack_05_two_devices_that_fight_are_frozen_and_whoever_is_there_stays() -> None:
    """After a few changes newcomers are turned away unasked: told once, then like any second connection."""
    claims = Claims()
    taken_over(claims, REPLACED_AT_ONCE + 1, 0.0)
    answers = [claims.tell(Wanted(2, ticket, CP, KEY), 1.0) for ticket in range(3)]

    assert [order.cause for (order,) in answers if isinstance(order, Deny)] == [
        "session.flapping",
        "session.duplicate",
        "session.duplicate",
    ]


def test_attack_05_a_frozen_station_thaws_when_it_was_calm_for_a_while() -> None:
    """The holder is asked for a sign of life again; trying meanwhile makes it no longer."""
    claims = Claims()
    leg = taken_over(claims, REPLACED_AT_ONCE + 1, 0.0)
    for ticket in range(100):
        assert isinstance(claims.tell(Wanted(2, ticket, CP, KEY), FREEZE_SECONDS - 1)[0], Deny)

    assert claims.tell(Wanted(2, 100, CP, KEY), FREEZE_SECONDS) == [Probe(1, leg)]


def test_attack_05_a_frozen_station_that_hung_up_is_free() -> None:
    """A freeze protects who is there; where nobody is, it locks nobody out."""
    claims = Claims()
    leg = taken_over(claims, REPLACED_AT_ONCE + 1, 0.0)
    claims.tell(Released(1, leg), 1.0)

    assert claims.tell(Wanted(2, 9, CP, KEY), 1.0) == [Grant(2, 9, leg + 1)]


def test_attack_05_other_stations_and_a_bad_line_are_left_alone() -> None:
    """One replacement a minute for an hour freezes nothing, nor does one station's unrest touch another."""
    claims = Claims()
    taken_over(claims, REPLACED_AT_ONCE + 1, 0.0)
    assert isinstance(claims.tell(Wanted(1, 5, "CP-002", KEY), 1.0)[0], Grant)
    slow, leg = Claims(), 1
    slow.tell(Wanted(1, 1, CP, KEY), 0.0)
    for minute in range(60):
        assert slow.tell(Wanted(1, 1, CP, KEY), minute * 60.0) == [Probe(1, leg)]
        leg += len(slow.tell(Probed(CP, leg, alive=False), minute * 60.0)) - 1


class Workers(RuleBasedStateMachine):
    """Any order of facts; what was granted and not yet ended is counted beside."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = Claims()
        self.tickets: dict[tuple[int, int], str] = {}  # wished for and not yet answered
        self.live: dict[int, tuple[int, str]] = {}  # leg to worker and identity
        self.next_ticket = 1
        self.last_leg = 0
        self.now = 0.0

    @rule(worker=st.integers(1, 3), name=st.sampled_from("AB"), key=st.sampled_from([KEY, OTHER]))
    def want(self, worker: int, name: str, key: bytes) -> None:
        ticket, self.next_ticket = self.next_ticket, self.next_ticket + 1
        self.tickets[worker, ticket] = name
        self.tell(Wanted(worker, ticket, name, key))

    @rule(name=st.sampled_from("AB"), back=st.integers(0, 2), alive=st.booleans())
    def probed(self, name: str, back: int, alive: bool) -> None:
        self.tell(Probed(name, self.last_leg - back, alive))

    @rule(worker=st.integers(1, 3), back=st.integers(0, 2))
    def release(self, worker: int, back: int) -> None:
        leg = self.last_leg - back
        if self.live.get(leg, (0, ""))[0] == worker:
            del self.live[leg]
        self.tell(Released(worker, leg))

    @rule(worker=st.integers(1, 3))
    def die(self, worker: int) -> None:
        self.live = {leg: held for leg, held in self.live.items() if held[0] != worker}
        self.tickets = {wish: name for wish, name in self.tickets.items() if wish[0] != worker}
        self.tell(WorkerGone(worker))

    def tell(self, fact: Fact) -> None:
        self.now += 1.0
        for order in self.claims.tell(fact, self.now):
            match order:
                case Grant(worker, ticket, leg):
                    self.last_leg = leg
                    self.live[leg] = (worker, self.tickets.pop((worker, ticket)))
                case Deny(worker, ticket, _):
                    del self.tickets[worker, ticket]
                case Drop(worker, leg):
                    assert self.live.pop(leg)[0] == worker
                case Probe(worker, leg):
                    assert self.live[leg][0] == worker

    @invariant()
    def one_leg_for_each_station(self) -> None:
        names = [name for _, name in self.live.values()]
        assert len(names) == len(set(names))

    @invariant()
    def one_wish_waits_for_each_station_and_only_for_a_held_one(self) -> None:
        waiting = list(self.tickets.values())
        assert len(waiting) == len(set(waiting))
        assert set(waiting) <= {name for _, name in self.live.values()}

    @invariant()
    def the_legs_are_known(self) -> None:
        assert all(self.claims.holder_of(leg) == worker for leg, (worker, _) in self.live.items())


def test_attack_03_no_order_of_events_grants_a_station_twice() -> None:
    """Never two granted legs for one station, whatever the workers say in whatever order."""
    run_state_machine_as_test(Workers, settings=settings(max_examples=100, stateful_step_count=30))
