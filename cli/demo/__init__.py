"""The whole story in one command: every promise kept once, on this machine, with real processes and real attacks.

``story`` holds the steps in order, ``attacks`` the eight connections that must be refused, ``firmware`` the updates,
``world`` the folder and the processes, ``child`` one process that is listened to, ``papers`` the keys and certificates
that others would bring.
What an administrator would do, the story does with the ``bollard`` command, and shows it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from cli.asked import Asked, pass_asked
from cli.files import new_folder


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Play in this new folder and leave it for a look.")
@pass_asked
def demo(asked: Asked, keep: Path | None) -> None:
    """Play the whole story on loopback with real processes, and say whether all held."""
    from cli.demo.story import play

    if asked.dry_run:
        asked.would({"call": "demo", "folder": str(keep or "a temporary one")})
    if keep:
        return play(new_folder(keep).absolute())
    with tempfile.TemporaryDirectory(prefix="bollard-demo-") as folder:
        return play(Path(folder))
