"""A certificate's row goes its way step by step, and no step can be taken twice or out of order."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.certificate import key_id
from pki.edge.clock import stamp
from pki.edge.ledger import certificates, stations
from pki.errors import ConflictError, NotFoundError
from pki.holding import Holding, Keeper, KeyState
from pki.revocation import Reason
from tests.pki.edge.ledger.ledgers import LATER, THEN, certificate, empty_ledger, station
from tests.pki.papers import leaf

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


TBS = leaf().certificate.tbs_certificate_bytes
KEY = key_id(leaf().certificate)
NOW = stamp(THEN)


def record(ledger: Database, owner: str = "CP-1", **changes: object) -> int:
    """A row of the certificate above, valid, with other fields than usual."""
    row = msgspec.structs.replace(certificate(owner=owner), **changes)
    number = certificates.intend(ledger, row, TBS)
    certificates.seal(ledger, number, b"der")
    return number


@pytest.mark.parametrize(
    ("asker", "holder"),
    [
        ({"station": "CP-1"}, ""),
        ({"station": "CP-2"}, "the station CP-1"),
        ({"purpose": "station", "subject": "CN=x"}, "the station CP-1"),
        ({}, "the station CP-1"),
    ],
)
def test_a_key_is_that_of_whoever_has_a_live_certificate_of_it(
    tmp_path: Path, asker: dict[str, str], holder: str
) -> None:
    """A00.FR.427; what has ended, or was revoked for another reason than its key, holds nothing any more."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        number = record(ledger)
        assert certificates.other_holder(ledger, KEY, NOW, **asker) == holder
        assert certificates.other_holder(ledger, KEY, stamp(LATER), **asker) == ""
        assert certificates.other_holder(ledger, bytes(32), NOW, **asker) == ""
        certificates.revoke(ledger, certificates.by_serial(ledger, "1a"), Reason.SUPERSEDED, NOW)
        assert certificates.other_holder(ledger, KEY, NOW, **asker) == ""
        certificates.hold(ledger, Holding("csms", "csms", "csms", KeyState.OLD, Keeper.HERE), number)
        assert certificates.other_holder(ledger, KEY, NOW, **asker) == "this home itself"


@pytest.mark.parametrize(("purpose", "subject", "same"), [("operator", "CN=x", True), ("ocsp", "CN=x", False)])
def test_who_is_no_station_is_known_by_purpose_and_subject(
    tmp_path: Path, purpose: str, subject: str, *, same: bool
) -> None:
    """The same name for another purpose is another holder."""
    with empty_ledger(tmp_path) as ledger:
        record(ledger, owner="", purpose="operator")
        found = certificates.other_holder(ledger, KEY, NOW, purpose=purpose, subject=subject)
        assert found == ("" if same else "the operator 'CN=x'")


@pytest.mark.parametrize("reason", [Reason.SUPERSEDED, Reason.KEY_COMPROMISE, None])
@pytest.mark.parametrize("asker", ["CP-1", "CP-2"])
def test_the_history_of_a_key_is_what_two_questions_would_say(
    tmp_path: Path, reason: Reason | None, asker: str
) -> None:
    """Whether it was given up, and who else has it; of a key never seen, neither."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        record(ledger)
        if reason:
            certificates.revoke(ledger, certificates.by_serial(ledger, "1a"), reason, NOW)
        for key in (KEY, bytes(32)):
            apart = certificates.is_compromised(ledger, key), certificates.other_holder(ledger, key, NOW, station=asker)
            assert certificates.history(ledger, key, NOW, asker) == apart


def test_a_secc_id_is_found_whole_and_with_other_stations_alone(tmp_path: Path) -> None:
    """One that another begins with is not the same; purposes that no car sees do not count."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        record(ledger, purpose="v2g-secc-20", subject="CN=DEABCS1,O=x")
        assert certificates.secc_id_holder(ledger, "DEABCS1", "CP-2", NOW) == "CP-1"
        assert certificates.secc_id_holder(ledger, "DEABCS1", "CP-1", NOW) == ""
        assert certificates.secc_id_holder(ledger, "DEABCS", "CP-2", NOW) == ""
        assert certificates.secc_id_holder(ledger, "DEABCS1", "CP-2", stamp(LATER)) == ""


def test_keys_and_secc_ids_are_looked_up_by_an_index(tmp_path: Path) -> None:
    """Among a million rows as among ten."""
    with empty_ledger(tmp_path) as ledger:
        plans: list[str] = []
        ledger.conn.set_trace_callback(plans.append)
        certificates.is_compromised(ledger, KEY)
        certificates.other_holder(ledger, KEY, NOW)
        certificates.history(ledger, KEY, NOW, "CP-1")
        certificates.secc_id_holder(ledger, "DEABCS1", "CP-1", NOW)
        ledger.conn.set_trace_callback(None)
        told = [" ".join(row[3] for row in ledger.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()) for sql in plans]
    assert [plan.count("certificate_key") for plan in told] == [1, 1, 2, 0]
    assert "certificate_secc" in told[3]
