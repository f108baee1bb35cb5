"""Shakes hands with our own listeners as a station would, as far as their certificate, and then hangs up.

* It goes no further than what a stranger is told anyway, so it needs no certificate, and nobody writes an event of it.
* TLS 1.2, where the suite chooses which of a listener's two certificates is presented.
* Whatever answers there, or does not, costs ``PATIENCE`` seconds and ``FLIGHT_BYTES`` at most.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from pki.health import Fault, Served
from pki.served import judge_served
from pki.station import SecurityProfile
from secproxy.config import reachable, write_address

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from cryptography import x509

    from pki.served import Meant
    from secproxy.config import Config

PATIENCE: Final = 3.0  # seconds for all of one handshake
FLIGHT_BYTES: Final = 128 * 1024  # of what a server says up to its certificate; ours takes about 4 KiB
READ: Final = 16 * 1024  # bytes read at once

_SUITES: Final = {"ECDSA": b"ECDHE-ECDSA-AES128-GCM-SHA256", "RSA": b"ECDHE-RSA-AES128-GCM-SHA256"}
_NOBODY: Final = "bollard status; what is not up there is brought up by: bollard up"


@dataclass(frozen=True, slots=True)
class Door:
    """A listener of ours that speaks TLS: what it is for, and where."""

    what: str
    host: str
    port: int


def doors(config: Config, *, proxy: bool, web: bool) -> Iterator[Door]:
    """Return where we can shake hands: not without TLS, not in its old versions, not behind a balancer's header."""
    for each in config.listeners if proxy else ():
        if each.profile is not SecurityProfile.BASIC and not each.legacy and not each.proxies and each.port:
            yield Door("listener", each.host, each.port)
    if web and config.web.port:
        yield Door("web process", config.web.host, config.web.port)


async def see_served(
    found: Sequence[Door], meant: Sequence[Meant], roots: Sequence[x509.Certificate], now: dt.datetime
) -> tuple[Served, ...]:
    """Shake hands with each listener for each certificate that it is meant to present, all at once."""
    asked = [_see(door, each, roots, now) for door in found for each in meant]
    return tuple(await asyncio.gather(*asked))


async def _see(door: Door, meant: Meant, roots: Sequence[x509.Certificate], now: dt.datetime) -> Served:
    kind = "RSA" if isinstance(meant.leaf.public_key(), rsa.RSAPublicKey) else "ECDSA"
    what = f"{door.what} {write_address(door.host, door.port)} ({kind}, {meant.host})"
    try:
        async with asyncio.timeout(PATIENCE):
            chain = await _presented(reachable(door.host), door.port, _client(kind, meant.host))
    except TimeoutError:
        return Served(what, (Fault(f"no TLS handshake within {PATIENCE:.0f} seconds", _NOBODY),))
    except (OSError, SSL.Error) as problem:
        says = f"no TLS handshake: {str(getattr(problem, 'strerror', '') or problem)[:120] or 'it hung up'}"
        return Served(what, (Fault(says, _NOBODY),))
    return Served(what, judge_served(chain, meant, roots, now))


def _client(kind: str, name: str) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_SUITES[kind])
    connection = SSL.Connection(context)
    connection.set_tlsext_host_name(name.encode("ascii"))
    connection.set_connect_state()
    return connection


async def _presented(host: str, port: int, tls: SSL.Connection) -> list[x509.Certificate]:
    """Return the chain that a server presents. What we would say after it is never sent, so it knows of no failure."""
    reader, writer = await asyncio.open_connection(host, port)
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
