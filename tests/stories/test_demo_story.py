"""``bollard demo``, as a newcomer runs it: everything promised happens once, and nothing stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cli.demo.story import STEPS


def test_the_demo_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Exit code 0, a tick for each step, the verdict; afterwards neither a file nor a process of it is left."""
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "bollard", "demo"],
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == len(STEPS)
    assert f"All {len(STEPS)} steps held" in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert [line for line in command_lines() if str(tmp_path) in line] == []


def command_lines() -> list[str]:
    """What runs on this machine now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it ended meanwhile
            continue
    return found
