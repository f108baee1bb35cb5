"""Ceremonies of one root form a chain: nothing is forgotten, repeated or taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pki.ceremony.history import Before, after, judge_history
from pki.ceremony.terms import Ceremony, Due, KnownRoot, Revoked
from pki.names import CertificateSerial, Organisation
from pki.revocation import Reason
from tests.ceremonies import MOMENT, ceremony
from tests.pki.papers import profile, root

DIGEST = "ab" * 32
BEFORE = Before("cd" * 32, DIGEST, 3, ("1f",), ("1f", "2f"))
ROOT = root().certificate


def later() -> Ceremony:
    """A ceremony that follows the one before as it should."""
    first = ceremony()
    crl = replace(first.crl, number=4, revoked=(Revoked(CertificateSerial(0x1F), MOMENT, Reason.UNSPECIFIED),))
    return replace(first, root=KnownRoot("before", BEFORE.transcript), crl=crl)


def test_what_follows_as_it_should_has_nothing_against_it() -> None:
    """A first ceremony follows none."""
    assert judge_history(later(), BEFORE, ROOT, DIGEST) == []
    assert judge_history(ceremony(), None, None, "") == []


def _due(serial: int) -> Due:
    return Due("station", "station", "X", profile("issuing"), 1, CertificateSerial(serial), bytes(32))


WRONG = {
    "another transcript": (replace(later(), root=KnownRoot("before", "ef" * 32)), BEFORE, ""),
    "another root": (later(), replace(BEFORE, root="ef" * 32), ""),
    "the same number": (later(), replace(BEFORE, crl_number=4), "RFC 5280 5.2.3"),
    "a smaller number": (later(), replace(BEFORE, crl_number=9), "RFC 5280 5.2.3"),
    "a revocation taken back": (later(), replace(BEFORE, revoked=("1f", "2f")), "RFC 5280 3.3"),
    "a serial used twice": (replace(later(), certificates=(_due(0x2F),)), BEFORE, "RFC 5280 4.1.2.2"),
    "another organisation": (replace(later(), organisation=Organisation("Other")), BEFORE, "A00.FR.509"),
    "a known root from nowhere": (later(), None, ""),
    "a new root with a past": (ceremony(), BEFORE, ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_follow_is_found(case: str) -> None:
    """One finding each, with its clause."""
    wrong, before, clause = WRONG[case]
    found = judge_history(wrong, before, ROOT, DIGEST)

    assert [(each.code, each.clause) for each in found] == [("ceremony.history", clause)]


def test_what_the_next_one_will_know_grows() -> None:
    """Serials are remembered for good."""
    known = after(replace(later(), certificates=(_due(0x3F),)), BEFORE, "ef" * 32, DIGEST)

    assert known == Before("ef" * 32, DIGEST, 4, ("1f",), ("1f", "2f", "3f"))
    assert known.told()["serials"] == ("1f", "2f", "3f")
