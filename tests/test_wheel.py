"""The wheel that users install: one name, and a command that works far from the checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built the way users get it: sdist first, wheel from the sdist."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_installs_the_single_name_bollard(wheel: Path) -> None:
    """``pki`` and ``cli`` are names that others install too, so they may not stand at the top."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert {"bollard", f"bollard-{wheel.name.split('-')[1]}.dist-info"} == tops


def test_the_sdist_holds_the_project_and_nothing_else(wheel: Path) -> None:
    """No environment, cache or key of the machine that built it slips in."""
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]

    allowed = ("bollard/", "pki/", "secproxy/", "cli/", "policies/", "examples/", "tests/", "docs/", "benchmarks/")
    assert [n for n in names if "/" in n and not n.startswith(allowed)] == []
    assert [n for n in names if n.endswith((".pyc", ".db", ".key"))] == []


def test_the_installed_command_plays_the_demo_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    """In an empty environment, outside the checkout, ``bollard --version`` and ``bollard demo`` work."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    command = str(environment / "bin" / "bollard")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, cwd=elsewhere)

    version = subprocess.run([command, "--version"], cwd=elsewhere, capture_output=True, text=True, check=True)
    demo = subprocess.run([command, "demo"], cwd=elsewhere, capture_output=True, text=True, check=False)

    assert wheel.name.split("-")[1] in version.stdout
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert list(elsewhere.iterdir()) == []
