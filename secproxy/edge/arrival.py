"""How a station comes in: handshake, head, admission, claim, CSMS, 101; each step refuses with one event.

Rules this file keeps:

* The event is written before the answer leaves.
* The CSMS sees nothing of a station that is not admitted, and the station sees no 101 before the CSMS has given one.
* Whatever fails, the socket is closed in a way that lets the refusal arrive.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki.chain import key_id
from pki.edge.clock import now
from pki.errors import InputError, UnreachableError
from pki.station import SecurityProfile
from secproxy import head
from secproxy.admission import Admitted, ClientCertificate, Hello, PasswordQuestion, judge
from secproxy.agreed import agree
from secproxy.binding import Recently
from secproxy.config import Unknown
from secproxy.deflate import accept
from secproxy.edge.claim_line import DeniedError
from secproxy.edge.clear import TlsSpokenError
from secproxy.edge.listener import host_of, network_of
from secproxy.edge.passwords import BusyError
from secproxy.edge.switchboard import NoCsmsError, Switchboard, Visit
from secproxy.edge.tls import TlsLeg
from secproxy.edge.tls_failure import HandshakeError
from secproxy.edge.tracing import DIAL, Tracer
from secproxy.errors import AdmissionRefused
from secproxy.events import Note
from secproxy.metrics import ADMITTED, GONE, GUEST
from secproxy.strangers import Guest, judge_stranger
from secproxy.tally import Tally

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from secproxy.config import Config
    from secproxy.deflate import Compression
    from secproxy.edge.claim_line import ClaimLine
    from secproxy.edge.listener import Listener, Slots
    from secproxy.edge.passwords import PasswordDesk
    from secproxy.edge.tracing import Trace
    from secproxy.edge.turns import Turns
    from secproxy.edge.upstream import UpstreamLeg
    from secproxy.edge.waiting_room import WaitingRoom
    from secproxy.lockout import Wait
    from secproxy.station_view import View

CHALLENGE_SECONDS: Final = 1.0  # a 401 leaves this long after its request: more than a slow hash takes, so that the
# time tells nobody whether a station exists (and a guess costs at least this much)
RETRY_AFTER_SECONDS: Final = 10  # what a station is told when the CSMS is away; stations add their own back-off


class Turned(Exception):  # noqa: N818 - a fact about an arrival, not a fault of ours
    """The arrival was turned away: the event to write, if any, and the HTTP answer, if it is to have one."""

    def __init__(self, note: Note | None, answer: bytes) -> None:
        super().__init__(note.cause if note else "")
        self.note = note
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Reception:
    """What the arrivals of one worker share."""

    config: Config
    view: View
    slots: Slots
    passwords: PasswordDesk
    claims: ClaimLine
    """The supervisor's end outlives each worker, and so does what it counts of passwords that were tried."""
    csms: Switchboard
    record: Callable[[Note], None]
    connect: Callable[[int, Admitted, TlsLeg, UpstreamLeg, int], None]
    """Makes the live connection of an admitted station; last, the window's bits of one that may compress, else 0."""
    settle: Callable[[Admitted], None]
    """Tells that a station came with the password that was to follow."""
    room: WaitingRoom
    turns: Turns
    tally: Tally = field(default_factory=Tally)
    tracer: Tracer = field(default_factory=lambda: Tracer(Tally()))
    recently: Recently = field(default_factory=Recently)


async def receive(reception: Reception, listener: Listener, sock: socket.socket, remote: str) -> None:
    """Take one accepted socket to a live connection, or turn it away. Never raises, save when cancelled."""
    leg = TlsLeg(asyncio.get_running_loop(), sock, listener.context, remote)
    profile, trace = f"{listener.config.profile:d}", reception.tracer.begin(listener.config.profile)
    try:
        outcome = await _receive(reception, listener, leg, trace)
        reception.tally.count("arrivals_total", profile, outcome)
        trace.end(outcome)
    except Turned as turned:
        outcome = turned.note.cause if turned.note else GONE
        reception.tally.count("arrivals_total", profile, outcome)
        if turned.note is not None:
            reception.record(trace.named(turned.note))
        trace.end(outcome, turned.note)
        await leg.farewell(turned.answer)
    except BaseException:
        leg.abort()
        raise


async def _receive(reception: Reception, listener: Listener, leg: TlsLeg, trace: Trace) -> str:
    """Return what became of it, if it was not turned away."""
    try:
        await _handshake(reception, leg)
    finally:
        reception.slots.give()
    trace.secured(leg)
    trace.step("head")
    upgrade = await _read_upgrade(reception, leg)
    trace.step("admission")
    await reception.turns.take()
    admitted = await _admit(reception, _hello(reception, listener, leg, upgrade))
    if isinstance(admitted, Guest):
        leg.write(head.write_acceptance(upgrade.key, admitted.subprotocol if upgrade.subprotocols else ""))
        reception.room.seat(admitted, listener.config.pending_seconds, leg)
        return GUEST
    await _connect(reception, admitted, leg, upgrade, _compression(listener, upgrade), trace)
    return ADMITTED


async def _handshake(reception: Reception, leg: TlsLeg) -> None:
    seconds = reception.config.limits.handshake_seconds
    try:
        async with asyncio.timeout(seconds):
            await leg.handshake(reception.turns)
        reception.tally.count("handshakes_total", leg.version)
    except TimeoutError:
        raise Turned(Note("tls.failed", "", leg.remote, {"says": f"no handshake within {seconds} s"}), b"") from None
    except HandshakeError as failure:
        raise Turned(Note(failure.cause, "", leg.remote, failure.evidence) if failure.cause else None, b"") from None


async def _read_upgrade(reception: Reception, leg: TlsLeg) -> head.Upgrade:
    limits = reception.config.limits
    try:
        async with asyncio.timeout(limits.head_seconds):
            raw = await leg.read_head(head.END, limits.head_bytes)
        return head.read_request(raw, limits.headers)
    except TimeoutError:
        raise _bad_request(leg, 408, f"no request within {limits.head_seconds} s") from None
    except ConnectionError:
        raise Turned(None, b"") from None
    except TlsSpokenError:  # its TLS stumbles over the answer at once, where silence would have it wait
        raise Turned(Note("tls.unexpected", "", leg.remote), head.write_refusal(400)) from None
    except ValueError as broken:
        raise _bad_request(leg, 431 if "longer" in str(broken) else 400, f"a request head {broken}") from None
    except head.HeadError as broken:
        raise _bad_request(leg, broken.status, broken.says) from None


def _bad_request(leg: TlsLeg, status: int, says: str) -> Turned:
    note = Note("http.bad_request", "", leg.remote, {"says": says, "status": status})
    return Turned(note, head.write_refusal(status))


def _hello(reception: Reception, listener: Listener, leg: TlsLeg, upgrade: head.Upgrade) -> Hello:
    return Hello(
        profile=listener.config.profile,
        remote=leg.remote,
        target=upgrade.target,
        subprotocols=upgrade.subprotocols or listener.config.assumed,
        authorization=upgrade.authorization,
        certificate=_certificate(reception, leg) if listener.config.profile is SecurityProfile.MUTUAL_TLS else None,
        agreed=agree(leg.version, leg.cipher, leg.group),
        legacy=listener.config.legacy,
        unknown=listener.config.unknown,
        keeps_tls=reception.config.keeps_tls,
    )


def _certificate(reception: Reception, leg: TlsLeg) -> ClientCertificate | None:
    try:
        chain = leg.verified_chain()
        return reception.recently.read(chain[0], *map(_key_id, chain[1:] or chain)) if chain else None
    except InputError as broken:
        note = Note("cert.invalid", "", leg.remote, {"says": broken.cause})
        raise Turned(note, head.write_refusal(403)) from None


@lru_cache(maxsize=256)
def _key_id(der: bytes) -> bytes:
    return key_id(x509.load_der_x509_certificate(der))


async def _admit(reception: Reception, hello: Hello) -> Admitted | Guest:
    """Judge, with a password check when it takes one; every 401 takes the same time, whatever was behind it."""
    answer_at = asyncio.get_running_loop().time() + CHALLENGE_SECONDS
    try:
        return await _judge(reception, hello)
    except AdmissionRefused as refused:
        answer = head.write_refusal(refused.status, challenge=refused.challenge)
        if refused.challenge:
            await asyncio.sleep(answer_at - asyncio.get_running_loop().time())
        raise Turned(refused.note, answer) from None


async def _judge(reception: Reception, hello: Hello) -> Admitted | Guest:
    try:
        verdict = judge(hello, reception.view, now())
        if isinstance(verdict, Admitted):
            return verdict
        if hello.unknown is not Unknown.REFUSE:
            verdict.refuse_stranger()
    except AdmissionRefused as refused:
        return _receive_stranger(reception, hello, refused)
    return await _ask(reception, hello, verdict)


def _receive_stranger(reception: Reception, hello: Hello, refused: AdmissionRefused) -> Admitted | Guest:
    verdict = judge_stranger(hello, reception.view, now(), refused)
    if isinstance(verdict, Admitted):
        reception.record(Note("station.observed", refused.note.station, hello.remote, refused.note.evidence))
    elif not reception.room.has_room(verdict):
        raise AdmissionRefused(
            replace(refused.note, evidence={**refused.note.evidence, "says": "the quarantine is full"}),
            refused.status,
            challenge=refused.challenge,
        )
    return verdict


async def _ask(reception: Reception, hello: Hello, question: PasswordQuestion) -> Admitted:
    """Have the password checked, unless this network has offered too many wrong ones (A00.FR.204)."""
    network = network_of(host_of(hello.remote))
    try:
        wait = await reception.claims.attempt(question.identity, network)
        if wait is not None:
            raise _locked(question.identity, hello, network, wait)
        right = await reception.passwords.check(question)
        if not right and (newer := question.newer()) is not None and await reception.passwords.check(newer):
            question, right = newer, True
    except UnreachableError:  # the supervisor is gone, and this worker goes with it
        raise Turned(None, head.write_refusal(503, retry_after=RETRY_AFTER_SECONDS)) from None
    except BusyError:
        busy = Note("auth.busy", "", hello.remote, {"target": hello.target})
        raise Turned(busy, head.write_refusal(503, retry_after=RETRY_AFTER_SECONDS)) from None
    reception.claims.tried(question.identity, network, right=right and question.refusal is None)
    admitted = question.answered(right)
    if admitted.newer:
        reception.settle(admitted)
    return admitted


def _locked(identity: str, hello: Hello, network: str, wait: Wait) -> Turned:
    """One event for each lock; the answer is the same whether a station of that name exists or not."""
    evidence = {"network": network, "scope": wait.scope.value, "seconds": round(wait.seconds), "locks": wait.locks}
    note = Note("auth.locked", identity, hello.remote, evidence) if wait.begun else None
    return Turned(note, head.write_refusal(429, retry_after=math.ceil(wait.seconds)))


def _compression(listener: Listener, upgrade: head.Upgrade) -> Compression | None:
    return accept(upgrade.extensions) if listener.config.compression else None


async def _connect(
    reception: Reception,
    admitted: Admitted,
    leg: TlsLeg,
    upgrade: head.Upgrade,
    packed: Compression | None,
    trace: Trace,
) -> None:
    trace.step("claim")
    number = await _claim(reception, admitted)
    try:
        trace.step(DIAL)
        await reception.turns.take()
        visit = Visit(admitted, upgrade.authorization, leg.version, leg.local, leg.leaf, trace.parent)
        upstream = await _dial(reception, visit, number)
    except BaseException:
        reception.claims.release(number)
        raise
    note = admitted.opened(upstream.subprotocol, assumed=not upgrade.subprotocols)
    trace.admitted(number, note, upstream.subprotocol, upstream.csms)
    reception.record(trace.named(note))
    chosen = upstream.subprotocol if upgrade.subprotocols else ""
    leg.write(head.write_acceptance(upgrade.key, chosen, packed.answer if packed else ""))
    reception.connect(number, admitted, leg, upstream, packed.bits if packed else 0)


async def _claim(reception: Reception, admitted: Admitted) -> int:
    try:
        return await reception.claims.claim(admitted.station.identity.text, admitted.credential)
    except DeniedError as held:
        raise _duplicate(admitted, held.code, **{"says": held.cause, **held.evidence}) from None
    except UnreachableError:  # the supervisor is gone, and this worker goes with it
        raise Turned(None, head.write_refusal(503, retry_after=RETRY_AFTER_SECONDS)) from None


def _duplicate(admitted: Admitted, cause: str, **evidence: str) -> Turned:
    note = Note(cause, admitted.station.identity.text, admitted.remote, evidence)
    return Turned(note, head.write_refusal(503, retry_after=RETRY_AFTER_SECONDS))


async def _dial(reception: Reception, visit: Visit, number: int) -> UpstreamLeg:
    try:
        upstream = await reception.csms.connect(visit)
    except NoCsmsError as none:
        raise Turned(none.note, head.write_refusal(503, retry_after=RETRY_AFTER_SECONDS)) from None
    if not reception.claims.holds(number):  # another connection of this station took its place meanwhile
        upstream.abort()
        raise _duplicate(visit.admitted, "session.duplicate", says="replaced before it was complete")
    return upstream
