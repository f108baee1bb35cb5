"""Trust in others is given for one purpose at a time, told to everyone, and taken back as easily."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from pki.certificate import key_id
from pki.edge import calls
from pki.edge.office.front import Office
from pki.errors import BollardError
from tests.certs import DAY, NOW, Party
from tests.worlds import WHO, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

ROOT = Party.root("Their Root", "Others")
KEY_ID = key_id(ROOT.certificate).hex()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def test_a_new_home_trusts_nobody_else(home: Home) -> None:
    """The empty list means no."""

    async def story(desk: Desk) -> calls.Anchors:
        return await desk.ask(calls.ListAnchors(), calls.Anchors)

    assert at_the_desk(home, story).anchors == ()


def test_trust_is_listed_and_taken_back(home: Home) -> None:
    """By the beginning of its key id, as people copy it."""

    async def story(desk: Desk) -> list[int]:
        await desk.ask(calls.AddAnchor(ROOT.pem, "station"), calls.Done)
        await desk.ask(calls.AddAnchor(ROOT.pem, "firmware", "Volta"), calls.Done)
        listed = (await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors
        assert {(row.purpose, row.vendor, row.key_id.hex()) for row in listed} == {
            ("station", "", KEY_ID), ("firmware", "Volta", KEY_ID),
        }  # fmt: skip
        await desk.ask(calls.RemoveAnchor(KEY_ID[:8].upper(), "station"), calls.Done)
        await desk.ask(calls.RemoveAnchor(KEY_ID, "firmware"), calls.Done)
        return [len((await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors)]

    assert at_the_desk(home, story) == [0]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (calls.AddAnchor(ROOT.pem, "everything"), "anchor.purpose"),
        (calls.AddAnchor(ROOT.pem, "firmware"), "anchor.vendor"),
        (calls.AddAnchor(ROOT.pem, "station", "Volta"), "anchor.vendor"),
        (calls.AddAnchor(ROOT.pem, "firmware", "V" * 51), "anchor.vendor"),
        (calls.AddAnchor(ROOT.pem + ROOT.pem, "station"), "anchor.several"),
        (calls.AddAnchor("hello", "station"), "certificate.unreadable"),
        (calls.AddAnchor(ROOT.key_pem, "station"), "certificate.unreadable"),
        (calls.AddAnchor(ROOT.issue("a leaf").pem, "station"), "anchor.refused"),
        (calls.AddAnchor(ROOT.issue("old", ca=True, end=NOW - DAY / 2).pem, "station"), "anchor.refused"),
        (calls.RemoveAnchor("", "station"), "anchor.key_id"),
        (calls.RemoveAnchor("abc", "station"), "anchor.key_id"),
        (calls.RemoveAnchor(KEY_ID, "station"), "anchor.unknown"),
        (calls.RemoveAnchor(KEY_ID, "station", "Volta"), "anchor.vendor"),
    ],
)
def test_what_cannot_be_trusted_is_refused_by_name(home: Home, call: calls.Call, code: str) -> None:
    """A private key, a leaf, an expired root, half a name."""

    async def story(desk: Desk) -> None:
        await desk.ask(call, calls.Row)

    with pytest.raises(BollardError) as refused:
        at_the_desk(home, story)
    assert refused.value.code == code


def test_watchers_are_told_of_all_trust_when_it_changes(home: Home) -> None:
    """They replace what they know, so nothing can be half-known."""

    async def story() -> list[calls.News]:
        office = await Office.open(home)
        watcher = await office.watch()
        await office.handle(calls.AddAnchor(ROOT.pem, "station"), WHO)
        await office.handle(calls.RemoveAnchor(KEY_ID, "station"), WHO)
        heard = [await watcher.next() for _ in range(3)]
        await office.close()
        return heard

    _, added, removed = asyncio.run(story())
    assert isinstance(added, calls.TrustChanged)
    assert isinstance(removed, calls.TrustChanged)
    assert [len(news.anchors) for news in (added, removed)] == [1, 0]
    assert [issuer.name for issuer in added.issuers] == ["root", "csms", "station", "ocsp"]


def test_our_own_authorities_are_listed_root_first(home: Home) -> None:
    """Without the server certificates, which are nobody's issuers."""

    async def story(desk: Desk) -> calls.Issuers:
        return await desk.ask(calls.ListIssuers(), calls.Issuers)

    rows = at_the_desk(home, story).issuers
    assert [row.purpose for row in rows] == ["root", "csms", "station", "ocsp"]
    assert all(row.pem.startswith("-----BEGIN CERTIFICATE-----") and len(row.key_id) == 32 for row in rows)


def test_our_own_authority_is_no_manufacturers_root(home: Home) -> None:
    """Every station's certificate would sign firmware; the hierarchies stand apart (A00.FR.601)."""

    async def story(desk: Desk) -> str:
        issuers = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        own = next(issuer for issuer in issuers if issuer.name == "station")
        with pytest.raises(BollardError) as refused:
            await desk.ask(calls.AddAnchor(own.pem, "firmware", "Volta"), calls.Done)
        return refused.value.findings[0].code

    assert at_the_desk(home, story) == "anchor.own"


@pytest.mark.parametrize("name", ["root", "csms", "station", "operators", "volta", "theirs", "theirs-above-1", "gone"])
def test_what_is_ours_or_above_ours_is_no_anchor_for_stations(home: Home, name: str) -> None:
    """Whatever stands below it would be a station's, though the ledger never listed it as one (A00.FR.705)."""
    middle = ROOT.issue("Their CA", "Others", ca=True)

    async def story(desk: Desk) -> str:
        await desk.ask(calls.CreateIssuer("operators", "operator"), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("gone", "station"), calls.IssuersCreated)
        await desk.ask(calls.CreateIssuer("volta", "manufacturer", vendor="Volta"), calls.IssuersCreated)
        await desk.ask(calls.ImportIssuer("theirs", "csms", middle.pem, ROOT.pem), calls.IssuerImported)
        issuers = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        await desk.ask(calls.RetireIssuer("gone"), calls.Done)
        own = next(issuer for issuer in issuers if issuer.name == name)
        with pytest.raises(BollardError) as refused:
            await desk.ask(calls.AddAnchor(own.pem, "station"), calls.Done)
        return refused.value.findings[0].code

    assert at_the_desk(home, story) == "anchor.own"


def test_another_certificate_of_the_key_above_ours_is_no_anchor_either(home: Home) -> None:
    """A cross-certificate leads the same way; and so does a root that signed ours and is unknown here."""
    middle = ROOT.issue("Their CA", "Others", ca=True)
    crossed = Party.root("Another Root", "Others").issue("Their Root", "Others", ca=True, key=ROOT.key)

    async def story(desk: Desk) -> None:
        await desk.ask(calls.ImportIssuer("theirs", "csms", middle.pem, ROOT.pem), calls.IssuerImported)
        await desk.ask(calls.AddAnchor(crossed.pem, "station"), calls.Done)

    with pytest.raises(BollardError, match=r"anchor\.refused"):
        at_the_desk(home, story)


def test_our_root_serves_a_csms_all_the_same(home: Home) -> None:
    """Behind us may stand what has a server certificate from our own hands."""

    async def story(desk: Desk) -> int:
        issuers = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        await desk.ask(calls.AddAnchor(issuers[0].pem, "csms"), calls.Done)
        return len((await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors)

    assert at_the_desk(home, story) == 1


INSTALLED = ("V2GRootCertificate", "MORootCertificate", "OEMRootCertificate")


@pytest.mark.parametrize("purpose", INSTALLED)
def test_a_root_for_cars_is_known_by_the_standards_name_for_it(home: Home, purpose: str) -> None:
    """For that alone; it has no vendor, and is taken back by the same name."""

    async def story(desk: Desk) -> tuple[list[str], int]:
        with pytest.raises(BollardError, match=r"anchor\.vendor"):
            await desk.ask(calls.AddAnchor(ROOT.pem, purpose, "Volta"), calls.Done)
        await desk.ask(calls.AddAnchor(ROOT.pem, purpose), calls.Done)
        found = (await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors
        await desk.ask(calls.RemoveAnchor(KEY_ID, purpose), calls.Done)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        return [row.purpose for row in found], len((await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors)

    assert at_the_desk(home, story) == ([purpose], 0)


@pytest.mark.parametrize("name", ["root", "csms", "station"])
def test_our_own_authority_is_no_root_for_cars(home: Home, name: str) -> None:
    """What it issues to stations would be shown to cars, or pay for a charge; its own command makes one for cars."""

    async def story(desk: Desk) -> list[str]:
        issuers = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        own = next(issuer for issuer in issuers if issuer.name == name)
        found = []
        for purpose in INSTALLED:
            with pytest.raises(BollardError) as refused:
                await desk.ask(calls.AddAnchor(own.pem, purpose), calls.Done)
            found.append(refused.value.findings[0].code)
        return found

    assert at_the_desk(home, story) == ["anchor.own"] * 3


def test_the_root_above_a_hierarchy_for_cars_may_be_one_for_something_else_too(home: Home) -> None:
    """As that of a provider whose root is a V2G root, and the root of carmakers."""

    async def story(desk: Desk) -> int:
        await desk.ask(calls.CreateIssuer("cars", "v2g", edition="2"), calls.IssuersCreated)
        issuers = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        own = next(issuer for issuer in issuers if issuer.purpose == "v2g-root")
        await desk.ask(calls.AddAnchor(own.pem, "OEMRootCertificate"), calls.Done)
        return len((await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors)

    assert at_the_desk(home, story) == 1


def test_watchers_know_every_key_of_ours(home: Home) -> None:
    """Those let go too, and no one else's: what one of them signed counts only if it is in the ledger."""
    middle = ROOT.issue("Their CA", "Others", ca=True)

    async def story() -> list[calls.News]:
        office = await Office.open(home)
        watcher = await office.watch()
        await office.handle(calls.ImportIssuer("theirs", "station", middle.pem, ROOT.pem), WHO)
        await office.handle(calls.RetireIssuer("theirs"), WHO)
        heard = [await watcher.next() for _ in range(4)]
        await office.close()
        return heard

    heard = asyncio.run(story())
    known = [set(news.own_keys) for news in heard if isinstance(news, calls.Snapshot | calls.TrustChanged)]
    assert key_id(middle.certificate) not in known[0]
    assert all(key_id(middle.certificate) in keys and key_id(ROOT.certificate) not in keys for keys in known[1:])
    assert len(known) == 3


def test_a_key_trusted_for_two_vendors_is_taken_from_the_one_that_is_named(home: Home) -> None:
    """Nobody loses it in silence: without a name both are named, and neither loses it."""

    async def story(desk: Desk) -> tuple[str, list[str]]:
        for vendor in ("Ampere", "Volta"):
            await desk.ask(calls.AddAnchor(ROOT.pem, "firmware", vendor), calls.Done)
        with pytest.raises(BollardError, match="'Ampere', 'Volta'") as refused:
            await desk.ask(calls.RemoveAnchor(KEY_ID, "firmware"), calls.Done)
        with pytest.raises(BollardError, match=r"anchor\.unknown"):
            await desk.ask(calls.RemoveAnchor(KEY_ID, "firmware", "Nobody"), calls.Done)
        assert len((await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors) == 2
        await desk.ask(calls.RemoveAnchor(KEY_ID, "firmware", "Ampere"), calls.Done)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        left = (await desk.ask(calls.ListAnchors(), calls.Anchors)).anchors
        return refused.value.code, [row.vendor for row in left]

    assert at_the_desk(home, story) == ("anchor.vendors", ["Volta"])


def test_a_key_trusted_for_two_vendors_leaves_an_entry_for_each(home: Home) -> None:
    """What the log does not tell did not happen."""

    async def story(desk: Desk) -> list[str]:
        for vendor in ("Ampere", "Volta"):
            await desk.ask(calls.AddAnchor(ROOT.pem, "firmware", vendor), calls.Done)
        await desk.ask(calls.RemoveAnchor(KEY_ID, "firmware", all_vendors=True), calls.Done)
        rows = (await desk.ask(calls.ListAudit(limit=2), calls.AuditRows)).rows
        entries = [json.loads(row.entry) for row in rows]
        assert {entry["act"] for entry in entries} == {"anchor.removed"}
        return [entry["what"]["vendor"] for entry in entries]

    assert at_the_desk(home, story) == ["Ampere", "Volta"]
