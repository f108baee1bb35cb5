"""The authority makes keys for assertions, hands them to workers, and replaces them while both are published."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pki.assertion_keys import AFTER, AHEAD, LIFE
from pki.edge import calls, clock
from pki.edge.office import assertion_keys
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.worlds import Desk

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


def at(monkeypatch: pytest.MonkeyPatch, later: dt.timedelta) -> None:
    """Set the authority's clock so much ahead."""
    monkeypatch.setattr(clock, "now", lambda: NOW + later)


async def fetched(desk: Desk) -> calls.Credentials:
    """What a worker fetches."""
    return await desk.ask(calls.FetchCredentials(), calls.Credentials)


def raw(pem: str) -> bytes:
    """A public key, or that of a private one."""
    if "PRIVATE" in pem:
        key = load_pem_private_key(pem.encode(), None)
        assert isinstance(key, Ed25519PrivateKey)
        return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return load_pem_public_key(pem.encode()).public_bytes(Encoding.Raw, PublicFormat.Raw)


def test_workers_are_given_a_key_that_is_published_and_it_stays_the_same(tmp_path: Path) -> None:
    """Made when first asked for, so that homes from before have one too; encrypted on the disk."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> calls.Credentials:
        first, second = await fetched(desk), await fetched(desk)
        assert first == second
        assert first.assertion_key not in repr(first)
        return first

    credentials = at_the_desk(home, story)
    assert raw(credentials.assertion_key) in map(raw, credentials.assertion_public)
    assert at_the_desk(home, fetched).assertion_key == credentials.assertion_key
    [file] = home.keys.glob("assertion-*.pem")
    assert "ENCRYPTED" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_is_replaced_while_both_are_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, published, used, the former one dropped; each change is told, each act is in the log."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        at(monkeypatch, dt.timedelta(0))
        news: list[calls.News] = []
        monkeypatch.setattr(type(mine.board), "publish", lambda _, told: news.append(told))
        first = await fetched(desk)
        for later, told, signs, published in (
            (dt.timedelta(0), False, "old", 1),
            (LIFE - dt.timedelta(seconds=1), False, "old", 1),
            (LIFE, True, "old", 2),
            (LIFE + AHEAD - dt.timedelta(seconds=1), False, "old", 2),
            (LIFE + AHEAD, True, "new", 2),
            (LIFE + AHEAD + AFTER - dt.timedelta(seconds=1), False, "new", 2),
            (LIFE + AHEAD + AFTER, True, "new", 1),
        ):
            at(monkeypatch, later)
            news.clear()
            await fetched(desk)  # somebody asks before the authority looked: all others are told nevertheless
            await assertion_keys.tend(mine)
            now = await fetched(desk)
            assert news == [calls.CredentialsChanged()] * told
            assert ("old" if now.assertion_key == first.assertion_key else "new") == signs
            assert len(now.assertion_public) == published
            assert raw(now.assertion_key) in map(raw, now.assertion_public)
        acts = " ".join(row.entry for row in (await desk.ask(calls.ListAudit(limit=1000), calls.AuditRows)).rows)
        assert acts.count('"assertion.key_made"') == 2
        assert acts.count('"assertion.key_dropped"') == 1

    at_the_desk(make_home(tmp_path), story)


def test_after_a_restart_the_former_key_is_kept_until_all_were_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that was away when the change was due drops nothing that workers may still sign with."""
    home = make_home(tmp_path)

    async def begin(desk: Desk) -> None:
        at(monkeypatch, dt.timedelta(0))
        await fetched(desk)
        at(monkeypatch, LIFE)
        await assertion_keys.tend(desk.office._desk)

    async def later(desk: Desk) -> None:
        at(monkeypatch, LIFE + 2 * AHEAD)
        await assertion_keys.tend(desk.office._desk)
        assert len((await fetched(desk)).assertion_public) == 2
        at(monkeypatch, LIFE + 2 * AHEAD + AFTER)
        await assertion_keys.tend(desk.office._desk)
        assert len((await fetched(desk)).assertion_public) == 1

    at_the_desk(home, begin)
    at_the_desk(home, later)
