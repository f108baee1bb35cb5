"""A security profile goes up by itself, and down only by an operator's word for it."""

from __future__ import annotations

import pytest

from pki.errors import RefusedError
from pki.ratchet import examine_profile, pinned
from pki.station import SecurityProfile as Profile


@pytest.mark.parametrize(
    ("registered", "seen", "ratchet", "kept"),
    [(2, 3, True, 3), (2, 3, False, 2), (1, 2, True, 2), (3, 2, True, 3), (2, 2, True, 2)],
)
def test_attack_09_what_a_station_was_seen_with_pins_it(registered: int, seen: int, ratchet: bool, kept: int) -> None:
    """A05.FR.09: upwards only, and not at all where it was switched off."""
    assert pinned(Profile(registered), Profile(seen), ratchet=ratchet) == kept


@pytest.mark.parametrize("now", Profile)
@pytest.mark.parametrize("wanted", Profile)
@pytest.mark.parametrize("allow", [True, False])
@pytest.mark.parametrize("unsafe", [True, False])
def test_attack_09_down_leads_only_what_is_spelled_out(
    now: Profile, wanted: Profile, allow: bool, unsafe: bool
) -> None:
    """From 3 to 2 with the downgrade allowed, to 1 with the unsafe word alone; up and level always."""
    free = wanted >= now or (unsafe if wanted is Profile.BASIC else allow)
    if free:
        examine_profile(now, wanted, allow_downgrade=allow, unsafe_no_tls=unsafe)
        return
    with pytest.raises(RefusedError) as refused:
        examine_profile(now, wanted, allow_downgrade=allow, unsafe_no_tls=unsafe)
    assert ("--unsafe" in refused.value.advice) is (wanted is Profile.BASIC)
