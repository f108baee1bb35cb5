"""Which CSMS a station belongs to, and under which path it is known there.

Rules this file keeps:

* The group decides before the path, the longer path before the shorter, and either before the CSMS that takes the rest:
  what the operator wrote down about a station counts more than what the station says.
* A path decides by whole segments, so that ``/site-1`` is no prefix of ``/site-10``.
* Every choice has a reason that can be told; where there is none, there is no CSMS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy.target import encode_identity
from secproxy.upstreams import Preset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secproxy.admission import Admitted
    from secproxy.upstreams import Upstream, UpstreamConfig

BASES: Final[Mapping[Preset, str | None]] = {
    Preset.PLAIN: None,
    Preset.STEVE: "/steve/websocket/CentralSystemService",  # where SteVe listens unless its own path was changed
    Preset.CITRINEOS: "",  # CitrineOS takes the segment before the identity for the tenant, so there is none of ours
}
"""What stands before the identity when a URL has no path of its own; None: the path that the station dialled."""


class RoutingError(Exception):
    """No CSMS takes the station; ``says`` is for the journal."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.says = says


@dataclass(frozen=True, slots=True)
class Route:
    """The CSMS of a station, and why it is that one."""

    upstream: Upstream
    because: str


def choose(upstreams: Sequence[Upstream], admitted: Admitted) -> Route:
    """Choose the CSMS of a station. Raises ``RoutingError``."""
    if not upstreams:
        raise RoutingError("no CSMS is configured; start with --upstream or set csms.upstream in bollard.toml")
    group, target = admitted.station.group, admitted.target
    for upstream in upstreams:
        if group and group in upstream.groups:
            return Route(upstream, f"its group is {group}")
    below = [upstream for upstream in upstreams if upstream.path and target.startswith(f"{upstream.path}/")]
    if below:
        nearest = max(below, key=lambda upstream: len(upstream.path))
        return Route(nearest, f"it dials a path below {nearest.path}")
    for upstream in upstreams:
        if upstream.takes_the_rest:
            return Route(upstream, "this CSMS takes the rest")
    raise RoutingError(f"no [[upstream]] takes group {group!r} or path {target!r}, and none takes the rest")


def path_there(preset: Preset, url: UpstreamConfig, admitted: Admitted) -> str:
    """Say which path the CSMS is asked for: the URL's own, else its preset's, with the identity behind it, or the path
    that the station dialled where there is neither; percent-encoded (OCPP-J 3.1.1)."""
    base = url.path or BASES[preset]
    return admitted.target if base is None else f"{base}/{encode_identity(admitted.station.identity)}"
