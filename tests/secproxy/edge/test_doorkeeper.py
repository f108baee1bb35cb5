"""Each refusal is an event; who is refused again and again waits; a site whose stations succeed never does."""

from __future__ import annotations

from pki.errors import ForbiddenError
from secproxy.edge import doorkeeper
from secproxy.edge.doorkeeper import BURST, RATE, Doorkeeper
from secproxy.events import Note

PROBLEM = ForbiddenError("est.credentials", "no")


class Time:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_a_refusal_is_an_event_with_our_code_and_no_secret() -> None:
    """The name that was claimed is in it, because the operator will look for it."""
    notes: list[Note] = []
    Doorkeeper(notes.append).failed("192.0.2.7", "CP-001", PROBLEM)

    assert notes == [Note("est.refused", "CP-001", "192.0.2.7", {"code": "est.credentials"})]


def test_who_fails_too_often_waits_and_the_others_do_not() -> None:
    """After a burst, as many as the rate allows; from the next network, as if nothing had been."""
    clock = Time()
    door = Doorkeeper(lambda _: None, clock)
    for _ in range(BURST):
        assert door.may_try("192.0.2.7")
        door.failed("192.0.2.7", "", PROBLEM)
    assert door.may_try("192.0.2.7")
    door.failed("192.0.2.7", "", PROBLEM)

    assert not door.may_try("192.0.2.7")
    assert door.may_try("192.0.2.8")
    clock.now = 1 / RATE
    assert door.may_try("192.0.2.7")


def test_all_addresses_of_one_ipv6_host_are_one() -> None:
    """A host has a /64 (RFC 4291 2.5.4)."""
    door = Doorkeeper(lambda _: None, Time())
    for number in range(BURST + 1):
        door.failed(f"2001:db8::{number:x}", "", PROBLEM)

    assert not door.may_try("2001:db8::ffff")
    assert door.may_try("2001:db8:0:1::1")


def test_what_is_remembered_is_bounded() -> None:
    """Whoever has many addresses fills no memory."""
    door = Doorkeeper(lambda _: None, Time())
    for number in range(doorkeeper.NETWORKS_MOST + 5):
        door.failed(f"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}", "", PROBLEM)

    assert len(door._peers) == doorkeeper.NETWORKS_MOST
