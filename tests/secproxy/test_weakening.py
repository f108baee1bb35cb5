"""Which listeners weaken security is found once, for all who tell of it."""

from __future__ import annotations

import pytest

from secproxy.config import parse_config
from secproxy.weakening import LETS, Weakened, weakened
from tests.secproxy.test_config import GOOD

OLD = '[[listener]]\naddress = "0.0.0.0:8441"\nprofile = 2\nunsafe_legacy_tls = true\nstations = ["CP-1", "CP-2"]\n'


def test_settings_as_they_come_weaken_nothing() -> None:
    """Nothing is told of a home where nobody spelled it out."""
    assert weakened(parse_config(GOOD)) == []


def test_each_is_named_with_its_setting_and_those_it_is_for_first() -> None:
    """One listener may weaken security in two ways."""
    text = GOOD.replace("profile = 2", 'profile = 1\nunsafe_plain = true\nunknown = "unsafe_observe"').replace(
        "[web]", f"{OLD}[web]"
    )
    assert weakened(parse_config(text)) == [
        Weakened("0.0.0.0:8441", "unsafe_legacy_tls", ("CP-1", "CP-2")),
        Weakened("[::1]:8442", "unsafe_plain"),
        Weakened("[::1]:8442", "unsafe_observe"),
    ]


@pytest.mark.parametrize("setting", LETS)
def test_what_it_lets_happen_is_said_and_of_a_long_list_its_beginning(setting: str) -> None:
    """Who is named stands at the end, and takes no more of a line than it may."""
    assert Weakened("[::1]:1", setting).lets() == LETS[setting]
    assert Weakened("[::1]:1", setting, ("CP-1", "CP-2")).lets(6) == f"{LETS[setting]} CP-1, "
