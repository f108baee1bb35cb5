"""``secproxy.edge.export.standing``: what was kept of a collector is read again, and of no other one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from secproxy.edge.export.standing import BYTES_MOST, FILE, Standing, place, read_standing, write_standing
from tests.secproxy.edge.export.test_deliveries import sink
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from pathlib import Path

COLLECTOR = sink(4318, "otlp")
DOWN = Standing(place(COLLECTOR), "2026-06-01T00:00:00Z", "it is down", "2026-06-02T00:00:00Z")


def test_what_was_kept_is_read_by_us_alone(tmp_path: Path) -> None:
    """The file holds nothing secret, and is nobody else's all the same."""
    home = bare_home(tmp_path / "h")
    write_standing(home, DOWN)
    assert read_standing(home, COLLECTOR) == DOWN
    assert (home.run / FILE).stat().st_mode & 0o777 == 0o600


def test_nothing_is_known_of_another_collector(tmp_path: Path) -> None:
    """The settings may have changed since."""
    home, other = bare_home(tmp_path / "h"), sink(4319, "otlp")
    write_standing(home, DOWN)
    assert read_standing(home, other) == Standing(place(other))


@pytest.mark.parametrize("kept", [None, b"", b"{}", b'{"to":1}', b" " * BYTES_MOST + b"{}"])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, kept: bytes | None) -> None:
    """A file that somebody edited stops nobody from looking at the home."""
    home = bare_home(tmp_path / "h")
    if kept is not None:
        (home.run / FILE).write_bytes(kept)
    assert read_standing(home, COLLECTOR) == Standing(place(COLLECTOR))


def test_a_collector_is_named_without_its_query() -> None:
    """Some take a token there."""
    asked = dataclasses.replace(COLLECTOR, host="::1", tls=True, target="/v1/traces?key=secret")
    assert place(asked) == "https://[::1]:4318/v1/traces"
