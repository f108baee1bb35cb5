"""The doctor by command: a table or JSON, a cure on every line that needs one, and an exit code for scripts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def test_a_fresh_home_is_examined_and_nothing_is_critical(bollard: Bollard) -> None:
    """The passphrase beside the keys is what it warns of, and where root runs it, that the home is root's."""
    told = bollard("-o", "json", "doctor")
    symptoms = told.rows("symptoms")
    assert (told.code, told.json()["verdict"]) == (0, "warning")
    expected = {"health.passphrase", "health.clock", *(["health.unsafe"] if os.geteuid() == 0 else [])}
    assert {row["code"] for row in symptoms if row["weight"] == "warning"} <= expected
    assert {row["what"] for row in symptoms if row["code"] == "health.unsafe"} <= {"processes"}
    assert all(row["fix"] for row in symptoms if row["weight"] != "ok")


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)])
def test_warnings_count_only_when_asked(bollard: Bollard, strict: tuple[str, ...], code: int) -> None:
    """For whoever wants all to be well."""
    assert bollard("doctor", *strict).code == code


def test_what_is_critical_ends_with_one_and_comes_first(bollard: Bollard, home: Path) -> None:
    """With the very command that cures it."""
    (home / "keys" / "root.pem").chmod(0o644)
    told = bollard("doctor")
    assert told.code == 1
    assert told.out.splitlines()[1].startswith("critical")
    first = bollard("-o", "json", "doctor").rows("symptoms")[0]
    assert (first["code"], first["fix"]) == ("health.files", f"chmod 600 {home / 'keys' / 'root.pem'}")
    assert "something will not work" in told.err


def test_a_home_that_cannot_be_opened_is_examined_as_far_as_it_goes(bollard: Bollard, home: Path) -> None:
    """What could not be looked at is told as such."""
    (home / "keys" / "audit.pem").unlink()
    told = bollard("-o", "json", "doctor")
    codes = {row["code"] for row in told.rows("symptoms")}
    assert told.code == 1
    assert {"health.failed", "health.unseen", "health.space"} <= codes
