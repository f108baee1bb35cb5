"""The page for those who watch over a home: ``/metrics``, ``/healthz`` and ``/readyz`` over plain HTTP.

Rules this file keeps:

* It is off until an address is named. Nobody proves who he is here, so it belongs on this host or a network of its own.
* Nothing on it names a station, an address or anything that a stranger chose.
* ``/healthz``: this process turns, and the supervisor, where there is one, answers. What a restart would not cure is no
  matter of it. ``/readyz``: stations can be served now.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import msgspec

from secproxy.edge.effective import config_in_force
from secproxy.edge.exposition import write
from secproxy.edge.knocking import try_csms
from secproxy.edge.overview import standings, workers
from secproxy.edge.status_listener import plain_server
from secproxy.readiness import Check, csms_reachable, workers_open

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence

    from pki.edge.home import Home
    from secproxy.edge.claim_wire import Seen
    from secproxy.edge.gathering import Gathering
    from secproxy.edge.status_listener import QuietServer
    from secproxy.upstreams import Upstream

    Scope = MutableMapping[str, object]
    Send = Callable[[MutableMapping[str, object]], Awaitable[None]]
    Answer = tuple[int, str, bytes]

CONNECTIONS_MOST: Final = 32  # at once; more are answered 503
IDLE_SECONDS: Final = 75  # a kept-alive connection without a request; a scrape comes every 15 to 60
FAREWELL_SECONDS: Final = 1  # for answers under way at the end
KNOCK_AGAIN_SECONDS: Final = 10.0  # between two looks at CSMSs that no worker has tried yet

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"


class Watching:
    """The application of one home."""

    def __init__(self, home: Home, gathering: Gathering) -> None:
        self._home, self._gathering = home, gathering
        self._knocked: dict[tuple[str, str], set[str]] = {}
        self._knocked_at = -KNOCK_AGAIN_SECONDS
        self._pages: Mapping[str, Callable[[Scope], Awaitable[Answer]]] = {
            "/metrics": self._metrics,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
        }

    async def __call__(self, scope: Scope, receive: object, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Answer one request, as ASGI has it."""
        page = self._pages.get(str(scope["path"]))
        if page is None:
            status, kind, body = 404, _TEXT, b"/metrics, /healthz and /readyz are here\n"
        elif scope["method"] not in {"GET", "HEAD"}:
            status, kind, body = 405, _TEXT, b""
        else:
            status, kind, body = await page(scope)
        headers = [
            (b"content-type", kind.encode("ascii")),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _metrics(self, scope: Scope) -> Answer:
        figures = await self._gathering.figures()
        body, kind = await asyncio.to_thread(write, figures, _OPENMETRICS if _wants_openmetrics(scope) else "")
        return 200, kind, body

    async def _healthz(self, _: Scope) -> Answer:
        silent = self._home.claims_socket.exists() and await self._gathering.seen() is None
        says = "silent" if silent else "answers" if self._home.claims_socket.exists() else "none runs"
        return _verdict(Check("web", True, "turns"), Check("supervisor", not silent, says))

    async def _readyz(self, _: Scope) -> Answer:
        seen, measured = await asyncio.gather(self._gathering.seen(), self._gathering.measured())
        authority = Check("authority", measured is not None, "answers" if measured else "does not answer")
        if seen is None:
            return _verdict(Check("supervisor", False, "does not answer"), authority)
        supervisor = Check("supervisor", True, "answers")
        csms = csms_reachable(await self._standings(seen))
        return _verdict(supervisor, workers_open(workers(seen), seen.open), authority, csms)

    async def _standings(self, seen: Seen) -> Mapping[tuple[str, str], set[str]]:
        """What workers have found, and, while they have tried none, what a look of ours finds."""
        found = standings(seen)
        if any(states - {"unknown"} for states in found.values()):
            return found
        if time.monotonic() - self._knocked_at >= KNOCK_AGAIN_SECONDS:
            self._knocked_at = time.monotonic()
            self._knocked = await _knock(config_in_force(self._home).upstreams)
        return self._knocked


async def _knock(upstreams: Sequence[Upstream]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for upstream in upstreams:
        tried = await try_csms([upstream])
        found |= {(upstream.name, str(place)): {"down" if each.missed else "up"} for place, each in enumerate(tried)}
    return found


def _verdict(*checks: Check) -> Answer:
    passed = all(check.passed for check in checks)
    told = {check.name: {"passed": check.passed, "says": check.says} for check in checks}
    body = msgspec.json.encode({"status": "ok" if passed else "failed", "checks": told})
    return 200 if passed else 503, _JSON, body + b"\n"


def _wants_openmetrics(scope: Scope) -> bool:
    headers = scope["headers"]
    assert isinstance(headers, list)  # noqa: S101 - ASGI has it so
    return any(name == b"accept" and b"application/openmetrics-text" in value for name, value in headers)


def metrics_server(application: Watching) -> QuietServer:
    """Make the server; run it with a socket that is bound."""
    return plain_server("metrics", application, CONNECTIONS_MOST, IDLE_SECONDS, FAREWELL_SECONDS)
