"""The editions of ISO 15118 as a table: what each allows, and that nothing in it contradicts what we ship."""

from __future__ import annotations

import pytest

from pki.profile import CertificatePurpose
from pki.profile_keys import KEY_KINDS
from pki.v2g import RULES, V2gEdition
from tests.pki.papers import profile


def test_each_edition_has_rules() -> None:
    """And keys of its own: a station for both needs two certificates."""
    assert RULES.keys() == set(V2gEdition)
    assert not set(RULES[V2gEdition.TWO].keys) & set(RULES[V2gEdition.TWENTY].keys)
    assert {kind for rules in RULES.values() for kind in rules.keys} <= set(KEY_KINDS)


@pytest.mark.parametrize("purpose", [purpose for purpose in CertificatePurpose if purpose.edition])
def test_the_profiles_that_ship_say_what_the_table_says(purpose: CertificatePurpose) -> None:
    """Keys and size stand in both: people read the one, the lint the other."""
    assert purpose.edition is not None
    rules = RULES[purpose.edition]

    assert profile(purpose).keys == rules.keys
    assert profile(purpose).der_length == rules.length_most
