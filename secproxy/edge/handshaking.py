"""Shakes hands with our own listeners as a station would, as far as their certificate, and then hangs up.

* It goes no further than what a stranger is told anyway, so it needs no certificate, and nobody writes an event of it.
* TLS 1.2, where the suite chooses which of a listener's two certificates is presented; TLS 1.1 where old TLS alone is
  spoken, whose one suite has the RSA certificate presented.
* Where a load balancer's header is due first, we say that of a balancer which calls for itself (LOCAL), if we may. If
  not, nobody knocks: the listener would write an event of a stranger. Whatever is not looked at is told.
* Whatever answers there, or does not, costs ``PATIENCE`` seconds and ``FLIGHT_BYTES`` at most.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from pki.health import Fault, Served
from pki.served import judge_served
from pki.station import SecurityProfile
from secproxy.config import reachable, write_address
from secproxy.edge.tls_context import LEGACY_SUITES
from secproxy.proxy_protocol import LOCAL, is_spoken_by

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Iterator, Sequence

    from cryptography import x509

    from pki.served import Meant
    from secproxy.config import Config, ListenerConfig

PATIENCE: Final = 3.0  # seconds for all of one handshake
FLIGHT_BYTES: Final = 128 * 1024  # of what a server says up to its certificate; ours takes about 4 KiB
READ: Final = 16 * 1024  # bytes read at once

_SUITES: Final = {"ECDSA": b"ECDHE-ECDSA-AES128-GCM-SHA256", "RSA": b"ECDHE-RSA-AES128-GCM-SHA256"}
_NOBODY: Final = "bollard status; what is not up there is brought up by: bollard up"


class Way(Enum):
    """How a listener can be looked at."""

    TLS = auto()
    OLD_TLS = auto()
    CLEAR = auto()
    """Without TLS there is no certificate; that it takes connections is all there is to see."""
    CLOSED = auto()
    """Only its load balancers may knock."""


@dataclass(frozen=True, slots=True)
class Door:
    """A listener of ours: what it is for, where, how it is looked at, and what is said there before anything else."""

    what: str
    host: str
    port: int
    way: Way = Way.TLS
    header: bytes = b""

    def named(self, *details: str) -> str:
        """Name it for people, with what was asked of it."""
        known = {Way.OLD_TLS: ["old TLS"], Way.CLEAR: ["without TLS"]}.get(self.way, [])
        found = [*details, *known, *(["as a load balancer"] if self.header else [])]
        return f"{self.what} {write_address(self.host, self.port)}" + (f" ({', '.join(found)})" if found else "")


def doors(config: Config, *, proxy: bool, web: bool) -> Iterator[Door]:
    """Return every listener that should be open while these processes run."""
    yield from (_door(each) for each in config.listeners if proxy and each.port)
    if web and config.web.port:
        yield Door("web process", config.web.host, config.web.port)


def _door(listener: ListenerConfig) -> Door:
    header = LOCAL if listener.proxies else b""
    if header and not is_spoken_by(reachable(listener.host), listener.proxies):
        return Door("listener", listener.host, listener.port, Way.CLOSED)
    plain = listener.profile is SecurityProfile.BASIC
    way = Way.CLEAR if plain else Way.OLD_TLS if listener.legacy else Way.TLS
    return Door("listener", listener.host, listener.port, way, header)


async def see_served(
    found: Sequence[Door], meant: Sequence[Meant], roots: Sequence[x509.Certificate], now: dt.datetime
) -> tuple[Served, ...]:
    """Look at each listener, for each certificate that it is meant to present, all at once."""
    asked = [look for door in found for look in _looks(door, meant, roots, now)]
    return tuple(await asyncio.gather(*asked))


def _looks(
    door: Door, meant: Sequence[Meant], roots: Sequence[x509.Certificate], now: dt.datetime
) -> list[Awaitable[Served]]:
    match door.way:
        case Way.CLEAR:
            return [_knock(door)]
        case Way.CLOSED:
            return [_pass_by(door)]
        case Way.OLD_TLS:
            able = [each for each in meant if _kind(each) == "RSA"]
            return [_see(door, each, roots, now) for each in able] or [_lacks(door)]
        case Way.TLS:
            return [_see(door, each, roots, now) for each in meant]


async def _pass_by(door: Door) -> Served:
    seen = "not looked at: its load balancers alone may connect, so try it through one of them"
    return Served(door.named(), seen=seen)


async def _lacks(door: Door) -> Served:
    says = "old TLS has one suite, for which there is no RSA certificate to present"
    return Served(door.named(), (Fault(says, "Name an RSA certificate in [[server_certificate]].", "A00.FR.318"),))


async def _knock(door: Door) -> Served:
    seen = "it takes connections; without TLS there is no certificate to look at"
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(reachable(door.host), door.port)
            writer.transport.abort()
    except OSError as problem:  # a timeout is one
        says = f"no connection: {problem.strerror or f'nobody answers within {PATIENCE:.0f} seconds'}"
        return Served(door.named(), (Fault(says, _NOBODY),))
    return Served(door.named(), seen=seen)


def _kind(meant: Meant) -> str:
    return "RSA" if isinstance(meant.leaf.public_key(), rsa.RSAPublicKey) else "ECDSA"


async def _see(door: Door, meant: Meant, roots: Sequence[x509.Certificate], now: dt.datetime) -> Served:
    kind = _kind(meant)
    what = door.named(kind, meant.host)
    try:
        async with asyncio.timeout(PATIENCE):
            chain = await _presented(door, _client(kind, meant.host, old=door.way is Way.OLD_TLS))
    except TimeoutError:
        return Served(what, (Fault(f"no TLS handshake within {PATIENCE:.0f} seconds", _NOBODY),))
    except (OSError, SSL.Error) as problem:
        says = f"no TLS handshake: {str(getattr(problem, 'strerror', '') or problem)[:120] or 'it hung up'}"
        return Served(what, (Fault(says, _NOBODY),))
    return Served(what, judge_served(chain, meant, roots, now))


def _client(kind: str, name: str, *, old: bool) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION if old else SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_1_VERSION if old else SSL.TLS1_2_VERSION)
    context.set_cipher_list(LEGACY_SUITES if old else _SUITES[kind])
    connection = SSL.Connection(context)
    connection.set_tlsext_host_name(name.encode("ascii"))
    connection.set_connect_state()
    return connection


async def _presented(door: Door, tls: SSL.Connection) -> list[x509.Certificate]:
    """Return the chain that a server presents. What we would say after it is never sent, so it knows of no failure."""
    reader, writer = await asyncio.open_connection(reachable(door.host), door.port)
    writer.write(door.header)
    heard = 0
    try:
        while heard <= FLIGHT_BYTES:
            with contextlib.suppress(SSL.WantReadError):
                tls.do_handshake()
            if found := tls.get_peer_cert_chain(as_cryptography=True):
                return found
            with contextlib.suppress(SSL.WantReadError):
                writer.write(tls.bio_read(READ))
            chunk = await reader.read(READ)
            if not chunk:
                raise ConnectionResetError(0, "it hung up")
            heard += len(chunk)
            tls.bio_write(chunk)
        raise ConnectionAbortedError(0, "it says more than a handshake needs")
    finally:
        writer.transport.abort()
