"""The keys of a profile as data: each rule can be broken, and names a key and a clause that exist."""

from __future__ import annotations

import msgspec
import pytest

from pki.clauses import explain
from pki.profile_keys import SAMPLE, AsRead, CertificatePurpose, CountryRule, KeyUse, SanRule
from pki.profile_rules import CLAUSES, RULES, ProfileRule

SOUND = msgspec.structs.replace(msgspec.convert(SAMPLE, AsRead), days=365)
OCSP, SIGNER, OPERATOR = CertificatePurpose.OCSP, CertificatePurpose.FIRMWARE_SIGNER, CertificatePurpose.OPERATOR
SUB_1: dict[str, object] = {
    "purpose": CertificatePurpose.V2G_SUB1_2, "is_ca": True, "path_length": 1, "key_usage": [KeyUse.KEY_CERT_SIGN],
}  # fmt: skip
SECC_2: dict[str, object] = {
    "purpose": CertificatePurpose.V2G_SECC_2, "country": CountryRule.SECC_ID, "domain_component": "CPO",
    "key_usage": [KeyUse.DIGITAL_SIGNATURE, KeyUse.KEY_AGREEMENT],
}  # fmt: skip
SECC_20: dict[str, object] = {**SECC_2, "purpose": CertificatePurpose.V2G_SECC_20}

BROKEN: list[dict[str, object]] = [
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
    {"chain_length": 10},
    {"der_length": 10},
    {"is_ca": True, "key_usage": [KeyUse.KEY_CERT_SIGN]},
    {"key_usage": [KeyUse.KEY_CERT_SIGN]},
    {"path_length": 0},
    {"san": SanRule.DNS},
    {"country": CountryRule.SECC_ID},
    {"crl": True, "purpose": CertificatePurpose.ROOT, "is_ca": True, "key_usage": [KeyUse.KEY_CERT_SIGN]},
    {"purpose": OCSP},
    {"purpose": SIGNER},
    {"purpose": OPERATOR},
    {"eku": ["code_signing"]},
    {"eku": ["server_auth"]},
    {"key_usage": [KeyUse.KEY_ENCIPHERMENT]},
    {**SUB_1, "path_length": 3},
    {**SECC_2, "keys": ["ec-p521"]},
    {**SECC_20, "keys": ["ec-p256"]},
    {**SECC_2, "der_length": 2000},
    {**SECC_20, "der_length": 2000},
    {**SECC_2, "key_usage": [KeyUse.DIGITAL_SIGNATURE]},
    {**SECC_2, "country": CountryRule.NONE},
    {**SECC_20, "country": CountryRule.NONE},
    {**SECC_20, "domain_component": ""},
]
"""In the order of ``RULES``: what is changed in a sound profile to break that rule and no other."""


@pytest.mark.parametrize(("rule", "change"), list(zip(RULES, BROKEN, strict=True)), ids=lambda each: str(each)[:60])
def test_each_rule_can_be_broken_alone(rule: ProfileRule, change: dict[str, object]) -> None:
    """And says so in a sentence; a sound profile breaks none."""
    broken = msgspec.structs.replace(SOUND, **change)

    assert [each for each in RULES if each.judge(SOUND)] == []
    assert [each for each in RULES if each.judge(broken)] == [rule]


@pytest.mark.parametrize("sound", [SUB_1, SECC_2, SECC_20, {"keys": ["ed448"], **SECC_20}])
def test_what_cars_are_shown_breaks_no_rule(sound: dict[str, object]) -> None:
    """So that what is broken above is broken by what was changed alone."""
    assert [each for each in RULES if each.judge(msgspec.structs.replace(SOUND, **sound))] == []


def test_every_key_that_can_be_wrong_answers_to_a_clause() -> None:
    """Whoever reads of a mistake can look up why it is one."""
    fields = {field.name for field in msgspec.structs.fields(AsRead)}

    assert CLAUSES.keys() == fields
    assert all(explain(clause).says for clause in CLAUSES.values())


def test_each_rule_names_keys_and_a_clause_that_exist() -> None:
    """The first key is the one whose line is shown."""
    fields = {field.name for field in msgspec.structs.fields(AsRead)}

    assert all(set(rule.keys) <= fields for rule in RULES)
    assert all(explain(rule.clause).says for rule in RULES)
