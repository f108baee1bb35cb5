"""Backup and restore of the whole home."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.files import existing, free_to_write, read_text
from cli.render import note
from pki.errors import ConflictError

if TYPE_CHECKING:
    from pathlib import Path

    from cli.render import Plain
    from pki.edge.restoring import Restored


@click.command()
@click.argument("file")
@click.option("--with-passphrase", is_flag=True, help="Put keys/passphrase in as well: the file then opens every key.")
@click.option("--without-images", is_flag=True, help="Leave the firmware images out; they have to be imported again.")
@pass_asked
def backup(asked: Asked, file: str, *, with_passphrase: bool, without_images: bool) -> None:
    """Write everything the home holds into FILE, verified, while everything goes on working."""
    from pki.edge.asking import conversation
    from pki.edge.packing import Choice, pack

    path = free_to_write(file, replace=asked.yes)
    if asked.dry_run:
        asked.would({"call": "backup", "file": file, "images": not without_images, "passphrase": with_passphrase})
    choice = Choice(not without_images, with_passphrase, asked.version)
    with conversation(asked.home()) as ask:
        made = pack(asked.home(), path, ask, choice, replace=asked.yes)
    _tell_passphrase(file, given=with_passphrase)
    asked.done(
        made.audit_index, {"file": file, "files": made.members, "size": made.size, "audit_size": made.audit_size}
    )


@click.command()
@click.argument("file")
@click.option("--checkpoint", multiple=True, help="File with a checkpoint kept elsewhere: the backup must reach it.")
@click.option("--unsafe-roll-back", is_flag=True, help="Restore even what undoes recorded acts; this is recorded.")
@pass_asked
def restore(asked: Asked, file: str, checkpoint: tuple[str, ...], *, unsafe_roll_back: bool) -> None:
    """Put the home back from FILE; one that is there is replaced, and kept beside it."""
    from pki.edge.restoring import Judged, restore

    path, held = existing(file), [read_text(name) for name in checkpoint]
    if asked.dry_run:
        found = check(path)
        judged = restore(path, asked.home_path, Judged(held, unsafe_roll_back), rehearsed=True)
        more_of_it: dict[str, Plain] = {"replaced_size": _replaced(judged), "overruled": [*judged.overruled]}
        asked.would({"call": "restore", "file": file, **found, **more_of_it}, judged=True)
    _confirm(asked, unsafe_roll_back=unsafe_roll_back)
    done = restore(path, asked.home_path, Judged(held, unsafe_roll_back))
    _tell_restored(done)
    sizes: dict[str, Plain] = {"audit_size": done.audit_size, "replaced_size": _replaced(done)}
    more: dict[str, Plain] = {"replaced": str(done.aside) if done.aside else None, "overruled": [*done.overruled]}
    asked.done(done.audit_index, {"home": str(asked.home_path), **sizes, **more})


def check(path: Path) -> dict[str, Plain]:
    """Read a whole backup and compare it with its manifest."""
    from pki.edge.unpacking import check_archive

    with path.open("rb") as file:
        found = check_archive(file)
    return {"made": found.made.isoformat(), "version": found.version, "audit_size": found.audit_size}


def _replaced(done: Restored) -> int | None:
    """The entries of the log that was replaced; none where there was no home, or its log could not be read."""
    from pki.edge.ledger.restores import NOTHING

    return None if done.replaced_size == NOTHING else done.replaced_size


def _tell_passphrase(file: str, *, given: bool) -> None:
    if given:
        note(f"WARNING: {file} holds the passphrase beside the keys: whoever has the file has every key of this home")
    else:
        note("the passphrase of the keys is not in it: keep it elsewhere, or the backup opens for nobody")


def _confirm(asked: Asked, *, unsafe_roll_back: bool) -> None:
    """Nobody's home is replaced without a word: at a terminal one is asked for, elsewhere it is ``--yes``."""
    home = asked.home_path
    there = home.is_dir() and any(home.iterdir())
    if unsafe_roll_back:
        note("WARNING: --unsafe-roll-back: acts that were recorded may be undone, revocations among them")
    if not there or asked.yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConflictError("home.exists", f"there is a home at {str(home)!r} already", "Add --yes to replace it.")
    asked.confirm(f"Replace the home {home}? It is kept beside the new one.")


def _tell_restored(done: Restored) -> None:
    if done.overruled:
        note(f"WARNING: overruled: {', '.join(done.overruled)}; look for certificates that were revoked in between")
    if done.aside:
        note(f"the old home is at {done.aside}; delete it when it is needed no more")
    note("next: bollard audit verify, bollard doctor")
