"""A connection without TLS that answers as OpenSSL's would, for the listeners of security profile 1 (A00.FR.201).

It lets ``TlsLeg`` be the one way a station's connection is driven: same bounds, same back-pressure, same farewell.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from OpenSSL import SSL

if TYPE_CHECKING:
    from OpenSSL import crypto

TLS_OPENING: Final = b"\x16\x03"  # a record of a handshake, of any version (RFC 8446 5.1); no request begins so


class TlsSpokenError(Exception):
    """The peer begins a TLS handshake where there is no TLS."""


class Clear:
    """One non-blocking socket, with the part of ``OpenSSL.SSL.Connection`` that a leg uses."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def set_accept_state(self) -> None:
        """Nothing is agreed on."""

    def set_app_data(self, data: object) -> None:
        """Nothing is kept: there is no certificate to be refused."""

    def get_app_data(self) -> object:
        """Nothing was kept."""
        return None

    def do_handshake(self) -> None:
        """There is none."""

    def recv(self, size: int) -> bytes:
        """Read; ``WantReadError`` when nothing is there, ``ZeroReturnError`` when the peer has hung up."""
        try:
            data = self._sock.recv(size)
        except BlockingIOError:
            raise SSL.WantReadError from None
        if not data:
            raise SSL.ZeroReturnError
        return data

    def send(self, data: bytes) -> int:
        """Send what the socket takes; ``WantWriteError`` when that is nothing."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            raise SSL.WantWriteError from None

    def pending(self) -> int:
        """Nothing is read ahead."""
        return 0

    def shutdown(self) -> bool:
        """Say goodbye as TCP does: no more comes from here."""
        self._sock.shutdown(socket.SHUT_WR)
        return False

    def get_verified_chain(self) -> list[crypto.X509] | None:
        """Nobody showed a certificate."""
        return None

    def get_peer_certificate(self) -> crypto.X509 | None:
        """As above."""
        return None

    get_peer_cert_chain = get_verified_chain

    def get_protocol_version_name(self) -> str:
        """Name what stands where a TLS version would."""
        return NO_TLS

    def get_group_name(self) -> str | None:
        """There is none."""
        return None

    def get_cipher_name(self) -> str | None:
        """There is none."""
        return None


NO_TLS = "none"
