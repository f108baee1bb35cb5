"""Renewal by command: what is due is shown, what needs nobody else is done, and the exit code says what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.certificate import read_certificates
from tests.certs import DAY, NOW, Party

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def serials(home: Path) -> set[int]:
    """The serials of the server certificates that people find in the home."""
    return {read_certificates(path.read_bytes())[0].serial_number for path in (home / "ca").glob("server-*.pem")}


def test_the_plan_looks_ahead_and_changes_nothing(bollard: Bollard, home: Path) -> None:
    """In ten years much is due; who acts and by which command stands in each row."""
    before, ledger = serials(home), (home / "ledger.db").read_bytes()
    soon, late = bollard("rotate", "--plan"), bollard("-o", "json", "rotate", "--plan", "--at", "2060-01-01")

    assert (soon.code, late.code) == (0, 0)
    assert (home / "ledger.db").read_bytes() == ledger
    assert "next: ocsp ocsp" in soon.err
    assert "renewed by itself" in soon.err
    rows = {row["name"]: row for row in late.rows("due")}
    assert (rows["root"]["by"], rows["root"]["command"]) == ("operator", "bollard ca rollover root")
    assert rows["server-rsa"]["clause"] == "A00.FR.701"
    assert bollard("--dry-run", "rotate", "--now", "server").code == 0
    assert serials(home) == before


def test_the_first_lists_of_a_new_home_are_due(bollard: Bollard) -> None:
    """Certificates point to them from the first one on; that none was ever signed is no reason to be silent."""
    plan = bollard("-o", "json", "rotate", "--plan").rows("due")

    assert {(row["kind"], row["name"]) for row in plan} == {
        ("crl", "root"), ("crl", "csms"), ("crl", "station"), ("ocsp", "ocsp-station"),
    }  # fmt: skip
    assert {(row["by"], row["command"]) for row in plan} == {("alone", "bollard rotate")}
    assert bollard("rotate").code == 0
    after = bollard("rotate", "--plan")
    assert "nothing is due" in after.err
    assert "next: crl csms" in after.err


def test_the_servers_are_renewed_at_once_when_asked(bollard: Bollard, home: Path) -> None:
    """Each renewal has its audit index; programs get both serials."""
    before = serials(home)
    told = bollard("-o", "json", "rotate", "--now", "server")
    rows = told.rows("renewed")

    assert told.code == 0
    assert {int(str(row["former"]), 16) for row in rows} == before
    assert {int(str(row["serial"]), 16) for row in rows} == serials(home)
    assert all(row["audit_index"] for row in rows)
    assert "recorded in the audit log" in bollard("rotate", "--now", "ocsp").err


def test_what_waits_for_a_person_exits_with_eight(bollard: Bollard, home: Path, tmp_path: Path) -> None:
    """A trusted CA in the last third of its life: what Bollard can do alone is done all the same."""
    ending = Party.root("Maker Root", "Maker").issue("Maker CA", "Maker", ca=True, start=NOW - 90 * DAY, end=NOW + DAY)
    (tmp_path / "maker.pem").write_text(ending.pem)
    bollard("ca", "trust", "add", str(tmp_path / "maker.pem"), "--purpose", "station")
    settings = home / "bollard.toml"
    settings.write_text(settings.read_text().replace("[csms]", "[csms]\ncertificate_hours = 20"))
    assert "7 due in all" in bollard("status").out  # two servers, the anchor, three first lists and a signer

    told = bollard("rotate")
    assert told.code == 8
    assert "renewed server" in told.err
    assert "rotate.left" in told.err
    assert "anchor" in told.out


def test_a_moment_that_is_none_is_refused(bollard: Bollard) -> None:
    """Usage, as for any other word."""
    assert bollard("rotate", "--at", "tomorrow").code == 2


def test_status_says_what_is_due_next(bollard: Bollard) -> None:
    """In one line."""
    assert "due next" in bollard("status").out
