"""Reads ``bollard.toml`` table by table and key by key, and gathers every mistake with its line.

Rules this file keeps:

* Where a value is missing or wrong a stand-in is returned and the mistake noted; whoever reads the whole file settles
  at the end, so that no stand-in is ever used.
* A mistake is told once, where it is: nothing is said of what rests on another mistake.
* Every complaint names the key and what it should hold, and none repeats a secret.
"""

from __future__ import annotations

import ipaddress
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from pki.errors import InputError
from pki.findings import error
from pki.toml_lines import line_of, locate
from pki.toml_text import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from pki.findings import Finding
    from pki.toml_lines import Place

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

T = TypeVar("T")

MISTAKES_MOST: Final = 20  # mistakes that are told of one file; more than a screen of them nobody reads
SAYS_LENGTH: Final = 300  # characters of one mistake
PATH_LENGTH: Final = 4_096  # characters; PATH_MAX of Linux

_CODE: Final = "config.value"
_WRITE: Final = "; write "


def read_tables(text: str) -> Tables:
    """Begin to read ``bollard.toml``. Raises ``InputError("config.syntax")`` for a text that is no TOML."""
    try:
        return Tables(read_toml(text), text)
    except tomllib.TOMLDecodeError as broken:
        says = f"bollard.toml is not TOML: {str(broken)[:160]}"
        raise InputError("config.syntax", says, "Correct the line it names.") from None


@dataclass(frozen=True, slots=True)
class Tables:
    """The file while it is read: its tables, the text they came from, and what was found wrong so far, by place.

    ``doubted`` are the places of what was meant by something that was misspelt.
    """

    raw: Mapping[str, object]
    text: str = ""
    mistakes: dict[Place, InputError] = field(default_factory=dict)
    doubted: set[Place] = field(default_factory=set)

    def one(self, name: str) -> Table:
        """Take the table of this name; an empty one where there is none."""
        value = self.raw.get(name, {})
        if isinstance(value, dict):
            return Table(value, (name,), self)
        self.wrong(name, f"write [{name}]")
        return Table({}, (name,), self)

    def many(self, name: str) -> list[Table]:
        """Take every table of this name."""
        found = self.raw.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.wrong(name, f"write [[{name}]]")
            return []
        return [Table(each, (name, number), self) for number, each in enumerate(found)]

    def only(self, known: AbstractSet[str]) -> None:
        """Note every table that means nothing."""
        for name in self.raw:
            if name not in known:
                self.wrong(name, f"it is no table of bollard.toml{self.guess((), name, known) or '; take it out'}")

    def wrong(self, name: str, says: str) -> None:
        """Note that what stands under a name cannot be used as a whole."""
        self.note((name,), wrong(name, says))

    def note(self, place: Place, problem: InputError, *rests_on: Place) -> None:
        """Note a mistake, unless something that it rests on is one already."""
        if not any(map(self.is_wrong, (place, *rests_on))):
            self.mistakes[place] = problem

    def is_wrong(self, place: Place) -> bool:
        """Whether a mistake was noted there, or of anything around it."""
        around = [place[:depth] for depth in range(1, len(place) + 1)]
        return any(each in self.mistakes or each in self.doubted for each in around)

    def guess(self, around: Place, name: str, known: AbstractSet[str]) -> str:
        """Say which name was meant, if any is near; nothing more is said of that one."""
        guess = meant(name, known) if len(self.mistakes) < MISTAKES_MOST else ""
        self.doubted.update({(*around, guess.removeprefix(_WRITE))} if guess else ())
        return guess

    def settle(self) -> None:
        """Raise what was noted as one ``InputError``: each mistake is a finding, in the order of the lines.

        Code and, of a single one, advice are those of the first.
        """
        if not self.mistakes:
            return
        lines = locate(self.text)
        told = sorted(((line_of(place, lines), place) for place in self.mistakes), key=lambda each: each[0])
        first, count = self.mistakes[told[0][1]], len(told)
        found = tuple(_finding(line, place, self.mistakes[place]) for line, place in told[:MISTAKES_MOST])
        head = "a mistake in bollard.toml" if count == 1 else f"{count} mistakes in bollard.toml"
        head += f", of which these are the first {MISTAKES_MOST}" if count > MISTAKES_MOST else ""
        advice = first.advice if count == 1 else "Correct each of these lines in bollard.toml."
        raise InputError(first.code, f"{head}: {'; '.join(each.says for each in found)}", advice, findings=found)


def _finding(line: int, place: Place, problem: InputError) -> Finding:
    names = [each for each in place if isinstance(each, str)]
    key = ".".join(names)
    says = problem.cause.removeprefix(f"{key}: ").removeprefix(f"{names[-1]}: ")
    fix = "" if problem.code == _CODE else f". {problem.advice.removesuffix('.')}"
    return error(problem.code, "", f"line {line}: {key[:60]}: {says}{fix}"[:SAYS_LENGTH])


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what is in it, where it stands, and the file that its mistakes are noted in."""

    raw: Mapping[str, object]
    place: Place
    file: Tables

    @property
    def name(self) -> str:
        """What people call it."""
        return ".".join(each for each in self.place if isinstance(each, str))

    def only(self, known: AbstractSet[str], kind: str = "") -> None:
        """Note every key that means nothing here, so that a slip of the pen never switches something off in silence.

        ``kind`` says which of the tables of this name has these keys alone.
        """
        for key in self.raw:
            if key not in known:
                guess = self.file.guess(self.place, key, known)
                has = guess or f"; it has {', '.join(sorted(known))}"
                self.wrong(key, f"[{self.name}]{kind} has no such key{has}")

    def wrong(self, key: str, says: str, *rests_on: str) -> None:
        """Note that a value cannot be used; not where one of the keys that the complaint rests on is wrong itself."""
        self.note(key, wrong(f"{self.name}.{key}", says), *rests_on)

    def note(self, key: str, problem: InputError, *rests_on: str) -> None:
        """Note a mistake as its parser told it."""
        self.file.note((*self.place, key), problem, *((*self.place, each) for each in rests_on))

    def sound(self, *keys: str) -> bool:
        """Whether nothing is wrong with these keys so far."""
        return not any(self.file.is_wrong((*self.place, key)) for key in keys)

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text; without a default the key must be there."""
        value = self.raw.get(key, default)
        if isinstance(value, str):
            return value
        self.wrong(key, _not(value, "a text in quotes"))
        return default or ""

    def number(self, key: str, default: int | None, limit: int, least: int = 0) -> int:
        """Read a whole number from ``least`` to ``limit``; without a default the key must be there."""
        value = self.raw.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= limit:
            return value
        self.wrong(key, _not(value, f"a whole number from {least} to {limit}"))
        return least if default is None else default

    def share(self, key: str, default: float) -> float:
        """Read a number from 0 to 1."""
        value = self.raw.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        self.wrong(key, "it is not a number from 0 to 1")
        return default

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self.raw.get(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(key, "it is neither true nor false")
        return default

    def word(self, key: str, default: str | None, allowed: Iterable[str]) -> str:
        """Read one of some words."""
        value, words = self.text(key, default), list(allowed)
        if value in words:
            return value
        self.wrong(key, f"{value[:40]!r} is none of {', '.join(words)}")
        return words[0] if default is None else default

    def path(self, key: str, *, needed: bool = False) -> str:
        """Read the absolute path of a file; empty where none is named. A relative one would lead each process, and
        whoever runs a command, somewhere else."""
        path = self.text(key, None if needed else "")
        if path and (not path.startswith("/") or not path.isprintable() or len(path) > PATH_LENGTH):
            self.wrong(key, f"{path[:60]!r} is no absolute path")
        return path

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; none where there is no such key."""
        value = self.raw.get(key, [])
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.wrong(key, "it is no list of texts in quotes")
        return ()

    def words(self, key: str, allowed: Iterable[str]) -> frozenset[str]:
        """Read a list of words, each one of those allowed; none where there is no such key."""
        found, known = self.texts(key), sorted(allowed)
        for each in found:
            if each not in known:
                self.wrong(key, f"{each[:60]!r} is not known{meant(each, known)}")
        return frozenset(found)

    def numbers(self, key: str, limit: int) -> tuple[int, ...]:
        """Read a list of whole numbers from 1 to ``limit``."""
        value = self.raw.get(key, [])
        if isinstance(value, list) and all(type(each) is int and 1 <= each <= limit for each in value):
            return tuple(value)
        self.wrong(key, f"it is no list of whole numbers from 1 to {limit}")
        return ()

    def networks(self, key: str) -> tuple[Network, ...]:
        """Read a list of networks as ``10.0.0.0/8``; an address alone is a network of one."""
        try:
            return tuple(ipaddress.ip_network(each) for each in self.texts(key))
        except ValueError as broken:
            self.wrong(key, f"it is no list of networks: {str(broken)[:80]}")
            return ()

    def parsed(self, key: str, parse: Callable[[str], T], sample: str, default: str | None = None) -> T:
        """Read a text into a type of ours; ``sample`` is one that can be parsed, for where this one cannot."""
        text = self.text(key, default)
        if self.sound(key):
            try:
                return parse(text)
            except InputError as problem:
                self.note(key, problem)
        return parse(sample)

    def listed(self, key: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Read a list of texts into a type of ours; what cannot be parsed is left out."""
        found = []
        for text in self.texts(key):
            try:
                found.append(parse(text))
            except InputError as problem:
                self.note(key, problem)
        return tuple(found)


def _not(value: object, due: str) -> str:
    return f"it is missing; write {due}" if value is None else f"it is not {due}"


def meant(word: str, known: Iterable[str]) -> str:
    """Say which of those that are known was meant; empty where none is near."""
    near = get_close_matches(word[:60], sorted(known), n=1)
    return f"{_WRITE}{near[0]}" if near else ""


def split(url: str, key: str) -> tuple[SplitResult, int | None]:
    """Take a URL apart, with its port if it names one. Raises ``InputError`` naming the key."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong(key, "it is no URL") from None
    return parts, port


def shown(parts: SplitResult) -> str:
    """A URL for an error: without user and password, which may be secret."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()[:80]


def wrong(key: str, says: str) -> InputError:
    """Say what is wrong with a key of the file, or with an option when it begins with two hyphens."""
    where = "" if key.startswith("--") else " in bollard.toml"
    return InputError("config.value", f"{key}: {says}", f"Correct {key}{where}.")
