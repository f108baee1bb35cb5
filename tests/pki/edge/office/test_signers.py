"""Signers of OCSP answers come and go by themselves, one for each issuing authority."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING

from cryptography import x509

from pki.certificate import names_issuer
from pki.edge import calls, clock
from pki.edge.keys import KeyKind
from pki.edge.office import rollover, signers
from pki.edge.office.authorities import Wanted, certify
from pki.edge.office.crls import sign_due_crls
from pki.edge.office.signers import renew_signers, signer_of
from pki.errors import RefusedError
from pki.holding import Holding, KeyState
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pki.edge.office.desk import Desk as Office
    from pki.edge.office.issuing import Sealed
    from tests.worlds import Desk


def at(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Set the authority's clock so many days ahead."""
    moment = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_every_issuing_authority_has_a_signer_of_its_own(tmp_path: Path) -> None:
    """Issued by that very authority, for that alone, and not itself to be checked (RFC 6960 4.2.2.2)."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        assert await renew_signers(mine) == 1
        assert await renew_signers(mine) == 0
        for name in ("csms", "station"):
            signer = signer_of(mine, mine.mine(name))
            assert signer is not None
            assert signer.holding.slot == f"ocsp-{name}"
            assert names_issuer(signer.certificate, mine.mine(name).certificate)
            signer.certificate.verify_directly_issued_by(mine.mine(name).certificate)
            assert signer.certificate.extensions.get_extension_for_class(x509.OCSPNoCheck)

    at_the_desk(make_home(tmp_path, status=True), story)


def test_a_signer_is_renewed_at_half_its_life_and_retired_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a new key each time; a restart finds it so."""
    home = make_home(tmp_path, status=True)

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await renew_signers(mine)
        first = signer_of(mine, mine.mine("station"))
        assert first is not None
        at(monkeypatch, 11)
        assert await renew_signers(mine) == 2
        second = signer_of(mine, mine.mine("station"))
        assert second is not None
        assert second.certificate.public_key() != first.certificate.public_key()
        assert mine.own[first.name].holding.state is KeyState.OLD
        at(monkeypatch, 21.5)
        await renew_signers(mine)
        assert mine.own[first.name].holding.state is KeyState.RETIRED

    async def after(desk: Desk) -> None:
        rows = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        assert [row.state for row in rows if row.slot == "ocsp-station"].count("active") == 1

    at_the_desk(home, story)
    at_the_desk(home, after)


def test_a_home_that_serves_no_status_makes_no_signers(tmp_path: Path) -> None:
    """Nobody could ask."""

    async def story(desk: Desk) -> None:
        assert await renew_signers(desk.office._desk) == 0

    at_the_desk(make_home(tmp_path), story)


def test_an_authority_that_gets_no_signer_keeps_no_other_from_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told once however many rounds there are, missed by the doctor, with no key left lying in any of them."""
    home = make_home(tmp_path, status=True)

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await sign_due_crls(mine)
        at(monkeypatch, 11)
        before = {path.name for path in home.keys.iterdir()}

        async def picky(desk: Office, wanted: Wanted, who: str) -> Sealed:
            if wanted.issuer == "csms":
                raise RefusedError("lint.refused", "the lint refuses it", "Correct the profile.")
            return await certify(desk, wanted, who)

        monkeypatch.setattr(signers, "certify", picky)
        assert [await renew_signers(mine) for _ in range(3)] == [1, 0, 0]
        (made,) = {path.name for path in home.keys.iterdir()} - before
        assert made.startswith("ocsp-station-")
        assert capsys.readouterr().err.count("lint.refused") == 1
        told = await desk.ask(calls.Examine(30), calls.Examined)
        assert [(row.what, row.code) for row in told.failed] == [("OCSP signer of csms", "lint.refused")]

    at_the_desk(home, story)


def test_keys_of_signers_that_a_crash_left_are_cleared_away(tmp_path: Path) -> None:
    """Whatever the name of their authority."""
    home = make_home(tmp_path, status=True)

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await renew_signers(mine)
        mine.keys.make("ocsp-station-2-0a1b2c3d", KeyKind.EC_P256)
        await desk.office.tend()
        assert not mine.keys.has("ocsp-station-2-0a1b2c3d")
        kept = signer_of(mine, mine.mine("station"))
        assert kept is not None
        assert mine.keys.has(kept.name)

    at_the_desk(home, story)


def test_a_signer_that_is_missing_is_in_the_plan_and_told_by_the_doctor(tmp_path: Path) -> None:
    """And a command makes it."""

    async def missed(desk: Desk) -> tuple[list[str], list[str]]:
        due = (await desk.ask(calls.ShowRotation(), calls.Rotation)).due
        told = await desk.ask(calls.Examine(30), calls.Examined)
        return [row.name for row in due if row.kind == "ocsp"], [row.what for row in told.missing]

    async def story(desk: Desk) -> None:
        await sign_due_crls(desk.office._desk)
        assert await missed(desk) == (["ocsp-station"], ["OCSP signer of station"])
        (row,) = (await desk.ask(calls.Rotate(), calls.Rotated)).renewed
        assert (row.kind, row.former) == ("ocsp", "")
        assert await missed(desk) == ([], [])

    at_the_desk(make_home(tmp_path, status=True), story)


def test_where_no_signer_can_be_made_that_is_told_with_what_can_be_done(tmp_path: Path) -> None:
    """A signature by ML-DSA-87 takes all the room that a certificate has (A00.FR.507); to try again helps nobody.

    What is advised can be done, and then all is well.
    """

    async def missed(desk: Desk) -> list[tuple[str, str]]:
        told = await desk.ask(calls.Examine(30), calls.Examined)
        left = (await desk.ask(calls.Rotate(), calls.Rotated)).left
        advised = [(row.what, row.fix) for row in told.missing]
        failed = [(row.what, row.advice) for row in told.failed]
        mine = [row.command for row in left if row.kind == "ocsp"]
        assert mine == [fix for _, fix in (*advised, *failed)]
        assert not (advised and failed)
        assert all(row.needs_person for row in left if row.kind == "ocsp")
        return [*advised, *failed]

    async def story(desk: Desk) -> None:
        await sign_due_crls(desk.office._desk)
        await desk.ask(calls.CreateIssuer("ml", "station", key="ml-dsa-87"), calls.IssuersCreated)
        assert await missed(desk) == [("OCSP signer of ml", "bollard ca retire ml")]
        await desk.ask(calls.ActivateIssuer("ml"), calls.Activated)
        desk.office._desk.memory.troubles.clear()  # as after a restart
        made = "bollard ca create NAME --purpose station --key ec-p256, bollard ca activate NAME, "
        made += "then bollard ca retire ml"
        assert await missed(desk) == [("OCSP signer of ml", made)]
        await desk.ask(calls.CreateIssuer("other", "station", key="ec-p256"), calls.IssuersCreated)
        await desk.ask(calls.ActivateIssuer("other"), calls.Activated)
        await desk.ask(calls.RetireIssuer("ml"), calls.Done)
        await desk.ask(calls.Rotate(), calls.Rotated)
        assert await missed(desk) == []

    home = make_home(tmp_path, status=True)
    home.settings.write_text(home.settings.read_text() + "\n[keys]\nunsafe_experimental_ml_dsa = true\n")
    at_the_desk(home, story)


def test_a_new_authority_has_its_signer_and_its_lists_at_once(tmp_path: Path) -> None:
    """Nobody who asks about its first certificate is told that nobody may answer."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await desk.ask(calls.CreateIssuer("operators", "operator"), calls.IssuersCreated)
        await desk.ask(calls.RollOver("station"), calls.RolledOver)
        for name in ("operators", "station-2"):
            assert signer_of(mine, mine.mine(name)) is not None
            assert len((await desk.ask(calls.ListCrls(name), calls.Crls)).crls) == 32

    at_the_desk(make_home(tmp_path, status=True), story)


async def roll_over(desk: Desk) -> None:
    """A successor of the authority for stations, in use, with its signer; the former signs nothing and is needed by
    nobody."""
    await renew_signers(desk.office._desk)
    await desk.ask(calls.RollOver("station"), calls.RolledOver)
    await desk.ask(calls.ActivateIssuer("station-2"), calls.Activated)


def of_station(mine: Office) -> dict[str, KeyState]:
    """How the signers stand that answer for an authority for stations."""
    return {own.holding.slot: own.holding.state for own in mine.own.values() if "ocsp-station" in own.holding.slot}


def test_a_signer_goes_with_its_authority(tmp_path: Path) -> None:
    """It may answer for no other, so it is neither renewed nor missed, and its key is gone; the ledger follows."""
    home = make_home(tmp_path, status=True)

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await roll_over(desk)
        kept = {path.stem for path in home.keys.glob("ocsp-station-*.pem")}
        await desk.ask(calls.RetireIssuer("station"), calls.Done)
        assert of_station(mine) == {"ocsp-station": KeyState.RETIRED, "ocsp-station-2": KeyState.ACTIVE}
        assert len(kept) - len([*home.keys.glob("ocsp-station-*.pem")]) == 1
        assert [row for row in (await desk.ask(calls.ShowRotation(), calls.Rotation)).due if row.kind == "ocsp"] == []
        renewed = (await desk.ask(calls.Rotate("ocsp"), calls.Rotated)).renewed
        assert sorted(mine.mine(row.name).holding.slot for row in renewed) == ["ocsp-csms", "ocsp-station-2"]
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)


def test_a_signer_that_an_older_version_left_behind_goes_at_the_next_round(tmp_path: Path) -> None:
    """It retired authorities without; so would a crash."""
    home = make_home(tmp_path, status=True)

    async def older(desk: Desk) -> None:
        mine = desk.office._desk
        await roll_over(desk)
        await mine.ledger.write(partial(rollover._retire, mine, mine.mine("station"), "somebody"))
        assert of_station(mine)["ocsp-station"] is KeyState.ACTIVE

    async def newer(desk: Desk) -> None:
        assert of_station(desk.office._desk)["ocsp-station"] is KeyState.ACTIVE
        await desk.office.tend()
        assert of_station(desk.office._desk) == {
            "ocsp-station": KeyState.RETIRED, "ocsp-station-2": KeyState.ACTIVE,
        }  # fmt: skip

    at_the_desk(home, older)
    at_the_desk(home, newer)


def test_of_two_signers_of_one_authority_the_newer_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older version let one in for another authority that was retired."""
    home = make_home(tmp_path, status=True)

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        await renew_signers(mine)
        at(monkeypatch, 1)
        mine.keys.make("ocsp-gone-0a1b2c3d", KeyKind.EC_P256)
        holding = Holding("ocsp-gone-0a1b2c3d", "ocsp-gone", "ocsp")
        await certify(mine, Wanted(holding, "ocsp", "station", signers.NAME), "somebody")
        await desk.office.tend()
        states = {own.holding.slot: own.holding.state for own in mine.own.values() if own.purpose == "ocsp"}
        assert states == {
            "ocsp-csms": KeyState.ACTIVE, "ocsp-station": KeyState.RETIRED, "ocsp-gone": KeyState.ACTIVE,
        }  # fmt: skip
        signer = signer_of(mine, mine.mine("station"))
        assert signer is not None
        assert signer.name == "ocsp-gone-0a1b2c3d"
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)
