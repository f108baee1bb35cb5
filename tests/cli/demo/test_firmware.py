"""The firmware steps hold in a true home and fail where they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.demo.firmware import IMAGE_BYTES, image_is_signed, tampered_image
from cli.demo.world import World
from pki.errors import BollardError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with a home and no processes."""
    made = World(tmp_path)
    made.bollard("init", "--org", "Test", "--csms-host", "localhost")
    return made


def test_a_signed_image_is_taken_and_a_tampered_one_is_not(world: World) -> None:
    """One flipped bit makes the difference."""
    assert str(IMAGE_BYTES) in image_is_signed(world)
    assert "sig.bad" in tampered_image(world)


def test_the_step_fails_when_the_refusal_has_another_reason(world: World) -> None:
    """Without a trusted manufacturer every image is refused, which proves nothing about signatures."""
    image_is_signed(world)
    (world.folder / "signer.pem").write_text("no certificate")

    with pytest.raises(BollardError):
        tampered_image(world)
