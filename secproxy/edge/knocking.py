"""Knocks at every URL of every CSMS, as the proxy would and without a station: TCP and TLS, then it hangs up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pki.errors import BollardError
from pki.health import Csms
from secproxy.config import Limits
from secproxy.edge.csms_tls import CsmsTls
from secproxy.edge.effective import url_of
from secproxy.edge.switchboard import knock
from secproxy.edge.upstream import Way
from secproxy.proxy_protocol import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy.upstreams import Upstream


async def try_csms(upstreams: Sequence[Upstream]) -> tuple[Csms, ...]:
    """Connect to every URL of every CSMS as the proxy would, TLS included, and hang up."""
    found: list[Csms] = []
    for upstream in upstreams:
        missed = await _knock_at_all(upstream)
        spared = not all(missed)
        found += (Csms(url_of(url), says, spared) for url, says in zip(upstream.urls, missed, strict=True))
    return tuple(found)


async def _knock_at_all(upstream: Upstream) -> list[str]:
    try:
        secure = CsmsTls(upstream).current()
    except BollardError as problem:
        return [problem.cause] * len(upstream.urls)
    preamble = LOCAL if upstream.proxy_protocol else b""
    ways = (Way(url, secure if url.secure else None, preamble) for url in upstream.urls)
    return await asyncio.gather(*(knock(way, Limits()) for way in ways))
