"""The authority opens only with the right keys, finishes what a crash left, and tells watchers one consistent story."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, NoReturn, get_args

import pytest

from pki.edge import calls, store
from pki.edge.ledger import stations
from pki.edge.office.front import Office
from pki.errors import BollardError, ForbiddenError, InputError, UnreachableError
from tests.worlds import WHO, Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def test_a_wrong_passphrase_stops_the_opening(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, not when the first station asks."""
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "not the one")
    with pytest.raises(ForbiddenError, match=r"passphrase\.wrong"):
        asyncio.run(Office.open(home))


def test_what_weakens_a_home_is_said_to_whoever_starts_it(home: Home) -> None:
    """A fresh home has nothing to say; an experiment and a token that is not there have."""

    async def warnings(desk: Desk) -> tuple[str, ...]:
        return desk.office.warnings()

    assert at_the_desk(home, warnings) == ()
    with home.settings.open("a") as settings:
        settings.write('[keys]\nunsafe_experimental_ml_dsa = true\n[hsm]\nmodule = "/none.so"\ntoken = "CA"\n')
    experiment, token = at_the_desk(home, warnings)
    assert "unsafe_experimental_ml_dsa" in experiment
    assert "hsm.module" in token


def test_a_pin_that_others_may_read_is_warned_of(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what puts it right; closed, it is nothing to speak of, and without a token nobody reads it."""
    pin = tmp_path / "pin"
    pin.write_text("1234")
    pin.chmod(0o644)
    monkeypatch.setenv("BOLLARD_HSM_PIN_FILE", str(pin))

    async def warned(desk: Desk) -> bool:
        return any("BOLLARD_HSM_PIN_FILE" in each for each in desk.office.warnings())

    assert not at_the_desk(home, warned)
    with home.settings.open("a") as settings:
        settings.write('[hsm]\nmodule = "/none.so"\ntoken = "CA"\n')
    assert at_the_desk(home, warned)
    pin.chmod(0o600)
    assert not at_the_desk(home, warned)


def test_a_damaged_ledger_stops_the_opening(home: Home) -> None:
    """Nothing is signed on top of it."""
    home.ledger.write_bytes(b"zeros " * 1000)
    with pytest.raises(BollardError, match=r"ledger\."):
        asyncio.run(Office.open(home))


def test_a_ledger_whose_log_has_no_entry_is_not_the_one_this_home_had(home: Home) -> None:
    """A home's log begins with its founding; a ledger fresh from nowhere is refused, and stays as it was."""
    home.ledger.unlink()
    store.create(home.ledger)
    with pytest.raises(BollardError, match=r"ledger\.missing"):
        asyncio.run(Office.open(home))
    with sqlite3.connect(home.ledger) as ledger:
        assert ledger.execute("SELECT count(*) FROM checkpoint").fetchone() == (0,)
    ledger.close()


def test_every_call_but_watch_has_an_act(home: Home) -> None:
    """A question that was forgotten would be refused as a watch."""

    async def story(desk: Desk) -> None:
        for kind in calls.Call.__subclasses__():
            if kind is calls.Watch:
                continue
            code = ""
            try:
                await desk.office.handle(_blank(kind), WHO)
            except BollardError as refused:
                code = refused.code
            assert code != "call.watch"
        with pytest.raises(InputError, match=r"call\.watch"):
            await desk.office.handle(calls.Watch(), WHO)

    at_the_desk(home, story)


def _blank(kind: type[calls.Call]) -> calls.Call:
    required = kind.__struct_fields__[: len(kind.__struct_fields__) - len(kind.__struct_defaults__)]
    blanks: dict[str, object] = {
        "int": 0,
        "bool": False,
        "str": "",
        "bytes": b"",
        "dict[str, bytes]": {},
        "Shown": calls.Shown(),
        "Rehearsable": calls.RevokeToken(""),
    }
    return kind(*(blanks.get(str(kind.__annotations__[name]), ()) for name in required))


def test_whatever_may_be_rehearsed_is_refused_like_the_act_itself(home: Home) -> None:
    """With nothing filled in: each finds its act, and neither of the two does anything."""

    async def code(desk: Desk, call: calls.Call) -> str:
        try:
            await desk.office.handle(call, WHO)
        except BollardError as refused:
            return refused.code
        return ""

    async def story(desk: Desk) -> None:
        for kind in get_args(calls.Rehearsable):
            call = _blank(kind)
            assert isinstance(call, calls.Rehearsable)
            assert await code(desk, calls.Rehearse(call)) == await code(desk, call), kind

    at_the_desk(home, story)


def test_the_sweep_abandons_what_was_only_intended_and_says_so(home: Home) -> None:
    """A row as a crash leaves it."""
    stranger = sqlite3.connect(home.ledger)
    stranger.execute(
        "INSERT INTO certificate (issuer_key_id, serial, purpose, subject, issuer, not_before, not_after, status, tbs)"
        " VALUES (zeroblob(32), '1a', 'station', 'CN=x', 'CN=y', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z',"
        " 'intended', x'00')"
    )
    stranger.commit()
    stranger.close()

    async def story(desk: Desk) -> tuple[str, str]:
        rows = (await desk.ask(calls.ListCertificates(serial="1a"), calls.Certificates)).certificates
        return rows[0].status, (await desk.ask(calls.ListAudit(limit=1), calls.AuditRows)).rows[0].entry

    status, entry = at_the_desk(home, story)
    assert status == "abandoned"
    assert '"act":"certificate.abandoned"' in entry
    assert '"who":"authority"' in entry


def test_a_watch_misses_nothing_and_repeats_nothing_however_busy_the_desk_is(home: Home) -> None:
    """The snapshot and the news after it, put together, are the ledger: begun in the middle of forty acts."""

    async def story() -> None:
        office = await Office.open(home)
        adding = [asyncio.create_task(office.handle(Paper.of(number).add, WHO)) for number in range(40)]
        await asyncio.wait(adding, return_when=asyncio.FIRST_COMPLETED)
        watcher = await office.watch()
        await asyncio.gather(*adding)
        await office.handle(calls.SetStationStatus("CP-000", "disabled"), WHO)
        snapshot = await watcher.next()
        assert isinstance(snapshot, calls.Snapshot)
        known = [station.identity for station in snapshot.stations]
        while "CP-000!" not in known:
            news = await watcher.next()
            assert isinstance(news, calls.StationChanged)
            known.append(news.station.identity + "!" * (news.station.status == "disabled"))
        assert sorted(known[:-1]) == [f"CP-{number:03}" for number in range(40)]
        office.leave(watcher)
        await office.close()

    asyncio.run(story())


def test_certificates_issued_together_are_told_of_each_and_once(home: Home) -> None:
    """With the certificate in it, to whoever watched; who begins to watch meanwhile is shown it or told of it."""

    async def story() -> None:
        office, papers = await Office.open(home), [Paper.of(number) for number in range(20)]
        for paper in papers:
            await office.handle(paper.add, WHO)
        first, told = await office.watch(), dict[str, int]()
        await first.next()
        asking = [asyncio.create_task(office.handle(paper.issue, WHO)) for paper in papers]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        answered = sum(each.done() for each in asking)
        second = await office.watch()
        await asyncio.gather(*asking)
        for _ in papers:
            news = await first.next()
            assert isinstance(news, calls.StationChanged)
            told[news.station.identity] = len(news.station.certificates)
        snapshot = await second.next()
        assert isinstance(snapshot, calls.Snapshot)
        shown = [station.identity for station in snapshot.stations if station.certificates]
        later = [await second.next() for _ in range(len(papers) - len(shown))]

        assert told == {f"CP-{number:03}": 1 for number in range(20)}
        assert answered <= len(shown)
        assert {news.station.identity for news in later if isinstance(news, calls.StationChanged)} == {*told} - {*shown}
        await office.close()

    asyncio.run(story())


def test_whoever_cannot_be_told_begins_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ledger cannot be read after the commit, the certificate is issued and watchers are cut off."""

    async def story() -> None:
        office, paper = await Office.open(home), Paper.of(1)
        await office.handle(paper.add, WHO)
        watcher = await office.watch()
        await watcher.next()
        monkeypatch.setattr(stations, "some", broken)
        assert isinstance(await office.handle(paper.issue, WHO), calls.CertificateIssued)
        with pytest.raises(UnreachableError):
            await watcher.next()
        await office.close()

    asyncio.run(story())


def broken(*_: object, **__: object) -> NoReturn:
    """A disk that cannot be read."""
    raise sqlite3.OperationalError("disk I/O error")


def test_the_snapshot_holds_all_that_admission_needs(home: Home) -> None:
    """Verifiers included, for it goes to proxy workers only."""

    async def story() -> calls.News:
        office = await Office.open(home)
        await office.handle(calls.AddStation("CP-1", "SN-1", 2), WHO)
        snapshot = await (await office.watch()).next()
        await office.close()
        return snapshot

    snapshot = asyncio.run(story())
    assert isinstance(snapshot, calls.Snapshot)
    assert (snapshot.organisation, snapshot.csms_host) == ("Example Charging", "csms.example.org")
    assert snapshot.stations[0].verifier.startswith("sha256$")
    assert len(snapshot.issuers) == 4


def test_a_closed_office_does_nothing_more(home: Home) -> None:
    """Whoever asks late is told."""

    async def story() -> None:
        office = await Office.open(home)
        await office.close()
        with pytest.raises(BollardError, match=r"ledger\.closed"):
            await office.handle(Paper.of(1).add, WHO)

    asyncio.run(story())
