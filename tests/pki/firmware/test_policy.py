"""``pki.firmware.policy``: an operator's TOML becomes a policy that cannot be misread."""

from __future__ import annotations

from pathlib import Path

import pytest

from pki.errors import InputError
from pki.firmware.policy import STANDARD, Algorithm, FirmwarePolicy, MissingPurpose, parse_policy

SHIPPED = Path(__file__).parents[3] / "policies" / "firmware"


def test_an_empty_policy_accepts_nothing() -> None:
    """What is not named is not accepted."""
    assert parse_policy("empty", "") == FirmwarePolicy("empty", frozenset(), MissingPurpose.REFUSE)


@pytest.mark.parametrize(
    ("name", "algorithms", "missing"),
    [
        ("standard", STANDARD, MissingPurpose.WARN),
        ("strict", STANDARD, MissingPurpose.REFUSE),
        ("pkcs1", frozenset(Algorithm), MissingPurpose.WARN),
    ],
)
def test_the_shipped_policies_say_what_their_names_promise(
    name: str, algorithms: frozenset[Algorithm], missing: MissingPurpose
) -> None:
    """Each file in policies/firmware parses to exactly what it is for."""
    assert parse_policy(name, (SHIPPED / f"{name}.toml").read_text()) == FirmwarePolicy(name, algorithms, missing)


def test_there_is_no_shipped_policy_without_a_test() -> None:
    """A new file must be named above."""
    assert {path.stem for path in SHIPPED.glob("*.toml")} == {"standard", "strict", "pkcs1"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('algorithm = ["rsa-pss-sha256"]', "algorithm"),
        ('algorithms = ["rsa-pkcs1v15-sha256"]', "unsafe_accept_pkcs1v15"),
        ('algorithms = ["md5"]', "md5"),
        ('missing_purpose = "maybe"', "maybe"),
        ("algorithms = [", "policy"),
        ("unsafe_accept_pkcs1v15 = 1", "unsafe_accept_pkcs1v15"),
    ],
)
def test_a_wrong_policy_is_refused_by_the_name_of_its_key(text: str, named: str) -> None:
    """A slip of the pen never weakens anything in silence."""
    with pytest.raises(InputError) as refused:
        parse_policy("mine", text)
    assert refused.value.code == "firmware.policy"
    assert named in refused.value.cause + refused.value.advice
