"""Live connections end when the ledger says so, within a second, with the event that says why."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

from pki.chain import key_id
from pki.names import CertificateSerial
from pki.station import CertificateFact, CertificateStatus, SecurityProfile, Station, StationStatus
from secproxy.config import Limits
from secproxy.edge.links import EXPIRIES_SPARE, Links
from secproxy.errors import AdmissionRefused
from secproxy.events import Note
from tests.certs import DAY, NOW
from tests.secproxy.edge.doors import STATIONS, csms, door, known, registered, station
from tests.secproxy.edge.heres import Here, come, go

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTY = STATIONS.issue("SN-1")


def listed(status: CertificateStatus) -> tuple[CertificateFact, ...]:
    """The station's certificate as the ledger lists it."""
    serial = CertificateSerial(PARTY.certificate.serial_number)
    return (CertificateFact(serial, key_id(STATIONS.certificate), status, NOW + 30 * DAY),)


VALID = dataclasses.replace(registered(), certificates=listed(CertificateStatus.VALID))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda: dataclasses.replace(VALID, certificates=listed(CertificateStatus.REVOKED)),
            id="test_attack_11 its certificate is revoked",
        ),
        pytest.param(lambda: dataclasses.replace(VALID, certificates=()), id="its certificate is nobody's any more"),
        pytest.param(lambda: dataclasses.replace(VALID, status=StationStatus.DISABLED), id="the station is disabled"),
        pytest.param(lambda: None, id="the station is removed"),
    ],
)
def test_attack_11_a_connection_no_longer_allowed_is_closed_with_one_event(
    tmp_path: Path, change: Callable[[], Station | None]
) -> None:
    """Row 11: the change is applied, both legs close with 1008 and 1001, and exactly one event is left."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(VALID, ours=True), backend.port) as at,
            station(tmp_path, at, PARTY) as socket,
        ):
            changed = change()
            if changed is None:
                del at.view.stations["CP-001"]
            else:
                at.view.stations["CP-001"] = changed
            at.links.judge(["CP-001"])
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
            assert await backend.closed.get() == 1001
            assert len(await at.around.causes(1)) == 1
            assert at.links.all() == []

    asyncio.run(story())


def test_a_change_that_touches_nobody_closes_nobody(tmp_path: Path) -> None:
    """Reloading what is still allowed never drops a connection."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(VALID, ours=True), backend.port) as at,
            station(tmp_path, at, PARTY) as socket,
        ):
            at.view.stations["CP-002"] = registered("CP-002", "SN-2")
            at.links.judge()
            await socket.send('[2,"1","Heartbeat",{}]')
            assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
            assert at.around.notes.empty()

    asyncio.run(story())


def test_a_certificate_that_runs_out_ends_its_session(tmp_path: Path) -> None:
    """A00.FR.407: no session outlives its certificate, even when nobody says a word."""
    end = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=2)
    brief = STATIONS.issue("SN-1", end=end)

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            watching = asyncio.ensure_future(at.links.expire())
            async with station(tmp_path, at, brief) as socket:
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
            note = await at.around.notes.get()
            assert (note.cause, at.around.notes.empty()) == ("session.revoked", True)
            watching.cancel()

    asyncio.run(story())


def test_a_worker_that_leaves_tells_its_stations_to_come_back(tmp_path: Path) -> None:
    """1012: the proxy restarts, the station is welcome again."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port) as at,
            station(tmp_path, at, PARTY) as socket,
        ):
            at.links.leave()
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012

    asyncio.run(story())


def test_attack_40_stations_are_let_go_each_in_its_turn_and_go_on_until_then(tmp_path: Path) -> None:
    """Row 40: a worker that ends closes its connections one by one, and says when none is left."""
    moments = iter((0.0, 0.4))

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered(), registered("CP-002", "SN-2")), backend.port) as at,
            station(tmp_path, at, PARTY) as first,
            station(tmp_path, at, STATIONS.issue("SN-2"), identity="CP-002") as second,
        ):
            draining = asyncio.ensure_future(at.links.drain(lambda: next(moments)))
            with pytest.raises(ConnectionClosed) as closed:
                await first.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
            assert len(at.links) == 1
            await second.send('[2,"1","Heartbeat",{}]')
            assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
            await draining
            assert len(at.links) == 0

    asyncio.run(story())


def test_attack_40_who_comes_in_while_all_are_let_go_has_a_turn_as_well(tmp_path: Path) -> None:
    """Row 40: a worker that was replaced lets in whom it had accepted, and nobody stays."""
    moments = iter((0.0, 0.1))

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered(), registered("CP-002", "SN-2")), backend.port) as at,
            station(tmp_path, at, PARTY) as first,
        ):
            await at.links.let_go(lambda: next(moments))
            async with station(tmp_path, at, STATIONS.issue("SN-2"), identity="CP-002") as second:
                for socket in (first, second):
                    with pytest.raises(ConnectionClosed) as closed:
                        await socket.recv()
                    assert closed.value.rcvd is not None
                    assert closed.value.rcvd.code == 1012
                await at.links.gone()
                assert len(at.links) == 0

    asyncio.run(story())


def test_with_nobody_there_a_worker_ends_at_once(tmp_path: Path) -> None:
    """Nothing is waited for."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            await at.links.drain(lambda: 3600.0)

    asyncio.run(story())


def test_a_probe_of_a_leg_that_is_still_being_made_says_alive(tmp_path: Path) -> None:
    """The claims hear of it before its connection stands; dropping a leg nobody knows harms nobody."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            assert await at.links.probe(99) is True
            at.links.drop(99)
            assert at.view.stations["CP-001"].profile == SecurityProfile.MUTUAL_TLS

    asyncio.run(story())


def test_attack_40_what_is_kept_for_stations_that_come_and_go_stays_bounded(tmp_path: Path) -> None:
    """Row 40: a leg that has gone leaves nothing behind until its certificate ends, a year from now."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            for leg in range(3 * EXPIRIES_SPARE):
                at.links._watch_expiry(NOW.timestamp() + 9_999, leg)
            assert len(at.links._expiries) <= EXPIRIES_SPARE + 1

    asyncio.run(story())


def test_many_are_judged_a_few_at_a_time_by_what_is_known_when_their_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One alone at once, also meanwhile; who comes meanwhile is judged as it comes, who has gone is not."""
    refused, notes = set[Here](), list[Note]()

    def judge(admitted: Here, *_: object) -> None:
        if admitted.link in refused:  # type: ignore[attr-defined]  # see heres
            raise AdmissionRefused(Note("session.revoked"), 403)

    monkeypatch.setattr("secproxy.edge.links.still_allowed", judge)

    async def story() -> None:
        faults = list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        links = Links(known(), Limits(), notes.append)
        here = [Here(leg) for leg in range(300)]
        come(links, *here)
        refused.update(here)
        links.judge(frozenset(f"CP-{number}" for number in range(-500, 500)))
        links.judge(["CP-299", "CP-nobody"])
        assert [each.leg for each in here if each.closed] == [299]
        late = Here(1000)
        refused.add(late)
        come(links, late)
        assert late.closed
        go(links, here[200])
        refused.discard(here[201])
        await links._judging.done()
        assert [each.leg for each in here if not each.closed] == [200, 201]
        assert len(notes) == len(here) - 2 + 1, "one event each"
        refused.add(here[201])
        links.judge()
        await links._judging.done()
        assert here[201].closed
        assert faults == []

    asyncio.run(story())
