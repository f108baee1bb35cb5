"""Whoever changes what certificates say, past every command, leaves a trace in the log all the same."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.home import read_settings
from pki.edge.policies import read_policy
from pki.errors import RefusedError
from tests.worlds import Paper, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path, status=True)


def entries(home: Home, act: str) -> list[dict[str, object]]:
    """What the log tells of this act, oldest first."""
    rows = ask_once(home, calls.ListAudit(first=0, limit=1000), calls.AuditRows).rows
    return [each["what"] for each in (json.loads(row.entry) for row in rows) if each["act"] == act]


def edit(home: Home, old: str, new: str) -> None:
    """Edit ``bollard.toml``, as a person does."""
    text = read_settings(home)
    assert old in text
    home.settings.write_text(text.replace(old, new))


def test_a_new_home_tells_what_it_begins_with(home: Home) -> None:
    """So that every later change can be seen as one, and nothing is told again while nothing changes."""
    (founded,) = entries(home, "home.founded")

    assert founded["settings"] == {
        "organisation.name": "Example Charging",
        "csms.host": "csms.example.org",
        "csms.certificate_hours": "0",
        "web.status_url": "http://csms.example.org:8480",
        "keys.unsafe_experimental_ml_dsa": "false",
    }
    assert entries(home, "settings.changed") == []


def test_a_changed_setting_is_in_the_log_before_anything_is_signed_by_it(home: Home) -> None:
    """Once, with what it was before; and the rows are proved by it."""
    edit(home, "http://csms.example.org:8480", "http://elsewhere.example.org")
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    ask_once(home, Paper.of(1).issue, calls.CertificateIssued)
    rows = ask_once(home, calls.ListAudit(first=0, limit=1000), calls.AuditRows).rows
    acts = [json.loads(row.entry)["act"] for row in rows]

    assert entries(home, "settings.changed") == [
        {
            "settings": {"web.status_url": "http://elsewhere.example.org"},
            "former": {"web.status_url": "http://csms.example.org:8480"},
        }
    ]
    assert acts.index("settings.changed") < acts.index("station.added")
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


def test_a_certificate_profile_of_the_home_s_own_is_told_by_its_digest(home: Home) -> None:
    """When it comes, when it changes, and when it is gone."""
    own = home.policies / "certificates"
    own.mkdir(parents=True)
    text = read_policy("certificates", "station")
    told = []
    for content in (text, f"{text}# read again\n", None):
        (own / "station.toml").unlink(missing_ok=True)
        if content:
            (own / "station.toml").write_text(content)
        changed = entries(home, "settings.changed")[-1]["settings"]
        assert isinstance(changed, dict)
        told.append(changed["certificates/station.toml"])

    assert len(set(told)) == len(told)
    assert told[-1] == ""


def test_a_row_that_was_edited_with_the_settings_is_found(home: Home) -> None:
    """Whoever edits both has nothing told of the change, and the row then says otherwise than the log."""
    edit(home, 'status_url = "http://csms.example.org:8480"', 'status_url = "http://elsewhere.example.org"')
    with closing(sqlite3.connect(home.ledger)) as ledger, ledger:
        ledger.execute("UPDATE setting SET value = 'http://elsewhere.example.org' WHERE name = 'web.status_url'")
    with pytest.raises(RefusedError, match=r"audit\.rows"):
        ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE setting SET value = 'Evil' WHERE name = 'organisation.name'",
        "DELETE FROM setting",
        "UPDATE setting SET name = 'x' WHERE name = 'csms.host'",
    ],
)
def test_a_row_that_was_edited_alone_is_found_though_it_is_written_over_at_once(home: Home, statement: str) -> None:
    """The next who opens the home tells of the change that it sees; the log knows that nobody made it."""
    with closing(sqlite3.connect(home.ledger)) as ledger, ledger:
        ledger.execute(statement)
    ask_once(home, calls.ListAudit(first=0, limit=1), calls.AuditRows)
    assert len(entries(home, "settings.changed")) == 1
    with pytest.raises(RefusedError, match=r"audit\.rows.*settings\.changed.* does not fit what came before it"):
        ask_once(home, calls.VerifyAudit(), calls.AuditVerified)
