"""What each of our processes gives up before it does anything: root, new privileges, and being looked into.

Rules this file keeps:

* Whose the home is, that user runs everything in it. Root becomes the owner for good; nothing else could say who, and
  contradict the disk.
* No process of ours gains a privilege by running a program (``no_new_privs``), and none leaves its memory, in which
  keys may lie, to a core dump or to another process of the same user (``PR_SET_DUMPABLE``, prctl(2)).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h
_PR_SET_NO_NEW_PRIVS: Final = 38


def begin(home: Path) -> None:
    """Give up what no process of this home needs. Call it first: what was opened before stays open."""
    become_owner(home)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)


def become_owner(home: Path) -> None:
    """Where root starts us in a home of somebody else's, be that user from now on, with that user's groups."""
    owner = home.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    try:
        user = pwd.getpwuid(owner.st_uid)
        group, groups = user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid)
    except KeyError:  # a number without a name, as in containers
        group, groups = owner.st_gid, [owner.st_gid]
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(owner.st_uid)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
