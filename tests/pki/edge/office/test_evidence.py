"""The authority hands out evidence that others can check, and none that does not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.checkpoint import read_public_key
from pki.edge import calls
from pki.errors import BollardError, InputError, RefusedError
from pki.proof import read_proof
from tests.pki.edge.office.test_records import tamper
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


async def grown(desk: Desk) -> calls.Checkpoint:
    """Sign the log, then let it grow by two stations; what was signed."""
    signed = await desk.ask(calls.MakeCheckpoint(), calls.Checkpoint)
    for number in (1, 2):
        await desk.ask(Paper.of(number).add, calls.StationAdded)
    return signed


def test_proofs_hold_under_the_key_that_the_log_describes(tmp_path: Path) -> None:
    """Of an entry now, of one under an older checkpoint, and of growth since then."""

    async def story(desk: Desk) -> list[int]:
        older = await grown(desk)
        told = await desk.ask(calls.DescribeAudit(), calls.AuditDescribed)
        asked: list[calls.Call] = [
            calls.ProveEntry(older.size + 1),
            calls.ProveEntry(0, older.text),
            calls.ProveGrowth(older.text),
        ]
        proofs = [read_proof((await desk.ask(call, calls.AuditProof)).text) for call in asked]
        return [proof.check(read_public_key(told.public_key))[0] - older.size for proof in proofs]

    assert at_the_desk(make_home(tmp_path), story) == [2, 0, 2]


def test_a_description_counts_what_an_export_will_hold(tmp_path: Path) -> None:
    """Checkpoints over fewer entries are left out with those entries."""

    async def story(desk: Desk) -> None:
        older = await grown(desk)
        told = await desk.ask(calls.DescribeAudit(older.size + 1), calls.AuditDescribed)
        listed = await desk.ask(calls.ListCheckpoints(older.size + 1), calls.Checkpoints)
        assert (told.first, told.size, told.checkpoints) == (older.size + 1, older.size + 2, 1)
        assert [each.size for each in listed.checkpoints] == [told.size]
        assert len(told.frontier) == told.first.bit_count()

    at_the_desk(make_home(tmp_path), story)


@pytest.mark.parametrize(
    "call",
    [
        calls.ProveEntry(10_000),
        calls.ProveEntry(-1),
        calls.DescribeAudit(10_000),
        calls.DescribeAudit(-1),
        calls.ListCheckpoints(limit=0),
        calls.ListCheckpoints(first=-1),
    ],
)
def test_what_is_not_there_is_a_wrong_question(tmp_path: Path, call: calls.Call) -> None:
    """Never an accident of ours."""

    async def story(desk: Desk) -> None:
        await desk.ask(call, calls.Row)

    with pytest.raises(InputError, match=r"audit\.range"):
        at_the_desk(make_home(tmp_path), story)


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE audit SET entry = replace(entry, 'CP-001', 'CP-666') WHERE "index" = 13""",
        """UPDATE audit SET leaf = zeroblob(32) WHERE "index" = 5""",
        """DELETE FROM audit WHERE "index" = 13""",
    ],
)
def test_no_proof_is_handed_out_that_would_not_hold(tmp_path: Path, statement: str) -> None:
    """An altered log is refused here as well, before a stranger finds it."""
    home = make_home(tmp_path)
    at_the_desk(home, grown)
    tamper(home, statement)

    async def story(desk: Desk) -> None:
        await desk.ask(calls.ProveEntry(13), calls.AuditProof)

    with pytest.raises(RefusedError, match=r"audit\."):
        at_the_desk(home, story)


def test_a_checkpoint_of_another_log_proves_nothing_here(tmp_path: Path) -> None:
    """Nor does text that is no checkpoint, nor an older one that was left out."""
    for text in ("", "nothing"):

        async def story(desk: Desk, text: str = text) -> None:
            await desk.ask(calls.ProveGrowth(text), calls.AuditProof)

        with pytest.raises(BollardError, match=r"audit\.checkpoint"):
            at_the_desk(make_home(tmp_path / (text or "empty")), story)
