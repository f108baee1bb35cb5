"""The tables of the settings: each kind of value is read strictly, and every mistake is told with line and key."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from pki.errors import InputError
from pki.names import Host
from pki.tables import MISTAKES_MOST, Table, Tables, read_tables, shown, split, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

RAW: dict[str, object] = {
    "t": {
        "text": "a",
        "number": 3,
        "flag": True,
        "texts": ["a", "b"],
        "numbers": [1, 2],
        "nets": ["::1"],
        "share": 0.5,
        "odd": [["a"]],
        "ip": "10.0.0.1",
        "ips": ["a", "10.0.0.1"],
    }
}


def table(raw: dict[str, object] = RAW) -> Table:
    """The table ``t`` of a file."""
    return Tables(raw).one("t")


TABLE = table()


def test_each_kind_of_value_is_read() -> None:
    """As it stands in the file."""
    assert (TABLE.text("text"), TABLE.number("number", None, 3), TABLE.flag("flag", default=False)) == ("a", 3, True)
    assert (TABLE.texts("texts"), TABLE.numbers("numbers", 2)) == (("a", "b"), (1, 2))
    assert (TABLE.word("text", None, ("a", "z")), TABLE.words("texts", "abc")) == ("a", frozenset("ab"))
    assert (TABLE.share("share", 0), table({"t": {"x": 1}}).share("x", 0)) == (0.5, 1.0)
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
        pytest.param(lambda it: it.text("x"), "t.x", id="missing"),
        pytest.param(lambda it: it.text("number"), "t.number", id="no text"),
        pytest.param(lambda it: it.number("flag", None, 9), "t.flag", id="true is no number"),
        pytest.param(lambda it: it.number("number", None, 2), "t.number", id="too much"),
        pytest.param(lambda it: it.number("number", None, 9, least=4), "t.number", id="too little"),
        pytest.param(lambda it: it.share("number", 0), "t.number", id="more than all"),
        pytest.param(lambda it: it.share("flag", 0), "t.flag", id="true is no share"),
        pytest.param(lambda it: it.flag("number", default=True), "t.number", id="no flag"),
        pytest.param(lambda it: it.word("text", None, ("b",)), "t.text", id="a word that is none of them"),
        pytest.param(lambda it: it.texts("text"), "t.text", id="a text is no list"),
        pytest.param(lambda it: it.texts("numbers"), "t.numbers", id="numbers are no texts"),
        pytest.param(lambda it: it.words("text", "a"), "t.text", id="a text where words are due"),
        pytest.param(lambda it: it.words("texts", "a"), "t.texts", id="one word of a list"),
        pytest.param(lambda it: it.words("odd", "a"), "t.odd", id="a list within a list"),
        pytest.param(lambda it: it.numbers("numbers", 1), "t.numbers", id="a number too large"),
        pytest.param(lambda it: it.numbers("texts", 9), "t.texts", id="texts are no numbers"),
        pytest.param(lambda it: it.networks("texts"), "t.texts", id="no networks"),
        pytest.param(lambda it: it.only(frozenset(it.raw) - {"odd"}), "t.odd", id="a key"),
        pytest.param(lambda it: it.file.many("t"), "t", id="one table where many are due"),
        pytest.param(lambda it: it.file.only(frozenset({"u"})), "t", id="a table that means nothing"),
        pytest.param(lambda it: it.parsed("odd", Host.parse, "a"), "t.odd", id="a list where a name is due"),
        pytest.param(lambda it: it.parsed("ip", Host.parse, "a"), "t.ip", id="a text that cannot be parsed"),
        pytest.param(lambda it: it.listed("ips", Host.parse), "t.ips", id="one text of a list that cannot be"),
    ],
)
def test_another_kind_is_refused_and_the_key_named(read: Callable[[Table], object], key: str) -> None:
    """Whoever wrote the file finds the place."""
    it = table()
    read(it)
    with pytest.raises(InputError) as refused:
        it.file.settle()
    [mistake] = refused.value.findings
    assert mistake.says.startswith(f"line 1: {key}: ")


@pytest.mark.parametrize("raw", [{"t": [{}]}, {"t": 1}])
def test_many_tables_for_one_are_a_mistake_and_nothing_is_said_of_what_is_in_them(
    raw: dict[str, object],
) -> None:
    """One slip is told once."""
    it = table(raw)
    it.text("missing")
    with pytest.raises(InputError, match=r": line 1: t: write \[t\]$"):
        it.file.settle()


WRONG = """\
[t]
number = "3"
[[many]]
flag = 1
[[many]]
txt = "a"
share = 2
"""


def test_every_mistake_is_told_at_once_with_its_line() -> None:
    """In the order of the file; what is missing stands where its table begins, what was misspelt is not missing too."""
    file = read_tables(WRONG)
    file.one("u").text("name")
    for each in file.many("many"):
        each.only(frozenset({"flag", "text", "share"}))
        each.text("text")
        each.flag("flag", default=False)
        each.share("share", 0)
    file.one("t").number("number", None, 9)
    with pytest.raises(InputError) as refused:
        file.settle()
    assert [mistake.says for mistake in refused.value.findings] == [
        "line 1: u.name: it is missing; write a text in quotes",
        "line 2: t.number: it is not a whole number from 0 to 9",
        "line 3: many.text: it is missing; write a text in quotes",
        "line 4: many.flag: it is neither true nor false",
        "line 6: many.txt: [many] has no such key; write text",
        "line 7: many.share: it is not a number from 0 to 1",
    ]
    assert refused.value.cause.startswith("6 mistakes in bollard.toml: line 1: ")


def test_nothing_is_said_of_what_rests_on_a_mistake() -> None:
    """Whether a value fits to another cannot be told where that one is wrong."""
    it = table()
    it.flag("number", default=False)
    it.wrong("text", "it does not fit", "number")
    it.wrong("flag", "it does not fit", "texts")
    assert list(it.file.mistakes) == [("t", "number"), ("t", "flag")]
    assert (it.sound("text"), it.sound("flag"), it.sound("text", "number")) == (True, False, False)


def test_no_more_mistakes_are_told_than_somebody_reads() -> None:
    """They are counted all the same."""
    file = read_tables("[t]\n" + "".join(f"key{number} = 1\n" for number in range(100)))
    file.one("t").only(frozenset({"text"}))
    with pytest.raises(InputError, match=r"^config\.value: 100 mistakes") as refused:
        file.settle()
    assert len(refused.value.findings) == MISTAKES_MOST


def test_the_advice_of_a_parser_is_told_beside_its_words() -> None:
    """Other codes than that of a plain value bring advice of their own."""
    it = table()
    it.parsed("ip", Host.parse, "a")
    with pytest.raises(InputError) as refused:
        it.file.settle()
    assert refused.value.code == "name.host"
    assert refused.value.advice.removesuffix(".") in refused.value.findings[0].says


def test_a_complaint_sends_nobody_to_the_wrong_place_and_repeats_no_password() -> None:
    """What was typed is corrected where it was typed; what may be secret stays out of the words."""
    assert wrong("--web", "it is odd").advice == "Correct --web."
    assert wrong("web.address", "it is odd").advice == "Correct web.address in bollard.toml."
    parts, port = split("ws://me:hunter2@h:8/p?q=hunter2#hunter2", "t.x")
    assert (shown(parts), port) == ("ws://h:8/p", 8)
    with pytest.raises(InputError, match=r"t\.x"):
        split("ws://h:port", "t.x")
