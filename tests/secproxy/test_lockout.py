"""Who offers wrong passwords has to wait, by name and network; told as attempts, with the times given."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from secproxy import lockout
from secproxy.lockout import Lockouts, Scope

if TYPE_CHECKING:
    import pytest

HERE, THERE = "192.0.2.1", "198.51.100.7"


def use_up(locks: Lockouts, identity: str = "CP-001", network: str = HERE, now: float = 0.0) -> float:
    """Offer wrong passwords until one has to wait; return the seconds."""
    for _ in range(100):
        wait = locks.attempt(identity, network, now)
        if wait is not None:
            return wait.seconds
        locks.failed(network, now)
    raise AssertionError("nobody ever had to wait")


def test_attack_07_a_guesser_has_a_handful_of_attempts_then_waits_ever_longer() -> None:
    """The wait doubles with each lock, up to a quarter of an hour; what was promised is kept at its end."""
    locks, now, waits = Lockouts(), 0.0, []
    for _ in range(7):
        waits.append(use_up(locks, now=now))
        now += waits[-1]
        assert locks.attempt("CP-001", HERE, now) is None

    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_attack_07_a_lock_is_told_once_and_then_only_kept() -> None:
    """One event for each lock, however often somebody knocks meanwhile."""
    locks = Lockouts()
    for _ in range(lockout.STATION_BURST):
        assert locks.attempt("CP-001", HERE, 0.0) is None
    waits = [locks.attempt("CP-001", HERE, 1.0) for _ in range(20)]

    assert [wait.begun for wait in waits if wait] == [True, *[False] * 19]


def test_attack_07_nobody_locks_a_station_out_from_elsewhere() -> None:
    """The genuine station, seen from another network, is not touched by what a guesser used up."""
    locks = Lockouts()
    use_up(locks, network=HERE)

    assert locks.attempt("CP-001", THERE, 0.0) is None


def test_attack_07_many_at_once_are_worth_no_more_than_one_by_one() -> None:
    """An attempt counts before its outcome is known."""
    locks = Lockouts()

    assert sum(locks.attempt("CP-001", HERE, 0.0) is None for _ in range(1_000)) == lockout.STATION_BURST


def test_attack_07_names_tried_one_after_the_other_close_the_network() -> None:
    """One guess each at very many names is counted for the place they come from, and told once."""
    locks, waits = Lockouts(), []
    for number in range(100):
        wait = locks.attempt(f"CP-{number}", HERE, 0.0)
        if wait is None:
            locks.failed(HERE, 0.0)
        else:
            waits.append(wait)

    assert 100 - len(waits) == lockout.NETWORK_BURST + 1
    assert {wait.scope for wait in waits} == {Scope.NETWORK}
    assert [wait.begun for wait in waits] == [True, *[False] * (len(waits) - 1)]


def test_attack_07_a_network_that_is_closed_stays_open_for_who_proved_itself_there() -> None:
    """Behind one address with a guesser, a station that is known there goes on to connect."""
    locks = Lockouts()
    assert locks.attempt("CP-001", HERE, 0.0) is None
    locks.proved("CP-001", HERE)
    for number in range(100):
        use_up(locks, f"X-{number}")

    assert locks.attempt("CP-001", HERE, 0.0) is None
    assert locks.attempt("CP-002", HERE, 0.0) is not None


def test_a_right_password_clears_what_was_held_against_a_station() -> None:
    """An installer who mistyped four times and then not begins anew."""
    locks = Lockouts()
    for _ in range(lockout.STATION_BURST):
        locks.attempt("CP-001", HERE, 0.0)
    locks.proved("CP-001", HERE)

    assert sum(locks.attempt("CP-001", HERE, 0.0) is None for _ in range(100)) == lockout.STATION_BURST


def test_after_a_calm_day_the_first_wait_is_short_again() -> None:
    """Nothing is held against anybody for ever."""
    locks = Lockouts()
    for now in (0.0, 60.0):
        use_up(locks, now=now)

    assert use_up(locks, now=180.0 + lockout.CALM_SECONDS + 1) == lockout.FIRST_SECONDS


def test_attack_07_what_is_kept_of_strangers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many names, networks and proofs the longest untouched are forgotten."""
    monkeypatch.setattr(lockout, "PAIRS_MOST", 10)
    monkeypatch.setattr(lockout, "NETWORKS_MOST", 10)
    monkeypatch.setattr(lockout, "PROVED_MOST", 10)
    locks = Lockouts()
    for number in range(100):
        locks.attempt(f"CP-{number}", f"net-{number}", 0.0)
        locks.failed(f"net-{number}", 0.0)
        locks.proved(f"P-{number}", f"net-{number}")

    assert {len(locks._pairs.held), len(locks._networks.held), len(locks._proved)} == {10}
    assert list(locks._pairs.held)[-1] == ("CP-99", "net-99")


def test_attack_07_what_is_handed_on_counts_on() -> None:
    """Waits, what was told of them, attempts used up, and who has proved itself: as if nothing had been exchanged."""
    locks = Lockouts()
    use_up(locks)
    locks.proved("CP-002", HERE)
    for _ in range(lockout.STATION_BURST - 1):
        locks.attempt("CP-003", THERE, 0.0)
    other = Lockouts(deepcopy(locks.kept()))

    for identity, network in (("CP-001", HERE), ("CP-002", HERE), ("CP-003", THERE), ("CP-003", THERE), ("CP-4", HERE)):
        assert other.attempt(identity, network, 1.0) == locks.attempt(identity, network, 1.0)
    assert other.kept() == locks.kept()


def test_what_is_written_down_are_those_touched_last_and_whom_they_must_not_hold_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of each kind so many, in their order; who proved itself counts where its network is held against somebody."""
    for name in ("PAIRS_WRITTEN", "NETWORKS_WRITTEN", "PROVED_WRITTEN"):
        monkeypatch.setattr(lockout, name, 2)
    locks = Lockouts()
    for number, network in enumerate(("a", "b", HERE, THERE)):
        locks.attempt(f"CP-{number}", network, 0.0)
        locks.failed(network, 0.0)
        locks.proved(f"known-{number}", network)
    kept = locks.recent()

    assert [pair[:2] for pair in kept.pairs] == [("CP-2", HERE), ("CP-3", THERE)]
    assert [network for network, _ in kept.networks] == [HERE, THERE]
    assert kept.proved == [("known-2", HERE), ("known-3", THERE)]
    assert Lockouts().recent() == lockout.Kept()


def test_whoever_looks_for_changes_sees_those_that_are_worth_writing() -> None:
    """A right password that nothing was held against is none, nor is knocking at a network that is closed."""
    locks, seen = Lockouts(), []
    locks.proved("CP-002", HERE)
    seen.append(locks.changes)
    use_up(locks)
    seen.append(locks.changes)
    locks.proved("CP-001", HERE)
    seen.append(locks.changes)

    assert seen == sorted(set(seen))
    assert seen[0] == 0


def test_attack_07_by_another_clock_everybody_waits_as_long_as_was_left() -> None:
    """Tokens come back as they would have, and after a day nothing is held against anybody."""
    for by in (-1_000.0, 0.0, 5_000.0):
        locks = Lockouts()
        use_up(locks, now=1_000.0)
        use_up(locks, now=1_060.0)
        other = Lockouts(lockout.moved(deepcopy(locks.recent()), by, 1_070.0 + by))
        wait = other.attempt("CP-001", HERE, 1_070.0 + by)
        assert wait is not None
        assert (wait.seconds, wait.locks, wait.begun) == (110.0, 2, False)
        assert other.attempt("CP-001", HERE, 1_180.0 + by) is None
        rested = Lockouts(lockout.moved(deepcopy(locks.recent()), by - lockout.CALM_SECONDS, 1_190.0 + by))
        assert sum(rested.attempt("CP-001", HERE, 1_190.0 + by) is None for _ in range(9)) == lockout.STATION_BURST


def test_no_clock_makes_anybody_wait_longer_than_the_longest_wait() -> None:
    """Whatever stands in what was written, bounds and rates are those of this release."""
    locks = Lockouts()
    use_up(locks)
    kept = lockout.moved(locks.recent(), 10_000_000.0, 0.0)
    wait = Lockouts(kept).attempt("CP-001", HERE, 0.0)

    assert wait is not None
    assert wait.seconds == lockout.MOST_SECONDS
    assert {account.bucket.burst for _, _, account in kept.pairs} == {lockout.STATION_BURST}
