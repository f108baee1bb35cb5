"""What is said of messages in ``bollard.toml``, and what must fit because of it."""

from __future__ import annotations

import pytest

from pki.errors import InputError
from pki.tables import Tables
from secproxy.message_settings import SENSITIVE, Ambiguous, MessageSettings, Mode, read_message_settings
from secproxy.plan import OTHER, SIGNED_SUFFIX, Need, Side, small


def read(table: dict[str, object]) -> MessageSettings:
    """The settings of a file with this table."""
    file = Tables({"messages": table})
    settings = read_message_settings(file.one("messages"))
    file.settle()
    return settings


SENSITIVE_CALLS = [(side, action) for side in Side for action in SENSITIVE[side]]


def test_without_a_word_both_sides_are_observed() -> None:
    """The default refuses nothing that stations in the field are known to get wrong."""
    settings = read({})
    assert settings == MessageSettings(Mode.OBSERVE, Mode.OBSERVE)
    assert settings.observed == set(Side)


@pytest.mark.parametrize(("side", "action"), SENSITIVE_CALLS)
def test_what_touches_security_must_fit_and_so_must_its_answer(side: Side, action: str) -> None:
    """Certificates, firmware, secrets: by default already, in both directions, and inside a signed message too."""
    demands = MessageSettings().demands()
    assert demands.calls[side].of(small(action)) is Need.SCHEMA
    assert demands.answers[OTHER[side]].of(small(action)) is Need.SCHEMA
    assert demands.calls[side].of(small(action + SIGNED_SUFFIX)) is Need.SCHEMA
    assert demands.calls[side].of(b"metervalues") is Need.PASS


@pytest.mark.parametrize("side", Side)
def test_each_side_has_its_own_mode(side: Side) -> None:
    """Enforcing is about all that a side says, ``off`` about nothing of it; the other side is none of its business."""
    modes: dict[str, object] = {f"schema_{side.value}": Mode.ENFORCE, f"schema_{OTHER[side].value}": Mode.OFF}
    settings = read(modes)
    demands = settings.demands()
    assert settings.observed == {side}
    assert demands.calls[side].of(b"heartbeat") is demands.answers[side].of(b"heartbeat") is Need.SCHEMA
    for quiet in (demands.calls[OTHER[side]], demands.answers[OTHER[side]]):
        assert all(quiet.of(small(action)) is Need.PASS for _, action in SENSITIVE_CALLS)


def test_another_word_is_refused_by_name() -> None:
    """A slip of the pen switches nothing off."""
    with pytest.raises(InputError, match=r"messages\.schema_csms"):
        read({"schema_csms": "of"})
    with pytest.raises(InputError, match=r"messages\.ambiguous"):
        read({"ambiguous": "last"})


def test_what_is_ambiguous_is_refused_unless_it_is_asked_for_in_one_form() -> None:
    """The default passes on nothing that could be read otherwise."""
    assert read({}).ambiguous is Ambiguous.REFUSE
    assert read({"ambiguous": "canonical"}).ambiguous is Ambiguous.CANONICAL


def test_what_must_fit_is_made_once_for_all_sessions() -> None:
    """Ten thousand sessions would hold forty megabytes of the same."""
    assert MessageSettings().demands() is MessageSettings().demands()
    assert MessageSettings().demands() != MessageSettings(Mode.ENFORCE).demands()
