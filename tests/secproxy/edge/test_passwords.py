"""Passwords: right, wrong, remembered, and too many at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pki import password
from secproxy.admission import PasswordQuestion, judge
from secproxy.edge import passwords
from secproxy.edge.passwords import BusyError, PasswordDesk
from tests.play import NOON
from tests.secproxy import scene

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOSEN = "correct-horse-battery"
SLOW = password.remember(CHOSEN, b"s" * 16, generated=False)


@pytest.fixture
def desk() -> Iterator[PasswordDesk]:
    """A desk whose threads end with the test."""
    made = PasswordDesk()
    yield made
    made.close()


def question(secret: str, verifier: str = scene.VERIFIER) -> PasswordQuestion:
    """What admission asks for a station that shows this secret."""
    known = scene.station(profile=2, verifier=verifier)
    hello = scene.hello(profile=2, authorization=scene.basic("CP-001", secret))
    asked = judge(hello, scene.view(known), NOON)
    assert isinstance(asked, PasswordQuestion)
    return asked


@pytest.mark.parametrize(
    ("secret", "verifier", "right"),
    [
        (scene.PASSWORD, scene.VERIFIER, True),
        (scene.PASSWORD.encode().hex(), scene.VERIFIER, True),
        ("x" + scene.PASSWORD[1:], scene.VERIFIER, False),
        (CHOSEN, SLOW, True),
        ("wrong-horse-battery", SLOW, False),
    ],
)
def test_the_right_password_is_right_however_it_is_kept(
    desk: PasswordDesk, secret: str, verifier: str, right: bool
) -> None:
    """Fast and slow verifiers, text and hex, and what only looks like it."""
    asked = question(secret, verifier)

    assert [asyncio.run(desk.check(asked)) for _ in range(2)] == [right, right]


def test_a_reconnect_storm_is_no_hash_storm(desk: PasswordDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right answer is remembered: the second check asks the hash no more."""
    asked = question(CHOSEN, SLOW)
    assert asyncio.run(desk.check(asked))
    monkeypatch.setattr(passwords, "_is_right", None)

    assert asyncio.run(desk.check(asked))


def test_a_wrong_answer_is_never_remembered(desk: PasswordDesk) -> None:
    """What a guesser tries takes none of the memory that right answers live in."""
    asyncio.run(desk.check(question("x" * 20)))

    assert len(desk._right) == 0


def test_a_changed_password_is_not_remembered_from_before(desk: PasswordDesk) -> None:
    """A01.FR.03: the old password is dead at once, because the memory is of verifier and password together."""
    other = password.remember("A" * 20, b"t" * 16, generated=True)
    assert asyncio.run(desk.check(question(scene.PASSWORD)))

    assert not asyncio.run(desk.check(question(scene.PASSWORD, other)))


def test_what_is_remembered_is_bounded(desk: PasswordDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet larger than the memory costs hashes, not memory."""
    monkeypatch.setattr(passwords, "REMEMBERED", 3)
    for number in range(9):
        secret = password.generate(bytes([number]) * 64)
        asyncio.run(desk.check(question(secret, password.remember(secret, b"s" * 16, generated=True))))

    assert len(desk._right) == 3


def test_attack_07_a_flood_of_slow_checks_is_told_to_come_back(
    desk: PasswordDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 7: beyond what may wait, the answer is busy, not a queue without end."""
    monkeypatch.setattr(passwords, "SLOW_WAITING", 1)

    async def story() -> None:
        first = asyncio.ensure_future(desk.check(question(CHOSEN, SLOW)))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await desk.check(question("another-wrong-password", SLOW))
        assert await first

    asyncio.run(story())
