"""A child process of ours ends with its parent, however the parent ends.

The kernel is asked to do it (``PR_SET_PDEATHSIG`` of prctl(2)), because it alone is still there after ``kill -9``. The
signal is SIGKILL: nobody would be left to insist. It survives ``execve``, so the child needs no code for it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before any fork: a child may only make the call


def die_with(parent: int) -> None:
    """Bind this process to the life of its parent, a process id. Call it in the child, between fork and exec."""
    if _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before the call, so its end will not be told any more
        os.kill(os.getpid(), signal.SIGKILL)
