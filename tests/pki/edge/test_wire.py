"""The line between our processes carries every question and every error whole, and nothing malformed gets past it."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import os
import pkgutil
import re
import socket
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

import pki
import secproxy
from cli.main import EXIT_CODES
from pki import errors
from pki.edge import calls, wire
from pki.edge.wire import Peer
from pki.findings import Finding, Severity

KINDS = [errors.BollardError, *errors.BollardError.__subclasses__()]


@pytest.mark.parametrize("kind", calls.Call.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_question_travels_whole(kind: type[calls.Call]) -> None:
    """What is asked here is what is read over there."""
    call = _example(kind)
    assert wire.read_question(wire.write_question(7, call)) == (7, call)


def _example(kind: type[calls.Call]) -> calls.Call:
    examples: dict[str, object] = {
        "Shown": calls.Shown("CP-1", "token", (b"der",)),
        "str": "text",
        "bytes": b"\x30\x00",
        "int": 3,
        "bool": True,
        "dt.datetime": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    }
    examples["dict[str, bytes]"] = {"name": b"content"}
    examples["tuple[str, ...]"] = ("CP-1", "CP-2")
    examples["tuple[bytes, ...]"] = (b"\x30\x00",)
    examples["Rehearsable"] = calls.AddStation("CP-1", "SN-1", 3)
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        name = str(kind.__annotations__[field.name]).removesuffix(" | None")
        values[field.name] = examples.get(name, (calls.StationSeed("CP-1", "SN-1", 3),))
    return kind(**values)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello\n", id="no JSON"),
        pytest.param(b"[]\n", id="no object"),
        pytest.param(b'{"id": 1}\n', id="no body"),
        pytest.param(b'{"id": 1, "body": {"call": "Launch"}}\n', id="an unknown call"),
        pytest.param(b'{"id": 1, "body": {"call": "ListIssuers", "extra": 1}}\n', id="an unknown field"),
        pytest.param(b'{"id": 1, "body": {"call": "AddStation", "identity": 5}}\n', id="a wrong type"),
        pytest.param(b'{"id": "1", "body": {"call": "ListIssuers"}}\n', id="a number that is none"),
        pytest.param(b"\xff\xfe\n", id="bytes that are no text"),
        pytest.param(
            b'{"id": 1, "body": {"call": "ListStations", "identity": "\xff"}}\n', id="a string that is no text"
        ),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
def test_a_malformed_question_is_refused_as_one(line: bytes) -> None:
    """Whatever it is, the refusal has one code and is short."""
    with pytest.raises(errors.InputError, match=r"call\.malformed") as refused:
        wire.read_question(line)
    assert len(str(refused.value)) < 300


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_the_reader(line: bytes) -> None:
    """Only refusals come out, and the number is found or -1."""
    with pytest.raises(errors.InputError):
        wire.read_question(line)
    assert isinstance(wire.question_number(line), int)


def test_the_number_of_a_malformed_question_is_found_when_it_can_be() -> None:
    """So that its asker is told, and not left waiting."""
    assert wire.question_number(b'{"id": 12, "body": {"call": "Launch"}}') == 12
    assert wire.question_number(b"hello") == -1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_travels_whole(kind: type[errors.BollardError]) -> None:
    """Class, code, cause, advice and findings arrive as they were raised."""
    finding = Finding("csr.key", Severity.WARNING, "A00.FR.502", "a finding")
    sent = kind("some.code", "a cause", "an advice", findings=(finding,))
    reply = wire.read_reply(wire.write_failure(3, sent))
    assert reply.failure is not None
    got = wire.to_error(reply.failure)
    assert (reply.id, type(got), got.code, got.cause, got.advice, got.findings) == (
        3, kind, "some.code", "a cause", "an advice", (finding,),
    )  # fmt: skip


def tree(kind: type[errors.BollardError]) -> list[type[errors.BollardError]]:
    """An error and all below it, wherever they are defined."""
    return [kind, *(each for below in kind.__subclasses__() for each in tree(below))]


def test_every_error_of_the_whole_program_keeps_its_exit_code_on_the_way() -> None:
    """Those defined beside what raises them too: they arrive as the nearest kind that everybody knows."""
    for room in (pki, secproxy):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            importlib.import_module(module.name)
    every = tree(errors.BollardError)
    assert {"ChainRefusedError", "GateRefusedError", "AdmissionRefused"} <= {kind.__name__ for kind in every}

    for kind in every:
        sent = kind.__new__(kind)
        errors.BollardError.__init__(sent, "some.code", "a cause")
        failure = wire.read_reply(wire.write_failure(3, sent)).failure
        assert failure is not None
        got = wire.to_error(failure)
        assert isinstance(sent, type(got))
        assert exit_code(got) == exit_code(sent)
        assert (type(got) is errors.BollardError) is (kind is errors.BollardError)


def exit_code(problem: errors.BollardError) -> int:
    """What the command line ends with."""
    return next(EXIT_CODES[kind] for kind in type(problem).__mro__ if kind in EXIT_CODES)


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "annotations", "TYPE_CHECKING", "no such"])
def test_an_error_of_an_unknown_kind_becomes_the_base_of_all(kind: str) -> None:
    """A name on the wire cannot make us raise anything but our own errors."""
    assert type(wire.to_error(calls.Failure(kind, "a.code", "cause", "advice"))) is errors.BollardError


def test_news_travels_whole_and_says_which_it_is() -> None:
    """One line a piece of news, tagged."""
    news = calls.StationChanged(calls.StationRow("CP-1", "SN-1", 3, "active"))
    assert wire.read_reply(wire.write_news(news)).news == "station"
    assert wire.read_news(wire.write_news(news)) == news


@pytest.mark.parametrize(("uid", "own"), [(1000, 1000), (0, 1000), (0, 0)])
def test_our_own_user_and_root_are_let_in(uid: int, own: int) -> None:
    """Root could read the keys anyway."""
    assert wire.admit_peer(Peer(1, uid), own) == Peer(1, uid)


@pytest.mark.parametrize(("uid", "own"), [(1001, 1000), (1000, 0), (65534, 1000), (-1, 0)])
def test_any_other_user_is_turned_away(uid: int, own: int) -> None:
    """Whatever the file's mode says."""
    with pytest.raises(errors.ForbiddenError, match=r"authority\.peer"):
        wire.admit_peer(Peer(1, uid), own)


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    """Not the peer itself."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert wire.read_peer(ours) == wire.own_peer() == Peer(os.getpid(), os.getuid())


def test_a_peer_is_named_for_the_audit_log() -> None:
    """By user and process; a user without a name by number."""
    assert str(Peer(42, 0)) == "root (uid 0, pid 42)"
    assert str(Peer(42, 4_000_000)) == "4000000 (uid 4000000, pid 42)"


def test_a_socket_deep_in_the_tree_is_reached(tmp_path: Path) -> None:
    """The kernel takes 107 bytes of path; a home may lie deeper."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with ExitStack() as depth, socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as asking:
        path = depth.enter_context(wire.short_path(folder / "a.sock"))
        listening.bind(path)
        listening.listen()
        asking.connect(path)
    assert (folder / "a.sock").is_socket()


def test_no_server_takes_away_the_socket_file_that_another_may_answer_at(tmp_path: Path) -> None:
    """What asyncio does when one closes differs between versions of Python: the file is ours to remove."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        with wire.bind(tmp_path / "s") as listening:
            server = await loop.create_unix_server(asyncio.Protocol, sock=listening, **wire.LEFT_ALONE)
            server.close()
            await server.wait_closed()
        assert (tmp_path / "s").exists()

    asyncio.run(story())
    uvloop.run(story())


def test_every_server_at_a_socket_file_is_told_so() -> None:
    """Whoever makes one passes ``LEFT_ALONE``."""
    makers = re.compile(r"_unix_server\((?:[^()]|\([^()]*\))*\)")
    made = [
        (path.name, call)
        for room in (pki, secproxy)
        for path in Path(room.__path__[0]).rglob("*.py")
        for call in makers.findall(path.read_text())
    ]
    assert len(made) >= 3
    assert [name for name, call in made if "LEFT_ALONE" not in call] == []
