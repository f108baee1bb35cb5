"""Policies are found by plain names inside their folder and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pki.edge.policies import (
    FILE_BYTES,
    FOLDER,
    certificate_policies,
    check_certificate_policies,
    read_certificate_policy,
    read_policy,
)
from pki.errors import ForbiddenError, InputError, NotFoundError
from pki.profile import parse_profile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", sorted(path.stem for path in (FOLDER / "certificates").glob("*.toml")))
def test_every_certificate_profile_shipped_can_be_read(name: str) -> None:
    """What lies in the folder is usable."""
    assert parse_profile(name, read_policy("certificates", name)).name == name


@pytest.mark.parametrize("name", ["../certificates/root", "", "Root", "none", "/etc/passwd", "root.toml"])
def test_a_name_cannot_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    """The refusal lists what there is; a home's own folder is as narrow as ours."""
    with pytest.raises(NotFoundError, match=r"policy\.unknown") as shipped:
        read_policy("certificates", name)
    with pytest.raises(NotFoundError, match=r"policy\.unknown") as own_first:
        read_certificate_policy(tmp_path, name)

    assert "issuing, link, manufacturer-root" in shipped.value.advice
    assert own_first.value.advice == shipped.value.advice


def own(home: Path, name: str, text: str) -> None:
    """Lay a certificate profile into a home's own folder."""
    (home / "certificates").mkdir(exist_ok=True)
    (home / "certificates" / name).write_text(text)


def test_a_home_s_own_file_takes_the_place_of_ours(tmp_path: Path) -> None:
    """Under the same name; under another it is one more."""
    station = read_policy("certificates", "station")
    own(tmp_path, "station.toml", station.replace("days = 365", "days = 100"))
    own(tmp_path, "short.toml", station)
    found = certificate_policies(tmp_path)

    assert parse_profile("station", read_certificate_policy(tmp_path, "station")).days == 100
    assert read_certificate_policy(tmp_path, "short") == station
    assert [name for name, file in found.items() if not file.shipped] == ["short", "station"]
    assert [name for name, file in certificate_policies(None).items() if not file.shipped] == []
    check_certificate_policies(tmp_path)


def test_every_mistake_in_every_file_is_told_at_once(tmp_path: Path) -> None:
    """By file and line; a file that is no text, or no name for a profile, is one of them."""
    station = read_policy("certificates", "station")
    own(tmp_path, "one.toml", station.replace("days = 365", "days = 0", 1))
    own(tmp_path, "Two.toml", station)
    own(tmp_path, "three.toml", "x" * (FILE_BYTES + 1))
    (tmp_path / "certificates" / "four.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"profile\.wrong") as refused:
        check_certificate_policies(tmp_path)

    says = [finding.says for finding in refused.value.findings]
    assert any(each.startswith("one.toml: line 5: days = 0") for each in says)
    assert any("Two" in each for each in says)
    assert any("longer than" in each for each in says)
    assert any("cannot be read" in each for each in says)


def test_a_pipe_among_the_profiles_holds_nobody_up(tmp_path: Path) -> None:
    """It is a mistake like any other, not an end to every command."""
    own(tmp_path, "good.toml", read_policy("certificates", "station"))
    os.mkfifo(tmp_path / "certificates" / "pipe.toml")

    with pytest.raises(InputError, match="no plain file"):
        check_certificate_policies(tmp_path)
    with pytest.raises(InputError, match="no plain file"):
        read_certificate_policy(tmp_path, "pipe")


def test_a_profile_that_may_not_be_read_is_no_mistake_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not permitted, exit code 3: to correct the file would help nobody."""

    def forbidden(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    own(tmp_path, "mine.toml", read_policy("certificates", "station"))
    monkeypatch.setattr("pki.edge.policies.read_private", forbidden)

    with pytest.raises(ForbiddenError, match=r"policy\.forbidden"):
        check_certificate_policies(tmp_path)


def test_a_home_without_policies_of_its_own_has_nothing_wrong(tmp_path: Path) -> None:
    """The folder need not be there."""
    check_certificate_policies(tmp_path)
