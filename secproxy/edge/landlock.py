"""Landlock (landlock(7)): a process gives up, for good, every file that it does not name.

Rules this file keeps:

* What the kernel knows to deny is denied, as far as its version of Landlock (the ABI) goes; the rest stays as it was.
* Nothing here decides what is needed: that is ``fence``.
"""

from __future__ import annotations

import ctypes
import os
import struct
from enum import IntFlag
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture since Linux 5.13
_ASK_VERSION: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH: Final = 1  # enum landlock_rule_type


class Files(IntFlag):
    """What can be done to files (LANDLOCK_ACCESS_FS_*, linux/landlock.h), in the order in which ABIs brought them."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ: Final = Files.READ_FILE | Files.READ_DIR  # enough for libraries too: mapping one is not executing it
APPEND: Final = Files.READ_FILE | Files.READ_DIR | Files.WRITE_FILE | Files.MAKE_REG | Files.TRUNCATE
_OF_FILES: Final = Files.EXECUTE | Files.WRITE_FILE | Files.READ_FILE | Files.TRUNCATE | Files.IOCTL_DEV
_FILES_SINCE: Final = {1: Files.MAKE_SYM, 2: Files.REFER, 3: Files.TRUNCATE, 5: Files.IOCTL_DEV}  # the last of each ABI
_SCOPES: Final = 0b11  # abstract Unix sockets and signals of processes outside; ABI 6
_SCOPES_SINCE: Final = 6


def version() -> int:
    """Return the kernel's ABI of Landlock; 0 where it has none, or it is switched off."""
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    except OSError:
        return 0


def restrict(paths: Iterable[tuple[Path, Files]]) -> int:
    """Fence this thread in, and all that it starts; return the ABI by which it was done, 0 where there is none.

    What stays is what may be done below these paths. ``no_new_privs`` must be set. Raises ``OSError`` where the kernel
    has Landlock and refuses.
    """
    abi = version()
    if abi == 0:
        return 0
    handled = struct.pack("=QQQ", _known(abi), 0, _SCOPES if abi >= _SCOPES_SINCE else 0)
    length = 24 if abi >= _SCOPES_SINCE else 8  # an older kernel knows a shorter struct
    ruleset = _call(_CREATE_RULESET, handled, ctypes.c_size_t(length), 0)
    try:
        for path, rights in paths:
            _allow_path(ruleset, path, rights & _known(abi))
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _known(abi: int) -> Files:
    newest = max(last for since, last in _FILES_SINCE.items() if since <= abi)
    return Files((newest << 1) - 1)


def _allow_path(ruleset: int, path: Path, rights: Files) -> None:
    """Allow it where it is there; what is not there now, or not to be reached, cannot be had later either."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        mask = rights if path.is_dir() else rights & _OF_FILES
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", mask, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    done: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return done
