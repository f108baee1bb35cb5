"""The import contracts hold, and each of them can fail."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bollard", "cli", "secproxy", "pki")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

VIOLATIONS = {
    "rooms": ("pki/names.py", "import secproxy.events"),
    "launcher": ("pki/edge/home.py", "import bollard"),
    "core-and-edge": ("secproxy/admission.py", "import pki.edge.clock"),
    "pki": ("pki/findings.py", "import pki.chain"),
    "firmware-may-not-issue": ("pki/firmware/gate.py", "import pki.issue"),
    "pki-ceremony": ("pki/ceremony/terms.py", "import pki.ceremony.replay"),
    "pki-firmware": ("pki/firmware/policy.py", "import pki.firmware.gate"),
    "pki-edge": ("pki/edge/calls.py", "import pki.edge.service"),
    "secproxy": ("secproxy/frames.py", "import secproxy.session"),
    "secproxy-policy": ("secproxy/policy/urls.py", "import secproxy.policy.reading"),
    "secproxy-export": ("secproxy/export/event.py", "import secproxy.export.cef"),
    "secproxy-edge-export": ("secproxy/edge/export/lines.py", "import secproxy.edge.export.exporter"),
    "secproxy-edge": ("secproxy/edge/tls.py", "import secproxy.edge.worker"),
    "workers-hold-no-ca-key": ("secproxy/edge/relay.py", "import pki.edge.keys"),
    "cli": ("cli/render.py", "import cli.main"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter over a tree."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "500"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms that may be spoilt."""
    copy = tmp_path_factory.mktemp("tree")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def test_every_contract_holds() -> None:
    """Imports run the way the picture shows."""
    linted = lint(ROOT)

    assert linted.returncode == 0, linted.stdout


def test_every_contract_has_a_violation_to_be_tried_with() -> None:
    """A contract that nobody has seen fail proves nothing."""
    assert {contract["id"] for contract in CONTRACTS} == set(VIOLATIONS)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: str(contract["id"]))
def test_a_contract_fails_on_a_deliberate_violation(tree: Path, contract: dict[str, str]) -> None:
    """One import too many, in one file, and this very contract is broken."""
    file, violation = VIOLATIONS[contract["id"]]
    path = tree / file
    honest = path.read_text()
    path.write_text(f"{honest}\n{violation}\n")
    try:
        linted = lint(tree)
    finally:
        path.write_text(honest)

    assert linted.returncode != 0
    assert f"{contract['name']} BROKEN" in linted.stdout


def test_a_file_without_a_floor_is_noticed(tree: Path) -> None:
    """A new file must be placed in a contract."""
    stray = tree / "secproxy" / "stray.py"
    stray.write_text('"""Belongs nowhere."""\n')
    try:
        linted = lint(tree)
    finally:
        stray.unlink()

    assert linted.returncode != 0
    assert "stray" in linted.stdout


def maps() -> list[Path]:
    """Every package of the rooms that has rooms of its own."""
    return sorted(path for room in ROOMS[1:] for path in (ROOT / room).rglob("__init__.py"))


@pytest.mark.parametrize("path", maps(), ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_the_docstring_of_a_room_is_its_map(path: Path) -> None:
    """Whoever opens a folder finds every file of it named there."""
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    files = [file.stem for file in path.parent.glob("*.py") if file.stem != "__init__"]

    assert [name for name in files if name not in said] == []
