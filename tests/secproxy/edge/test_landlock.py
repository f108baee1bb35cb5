"""A fence of the kernel's, asked for by this process' own children: what is named stays, all else is gone for good."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from secproxy.edge import landlock

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = pytest.mark.skipif(landlock.version() == 0, reason="THIS KERNEL HAS NO LANDLOCK: nothing of it was tested")

FENCED = """
import os, socket, sys
from pathlib import Path
from pki.edge.hardening import _prctl
from secproxy.edge.landlock import APPEND, READ, restrict
here = Path(sys.argv[1])
_prctl(38, 1)
allowed = ((here / "read", READ), (here / "write", APPEND), (here / "alone", READ), (here / "gone", READ))
abi = restrict(allowed)
tries = {
    "read": lambda: (here / "read" / "x").read_text(),
    "read list": lambda: os.listdir(here / "read"),
    "read write": lambda: (here / "read" / "x").write_text("x"),
    "read make": lambda: (here / "read" / "y").write_text("x"),
    "write make": lambda: (here / "write" / "y").write_text("x"),
    "write remove": lambda: (here / "write" / "x").unlink(),
    "alone": lambda: (here / "alone").read_text(),
    "alone write": lambda: (here / "alone").write_text("x"),
    "outside": lambda: (here / "outside").read_text(),
    "outside make": lambda: (here / "new").write_text("x"),
    "run": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "a new listener": lambda: socket.create_server(("127.0.0.1", 0)),
    "signal": lambda: os.kill(os.getppid(), 0),
}
def tried(act):
    try:
        act()
    except PermissionError:
        return "no"
    except OSError as problem:
        return type(problem).__name__
    return "yes"
print(repr({name: tried(act) for name, act in tries.items()}))
"""


def fenced(folder: Path) -> dict[str, str]:
    """What a fenced child could do in this folder, and what not."""
    for name in ("read", "write"):
        (folder / name).mkdir()
        (folder / name / "x").write_text("x")
    for name in ("alone", "outside"):
        (folder / name).write_text("x")
    done = subprocess.run([sys.executable, "-c", FENCED, str(folder)], capture_output=True, text=True, check=True)
    found = eval(done.stdout)  # noqa: S307 - what the child above prints
    assert isinstance(found, dict)
    return found


@NEEDED
def test_what_is_named_can_be_had_in_the_way_it_is_named_and_nothing_else(tmp_path: Path) -> None:
    """Files and folders; a file by itself opens nothing around it, and one that is not there is passed over."""
    found = fenced(tmp_path)
    yes = {"read", "read list", "write make", "alone", "a new listener"}
    no = {"read write", "read make", "write remove", "alone write", "outside", "outside make", "run"}

    assert {name: found[name] for name in yes} == dict.fromkeys(yes, "yes")
    assert {name: found[name] for name in no} == dict.fromkeys(no, "no")


@pytest.mark.skipif(landlock.version() < 6, reason="THIS KERNEL'S LANDLOCK KNOWS NO SCOPES: they were not tested")
def test_no_process_outside_can_be_signalled(tmp_path: Path) -> None:
    """Not even the one that started it."""
    assert fenced(tmp_path)["signal"] == "no"


def test_a_kernel_without_landlock_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the process goes on as it is."""
    monkeypatch.setattr(landlock, "version", lambda: 0)

    assert landlock.restrict(()) == 0
    assert (tmp_path / "x").write_text("x") == 1
