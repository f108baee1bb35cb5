"""The house keeps its own rules: core is pure, functions are small, every module is proved by a test of its own."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("pki", "secproxy", "cli")

CORE_MAY_IMPORT = {
    "__future__", "abc", "argon2", "base64", "binascii", "collections", "contextlib", "cryptography", "dataclasses",
    "datetime", "difflib", "enum", "functools", "hashlib", "hmac", "ipaddress", "itertools", "json", "jsonschema_rs",
    "math", "msgspec", "operator", "pki", "re", "secproxy", "string", "struct", "tomllib", "typing",
    "unicodedata", "urllib.parse", "websockets.datastructures", "websockets.exceptions",
    "websockets.frames", "websockets.headers", "websockets.http11", "websockets.speedups", "websockets.streams",
    "websockets.utils", "zlib",
}  # fmt: skip
CORE_MAY_NOT_CALL = {"datetime.now", "dt.datetime.now", "date.today", "datetime.utcnow", "open", "print", "input"}
WITHOUT_MIRROR = {"__init__.py", "__main__.py"}


def sources(*rooms: str) -> list[Path]:
    """Every Python file of these rooms, by path."""
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def core() -> list[Path]:
    """Every file of the core: what is not below a folder named edge."""
    return [path for path in sources("pki", "secproxy") if "edge" not in path.relative_to(ROOT).parts]


def short(path: Path) -> str:
    """A file as people name it."""
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def strangers(source: str) -> set[str]:
    """What a core file may not import or call, but does."""
    tree = ast.parse(source)
    names = imported(tree)
    outside = {name for name in names if not {name, name.split(".")[0]} & CORE_MAY_IMPORT}
    edges = {name for name in names if name.startswith(("pki.edge", "secproxy.edge"))}
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return outside | edges | (calls & CORE_MAY_NOT_CALL)


@pytest.mark.parametrize("path", core(), ids=short)
def test_core_reaches_for_nothing_outside_its_arguments(path: Path) -> None:
    """Core imports from an allow-list and calls neither clock nor file nor terminal."""
    assert strangers(path.read_text()) == set()


@pytest.mark.parametrize(
    "violation",
    [
        pytest.param("import socket", id="a socket"),
        pytest.param("from time import monotonic", id="a clock"),
        pytest.param("import secrets", id="randomness"),
        pytest.param("def f():\n    import sqlite3", id="a database, hidden in a function"),
        pytest.param("from pki.edge import store", id="an edge"),
        pytest.param("import datetime as dt\ndt.datetime.now()", id="the time of day"),
        pytest.param("open('x')", id="a file"),
        pytest.param("import urllib.request", id="the network, beside a module that is allowed"),
    ],
)
def test_the_purity_test_sees_a_violation(violation: str) -> None:
    """Each way out of the core is noticed, so the test above can fail."""
    assert strangers(violation) != set()


def functions() -> list[tuple[str, int]]:
    """Every function of the rooms with its length in lines, docstring apart."""
    return [
        (f"{short(path)}:{node.lineno} {node.name}", _length(node))
        for path in sources("bollard", *ROOMS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    body = node.body[1:] if doc else node.body
    signature = first.lineno - node.lineno
    return signature + (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else signature


def test_no_function_is_longer_than_forty_lines() -> None:
    """A reader holds a function in the head at once."""
    assert [name for name, length in functions() if length > 40] == []


def test_the_median_function_has_eight_lines_or_fewer() -> None:
    """Small functions are the rule here, not the exception."""
    assert statistics.median(length for _, length in functions()) <= 8


def test_every_public_thing_says_what_it_is() -> None:
    """Each module, public class and public function of the rooms has a docstring."""
    assert [name for path in sources("bollard", *ROOMS) for name in _silent(path)] == []


def _silent(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
    nodes = [*tree.body, *(node for owner in classes for node in owner.body)]
    documented = [node for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
    public = [node for node in documented if node.name[0] != "_" and not ast.get_docstring(node)]
    return [f"{short(path)}: {node.name}" for node in public] + ([] if ast.get_docstring(tree) else [short(path)])


@pytest.mark.parametrize("path", [p for p in sources(*ROOMS) if p.name not in WITHOUT_MIRROR], ids=short)
def test_every_module_has_a_test_of_its_own(path: Path) -> None:
    """``pki/plan.py`` is proved by ``tests/pki/test_plan.py``, or by a folder of that name."""
    mirror = ROOT / "tests" / path.relative_to(ROOT).parent
    assert (mirror / f"test_{path.stem}.py").is_file() or (mirror / path.stem).is_dir()


def test_nothing_speaks_of_the_machine_it_was_made_on() -> None:
    """No path of anybody's machine stands in the repository's text."""
    words = ["/" + "work/", "/" + "root/", "/" + "home/"]
    files = [
        *sources("bollard", *ROOMS, "tests", "examples", "benchmarks"),
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
    ]

    assert [short(f) for f in files if any(word in f.read_text() for word in words)] == []


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)], ids=" ".join)
def test_the_linters_have_nothing_to_say(command: tuple[str, ...]) -> None:
    """ruff and mypy --strict are clean, with every exception's reason beside it."""
    program = Path(sys.executable).parent / command[0]
    checked = subprocess.run([str(program), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_this_interpreter_is_one_we_promise() -> None:
    """The promise is 3.11 or newer."""
    assert sys.version_info >= (3, 11)
