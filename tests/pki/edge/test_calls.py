"""Every question names its answer, and secrets that travel do not show themselves."""

from __future__ import annotations

import pytest

from pki.edge import calls


@pytest.mark.parametrize("kind", [kind for kind in calls.Call.__subclasses__() if kind is not calls.Watch])
def test_every_question_names_the_type_of_its_answer(kind: type[calls.Call]) -> None:
    """The client decodes by it."""
    assert issubclass(kind.Answer, calls.Row)


def test_credentials_do_not_print_their_keys() -> None:
    """A log line with them in it tells nothing."""
    shown = repr(calls.Credentials("chain", "the key", "chain", "the other key"))
    assert "key" not in shown
