"""What a new home will be is decided before anything is made, and what could not be made is refused there."""

from __future__ import annotations

import datetime as dt
import stat
from dataclasses import replace

import pytest

from pki.edge.blueprint import KEYS, TREE, Blueprint, CaKeys, draw, render_settings
from pki.edge.keys import KeyFacts, KeyKind, Padding, Store
from pki.errors import InputError, RefusedError
from pki.names import Host, Organisation

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def drawn(ca_keys: CaKeys | None = None, *, offline_root: bool = False) -> Blueprint:
    """A blueprint as ``init`` draws it."""
    chosen = ca_keys or CaKeys()
    text = render_settings(
        Organisation.parse("Example"),
        Host.parse("localhost"),
        "https://localhost:8440",
        "http://localhost:8480",
        chosen.hsm,
    )
    return draw(text, chosen, NOW, offline_root=offline_root, passphrase_made=True)


def test_every_key_and_certificate_of_the_tables_is_in_it() -> None:
    """And one key for assertions, named after the moment."""
    found = drawn()

    assert [*found.keys] == [*KEYS, f"assertion-{int(NOW.timestamp())}"]
    assert found.certificates == TREE
    assert found.requests == ()


def test_with_an_offline_root_there_are_requests_and_no_certificates() -> None:
    """For the authorities directly below it; and no key of a root."""
    found = drawn(offline_root=True)

    assert [each.holding.name for each in found.requests] == ["csms", "station"]
    assert found.certificates == ()
    assert "root" not in found.keys
    assert found.rehearse() == {}


def test_keys_in_a_token_leave_a_reference_in_place_of_a_file() -> None:
    """The authorities' alone; others' stay files."""
    found = drawn(CaKeys.parse("ec-p384", "pkcs1", "/usr/lib/token.so", "CA", None))

    assert found.keys["root"] == KeyFacts(KeyKind.EC_P384, Store.HSM, Padding.PKCS1)
    assert {"keys/root.hsm", "keys/audit.pem"} <= found.files().keys()
    assert "keys/root.pem" not in found.files()


def test_nothing_in_it_is_open_to_others() -> None:
    """Folders 0700, files 0600."""
    assert all(not mode & (stat.S_IRWXG | stat.S_IRWXO) for mode in drawn().files().values())


def test_a_padding_that_is_none_for_the_keys_is_refused_before_any_is_made() -> None:
    """PSS is for RSA."""
    with pytest.raises(InputError, match=r"key\.padding"):
        drawn(CaKeys.parse("ec-p256", "pss", "", "", None))


def test_a_rehearsal_plans_the_tree_with_keys_that_nobody_keeps() -> None:
    """Issuers first, each below the one in the table."""
    plans = drawn().rehearse()

    assert [*plans] == [each.holding.name for each in TREE]
    assert {name: plan.issuer.name if plan.issuer else "" for name, plan in plans.items()} == {
        each.holding.name: each.issuer for each in TREE
    }


def test_what_could_not_be_signed_is_refused_in_the_rehearsal() -> None:
    """By the plan, as the real one would be."""
    with pytest.raises(RefusedError, match=r"plan\.refused"):
        replace(drawn(), certificates=(replace(TREE[0], days=99_999),)).rehearse()
