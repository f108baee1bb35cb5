"""One table of the settings: each kind of value is read strictly, and the key is named when it is another."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from pki.errors import InputError
from secproxy.tables import Table, refuse_keys, shown, split, tables_of, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = Table(
    {
        "text": "a",
        "number": 3,
        "flag": True,
        "texts": ["a", "b"],
        "numbers": [1, 2],
        "nets": ["::1"],
        "share": 0.5,
        "odd": [["a"]],
    },
    "t",
)


def test_each_kind_of_value_is_read() -> None:
    """As it stands in the file."""
    assert (TABLE.text("text"), TABLE.number("number", None, 3), TABLE.flag("flag", default=False)) == ("a", 3, True)
    assert (TABLE.texts("texts"), TABLE.numbers("numbers", 2)) == (("a", "b"), (1, 2))
    assert (TABLE.word("text", None, ("a", "z")), TABLE.words("texts", "abc")) == ("a", frozenset("ab"))
    assert (TABLE.share("share", 0), Table({"x": 1}, "t").share("x", 0)) == (0.5, 1.0)
    assert TABLE.networks("nets") == (ip_network("::1/128"),)


def test_what_is_not_there_has_its_default() -> None:
    """Lists are empty, the others are what the reader says."""
    assert (TABLE.text("x", "y"), TABLE.number("x", 7, 9), TABLE.flag("x", default=True)) == ("y", 7, True)
    assert TABLE.word("x", "y", ("y", "z")) == "y"
    assert TABLE.share("x", 0.1) == 0.1
    assert (TABLE.texts("x"), TABLE.numbers("x", 1), TABLE.networks("x")) == ((), (), ())
    assert TABLE.words("x", "abc") == frozenset()


@pytest.mark.parametrize(
    ("read", "key"),
    [
        pytest.param(lambda: TABLE.text("x"), "t.x", id="missing"),
        pytest.param(lambda: TABLE.text("number"), "t.number", id="no text"),
        pytest.param(lambda: TABLE.number("flag", None, 9), "t.flag", id="true is no number"),
        pytest.param(lambda: TABLE.number("number", None, 2), "t.number", id="too much"),
        pytest.param(lambda: TABLE.number("number", None, 9, least=4), "t.number", id="too little"),
        pytest.param(lambda: TABLE.share("number", 0), "t.number", id="more than all"),
        pytest.param(lambda: TABLE.share("flag", 0), "t.flag", id="true is no share"),
        pytest.param(lambda: TABLE.flag("number", default=True), "t.number", id="no flag"),
        pytest.param(lambda: TABLE.word("text", None, ("b",)), "t.text", id="a word that is none of them"),
        pytest.param(lambda: TABLE.texts("text"), "t.text", id="a text is no list"),
        pytest.param(lambda: TABLE.texts("numbers"), "t.numbers", id="numbers are no texts"),
        pytest.param(lambda: TABLE.words("text", "a"), "t.text", id="a text where words are due"),
        pytest.param(lambda: TABLE.words("texts", "a"), "t.texts", id="one word of a list"),
        pytest.param(lambda: TABLE.words("odd", "a"), "t.odd", id="a list within a list"),
        pytest.param(lambda: TABLE.numbers("numbers", 1), "t.numbers", id="a number too large"),
        pytest.param(lambda: TABLE.numbers("texts", 9), "t.texts", id="texts are no numbers"),
        pytest.param(lambda: TABLE.networks("texts"), "t.texts", id="no networks"),
        pytest.param(lambda: refuse_keys("t", ["text", "txt"], frozenset({"text"})), "t.txt", id="a key"),
        pytest.param(lambda: tables_of("t", {}, many=True), "t", id="one table where many are due"),
        pytest.param(lambda: tables_of("t", [{}], many=False), "t", id="many where one is due"),
        pytest.param(lambda: tables_of("t", [1], many=True), "t", id="no tables at all"),
    ],
)
def test_another_kind_is_refused_and_the_key_named(read: Callable[[], object], key: str) -> None:
    """Whoever wrote the file finds the place."""
    with pytest.raises(InputError) as refused:
        read()
    assert refused.value.cause.startswith(f"{key}: ")


def test_a_complaint_sends_nobody_to_the_wrong_place_and_repeats_no_password() -> None:
    """What was typed is corrected where it was typed; what may be secret stays out of the words."""
    assert wrong("--web", "it is odd").advice == "Correct --web."
    assert wrong("web.address", "it is odd").advice == "Correct web.address in bollard.toml."
    parts, port = split("ws://me:hunter2@h:8/p?q=hunter2#hunter2", "t.x")
    assert (shown(parts), port) == ("ws://h:8/p", 8)
    with pytest.raises(InputError, match=r"t\.x"):
        split("ws://h:port", "t.x")
