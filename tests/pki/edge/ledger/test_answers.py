"""OCSP answers in the ledger: a row each, the newest kept, none that is no longer true."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pki.edge.ledger import answers, certificates
from pki.ocsp import Standing
from pki.revocation import Reason
from tests.pki.edge.ledger.ledgers import THEN, certificate, empty_ledger

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KEY = b"i" * 32
END = THEN + dt.timedelta(hours=12)


def draft(cert_id: bytes = b"id") -> answers.Draft:
    """An answer about to be signed."""
    return answers.Draft(KEY, "1a", cert_id, THEN, END, b"d" * 32)


def test_standing_is_that_of_the_ledger(tmp_path: Path) -> None:
    """What is only intended was never issued; what was abandoned counts as revoked from its beginning."""
    moment = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    with empty_ledger(tmp_path) as ledger:
        assert answers.standing(ledger, KEY, "1a") is None
        numbers = {serial: certificates.intend(ledger, certificate(serial), b"tbs") for serial in ("1a", "1b")}
        assert answers.standing(ledger, KEY, "1a") is None
        certificates.seal(ledger, numbers["1a"], b"der")
        assert answers.standing(ledger, KEY, "1a") == Standing()
        found = certificates.by_serial(ledger, "1a")
        certificates.revoke(ledger, found, Reason.CERTIFICATE_HOLD, "2026-02-01T00:00:00Z")
        assert answers.standing(ledger, KEY, "1a") == Standing(moment, Reason.CERTIFICATE_HOLD)
        certificates.abandon(ledger, numbers["1b"])
        assert answers.standing(ledger, KEY, "1b") == Standing(THEN)
        assert answers.standing(ledger, b"j" * 32, "1a") is None


def test_the_newest_answer_is_kept_and_one_for_a_single_asker_is_not(tmp_path: Path) -> None:
    """Of both there is a row."""
    with empty_ledger(tmp_path) as ledger:
        for body in (b"first", b"second"):
            assert answers.seal(ledger, answers.intend(ledger, draft()), draft(), body)
        assert answers.seal(ledger, answers.intend(ledger, draft(b"")), draft(b""), b"live")
        assert answers.kept(ledger, b"id") == answers.Kept(b"second", THEN, END)
        assert answers.count(ledger, KEY) == 1
        assert ledger.execute("SELECT count(*) FROM ocsp_answer").fetchone()[0] == 3


def test_a_change_of_status_ends_what_is_kept_and_what_is_being_signed(tmp_path: Path) -> None:
    """The one that is being signed cannot be kept any more, and is not given."""
    with empty_ledger(tmp_path) as ledger:
        answers.seal(ledger, answers.intend(ledger, draft()), draft(), b"der")
        under_way = answers.intend(ledger, draft())
        answers.drop(ledger, KEY, "1a")
        assert answers.kept(ledger, b"id") is None
        assert not answers.seal(ledger, under_way, draft(), b"der")


def test_rows_are_deleted_after_their_end_and_strangers_rows_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest of those that nobody keeps go once there are too many."""
    monkeypatch.setattr(answers, "LIVE_MOST", 5)
    with empty_ledger(tmp_path) as ledger:
        answers.seal(ledger, answers.intend(ledger, draft()), draft(), b"der")
        for _ in range(answers.LIVE_MOST + 5):
            answers.seal(ledger, answers.intend(ledger, draft(b"")), draft(b""), b"")
        answers.prune(ledger, END)
        assert ledger.execute("SELECT count(*) FROM ocsp_answer").fetchone()[0] == answers.LIVE_MOST + 1
        answers.intend(ledger, draft())
        answers.prune(ledger, END + dt.timedelta(seconds=1))
        assert ledger.execute("SELECT status FROM ocsp_answer").fetchall() == [("intended",)]
        answers.sweep(ledger)
        answers.prune(ledger, END + dt.timedelta(seconds=1))
        assert ledger.execute("SELECT count(*) FROM ocsp_answer").fetchone()[0] == 0
