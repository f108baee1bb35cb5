"""Lets stations ask for their certificate over EST (RFC 7030, as RFC 8951 corrects it): HTTPS, base64, PKCS#10, PKCS#7.

* Nothing is judged here. Who asks, and with what, goes to the authority as it came; its answer goes back as a status
  and one line of text that begins with our code.
* A body is bounded before it is read and while it is read, in bytes and in seconds.
* Whoever fails again and again is made to wait; whoever is refused hears nothing about which stations there are.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pki.certificate import read_certificate
from pki.edge import calls
from pki.errors import BollardError, ConflictError, ForbiddenError, InputError, NotFoundError, RefusedError
from pki.errors import UnreachableError as Unreachable
from pki.est import ATTRIBUTES, ATTRIBUTES_TYPE, CACERTS_TYPE, CERTIFICATES_TYPE, REQUEST_TYPE, wrap, write_certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

R = TypeVar("R", bound=calls.Row)

BODY_BYTES: Final = 8 * 1024  # bytes of a request's body; OCPP's 5,500 characters and room for line ends
BODY_SECONDS: Final = 10.0  # seconds from the head to the whole body; as long as a head may take
RETRY_SECONDS: Final = 5  # what a client is told to wait while the authority is away, or after failing too often
LABELS: Final = frozenset({"station"})  # RFC 7030 3.2.2; there is one kind of certificate to be had here
CREDENTIALS_LENGTH: Final = 256  # characters of a Basic header; an identity and a token take about 120

_PLAIN: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BASE64: Final = {"Content-Transfer-Encoding": "base64"}  # for clients from before RFC 8951; later ones ignore it
_CLOSE: Final = {"Connection": "close"}  # RFC 9110 15.5.14: nobody reads the rest of the body
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="EST", charset="UTF-8"'}  # RFC 7617 2
_STATUS_OF_CODE: Final = {"est.credentials": 401, "est.off": 404, "station.disabled": 403, "authority.internal": 500}
_STATUS_OF_CLASS: Final = (
    (InputError, 400),
    (RefusedError, 400),  # RFC 7030 4.2.3: the request as it is will never be granted
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 503),
    (Unreachable, 503),
    (BollardError, 500),
)
_UNROUTED: Final = {
    404: NotFoundError("est.operation", "there is no such operation; see RFC 7030 3.2.2"),
    405: InputError("est.method", "this operation takes another method; the header Allow names it (RFC 7030 4)"),
}
"""What Starlette says by a bare phrase, where no route is taken."""
_COUNTED: Final = frozenset({400, 401, 403})  # refusals that a peer can make happen


class Ask(Protocol):
    """How the authority is asked; raises what it raised."""

    async def __call__(self, call: calls.Call, answer: type[R]) -> R:
        """Ask one question."""


class Doorkeeper(Protocol):
    """Who may try, and who hears of failures."""

    def may_try(self, remote: str) -> bool:
        """Tell whether this peer (its IP address) may try now."""

    def failed(self, remote: str, user: str, problem: BollardError) -> None:
        """Take note that it was refused; ``user`` is the name it gave, not believed."""


def est(ask: Ask, doorkeeper: Doorkeeper, alarm: Callable[[BollardError], None]) -> Starlette:
    """Make the application that is mounted at ``/.well-known/est``. ``alarm`` is told of faults of our own."""
    desk = _Desk(ask, doorkeeper, alarm)
    operations = [
        ("cacerts", desk.cacerts, "GET"),
        ("csrattrs", desk.csrattrs, "GET"),
        ("simpleenroll", desk.enroll, "POST"),
        ("simplereenroll", desk.renew, "POST"),
        ("serverkeygen", _not_here, "POST"),
        ("fullcmc", _not_here, "POST"),
    ]
    routes = [
        Route(f"{label}/{name}", endpoint, methods=[method])
        for label in ("", "/{label}")
        for name, endpoint, method in operations
    ]
    application = Starlette(routes=routes, exception_handlers={HTTPException: _say})
    application.router.redirect_slashes = False
    return application


class _Desk:
    def __init__(self, ask: Ask, doorkeeper: Doorkeeper, alarm: Callable[[BollardError], None]) -> None:
        self._ask = ask
        self._doorkeeper = doorkeeper
        self._alarm = alarm

    async def cacerts(self, request: Request) -> Response:
        """RFC 7030 4.1: what a station needs to trust us and to be trusted; nobody has to prove who asks."""
        _examine_label(request)
        try:
            found = await self._ask(calls.ListCaCertificates(), calls.CaCertificates)
        except BollardError as problem:
            self._refuse(request, "", problem)
        certificates = [read_certificate(der) for der in found.certificates]
        return Response(write_certificates(certificates), headers={"Content-Type": CACERTS_TYPE, **_BASE64, **_PLAIN})

    async def csrattrs(self, request: Request) -> Response:
        """RFC 7030 4.5: what a request should be made with."""
        _examine_label(request)
        return Response(wrap(ATTRIBUTES), headers={"Content-Type": ATTRIBUTES_TYPE, **_BASE64, **_PLAIN})

    async def enroll(self, request: Request) -> Response:
        """RFC 7030 4.2.1: a first certificate, by token or by the maker's certificate."""
        return await self._enroll(request, renewal=False)

    async def renew(self, request: Request) -> Response:
        """RFC 7030 4.2.2: the next certificate, by the one that ends."""
        return await self._enroll(request, renewal=True)

    async def _enroll(self, request: Request, *, renewal: bool) -> Response:
        _examine_label(request)
        _examine_type(request)
        remote = request.client.host if request.client else ""
        if not self._doorkeeper.may_try(remote):
            crowded = ForbiddenError("est.attempts", "too many refusals; wait a moment")
            raise _turned(429, crowded, {"Retry-After": str(RETRY_SECONDS)})
        body = await _read_body(request)
        user, token = _read_credentials(request)
        shown = calls.Shown(user, token, _read_chain(request), remote)
        try:
            enrolled = await self._ask(calls.Enroll(body, shown, renewal), calls.Enrolled)
        except BollardError as problem:
            self._refuse(request, user, problem)
        return _answer(enrolled)

    def _refuse(self, request: Request, user: str, problem: BollardError) -> NoReturn:
        status = _status(problem)
        if status in _COUNTED:
            self._doorkeeper.failed(request.client.host if request.client else "", user, problem)
        if status >= 500 and not isinstance(problem, Unreachable | ConflictError):
            self._alarm(problem)
        headers = {401: _CHALLENGE, 503: {"Retry-After": str(RETRY_SECONDS)}}.get(status, {})
        raise HTTPException(status, str(problem) if status != 500 else "authority.internal", headers) from None


def _answer(enrolled: calls.Enrolled) -> Response:
    if not enrolled.certificate:  # RFC 7030 4.2.3: the same request, again, later
        text = "enrolment.waiting: the request waits for a person; send it again later\n"
        return PlainTextResponse(text, 202, {"Retry-After": str(enrolled.retry), **_PLAIN})
    body = write_certificates([read_certificate(enrolled.certificate)])
    return Response(body, headers={"Content-Type": CERTIFICATES_TYPE, **_BASE64, **_PLAIN})


async def _read_body(request: Request) -> bytes:
    """Read the body, refused as soon as it is announced or turns out to be too long."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced[:12]) > BODY_BYTES:
        raise _too_long()
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise _too_long()
    except TimeoutError:
        says = f"no whole body within {BODY_SECONDS:.0f} seconds"
        raise _turned(408, InputError("est.body", says), _CLOSE) from None
    except ClientDisconnect:  # said to nobody; as an exception it would be told at length to our own log
        raise _turned(400, InputError("est.body", "the connection ended before the body did")) from None
    return body


def _too_long() -> HTTPException:
    return _turned(413, InputError("est.body", f"more than {BODY_BYTES} bytes are no certificate request"), _CLOSE)


def _read_credentials(request: Request) -> tuple[str, str]:
    """User and token of a Basic header (RFC 7617 2); none where there is none, refused where it is no such header."""
    given = request.headers.get("authorization", "")
    if not given:
        return "", ""
    scheme, _, packed = given[:CREDENTIALS_LENGTH].partition(" ")
    try:
        user, _, token = base64.b64decode(packed.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        user, token = "", ""
    if scheme.lower() != "basic" or not (user and token):
        raise _turned(401, ForbiddenError("est.credentials", "send user and token by HTTP Basic"), _CHALLENGE)
    return user, token


def _read_chain(request: Request) -> tuple[bytes, ...]:
    """What the TLS client showed, in DER: the extension "tls" of ASGI, which writes it in PEM."""
    shown = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    return tuple(ssl.PEM_cert_to_DER_cert(pem) for pem in shown)


def _examine_type(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != REQUEST_TYPE:
        says = f"send {REQUEST_TYPE}, the base64 of a PKCS#10 request (RFC 7030 4.2.1)"
        raise _turned(415, InputError("est.type", says))


def _examine_label(request: Request) -> None:
    if request.path_params.get("label", "station") not in LABELS:
        says = f"there is no such label; leave it out, or use {', '.join(LABELS)} (RFC 7030 3.2.2)"
        raise _turned(404, NotFoundError("est.label", says))


async def _not_here(request: Request) -> Response:
    """RFC 7030 4.3 and 4.4 are optional: a station's key is made in the station (A02.FR.05)."""
    _examine_label(request)
    says = "not offered here; make the key in the station and use simpleenroll"
    raise _turned(501, InputError("est.operation", says))


def _turned(status: int, problem: BollardError, headers: Mapping[str, str] | None = None) -> HTTPException:
    return HTTPException(status, str(problem), headers)


def _status(problem: BollardError) -> int:
    by_class = next(status for kind, status in _STATUS_OF_CLASS if isinstance(problem, kind))
    return _STATUS_OF_CODE.get(problem.code, by_class)


async def _say(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """Say no in one line."""
    status, says, headers = 500, "authority.internal", None
    if isinstance(problem, HTTPException):
        status, says, headers = problem.status_code, problem.detail, problem.headers
        says = str(_UNROUTED[status]) if says == HTTPStatus(status).phrase and status in _UNROUTED else says
    return PlainTextResponse(f"{says}\n", status, {**_PLAIN, **(headers or {})})
