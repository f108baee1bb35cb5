"""A home that the real command brings up, with real processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOLLARD = [sys.executable, "-m", "bollard"]
PASSPHRASE = "a passphrase for tests alone"
SECONDS = 30.0  # for a step to happen, on the slowest machine
ENOUGH = {"authority", "web", "worker 0", "worker 1"}


def bollard(home: Path, *words: str, passphrase: str = PASSPHRASE) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = os.environ | {"BOLLARD_PASSPHRASE": passphrase}
    command = [*BOLLARD, "--home", str(home), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=SECONDS)


@dataclass
class Up:
    """A running ``bollard up``."""

    home: Path
    process: subprocess.Popen[str]
    doors: list[int]
    said: list[str] = field(default_factory=list)

    def wait_for(self, words: str) -> str:
        """Read what it says until a line holds these words."""
        stream = self.process.stderr
        assert stream
        for line in stream:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"it ended without {words!r}: {''.join(self.said)}")

    def children(self) -> dict[str, int]:
        """Name each child process and its id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                words = (folder / "cmdline").read_text().split("\0")[:-1]
                if int(parent) == self.process.pid and words:
                    noun = words[words.index("--home") + 2 :]
                    found[" ".join(noun).replace(" --number", "")] = int(folder.name)
        return found


def up_words(*doors: int) -> list[str]:
    """Say ``up`` for two workers at these ports: stations with certificates, web, stations with passwords."""
    listen = [f"--listen=127.0.0.1:{doors[0]}=3", f"--listen=127.0.0.1:{doors[2]}=2"]
    return [
        "up",
        "--upstream=ws://127.0.0.1:9",
        "--workers=2",
        *listen,
        f"--web=127.0.0.1:{doors[1]}",
        "--status=127.0.0.1:0",
    ]


@contextlib.contextmanager
def up(home: Path, words: Callable[..., list[str]] = up_words) -> Iterator[Up]:
    """Bring a home up; whatever the test did to it, all of it is gone afterwards."""
    doors = [free_port(), free_port(), free_port()]
    command = [*BOLLARD, "--home", str(home), *words(*doors)]
    env = os.environ | {"BOLLARD_PASSPHRASE": PASSPHRASE, "BOLLARD_HSM_PIN": "2468", "BOLLARD_HSM_PIN_FILE": ""}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            yield Up(home, process, doors)
        finally:
            process.kill()


def make_home(path: Path) -> Path:
    made = bollard(path, "init", "--org", "Example", "--csms-host", "localhost")
    assert made.returncode == 0, made.stderr
    return path


def environment_of(pid: int) -> str:
    """What a process was given; that ours are not dumpable keeps it from all but root."""
    try:
        return Path(f"/proc/{pid}/environ").read_text()
    except PermissionError:
        pytest.skip("ONLY ROOT LOOKS INTO A PROCESS OF OURS: run as root to test it")
