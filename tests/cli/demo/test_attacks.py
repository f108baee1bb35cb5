"""The eight attempts: each with a cause of its own that the proxy knows."""

from __future__ import annotations

import socket
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from cli.demo.attacks import ATTACKS, Attack, must_be_refused, old_tls
from cli.demo.world import World
from pki.errors import BollardError
from secproxy.edge.journal import Journal
from secproxy.events import CAUSES, Note

if TYPE_CHECKING:
    from pathlib import Path

TLS_1_1 = b"\x03\x02"  # the version number on the wire, RFC 4346 6.2.1


def test_there_are_eight_and_each_has_its_own_cause() -> None:
    """Every cause is one that events carry."""
    causes = {attack.cause for attack in ATTACKS}

    assert len(causes) == len(ATTACKS) == 8
    assert causes <= set(CAUSES)


def test_the_old_tls_attempt_really_offers_nothing_newer(tmp_path: Path) -> None:
    """Its first message names TLS 1.1, so a refusal is the listener's doing and not the library's."""
    world = World(tmp_path)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        world.ports[3] = server.getsockname()[1]

        def listen() -> None:
            line, _ = server.accept()
            with line:
                heard.append(line.recv(4096))

        listening = threading.Thread(target=listen)
        listening.start()
        assert old_tls(world).startswith("tls: ")
        listening.join()

    assert heard[0][9:11] == TLS_1_1


@pytest.mark.parametrize(
    ("left", "holds"),
    [
        (["cert.expired"], True),
        (["cert.revoked"], False),
        (["cert.expired", "cert.expired"], False),
        (["cert.expired", "cert.revoked"], False),
    ],
    ids=["one", "of another cause", "twice", "two"],
)
def test_an_attempt_holds_only_with_one_event_of_its_cause(tmp_path: Path, left: list[str], holds: bool) -> None:
    """Another cause, or one event too many, and the story ends."""
    world = World(tmp_path)
    world.bollard("init", "--org", "Test", "--csms-host", "localhost")

    def attempt(world: World) -> str:
        journal = Journal(world.folder / "home" / "journal", "test")
        for cause in left:
            journal.write(Note(cause, station="CP-1"))
        return "HTTP 403"

    with nullcontext() if holds else pytest.raises(BollardError, match="one event cert"):
        assert must_be_refused(world, Attack("it is refused", "cert.expired", attempt)).startswith("HTTP 403")
