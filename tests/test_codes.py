"""Whatever code a person is shown, ``bollard explain`` knows it; the sources themselves are the list of codes."""

from __future__ import annotations

from collections import Counter

import pytest

from cli.explain import meaning_of
from secproxy.events import CAUSES
from tests.codes import TABLES, Found, everything, read, sources, unused


def test_every_code_that_is_raised_is_explained() -> None:
    """No error and no finding carries a code that cannot be looked up."""
    raised = everything().codes
    explained = {code for table in TABLES.values() for code in table}

    assert sorted(raised.keys() - explained) == []
    assert len(raised) > 200
    assert all(meaning_of(code)["says"] for code in raised)


def test_every_code_can_be_read_from_the_sources() -> None:
    """Where a code is computed in a way that is not understood here, the check above would be blind."""
    assert everything().unread == set()


def test_no_code_is_explained_twice() -> None:
    """One table is a code's home."""
    homes = Counter(code for table in TABLES.values() for code in table)

    assert [code for code, tables in homes.items() if tables > 1] == []


def test_a_code_that_is_a_cause_as_well_is_explained_as_both() -> None:
    """``station.unknown`` is an event at the door, and an error on the command line."""
    both = [code for table in TABLES.values() for code in table if code in CAUSES]
    assert both

    for code in both:
        assert meaning_of(code)["says"] == CAUSES[code].says
        assert meaning_of(code)["as_error"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("raise InputError('new.code', 'cause')", id="an error"),
        pytest.param("raise errors.InputError('new.code', 'cause')", id="an error by its module"),
        pytest.param("raise InputError(cause='cause', code='new.code')", id="a code by its name"),
        pytest.param("class Own(InputError):\n    pass\nOwn('new.code', 'cause')", id="an error below ours"),
        pytest.param(
            "class Own(InputError):\n    def __init__(self):\n        super().__init__('new.code', 'cause')",
            id="an error that knows its code",
        ),
        pytest.param("yield error('new.code', '', 'says')", id="a finding"),
        pytest.param("found.append(findings.warning('new.code', '', 'says'))", id="a finding by its module"),
        pytest.param("info('new.code', '', 'says')", id="a finding that asks for nothing"),
        pytest.param("Finding('new.code', severity, '', 'says')", id="a finding made by hand"),
        pytest.param("refuse_errors(found, 'new.code', 'it', 'advice')", id="many findings"),
        pytest.param(
            "def f(a, code):\n    g(code)\ndef g(b):\n    InputError(b, '')\nf(1, 'new.code')", id="handed on"
        ),
        pytest.param("def _f(act):\n    raise InputError(f'new.{act}', '')\n_f('code')", id="completed by a function"),
    ],
)
def test_the_check_sees_a_code_that_has_no_explanation(source: str) -> None:
    """Each way to raise one is read, so the first test of this file can fail."""
    assert "new.code" in _beside_ours(source).codes


def test_a_private_function_is_known_in_its_own_file_alone() -> None:
    """Two files may each have a ``_wrong`` that means something else by its argument."""
    found = _beside_ours("def _wrong(code):\n    raise InputError(code, '')", "_wrong('words of a cause')")

    assert "words of a cause" not in found.codes


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("raise InputError(CODE, 'cause')", id="a name"),
        pytest.param("def f(noun):\n    raise InputError(noun.split()[0] + '.unknown', 'cause')", id="computed"),
        pytest.param("error('one.code' if bad else 'two.code', '', 'says')", id="one of two"),
    ],
)
def test_the_check_tells_of_a_code_it_cannot_read(source: str) -> None:
    """Rather than passing over it."""
    assert len(_beside_ours(source).unread) == 1


def test_the_check_sees_an_explanation_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that nobody raises is named, and one that only another room raises."""
    monkeypatch.setitem(TABLES, "cli", {"no.such": "Nobody says this.", "sig.bad": "Another room says this."})

    assert unused("cli", everything()) == ["no.such", "sig.bad"]


def _beside_ours(*texts: str) -> Found:
    """What is found in these files, beside the two by which every error and finding is made."""
    ours = {path: text for path, text in sources().items() if path in {"pki/errors.py", "pki/findings.py"}}
    return read({**ours, **{f"new{number}.py": text for number, text in enumerate(texts)}})
