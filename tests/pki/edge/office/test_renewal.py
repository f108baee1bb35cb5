"""Our own leaf keys are replaced with nothing in between, and what a crash leaves is finished or cleared."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from pki.certificate import read_certificates
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import ISSUE_POINTS, RENEW_POINTS
from pki.edge.keys import KeyKind, Padding
from pki.edge.office.renewal import make_like
from pki.errors import BollardError, RefusedError, UnreachableError
from pki.holding import KeyState
from tests.pki.edge.office.test_inventory import set_elsewhere
from tests.worlds import at_the_desk, connected, make_home, open_office, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk


async def fetched(desk: Desk) -> calls.Credentials:
    """What a listener fetches."""
    return await desk.ask(calls.FetchCredentials(), calls.Credentials)


def servers(home: Home) -> dict[str, list[KeyState]]:
    """The states of all server keys by slot, as the ledger has them."""

    async def look(desk: Desk) -> dict[str, list[KeyState]]:
        found: dict[str, list[KeyState]] = {}
        for own in desk.office._desk.own.values():
            if own.purpose == "server":
                found.setdefault(own.holding.slot, []).append(own.holding.state)
        return found

    return at_the_desk(home, look)


def test_a_renewed_server_has_another_key_and_the_former_is_gone_from_the_disk(tmp_path: Path) -> None:
    """Of both kinds; the new certificates chain to the same authority, and people find them in ``ca``."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> tuple[calls.Credentials, calls.Rotated, calls.Credentials]:
        before = await fetched(desk)
        rotated = await desk.ask(calls.Rotate("server"), calls.Rotated)
        return before, rotated, await fetched(desk)

    before, rotated, after = at_the_desk(home, story)
    assert {before.ecdsa_key, before.rsa_key}.isdisjoint({after.ecdsa_key, after.rsa_key})
    for chain, key in ((after.ecdsa_chain, after.ecdsa_key), (after.rsa_chain, after.rsa_key)):
        leaf, issuer = read_certificates(chain)
        leaf.verify_directly_issued_by(issuer)
        assert leaf.public_key() == serialization.load_pem_private_key(key.encode(), None).public_key()
    names = sorted(each.name for each in rotated.renewed)
    assert sorted(path.stem for path in home.keys.glob("server-*.pem")) == names
    assert sorted(path.stem for path in home.ca.glob("server-*.pem")) == names
    assert {each.former for each in rotated.renewed} == {
        f"{read_certificates(chain)[0].serial_number:x}" for chain in (before.ecdsa_chain, before.rsa_chain)
    }


def test_listeners_are_told_after_the_new_ones_can_be_fetched(tmp_path: Path) -> None:
    """Whoever fetches on the news gets the new certificates."""

    async def story(desk: Desk) -> None:
        watcher = await desk.office.watch()
        before = await fetched(desk)
        renewing = asyncio.ensure_future(desk.ask(calls.Rotate("server"), calls.Rotated))
        async with asyncio.timeout(20):
            while not isinstance(await watcher.next(), calls.CredentialsChanged):
                pass
        after = await fetched(desk)
        assert before.ecdsa_chain != after.ecdsa_chain
        assert before.rsa_chain != after.rsa_chain
        await renewing

    at_the_desk(make_home(tmp_path), story)


def test_a_former_certificate_whose_key_was_lost_can_be_revoked(tmp_path: Path) -> None:
    """Nobody presents it any more; the one in use cannot."""

    async def story(desk: Desk) -> None:
        rotated = await desk.ask(calls.Rotate("server"), calls.Rotated)
        await desk.ask(calls.RevokeCertificate(rotated.renewed[0].former, "key_compromise"), calls.Done)
        with pytest.raises(BollardError, match=r"certificate\.own"):
            await desk.ask(calls.RevokeCertificate(rotated.renewed[0].serial, "key_compromise"), calls.Done)

    at_the_desk(make_home(tmp_path), story)


@pytest.mark.parametrize("point", [*RENEW_POINTS, *ISSUE_POINTS])
def test_a_crash_at_any_step_leaves_the_old_or_the_new_and_never_none(tmp_path: Path, point: str) -> None:
    """The next start presents one of each kind, with its key; its first round clears what was left lying."""
    home = make_home(tmp_path)
    with running_authority(home, crash_at=point) as process:
        with pytest.raises(UnreachableError, match=r"authority\.lost"):
            asyncio.run(_rotate(home))
        assert process.wait(20) == -signal.SIGKILL

    found = ask_once(home, calls.FetchCredentials(), calls.Credentials)
    for chain, key in ((found.ecdsa_chain, found.ecdsa_key), (found.rsa_chain, found.rsa_key)):
        public = serialization.load_pem_private_key(key.encode(), None).public_key()
        assert read_certificates(chain)[0].public_key() == public
    asyncio.run(_tend(home))
    states = servers(home)
    assert [each.count(KeyState.ACTIVE) for each in states.values()] == [1, 1]
    assert all(state in {KeyState.ACTIVE, KeyState.RETIRED} for each in states.values() for state in each)
    assert len(list(home.keys.glob("server-*.pem"))) == 2
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


async def _rotate(home: Home) -> None:
    async with connected(home) as authority:
        await authority.ask(calls.Rotate("server"), calls.Rotated)


async def _tend(home: Home) -> None:
    async with open_office(home) as desk:
        await desk.office.tend()


def test_what_cannot_be_certified_leaves_no_key(tmp_path: Path) -> None:
    """An authority that is about to end signs nothing; the former goes on being presented."""
    home = make_home(tmp_path)
    home.settings.write_text(home.settings.read_text().replace("[csms]", "[csms]\ncertificate_hours = 9552"))

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        short = calls.RollOver("csms", days=30)
        made = await desk.ask(short, calls.RolledOver)
        await desk.ask(calls.ActivateIssuer(made.issuer.name), calls.Activated)
        before = await fetched(desk)
        with pytest.raises(RefusedError, match=r"plan\.refused"):
            await desk.ask(calls.Rotate("server"), calls.Rotated)
        assert await fetched(desk) == before
        assert {path.stem for path in mine.home.keys.glob("server-*")} == {"server-ecdsa", "server-rsa"}

    at_the_desk(home, story)


def test_an_authority_whose_key_is_elsewhere_signs_nothing_here(tmp_path: Path) -> None:
    """The refusal leads to the ceremony."""
    home = make_home(tmp_path)
    set_elsewhere(home, "csms")

    with pytest.raises(RefusedError, match=r"rollover\.elsewhere.*csms"):
        ask_once(home, calls.Rotate("server"), calls.Rotated)


@pytest.mark.parametrize(
    ("kind", "padding"),
    [(KeyKind.EC_P384, Padding.PKCS1), (KeyKind.RSA_3072, Padding.PSS), (KeyKind.ED25519, Padding.PKCS1)],
)
def test_a_successor_has_a_key_of_the_same_kind(tmp_path: Path, kind: KeyKind, padding: Padding) -> None:
    """That signs in the same way: stations that took the former's take its."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        mine.keys.make("one", kind, padding=padding)
        await make_like(mine, "two", "one")
        assert mine.keys.describe("two") == mine.keys.describe("one")
        assert mine.keys.key("two").public_key() != mine.keys.key("one").public_key()

    at_the_desk(make_home(tmp_path), story)
