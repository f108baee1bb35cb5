"""TOML that people hand over: read, or refused in one way."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from pki.ceremony.file import parse_ceremony
from pki.errors import InputError
from pki.firmware.policy import parse_policy as parse_firmware_policy
from pki.profile import parse_profile
from pki.settings import parse_settings
from pki.toml_text import PARTS_MOST, read_toml
from secproxy.config import parse_config
from secproxy.event_settings import parse_event_settings
from secproxy.policy.reading import parse_policy

if TYPE_CHECKING:
    from collections.abc import Callable

ODD = {
    "lists within lists": "x = " + "[" * 20_000,
    "tables within tables": "x = " + "{a=" * 20_000,
    "a number without end": "x = " + "1" * 5_000,
    "a name without end": ".".join(["a"] * 30_000) + " = 1",
    "a table's name without end": "[" + ".".join(["a"] * 30_000) + "]",
    "a name without end inside": "x = {" + " . ".join(["a"] * 30_000) + " = 1}",
    "no TOML": "x = ",
}

odd = pytest.mark.parametrize("text", ODD.values(), ids=ODD)


def test_what_people_write_is_read() -> None:
    """Dots in texts, in numbers and in names of a few parts; a line of dots in a remark."""
    text = f'# {"." * 200}\na.b.c = 1.5\nhosts = ["a.example.org", "b.example.org"] # {", ".join(["x.y"] * 100)}\n'

    assert read_toml(text) == {"a": {"b": {"c": 1.5}}, "hosts": ["a.example.org", "b.example.org"]}
    assert read_toml(".".join("a" * PARTS_MOST) + " = 1")


@odd
def test_what_cannot_be_read_is_one_kind_of_error(text: str) -> None:
    """And none of it takes long."""
    with pytest.raises(tomllib.TOMLDecodeError):
        read_toml(text)


def test_the_line_of_a_name_without_end_is_told() -> None:
    """As of every other mistake that has one."""
    with pytest.raises(tomllib.TOMLDecodeError, match="at line 3"):
        read_toml(f"a = 1\n\n[{'.'.join(['a'] * 100)}]\n")


READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "settings": (parse_settings, "config"),
    "certificate profile": (lambda text: parse_profile("own", text), "profile"),
    "firmware policy": (lambda text: parse_firmware_policy("own", text), "firmware"),
    "ceremony": (lambda text: parse_ceremony(text.encode()), "ceremony"),
    "proxy": (parse_config, "config"),
    "events": (parse_event_settings, "config"),
    "policy": (lambda text: parse_policy("own", text, ZoneInfo), "policy"),
}


@odd
@pytest.mark.parametrize(("read", "room"), READERS.values(), ids=READERS)
def test_every_file_of_ours_that_cannot_be_read_is_refused_by_its_own_code(
    read: Callable[[str], object], room: str, text: str
) -> None:
    """No fault of the program's is told of."""
    with pytest.raises(InputError) as refused:
        read(text)
    assert refused.value.code.partition(".")[0] == room


def test_nobody_reads_toml_in_another_way() -> None:
    """One place knows what the library makes of what cannot be read."""
    root = Path(__file__).resolve().parents[2]
    files = [path for room in ("pki", "secproxy", "cli", "bollard") for path in (root / room).rglob("*.py")]

    assert {path.name for path in files if "tomllib.load" in path.read_text()} == {"toml_text.py"}
