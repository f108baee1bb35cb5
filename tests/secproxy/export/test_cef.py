"""Common Event Format, read back by its rules of escaping."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given

from secproxy.export import cef
from tests.secproxy.export.samples import ORIGIN, SAMPLE, SIX, events, is_harmless, read_cef

if TYPE_CHECKING:
    from secproxy.export.event import Event


def test_an_event_is_a_line_of_cef() -> None:
    """The header's seven fields, then the dictionary's names, then custom strings with their labels."""
    head, facts = read_cef(cef.write(SAMPLE, ORIGIN))
    assert head == ["CEF:0", "Bollard", "Bollard", "1.2.3", "cert.revoked", SAMPLE.says, "10"]
    assert facts.pop("cs3Label") == "evidence"
    assert json.loads(facts.pop("cs3"))["said"] == 'a "b" \\c] d=e|f'
    assert facts == {
        "rt": "1780315200000",
        "externalId": SAMPLE.id,
        "cat": "InvalidChargingStationCertificate",
        "dvchost": "csms.example.org",
        "msg": SAMPLE.advice,
        "src": "192.0.2.7",
        "spt": "4000",
        "cs1": "CP-001",
        "cs1Label": "station",
        "cs2": "A00.FR.705",
        "cs2Label": "clause",
    }


def test_an_ipv6_address_has_a_field_of_its_own() -> None:
    """``src`` is for IPv4 alone in CEF's dictionary."""
    _, facts = read_cef(cef.write(SIX, ORIGIN))
    assert (facts["c6a2"], facts["c6a2Label"], "src" in facts) == ("2001:db8::7", "Source IPv6 Address", False)


@given(events)
def test_attack_38_a_line_stays_one_line_and_reads_back(event: Event) -> None:
    """Bars, equals signs and backslashes of a stranger end no field and begin none."""
    line = cef.write(event, ORIGIN)
    assert is_harmless(line)
    head, facts = read_cef(line)
    assert (head[4], head[5]) == (event.cause, event.says)
    assert facts["externalId"] == event.id if event.id else "externalId" not in facts
    assert (facts.get("cat", ""), facts.get("msg", "")) == (event.type, event.advice)
    assert {name for name in facts if not name.startswith("cs")} <= {
        "rt", "externalId", "cat", "dvchost", "msg", "src", "spt", "c6a2", "c6a2Label",
    }  # fmt: skip
