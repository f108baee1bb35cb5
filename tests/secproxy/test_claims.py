"""One live connection for each station, told as conversations between workers and supervisor."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from secproxy.claims import (
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
CP = "CP-001"


def test_a_free_station_is_granted_at_once() -> None:
    """Nobody holds it, so nobody is asked; each leg has a number of its own."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 10, "CP-002", KEY), [Grant(2, 10, leg=2)]),
    )


def test_attack_03_another_credential_cannot_take_a_live_station_away() -> None:
    """Not even a sign of life is asked for: the holder proved itself otherwise."""
    play(
        Claims(),
        (Wanted(1, 10, CP, KEY), [Grant(1, 10, leg=1)]),
        (Wanted(2, 20, CP, OTHER), [Deny(2, 20, "session.duplicate")]),
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
        (Wanted(3, 30, CP, OTHER), [Deny(3, 30, "session.duplicate")]),
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
        (Wanted(2, 20, CP, OTHER), [Deny(2, 20, "session.duplicate")]),
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
        (Wanted(2, 20, CP, OTHER), [Deny(2, 20, "session.duplicate")]),
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


class Workers(RuleBasedStateMachine):
    """Any order of facts; what was granted and not yet ended is counted beside."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = Claims()
        self.tickets: dict[tuple[int, int], str] = {}  # wished for and not yet answered
        self.live: dict[int, tuple[int, str]] = {}  # leg to worker and identity
        self.next_ticket = 1
        self.last_leg = 0

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
        for order in self.claims.tell(fact):
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
