"""Where passwords are checked: a remembered yes costs nothing, a slow hash never stops the event loop.

What is remembered is a keyed hash over verifier and offered password, with a key that lives as long as this process; a
changed password changes the verifier and with it the key of the memory, so nothing has to be forgotten by hand.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from pki import password
from pki.errors import RefusedError

if TYPE_CHECKING:
    from secproxy.admission import PasswordQuestion

REMEMBERED: Final = 20_000  # right answers; about 100 bytes each
SLOW_AT_ONCE: Final = 2  # argon2 takes 64 MiB and a core for its time: more than this at once helps nobody
SLOW_WAITING: Final = 200  # stations that may wait for a slow check; the next one is told to come back later


class BusyError(Exception):
    """Too many slow checks are waiting; the station should come back later."""


class PasswordDesk:
    """Checks passwords for one worker."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._threads = ThreadPoolExecutor(SLOW_AT_ONCE, thread_name_prefix="password")
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Stations that wait for a slow check."""
        return self._waiting

    async def check(self, question: PasswordQuestion) -> bool:
        """Whether the offered password is right. Raises ``BusyError``."""
        name = hmac.digest(self._key, question.verifier.encode() + b"\0" + question.offered, "sha256")
        if name in self._right:
            self._right.move_to_end(name)
            return True
        right = await self._check_slowly(question) if question.slow else _is_right(question)
        if right:
            self._right[name] = None
            if len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        return right

    async def _check_slowly(self, question: PasswordQuestion) -> bool:
        if self._waiting >= SLOW_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _is_right, question)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads; what they are doing is finished first."""
        self._threads.shutdown(cancel_futures=True)


def _is_right(question: PasswordQuestion) -> bool:
    try:
        password.check(question.verifier, question.offered, question.form)
    except RefusedError:
        return False
    return True
