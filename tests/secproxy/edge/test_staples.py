"""What goes along with our certificate is the authority's newest word on it, or nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.clock import now
from pki.errors import UnreachableError
from secproxy.edge import staples
from secproxy.edge.staples import Staples
from tests.certs import Party
from tests.secproxy.edge.legs import der

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Party.root()
ISSUER = ROOT.issue("CSMS CA", ca=True)
SERVER = ISSUER.issue("localhost", dns="localhost")
OURS = calls.Credentials(SERVER.pem + ISSUER.pem, SERVER.key_pem)
DER = der(SERVER.certificate)
HOUR = dt.timedelta(hours=1)


def answer(
    word: bytes, *, begins: dt.timedelta = -HOUR, ends: dt.timedelta = HOUR, good: dt.timedelta = HOUR
) -> calls.OcspAnswer:
    """An answer about our certificate, with times from now on."""
    return calls.OcspAnswer(word, now() + begins, now() + ends, now() + good, b"issuer", "01")


class Desk:
    """An authority that answers what the test says, and counts; without an answer it is away."""

    def __init__(self, *answers: calls.OcspAnswer) -> None:
        self.answers = list(answers)
        self.asked: asyncio.Queue[bytes] = asyncio.Queue()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ask(self, question: bytes) -> calls.OcspAnswer:
        """Answer one question."""
        self.asked.put_nowait(question)
        await self.may_answer.wait()
        if not self.answers:
            raise UnreachableError("authority.unreachable", "away", "wait")
        return self.answers.pop(0)


@asynccontextmanager
async def kept(desk: Desk, credentials: calls.Credentials = OURS) -> AsyncIterator[Staples]:
    """Staples that are kept fresh while the test looks at them."""
    found = Staples(desk.ask)
    found.present(credentials)
    keeping = asyncio.ensure_future(found.keep())
    async with asyncio.timeout(10):
        await desk.asked.get()
        await asyncio.sleep(0)
        yield found
    keeping.cancel()


@pytest.mark.parametrize(
    ("told", "given"),
    [
        pytest.param(answer(b"good"), b"good", id="one that holds"),
        pytest.param(answer(b"old", ends=dt.timedelta(0), good=HOUR), b"", id="one that has ended"),
        pytest.param(answer(b"early", begins=HOUR), b"", id="one that is yet to begin"),
        pytest.param(calls.OcspAnswer(b"unauthorized"), b"", id="a refusal to answer"),
    ],
)
def test_no_answer_rather_than_one_that_does_not_hold(told: calls.OcspAnswer, given: bytes) -> None:
    """RFC 6960 3.2: a client would refuse us for a stale one, and for none it asks by itself."""

    async def story() -> None:
        async with kept(Desk(told)) as found:
            assert found.of(DER) == given
            assert found.of(b"another certificate") == b""

    asyncio.run(story())


def test_an_answer_that_is_half_spent_is_replaced_before_it_ends() -> None:
    """It is given until the next one is here."""

    async def story() -> None:
        desk = Desk(answer(b"first", good=dt.timedelta(milliseconds=20)), answer(b"second"))
        async with kept(desk) as found:
            assert found.of(DER) == b"first"
            await desk.asked.get()
            await asyncio.sleep(0)
            assert found.of(DER) == b"second"

    asyncio.run(story())


def test_a_change_of_status_drops_the_answer_at_once_and_asks_anew() -> None:
    """A revocation must not be covered by the word of an hour ago; news about others change nothing."""

    async def story() -> None:
        desk = Desk(answer(b"good"), answer(b"revoked"))
        async with kept(desk) as found:
            found.forget(b"issuer", "02")
            assert found.of(DER) == b"good"
            found.forget(b"issuer", "01")
            assert found.of(DER) == b""
            await desk.asked.get()
            await asyncio.sleep(0)
            assert found.of(DER) == b"revoked"

    asyncio.run(story())


def test_an_answer_that_was_under_way_when_the_status_changed_is_not_given() -> None:
    """News and answers come over two connections, so which was first nobody can tell."""

    async def story() -> None:
        desk = Desk(answer(b"good"), answer(b"revoked"))
        desk.may_answer.clear()
        async with kept(desk) as found:
            found.forget(b"issuer", "01")
            desk.may_answer.set()
            await desk.asked.get()
            await asyncio.sleep(0)
            assert found.of(DER) == b"revoked"

    asyncio.run(story())


def test_an_authority_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then there is no answer, and no worker stops for it."""
    monkeypatch.setattr(staples, "RETRY_SECONDS", 0.01)

    async def story() -> None:
        desk = Desk()
        async with kept(desk) as found:
            assert found.of(DER) == b""
            desk.answers.append(answer(b"good"))
            await desk.asked.get()
            await asyncio.sleep(0)
            assert found.of(DER) == b"good"

    asyncio.run(story())


def test_other_certificates_bring_other_answers() -> None:
    """What was presented before is forgotten with its answers."""
    other = ISSUER.issue("localhost", dns="localhost")

    async def story() -> None:
        desk = Desk(answer(b"first"), answer(b"second"))
        async with kept(desk) as found:
            found.present(calls.Credentials(other.pem + ISSUER.pem, other.key_pem))
            await desk.asked.get()
            await asyncio.sleep(0)
            assert (found.of(DER), found.of(der(other.certificate))) == (b"", b"second")

    asyncio.run(story())
