"""Signers of OCSP answers come and go by themselves, one for each issuing authority."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography import x509

from pki.certificate import names_issuer
from pki.edge import calls, clock
from pki.edge.office.signers import renew_signers, signer_of
from pki.holding import KeyState
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
