"""One process that is started, listened to and ended: what it prints is awaited, never slept for."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from typing import TYPE_CHECKING, Final, TextIO

from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Fact = dict[str, object]
"""One printed line: a JSON object, or ``{"line": text}`` when it is none."""

WAIT_SECONDS: Final = 15.0  # how long a thing may take to happen on a busy machine of two cores
END_SECONDS: Final = 10.0  # how long a process may take to end when asked to


class Child:
    """A process with its printed lines; its other output stream goes to ``log``."""

    def __init__(
        self, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str], *, hears_stderr: bool = False
    ) -> None:
        self.name = name
        self.log = folder / "logs" / f"{name}.log"
        self._facts: list[Fact] = []
        self._ended = False
        self._news = threading.Condition()
        with self.log.open("ab") as other:
            streams = (other, subprocess.PIPE) if hears_stderr else (subprocess.PIPE, other)
            self.process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                argv, cwd=folder, env=dict(env), stdin=subprocess.PIPE, stdout=streams[0], stderr=streams[1], text=True
            )
        heard = self.process.stderr if hears_stderr else self.process.stdout
        assert heard is not None  # noqa: S101 - it was asked for
        threading.Thread(target=self._listen, args=(heard,), daemon=True).start()

    def wait_for(self, what: str, meets: Callable[[Fact], bool], *, since: int = 0) -> Fact:
        """Wait until it has printed a line that ``meets``; ``since`` passes over the first so many."""
        found: list[Fact] = []

        def happened() -> bool:
            found[:] = [fact for fact in self._facts[since:] if meets(fact)]
            return bool(found) or self._ended

        with self._news:
            self._news.wait_for(happened, WAIT_SECONDS)
        if not found:
            raise BollardError("demo.silent", f"{self.name} never said: {what}", self.last_words())
        return found[0]

    def facts(self) -> list[Fact]:
        """All lines so far."""
        with self._news:
            return list(self._facts)

    def texts(self, key: str) -> list[str]:
        """All values of one key so far, in order."""
        return [str(fact[key]) for fact in self.facts() if key in fact]

    def say(self, fact: Fact) -> None:
        """Type one line."""
        assert self.process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self.process.stdin.write(json.dumps(fact) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise BollardError("demo.gone", f"{self.name} is not there any more", self.last_words()) from None

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(WAIT_SECONDS)

    def end(self) -> int:
        """End it: its input closes, it is asked, and in the worst case it is killed. Returns its exit code."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # it ended before it read what was typed
                self.process.stdin.close()
        self.process.terminate()
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def last_words(self) -> str:
        """Quote the last lines of both its streams, for a failure."""
        lines = [json.dumps(fact)[:300] for fact in self.facts()[-8:]]
        return "\n".join([f"{self.name} printed:", *lines, *self.log.read_text(errors="replace").splitlines()[-8:]])

    def _listen(self, stream: TextIO) -> None:
        for line in stream:
            with self._news:
                self._facts.append(_fact(line))
                self._news.notify_all()
        stream.close()
        with self._news:
            self._ended = True
            self._news.notify_all()


def _fact(line: str) -> Fact:
    try:
        fact = json.loads(line)
    except ValueError:
        return {"line": line.rstrip("\n")}
    return fact if isinstance(fact, dict) else {"line": line.rstrip("\n")}
