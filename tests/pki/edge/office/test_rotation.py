"""What needs nobody else happens by itself, once; the rest is said."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls, clock
from pki.errors import InputError
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


async def plan(desk: Desk, at: dt.datetime | None = None) -> calls.Rotation:
    """What is due."""
    return await desk.ask(calls.ShowRotation(at), calls.Rotation)


async def presented(desk: Desk) -> str:
    """The ECDSA chain that listeners present."""
    return (await desk.ask(calls.FetchCredentials(), calls.Credentials)).ecdsa_chain


def test_nothing_is_due_in_a_new_home_and_what_comes_first_is_said(tmp_path: Path) -> None:
    """A month before a year is over more is."""

    async def story(desk: Desk) -> tuple[calls.Rotation, calls.Rotation]:
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        return await plan(desk), await plan(desk, clock.now() + dt.timedelta(days=340))

    now, later = at_the_desk(make_home(tmp_path), story)
    assert now.due == ()
    assert now.next
    assert now.next.kind == "ocsp"
    assert [(row.kind, row.by) for row in later.due] == [
        ("ocsp", "alone"), ("server", "alone"), ("server", "alone"), ("station", "station"),
    ]  # fmt: skip
    assert not any(row.needs_person for row in later.due)


def test_a_round_renews_what_is_due_and_the_next_round_nothing(tmp_path: Path) -> None:
    """Shortened to twenty hours (A00.FR.701) our servers get new certificates at once, of that length."""
    home = make_home(tmp_path)
    home.settings.write_text(home.settings.read_text().replace("[csms]", "[csms]\ncertificate_hours = 20"))

    async def story(desk: Desk) -> dt.timedelta:
        assert len((await plan(desk)).due) == 2
        await desk.office.tend()
        first = await presented(desk)
        await desk.office.tend()
        assert await presented(desk) == first
        assert (await plan(desk)).due == ()
        rows = (await desk.ask(calls.ListCertificates(), calls.Certificates)).certificates
        return rows[0].not_after - rows[0].not_before

    assert at_the_desk(home, story) == dt.timedelta(hours=21)  # backdated by one (A02.FR.06)


def test_a_command_renews_what_is_due_and_says_what_is_left(tmp_path: Path) -> None:
    """When nothing is due, nothing is done."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> list[calls.Rotated]:
        made = await desk.ask(calls.RollOver("csms"), calls.RolledOver)
        await desk.ask(calls.ActivateIssuer(made.issuer.name), calls.Activated)
        return [await desk.ask(calls.Rotate(), calls.Rotated) for _ in range(2)]

    first, second = at_the_desk(home, story)
    assert [row.kind for row in first.renewed] == ["server", "server"]
    assert (second.renewed, second.left) == ((), ())


def test_an_ocsp_signer_is_renewed_by_the_authority_it_answers_for(tmp_path: Path) -> None:
    """Which alone may delegate to it (RFC 6960 4.2.2.2)."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        before = mine.active("ocsp-csms")
        (row,) = (await desk.ask(calls.Rotate("ocsp"), calls.Rotated)).renewed
        after = mine.active("ocsp-csms")
        assert (after.name, before.name) == (row.name, "ocsp")
        assert after.certificate.subject == before.certificate.subject
        after.certificate.verify_directly_issued_by(mine.active("csms").certificate)

    at_the_desk(make_home(tmp_path), story)


def test_what_is_not_renewed_by_itself_is_refused_by_name(tmp_path: Path) -> None:
    """The refusal lists what is."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.Rotate("root"), calls.Rotated)

    with pytest.raises(InputError, match=r"rotate\.now"):
        at_the_desk(make_home(tmp_path), story)
