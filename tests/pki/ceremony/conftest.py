"""One ceremony, held once and only looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ceremonies import Held

if TYPE_CHECKING:
    import pathlib


@pytest.fixture(scope="package")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """A new root with two authorities below it."""
    place: pathlib.Path = tmp_path_factory.mktemp("ceremony") / "first"
    return Held.at(place)
