"""Questions: how a purpose names its codes, its clause, and how much form weighs."""

from __future__ import annotations

import pytest

from pki.findings import Severity
from pki.question import DEPTH_MOST, Purpose, Question, lapse
from tests.pki.papers import NOW


def ask(purpose: Purpose) -> Question:
    """A question for this purpose."""
    return Question(purpose, NOW, 4, lambda _issuer, _serial: False)


@pytest.mark.parametrize("purpose", Purpose)
def test_firmware_signers_have_codes_of_their_own(purpose: Purpose) -> None:
    """The gate hands them on to the CSMS."""
    assert ask(purpose).code("expired") == ("signer.expired" if purpose is Purpose.FIRMWARE else "chain.expired")


@pytest.mark.parametrize(
    ("purpose", "severity"),
    [
        (Purpose.ANY, Severity.ERROR),
        (Purpose.CSMS, Severity.ERROR),
        (Purpose.STATION, Severity.WARNING),
        (Purpose.FIRMWARE, Severity.WARNING),
    ],
)
def test_form_that_weakens_nothing_refuses_where_strangers_look(purpose: Purpose, severity: Severity) -> None:
    """Devices are as their makers left them; servers and roots can be issued again."""
    assert lapse(ask(purpose), "chain.key_id", "RFC 5280 4.2.1.2", "says").severity is severity


@pytest.mark.parametrize("purpose", Purpose)
def test_every_purpose_has_a_clause_and_a_depth(purpose: Purpose) -> None:
    """A firmware signer stands directly below its anchor (A00.FR.603)."""
    assert ask(purpose).clause
    assert DEPTH_MOST[purpose] == {Purpose.FIRMWARE: 1, Purpose.ANY: 10}.get(purpose, 4)


@pytest.mark.parametrize(
    ("purpose", "name", "use"),
    [
        (Purpose.ANY, None, Purpose.ANY),
        (Purpose.ANY, "a.example.org", Purpose.CSMS),
        (Purpose.STATION, "sn-1", Purpose.STATION),
    ],
)
def test_whoever_asks_for_a_name_has_dialled_a_server(purpose: Purpose, name: str | None, use: Purpose) -> None:
    """A certificate for clients, or for authorities, does not become a server's by its name."""
    assert Question(purpose, NOW, 4, lambda _issuer, _serial: False, name).use is use
