"""What several stories share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stories.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town for all stories of a file."""
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


@pytest.fixture
def town(settled: Town) -> Iterator[Town]:
    """The town without any station in it; whatever happened before, everything is up."""
    if settled.up.process.poll() is not None:
        settled.bring_up()
    yield settled
    settled.everybody_leaves()
