"""Crash points are silent unless armed, loud when armed, and refuse a misspelt name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from pki.edge import crashpoints

_REACH = "from pki.edge.crashpoints import reach; reach('issue.signed'); reach(''); print('alive')"


def run(armed: str) -> subprocess.CompletedProcess[str]:
    """Pass one point in a process of its own."""
    environment = {**os.environ, crashpoints.VARIABLE: armed}
    return subprocess.run([sys.executable, "-c", _REACH], env=environment, capture_output=True, text=True, check=False)


def test_an_unarmed_point_does_nothing() -> None:
    """In normal life the points are not there."""
    ended = run("")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "alive\n", "")


def test_an_armed_point_kills_the_process_and_says_so_first() -> None:
    """SIGKILL leaves no time to tidy up, which is what makes it a proof; and nobody can arm one unnoticed."""
    ended = run("issue.signed")
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "")
    assert "FAULT INJECTION" in ended.stderr


def test_another_point_than_the_armed_one_is_passed() -> None:
    """Only the one that was named kills."""
    assert run("issue.sealed").stdout == "alive\n"


def test_a_misspelt_point_stops_the_process_at_once() -> None:
    """A fault that never happens must not look like one that was survived."""
    ended = run("issue.singed")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "names no crash point" in ended.stderr
