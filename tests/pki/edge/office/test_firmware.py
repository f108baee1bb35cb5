"""Only verified images enter the catalogue, and only the one station may fetch them, for a while."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge import calls, clock
from pki.edge.vault import Vault
from pki.errors import BollardError, ConflictError, NotFoundError, RefusedError
from tests.worlds import Manufacturer, Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

IMAGE = bytes(range(256)) * 400
MAKER = Manufacturer.named()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


async def imported(desk: Desk, home: Home, image: bytes = IMAGE, version: str = "1.0") -> calls.FirmwareImported:
    """A trusted manufacturer's image in the catalogue."""
    if not (await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors:
        await desk.ask(MAKER.trust, calls.Done)
    return await desk.ask(MAKER.release(home, image, version), calls.FirmwareImported)


async def granted(desk: Desk, home: Home, until: dt.datetime | None = None) -> calls.DownloadGranted:
    """A download for station 1."""
    release = (await imported(desk, home)).release
    await desk.ask(Paper.of(1).add, calls.StationAdded)
    return await desk.ask(calls.GrantDownload("CP-001", release.digest, "m-1", until), calls.DownloadGranted)


def token_of(grant: calls.DownloadGranted) -> str:
    """The secret part of the URL."""
    return grant.url.split("/f/")[1].split("/")[0]


def test_a_verified_image_is_in_the_vault_the_catalogue_and_the_log(home: Home) -> None:
    """And byte for byte what the manufacturer signed."""

    async def story(desk: Desk) -> calls.FirmwareImported:
        return await imported(desk, home)

    answer = at_the_desk(home, story)
    image = Vault(home.vault).open_image(answer.release.digest)
    assert b"".join(image.read(0, len(IMAGE) - 1)) == IMAGE
    assert (answer.release.size, answer.release.vendor) == (len(IMAGE), "Volta")


def test_an_image_that_is_not_what_was_signed_is_refused_with_an_entry(home: Home) -> None:
    """It reaches neither vault nor catalogue; the refusal is on record."""

    async def story(desk: Desk) -> None:
        await desk.ask(MAKER.trust, calls.Done)
        call = MAKER.release(home, IMAGE)
        (home.quarantine / call.name).write_bytes(IMAGE + b"!")
        with pytest.raises(RefusedError, match=r"firmware\.refused") as refused:
            await desk.ask(call, calls.FirmwareImported)
        assert {finding.code for finding in refused.value.findings} == {"sig.bad"}
        assert (await desk.ask(calls.ListReleases(), calls.Releases)).releases == ()
        entry = json.loads((await desk.ask(calls.ListAudit(limit=1), calls.AuditRows)).rows[0].entry)
        assert (entry["act"], entry["what"]["findings"]) == ("firmware.refused", ["sig.bad"])

    at_the_desk(home, story)
    assert list(home.vault.rglob("*")) == []


def test_nobody_is_trusted_to_sign_firmware_from_the_start(home: Home) -> None:
    """Nor is a manufacturer that is trusted for stations, nor another vendor's."""

    async def story(desk: Desk) -> None:
        other = Manufacturer.named("Other")
        await desk.ask(calls.AddAnchor(MAKER.root.pem, "station"), calls.Done)
        await desk.ask(other.trust, calls.Done)
        with pytest.raises(RefusedError, match=r"firmware\.refused"):
            await desk.ask(MAKER.release(home, IMAGE), calls.FirmwareImported)

    at_the_desk(home, story)


def test_one_version_is_one_image(home: Home) -> None:
    """The same again is a conflict too, with a code of its own."""

    async def story(desk: Desk) -> None:
        await imported(desk, home)
        with pytest.raises(ConflictError, match=r"firmware\.exists"):
            await imported(desk, home)
        with pytest.raises(ConflictError, match=r"firmware\.version_conflict"):
            await imported(desk, home, IMAGE + b"another build")
        await imported(desk, home, IMAGE + b"another build", "1.1")

    at_the_desk(home, story)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "../ledger.db"}, "firmware.name"),
        ({"name": ".hidden"}, "firmware.name"),
        ({"name": ""}, "firmware.name"),
        ({"name": "absent.bin"}, "firmware.missing"),
        ({"vendor": ""}, "firmware.claim"),
        ({"policy": "../certificates/root"}, "policy.unknown"),
    ],
)
def test_what_cannot_be_imported_is_refused_by_name(home: Home, changes: dict[str, str], code: str) -> None:
    """No path leads out of the quarantine."""

    async def story(desk: Desk) -> None:
        await desk.ask(MAKER.trust, calls.Done)
        await desk.ask(msgspec.structs.replace(MAKER.release(home, IMAGE), **changes), calls.FirmwareImported)

    with pytest.raises(BollardError) as refused:
        at_the_desk(home, story)
    assert refused.value.code == code


def test_a_download_is_for_one_station_and_its_token_is_kept_as_a_hash(home: Home) -> None:
    """The URL is on our public address; the ledger and the log hold no token."""

    async def story(desk: Desk) -> tuple[calls.DownloadGranted, calls.DownloadAllowed]:
        grant = await granted(desk, home)
        return grant, await desk.ask(calls.RedeemDownload(token_of(grant)), calls.DownloadAllowed)

    grant, allowed = at_the_desk(home, story)
    assert grant.url.startswith("https://csms.example.org:8440/f/")
    assert grant.url.endswith(f"/{allowed.digest[:16]}.bin")
    assert (allowed.station, allowed.size) == ("CP-001", len(IMAGE))
    assert len(token_of(grant)) >= 22
    for path in (path for path in home.path.rglob("*") if path.is_file()):
        assert token_of(grant).encode() not in path.read_bytes()


@pytest.mark.parametrize(("ahead", "lasts"), [(None, 1), (dt.timedelta(days=3), 4), (dt.timedelta(days=400), 31)])
def test_a_download_lasts_a_day_after_it_is_due_and_a_month_at_most(
    home: Home, ahead: dt.timedelta | None, lasts: int
) -> None:
    """An update planned for next week can be fetched next week."""
    until = clock.now() + ahead if ahead else None

    async def story(desk: Desk) -> calls.DownloadGranted:
        return await granted(desk, home, until)

    left = at_the_desk(home, story).expires - clock.now()
    assert dt.timedelta(days=lasts) - dt.timedelta(minutes=1) < left <= dt.timedelta(days=lasts)


def test_a_newer_download_supersedes_the_older(home: Home) -> None:
    """One update at a time."""

    async def story(desk: Desk) -> None:
        old = await granted(desk, home)
        digest = (await desk.ask(calls.ListReleases(), calls.Releases)).releases[0].digest
        new = await desk.ask(calls.GrantDownload("CP-001", digest, "m-2"), calls.DownloadGranted)
        with pytest.raises(NotFoundError, match=r"download\.unknown"):
            await desk.ask(calls.RedeemDownload(token_of(old)), calls.DownloadAllowed)
        await desk.ask(calls.RedeemDownload(token_of(new)), calls.DownloadAllowed)

    at_the_desk(home, story)


@pytest.mark.parametrize("token", ["", "guess", "x" * 10_000])
def test_a_guessed_token_opens_nothing(home: Home, token: str) -> None:
    """Unknown and expired are told alike."""

    async def story(desk: Desk) -> None:
        await granted(desk, home)
        await desk.ask(calls.RedeemDownload(token), calls.DownloadAllowed)

    with pytest.raises(NotFoundError, match=r"download\.unknown"):
        at_the_desk(home, story)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (calls.GrantDownload("CP-none", "00" * 32, "m"), "station.unknown"),
        (calls.GrantDownload("CP-001", "00" * 32, "m"), "firmware.unknown"),
        (calls.GrantDownload("CP-001", "00" * 32, ""), "download.message_id"),
        (calls.GrantDownload("CP-001", "00" * 32, "m" * 37), "download.message_id"),
    ],
)
def test_what_cannot_be_granted_is_refused_by_name(home: Home, call: calls.Call, code: str) -> None:
    """No URL is made for it."""

    async def story(desk: Desk) -> None:
        await granted(desk, home)
        await desk.ask(call, calls.DownloadGranted)

    with pytest.raises(BollardError) as refused:
        at_the_desk(home, story)
    assert refused.value.code == code


def test_the_log_tells_when_a_download_began_and_when_it_was_complete(home: Home) -> None:
    """Two entries for each, however many pieces it was fetched in: a station cannot fill the log."""

    async def story(desk: Desk) -> list[str]:
        grant = await granted(desk, home)
        half = len(IMAGE) // 2
        for first, last, complete in (
            (0, 99, False),
            (100, half, False),
            (half + 1, len(IMAGE) - 1, True),
            (0, 9, True),
        ):
            await desk.ask(calls.RecordDownload(token_of(grant), first, last, complete), calls.Done)
        rows = (await desk.ask(calls.ListAudit(grant.audit_index), calls.AuditRows)).rows
        return [json.loads(row.entry)["act"] for row in rows]

    assert at_the_desk(home, story) == ["download.granted", "download.started", "download.completed"]
    ledger = sqlite3.connect(home.ledger)
    assert ledger.execute("SELECT served, complete FROM download").fetchone() == (len(IMAGE) + 10, 1)
    ledger.close()


@pytest.mark.parametrize(("first", "last"), [(-1, 5), (5, 4), (0, len(IMAGE))])
def test_bytes_that_are_not_there_cannot_have_been_served(home: Home, first: int, last: int) -> None:
    """The evidence stays honest."""

    async def story(desk: Desk) -> None:
        grant = await granted(desk, home)
        await desk.ask(calls.RecordDownload(token_of(grant), first, last, complete=False), calls.Done)

    with pytest.raises(BollardError, match=r"download\.range"):
        at_the_desk(home, story)


def test_a_disabled_station_fetches_nothing_while_what_it_fetched_is_recorded(home: Home) -> None:
    """Its link is shut with its session, and opens again with it."""

    async def story(desk: Desk) -> None:
        paper = Paper.of(1)
        await desk.ask(paper.add, calls.StationAdded)
        digest = (await imported(desk, home)).release.digest
        granted = await desk.ask(calls.GrantDownload(paper.identity, digest, "m1"), calls.DownloadGranted)
        redeem = calls.RedeemDownload(granted.url.split("/")[-2])
        await desk.ask(redeem, calls.DownloadAllowed)
        await desk.ask(calls.SetStationStatus(paper.identity, "disabled"), calls.Done)
        with pytest.raises(NotFoundError, match=r"download\.unknown"):
            await desk.ask(redeem, calls.DownloadAllowed)
        await desk.ask(calls.RecordDownload(redeem.token, 0, 9, complete=False), calls.Done)
        await desk.ask(calls.SetStationStatus(paper.identity, "active"), calls.Done)
        await desk.ask(redeem, calls.DownloadAllowed)

    at_the_desk(home, story)
