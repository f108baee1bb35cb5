"""Where the settings want a person's yes, nothing is issued without one; and what nobody decides ends by itself."""

from __future__ import annotations

import datetime as dt
import sqlite3
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.edge import calls, clock
from pki.errors import BollardError, ForbiddenError
from pki.token import HOURS
from pki.waiting import DAYS, DENIED_EACH_MOST, RETRY_SECONDS
from tests.pki.edge.office.enrolments import body, by_certificate, by_token, enrolled, home_with, token_of
from tests.worlds import WHO, at_the_desk

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

KEY = ec.generate_private_key(ec.SECP256R1())
APPROVAL = '\n[issuing]\napproval = ["token"]\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home where whoever comes with a token waits for a person."""
    return home_with(tmp_path, APPROVAL)


async def waiting(desk: Desk) -> tuple[calls.WaitingRow, ...]:
    """What waits."""
    return (await desk.ask(calls.ListWaiting(), calls.Waiting)).requests


async def asked(desk: Desk) -> tuple[str, calls.WaitingRow]:
    """A station that asked and waits."""
    token = await token_of(desk)
    answer = await desk.ask(by_token(token, body(key=KEY)), calls.Enrolled)
    assert (answer.certificate, answer.retry) == (b"", RETRY_SECONDS)
    return token, (await waiting(desk))[0]


def test_a_request_waits_and_is_issued_when_the_station_asks_again(home: Home) -> None:
    """Nothing is signed before the yes; after it, the same station with the same key has its certificate."""

    async def story(desk: Desk) -> None:
        token, row = await asked(desk)
        assert (row.station, row.way, row.state) == ("CP-001", "token", "pending")
        assert (await desk.ask(by_token(token, body(key=KEY)), calls.Enrolled)).certificate == b""
        assert len(await waiting(desk)) == 1
        assert (await desk.ask(calls.ListCertificates("CP-001"), calls.Certificates)).certificates == ()
        await desk.ask(calls.DecideRequest(row.id, True), calls.Done)
        assert (await waiting(desk))[0].decided_by == WHO
        assert (await enrolled(desk, by_token(token, body(key=KEY)))).public_key() == KEY.public_key()
        assert await waiting(desk) == ()
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        with pytest.raises(ForbiddenError, match=r"est\.credentials"):
            await desk.ask(by_token(token, body(key=KEY)), calls.Enrolled)

    at_the_desk(home, story)


def test_a_yes_is_for_one_key(home: Home) -> None:
    """Whoever has the token by now, and another key, waits for a yes of their own."""

    async def story(desk: Desk) -> None:
        token, row = await asked(desk)
        await desk.ask(calls.DecideRequest(row.id, True), calls.Done)
        assert (await desk.ask(by_token(token, body()), calls.Enrolled)).certificate == b""
        assert [each.state for each in await waiting(desk)] == ["approved", "pending"]

    at_the_desk(home, story)


def test_a_no_is_told_with_its_reason_and_stays(home: Home) -> None:
    """Also when the yes had been given already and was taken back."""

    async def story(desk: Desk) -> str:
        token, row = await asked(desk)
        await desk.ask(calls.DecideRequest(row.id, True), calls.Done)
        await desk.ask(calls.DecideRequest(row.id, False, "not on this site"), calls.Done)
        with pytest.raises(BollardError, match=r"enrolment\.decided"):
            await desk.ask(calls.DecideRequest(row.id, True), calls.Done)
        with pytest.raises(ForbiddenError, match=r"enrolment\.denied") as refused:
            await desk.ask(by_token(token, body(key=KEY)), calls.Enrolled)
        return refused.value.cause

    assert "not on this site" in at_the_desk(home, story)


def test_a_station_that_was_denied_may_ask_with_another_key(home: Home) -> None:
    """However often: a no is about one key. The oldest are forgotten one day, and the log tells of that too."""

    async def story(desk: Desk) -> None:
        token = await token_of(desk)
        for number in range(1, DENIED_EACH_MOST + 3):
            assert (await desk.ask(by_token(token, body()), calls.Enrolled)).certificate == b""
            await desk.ask(calls.DecideRequest(number, False, "no"), calls.Done)
        assert [row.id for row in await waiting(desk)] == [*range(3, DENIED_EACH_MOST + 3)]
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)


def test_a_request_that_would_be_refused_does_not_wait(home: Home) -> None:
    """A person is asked about good requests alone."""

    async def story(desk: Desk) -> None:
        token = await token_of(desk)
        with pytest.raises(BollardError, match=r"csr\.refused"):
            await desk.ask(by_token(token, body("SN-009")), calls.Enrolled)
        assert await waiting(desk) == ()

    at_the_desk(home, story)


def test_only_the_ways_named_wait(home: Home) -> None:
    """Here a renewal goes through: the station is known by then."""

    async def story(desk: Desk) -> None:
        token, row = await asked(desk)
        await desk.ask(calls.DecideRequest(row.id, True), calls.Done)
        first = await enrolled(desk, by_token(token, body(key=KEY)))
        await enrolled(desk, by_certificate(first, csr=body(), renewal=True))

    at_the_desk(home, story)


def test_a_token_lasts_as_long_as_its_request_waits(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person may take longer than a day to decide."""

    async def story(desk: Desk) -> None:
        token, row = await asked(desk)
        later = clock.now() + dt.timedelta(hours=HOURS + 1)
        monkeypatch.setattr(clock, "now", lambda: later)
        await desk.ask(calls.DecideRequest(row.id, True), calls.Done)
        await enrolled(desk, by_token(token, body(key=KEY)))

    at_the_desk(home, story)


def test_what_nobody_decides_ends_by_itself_and_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A duty forgets it; the log says what was forgotten, once."""

    async def story(desk: Desk) -> str:
        await asked(desk)
        later = clock.now() + dt.timedelta(days=DAYS)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert await waiting(desk) == ()
        await desk.office.tend()
        await desk.office.tend()
        rows = (await desk.ask(calls.ListAudit(first=0, limit=1000), calls.AuditRows)).rows
        return "\n".join(row.entry for row in rows)

    log = at_the_desk(home, story)
    assert log.count("enrolment.tidied") == 1
    assert '"requests":[1],"tokens":["CP-001"]' in log


def test_what_has_ended_does_not_stand_in_the_way_of_the_same_request(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though no duty came by meanwhile: the station begins anew, and the log still agrees with the rows."""

    async def story(desk: Desk) -> None:
        await asked(desk)
        later = clock.now() + dt.timedelta(days=DAYS)
        monkeypatch.setattr(clock, "now", lambda: later)
        token = (await desk.ask(calls.MintToken("CP-001"), calls.TokenMinted)).token
        await desk.ask(by_token(token, body(key=KEY)), calls.Enrolled)
        assert [row.id for row in await waiting(desk)] == [2]
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)


@pytest.mark.parametrize(
    "tampering",
    [
        pytest.param("UPDATE waiting SET state = 'approved'", id="a no turned into a yes"),
        pytest.param("UPDATE waiting SET key_id = zeroblob(32)", id="a yes for another key"),
        pytest.param("DELETE FROM waiting", id="a request made to vanish"),
        pytest.param("UPDATE token SET hash = zeroblob(32)", id="a token laid in place of another"),
        pytest.param("UPDATE token SET expires = '2999-01-01T00:00:00Z'", id="a token for ever"),
        pytest.param("DELETE FROM token", id="a token made to vanish"),
    ],
)
def test_the_log_proves_every_row_of_an_enrolment(home: Home, tampering: str) -> None:
    """Whoever writes into the ledger beside the authority is found (A00.FR.703)."""

    async def story(desk: Desk) -> None:
        _, row = await asked(desk)
        await desk.ask(calls.DecideRequest(row.id, False, "no"), calls.Done)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        ledger = sqlite3.connect(home.ledger)
        ledger.execute(tampering)
        ledger.commit()
        ledger.close()
        with pytest.raises(BollardError, match=r"audit\.rows"):
            await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (calls.DecideRequest(9, True), "enrolment.unknown"),
        (calls.DecideRequest(1, False, "x" * 201), "enrolment.reason"),
        (calls.DecideRequest(1, False, "two\nlines"), "enrolment.reason"),
    ],
)
def test_what_cannot_be_decided_is_refused_by_name(home: Home, call: calls.Call, code: str) -> None:
    """The code is what scripts go by."""

    async def story(desk: Desk) -> None:
        await asked(desk)
        await desk.ask(call, calls.Row)

    with pytest.raises(BollardError) as refused:
        at_the_desk(home, story)
    assert refused.value.code == code
