"""The documentation is true: pages that follow from tables, links, and the README's commands, run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import DOCS, PAGES
from tests.stories.readme import Reader

ROOT = Path(__file__).resolve().parent.parent
TEXTS = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "policies").rglob("*.md")]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_made_from_a_table_is_that_table(name: str) -> None:
    """Run ``python -m tests.documents`` after changing the table."""
    assert (DOCS / name).read_text() == PAGES[name]()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """A reader never follows a link into nothing."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())

    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_dependency_has_its_reason() -> None:
    """``ARCHITECTURE.md`` says in a line why each package is here."""
    declared = re.findall(r'^  "([A-Za-z0-9-]+)[><=]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    reasons = (ROOT / "ARCHITECTURE.md").read_text().split("## Dependencies")[1].split("## Glossary")[0]

    assert [name for name in declared if not re.search(rf"^\|[^|]*\b{name}\b", reasons, re.MULTILINE)] == []


def test_every_command_of_the_readme_is_one() -> None:
    """No example in the documentation names a command or option that does not exist."""
    examples = [line for path in TEXTS for line in re.findall(r"^bollard .*$", path.read_text(), re.MULTILINE)]
    assert examples

    for example in examples:
        words = shlex.split(example)[1:]
        verbs = [word for word in words if re.fullmatch(r"[a-z]+", word)][
            : 3 if words[1:2] in (["trust"], ["ceremony"]) else 2
        ]
        noun = words[: next((i for i, word in enumerate(words) if word not in verbs), len(words))]
        shown = subprocess.run(
            [sys.executable, "-m", "bollard", *noun, "--help"], capture_output=True, text=True, check=True
        )
        for option in re.findall(r"--[a-z-]+", example):
            assert option in shown.stdout, example


def test_the_five_commands_of_the_readme_put_bollard_in_front_of_a_csms(tmp_path: Path) -> None:
    """As a newcomer would: the README's own lines, a real CSMS, a real station."""
    with Reader((ROOT / "README.md").read_text(), tmp_path) as reader:
        reader.follow_the_five_commands()
        assert reader.connect_a_station() == "Accepted"
        assert "CP-001" in reader.run("bollard station list")


def test_the_ci_does_what_the_readme_says() -> None:
    """``.ci/run`` runs the README's test line, from a clean checkout."""
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    line = next(line for line in readme.splitlines() if line.endswith(".venv/bin/pytest"))

    assert line in ci
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
