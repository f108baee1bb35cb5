"""A home to ask questions of, and the command line as a function: words in, exit code and both outputs out."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, object]:
        """Its data, as JSON."""
        data = json.loads(self.out)
        assert isinstance(data, dict)
        return data

    def rows(self, noun: str) -> list[dict[str, object]]:
        """Its rows, from JSON."""
        rows = self.json()[noun]
        assert isinstance(rows, list)
        return rows


class Bollard(Protocol):
    """The command line as a function."""

    def __call__(self, *words: str) -> Told:
        """Run ``bollard WORDS`` on the test's home."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BOLLARD_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home, made once; tests get copies of it."""
    path = tmp_path_factory.mktemp("made") / "home"
    assert run(["--home", str(path), "init", "--org", "Test Charging", "--csms-host", "localhost"]) == 0
    return path


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Path:
    """A home of the test's own."""
    return shutil.copytree(made_home, tmp_path / "home")


@pytest.fixture
def bollard(home: Path, capsys: pytest.CaptureFixture[str]) -> Bollard:
    """The command line on the test's own home."""

    def ask(*words: str) -> Told:
        capsys.readouterr()
        code = run(["--home", str(home), *words])
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return ask
