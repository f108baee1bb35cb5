"""Listening sockets, made, handed over and accepted from; all of them real."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pki.errors import ConflictError
from secproxy.config import parse_config
from secproxy.edge import sockets as module
from secproxy.edge.sockets import INHERITED, Hatch, Place, Sockets, hand, make, pair, places, refuse_taken
from tests.worlds import free_port, make_home

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
SECONDS = 20.0  # for a connection, on the slowest machine


def stations(port: int, *numbers: int) -> list[Place]:
    return [Place("stations", HOST, port, number) for number in numbers]


def reach(port: int) -> bool:
    """Whether whoever knocks there is heard."""
    try:
        socket.create_connection((HOST, port), SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


@pytest.fixture
def held() -> Iterator[Sockets]:
    made = Sockets()
    yield made
    made.close()


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, Hatch]]:
    """Our end, and that of a process."""
    ours, theirs = pair()
    with ours, theirs:
        yield ours, Hatch(theirs)


def test_a_socket_is_made_once_and_closed_when_its_address_is_wanted_no_more(held: Sockets) -> None:
    """Others of the same address stay, also those that nobody asks for: somebody may wait in them."""
    first, second = free_port(), free_port()
    held.keep([*stations(first, 0, 1), *stations(second, 0)])
    before = held.all()
    held.keep(stations(first, 0, 2))

    assert set(held.all()) == set(stations(first, 0, 1, 2))
    assert all(held.all()[place] is before[place] for place in stations(first, 0, 1))
    assert held.numbers() == {0, 1, 2}
    refuse_taken([(HOST, second)])


def test_an_address_that_is_taken_is_named_and_nothing_has_changed(held: Sockets) -> None:
    """Neither made nor closed."""
    held.keep(stations(free_port(), 0))
    before = held.all()
    with socket.create_server((HOST, 0)) as other:
        taken = port_of(other)
        with pytest.raises(ConflictError) as refused:
            held.keep([*stations(free_port(), 0), *stations(taken, 0)])
        with pytest.raises(ConflictError):
            refuse_taken([(HOST, taken)])

    assert (refused.value.code, str(taken) in refused.value.cause) == ("up.address", True)
    assert held.all() == before


def test_settings_name_a_socket_of_each_listener_for_each_worker_and_one_for_each_page(tmp_path: Path) -> None:
    """What the web process serves is asked for where there is one."""
    config = parse_config(make_home(tmp_path).settings.read_text())
    named = places(config, 2, web=True)

    assert sum(place.duty == "stations" for place in named) == 2 * len(config.listeners)
    assert {place.duty for place in named} >= {"stations", "web"}
    assert {place.duty for place in places(config, 2, web=False)} == {"stations"}


@pytest.mark.parametrize("count", [0, 1, module.AT_ONCE, 2 * module.AT_ONCE + 1])
def test_a_process_takes_the_newest_set_whole(line: tuple[socket.socket, Hatch], count: int) -> None:
    """However many there are; an older one that it never looked at is closed."""
    ours, hatch = line
    assert hatch.take() is None
    with ExitStack() as stack:
        one = stack.enter_context(make(HOST, 0, shared=True))
        given = dict.fromkeys(stations(port_of(one), *range(count)), one)
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        assert hand(ours, {Place("stations", HOST, 1, 7): one})
        assert hand(ours, given)
        taken = hatch.take()
        assert taken is not None
        assert set(taken) == set(given)
        for sock in taken.values():
            assert (port_of(sock), sock.get_inheritable(), sock.gettimeout()) == (port_of(one), False, 0.0)
            sock.close()
        assert len(list(Path("/proc/self/fd").iterdir())) == open_before
        assert hatch.take() is None


def test_who_waits_in_a_socket_is_accepted_by_whoever_holds_it_next(line: tuple[socket.socket, Hatch]) -> None:
    """The first holder closes it with somebody inside: he is not turned away."""
    ours, hatch = line
    with make(HOST, 0, shared=True) as listening:
        place = Place("stations", HOST, port_of(listening))
        for _ in range(2):
            hand(ours, {place: listening})
            taken = hatch.take()
            assert taken is not None
            [mine] = taken.values()
            mine.listen(8)
            if _ == 0:
                caller = socket.create_connection(listening.getsockname(), SECONDS)
                mine.close()
        with caller, mine:
            mine.setblocking(True)
            accepted, address = mine.accept()
            assert address == caller.getsockname()
            accepted.close()


def test_what_a_listener_inherits_is_set_before_it_listens() -> None:
    """A dead peer is found in two minutes, small messages leave at once."""
    with make(HOST, 0, shared=True) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000
        assert not reach(port_of(listening)), "it listens when somebody accepts"


def test_the_end_of_the_supervisor_is_told(line: tuple[socket.socket, Hatch]) -> None:
    """And handing something to one that is gone is no error of ours."""
    ours, hatch = line
    ours.close()
    with pytest.raises(EOFError):
        hatch.take()
    near, far = pair()
    far.close()
    assert not hand(near, {})
    near.close()


def test_a_process_finds_its_end_in_its_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own children do not; and one that was started by itself has none."""
    ours, theirs = pair()
    monkeypatch.setenv(INHERITED, str(theirs.detach()))
    found = Hatch.inherited()
    assert found is not None
    assert INHERITED not in os.environ
    assert Hatch.inherited() is None
    assert hand(ours, {})
    assert found.take() == {}
    ours.close()
    found.close()
