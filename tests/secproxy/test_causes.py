"""The table of causes: every line complete and in the house's form."""

from __future__ import annotations

import re

import pytest

from secproxy.causes import CAUSES
from secproxy.kinds import Severity

STANDARD = {  # OCPP 2.0.1 appendix 1, as far as a CSMS's side has use for them
    "FailedToAuthenticateAtCsms",
    "InvalidChargingStationCertificate",
    "InvalidFirmwareSignature",
    "InvalidFirmwareSigningCertificate",
    "InvalidMessages",
    "InvalidTLSCipherSuite",
    "InvalidTLSVersion",
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_is_explained(cause: str) -> None:
    """A code of two words, a type of the standard's or our own, one sentence, and the next step."""
    kind = CAUSES[cause]
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", cause)
    assert kind.type in STANDARD or re.fullmatch(r"bollard\.[A-Z][A-Za-z]+", kind.type)
    assert len(kind.type) <= 50, "OCPP's own bound on an event's type"
    assert kind.says.endswith(".")
    assert kind.advice.endswith(".") or kind.severity is Severity.INFO


def test_the_standards_events_all_have_a_cause() -> None:
    """None of the standard's names is left without a use."""
    assert {kind.type for kind in CAUSES.values()} >= STANDARD


def test_impersonation_and_downgrade_weigh_most() -> None:
    """Whoever uses another's certificate, a revoked one or a lower profile is to be seen at once."""
    gravest = {cause for cause, kind in CAUSES.items() if kind.severity is Severity.CRITICAL}
    assert gravest >= {"cert.other_station", "cert.revoked", "cert.serial", "profile.too_low"}
