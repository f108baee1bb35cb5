"""Serves what anybody may ask of our certificates: lists of the revoked, OCSP answers, our authorities' certificates.

* ``GET /crl/ISSUER/SHARD.crl``, ``POST /ocsp``, ``GET /ocsp/BASE64``, ``GET /ca/ISSUER.crt``, ``GET /ca/ISSUER.p7c``:
  RFC 5280 4.2.1.13 and 4.2.2.1, RFC 6960 A.1, with the caching headers of RFC 5019 6.2. HEAD is answered as GET is.
* ``GET /jwks.json``: the keys that our proxy's assertions verify under (RFC 7517).
* Plain HTTP, since all of it is signed. Nobody proves who he is here, so everything is bounded before it is read: the
  path, the body, and by the listener the head and the number of connections.
* A plain ASGI application without a framework: the usual question is answered from memory in a few dozen steps.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki import ocsp
from pki.certificate import names_issuer
from pki.edge.http.keeping import Keeping, Page, seconds
from pki.errors import BollardError, InputError, NotFoundError, UnreachableError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

    from pki.edge.calls import Crl, IssuerRow, OcspAnswer

    Scope: TypeAlias = MutableMapping[str, object]
    Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, object]]]
    Send: TypeAlias = Callable[[MutableMapping[str, object]], Awaitable[None]]

PATH_LENGTH: Final = 8_192  # bytes; a request of the longest kind in base64, with every sign escaped where need be
MAX_AGE: Final = 3_600  # seconds that others may keep an answer without asking again: bounds what a revocation waits
RETRY_SECONDS: Final = 5  # what a client is told to wait while the authority is away

KEYS_AGE: Final = 300  # seconds that others may keep the list of keys; new ones are published an hour before they sign
KEYS_TYPE: Final = "application/jwk-set+json"
KEYS_PATH: Final = "/jwks.json"

OCSP_TYPE: Final = b"application/ocsp-response"
_LIST: Final = re.compile(r"/crl/([a-z0-9-]{1,64})/([0-9]{1,3})\.crl")
_CERTIFICATE: Final = re.compile(r"/ca/([a-z0-9-]{1,64})\.(crt|p7c)")
_SNIFF: Final = (b"x-content-type-options", b"nosniff")
_NO_STORE: Final = (b"cache-control", b"no-store")


class Status:
    """The application. ``keeping`` asks the authority; ``know`` and the keeping's own methods take the news."""

    def __init__(self, keeping: Keeping, alarm: Callable[[BollardError], None]) -> None:
        self.keeping = keeping
        self._alarm = alarm
        self._pages: dict[str, Page] = {}
        self._keys: dict[str, Page] = {}
        self.key_set = b""

    def publish(self, key_set: bytes) -> None:
        """Serve this JWK set from now on."""
        self.key_set = key_set
        caching = (b"cache-control", b"max-age=%d, public" % KEYS_AGE)
        self._keys = {KEYS_PATH: _page(key_set, KEYS_TYPE.encode("ascii"), caching)}

    def know(self, issuers: Iterable[IssuerRow]) -> None:
        """Take note of our authorities: their certificates are served, and lists of no others are asked for."""
        found = {issuer.name: x509.load_pem_x509_certificate(issuer.pem.encode()) for issuer in issuers}
        self._pages = dict(page for name in found for page in _certificate_pages(name, found))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        method, path = str(scope["method"]), bytes(_raw(scope["raw_path"]))
        if method == "POST" and path == b"/ocsp":
            return await self._post(scope, receive, send)
        if len(path) > PATH_LENGTH:
            return await _say(send, 414)
        if method not in {"GET", "HEAD"}:
            return await _say(send, 405, (b"allow", b"POST" if path == b"/ocsp" else b"GET, HEAD"))
        if path == b"/ocsp":
            return await _say(send, 405, (b"allow", b"POST"))
        page = await self._page(path) if not scope["query_string"] else 404
        if isinstance(page, int):
            return await _say(send, page)
        return await _serve(send, page, _headers(scope), head=method == "HEAD")

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _body(_headers(scope), receive)
        if request is None:
            return await _say(send, 413, (b"connection", b"close"))
        return await _serve(send, await self._answer(request), {}, head=False)

    async def _page(self, path: bytes) -> Page | int:
        """Find what a path names, or the status that says why not."""
        if path.startswith(b"/ocsp/"):
            try:
                return await self._answer(_unwrap(path))
            except InputError:
                return await self._answer(b"")
        text = path.decode("ascii", "replace")
        if match := _LIST.fullmatch(text):
            return await self._list(match[1], int(match[2]))
        return self._keys.get(text) or self._pages.get(text) or 404

    async def _list(self, issuer: str, shard: int) -> Page | int:
        if f"/ca/{issuer}.crt" not in self._pages:
            return 404
        try:
            return await self.keeping.list_of(issuer, shard, _list_page)
        except NotFoundError:
            return 404
        except BollardError as problem:
            self._tell(problem)
            return 503

    async def _answer(self, request: bytes) -> Page:
        """Answer an OCSP request; when the authority is away the answer says so itself (RFC 6960 4.2.1)."""
        page = self.keeping.kept(request)
        if page is not None:
            return page
        if not request or len(request) > ocsp.REQUEST_LENGTH:
            return _TROUBLE[ocsp.Trouble.MALFORMED]
        try:
            return await self.keeping.ask(request, _answer_page)
        except BollardError as problem:
            self._tell(problem)
            return _TROUBLE[ocsp.Trouble.TRY_LATER]

    def _tell(self, problem: BollardError) -> None:
        if not isinstance(problem, UnreachableError):  # that one comes back by itself, and strangers could make it many
            self._alarm(problem)


def _certificate_pages(name: str, issuers: Mapping[str, x509.Certificate]) -> list[tuple[str, Page]]:
    chain = _chain(issuers[name], list(issuers.values()))
    alone = _page(chain[0].public_bytes(Encoding.DER), b"application/pkix-cert")
    packed = pkcs7.serialize_certificates(chain, Encoding.DER)
    together = _page(packed, b"application/pkcs7-mime; smime-type=certs-only")
    return [(f"/ca/{name}.crt", alone), (f"/ca/{name}.p7c", together)]


def _chain(certificate: x509.Certificate, issuers: list[x509.Certificate]) -> list[x509.Certificate]:
    above = [each for each in issuers if each != certificate and names_issuer(certificate, each)]
    return [certificate, *(_chain(above[0], [each for each in issuers if each != certificate]) if above else [])]


def _page(body: bytes, kind: bytes, *more: tuple[bytes, bytes], until: float = 0.0) -> Page:
    etag = b'"' + hashlib.sha256(body).hexdigest().encode("ascii") + b'"'
    headers = ((b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"etag", etag), _SNIFF, *more)
    return Page(body, headers, until)


def _list_page(crl: Crl) -> Page:
    until = seconds(crl.row.next_update)
    times = _times(crl.row.this_update, crl.row.next_update)
    caching = (b"cache-control", b"max-age=%d, public" % MAX_AGE)
    return _page(crl.der, b"application/pkix-crl", *times, caching, until=until)


def _answer_page(answer: OcspAnswer) -> Page:
    """RFC 5019 6.2: what may be kept says for how long; what is for one asker, or no answer at all, is not to be."""
    if not answer.serial or answer.this_update is None or answer.next_update is None:
        return _page(answer.der, OCSP_TYPE, _NO_STORE)
    until = seconds(answer.keep_until)
    age = min(MAX_AGE, int(seconds(answer.next_update) - until))
    caching = (b"cache-control", b"max-age=%d, public, no-transform, must-revalidate" % age)
    return _page(answer.der, OCSP_TYPE, *_times(answer.this_update, answer.next_update), caching, until=until)


def _times(this_update: dt.datetime, next_update: dt.datetime) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"last-modified", format_datetime(this_update, usegmt=True).encode("ascii")),
        (b"expires", format_datetime(next_update, usegmt=True).encode("ascii")),
    )


_TROUBLE: Final = {trouble: _page(ocsp.refuse(trouble), OCSP_TYPE, _NO_STORE) for trouble in ocsp.Trouble}


def _raw(path: object) -> bytes:
    return path if isinstance(path, bytes) else b""


def _headers(scope: Scope) -> dict[bytes, bytes]:
    found = scope["headers"]
    return dict(found) if isinstance(found, list) else {}


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
    """Read the request; nothing when it is longer than any question. What it says of its length is believed first."""
    said = headers.get(b"content-length", b"0")
    if not said.isdigit() or len(said) > 4 or int(said) > ocsp.REQUEST_LENGTH:
        return None
    body = b""
    while True:
        message = await receive()
        part = message.get("body", b"")
        body += part if isinstance(part, bytes) else b""
        if len(body) > ocsp.REQUEST_LENGTH or message["type"] == "http.disconnect":
            return None
        if not message.get("more_body"):
            return body


def _unwrap(path: bytes) -> bytes:
    """Read the request out of a path: base64, perhaps with escapes. Some clients begin it with one slash too many."""
    try:
        return base64.b64decode(unquote_to_bytes(path[len(b"/ocsp/") :]).lstrip(b"/"), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("ocsp.malformed", "the path holds no base64", "Ask as RFC 6960 A.1 says.") from None


async def _serve(send: Send, page: Page, headers: Mapping[bytes, bytes], *, head: bool) -> None:
    if headers and _is_known(page, headers):
        kept = [header for header in page.headers if header[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 304, "headers": kept})
        return await send({"type": "http.response.body", "body": b""})
    await send({"type": "http.response.start", "status": 200, "headers": page.headers})
    return await send({"type": "http.response.body", "body": b"" if head else page.body})


def _is_known(page: Page, headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client has these very bytes (RFC 9110 13.1.2, 13.1.3; the tag counts where both are given)."""
    own = dict(page.headers)
    tags = headers.get(b"if-none-match")
    if tags is not None:
        return tags.strip() == b"*" or own[b"etag"] in {tag.strip().removeprefix(b"W/") for tag in tags.split(b",")}
    since = headers.get(b"if-modified-since")
    return since is not None and since == own.get(b"last-modified")


async def _say(send: Send, status: int, *more: tuple[bytes, bytes]) -> None:
    text = f"{_SAYS[status].code}: {_SAYS[status].cause}\n".encode("ascii")
    retry = [(b"retry-after", b"%d" % RETRY_SECONDS)] if status == 503 else []
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text)), _NO_STORE, _SNIFF]
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *retry, *more]})
    await send({"type": "http.response.body", "body": text})


_SAYS: Final = {
    404: NotFoundError("status.path", "nothing is served at this address"),
    405: InputError("status.method", "this address takes another method; the header Allow names it"),
    413: InputError("status.body", f"a question has more than {ocsp.REQUEST_LENGTH} bytes, or does not say how many"),
    414: InputError("status.address", f"an address has more than {PATH_LENGTH} bytes"),
    503: UnreachableError("status.away", "this cannot be had now"),
}
"""Why there is nothing to give back, for people; OCSP has words of its own for what is wrong with a question."""
