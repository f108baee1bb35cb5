"""The authority process: it alone holds the CA keys and writes the ledger, and it answers on a Unix socket only.

* The lock comes first, for life; under it a socket file left by a crash is replaced, and images that a killed process
  left half copied are deleted.
* Whoever connects must run as we do, or as root, by the kernel's word.
* A malformed question, an unexpected error, a peer that hangs up: each costs its own answer and nothing else. What was
  begun is finished even when nobody waits for it any more.
* SIGTERM and SIGINT stop it cleanly: what is under way is answered, a checkpoint signed, the ledger closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import traceback
from functools import partial
from typing import TYPE_CHECKING, Final

import uvloop

from pki.edge import calls, hardening, lock, log, wire
from pki.edge.office.duties import ROUND_SECONDS
from pki.edge.office.front import Office
from pki.edge.vault import Vault, clear_quarantine
from pki.errors import BollardError, ConflictError, ForbiddenError, UnreachableError

if TYPE_CHECKING:
    from pki.edge.home import Home
    from pki.edge.wire import Peer

CONNECTIONS: Final = 256  # open at once: two for each proxy worker and the web process, the rest for commands
UNDER_WAY: Final = 256  # questions of one connection being worked on; more wait in the socket
COLLECT: Final = (20_000, 50, 50)  # objects between collections: a question makes many objects and few cycles
STOP_SECONDS: Final = 10.0  # patience with what is under way when we are told to stop


def run_authority(home: Home) -> None:
    """Run until SIGTERM or SIGINT. ``ConflictError("authority.running")`` when another one does already."""
    hardening.begin(home.path)
    with lock.hold(home.lock):
        uvloop.run(_run(home))


def rehearse_authority(home: Home) -> None:
    """Find out whether it could run, beside one that does: the settings, the profiles and the passphrase, no more."""
    Office.rehearse(home)


async def _run(home: Home) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    office = await Office.open(home)
    try:
        Vault(home.vault).clear()
        clear_quarantine(home.quarantine)
        for warning in office.warnings():
            log.say("process.weak", f"WARNING: {warning}", level=log.Level.WARNING)
        service = Service(office)
        await service.open(home)
        gc.freeze()  # what is there by now stays, and need not be looked at again
        gc.set_threshold(*COLLECT)
        tending = asyncio.create_task(_tend(office))
        log.say("process.ready", "authority ready")
        await stop.wait()
        tending.cancel()
        await asyncio.wait({tending})
        await service.close()
        home.authority_socket.unlink(missing_ok=True)
    finally:
        await office.close()


async def _tend(office: Office) -> None:
    """Do what is due, now and in every round after; a round that is cut off is made up for by the next."""
    while True:
        await office.tend()
        await asyncio.sleep(ROUND_SECONDS)


class Service:
    """Listens, and hands each connection's questions to the office."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._server: asyncio.Server | None = None
        self._readers: set[asyncio.Task[None]] = set()
        self._answers: set[asyncio.Task[None]] = set()

    async def open(self, home: Home) -> None:
        """Bind the socket, readable by its owner alone, and begin to answer."""
        listening = wire.bind(home.authority_socket)
        self._server = await asyncio.start_unix_server(
            self._welcome, sock=listening, limit=wire.QUESTION_BYTES, **wire.LEFT_ALONE
        )

    async def close(self) -> None:
        """Take no more questions, answer those under way, hang up."""
        if self._server is not None:
            self._server.close()
        if self._answers:
            await asyncio.wait(self._answers, timeout=STOP_SECONDS)
        for task in {*self._readers, *self._answers}:
            task.cancel()
        await asyncio.gather(*self._readers, *self._answers, return_exceptions=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type; this runs in a task of its own
        self._readers.add(task)
        try:
            await self._converse(reader, writer, str(self._admit(writer)))
        except BollardError as problem:
            writer.write(wire.write_failure(-1, problem))
        except (ConnectionError, asyncio.CancelledError):
            pass  # hung up, by them or by us
        finally:
            self._readers.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    def _admit(self, writer: asyncio.StreamWriter) -> Peer:
        if len(self._readers) > CONNECTIONS:
            raise ConflictError("authority.busy", f"{CONNECTIONS} connections are open already", "Try again later.")
        return wire.admit_peer(wire.read_peer(writer.get_extra_info("socket")), os.getuid())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, who: str) -> None:
        slots, mine = asyncio.Semaphore(UNDER_WAY), set[asyncio.Task[None]]()
        while line := await _read_line(reader):
            try:
                number, call = wire.read_question(line)
            except BollardError as problem:
                writer.write(wire.write_failure(wire.question_number(line), problem))
                await writer.drain()
                continue
            if isinstance(call, calls.Watch):
                await self._tell(reader, writer)
                return
            await slots.acquire()
            task = asyncio.create_task(self._answer(writer, who, number, call))
            self._answers.add(task)
            mine.add(task)
            task.add_done_callback(partial(self._answered, mine, slots))
        await asyncio.gather(*mine)  # a peer may close its own direction and still listen

    def _answered(self, mine: set[asyncio.Task[None]], slots: asyncio.Semaphore, task: asyncio.Task[None]) -> None:
        self._answers.discard(task)
        mine.discard(task)
        slots.release()

    async def _answer(self, writer: asyncio.StreamWriter, who: str, number: int, call: calls.Call) -> None:
        try:
            reply = wire.write_answer(number, await self._office.handle(call, who))
        except BollardError as problem:
            reply = wire.write_failure(number, problem)
        except Exception as problem:  # noqa: BLE001 - the last net: one bad question must not end the authority
            reply = wire.write_failure(number, _unexpected(problem, call))
        with contextlib.suppress(ConnectionError):
            writer.write(reply)
            await writer.drain()

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell a watcher the news until it hangs up, falls behind, or we stop."""
        watcher = await self._office.watch()
        hung_up = asyncio.create_task(reader.read(1))
        hung_up.add_done_callback(lambda _: watcher.cut())
        try:
            while True:
                writer.write(wire.write_news(await watcher.next()))
                await writer.drain()
        except UnreachableError:
            return
        finally:
            self._office.leave(watcher)
            hung_up.cancel()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await hung_up


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """Return one line, or nothing when the peer hung up."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError:
        raise ForbiddenError(
            "call.too_long", f"a question of more than {wire.QUESTION_BYTES} bytes", "Ask for less at once."
        ) from None


def _unexpected(problem: Exception, call: calls.Call) -> BollardError:
    """Keep the trace for us, with no values in it that might be secret, and give the asker its number."""
    number = secrets.token_hex(4)
    frames = "".join(traceback.format_tb(problem.__traceback__))
    says = f"unexpected error {number}: {type(problem).__name__} in {type(call).__name__}"
    log.say("process.fault", says, level=log.Level.ERROR, detail=frames)
    return BollardError(
        "authority.internal",
        f"the authority met an error it did not expect (number {number})",
        "Its log has the details under that number; please report it.",
    )
