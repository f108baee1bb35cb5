"""Asking works the same with and without a running authority, and what was raised there is raised here."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pki.edge import asking, calls, lock
from pki.edge.asking import ask_many, ask_once, conversation
from pki.errors import BollardError, ConflictError, InputError, RefusedError
from tests.certs import request
from tests.worlds import Paper, make_home, running_authority, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def test_one_question_is_answered_with_and_without_a_running_authority(home: Home) -> None:
    """And both leave the same trace: what one did, the other finds."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    with running_authority(home):
        ask_once(home, Paper.of(2).add, calls.StationAdded)
    listed = ask_once(home, calls.ListStations(), calls.Stations).stations
    assert [station.identity for station in listed] == ["CP-001", "CP-002"]


@pytest.mark.parametrize("running", [False, True])
def test_a_refusal_arrives_as_it_was_raised(home: Home, running: bool) -> None:
    """Class, code and every finding, whichever way the question went."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    wrong = calls.IssueCertificate("CP-001", request(station_key(), "SN-other"))
    if running:
        with running_authority(home), pytest.raises(RefusedError) as refused:
            ask_once(home, wrong, calls.CertificateIssued)
    else:
        with pytest.raises(RefusedError) as refused:
            ask_once(home, wrong, calls.CertificateIssued)
    assert refused.value.code == "csr.refused"
    assert {finding.clause for finding in refused.value.findings} >= {"A00.FR.511"}


def test_commands_at_the_same_time_all_get_their_answer(home: Home) -> None:
    """Each becomes the authority in turn; none is lost, none fails."""
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda number: ask_once(home, Paper.of(number).add, calls.StationAdded), range(6)))
    assert len({one.audit_index for one in done}) == 6


@pytest.mark.parametrize("running", [False, True])
def test_of_many_questions_each_gets_its_own_answer(home: Home, running: bool) -> None:
    """A refusal is told like an answer, and keeps nobody else from theirs."""
    ask_once(home, Paper.of(7).add, calls.StationAdded)
    told: dict[str, str] = {}

    def take(call: calls.Call, said: calls.StationAdded | BollardError) -> None:
        assert isinstance(call, calls.AddStation)
        told[call.identity] = said.code if isinstance(said, BollardError) else said.station.identity

    with running_authority(home) if running else contextlib.nullcontext():
        ask_many(home, [Paper.of(number).add for number in range(10)], calls.StationAdded, take)
    due = {f"CP-{number:03}": f"CP-{number:03}" for number in range(10)}
    assert told == {**due, "CP-007": "station.exists"}


def test_a_lock_that_stays_held_by_a_silent_process_is_told_of(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an endless wait."""
    monkeypatch.setattr(asking, "PATIENCE", 0.1)
    with lock.hold(home.lock), pytest.raises(ConflictError, match=r"authority\.silent"):
        ask_once(home, calls.ListIssuers(), calls.Issuers)


def test_watching_is_not_asked_once(home: Home) -> None:
    """It has no single answer."""
    with pytest.raises(InputError, match=r"call\.watch"):
        ask_once(home, calls.Watch(), calls.Row)


def test_an_answer_of_another_type_than_asked_for_is_a_fault_of_the_caller(home: Home) -> None:
    """Found at once in either way of asking."""
    with pytest.raises(TypeError, match="answered by Issuers"):
        ask_once(home, calls.ListIssuers(), calls.Stations)


@pytest.mark.parametrize("running", [False, True])
def test_a_conversation_asks_one_authority_many_questions(home: Home, running: bool) -> None:
    """Where none runs, the asker is it until the end, and nobody else can be."""
    with ExitStack() as held:
        if running:
            held.enter_context(running_authority(home))
        with conversation(home) as ask:
            for number in range(3):
                ask(Paper.of(number).add, calls.StationAdded)
            with lock.exclusive(home.lock) as free:
                assert not free
            assert len(ask(calls.ListStations(), calls.Stations).stations) == 3


def test_a_refusal_ends_no_conversation(home: Home) -> None:
    """The next question is answered, and at the end the lock is free."""
    with conversation(home) as ask:
        with pytest.raises(InputError):
            ask(calls.ListAudit(limit=0), calls.AuditRows)
        ask(calls.ListIssuers(), calls.Issuers)
    with lock.exclusive(home.lock) as free:
        assert free
