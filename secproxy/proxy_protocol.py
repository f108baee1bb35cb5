"""The PROXY protocol, version 2: the few bytes before everything else by which a load balancer says who is calling.

Rules this file keeps:

* What is read must be whole and in one form: TCP over IPv4 or IPv6, or the load balancer's own call (LOCAL). Version 1,
  datagrams, Unix sockets, unknown families and lengths that do not add up are refused.
* What is written names the station's address, its TLS connection with us, and its identity in a type-length-value of
  ours, ``IDENTITY_TYPE``.

Written after https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.2 and 2.2.1 to 2.2.7.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pki.tables import Network

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
PREFIX: Final = 16  # bytes: signature, version and command, family, length
LENGTH_MOST: Final = 2_048  # bytes after them; addresses and TLS facts of a load balancer take a few hundred

TLS_TYPE: Final = 0x20
TLS_VERSION_TYPE: Final = 0x21
TLS_CN_TYPE: Final = 0x22
IDENTITY_TYPE: Final = 0xE0  # the first of those that are free for applications: the station's identity, ASCII
CLIENT_TLS: Final = 0x01
CLIENT_CERTIFICATE: Final = 0x02 | 0x04  # on this connection, and in this session

_LOCAL, _PROXY = 0x20, 0x21  # version 2 with either command
LOCAL: Final = SIGNATURE + bytes((_LOCAL, 0, 0, 0))  # the whole header of a call of our own, on nobody's behalf
_TCP: Final = {0x11: (12, 4), 0x21: (36, 6)}  # each family of TCP: bytes of its addresses and ports, IP version


class PreambleError(Exception):
    """The bytes are no header that is taken here; ``says`` is for the journal."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.says = says


@dataclass(frozen=True, slots=True)
class Caller:
    """What the CSMS's side is told of a station's connection. ``common_name`` is empty without a certificate."""

    tls_version: str
    identity: str
    common_name: str = ""


Address = tuple[str, int]


def is_spoken_by(address: str, proxies: Sequence[Network]) -> bool:
    """Whether a peer is one of the load balancers that are believed."""
    peer = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return any(peer in network for network in proxies)


def read_prefix(prefix: bytes) -> int:
    """Read the first 16 bytes; return how many follow. Raises ``PreambleError``."""
    if len(prefix) != PREFIX or not prefix.startswith(SIGNATURE):
        raise PreambleError("it is no header of PROXY protocol version 2")
    length = int.from_bytes(prefix[14:16], "big")
    if prefix[12] not in {_LOCAL, _PROXY}:
        raise PreambleError(f"its version and command are 0x{prefix[12]:02x}")
    if length > LENGTH_MOST:
        raise PreambleError(f"it is longer than {LENGTH_MOST} bytes")
    return length


def read_source(prefix: bytes, rest: bytes) -> Address | None:
    """Read who is calling; None when the load balancer calls for itself. ``prefix`` was read by ``read_prefix``."""
    if len(rest) != read_prefix(prefix):
        raise PreambleError("it ends too early")
    if prefix[12] == _LOCAL:
        return None
    if prefix[13] not in _TCP:
        raise PreambleError(f"its family is 0x{prefix[13]:02x}, which is not TCP over IP")
    size, version = _TCP[prefix[13]]
    if len(rest) < size:
        raise PreambleError("its addresses are cut short")
    for _ in values(rest[size:]):
        pass  # that they add up is all that is asked of them
    width = 4 if version == 4 else 16
    return str(ipaddress.ip_address(rest[:width])), int.from_bytes(rest[2 * width : 2 * width + 2], "big")


def values(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Read the type-length-values that follow the addresses. Raises ``PreambleError``."""
    while block:
        if len(block) < 3:
            raise PreambleError("a value in it is cut short")
        end = 3 + int.from_bytes(block[1:3], "big")
        if end > len(block):
            raise PreambleError("a value in it is cut short")
        yield block[0], block[3:end]
        block = block[end:]


def write(source: Address, destination: Address, caller: Caller) -> bytes:
    """Write a header: who is calling, whom of us, and what we know of the caller."""
    family, addresses = _addresses(source, destination)
    tls = _value(TLS_TYPE, _tls(caller)) if caller.tls_version else b""
    body = addresses + tls + _value(IDENTITY_TYPE, caller.identity.encode("ascii"))
    return SIGNATURE + bytes((_PROXY, family)) + len(body).to_bytes(2, "big") + body


def _addresses(source: Address, destination: Address) -> tuple[int, bytes]:
    """Both in one family: when one is of IPv6, the other is written as its mapped form (RFC 4291 2.5.5.2)."""
    ends = [ipaddress.ip_address(host.partition("%")[0]) for host, _ in (source, destination)]
    packed = [end.packed for end in ends]
    family = 0x11
    if any(end.version == 6 for end in ends):
        family, packed = 0x21, [each if len(each) == 16 else bytes(10) + b"\xff\xff" + each for each in packed]
    return family, b"".join(packed) + struct.pack("!HH", source[1], destination[1])


def _tls(caller: Caller) -> bytes:
    """The TLS value: what the client did, and 0 for a certificate that was verified."""
    client = CLIENT_TLS | (CLIENT_CERTIFICATE if caller.common_name else 0)
    verify = 0 if caller.common_name else 1
    inner = _value(TLS_VERSION_TYPE, caller.tls_version.encode("ascii"))
    if caller.common_name:
        inner += _value(TLS_CN_TYPE, caller.common_name.encode("utf-8"))
    return struct.pack("!BI", client, verify) + inner


def _value(kind: int, value: bytes) -> bytes:
    return bytes((kind,)) + len(value).to_bytes(2, "big") + value
