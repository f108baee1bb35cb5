"""One child process that is kept running: started, watched, started again when it dies, and ended when asked.

Rules this file keeps:

* A child that has lived for a while is back within a second; one that dies at once again and again is given longer and
  longer pauses.
* A child is in a session of its own, so that Ctrl-C reaches the supervisor alone and the order of ending is ours.
* Signals go to the very process that was started, never to a number that may be somebody else's by now.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import log
from secproxy.edge.claim_wire import Process
from secproxy.edge.lifeline import die_with
from secproxy.edge.sockets import INHERITED, pair

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

WHO: Final = "bollard"  # what the supervisor calls itself to people
FIRST_PAUSE: Final = 0.1  # seconds before a child that died is started again
LONGEST_PAUSE: Final = 5.0  # seconds; doubled up to here while it dies again and again
STEADY_SECONDS: Final = 10.0  # seconds of life after which a death counts as the first again
GRACE_SECONDS: Final = 5.0  # seconds from SIGTERM to SIGKILL, for a process that has nobody to say goodbye to


class Child:
    """One child. ``ended`` is called with its exit code (minus the signal's number) each time it dies unasked.

    ``since`` is when it was last started, in seconds since 1970, and ``starts`` how often it was. Where ``listens`` is
    given, the child inherits one end of a line for sockets each time it is started, and ``listens`` hears of it before.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        ended: Callable[[int], None],
        grace: float = GRACE_SECONDS,
        listens: Callable[[Child], None] | None = None,
    ) -> None:
        self.name = name
        self._grace = grace
        self._argv = tuple(argv)
        self._env = dict(env)
        self._ended = ended
        self._listens = listens
        self.line: socket.socket | None = None
        """Our end of the line by which it is handed its sockets."""
        self.since, self.starts = 0.0, 0
        self._process: subprocess.Popen[bytes] | Adopted | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def seen(self, generation: int, *, leaving: bool = False) -> Process:
        """How it stands, for whoever looks; it is of this generation."""
        return Process(self.name, self.pid, self.since, max(0, self.starts - 1), generation, leaving)

    def start(self) -> None:
        """Begin to keep it running."""
        self._keeping = asyncio.create_task(self._keep())

    def renew(self) -> None:
        """Have it end by itself and started again, because what it reads at its start has changed."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def adopt(self, pid: int, since: float, starts: int, line: socket.socket | None) -> None:
        """Go on to keep one that is a child of this process already; with 0 it is started."""
        self.since, self.starts, self.line = since, starts, line
        self._process = Adopted(pid) if pid else None
        self._keeping = asyncio.create_task(self._keep())

    def release(self) -> None:
        """Keep it no longer: it is not started again."""
        if self._keeping is not None:
            self._keeping.cancel()

    async def end(self, seconds: float) -> None:
        """Wait for it to end by itself, because it was told to, and no longer than this; then end it."""
        self.release()
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await _end_of(self._process)
        await self.stop()

    async def stop(self) -> None:
        """End it for good: SIGTERM, and SIGKILL when it is still there after the grace."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        await self._stop()
        if self.line is not None:
            self.line.close()

    async def _stop(self) -> None:
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
                what = f": {problem.filename}, which the home's owner has to be able to run" * bool(problem.filename)
                _say("process.unstartable", f"{self.name} cannot be started: {problem.strerror}{what}")
                code = os.EX_OSERR
            pause = next_pause(pause, clock() - began)
            _say("process.ended", f"{self.name} ended ({_reason(code)}) and is started again in {pause:.1f} s")
            self._ended(code)
            await asyncio.sleep(pause)

    async def _run(self) -> int:
        if isinstance(self._process, Adopted) and not self._process.ended:
            return await _end_of(self._process)
        theirs = self._make_line()
        try:
            self._begin(theirs)
        finally:
            if theirs is not None:
                theirs.close()
        assert self._process is not None  # noqa: S101 (it has begun)
        return await _end_of(self._process)

    def _make_line(self) -> socket.socket | None:
        """Make the line for this life of the child's, and return its end."""
        if self._listens is None:
            return None
        if self.line is not None:
            self.line.close()
        self.line, theirs = pair()
        self._listens(self)
        return theirs

    def _begin(self, line: socket.socket | None) -> None:
        # No thread of ours is running, so code between fork and exec is safe; it makes two system calls.
        bound = partial(_begin_life, os.getpid())
        self._process = subprocess.Popen(  # noqa: S603 (our own command line; it returns at once)
            self._argv,
            env=self._env | ({INHERITED: str(line.fileno())} if line else {}),
            pass_fds=(line.fileno(),) if line else (),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=bound,  # noqa: PLW1509 (as above)
        )
        self.since, self.starts = time.time(), self.starts + 1


class Adopted:
    """A child of this process that the code before ours has started, as ``subprocess`` would show it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    @property
    def ended(self) -> bool:
        """Whether its end has been seen."""
        return self._code is not None

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self._code is None:
            with contextlib.suppress(ChildProcessError):
                found, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if found else None
        return self._code

    def wait(self) -> int:
        """Wait for its end."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def terminate(self) -> None:
        """Ask it to end."""
        self._tell(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        if self.poll() is None:  # one that has not been waited for keeps its number
            os.kill(self.pid, number)


def _begin_life(parent: int) -> None:
    """What a child does first: it hears every signal, also when its parent does not hear any at the moment."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    die_with(parent)


def next_pause(pause: float, lived: float) -> float:
    """Say how many seconds to wait before the next start, from the last pause and the seconds that it lived."""
    return FIRST_PAUSE if lived >= STEADY_SECONDS else min(LONGEST_PAUSE, pause * 2)


def _say(kind: str, text: str) -> None:
    log.say(kind, text, who=WHO, level=log.Level.WARNING)


async def _end_of(process: subprocess.Popen[bytes] | Adopted) -> int:
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
