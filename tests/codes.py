"""Reads out of the sources which codes they can raise, so that the tables of codes are held against the code itself.

A code is the argument ``code`` of an error, a finding, or a function that hands an argument of its own on as one; those
are followed from call to call. Where no code can be read in any of these ways, the place is told, not passed over.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import cli.codes
import pki.codes
import pki.edge.codes
import pki.firmware.codes
import secproxy.codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parent.parent
ROOMS: Final = ("bollard", "pki", "secproxy", "cli")

TABLES: Final[dict[str, Mapping[str, str]]] = {
    "pki": pki.codes.CODES,
    "pki/firmware": pki.firmware.codes.CODES,
    "pki/edge": pki.edge.codes.CODES,
    "secproxy": secproxy.codes.CODES,
    "cli": cli.codes.CODES,
}
"""The tables, each by the folder whose codes it explains."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

PATH_ROOMS: Final = ("chain", "signer")  # what ``Question.code`` in pki/question.py writes before a name
# Codes that were counted where they were first raised: they come back over a wire, or are the cause of an event.
HANDED_ON: Final = {"pki/edge/wire.py: code", "secproxy/edge/claim_line.py: cause"}


@dataclass(frozen=True, slots=True)
class Takes:
    """Which argument of a function is a code; in ``form`` a brace pair stands for it (``vault.{}``)."""

    position: int
    name: str = "code"
    form: str = "{}"


@dataclass(frozen=True, slots=True)
class Written:
    """An argument that is a code, the form it is completed by, and the function it stands in."""

    at: ast.expr
    form: str
    function: Function | None


@dataclass(slots=True)
class Found:
    """What was read: every code with the files that raise it, and the places where none could be read."""

    codes: dict[str, set[str]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def sources() -> dict[str, str]:
    """Every source file of the rooms, by its path from the root."""
    paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


@cache
def everything() -> Found:
    """What all our sources can raise."""
    return read(sources())


def unused(folder: str, found: Found) -> list[str]:
    """The codes of a folder's table that no file there raises; a folder in it with a table of its own stands apart."""
    apart = tuple(f"{other}/" for other in TABLES if other.startswith(f"{folder}/"))
    near = {code: {path for path in paths if not path.startswith(apart)} for code, paths in found.codes.items()}
    return [code for code in TABLES[folder] if not any(path.startswith(f"{folder}/") for path in near.get(code, ()))]


def ill_written(folder: str) -> list[str]:
    """The entries of a folder's table that are not in the house's form: a code of one or two words, one sentence."""
    return [
        code
        for code, says in TABLES[folder].items()
        if not (
            re.fullmatch(r"[a-z]+(\.[a-z0-9_]+)?", code) and re.fullmatch(r"(bollard\.|'bollard|[A-Z]).*[.?]", says)
        )
    ]


def read(files: Mapping[str, str]) -> Found:
    """Find every code that these files can raise."""
    trees = {path: ast.parse(text) for path, text in files.items()}
    takers = {"BollardError": Takes(0), "Finding": Takes(0), "Symptom": Takes(0)}
    known = 0
    while known < len(takers):  # what calls a newly found one may be one itself
        known = len(takers)
        for path, tree in trees.items():
            takers |= {**dict(_classes(tree, takers)), **dict(_functions(path, tree, takers))}
    found = Found()
    for path, tree in trees.items():
        for written in _written(path, tree, takers):
            _count(found, path, written)
    return found


def _count(found: Found, path: str, written: Written) -> None:
    codes = [written.form.replace("{}", code) for code in _literals(written.at)]
    for code in codes:
        found.codes.setdefault(code, set()).add(path)
    if not codes and not _taken(written) and not _handed_on(path, written.at):
        found.unread.add(f"{path}:{written.at.lineno} {ast.unparse(written.at)}")


def _handed_on(path: str, written: ast.expr) -> bool:
    """Whether this is the code of another error or the cause of an event, passed on as it came."""
    whole = isinstance(written, ast.Attribute) and written.attr in {"code", "cause"}
    return whole or f"{path}: {ast.unparse(written)}" in HANDED_ON


def _literals(written: ast.expr) -> Iterator[str]:
    match written:
        case ast.Constant(str(code)):
            yield code
        case ast.Call(ast.Attribute(_, "code"), [ast.Constant(str(name))]):
            yield from (f"{room}.{name}" for room in PATH_ROOMS)


def _classes(tree: ast.Module, takers: Mapping[str, Takes]) -> Iterator[tuple[str, Takes]]:
    """Errors below a known one that are made the same way."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not any(_is_init(inner) for inner in node.body):
            yield from ((node.name, takers[base]) for base in _bases(node) if base in takers)


def _is_init(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def _bases(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).rpartition(".")[2] for base in node.bases]


def _functions(path: str, tree: ast.Module, takers: Mapping[str, Takes]) -> Iterator[tuple[str, Takes]]:
    """Functions that hand an argument of their own on as a code. A private one is known in its own file alone."""
    for written in _written(path, tree, takers):
        taken = _taken(written)
        if taken and written.function and written.function.name != "__init__":
            name = written.function.name
            yield (f"{path} {name}" if name.startswith("_") else name), taken


def _taken(written: Written) -> Takes | None:
    """How a code follows from an argument of the function it is written in, where it does."""
    if written.function is None:
        return None
    parts = written.at.values if isinstance(written.at, ast.JoinedStr) else [ast.FormattedValue(written.at, -1)]
    names = [ast.unparse(part.value) for part in parts if isinstance(part, ast.FormattedValue)]
    arguments = [each.arg for each in (*written.function.args.posonlyargs, *written.function.args.args)]
    if len(names) != 1 or names[0] not in arguments:
        return None
    form = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
    return Takes(arguments.index(names[0]), names[0], written.form.replace("{}", form))


def _written(path: str, tree: ast.Module, takers: Mapping[str, Takes]) -> Iterator[Written]:
    for call, function, bases in _calls(tree):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        names = bases if name == "__init__" else [f"{path} {name}", name]
        taker = next((takers[each] for each in names if each in takers), None)
        if taker:
            by_name = {keyword.arg: keyword.value for keyword in call.keywords}
            at = by_name.get(taker.name) or next(iter(call.args[taker.position :]), None)
            if at:
                yield Written(at, taker.form, function)


def _calls(
    node: ast.AST, function: Function | None = None, bases: list[str] | None = None
) -> Iterator[tuple[ast.Call, Function | None, list[str]]]:
    """Every call, with the innermost function around it and the bases of the class around that."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Call):
            yield inner, function, bases or []
        around = inner if isinstance(inner, Function) else function
        yield from _calls(inner, around, _bases(inner) if isinstance(inner, ast.ClassDef) else bases)
