"""Puts a changed ``bollard.toml``, or a changed policy, in force in a home that is up, or leaves all as it is.

Rules this file keeps:

* A file that is wrong changes nothing anywhere: the settings in force stay, and an event says why. A policy is read as
  part of the table that names it, and so are the secrets and certificates that events are sent on with.
* Workers are told first. When one of them cannot take the new settings, all go back to those before.
* What is only to be judged changes nothing. What of it takes a new start is judged as that start would.
* What the command line overrides is laid over the new file as it was over the old one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from pki.edge.home import read_settings
from pki.edge.policies import PROXY
from pki.errors import BollardError, ConflictError
from secproxy.edge.claim_wire import ReloadDone, Reloaded
from secproxy.edge.effective import put_in_force
from secproxy.edge.export.lines import refuse_unfit
from secproxy.edge.policies import read_policies
from secproxy.events import Note
from secproxy.reload import Reader, changed, differing, fixed, readers, starting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.config import Config

Stamp = tuple[int, int, int]
"""What tells that a file was written anew: inode, size, time of the last change in nanoseconds."""

NO_FILE: Final[Stamp] = (0, 0, 0)
_HOLDS: Final = "All of the file was judged as a new start would judge it, and it holds. "


class World(Protocol):
    """What a reload needs of the supervisor."""

    def record(self, note: Note) -> None:
        """Write a security event."""

    def look_for_room(self, config: Config) -> None:
        """``ConflictError`` when an address that these settings add is taken."""

    async def try_authority(self) -> None:
        """``ConflictError`` when an authority of ours could not start with the settings that the file has now."""

    def make_room(self, config: Config) -> None:
        """Hand out sockets for these settings beside those there are; ``ConflictError`` when an address is taken."""

    def settle(self, config: Config) -> None:
        """Go on with these settings: take back the sockets that they do not name, have as many workers as they say."""

    async def tell_workers(self) -> list[Reloaded]:
        """Have every worker take the settings in force; return what each says."""

    def renew(self, readers: frozenset[Reader]) -> None:
        """Start those again that read their settings at their start alone."""


class Reloader:
    """The settings of a home that is up. ``read`` reads the file and lays over it what the command line said.

    ``in_force`` are the text of the settings and those of the policies that ``config`` was read from, where the files
    may have changed since; then they are read again at the next look.
    """

    def __init__(
        self,
        home: Home,
        config: Config,
        read: Callable[[], Config],
        world: World,
        in_force: tuple[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._home, self._read, self._world = home, read, world
        self._config = config
        self.text, self.policies = in_force or (read_settings(home), read_policies(home, config.policies))
        self._seen = self._taken = {} if in_force else self._stamp()
        self.turn = asyncio.Lock()
        """Held while settings are taken in; whoever needs them to stay holds it as well."""

    def touched(self) -> bool:
        """Whether a file was written since it was last read, and has rested since the last look.

        An editor that writes in several steps is not read half way.
        """
        before, self._seen = self._seen, self._stamp()
        return self._seen == before != self._taken

    async def reload(self) -> ReloadDone:
        """Read the file and put it in force; say which tables changed, or why it was not done. One at a time."""
        async with self.turn:
            try:
                done = ReloadDone(await self._reload())
            except BollardError as problem:
                done = ReloadDone((), problem.code, problem.cause, problem.advice)
            if done.code:
                self._world.record(Note("config.refused", evidence={"code": done.code, "says": done.cause}))
            elif done.changed:
                self._world.record(Note("config.reloaded", evidence={"changed": ", ".join(done.changed)}))
            return done

    async def judge(self) -> ReloadDone:
        """Say what ``reload`` would, but for what workers alone can try; all is left as it is, and no event written."""
        try:
            async with self.turn:
                tables = self._judge()
            if (Reader.AUTHORITY in _concerned(tables)) or starting(tables):
                await self._world.try_authority()
            if kept := starting(tables):
                raise fixed(kept, _HOLDS)
        except BollardError as problem:
            return ReloadDone((), problem.code, problem.cause, problem.advice)
        return ReloadDone(tables)

    def _judge(self) -> tuple[str, ...]:
        text, config = read_settings(self._home), self._read()
        policies = read_policies(self._home, config.policies)
        refuse_unfit(self._home, config)
        self._world.look_for_room(config)
        return self._with_policy(differing(self.text, text), policies)

    def _with_policy(self, tables: tuple[str, ...], policies: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(sorted({*tables, "policy"})) if policies != self.policies else tables

    async def _reload(self) -> tuple[str, ...]:
        self._taken = self._seen = self._stamp()
        text, config = read_settings(self._home), self._read()
        policies = read_policies(self._home, config.policies)
        refuse_unfit(self._home, config)
        tables = self._with_policy(changed(self.text, text), policies)
        concerned = _concerned(tables)
        self._world.make_room(config)
        try:
            if Reader.WORKER in concerned:
                await self._put_in_force(config, policies)
            else:
                put_in_force(self._home, config, policies)  # for those that are started again
        except BaseException:
            self._world.settle(self._config)
            raise
        self.text, self._config, self.policies = text, config, policies
        self._world.settle(config)
        self._world.renew(concerned)
        return tables

    async def _put_in_force(self, config: Config, policies: Mapping[str, str]) -> None:
        put_in_force(self._home, config, policies)
        wrong = next((said for said in await self._world.tell_workers() if said.code), None)
        if wrong is not None:
            put_in_force(self._home, self._config, self.policies)
            await self._world.tell_workers()
            raise ConflictError(wrong.code, wrong.cause, wrong.advice)

    def _stamp(self) -> dict[Path, Stamp]:
        own = self._home.policies / PROXY
        return {path: _stamp(path) for path in (self._home.settings, *own.glob("*.toml"))}


def _concerned(tables: tuple[str, ...]) -> frozenset[Reader]:
    return frozenset[Reader]().union(*map(readers, tables))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return NO_FILE
    return found.st_ino, found.st_size, found.st_mtime_ns
