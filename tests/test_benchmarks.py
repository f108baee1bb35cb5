"""Every benchmark says what it measures to whoever asks, and starts nothing then."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = re.findall(r"^\| `([a-z_]+\.py)` \|", (ROOT / "benchmarks" / "README.md").read_text(), re.MULTILINE)


def test_the_table_names_them() -> None:
    """Otherwise nothing is shown below."""
    assert len(SCRIPTS) > 5


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_explains_itself(script: str) -> None:
    """On stdout, with success, as every program does."""
    asked = [sys.executable, str(ROOT / "benchmarks" / script), "--help"]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(f"usage: {script}")
