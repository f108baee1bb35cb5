"""The pen of the audit log: one entry for each act, a checkpoint when many have passed, and none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.blueprint import CaKeys
from pki.edge.creation import create
from pki.edge.ledger import audit
from pki.edge.office import desk as desk_module
from pki.errors import NotFoundError
from pki.names import Host, Organisation
from pki.strength import Padding
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


def test_checkpoints_come_by_themselves_when_many_entries_have_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An auditor's checkpoint is never far behind, without anybody asking."""
    monkeypatch.setattr(desk_module, "CHECKPOINT_EVERY", 5)

    async def story(desk: Desk) -> list[int]:
        for number in range(12):
            await desk.ask(Paper.of(number).add, calls.StationAdded)
        found = await desk.office._desk.ledger.read(audit.checkpoints)
        return [checkpoint.size for checkpoint in found]

    assert at_the_desk(make_home(tmp_path), story)[-4:] == [13, 15, 20, 25]


def test_nothing_new_is_not_sealed_again(tmp_path: Path) -> None:
    """Starting and stopping all day leaves one checkpoint, not hundreds."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> tuple[calls.Checkpoint, calls.Checkpoint, int]:
        one = await desk.ask(calls.MakeCheckpoint(), calls.Checkpoint)
        two = await desk.ask(calls.MakeCheckpoint(), calls.Checkpoint)
        return one, two, (await desk.ask(calls.VerifyAudit(), calls.AuditVerified)).checkpoints

    one, two, count = at_the_desk(home, story)
    assert one == two
    assert at_the_desk(home, story)[2] == count


def test_a_checkpoint_names_the_log_it_is_of(tmp_path: Path) -> None:
    """By the host of the CSMS, so that two installations' checkpoints are never mixed up."""

    async def story(desk: Desk) -> str:
        return (await desk.ask(calls.MakeCheckpoint(), calls.Checkpoint)).text

    assert at_the_desk(make_home(tmp_path, "one.example.org"), story).startswith("one.example.org/bollard/audit\n13\n")


def test_a_slot_nobody_fills_is_not_found(tmp_path: Path) -> None:
    """Named in the refusal."""

    async def story(desk: Desk) -> None:
        desk.office._desk.active("v2g")

    with pytest.raises(NotFoundError, match=r"issuer\.none.*'v2g'"):
        at_the_desk(make_home(tmp_path), story)


def test_a_chain_is_handed_out_leaf_first_and_without_the_root(tmp_path: Path) -> None:
    """What a peer needs to reach the root that it holds already."""

    async def story(desk: Desk) -> list[list[str]]:
        mine = desk.office._desk
        names = {own.certificate: own.name for own in mine.own.values()}
        return [[names[each] for each in mine.chain(mine.active(slot))] for slot in ("server-rsa", "station", "root")]

    assert at_the_desk(make_home(tmp_path), story) == [["server-rsa", "csms"], ["station"], []]


def test_an_issuer_comes_with_the_padding_of_its_key(tmp_path: Path) -> None:
    """So that no plan forgets it: the key says, and nobody else."""
    chosen = CaKeys.parse("rsa-2048", "pss", "", "", None)
    home = create(tmp_path / "home", Organisation.parse("Example"), Host.parse("localhost"), ca_keys=chosen).home

    async def story(desk: Desk) -> list[Padding]:
        return [desk.office._desk.issuer(name).padding for name in ("root", "station")]

    assert at_the_desk(home, story) == [Padding.PSS, Padding.PSS]


def test_a_key_we_do_not_have_is_not_found(tmp_path: Path) -> None:
    """Named in the refusal."""

    async def story(desk: Desk) -> None:
        desk.office._desk.mine("v2g")

    with pytest.raises(NotFoundError, match=r"issuer\.unknown.*'v2g'"):
        at_the_desk(make_home(tmp_path), story)
