"""Lists of revoked certificates: when they are signed, what stands on them, and that their numbers only grow."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.certificate import key_id
from pki.edge import calls, clock
from pki.edge.ledger.crls import changed as listed_anew
from pki.edge.office import crls
from pki.edge.office.crls import sign_due_crls
from pki.errors import BollardError, ConflictError, NotFoundError
from pki.holding import Keeper
from pki.services import SHARDS
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

PAPER = Paper.of(1)
EVERY = 1 + 2 * SHARDS  # the root's one and the shards of two issuing authorities


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that serves status."""
    return make_home(tmp_path, status=True)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Clock]:
    """A clock that can be put ahead."""
    moved = _Clock(clock.now())
    monkeypatch.setattr(clock, "now", lambda: moved.now)
    return moved  # type: ignore[return-value]  # pytest takes a plain value as well


class _Clock:
    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self, **delta: float) -> None:
        self.now += dt.timedelta(**delta)


async def issued(desk: Desk, paper: Paper = PAPER) -> x509.Certificate:
    """A station's certificate."""
    await desk.ask(paper.add, calls.StationAdded)
    return x509.load_pem_x509_certificates((await desk.ask(paper.issue, calls.CertificateIssued)).chain.encode())[0]


async def listed(desk: Desk, leaf: x509.Certificate) -> tuple[x509.RevokedCertificate | None, int]:
    """What the list that a certificate points to says of it, and the list's number."""
    shard = leaf.serial_number % SHARDS
    found = await desk.ask(calls.FetchCrl("station", shard), calls.Crl)
    parsed = x509.load_der_x509_crl(found.der)
    assert parsed.is_signature_valid(desk.office._desk.mine("station").certificate.public_key())  # type: ignore[arg-type]  # ECDSA
    assert parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == found.row.number
    place = parsed.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert place.critical
    assert place.value.full_name == points[0].full_name
    return parsed.get_revoked_certificate_by_serial_number(leaf.serial_number), found.row.number


def test_every_shard_of_every_authority_has_a_list_from_the_start(home: Home) -> None:
    """So that nobody who checks finds nothing; and what is fresh is not signed again."""

    async def story(desk: Desk) -> None:
        assert await sign_due_crls(desk.office._desk) == EVERY
        assert await sign_due_crls(desk.office._desk) == 0
        assert await listed(desk, await issued(desk)) == (None, (await listed(desk, await issued_again(desk)))[1])

    async def issued_again(desk: Desk) -> x509.Certificate:
        rows = (await desk.ask(calls.ListCertificates(station="CP-001"), calls.Certificates)).certificates
        issued = await desk.ask(PAPER.issue, calls.CertificateIssued)
        assert rows
        return x509.load_pem_x509_certificates(issued.chain.encode())[0]

    at_the_desk(home, story)


def test_a_change_is_on_its_list_after_the_next_round_and_no_other_list_is_touched(home: Home) -> None:
    """Held, released, revoked: each time one signature, with a higher number."""

    async def story(desk: Desk) -> None:
        mine, leaf = desk.office._desk, await issued(desk)
        serial, seen = f"{leaf.serial_number:x}", list[tuple[object, int]]()
        await sign_due_crls(mine)
        for call in (
            calls.RevokeCertificate(serial, "hold"),
            calls.ReleaseCertificate(serial),
            calls.RevokeCertificate(serial, "key_compromise"),
        ):
            await desk.ask(call, calls.Done)
            assert await sign_due_crls(mine) == 1
            entry, number = await listed(desk, leaf)
            seen.append((entry and entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.name, number))
        assert [reason for reason, _ in seen] == ["certificate_hold", None, "key_compromise"]
        assert sorted({number for _, number in seen}) == [number for _, number in seen]
        await desk.ask(calls.SignCrls("station", now=True), calls.Crls)
        assert (await listed(desk, leaf))[0] is not None  # it stays

    at_the_desk(home, story)


def test_many_changes_cost_one_signature_a_shard(home: Home) -> None:
    """Never a list for each revocation."""

    async def story(desk: Desk) -> None:
        await sign_due_crls(desk.office._desk)
        shards = set()
        for number in range(12):
            leaf = await issued(desk, Paper.of(number))
            await desk.ask(calls.RevokeCertificate(f"{leaf.serial_number:x}"), calls.Done)
            shards.add(leaf.serial_number % SHARDS)
        assert await sign_due_crls(desk.office._desk) == len(shards)
        assert sum(row.entries for row in (await desk.ask(calls.ListCrls("station"), calls.Crls)).crls) == 12

    at_the_desk(home, story)


def test_an_abandoned_certificate_is_listed(home: Home) -> None:
    """Its signature may exist, though nobody got it: it counts as revoked."""

    async def story(desk: Desk) -> None:
        mine, leaf = desk.office._desk, await issued(desk)
        serial = f"{leaf.serial_number:x}"
        sql = "UPDATE certificate SET status = 'abandoned', der = NULL WHERE serial = :serial"
        await mine.ledger.write(lambda tx: tx.database.execute(sql, {"serial": serial}))
        await sign_due_crls(mine)
        assert (await listed(desk, leaf))[0] is not None

    at_the_desk(home, story)


def test_lists_are_signed_anew_at_half_their_life(home: Home, later: _Clock) -> None:
    """Even when nothing changed; the root's lives longer."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await sign_due_crls(mine)
        later(hours=11, minutes=59)
        assert await sign_due_crls(mine) == 0
        later(minutes=1)
        assert await sign_due_crls(mine) == EVERY - 1
        later(days=3)
        assert await sign_due_crls(mine) == EVERY
        rows = (await desk.ask(calls.ListCrls("root"), calls.Crls)).crls
        assert [row.next_update - row.this_update for row in rows] == [crls.ROOT_LIFE]

    at_the_desk(home, story)


def test_a_revoked_certificate_is_on_one_list_at_least_that_was_signed_after_its_end(home: Home, later: _Clock) -> None:
    """RFC 5280 3.3, also when it was revoked in the last moment; then it goes, or lists would grow for ever."""

    async def story(desk: Desk) -> None:
        mine, leaf = desk.office._desk, await issued(desk)
        await sign_due_crls(mine)
        later(days=365 - 1 / 24)
        await desk.ask(calls.RevokeCertificate(f"{leaf.serial_number:x}"), calls.Done)
        later(hours=2)
        assert later.now > leaf.not_valid_after_utc
        await sign_due_crls(mine)
        assert (await listed(desk, leaf))[0] is not None
        later(hours=12)
        await sign_due_crls(mine)
        assert (await listed(desk, leaf))[0] is None

    at_the_desk(home, story)


def test_numbers_grow_though_the_clock_goes_back_and_jump_ahead_of_a_ledger_that_was_restored(
    home: Home, later: _Clock, tmp_path: Path
) -> None:
    """A relying party that saw a list never takes a later one for an older."""
    numbers = []

    async def story(desk: Desk) -> None:
        await desk.ask(calls.SignCrls("station", now=True), calls.Crls)
        numbers.append((await desk.ask(calls.FetchCrl("station", 3), calls.Crl)).row.number)

    at_the_desk(home, story)
    backup = home.ledger.read_bytes()
    later(seconds=-3600)
    at_the_desk(home, story)
    assert numbers[1] == numbers[0] + 1
    later(seconds=7200)
    at_the_desk(home, story)
    for leftover in tmp_path.glob("home/ledger.db-*"):
        leftover.unlink()
    home.ledger.write_bytes(backup)
    later(seconds=60)
    at_the_desk(home, story)
    assert sorted(set(numbers)) == numbers


def test_one_list_of_all_has_everything_and_names_no_shard(home: Home) -> None:
    """For relying parties that take one file; it is signed when asked for."""

    async def story(desk: Desk) -> None:
        serials = set()
        for number in range(3):
            leaf = await issued(desk, Paper.of(number))
            serials.add(leaf.serial_number)
            await desk.ask(calls.RevokeCertificate(f"{leaf.serial_number:x}"), calls.Done)
        await desk.ask(calls.SignCrls("station", whole=True), calls.Crls)
        found = x509.load_der_x509_crl((await desk.ask(calls.FetchCrl("station", -1), calls.Crl)).der)
        assert {entry.serial_number for entry in found} == serials
        with pytest.raises(x509.ExtensionNotFound):
            found.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
        assert len(await _due(desk)) == len({serial % SHARDS for serial in serials} | set(range(SHARDS)))

    async def _due(desk: Desk) -> tuple[int, ...]:
        mine = desk.office._desk
        own = mine.mine("station")
        return await mine.ledger.read(lambda database: crls._due(database, own, SHARDS))

    at_the_desk(home, story)


def test_an_address_of_old_stays_in_the_lists(home: Home) -> None:
    """Certificates that name it find themselves still meant (RFC 5280 6.3.3)."""
    at_the_desk(home, _sign)
    text = home.settings.read_text()
    home.settings.write_text(text.replace("http://csms.example.org:8480", "http://status.example.org"))

    async def story(desk: Desk) -> None:
        leaf = await issued(desk)
        await desk.ask(calls.SignCrls("station", now=True), calls.Crls)
        found = x509.load_der_x509_crl((await desk.ask(calls.FetchCrl("station", 0), calls.Crl)).der)
        place = found.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
        assert [name.value.removesuffix("/crl/station/0.crl") for name in place.full_name or ()] == [
            "http://status.example.org",
            "http://csms.example.org:8480",
        ]
        assert "http://status.example.org/crl/station" in str(leaf.extensions)

    at_the_desk(home, story)


async def _sign(desk: Desk) -> None:
    await sign_due_crls(desk.office._desk)


def test_lists_that_do_not_exist_are_not_found(home: Home) -> None:
    """Neither of an authority nor of a shard."""

    async def story(desk: Desk) -> None:
        for call in (calls.FetchCrl("nobody", 0), calls.FetchCrl("station", 0), calls.FetchCrl("station", 99)):
            with pytest.raises(NotFoundError, match=r"crl\.none"):
                await desk.ask(call, calls.Crl)
        with pytest.raises(NotFoundError, match=r"issuer\.unknown"):
            await desk.ask(calls.ListCrls("nobody"), calls.Crls)

    at_the_desk(home, story)


def test_the_pruned_body_goes_and_the_record_stays(home: Home) -> None:
    """Every list ever signed can be accounted for; only the newest can be fetched."""

    async def story(desk: Desk) -> None:
        for _ in range(3):
            await desk.ask(calls.SignCrls("root", now=True), calls.Crls)
        sql = "SELECT status, der IS NOT NULL FROM crl ORDER BY number"
        rows = await desk.office._desk.ledger.read(lambda database: database.execute(sql).fetchall())
        assert rows == [("superseded", 0), ("superseded", 0), ("valid", 1)]

    at_the_desk(home, story)


def test_without_an_address_there_is_one_list_of_all(tmp_path: Path) -> None:
    """A shard that does not say so of itself would pass for the whole, and hide what stands on the others."""

    async def story(desk: Desk) -> None:
        await desk.ask(PAPER.add, calls.StationAdded)
        row = (await desk.ask(PAPER.issue, calls.CertificateIssued)).certificate
        await desk.ask(calls.RevokeCertificate(row.serial), calls.Done)
        assert await sign_due_crls(desk.office._desk) == 0
        signed = (await desk.ask(calls.SignCrls("station", now=True), calls.Crls)).crls
        assert [(each.shard, each.entries, each.url) for each in signed] == [(-1, 1, "")]

    at_the_desk(make_home(tmp_path), story)


def test_an_authority_whose_key_lies_elsewhere_is_told_apart(home: Home) -> None:
    """Asked for by name it is an error; among all it is passed over."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        root = mine.own["root"]
        mine.own["root"] = replace(root, holding=replace(root.holding, keeper=Keeper.ELSEWHERE))
        with pytest.raises(ConflictError, match=r"crl\.elsewhere"):
            await desk.ask(calls.SignCrls("root", now=True), calls.Crls)
        assert await sign_due_crls(mine) == EVERY - 1

    at_the_desk(home, story)


def test_an_issuer_that_cannot_sign_keeps_no_other_from_it(home: Home) -> None:
    """Its key is away, as one in a token may be: the others' revocations are listed, the doctor knows, and with the key
    its list is back."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        leaf = await issued(desk)
        await sign_due_crls(mine)
        key = mine.home.keys / "csms.pem"
        key.rename(key.with_suffix(".away"))
        mine.keys._open.pop("csms", None)
        serial = f"{leaf.serial_number:x}"
        await desk.ask(calls.RevokeCertificate(serial), calls.Done)
        server = mine.own["server-rsa"].serial
        await mine.ledger.write(lambda tx: listed_anew(tx.database, key_id(mine.mine("csms").certificate), server))
        assert await sign_due_crls(mine) == 1
        entry, _ = await listed(desk, leaf)
        assert entry is not None
        told = await desk.ask(calls.Examine(30), calls.Examined)
        assert [(row.what, row.code) for row in told.failed] == [
            ("key of csms", "key.missing"),
            ("revocation list of csms", "key.missing"),
        ]
        key.with_suffix(".away").rename(key)
        assert await sign_due_crls(mine) == 1
        assert (await desk.ask(calls.Examine(30), calls.Examined)).failed == ()

    at_the_desk(home, story)


def test_a_signature_that_fails_leaves_nothing_intended(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that goes away while it signs: each round would leave its rows else."""

    def away(*_: object) -> list[bytes]:
        raise BollardError("hsm.lost", "it is away", "Bring it back.")

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        monkeypatch.setattr(crls, "_seal_each", away)
        assert await sign_due_crls(mine) == 0
        sql = "SELECT status, count(*) FROM crl GROUP BY status"
        rows = await mine.ledger.read(lambda database: database.execute(sql).fetchall())
        assert {status for status, _ in rows} == {"abandoned"}
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)


def test_lists_are_in_the_plan_and_a_missing_or_expired_one_is_critical(home: Home, later: _Clock) -> None:
    """Each issuer's by the shard that ends first; a command signs them, and says how many."""

    async def plan(desk: Desk) -> list[tuple[str, str]]:
        found = (await desk.ask(calls.ShowRotation(), calls.Rotation)).due
        return [(row.name, row.says) for row in found if row.kind == "crl"]

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await desk.ask(calls.Rotate(), calls.Rotated)
        assert await plan(desk) == []
        rows = (await desk.ask(calls.Examine(30), calls.Examined)).expiring
        assert {row.name for row in rows if row.kind == "revocation list of"} == {"root", "csms", "station"}
        later(hours=13)
        assert {name for name, _ in await plan(desk)} == {"csms", "station"}
        assert (await desk.ask(calls.Rotate(), calls.Rotated)).lists == 2 * SHARDS
        await mine.ledger.write(lambda tx: tx.database.execute("DELETE FROM crl WHERE shard = 3"))
        assert {says for _, says in await plan(desk)} == {"no list is there, though certificates point to it"}
        missing = (await desk.ask(calls.Examine(30), calls.Examined)).missing
        assert [(row.what, row.fix) for row in missing] == [
            (f"revocation list of {name}", f"bollard crl publish {name}") for name in ("csms", "station")
        ]

    at_the_desk(home, story)
