"""One child process that is kept running: started, watched, started again when it dies, and ended when asked.

Rules this file keeps:

* A child that has lived for a while is back within a second; one that dies at once again and again is given longer and
  longer pauses.
* A child is in a session of its own, so that Ctrl-C reaches the supervisor alone and the order of ending is ours.
* Signals go to the very process that was started, never to a number that may be somebody else's by now.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import log
from secproxy.edge.lifeline import die_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WHO: Final = "bollard"  # what the supervisor calls itself to people
FIRST_PAUSE: Final = 0.1  # seconds before a child that died is started again
LONGEST_PAUSE: Final = 5.0  # seconds; doubled up to here while it dies again and again
STEADY_SECONDS: Final = 10.0  # seconds of life after which a death counts as the first again
GRACE_SECONDS: Final = 5.0  # seconds from SIGTERM to SIGKILL, for a process that has nobody to say goodbye to


class Child:
    """One child. ``ended`` is called with its exit code (minus the signal's number) each time it dies unasked.

    ``since`` is when it was last started, in seconds since 1970, and ``starts`` how often it was.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        ended: Callable[[int], None],
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.name = name
        self._grace = grace
        self._argv = tuple(argv)
        self._env = dict(env)
        self._ended = ended
        self.since, self.starts = 0.0, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self) -> None:
        """Begin to keep it running."""
        self._keeping = asyncio.create_task(self._keep())

    def renew(self) -> None:
        """Have it end by itself and started again, because what it reads at its start has changed."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    async def stop(self) -> None:
        """End it for good: SIGTERM, and SIGKILL when it is still there after the grace."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        if self._process is not None:
            self._process.terminate()
            try:
                async with asyncio.timeout(self._grace):
                    await _end_of(self._process)
            except TimeoutError:
                _say("process.stuck", f"{self.name} does not end by itself and is killed")
                self._process.kill()
                await _end_of(self._process)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE / 2
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                code = await self._run()
            except OSError as problem:  # no process or no memory to be had at the moment
                _say("process.unstartable", f"{self.name} cannot be started: {problem.strerror}")
                code = os.EX_OSERR
            pause = next_pause(pause, clock() - began)
            _say("process.ended", f"{self.name} ended ({_reason(code)}) and is started again in {pause:.1f} s")
            self._ended(code)
            await asyncio.sleep(pause)

    async def _run(self) -> int:
        # No thread of ours is running, so code between fork and exec is safe; it makes one system call.
        bound = partial(die_with, os.getpid())
        self._process = subprocess.Popen(  # noqa: S603, ASYNC220 (our own command line; it returns at once)
            self._argv,
            env=self._env,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=bound,  # noqa: PLW1509 (as above)
        )
        self.since, self.starts = time.time(), self.starts + 1
        return await _end_of(self._process)


def next_pause(pause: float, lived: float) -> float:
    """Say how many seconds to wait before the next start, from the last pause and the seconds that it lived."""
    return FIRST_PAUSE if lived >= STEADY_SECONDS else min(LONGEST_PAUSE, pause * 2)


def _say(kind: str, text: str) -> None:
    log.say(kind, text, who=WHO, level=log.Level.WARNING)


async def _end_of(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process' end without a thread; its exit code stays with it."""
    if process.poll() is None:
        loop = asyncio.get_running_loop()
        handle = os.pidfd_open(process.pid)
        gone = asyncio.Event()
        loop.add_reader(handle, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
    return process.wait()


def _reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
