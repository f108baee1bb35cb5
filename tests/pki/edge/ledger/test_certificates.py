"""A certificate's row goes its way step by step, and no step can be taken twice or out of order."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge.ledger import certificates
from pki.errors import ConflictError, NotFoundError
from pki.holding import Holding, Keeper, KeyState
from pki.revocation import Reason
from tests.pki.edge.ledger.ledgers import LATER, THEN, certificate, empty_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

STEPS = ("seal", "abandon", "hold", "release", "revoke")


def step(ledger: Database, name: str, number: int) -> None:
    """Take one step."""
    if name == "seal":
        certificates.seal(ledger, number, b"der")
    elif name == "abandon":
        certificates.abandon(ledger, number)
    elif name == "release":
        certificates.release(ledger, number)
    else:
        reason = Reason.CERTIFICATE_HOLD if name == "hold" else Reason.SUPERSEDED
        certificates.revoke(ledger, certificates.by_serial(ledger, "1a"), reason, "2026-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("way", "end"),
    [
        ((), "intended"),
        (("seal",), "valid"),
        (("abandon",), "abandoned"),
        (("seal", "hold"), "held"),
        (("seal", "hold", "release"), "valid"),
        (("seal", "hold", "revoke"), "revoked"),
        (("seal", "revoke"), "revoked"),
    ],
)
def test_each_way_that_is_allowed_ends_in_its_state_and_only_its_next_step_goes_on(
    tmp_path: Path, way: tuple[str, ...], end: str
) -> None:
    """The table of ways, walked: every other step from there is refused and changes nothing."""
    onward = {"intended": {"seal", "abandon"}, "valid": {"hold", "revoke"}, "held": {"release", "revoke"}}.get(
        end, set()
    )
    with empty_ledger(tmp_path) as ledger:
        number = certificates.intend(ledger, certificate(), b"tbs")
        for name in way:
            step(ledger, name, number)
        for name in set(STEPS) - onward:
            with pytest.raises(ConflictError, match=r"certificate\.state"):
                step(ledger, name, number)
        assert certificates.by_serial(ledger, "1a").status == end


def test_a_serial_is_reserved_before_anything_is_signed(tmp_path: Path) -> None:
    """The second intent of one issuer and serial fails; another issuer's is its own."""
    with empty_ledger(tmp_path) as ledger:
        certificates.intend(ledger, certificate(), b"tbs")
        with pytest.raises(ConflictError, match=r"certificate\.serial_taken"):
            certificates.intend(ledger, certificate(), b"other")
        certificates.intend(ledger, msgspec.structs.replace(certificate(), issuer_key_id=b"j" * 32), b"tbs")
        with pytest.raises(ConflictError, match=r"certificate\.ambiguous"):
            certificates.by_serial(ledger, "1a")


def test_what_is_still_intended_is_found(tmp_path: Path) -> None:
    """The sweep at the start relies on it."""
    with empty_ledger(tmp_path) as ledger:
        numbers = [certificates.intend(ledger, certificate(serial), b"tbs") for serial in ("1", "2", "3")]
        certificates.seal(ledger, numbers[1], b"der")
        assert [row.serial for row in certificates.intended(ledger)] == ["1", "3"]


def test_lists_are_filtered_and_sorted_by_their_end(tmp_path: Path) -> None:
    """Soonest first, so that what needs attention stands on top."""
    with empty_ledger(tmp_path) as ledger:
        for serial, days in (("1", 30), ("2", 10), ("3", 20)):
            number = certificates.intend(ledger, certificate(serial, end=THEN + dt.timedelta(days=days)), b"tbs")
        certificates.seal(ledger, number, b"der")
        assert [row.serial for row in certificates.listed(ledger)] == ["2", "3", "1"]
        assert [row.serial for row in certificates.listed(ledger, status="valid")] == ["3"]
        assert [row.serial for row in certificates.listed(ledger, serial="1")] == ["1"]
        before = THEN + dt.timedelta(days=20)
        assert [row.serial for row in certificates.listed(ledger, before=before)] == ["2"]
        assert certificates.listed(ledger, station="CP-1", before=LATER) == []


def test_an_unknown_serial_is_not_found(tmp_path: Path) -> None:
    """It may be somebody else's certificate."""
    with empty_ledger(tmp_path) as ledger, pytest.raises(NotFoundError, match=r"certificate\.unknown"):
        certificates.by_serial(ledger, "1a")


def test_our_own_certificates_come_issuers_first(tmp_path: Path) -> None:
    """In the order in which they were made, with the name of the key."""
    with empty_ledger(tmp_path) as ledger:
        for serial, name, purpose in (("1", "root", "root"), ("2", "csms", "csms")):
            number = certificates.intend(ledger, certificate(serial), b"tbs")
            certificates.seal(ledger, number, serial.encode())
            certificates.hold(ledger, Holding(name, name, purpose), number)
        assert certificates.held(ledger) == [
            certificates.Held("root", "root", "root", KeyState.ACTIVE, Keeper.HERE, b"1"),
            certificates.Held("csms", "csms", "csms", KeyState.ACTIVE, Keeper.HERE, b"2"),
        ]


def test_a_new_key_takes_the_place_of_the_one_in_use(tmp_path: Path) -> None:
    """Of a slot's keys one is active at a time; the former stays on as old."""
    with empty_ledger(tmp_path) as ledger:
        for serial, name in (("1", "csms"), ("2", "csms-2")):
            number = certificates.intend(ledger, certificate(serial), b"tbs")
            certificates.seal(ledger, number, serial.encode())
            certificates.hold(ledger, Holding(name, "csms", "csms"), number)
        assert [(held.name, held.state) for held in certificates.held(ledger)] == [
            ("csms", KeyState.OLD),
            ("csms-2", KeyState.ACTIVE),
        ]


def test_a_key_changes_its_state(tmp_path: Path) -> None:
    """As the office says; the table of steps is its business."""
    with empty_ledger(tmp_path) as ledger:
        number = certificates.intend(ledger, certificate("1"), b"tbs")
        certificates.seal(ledger, number, b"1")
        certificates.hold(ledger, Holding("csms", "csms", "csms", KeyState.NEXT), number)
        certificates.set_state(ledger, "csms", KeyState.ACTIVE)
        assert certificates.held(ledger)[0].holding == Holding("csms", "csms", "csms")


def test_what_ends_soon_is_found_by_an_index_in_its_order(tmp_path: Path) -> None:
    """Of a million certificates, only those that are told are looked at."""
    asked: list[str] = []
    with empty_ledger(tmp_path) as ledger:
        ledger.conn.set_trace_callback(asked.append)
        certificates.listed(ledger, status="valid", after=THEN, before=LATER)
        certificates.count_ending(ledger, THEN, dt.timedelta(days=30))
        ledger.conn.set_trace_callback(None)
        plans = [" ".join(row[3] for row in ledger.execute(f"EXPLAIN QUERY PLAN {sql}")) for sql in asked]
    assert all("certificate_ends" in plan and "SCAN" not in plan for plan in plans)
    assert "TEMP B-TREE" not in plans[0]


def test_an_end_is_bounded_on_both_sides(tmp_path: Path) -> None:
    """What ended already is not about to end."""
    with empty_ledger(tmp_path) as ledger:
        for serial, days in (("1", 1), ("2", 2), ("3", 3)):
            certificates.intend(ledger, certificate(serial, end=THEN + dt.timedelta(days=days)), b"tbs")
        day = dt.timedelta(days=1)
        found = certificates.listed(ledger, after=THEN + day, before=THEN + 3 * day)
        assert [row.serial for row in found] == ["2"]
