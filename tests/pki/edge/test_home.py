"""A home is named only when it is whole, and its settings are text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.home import Home, read_settings
from pki.errors import ForbiddenError, InputError
from tests.worlds import make_home

if TYPE_CHECKING:
    from pathlib import Path


def test_a_home_is_named_only_when_it_is_whole(tmp_path: Path) -> None:
    """The settings are written last, so they are the sign of it."""
    home = make_home(tmp_path)
    assert Home.at(home.path) == home
    home.settings.unlink()
    with pytest.raises(InputError, match=r"home\.missing"):
        Home.at(home.path)


def test_settings_that_may_not_be_read_are_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not permitted, exit code 3: a backup would not help."""

    def forbidden(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pki.edge.home.read_private", forbidden)

    with pytest.raises(ForbiddenError, match=r"settings\.forbidden"):
        read_settings(Home(tmp_path))


def test_settings_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Never a traceback about encodings."""
    home = make_home(tmp_path)
    home.settings.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"settings\.unreadable"):
        read_settings(home)
