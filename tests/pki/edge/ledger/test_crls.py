"""Lists of revoked certificates in the ledger: numbers that only grow, and changes that are struck out once listed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pki.edge.ledger import certificates, crls
from pki.errors import ConflictError, NotFoundError
from pki.revocation import Reason
from tests.pki.edge.ledger.ledgers import LATER, THEN, certificate, empty_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

KEY = b"i" * 32
MOMENT = "2026-02-01T00:00:00Z"


def draft(number: int, shard: int = 0, seen: int = 0) -> crls.Draft:
    """A list about to be signed."""
    return crls.Draft(KEY, shard, number, THEN, THEN + dt.timedelta(days=1), 0, b"d" * 32, b"tbs", seen)


def revoked(ledger: Database, serial: str, end: dt.datetime = LATER) -> None:
    """A certificate that was revoked."""
    number = certificates.intend(ledger, certificate(serial, end=end), b"tbs")
    certificates.seal(ledger, number, b"der")
    certificates.revoke(ledger, certificates.by_serial(ledger, serial), Reason.SUPERSEDED, MOMENT)
    crls.changed(ledger, KEY, serial)


def test_a_number_that_does_not_grow_is_refused(tmp_path: Path) -> None:
    """Not even one that was only intended is used again."""
    with empty_ledger(tmp_path) as ledger:
        crls.abandon(ledger, crls.intend(ledger, draft(7)))
        for number in (6, 7):
            with pytest.raises(ConflictError, match=r"crl\.number"):
                crls.intend(ledger, draft(number))
        crls.intend(ledger, draft(8))
        crls.intend(ledger, draft(1, shard=1))


def test_a_sealed_list_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """Its body can be had, the former's is gone; one that was given up cannot be sealed."""
    with empty_ledger(tmp_path) as ledger:
        with pytest.raises(NotFoundError, match=r"crl\.none"):
            crls.body(ledger, KEY, 0)
        for number in (1, 2):
            crls.seal(ledger, crls.intend(ledger, draft(number)), draft(number), 32, b"der %d" % number)
        assert crls.body(ledger, KEY, 0)[1] == b"der 2"
        assert [row.number for row in crls.valid(ledger)] == [2]
        lost = crls.intend(ledger, draft(3))
        assert [row.number for row in crls.intended(ledger)] == [3]
        crls.abandon(ledger, lost)
        with pytest.raises(ConflictError, match=r"crl\.state"):
            crls.seal(ledger, lost, draft(3), 32, b"der 3")


def test_a_change_stays_due_until_a_list_of_its_shard_has_it(tmp_path: Path) -> None:
    """One that comes while the list is written is not struck out by it."""
    with empty_ledger(tmp_path) as ledger:
        revoked(ledger, "1a")
        revoked(ledger, "1b")
        seen, ends = crls.changes(ledger, KEY)
        assert ends == {0x1A, 0x1B}
        revoked(ledger, "3a")
        crls.seal(ledger, crls.intend(ledger, draft(1, 0x1A, seen)), draft(1, 0x1A, seen), 32, b"der")
        assert crls.changes(ledger, KEY)[1] == {0x1B, 0x3A}


def test_entries_are_those_of_the_shard_that_have_not_ended_before_the_last_list(tmp_path: Path) -> None:
    """Shards by the end of the serial, also of a short one; all of them together is everything."""
    with empty_ledger(tmp_path) as ledger:
        for serial in ("a", "1a", "2a", "3b"):
            revoked(ledger, serial)
        revoked(ledger, "4a", end=THEN + dt.timedelta(days=1))
        found = {shard: {entry.serial for entry in crls.entries(ledger, KEY, shard, 32, "")} for shard in range(32)}
        assert {shard: each for shard, each in found.items() if each} == {10: {0xA, 0x2A, 0x4A}, 26: {0x1A}, 27: {0x3B}}
        assert {entry.serial for entry in crls.entries(ledger, KEY, crls.ALL, 32, "")} == set().union(*found.values())
        last = "2026-02-01T00:00:01Z"
        assert {entry.serial for entry in crls.entries(ledger, KEY, 10, 32, last)} == {0xA, 0x2A}


def test_shards_are_fixed_once(tmp_path: Path) -> None:
    """Their number stands in certificates, by the address of each."""
    with empty_ledger(tmp_path) as ledger:
        assert crls.shards(ledger, KEY) == 0
        assert crls.fix_shards(ledger, KEY, 32) == 32
        assert crls.fix_shards(ledger, KEY, 1) == 32
        for url in ("http://a", "http://b", "http://a"):
            crls.add_base(ledger, url)
        assert crls.bases(ledger) == ("http://b", "http://a")
