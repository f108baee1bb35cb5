"""What was intended and came to nothing is given up: at once, or in the first round after the disk takes it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NoReturn

import pytest

from pki import listing
from pki import ocsp as forms
from pki.edge import calls
from pki.edge.office import issuing, settling
from pki.errors import BollardError, RefusedError
from tests.faults import BROKEN, FULL, failing_disk
from tests.stories.test_no_write_that_fails_lets_a_signature_out import question
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.commit import Tx
    from pki.edge.home import Home
    from tests.worlds import Desk

PAPER = Paper.of(1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def states(home: Home, table: str) -> list[str]:
    """The states of what was made last."""
    with closing(sqlite3.connect(home.ledger)) as ledger:
        return [row[0] for row in ledger.execute(f"SELECT status FROM {table} ORDER BY id DESC LIMIT 1")]  # noqa: S608


async def entries(desk: Desk, act: str) -> int:
    """How often the log tells of an act."""
    rows = (await desk.ask(calls.ListAudit(first=0, limit=1000), calls.AuditRows)).rows
    return [json.loads(row.entry)["act"] for row in rows].count(act)


@pytest.mark.parametrize(("problem", "code"), [(FULL, "ledger.full"), (BROKEN, "ledger.failed")])
def test_what_cannot_be_recorded_is_given_up_when_it_can_be(
    home: Home, monkeypatch: pytest.MonkeyPatch, problem: int, code: str
) -> None:
    """The disk fails between the two records of an issuance. The error says that a row is left; a round clears it."""

    async def story(desk: Desk) -> None:
        await desk.ask(PAPER.add, calls.StationAdded)
        monkeypatch.setattr(issuing, "reach", lambda point: disk.fail(problem) if point == "issue.signed" else None)
        with pytest.raises(BollardError, match="stays intended until that can be recorded") as refused:
            await desk.ask(PAPER.issue, calls.CertificateIssued)
        assert refused.value.code == code
        await desk.office.tend()
        assert states(home, "certificate") == ["intended"]
        disk.heal()
        for _ in range(2):
            await desk.office.tend()
            assert states(home, "certificate") == ["abandoned"]
            assert await entries(desk, "certificate.abandoned") == 1
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    with failing_disk(home.path) as disk:
        at_the_desk(home, story)


def _fail(*_: object) -> NoReturn:
    raise RefusedError("crl.key", "the key at hand is not the one in the issuer's certificate", "")


def _crash(*_: object) -> NoReturn:
    raise RuntimeError("a token's driver has a fault")


@pytest.mark.parametrize("fault", [_fail, _crash])
def test_a_list_that_cannot_be_signed_is_given_up_at_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    """Not at the next start; and the list after it is signed as ever."""

    async def story(desk: Desk) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(listing, "seal", fault)
            with pytest.raises((RefusedError, RuntimeError)):
                await desk.ask(calls.SignCrls("root", now=True), calls.Crls)
        assert states(home, "crl") == ["abandoned"]
        assert await entries(desk, "crl.abandoned") == 1
        await desk.ask(calls.SignCrls("root", now=True), calls.Crls)
        assert states(home, "crl") == ["valid"]
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)


@pytest.mark.parametrize("fault", [_fail, _crash])
def test_an_answer_that_cannot_be_signed_is_given_up_at_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    """And whoever asks again is answered."""

    async def story(desk: Desk) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(forms, "seal", fault)
            with pytest.raises((RefusedError, RuntimeError)):
                await desk.ask(question(home), calls.OcspAnswer)
        assert states(home, "ocsp_answer") == ["abandoned"]
        await desk.ask(question(home), calls.OcspAnswer)
        assert states(home, "ocsp_answer") == ["valid"]

    at_the_desk(home, story)


def test_of_several_that_wait_each_is_recorded_once(home: Home) -> None:
    """Whoever gives one up has the others recorded too, and nothing waits after."""
    recorded: list[str] = []

    async def story(desk: Desk) -> None:
        inner = desk.office._desk

        def note(name: str) -> None:
            def act(_: Tx) -> None:
                recorded.append(name)

            inner.memory.lost.append(act)

        for name in ("a", "b"):
            note(name)
        await settling.give_up(inner, lambda _: recorded.append("c"))
        await settling.settle(inner)
        assert inner.memory.lost == []

    at_the_desk(home, story)
    assert recorded == ["a", "b", "c"]
