"""Asks an authority of others for certificates over EST (RFC 7030), as a registration authority does.

* HTTPS with the one anchor from the settings; no other root of this machine counts, no proxy from the environment, no
  redirect is followed. h11 reads and writes HTTP; it is what our own web process stands on already.
* One deadline for everything that one request takes, goodbye included; one bound for what comes back. Every failure has
  a code of its own.
* Only a whole HTTP answer can say no. Whatever ends earlier, or is none, is a network that failed: asked again.
* What was received is read here, and judged by ``pki.est.arrange``: nothing is trusted because TLS was.
"""

from __future__ import annotations

import asyncio
import base64
import email.utils
import ssl
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import h11
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.certificate import read_certificate
from pki.edge import clock
from pki.errors import InputError, RefusedError, UnreachableError
from pki.est import REQUEST_TYPE, wrap
from pki.pem import read_base64
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography import x509

    from pki.external import ExternalIssuer

DEADLINE: Final = 20.0  # seconds for one request, from dialling to the end of all; a busy authority signs within five
ANSWER_BYTES: Final = 256 * 1024  # bytes of one answer; a chain of four takes about 10,000
HEAD_BYTES: Final = 16 * 1024  # bytes of its head; what h11 and most servers take
CERTIFICATES_MOST: Final = 16  # certificates in one answer; a chain has four
CHUNK: Final = 16 * 1024  # bytes read at once; one TLS record
RETRY_USUAL: Final = 300  # seconds to wait where a 202 does not say how long
RETRY_MOST: Final = 86_400  # seconds to wait however long it says: a day
SECRET_BYTES: Final = 1_024  # of a password file

_AGAIN: Final = frozenset({408, 421, 425, 429})
"""Refusals that are none: the same request may succeed later, or elsewhere (RFC 9110 15.5.9, 15.5.20, RFC 8470 5.2,
RFC 6585 4)."""


@dataclass(frozen=True, slots=True)
class Received:
    """What came back: the body, which ``read_bag`` can read; or seconds to wait, where there is none."""

    bag: bytes = b""
    retry: int = 0


@dataclass(frozen=True, slots=True)
class _Line:
    """Whom we ask, how TLS is spoken there, and the password, if one is named."""

    issuer: ExternalIssuer
    context: ssl.SSLContext
    secret: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def request_certificate(issuer: ExternalIssuer, csr: bytes) -> Received:
    """Send a request (DER) and return what came back. Whoever has a certificate keeps it, and asks what is above it.

    Raises ``UnreachableError`` when it may be sent again (``external.unreachable``, ``external.busy``),
    ``RefusedError("external.refused")`` when the authority said no, ``RefusedError("external.answer")`` for what is no
    answer, ``InputError("external.file")`` when a file of the settings is not fit.
    """
    answer = await _ask(issuer, "simpleenroll", wrap(csr))
    if answer.status == 202:
        return Received(retry=_retry_after(answer.headers.get("retry-after", "")))
    if answer.status != 200:
        raise _no(issuer, answer)
    read_bag(answer.body)
    return Received(answer.body)


async def fetch_above(issuer: ExternalIssuer) -> tuple[x509.Certificate, ...]:
    """Ask for the authorities above what was issued (RFC 7030 4.1).

    Raises ``UnreachableError`` whatever goes wrong there, ``external.chain`` where something was answered: a
    certificate was issued, so nothing that is said here is a no to it.
    """
    try:
        answer = await _ask(issuer, "cacerts", b"")
        if answer.status != 200:
            raise _no(issuer, answer)
        return tuple(read_bag(answer.body))
    except (RefusedError, UnreachableError) as problem:
        if problem.code == "external.unreachable":
            raise
        raise UnreachableError(
            "external.chain",
            f"{issuer.name} issued a certificate and does not give what is above it: {problem.cause}",
            "The certificate is kept and its chain asked for again by itself. Ask those who run it.",
        ) from None


async def _ask(issuer: ExternalIssuer, operation: str, body: bytes) -> _Answer:
    line = _Line(issuer, *await asyncio.to_thread(_prepare, issuer))
    try:
        async with asyncio.timeout(DEADLINE):
            return await _exchange(line, operation, body)
    except (OSError, UnicodeError, h11.ProtocolError) as problem:  # ssl's errors and a timeout are OSErrors
        raise UnreachableError(
            "external.unreachable",
            f"{issuer.name} at {_host(issuer)[0]!r} does not answer: {_what_failed(problem)[:120]}",
            "The request is kept and sent again by itself. Check url and anchor in bollard.toml, and the network.",
        ) from None


def read_bag(body: bytes) -> list[x509.Certificate]:
    """Read a body of certificates: base64 of certs-only PKCS#7. Raises ``RefusedError("external.answer")``.

    RFC 8951 wants DER; what old toolkits write in BER is read as well, which the library only warns of.
    """
    try:
        der = read_base64(body, "external.answer", ANSWER_BYTES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = pkcs7.load_der_pkcs7_certificates(der)
            if not 1 <= len(found) <= CERTIFICATES_MOST:
                raise _nonsense(f"{len(found)} certificates")
            read = [read_certificate(each.public_bytes(Encoding.DER)) for each in found]
            if any(each.serial_number <= 0 for each in read):
                raise _nonsense("a certificate whose serial number is not positive (RFC 5280 4.1.2.2)")
    except InputError as problem:
        raise _nonsense(problem.cause) from None
    except UNREADABLE:
        raise _nonsense("it holds no PKCS#7 with certificates") from None
    return read


async def _exchange(line: _Line, operation: str, body: bytes) -> _Answer:
    host, port = _host(line.issuer)
    reader, writer = await asyncio.open_connection(host, port, ssl=line.context, server_hostname=host)
    try:
        talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        for event in (_head(line, operation, body), h11.Data(data=body), h11.EndOfMessage()):
            writer.write(talk.send(event) or b"")
        await writer.drain()
        return await _listen(talk, reader)
    finally:
        writer.transport.abort()  # all is said; TLS' own goodbye would wait for theirs, half a minute long


def _what_failed(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return problem.verify_message
    if isinstance(problem, h11.ProtocolError):
        return f"what came back is no whole HTTP answer: {str(problem)[:80]!r}"
    return type(problem).__name__


async def _listen(talk: h11.Connection, reader: asyncio.StreamReader) -> _Answer:
    status, headers, body = 0, dict[str, str](), b""
    while True:
        match talk.next_event():
            case h11.NEED_DATA:
                talk.receive_data(await reader.read(CHUNK))
            case h11.Response() as response:
                status = response.status_code
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
            case h11.Data() as data:
                body += data.data
                if len(body) > ANSWER_BYTES:
                    raise _nonsense(f"it has more than {ANSWER_BYTES} bytes")
            case h11.EndOfMessage():
                return _Answer(status, headers, body)
            case h11.ConnectionClosed():
                raise ConnectionError("hung up")
            case _:
                continue  # an interim answer, which says nothing yet


def _head(line: _Line, operation: str, body: bytes) -> h11.Request:
    issuer = line.issuer
    path = f"{urlsplit(issuer.url).path}/{operation}"
    host, port = _host(issuer)
    headers = [("Host", host if port == 443 else f"{host}:{port}"), ("Connection", "close")]
    if body:
        headers += [("Content-Type", REQUEST_TYPE), ("Content-Length", str(len(body)))]
        headers += [("Content-Transfer-Encoding", "base64")]  # for servers from before RFC 8951
    if line.secret:
        packed = base64.b64encode(f"{issuer.user}:{line.secret}".encode()).decode("ascii")
        headers += [("Authorization", f"Basic {packed}")]
    return h11.Request(method="POST" if body else "GET", target=path, headers=headers)


def _prepare(issuer: ExternalIssuer) -> tuple[ssl.SSLContext, str]:
    """Read what the settings name, anew each time: whoever replaces a file has not to restart anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the anchor given is the end of the chain, root or not
    try:
        context.load_verify_locations(cafile=issuer.anchor)
        if issuer.client_certificate:
            _refuse_open(issuer.client_key)
            context.load_cert_chain(issuer.client_certificate, issuer.client_key, password=_no_password)
        return context, _secret(issuer.password_file) if issuer.password_file else ""
    except (OSError, ValueError) as problem:
        says = problem.strerror if isinstance(problem, OSError) else "it cannot be read as text"
        raise _unfit(f"a file of {issuer.name} cannot be used: {says}") from None


def _secret(path: str) -> str:
    _refuse_open(path)
    with Path(path).open(encoding="utf-8") as file:
        return file.read(SECRET_BYTES).rstrip("\r\n")


def _refuse_open(path: str) -> None:
    if Path(path).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unfit(f"{path!r} can be read by others than its owner; chmod 600 it")


def _no_password() -> str:
    raise _unfit("the client key is encrypted; give one that is not, 0600")


def _host(issuer: ExternalIssuer) -> tuple[str, int]:
    parts = urlsplit(issuer.url)
    return parts.hostname or "", parts.port or 443


def _retry_after(text: str) -> int:
    """RFC 9110 10.2.3: seconds, or a date."""
    if text.isascii() and text.isdecimal():
        return min(int(text[:9]), RETRY_MOST)
    try:
        wait = int((email.utils.parsedate_to_datetime(text) - clock.now()).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return RETRY_USUAL
    return min(max(wait, 0), RETRY_MOST)


def _no(issuer: ExternalIssuer, answer: _Answer) -> RefusedError | UnreachableError:
    said = answer.body[:120].decode("utf-8", "replace")
    if 400 <= answer.status < 500 and answer.status not in _AGAIN:
        return RefusedError(
            "external.refused", f"{issuer.name} answered {answer.status}: {said!r}", "Ask those who run it."
        )
    return UnreachableError(
        "external.busy",
        f"{issuer.name} answered {answer.status}, which is no certificate: {said!r}",
        "The request is kept and sent again by itself. A redirect is not followed: give the address it leads to.",
    )


def _nonsense(says: str) -> RefusedError:
    return RefusedError("external.answer", f"what came back is no answer: {says}", "Ask those who run the authority.")


def _unfit(says: str) -> InputError:
    return InputError("external.file", says, "Correct the files that [[external_issuer]] in bollard.toml names.")
