"""Serves verified firmware images to the stations that were granted them, and nothing else to anybody.

* A link is ``/f/TOKEN/NAME``; unknown, expired and misspelt links get the same answer. Links are secrets: never logged.
* Only stored bytes are served, with their digest (RFC 9530), one range at a time (RFC 9110 14), within a budget.
* What was served is recorded with the authority, so that "downloaded" can be compared with what was fetched.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pki.edge.calls import RecordDownload
from pki.edge.http.budget import Budget
from pki.edge.http.ranges import Span, read_range, whole
from pki.edge.http.transfer import Transfer
from pki.edge.vault import damaged
from pki.errors import BollardError, ForbiddenError, InputError, NotFoundError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    from pki.edge.calls import DownloadAllowed
    from pki.edge.vault import Image, Vault

NAME_DIGITS: Final = 16  # hex digits of the digest that stand in a link's last part
RETRY_SECONDS: Final = 5  # what a client is told to wait while the authority is away, or this process about to end

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PLAIN: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def downloads(
    redeem: Callable[[str], Awaitable[DownloadAllowed]],
    record: Callable[[RecordDownload], Awaitable[None]],
    vault: Vault,
    alarm: Callable[[BollardError], None],
    ending: Callable[[], bool] = lambda: False,
) -> Starlette:
    """Make the web application.

    ``redeem`` turns a token into what it is for (``NotFoundError`` when it is for nothing), ``record`` keeps what was
    served; both may raise ``BollardError`` while the authority is away. ``alarm`` is told of a damaged image, of a
    record that could not be kept, and of an authority that failed to answer. Once ``ending`` says so, no download
    begins: 503, as while the authority is away.
    """
    desk = _Desk(redeem, record, vault, alarm, ending)
    routes = [Route("/f/{token}/{name}", desk.fetch, methods=["GET"]), Route("/healthz", _healthy, methods=["GET"])]
    application = Starlette(routes=routes, exception_handlers={HTTPException: _plain}, lifespan=desk.lifespan)
    application.router.redirect_slashes = False  # a link with a slash too many is a misspelt link
    return application


class _Desk:
    def __init__(
        self,
        redeem: Callable[[str], Awaitable[DownloadAllowed]],
        record: Callable[[RecordDownload], Awaitable[None]],
        vault: Vault,
        alarm: Callable[[BollardError], None],
        ending: Callable[[], bool],
    ) -> None:
        self._ending = ending
        self._redeem = redeem
        self._record = record
        self._vault = vault
        self._alarm = alarm
        self._budget = Budget()
        self._records: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:  # noqa: ARG002 - Starlette's signature
        """Let the last records be kept before the process ends."""
        yield
        await asyncio.gather(*self._records)

    async def fetch(self, request: Request) -> Response:
        """Answer GET and HEAD for one link."""
        if self._ending():
            _unavailable()
        token = request.path_params["token"]
        allowed = await self._allowed(token, request.path_params["name"])
        image = await self._open(allowed)
        try:
            span = _span(request, image)
            allowance = self._budget.open(token, image.size)
        except InputError:
            raise HTTPException(416, headers={"Content-Range": f"bytes */{image.size}"}) from None
        except ForbiddenError:
            raise HTTPException(429) from None
        headers = _headers(image, span)
        if request.method == "HEAD":
            return Response(headers=headers)
        return Transfer(image, span, headers, allowance, lambda sent, problem: self._ended(token, span, sent, problem))

    async def _allowed(self, token: str, name: str) -> DownloadAllowed:
        if not _TOKEN.fullmatch(token):
            raise HTTPException(404)
        try:
            allowed = await self._redeem(token)
        except NotFoundError:
            raise HTTPException(404) from None
        except BollardError as problem:
            if not isinstance(problem, UnreachableError):
                self._alarm(problem)
            _unavailable()
        if not hmac.compare_digest(name.encode(), f"{allowed.digest[:NAME_DIGITS]}.bin".encode()):
            raise HTTPException(404)
        return allowed

    async def _open(self, allowed: DownloadAllowed) -> Image:
        try:
            image = await asyncio.to_thread(self._vault.open_image, allowed.digest)
            if image.size != allowed.size:
                raise damaged(allowed.digest)
        except BollardError as problem:
            self._alarm(problem)
            _unavailable()
        return image

    def _ended(self, token: str, span: Span, sent: int, problem: BollardError | None) -> None:
        if problem is not None and not isinstance(problem, ForbiddenError):
            self._alarm(problem)
        if sent:
            last = span.first + sent - 1
            served = RecordDownload(token=token, first=span.first, last=last, complete=last == span.size - 1)
            task = asyncio.create_task(self._keep(served))
            self._records.add(task)
            task.add_done_callback(self._records.discard)

    async def _keep(self, served: RecordDownload) -> None:
        try:
            await self._record(served)
        except BollardError as problem:
            self._alarm(problem)


def _span(request: Request, image: Image) -> Span:
    """The part asked for. Range is for GET alone; If-Range must name these very bytes (RFC 9110 13.1.5, 14.2)."""
    condition = request.headers.get("if-range")
    if request.method != "GET" or (condition is not None and condition != _etag(image)):
        return whole(image.size)
    return read_range(request.headers.getlist("range"), image.size)


def _etag(image: Image) -> str:
    return f'"{image.digest}"'


def _headers(image: Image, span: Span) -> dict[str, str]:
    digest = f"sha-256=:{base64.b64encode(bytes.fromhex(image.digest)).decode('ascii')}:"
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(span.length),
        "Accept-Ranges": "bytes",
        "ETag": _etag(image),
        "Repr-Digest": digest,
        **_PLAIN,
    }
    # Content-Digest is about the bytes of this answer, Repr-Digest about the whole image (RFC 9530 2 and 3).
    part = (
        {"Content-Digest": digest}
        if span.is_whole
        else {"Content-Range": f"bytes {span.first}-{span.last}/{span.size}"}
    )
    return headers | part


async def _healthy(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
    return PlainTextResponse("ok\n", headers=_PLAIN)


async def _plain(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """Say no in one line that is the same whatever the reason behind the status."""
    status, headers = (problem.status_code, problem.headers) if isinstance(problem, HTTPException) else (500, None)
    return PlainTextResponse(f"{status}\n", status_code=status, headers={**_PLAIN, **(headers or {})})


def _unavailable() -> NoReturn:
    raise HTTPException(503, headers={"Retry-After": str(RETRY_SECONDS)})
