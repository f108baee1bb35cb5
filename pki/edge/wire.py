"""The line that questions and answers take between our processes: one JSON object a line over a Unix socket.

Everything is decoded once, here, into the types of ``pki.edge.calls``. Lines that strangers could send are bounded. The
socket's own path is reached through its folder, for the kernel takes at most 107 bytes of path.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import struct
import sys
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from pki import errors
from pki.edge import calls
from pki.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION_BYTES: Final = 16 * 1024**2  # bytes of one question; a bulk import of 100,000 stations fits
ANSWER_BYTES: Final = (
    1024**3
)  # bytes of one answer or snapshot; it comes from our own authority, so this only stops a runaway

_PEER: Final = struct.Struct("3i")  # Linux struct ucred: pid, uid, gid
_CALLS: Final = reduce(or_, calls.Call.__subclasses__())

T = TypeVar("T")


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call and the number by which its answer is known."""

    id: int
    body: _CALLS  # type: ignore[valid-type]  # the union of every Call, known only at run time


class Reply(msgspec.Struct, frozen=True):
    """An answer or a failure; ``news`` is set on lines of a watch instead."""

    id: int = -1
    answer: msgspec.Raw = msgspec.Raw(b"")
    failure: calls.Failure | None = None
    news: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as the kernel says."""

    pid: int
    uid: int

    def __str__(self) -> str:
        return f"{_user(self.uid)} (uid {self.uid}, pid {self.pid})"


def read_question(line: bytes) -> tuple[int, calls.Call]:
    """Read one question; ``InputError("call.malformed")`` for anything else."""
    try:
        question = _QUESTION.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise errors.InputError(
            "call.malformed", f"the line is no question: {str(problem)[:200]!r}", "See pki/edge/calls.py."
        ) from None
    return question.id, question.body


def question_number(line: bytes) -> int:
    """Return the number of a question that could not be read otherwise; -1 when even that is unreadable."""
    try:
        return msgspec.json.decode(line, type=Reply).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return -1


def write_question(number: int, call: calls.Call) -> bytes:
    """Write a question."""
    return msgspec.json.encode({"id": number, "body": call}) + b"\n"


def write_answer(number: int, row: calls.Row) -> bytes:
    """Write an answer."""
    return msgspec.json.encode({"id": number, "answer": row}) + b"\n"


def write_failure(number: int, problem: errors.BollardError) -> bytes:
    """Write an error as it travels: as the nearest kind of ``pki.errors`` that it is, for others know no other."""
    failure = calls.Failure(
        kind=next(kind.__name__ for kind in type(problem).__mro__ if kind.__module__ == errors.__name__),
        code=problem.code,
        cause=problem.cause,
        advice=problem.advice,
        findings=tuple((f.code, f.severity.value, f.clause, f.says) for f in problem.findings),
    )
    return msgspec.json.encode({"id": number, "failure": failure}) + b"\n"


def write_news(news: calls.News) -> bytes:
    """Write a piece of news; its field ``news`` says which."""
    return msgspec.json.encode(news) + b"\n"


def read_reply(line: bytes) -> Reply:
    """Read an answer, a failure, or the head of a piece of news."""
    return _REPLY.decode(line)


def read_news(line: bytes) -> calls.News:
    """Read a piece of news."""
    return _NEWS.decode(line)


def to_error(failure: calls.Failure) -> errors.BollardError:
    """Make the error that travelled; a kind we do not know becomes the base of all."""
    kind = getattr(errors, failure.kind, errors.BollardError)
    if not (isinstance(kind, type) and issubclass(kind, errors.BollardError)):
        kind = errors.BollardError
    findings = tuple(
        Finding(code, Severity(severity), clause, says) for code, severity, clause, says in failure.findings
    )
    return kind(failure.code, failure.cause, failure.advice, findings=findings)


def read_peer(connection: socket.socket) -> Peer:
    """Ask the kernel who opened this connection (SO_PEERCRED)."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid, uid, _ = _PEER.unpack(packed)
    return Peer(pid, uid)


def admit_peer(peer: Peer, own_uid: int) -> Peer:
    """Let in who runs as we do, and root; nobody else, whatever the file's mode says."""
    if peer.uid not in {own_uid, 0}:
        raise errors.ForbiddenError(
            "authority.peer",
            f"user {_user(peer.uid)} may not speak to the authority",
            f"Run the command as {_user(own_uid)} or as root.",
        )
    return peer


def own_peer() -> Peer:
    """Name this very process, for acts that it does by itself."""
    return Peer(os.getpid(), os.getuid())


def bind(path: Path) -> socket.socket:
    """Make a socket file for our own user alone, in the place of one that an earlier run left behind."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    try:
        with short_path(path) as short:
            listening.bind(short)
        path.chmod(0o600)
    except OSError:
        listening.close()
        raise
    return listening


LEFT_ALONE: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""For a server at a socket of ``bind``: its file is ours to remove. Since 3.13 asyncio would do so when the server
closes, by a name that is good no longer, and although another process may answer there by then. (Any: before that
there is no such word.)"""


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Lend a path to a socket that fits the kernel's 107 bytes however deep the home lies; good inside the block."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


_QUESTION: Final = msgspec.json.Decoder(Question)
_REPLY: Final = msgspec.json.Decoder(Reply)
_NEWS: Final[msgspec.json.Decoder[calls.News]] = msgspec.json.Decoder(calls.News)
