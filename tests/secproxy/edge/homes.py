"""A home folder as far as the journal needs it: the folders, no certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.edge.home import Home

if TYPE_CHECKING:
    from pathlib import Path


def bare_home(path: Path) -> Home:
    """Make the folders that events are kept in."""
    home = Home(path)
    for folder in (home.journal, home.run):
        folder.mkdir(mode=0o700, parents=True)
    return home
