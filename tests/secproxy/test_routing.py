"""Which CSMS a station belongs to: its group first, then its path, then the one that takes the rest; else none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secproxy.routing import RoutingError, choose, path_there
from secproxy.upstreams import Preset, Upstream, parse_upstream, plain
from tests.secproxy import scene

URL = parse_upstream("ws://csms")
REST = plain(URL)
NORTH = Upstream("north", (URL,), groups=("north",))
SITE = Upstream("site", (URL,), path="/site")
DEEP = Upstream("deep", (URL,), path="/site/1")
BOTH = Upstream("both", (URL,), groups=("east",), path="/east")
ALL = (REST, SITE, DEEP, NORTH, BOTH)


def at(target: str, group: str = "") -> str:
    """Which CSMS takes a station of this group that dials this path, and why."""
    admitted = scene.admitted(replace(scene.station(), group=group))
    route = choose(ALL, replace(admitted, target=target))
    return f"{route.upstream.name}: {route.because}"


@pytest.mark.parametrize(
    ("target", "group", "chosen"),
    [
        ("/ocpp/CP-001", "", "csms: this CSMS takes the rest"),
        ("/ocpp/CP-001", "south", "csms: this CSMS takes the rest"),
        ("/ocpp/CP-001", "north", "north: its group is north"),
        ("/site/CP-001", "north", "north: its group is north"),
        ("/site/CP-001", "", "site: it dials a path below /site"),
        ("/site/1/CP-001", "", "deep: it dials a path below /site/1"),
        ("/site/1/2/CP-001", "", "deep: it dials a path below /site/1"),
        ("/site/10/CP-001", "", "site: it dials a path below /site"),
        ("/site-2/CP-001", "", "csms: this CSMS takes the rest"),
        ("/site", "", "csms: this CSMS takes the rest"),
        ("/east/CP-001", "", "both: it dials a path below /east"),
        ("/ocpp/CP-001", "east", "both: its group is east"),
    ],
)
def test_the_group_decides_before_the_path_and_the_path_before_the_rest(target: str, group: str, chosen: str) -> None:
    """And the longer path before the shorter, by whole segments."""
    assert at(target, group) == chosen


def test_a_station_that_nobody_takes_has_no_csms_and_the_reason_is_told() -> None:
    """With its group and its path, so that the operator sees what is missing."""
    with pytest.raises(RoutingError, match=r"'south'.*'/ocpp/CP-001'"):
        choose([NORTH, SITE], scene.admitted(replace(scene.station(), group="south")))


def test_without_a_csms_in_the_settings_the_error_says_where_to_name_one() -> None:
    """An operator who forgot it reads how to mend it."""
    with pytest.raises(RoutingError, match="--upstream"):
        choose([], scene.admitted(scene.station()))


@pytest.mark.parametrize(
    ("url", "preset", "name", "path"),
    [
        ("ws://csms", "plain", "CP-001", "/ocpp/CP-001"),
        ("ws://csms/", "plain", "CP-001", "/ocpp/CP-001"),
        ("ws://csms/steve/ws", "plain", "CP-001", "/steve/ws/CP-001"),
        ("ws://csms/steve/ws/", "plain", "A|B", "/steve/ws/A%7CB"),
        ("ws://csms", "steve", "CP-001", "/steve/websocket/CentralSystemService/CP-001"),
        ("ws://csms/other", "steve", "CP-001", "/other/CP-001"),
        ("ws://csms", "citrineos", "CP-001", "/CP-001"),
        ("ws://csms/tenant", "citrineos", "CP-001", "/tenant/CP-001"),
    ],
)
def test_the_csms_is_asked_for_its_own_path_or_the_stations(url: str, preset: str, name: str, path: str) -> None:
    """The URL's path, else its preset's, with the identity behind it; else the station's own goes on."""
    assert path_there(Preset(preset), parse_upstream(url), scene.admitted(scene.station(name))) == path
