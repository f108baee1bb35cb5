"""The keys of a profile as data: each rule can be broken, and names a key and a clause that exist."""

from __future__ import annotations

import msgspec
import pytest

from pki.clauses import explain
from pki.profile_rules import RULES, SAMPLE, AsRead, CertificatePurpose, CountryRule, KeyUse, ProfileRule, SanRule
from tests.pki.papers import POLICIES

SOUND = msgspec.structs.replace(msgspec.convert(SAMPLE, AsRead), days=365)
OCSP, SIGNER, OPERATOR = CertificatePurpose.OCSP, CertificatePurpose.FIRMWARE_SIGNER, CertificatePurpose.OPERATOR

BROKEN = [
    {"hours": 20},
    {"days": 0},
    {"days": None, "hours": 0},
    {"longest_days": 10},
    {"days": None, "hours": 20, "longest_hours": 10},
    {"backdate_minutes": -1},
    {"key_usage": []},
    {"eku": ["everything"]},
    {"keys": ["rsa-512"]},
    {"domain_component": "a b"},
    {"pem_length": 5501},
    {"chain_length": 0},
    {"der_length": 4097},
    {"is_ca": True, "key_usage": [KeyUse.KEY_CERT_SIGN]},
    {"key_usage": [KeyUse.KEY_CERT_SIGN]},
    {"path_length": 0},
    {"san": SanRule.DNS},
    {"country": CountryRule.SECC_ID},
    {"crl": True, "purpose": CertificatePurpose.ROOT, "is_ca": True, "key_usage": [KeyUse.KEY_CERT_SIGN]},
    {"purpose": OCSP},
    {"purpose": SIGNER},
    {"purpose": OPERATOR},
]
"""In the order of ``RULES``: what is changed in a sound profile to break that rule and no other."""


@pytest.mark.parametrize(("rule", "change"), list(zip(RULES, BROKEN, strict=True)), ids=lambda each: str(each)[:60])
def test_each_rule_can_be_broken_alone(rule: ProfileRule, change: dict[str, object]) -> None:
    """And says so in a sentence; a sound profile breaks none."""
    broken = msgspec.structs.replace(SOUND, **change)

    assert [each for each in RULES if each.judge(SOUND)] == []
    assert [each for each in RULES if each.judge(broken)] == [rule]


def test_each_rule_names_keys_and_a_clause_that_exist() -> None:
    """The first key is the one whose line is shown."""
    fields = {field.name for field in msgspec.structs.fields(AsRead)}

    assert all(set(rule.keys) <= fields for rule in RULES)
    assert all(explain(rule.clause).says for rule in RULES)


def test_the_sample_holds_exactly_the_keys_that_must_be_there() -> None:
    """A key without a default that is not in it would stop the reading of every other mistake."""
    assert {field.name for field in msgspec.structs.fields(AsRead) if field.required} == SAMPLE.keys()


def test_a_purpose_of_v2g_knows_its_edition() -> None:
    """By its name; no other has one."""
    assert {purpose.edition for purpose in CertificatePurpose if purpose.value.startswith("v2g")} == {"2", "20"}
    assert {purpose.edition for purpose in CertificatePurpose if not purpose.value.startswith("v2g")} == {None}


def test_every_key_stands_in_the_table_for_people() -> None:
    """``policies/README.md`` has a row for each, and for each profile that ships."""
    readme = (POLICIES.parent / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith(("| `", "| `["))]

    assert [
        field.name for field in msgspec.structs.fields(AsRead) if not any(f"`{field.name}`" in row for row in rows)
    ] == []
    assert [path.stem for path in POLICIES.glob("*.toml") if not any(f"`{path.stem}`" in row for row in rows)] == []
