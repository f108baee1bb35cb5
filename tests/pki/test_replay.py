"""What an act's entry says about the ledger's rows, and that no act of ours was forgotten."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pki import replay
from pki.replay import Change, Drop, Entry, Find, Order, Put, key_of, orders, read_entry

HELD: dict[str, str | int | None] = dict.fromkeys(("role", "serial", "slot", "state", "keeper"))
CAME: dict[str, str | int | None] = dict.fromkeys(
    ("issuer_key_id", "subject", "issuer", "purpose", "not_before", "not_after", "tbs_sha256", "der_sha256")
)
VALID: dict[str, str | int | None] = {"status": "valid", "reason": "", "revoked_at": "", "key_follows": 1}
ROOT = Path(__file__).resolve().parents[2]


def entry(act: str, what: dict[str, object], index: int = 5) -> Entry:
    """An entry of the log."""
    return Entry(index, "2026-01-01T00:00:00.000000Z", act, "x", what)


def acts_recorded() -> set[str]:
    """Every act that a call of ``record`` in the sources names."""
    calls = [
        node
        for path in (ROOT / "pki" / "edge").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record"
    ]
    words = (word.value for call in calls for word in call.args if isinstance(word, ast.Constant))
    return {word for word in words if isinstance(word, str) and "." in word}


def test_every_act_that_is_recorded_is_known_here() -> None:
    """An act that changes rows and is not known would make honest ledgers look altered, or hide an alteration."""
    assert len(acts_recorded()) > 15
    assert acts_recorded() - replay.WITHOUT_ROWS == set(replay.RULES)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (entry("certificate.refused", {"station": "CP-1"}), ()),
        (entry("something.newer", {}), ()),
        (entry("certificate.abandoned", {"serial": "1a"}), (Change("certificate", "1a", {"status": "abandoned"}),)),
        (
            entry("certificate.revoked", {"serial": "1a", "reason": "superseded"}),
            (Change("certificate", "1a", {"status": "revoked", "reason": "superseded", "revoked_at": None}),),
        ),
        (
            entry("certificate.reason_raised", {"serial": "1a", "reason": "key_compromise", "revoked_at": "m"}),
            (Change("certificate", "1a", {"status": "revoked", "reason": "key_compromise", "revoked_at": "m"}),),
        ),
        (
            entry("certificate.issued", {"serial": "1a", "holds": "b", "replaces": "a", "state": "active"}),
            (
                Change("certificate", "1a", {"status": "valid", "der_sha256": None}),
                Change("own_key", "a", {"state": "old"}),
                Drop("own_key", "b", must=False),
                Put("own_key", "b", {**HELD, "serial": "1a", "state": "active"}),
            ),
        ),
        (
            entry("ceremony.imported", {"transcript": "d", "taken": [{"serial": "1a", "holds": "root"}, "nonsense"]}),
            (
                Put("certificate", "1a", {**CAME, **VALID, "station": None}),
                Drop("own_key", "root", must=False),
                Put("own_key", "root", {**HELD, "serial": "1a"}),
                Put("ceremony", "d", dict.fromkeys(("root_key_id", "crl_number", "crl_sha256", "imported"))),
            ),
        ),
        (
            entry("issuer.key_taken", {"holds": "a", "role": "station", "slot": "station", "state": "next"}),
            (Change("own_key", "a", {"role": "station", "slot": "station", "state": "next", "keeper": None}),),
        ),
        (
            entry("issuer.activated", {"name": "b", "replaces": "a"}),
            (Change("own_key", "a", {"state": "old"}), Change("own_key", "b", {"state": "active"})),
        ),
        (
            entry("issuer.retired", {"name": "a", "links": ["b-link"]}),
            (Change("own_key", "a", {"state": "retired"}), Change("own_key", "b-link", {"state": "retired"})),
        ),
        (entry("key.retired", {"name": "a"}), (Change("own_key", "a", {"state": "retired"}),)),
        (
            entry("trust.confirmed", {"key_id": "ab", "moment": "m", "how": "operator", "stations": ["CP-1"]}),
            (Put("trust_confirmation", key_of("CP-1", "ab"), {"moment": "m", "how": "operator"}),),
        ),
        (
            entry("home.founded", {"keys": ["root"]}),
            (Put("own_key", "root", HELD, must=False),),
        ),
        (
            entry("settings.changed", {"settings": {"web.status_url": "u"}, "former": {"web.status_url": "t"}}),
            (
                Find("setting", "web.status_url", {"value": "t"}),
                Drop("setting", "web.status_url"),
                Put("setting", "web.status_url", {"value": "u"}),
            ),
        ),
        (
            entry("settings.changed", {"settings": {"web.status_url": "u"}, "former": {}}),
            (Put("setting", "web.status_url", {"value": "u"}),),
        ),
        (
            entry("anchor.removed", {"purpose": "csms", "vendor": "", "key_id": "00"}),
            (Drop("anchor", key_of("csms", "", "00")),),
        ),
        (
            entry("download.started", {"station": "CP-1", "digest": "d"}),
            (Change("download", "CP-1", {"started": 1, "audit_index": 5}),),
        ),
        (entry("station.status_set", {"station": "CP-1"}), (Change("station", "CP-1", {"status": None}),)),
        (entry("stations.added", {"stations": "none"}), ()),
    ],
    ids=lambda value: value.act if isinstance(value, Entry) else "",
)
def test_an_entry_becomes_orders(told: Entry, expected: tuple[Order, ...]) -> None:
    """What it does not tell is not known; what it speaks of no row about is no order."""
    assert orders(told) == expected


def test_a_station_added_by_an_older_version_is_proved_as_far_as_it_was_told() -> None:
    """Group and site were told, the password's verifier was not."""
    (put,) = orders(entry("station.added", {"station": "CP-1", "serial": "S", "profile": 2, "group": "", "site": ""}))
    assert isinstance(put, Put)
    assert put.key == "CP-1"
    assert {name for name, value in put.fields.items() if value is None} == {"password_form", "verifier_sha256"}


def test_many_stations_of_one_entry_are_as_many_rows() -> None:
    """A bulk import is one act."""
    made = orders(entry("stations.added", {"stations": [{"station": "A"}, {"station": "B"}]}))
    assert [order.key for order in made] == ["A", "B"]


def test_a_new_download_takes_the_older_one_s_place() -> None:
    """As the ledger has it: one for each station."""
    drop, put = orders(entry("download.granted", {"station": "CP-1", "digest": "d", "size": 3}))
    assert (drop, put.key) == (Drop("download", "CP-1", must=False), "CP-1")
    assert isinstance(put, Put)
    assert put.fields["audit_index"] == 5


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"index":"x"}'])
def test_what_is_no_entry_is_not_read_as_one(text: str) -> None:
    """The caller says which it was."""
    with pytest.raises(ValueError, match=r".+"):
        read_entry(text)
