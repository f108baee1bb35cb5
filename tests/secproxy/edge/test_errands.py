"""What commands ask is done, bounded in number and time, and answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pki.errors import UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.errands import ERRANDS_MOST, ask_reload
from secproxy.edge.line_end import line
from tests.secproxy.edge.desks import CREDENTIAL, NEVER, Peer, peers
from tests.worlds import make_home

if TYPE_CHECKING:
    from pathlib import Path


def test_workers_are_told_of_new_settings_and_each_is_heard(tmp_path: Path) -> None:
    """One that says nothing in time, and one that goes, hold nobody up; who is no worker is not told."""

    async def story() -> None:
        desk = ClaimDesk(NEVER, lambda _: None)
        async with asyncio.timeout(20), desk.open(tmp_path / "desk"):
            assert await desk.reload_workers(NEVER) == []
            found = [Peer(*await asyncio.open_unix_connection(tmp_path / "desk")) for _ in range(3)]
            for number, peer in enumerate(found):
                peer.say(wire.Hello(number), wire.Want(1, f"CP-{number}", CREDENTIAL))
                await peer.hear()
            asked = asyncio.ensure_future(desk.reload_workers(NEVER))
            for peer in found:
                assert await peer.hear() == wire.Reload()
            found[0].say(wire.Reloaded("up.address", "taken", "free it"))
            found[1].say(wire.Reloaded())
            await found[2].leave()
            assert await asked == [wire.Reloaded("up.address", "taken", "free it"), wire.Reloaded(), wire.Reloaded()]
            silent = await desk.reload_workers(0.01)
            assert [each.code for each in silent] == ["reload.silent", "reload.silent"]
            found[0].say(wire.Reloaded())  # too late: it counts for nothing
            for peer in found[:2]:
                await peer.leave()

    asyncio.run(story())


def test_a_command_that_asks_for_a_reload_hears_what_became_of_it(tmp_path: Path) -> None:
    """It is no worker, and holds nothing."""

    async def reload() -> wire.ReloadDone:
        return wire.ReloadDone((), "config.value", "wrong", "correct it")

    async def story() -> None:
        async with asyncio.timeout(20), ClaimDesk(NEVER, lambda _: None, reload).open(tmp_path / "desk"):
            peer = Peer(*await asyncio.open_unix_connection(tmp_path / "desk"))
            peer.say(wire.AskReload())
            assert await peer.hear() == wire.ReloadDone((), "config.value", "wrong", "correct it")
            await peer.leave()

    asyncio.run(story())


def test_a_command_hears_what_became_of_it(tmp_path: Path) -> None:
    """Over the real socket; where nothing is up there is nobody to ask."""
    home = make_home(tmp_path)

    async def story() -> None:
        async def reload() -> wire.ReloadDone:
            return wire.ReloadDone(("listener",))

        with pytest.raises(UnreachableError):
            await ask_reload(home)
        async with asyncio.timeout(20), ClaimDesk(3, lambda _: None, reload).open(home.claims_socket):
            assert await ask_reload(home) == wire.ReloadDone(("listener",))

    asyncio.run(story())


def test_a_reload_that_is_only_judged_is_not_done(tmp_path: Path) -> None:
    """Whoever cannot judge does nothing either."""
    home, done = make_home(tmp_path), list[str]()

    async def reload() -> wire.ReloadDone:
        done.append("reloaded")
        return wire.ReloadDone(("listener",))

    async def judge() -> wire.ReloadDone:
        return wire.ReloadDone(("web",))

    async def story() -> None:
        async with asyncio.timeout(20), ClaimDesk(3, lambda _: None, reload, judge=judge).open(home.claims_socket):
            assert await ask_reload(home, dry=True) == wire.ReloadDone(("web",))
        async with asyncio.timeout(20), ClaimDesk(3, lambda _: None, reload).open(home.claims_socket):
            peer = Peer(*await asyncio.open_unix_connection(home.claims_socket))
            peer.say(wire.AskReload(dry=True), wire.Look())
            assert isinstance(await peer.hear(), wire.Seen)
            await peer.leave()

    asyncio.run(story())
    assert done == []


def test_a_reload_is_asked_in_words_that_older_code_knows() -> None:
    """What it does not know it would hang up at, and that is right for what is only to be judged."""
    assert line(wire.AskReload()) == b'{"says":"askreload"}\n'
    assert line(wire.AskReload(dry=True)) == b'{"says":"askreload","dry":true}\n'


def test_a_bounded_number_of_errands_is_under_way(tmp_path: Path) -> None:
    """One more is not answered; once one of them is done there is room again."""
    go = asyncio.Event()

    async def reload() -> wire.ReloadDone:
        await go.wait()
        return wire.ReloadDone(("web",))

    async def story() -> None:
        async with asyncio.timeout(20), ClaimDesk(NEVER, lambda _: None, reload).open(tmp_path / "desk"):
            peer = Peer(*await asyncio.open_unix_connection(tmp_path / "desk"))
            peer.say(*[wire.AskReload()] * (ERRANDS_MOST + 1), wire.Look())
            assert isinstance(await peer.hear(), wire.Seen)
            go.set()
            assert [await peer.hear() for _ in range(ERRANDS_MOST)] == [wire.ReloadDone(("web",))] * ERRANDS_MOST
            peer.say(wire.Look(), wire.AskReload())
            assert isinstance(await peer.hear(), wire.Seen)
            assert await peer.hear() == wire.ReloadDone(("web",))
            await peer.leave()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("says", "heard"),
    [
        (("CP-1.jsonl", ""), wire.RecordDone("CP-1.jsonl")),
        (("", "recording.running"), wire.RecordDone("", "recording.running")),
        (("", ""), "recording.absent"),
    ],
    ids=["it records", "it cannot", "nobody holds it"],
)
def test_whoever_holds_a_station_is_asked_to_record_it(
    tmp_path: Path, says: tuple[str, str], heard: wire.RecordDone | str
) -> None:
    """All workers are asked, each with the same ticket; the one that holds it answers for all."""

    async def story() -> None:
        async with peers(tmp_path / "desk", 2) as (one, two):
            for peer in (one, two):
                peer.say(wire.Look())
                await peer.hear()
            command = Peer(*await asyncio.open_unix_connection(tmp_path / "desk"))
            command.say(wire.AskRecord("CP-1", 5))
            asked = [await peer.hear() for peer in (one, two)]
            assert asked == [wire.Record(1, "CP-1", 5, plain=False)] * 2
            one.say(wire.Recorded(1))
            two.say(wire.Recorded(1, *says))
            done = await command.hear()
            assert isinstance(done, wire.RecordDone)
            assert heard in (done, done.code)
            await command.leave()

    asyncio.run(story())
