"""One table of bollard.toml: values of their kind, or an error that names the key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.errors import InputError
from secproxy.tables import Table, refuse_keys, tables_of, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = Table({"text": "x", "number": 3, "yes": True, "words": ["a", "b"], "odd": [["a"]]}, "sink")


def test_values_are_read_by_their_kind() -> None:
    """With their defaults where they may be left out."""
    assert (TABLE.text("text"), TABLE.text("none", "y")) == ("x", "y")
    assert (TABLE.number("number", None, 9), TABLE.number("none", 4, 9)) == (3, 4)
    assert TABLE.word("text", None, ("x", "z")) == "x"
    assert (TABLE.words("words", "abc"), TABLE.words("none", "abc")) == (frozenset("ab"), frozenset())


@pytest.mark.parametrize(
    ("read", "key"),
    [
        pytest.param(lambda: TABLE.text("number"), "sink.number", id="a number where a text is due"),
        pytest.param(lambda: TABLE.text("none"), "sink.none", id="nothing"),
        pytest.param(lambda: TABLE.number("yes", None, 9), "sink.yes", id="true is no number"),
        pytest.param(lambda: TABLE.number("number", None, 2), "sink.number", id="too great"),
        pytest.param(lambda: TABLE.number("number", None, 9, least=4), "sink.number", id="too small"),
        pytest.param(lambda: TABLE.word("text", None, ("a",)), "sink.text", id="a word that is none of them"),
        pytest.param(lambda: TABLE.words("text", "x"), "sink.text", id="a text where a list is due"),
        pytest.param(lambda: TABLE.words("words", "a"), "sink.words", id="one word of a list"),
        pytest.param(lambda: TABLE.words("odd", "a"), "sink.odd", id="a list within a list"),
        pytest.param(lambda: refuse_keys("sink", ["text", "txt"], frozenset({"text"})), "sink.txt", id="a key"),
        pytest.param(lambda: tables_of("sink", {}, many=True), "sink", id="one table where many are due"),
        pytest.param(lambda: tables_of("sink", [{}], many=False), "sink", id="many where one is due"),
        pytest.param(lambda: tables_of("sink", [1], many=True), "sink", id="no tables at all"),
    ],
)
def test_everything_else_is_refused_by_the_keys_name(read: Callable[[], object], key: str) -> None:
    """So that a person finds the line."""
    with pytest.raises(InputError) as refused:
        read()
    assert refused.value.cause.startswith(f"{key}: ")


def test_an_option_of_the_command_line_is_not_looked_for_in_the_file() -> None:
    """The advice names the place where it was given."""
    assert wrong("--web", "it is odd").advice == "Correct --web."
    assert wrong("web.address", "it is odd").advice == "Correct web.address in bollard.toml."
