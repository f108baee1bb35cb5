"""The keys of a policy: each test of a rule is one of them, and what is written is read under its own name."""

from __future__ import annotations

import msgspec
import pytest

from secproxy.policy.as_read import TESTS, RuleAsRead, WindowAsRead


def test_every_test_is_a_key_of_a_rule_and_none_is_there_by_itself() -> None:
    """A rule that says nothing has no test."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(RuleAsRead)}
    assert [fields[name].default for name in TESTS] == [None] * len(TESTS)
    assert {"name", "clause", "from", "actions"} == {name for name, field in fields.items() if field.required}


def test_words_of_python_are_no_keys() -> None:
    """``from`` and ``until`` are what people write."""
    window = msgspec.convert({"from": "22:00", "until": "06:00", "zone": "UTC"}, WindowAsRead)
    assert (window.begin, window.end) == ("22:00", "06:00")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"begin": "22:00", "end": "06:00", "zone": "UTC"}, WindowAsRead)
