"""The authority process answers whoever may ask, survives whatever they send, and stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls, service, wire
from pki.edge.asking import ask_once
from pki.edge.office.front import Office
from pki.errors import BollardError, UnreachableError
from tests.worlds import Paper, connected, make_home, running_authority, start_authority, wait_ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

    from pki.edge.home import Home

NOBODY = 65_534


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


@contextlib.contextmanager
def line_to(home: Home) -> Iterator[Line]:
    """A bare connection to the authority."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        with wire.short_path(home.authority_socket) as path:
            connection.connect(path)
        with connection.makefile("rb") as replies:
            yield Line(connection, replies)


class Line:
    """Bytes in, JSON out."""

    def __init__(self, connection: socket.socket, replies: BufferedReader) -> None:
        self.connection, self.replies = connection, replies

    def say(self, line: bytes) -> dict[str, object]:
        """Send a line and read one."""
        self.connection.sendall(line)
        return self.hear()

    def hear(self) -> dict[str, object]:
        """Read one line; nothing when the other end hung up."""
        line = self.replies.readline()
        return json.loads(line) if line else {}


def code(reply: dict[str, object]) -> object:
    """The code of the failure in a reply."""
    failure = reply["failure"]
    assert isinstance(failure, dict)
    return failure["code"]


def test_a_malformed_line_gets_its_own_answer_and_harms_nothing(home: Home) -> None:
    """The same connection goes on, and so does the authority."""
    with running_authority(home), line_to(home) as line:
        assert code(line.say(b"hello\n")) == "call.malformed"
        assert code(line.say(b'{"id": 4, "body": {"call": "Launch"}}\n')) == "call.malformed"
        assert line.say(b'{"id": 5, "body": {"call": "ListIssuers"}}\n')["id"] == 5


def test_a_line_without_end_is_cut_off(home: Home) -> None:
    """More than 16 MiB is not read; the next connection is served."""
    with running_authority(home):
        with line_to(home) as line, contextlib.suppress(ConnectionError):
            line.connection.sendall(b"x" * (wire.QUESTION_BYTES * 2 + 10))
            assert code(line.hear()) == "call.too_long"
        with line_to(home) as line:
            assert "answer" in line.say(b'{"id": 1, "body": {"call": "ListIssuers"}}\n')


def test_the_socket_is_its_owners_alone_and_gone_after_a_clean_stop(home: Home) -> None:
    """0600 in a folder of 0700."""
    with running_authority(home) as process:
        assert home.authority_socket.stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not home.authority_socket.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_seals_the_log(home: Home, number: signal.Signals) -> None:
    """The newest checkpoint covers the newest entry."""
    with running_authority(home) as process:
        done = ask_once(home, Paper.of(1).add, calls.StationAdded)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert ask_once(home, calls.MakeCheckpoint(), calls.Checkpoint).size == done.audit_index + 1


def test_what_is_under_way_is_answered_before_the_stop(home: Home) -> None:
    """A question that was taken is answered, even when the order to stop is already there."""

    async def story() -> int:
        with running_authority(home) as process:
            async with connected(home) as authority:
                await authority.ask(calls.ListIssuers(), calls.Issuers)
                asked = [
                    asyncio.create_task(authority.ask(Paper.of(number).add, calls.StationAdded)) for number in range(40)
                ]
                await asyncio.gather(*asked[:1])
                process.send_signal(signal.SIGTERM)
                ended = await asyncio.gather(*asked, return_exceptions=True)
        lost = [one for one in ended if isinstance(one, BaseException)]
        assert all(isinstance(one, UnreachableError) for one in lost)
        return len(ended) - len(lost)

    answered = asyncio.run(story())
    kept = ask_once(home, calls.ListStations(), calls.Stations).stations
    assert len(kept) == answered


def test_a_second_authority_is_turned_away(home: Home) -> None:
    """Two of them would be two writers; the first goes on undisturbed."""
    with running_authority(home):
        second = start_authority(home)
        _, said = second.communicate(timeout=20)
        assert second.returncode != 0
        assert "authority.running" in said
        assert ask_once(home, calls.ListIssuers(), calls.Issuers).issuers


def test_a_socket_left_by_a_crash_is_replaced(home: Home) -> None:
    """SIGKILL leaves the file; the next start works all the same."""
    first = start_authority(home)
    wait_ready(first)
    first.kill()
    first.communicate()
    assert home.authority_socket.exists()
    with running_authority(home), line_to(home) as line:
        assert "answer" in line.say(b'{"id": 1, "body": {"call": "ListIssuers"}}\n')


def test_an_unexpected_error_is_answered_with_a_number_and_logged_without_values(home: Home) -> None:
    """A row that somebody damaged: the asker learns where to look, the log holds frames and no values."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    stranger = sqlite3.connect(home.ledger)
    stranger.execute("UPDATE station SET last_seen = 'do not log me'")
    stranger.commit()
    stranger.close()
    with running_authority(home) as process:
        with pytest.raises(BollardError, match=r"authority\.internal") as refused:
            ask_once(home, calls.ListStations(), calls.Stations)
        assert ask_once(home, calls.ListIssuers(), calls.Issuers).issuers
        process.terminate()
        said = process.communicate()[1]
    number = refused.value.cause.split("number ")[1].rstrip(")")
    assert f"unexpected error {number}: ValidationError in ListStations" in said
    assert "do not log me" not in said + str(refused.value)


def test_a_peer_that_hangs_up_midway_leaves_its_act_done(home: Home) -> None:
    """Nobody waits for the answer, yet the ledger is whole and the act is in it."""
    with running_authority(home):
        with line_to(home) as line:
            line.connection.sendall(wire.write_question(1, Paper.of(1).add))
            line.connection.shutdown(socket.SHUT_WR)
            assert line.hear()["id"] == 1
        with line_to(home) as line:
            line.connection.sendall(wire.write_question(1, Paper.of(2).add) + b"half a questi")
        assert ask_once(home, calls.VerifyAudit(), calls.AuditVerified).size > 0


def reachable_users() -> list[int]:
    """The users that this test can be: itself and, when it is root, nobody too."""
    return [os.geteuid(), *([NOBODY] if os.geteuid() == 0 else [])]


@pytest.mark.parametrize("user", reachable_users())
def test_the_kernel_decides_who_is_answered_whatever_the_files_mode_says(
    home: Home, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the socket thrown open to all, another user is still turned away before any question."""
    with running_authority(home):
        home.run.chmod(0o755)
        home.authority_socket.chmod(0o666)
        monkeypatch.chdir(home.run)
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as replies:
            connection.settimeout(20)
            ourselves = os.geteuid()
            os.seteuid(user)
            try:
                connection.connect(home.authority_socket.name)
            finally:
                os.seteuid(ourselves)
            if user == ourselves:
                line = Line(connection, replies)
                assert "answer" in line.say(b'{"id": 1, "body": {"call": "ListIssuers"}}\n')
            else:
                assert code(Line(connection, replies).hear()) == "authority.peer"


def test_more_connections_than_there_is_room_for_are_turned_away(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is told, and room that is freed is used again."""
    monkeypatch.setattr(service, "CONNECTIONS", 2)

    async def story() -> None:
        office = await Office.open(home)
        served = service.Service(office)
        await served.open(home)
        try:
            async with connected(home) as one, connected(home) as two:
                for held in (one, two):
                    await held.ask(calls.ListIssuers(), calls.Issuers)
                async with connected(home) as three:
                    with pytest.raises(UnreachableError, match=r"authority\.busy"):
                        await three.ask(calls.ListIssuers(), calls.Issuers)
        finally:
            await served.close()
            await office.close()

    asyncio.run(story())
