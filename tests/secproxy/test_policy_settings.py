"""Which policy a station is under, as ``bollard.toml`` says it."""

from __future__ import annotations

import pytest

from pki.errors import InputError
from pki.tables import read_tables
from secproxy.policy_settings import PolicySettings, read_policy_settings

GOOD = """
[policy]
preset = "observe"
[[policy_override]]
group = "depot"
preset = "strict"
[[policy_override]]
station = "CP-001"
preset = "own-rules"
"""


def read(text: str) -> PolicySettings:
    """The settings in this text."""
    file = read_tables(text)
    settings = read_policy_settings(file)
    file.settle()
    return settings


def test_a_station_s_own_comes_before_its_group_s_and_that_before_everybody_s() -> None:
    """Who is in no group is under everybody's, and without a word that is baseline."""
    settings = read(GOOD)
    assert settings.of("CP-001", "depot") == "own-rules"
    assert settings.of("CP-002", "depot") == "strict"
    assert settings.of("CP-002", "") == "observe"
    assert settings.names == {"observe", "strict", "own-rules"}
    assert read("").of("CP-001", "depot") == "baseline"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('preset = "observe"', "preset = 1", "policy.preset"),
        ('preset = "observe"', 'preset = "../x"', "policy.preset"),
        ('preset = "strict"', "", "policy_override.preset"),
        ('group = "depot"', 'groups = "depot"', "policy_override.groups"),
        ('group = "depot"', "", "policy_override"),
        ('group = "depot"', 'group = ""', "policy_override.group"),
        ('group = "depot"', 'group = "depot"\nstation = "CP-002"', "policy_override"),
        ('group = "depot"', 'station = "CP-001"', "policy_override.station"),
        ("[policy]", "[[policy]]", "policy"),
    ],
)
def test_a_slip_is_refused_and_its_key_named(old: str, new: str, key: str) -> None:
    """A station that was to be under a strict policy is never under another in silence."""
    with pytest.raises(InputError) as refused:
        read(GOOD.replace(old, new, 1))
    assert f": {key}: " in refused.value.cause
    assert len(refused.value.findings) == 1


def test_overrides_are_bounded() -> None:
    """Groups are for many stations."""
    many = "".join(f'[[policy_override]]\nstation = "CP-{n}"\npreset = "strict"\n' for n in range(1_025))
    with pytest.raises(InputError, match="policy_override"):
        read(many)
