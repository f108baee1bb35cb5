"""The tree of errors: each speaks twice and carries its findings."""

from __future__ import annotations

import pytest

from pki import errors
from pki.errors import BollardError
from pki.findings import error

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BollardError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_speaks_to_the_journal_and_to_a_person(kind: type[BollardError]) -> None:
    """One line with the code, and the next step apart from it."""
    found = error("x.y", "A00.FR.001", "it is")
    raised = kind("a.b", "something is", "Do this.", findings=(found,))

    assert str(raised) == "a.b: something is"
    assert (raised.code, raised.advice, raised.findings) == ("a.b", "Do this.", (found,))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_in_the_tree_s_picture(kind: type[BollardError]) -> None:
    """The module's docstring lists what there is."""
    assert f"``{kind.__name__}``" in (errors.__doc__ or "")


def test_advice_and_findings_may_be_left_out() -> None:
    """A bare error is still whole."""
    assert (BollardError("a.b", "it is").advice, BollardError("a.b", "it is").findings) == ("", ())
