"""Stations by command: registered, looked at, disabled; passwords shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.home import Home
from secproxy.edge.journal import Journal
from secproxy.events import Note

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def test_a_script_can_take_the_password_from_stdout(bollard: Bollard) -> None:
    """stdout is the password and nothing else; the warning stands on stderr."""
    told = bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2")

    assert told.code == 0
    assert len(told.out.strip()) == 20
    assert told.out.count("\n") == 1
    assert "shown this once" in told.err
    assert told.out.strip() not in told.err


@pytest.mark.parametrize("words", [("add", "CP-1", "--serial", "S1", "--profile", "2"), ("password", "CP-1")])
def test_the_form_of_a_password_can_be_set(bollard: Bollard, words: tuple[str, ...]) -> None:
    """For stations that send their password in another form than most."""
    if words[0] == "password":
        bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2")
    told = bollard("-o", "json", "station", *words, "--password-form", "hex")

    assert told.json()["password_form"] == "hex"


def test_a_station_with_a_certificate_gets_no_password(bollard: Bollard) -> None:
    """Profile 3 needs none, so none exists."""
    told = bollard("-o", "json", "station", "add", "CP-1", "--serial", "S1", "--profile", "3")

    assert "password" not in told.json()
    assert told.json()["has_password"] is False


def test_a_chosen_password_comes_from_a_file_and_is_not_repeated(bollard: Bollard, tmp_path: Path) -> None:
    """It stands neither on the command line nor in the answer."""
    (tmp_path / "p").write_text("a-chosen-password-17\n")
    told = bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2", "--password-file", str(tmp_path / "p"))

    assert told.code == 0
    assert "a-chosen-password-17" not in told.out + told.err


def test_listing_shows_stations_and_never_a_verifier(bollard: Bollard) -> None:
    """Columns are fixed; what passwords are checked against stays in the authority."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2", "--group", "g", "--site", "s")
    (row,) = bollard("-o", "json", "station", "list").rows("stations")

    assert {
        "identity": "CP-1",
        "serial": "S1",
        "profile": 2,
        "status": "active",
        "group": "g",
        "site": "s",
    }.items() <= row.items()
    assert "verifier" not in row


@pytest.mark.parametrize(
    ("words", "status"), [(("disable", "CP-1"), "disabled"), (("set", "CP-1", "--status", "disabled"), "disabled")]
)
def test_a_station_is_disabled_and_enabled(bollard: Bollard, words: tuple[str, ...], status: str) -> None:
    """Either way of saying it does the same."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    assert bollard("station", *words).code == 0
    assert bollard("-o", "json", "station", "show", "CP-1").json()["status"] == status

    assert bollard("station", "enable", "CP-1").code == 0
    assert bollard("-o", "json", "station", "show", "CP-1").json()["status"] == "active"


def test_a_new_password_replaces_the_old(bollard: Bollard) -> None:
    """Each is shown once, and they differ."""
    first = bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2").out
    second = bollard("station", "password", "CP-1").out

    assert len(second.strip()) == 20
    assert first != second


def test_a_list_is_imported_whole(bollard: Bollard, tmp_path: Path) -> None:
    """Passwords come back as rows, for those that have one."""
    (tmp_path / "list.csv").write_text("identity,serial,profile\nCP-1,S1,3\nCP-2,S2,2\n")
    told = bollard("-o", "csv", "station", "import", str(tmp_path / "list.csv"))

    assert told.code == 0
    assert [line.split(",")[0] for line in told.out.splitlines()] == ["identity", "CP-2"]
    assert len(bollard("-o", "json", "station", "list").rows("stations")) == 2


def test_a_list_with_one_wrong_line_registers_nobody(bollard: Bollard, tmp_path: Path) -> None:
    """All or none, and the line is named."""
    (tmp_path / "list.csv").write_text("identity,serial\nCP-1,S1\nCP:2,S2\n")
    told = bollard("station", "import", str(tmp_path / "list.csv"), "--profile", "3")

    assert told.code == 2
    assert "line 3" in told.err
    assert bollard("-o", "json", "station", "list").rows("stations") == []


@pytest.mark.parametrize(
    "words", [("show", "CP-9"), ("disable", "CP-9"), ("password", "CP-9"), ("set", "CP-9", "--status", "active")]
)
def test_an_unknown_station_is_not_found(bollard: Bollard, words: tuple[str, ...]) -> None:
    """Exit code 4 whatever was asked of it."""
    assert bollard("station", *words).code == 4


def test_two_stations_share_no_identity(bollard: Bollard) -> None:
    """Exit code 7, and the first one stays."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")

    assert bollard("station", "add", "CP-1", "--serial", "S2", "--profile", "3").code == 7


@pytest.mark.parametrize("words", [("add", "CP-9", "--serial", "S9", "--profile", "2"), ("password", "CP-1")])
def test_an_empty_password_file_does_not_ask_for_a_generated_password(
    bollard: Bollard, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Whoever names a file wants its password, and learns that there is none."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2")
    (tmp_path / "empty").write_text("\n")
    told = bollard("station", *words, "--password-file", str(tmp_path / "empty"))
    assert (told.code, "error[file.empty]" in told.err, told.out) == (2, True, "")


def test_who_waits_in_quarantine_is_listed_with_the_command_that_admits_it(bollard: Bollard, home: Path) -> None:
    """The newest event of each name that is not registered; nobody, once it is."""
    journal = Journal(Home.at(home).journal, "test")
    for vendor in ("Old", "Acme"):
        admit = "bollard station add CP-9 --serial SN-9 --profile 3"
        told = {"vendor": vendor, "model": "One", "serial": "SN-9", "admit": admit}
        journal.write(Note("station.quarantined", "CP-9", "192.0.2.1:5", told))
    (row,) = bollard("-o", "json", "station", "list", "--quarantined").rows("quarantined")

    assert (row["identity"], row["vendor"], row["remote"]) == ("CP-9", "Acme", "192.0.2.1:5")
    assert bollard(*str(row["admit"]).split()[1:]).code == 0
    assert bollard("-o", "json", "station", "list", "--quarantined").rows("quarantined") == []


def test_a_station_becomes_another_by_command(bollard: Bollard) -> None:
    """What is named changes, what is not stays; several words are as many entries."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2", "--group", "g", "--site", "s")
    words = ("--serial", "S2", "--group", "", "--no-ratchet", "--expired-until", "2031-01-01")
    assert bollard("station", "set", "CP-1", *words, "--status", "disabled").code == 0
    shown = bollard("-o", "json", "station", "show", "CP-1").json()

    assert [shown[name] for name in ("serial", "group", "site", "ratchet", "status")] == [
        "S2",
        "",
        "s",
        False,
        "disabled",
    ]
    assert str(shown["expired_until"]).startswith("2031-01-01")


def test_a_profile_goes_down_by_its_own_word_alone(bollard: Bollard) -> None:
    """3 to 2 with --allow-downgrade, to 1 with --unsafe-no-tls; a dry run refuses what the act would."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    refused = bollard("-o", "json", "--dry-run", "station", "set", "CP-1", "--profile", "2")
    assert (refused.code, "--allow-downgrade" in refused.err) == (5, True)
    assert bollard("station", "set", "CP-1", "--profile", "2", "--allow-downgrade").code == 0
    assert bollard("station", "set", "CP-1", "--profile", "1", "--allow-downgrade").code == 5
    assert bollard("station", "set", "CP-1", "--profile", "1", "--unsafe-no-tls").code == 0
    assert bollard("station", "set", "CP-1", "--unsafe-no-tls").code == 2


def test_a_station_is_removed_and_its_name_is_free(bollard: Bollard) -> None:
    """A dry run removes nothing; a second time there is nothing to remove."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2")
    assert bollard("-o", "json", "--dry-run", "station", "remove", "CP-1").code == 0
    assert "audit_index" in bollard("-o", "json", "station", "remove", "CP-1").json()
    assert bollard("station", "remove", "CP-1").code == 4
    assert bollard("-o", "json", "station", "list").rows("stations") == []
    assert bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2").code == 0


def test_a_password_follows_another_until_it_is_seen_or_given_up(bollard: Bollard) -> None:
    """--rotate prints the new one; --keep-old ends it."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "2")
    told = bollard("station", "password", "CP-1", "--rotate")
    assert len(told.out.strip()) == 20
    assert bollard("-o", "json", "station", "show", "CP-1").json()["rotating"] is True
    assert bollard("station", "password", "CP-1", "--keep-old", "--rotate").code == 2
    assert bollard("station", "password", "CP-1", "--keep-old").code == 0
    assert bollard("-o", "json", "station", "show", "CP-1").json()["rotating"] is False
    assert bollard("station", "password", "CP-1", "--keep-old").code == 7


def test_a_recording_needs_a_proxy_that_is_up(bollard: Bollard) -> None:
    """Nothing is up here; and what does not go together is a mistake of writing."""
    assert bollard("station", "record", "CP-001").code == 6
    assert bollard("station", "record", "CP-001", "--stop", "--minutes", "5").code == 2
    assert bollard("station", "record", "CP-001", "--minutes", "0").code == 2
    assert '"minutes": 0' in bollard("-o", "json", "--dry-run", "station", "record", "CP-001", "--stop").out
