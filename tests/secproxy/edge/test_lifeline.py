"""Children that end with their parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

PARENT = """
import os, subprocess, sys
from functools import partial
import bollard
from secproxy.edge.lifeline import die_with
child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]],
    preexec_fn=partial(die_with, os.getpid()), start_new_session=True, stdout=subprocess.PIPE,
)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)

ORPHAN = """
import bollard
from secproxy.edge.lifeline import die_with
die_with(1 << 22)
print("still here")
"""


def test_kill_9_of_the_parent_ends_a_child_that_ignores_every_request() -> None:
    """The kernel does it; neither of the two needs to cooperate."""
    with subprocess.Popen([sys.executable, "-c", PARENT, STUBBORN], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([child], [], [], 20)
        os.close(child)

    assert ended


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    """The parent may die between fork and the call; its end would never be told."""
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")
