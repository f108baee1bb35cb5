"""The story's folder and processes belong to it alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cli.demo.world import World
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world that ends with the test."""
    made = World(tmp_path)
    yield made
    made.close()


def test_no_setting_of_another_home_gets_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's own passphrase and home stay out of the story."""
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "mine")
    monkeypatch.setenv("BOLLARD_HOME", "/mine")
    env = world.env()

    assert "BOLLARD_PASSPHRASE" not in env
    assert env["BOLLARD_HOME"] == str(world.folder / "home")


def test_ports_are_its_own(world: World) -> None:
    """Three different ones."""
    assert len(set(world.ports.values())) == 3


def test_a_command_is_shown_and_its_output_returned(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The transcript is what a person could type."""
    assert '"cause": "cert.expired"' in world.bollard("-o", "json", "explain", "cert.expired")
    assert "$ bollard -o json explain cert.expired" in capsys.readouterr().out


def test_another_exit_code_than_the_expected_ends_the_story(world: World) -> None:
    """In both directions: failing where it should not, and the other way round."""
    with pytest.raises(BollardError, match="ended with 4 in place of 0"):
        world.bollard("explain", "no.such")
    with pytest.raises(BollardError, match="ended with 0 in place of 5"):
        world.bollard("explain", "cert.expired", exits=5)


def test_closing_ends_every_process(world: World) -> None:
    """The last started first."""
    child = world.start("sleeper", sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()")
    world.close()

    assert child.process.returncode is not None
