"""Every benchmark still runs, and prints what it is there for, at a size that tells nothing of speed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parent.parent / "benchmarks"
SECONDS: Final = 120  # for one of them; they take two or three
PARTS: Final = {"answering.py", "crowd.py", "fleet.py", "proxied.py"}  # what the others are made of
SMALL: Final = {
    "crl.py": (("--count", "2000"), r"one list: 2000 entries"),
    "issuance.py": (("--count", "60", "--rounds", "1"), r"by the clock +\d+ a second"),
    "ocsp.py": (("--seconds", "0.2", "--rounds", "1", "--connections", "2"), r"[1-9]\d* requests/s"),
    "reissue.py": (("--count", "240"), r"240 certificates re-issued"),
    "startup.py": (("--count", "400", "--stations", "40", "--rounds", "1"), r"ready after 0\.\d+ s"),
    "idle.py": (("--stations", "20", "--talking", "4", "--rate", "40", "--seconds", "1"), r"holds: every call"),
    "scale.py": (("--stations", "4", "8", "--rate", "40"), r"\n +8 +\d+"),
    "storm.py": (("--stations", "20", "--live", "4", "--rate", "40", "--seconds", "1"), r"holds: all come back"),
    "beside_nginx.py": (("--stations", "50", "--rounds", "1", "--rate", "2000", "--seconds", "1"), r"\n +ratio +\d"),
    "besieged.py": (("--rounds", "1", "--stations", "4"), r"holds: stations are served as ever"),
}
"""Arguments, and what is printed; ``issuance_hsm.py`` needs a token, and ``tests/pki`` holds its parts."""
LONG: Final = {"besieged.py", "beside_nginx.py", "scale.py"}  # half a minute each, however small; one needs nginx


@pytest.mark.parametrize(
    "script", [pytest.param(each, marks=pytest.mark.deep) if each in LONG else each for each in SMALL]
)
def test_a_benchmark_runs_and_prints_its_figures(script: str) -> None:
    """Whether what it claims of speed holds at this size is not asked: it may end with 1 for that, and no other."""
    words, printed = SMALL[script]
    run = subprocess.run(
        [sys.executable, str(FOLDER / script), *words], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert run.returncode in {0, 1}, run.stderr
    assert "Traceback" not in run.stderr
    assert re.search(printed, run.stdout), run.stdout


def test_no_benchmark_is_left_out() -> None:
    """A new one gets its line here."""
    scripts = {path.name for path in FOLDER.glob("*.py")}
    assert scripts - PARTS - {"issuance_hsm.py"} == SMALL.keys()


def test_mypy_reads_every_benchmark() -> None:
    """They are in no package, so each is named."""
    named = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["tool"]["mypy"]["modules"]
    assert {f"{name}.py" for name in named} == {path.name for path in FOLDER.glob("*.py")}


@pytest.mark.parametrize("script", [*SMALL, "issuance_hsm.py"])
def test_a_benchmark_explains_itself(script: str) -> None:
    """On stdout, with success, as every program does."""
    asked = [sys.executable, str(FOLDER / script), "--help"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(f"usage: {script}")
