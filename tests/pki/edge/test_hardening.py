"""What a process gives up it has no more, asked of real ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pki.edge import hardening

NOBODY = 65_534
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="ONLY ROOT CAN BECOME SOMEBODY ELSE: run as root to test it")


def said(script: str, *words: str) -> list[str]:
    """What a process of its own prints, line by line."""
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


BEGUN = """
import resource, sys
from pathlib import Path
from pki.edge import hardening
hardening.begin(Path(sys.argv[1]))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["NoNewPrivs"].strip(), resource.getrlimit(resource.RLIMIT_CORE)[1])
import ctypes
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_a_process_that_has_begun_gains_no_privilege_and_leaves_no_core(tmp_path: Path) -> None:
    """``no_new_privs``, no core dump, and not dumpable: its memory is nobody else's."""
    assert said(BEGUN, str(tmp_path)) == ["1", "0", "0"]


OWNED = """
import os, sys
from pathlib import Path
from pki.edge import hardening
os.setgroups([0, 27])
hardening.become_owner(Path(sys.argv[1]))
print(*os.getresuid(), *os.getresgid(), *sorted({*os.getgroups()} - {os.getgid()}))
try:
    os.setuid(0)
except PermissionError:
    print("for good")
"""


@ROOT
def test_root_becomes_the_home_s_owner_for_good() -> None:
    """Real, effective and saved ids, and no group of root's."""
    home = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        os.chown(home, NOBODY, NOBODY)
        assert said(OWNED, str(home)) == [str(NOBODY)] * 6 + ["for", "good"]
    finally:
        shutil.rmtree(home)


@ROOT
def test_an_owner_without_a_name_is_become_by_number() -> None:
    """As in containers, where no passwd file knows the user."""
    home = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        os.chown(home, 54_321, 54_322)
        assert said(OWNED, str(home)) == ["54321"] * 3 + ["54322"] * 3 + ["for", "good"]
    finally:
        shutil.rmtree(home)


def test_one_s_own_home_changes_nobody(tmp_path: Path) -> None:
    """Root in root's home stays root, which the doctor tells; everybody else is who they are."""
    before = os.getresuid()
    hardening.become_owner(tmp_path)

    assert os.getresuid() == before
