"""A worker, started as ever, finds that the home's secrets and the rest of the host are not there for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pki.names import Organisation
from secproxy.config import parse_config
from secproxy.edge.effective import write_config
from secproxy.edge.landlock import version
from tests.secproxy.edge.homes import bare_home
from tests.worlds import ORGANISATION

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home

NEEDED = pytest.mark.skipif(version() == 0, reason="THIS KERNEL HAS NO LANDLOCK: workers are not fenced in")

CSMS = '[[upstream]]\nname = "{}"\nurls = ["wss://127.0.0.1:{}"]\nca_file = "{}"\ngroups = ["{}"]\n'
PROBED = """
import json, os, socket, ssl, sys
from pathlib import Path
from pki.edge.home import Home
from secproxy.edge import worker_process
home = Home(Path(sys.argv[1]))
tries = {
    "ledger": lambda: home.ledger.read_bytes(),
    "key": lambda: (home.keys / "root.pem").read_bytes(),
    "settings": lambda: home.settings.read_bytes(),
    "journal": lambda: (home.journal / "worker-0.jsonl").write_text("x"),
    "delete an event": lambda: (home.journal / "old.jsonl").unlink(),
    "write in the home": lambda: (home.path / "x").write_text("x"),
    "password file": lambda: Path("/etc/passwd").read_bytes(),
    "another home": lambda: (home.path.parent / "elsewhere").read_bytes(),
    "CSMS's CA": lambda: (home.path.parent / "csms" / "ca.pem").read_bytes(),
    "CA in the home": lambda: (home.path / "ca.pem").read_bytes(),
    "CA to come": lambda: (home.path.parent / "to come" / "ca.pem").read_bytes(),
    "system's CAs": ssl.create_default_context,
    "a name": lambda: socket.getaddrinfo("localhost", 80),
    "a module": lambda: __import__("wave"),
    "a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "the settings in force": lambda: (home.run / "config.toml").read_bytes(),
    "its own memory": lambda: Path("/proc/self/statm").read_bytes(),
    "the parent's memory": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
}
def tried(act):
    try:
        act()
    except PermissionError:
        return "no"
    return "yes"
async def probe(*_):
    status = Path("/proc/self/status").read_text()
    no_new = "NoNewPrivs:\\t1" in status
    print(json.dumps({"no new privileges": no_new} | {name: tried(act) for name, act in tries.items()}))
worker_process._run = probe
worker_process.run_worker(home, 0)
"""


def probed(folder: Path, *, fenced: bool = True, to_come: str = "") -> dict[str, object]:
    """What a worker of a home in this folder can do once it has begun; ``to_come`` is not in force yet."""
    home = home_in(folder)
    text = home.settings.read_text() + f"[proxy]\nunsafe_no_landlock = {str(not fenced).lower()}\n"
    (home.run / "config.toml").write_text(write_config(Organisation.parse(ORGANISATION), parse_config(text)))
    home.settings.write_text(home.settings.read_text() + to_come)
    words = [sys.executable, "-c", PROBED, str(home.path)]
    path = os.pathsep.join([*filter(None, sys.path), str(folder)])  # a folder of modules that the home lies in as well
    env = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def home_in(folder: Path) -> Home:
    """A home with something worth stealing, and CSMSs whose CAs lie inside of it and outside."""
    home = bare_home(folder / "home")
    home.keys.mkdir()
    for name in ("csms", "to come"):
        (folder / name).mkdir()
    inside = ("ca.pem", "ledger.db", "keys/root.pem", "journal/old.jsonl")
    for name in (*(f"home/{each}" for each in inside), "csms/ca.pem", "to come/ca.pem", "elsewhere"):
        (folder / name).write_text("x")
    home.settings.write_text(
        f'[organisation]\nname = "{ORGANISATION}"\n[csms]\nhost = "localhost"\n'
        '[[listener]]\naddress = "127.0.0.1:0"\nprofile = 3\n'
        '[web]\naddress = "127.0.0.1:0"\npublic_url = "https://localhost"\n'
        + CSMS.format("a", 9, folder / "csms" / "ca.pem", "a")
        + CSMS.format("b", 9, home.path / "ca.pem", "b")
    )
    return home


ALLOWED = {
    "journal",
    "CSMS's CA",
    "CA in the home",
    "system's CAs",
    "a name",
    "a module",
    "its own memory",
    "the settings in force",
}


@NEEDED
def test_a_worker_has_what_it_works_with_and_nothing_else(tmp_path: Path) -> None:
    """Whoever takes it over finds no key of an authority, no ledger, no program to run and no other service."""
    found = probed(tmp_path)

    assert found.pop("no new privileges") is True
    assert {name for name, had in found.items() if had == "yes"} == ALLOWED


@NEEDED
def test_what_a_new_csms_needs_is_there_for_workers_that_start_after_it_was_named(tmp_path: Path) -> None:
    """Before it is in force: no fence can be widened later, and then no reload could ever take it in."""
    nowhere = tmp_path / "elsewhere" / "no folder" / "ca.pem"
    named = CSMS.format("c", 9, tmp_path / "to come" / "ca.pem", "c") + CSMS.format("d", 9, nowhere, "d")

    assert {name for name, had in probed(tmp_path, to_come=named).items() if had == "yes"} == ALLOWED | {"CA to come"}


@NEEDED
def test_settings_to_come_that_are_wrong_keep_no_worker_from_its_start(tmp_path: Path) -> None:
    """What is in force counts; whoever tries to put the others in force is told."""
    assert {name for name, had in probed(tmp_path, to_come="[[upst").items() if had == "yes"} == ALLOWED


def test_the_fence_can_be_left_out_by_name_alone(tmp_path: Path) -> None:
    """And then the same probe finds all of it, so that it is the fence that keeps it away."""
    found = probed(tmp_path, fenced=False)

    assert {found[name] for name in ("ledger", "key", "password file", "a program")} == {"yes"}
