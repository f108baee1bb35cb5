"""The supervisor becomes the code that is installed now, in the place of its own: same process, same children, same
sockets, same lock; all that it knew is handed on in memory.

Rules this file keeps:

* What is to take over is rehearsed first, as another process: it reads the settings and all that would be handed to it.
  Whatever keeps it from that leaves everything as it was.
* Nothing is written to disk and nothing stands in an argument: what is handed on lies in a file that has no name
  (memfd_create(2)), secrets stay in the environment that the kernel keeps.
* No signal is lost: those of ours wait in the kernel from before the old code has heard its last until the new listens.
* What is handed on has a form. Code that does not know it says so in its rehearsal.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from pki.errors import BollardError, ConflictError
from secproxy.edge.claim_estate import Kept  # noqa: TC001 - msgspec reads annotations at run time
from secproxy.edge.claim_wire import Mate  # noqa: TC001 - as above
from secproxy.edge.sockets import Place  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FORM: Final = 1
"""Of what is handed on. A field with a default may be added; anything else makes another form."""
HANDED: Final = "BOLLARD_HANDED"
"""The environment variable that names the descriptor of what is handed on."""
REHEARSED: Final = "BOLLARD_REHEARSED"
"""The same, for a rehearsal."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
REHEARSAL_SECONDS: Final = 60.0  # to read its code, the settings and what is handed on; one or two on a quiet host
LAST_WORDS: Final = 300  # characters of what a rehearsal that failed said


class KeptChild(msgspec.Struct, frozen=True):
    """A child process; ``pid`` is 0 between two lives, ``line`` -1 where there is none."""

    name: str
    pid: int
    since: float
    starts: int
    line: int
    mate: Mate | None = None
    leaving: bool = False


class KeptSocket(msgspec.Struct, frozen=True):
    """A listening socket, by its descriptor."""

    place: Place
    descriptor: int


class Estate(msgspec.Struct, frozen=True):
    """All that a supervisor leaves to the code after it. ``settings`` is the text of bollard.toml that is in force."""

    lock: int
    since: float
    generation: int
    candidates: int
    """The generation that is prepared and waits for its sockets."""
    settings: str
    policies: dict[str, str]
    children: list[KeptChild]
    sockets: list[KeptSocket]
    desk: Kept
    form: int = FORM
    bequests: int = 0
    """The form in which workers of the generation that serves hand on what they know; 0: they do not."""


class Successor(msgspec.Struct, frozen=True):
    """What code says of itself that has rehearsed: the interpreter it runs in, for its children, and its version."""

    executable: str
    version: str


def inherited() -> Estate | None:
    """What the code before left to this process; None where there was none."""
    return _read(os.environ.pop(HANDED, ""))


def rehearsed() -> Estate | None:
    """What would be handed to this process, which rehearses; None where it does not."""
    return _read(os.environ.pop(REHEARSED, ""))


def _read(number: str) -> Estate | None:
    if not number.isdecimal():
        return None
    with open(int(number), "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.seek(0)
        written = file.read()
    try:
        estate = msgspec.json.decode(written, type=Estate)
    except ValueError as wrong:
        raise _strange(str(wrong)) from None
    if estate.form != FORM:
        raise _strange(f"it is of form {estate.form}")
    return estate


def _strange(why: str) -> BollardError:
    says = f"this version does not read what the running one hands on: {why[:LAST_WORDS]}"
    return ConflictError("upgrade.form", says, "Stop 'bollard up' and start it again.")


@contextlib.contextmanager
def _written(estate: Estate) -> Iterator[int]:
    """Lend a descriptor of a nameless file that holds it."""
    file = os.memfd_create("bollard")
    try:
        with open(file, "wb", closefd=False) as out:
            out.write(msgspec.json.encode(estate))
        yield file
    finally:
        os.close(file)


def program() -> tuple[str, ...]:
    """The command line that this process was started with, to be started again: the script where there is one, since
    its first line names the interpreter of its environment, else this interpreter."""
    words = sys.orig_argv
    if sys.argv[0] in words and os.access(sys.argv[0], os.X_OK):
        return tuple(words[words.index(sys.argv[0]) :])
    return (sys.executable, *words[1:])


async def rehearse(estate: Estate, authority: Callable[[Successor], Sequence[str]] | None) -> Successor:
    """Have the installed code read all that would be handed to it, and, unless None, its authority open the keys.

    ``ConflictError("upgrade.refused")`` with its own words where it does not.
    """
    with _written(estate) as file:
        said = await try_out(program(), os.environ | {REHEARSED: str(file)}, (file,), refused)
    try:
        successor = msgspec.json.decode(said, type=Successor)
    except msgspec.MsgspecError:
        raise refused("it does not know how to take over") from None
    if authority is not None:
        await try_out(authority(successor), os.environ, (), refused)
    return successor


async def try_out(
    words: Sequence[str], environment: Mapping[str, str], files: Sequence[int], refused: Callable[[str], BollardError]
) -> bytes:
    """Run a command that only tries whether it could; return what it says. Raises what ``refused`` makes of why not."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *words, env=dict(environment), stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, pass_fds=files
        )
    except OSError as problem:
        raise refused(f"{words[0]} cannot be started: {problem.strerror}") from None
    try:
        async with asyncio.timeout(REHEARSAL_SECONDS):
            said, complained = await process.communicate()
    except TimeoutError:
        raise refused(f"it was not done within {REHEARSAL_SECONDS:.0f} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = complained.decode(errors="replace").strip()[-LAST_WORDS:]
        raise refused(f"it ended with exit code {process.returncode}: {' '.join(last.split())}")
    return said


def become(estate: Estate) -> None:
    """Become the installed code. Comes back only as ``ConflictError``, and then nothing has happened."""
    words = program()
    with _written(estate) as file:
        _let_inherit(estate, wanted=True)
        os.set_inheritable(file, True)
        try:
            os.execvpe(words[0], words, os.environ | {HANDED: str(file)})  # noqa: S606 - our own command line
        except OSError as problem:
            keep_from_heirs(estate)
            raise refused(f"{words[0]} cannot be started: {problem.strerror}") from None


def keep_from_heirs(estate: Estate) -> None:
    """Let no child of this process inherit what it has inherited itself."""
    _let_inherit(estate, wanted=False)


def _let_inherit(estate: Estate, *, wanted: bool) -> None:
    handed = [estate.lock, estate.desk.listening, *(line.descriptor for line in estate.desk.lines)]
    handed += [each.descriptor for each in estate.sockets]
    handed += [child.line for child in estate.children if child.line >= 0]
    for number in handed:
        os.set_inheritable(number, wanted)


@contextlib.contextmanager
def signals_waiting() -> Iterator[None]:
    """For the length of the block, signals of ours wait in the kernel; through ``become`` they wait on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        hear_signals()


def hear_signals() -> None:
    """Hear those that have waited."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def refused(says: str) -> BollardError:
    """Make the error for code that cannot take over."""
    advice = "All goes on as it was. Put right what it says, and try again."
    return ConflictError("upgrade.refused", f"the code that is installed cannot take over: {says}", advice)
