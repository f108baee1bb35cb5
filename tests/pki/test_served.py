"""What a listener presents is held against what it is meant to present, and against what its clients would say."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pki.served import Meant, judge_served
from tests.certs import Party
from tests.pki.papers import NOW, issuing, leaf, root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

HOST = "csms.example.org"
SERVER, OTHER = leaf("csms", HOST).certificate, leaf("csms", HOST, "p384").certificate
ISSUER, ROOT = issuing().certificate, root().certificate
OURS = Meant(SERVER, HOST, ours=True)
LATER = NOW + dt.timedelta(days=4000)


def clauses(chain: Sequence[x509.Certificate], meant: Meant = OURS, now: dt.datetime = NOW) -> list[str]:
    """The clauses of what is wrong; each has its cure."""
    faults = judge_served(chain, meant, [ROOT], now)
    assert all(each.says and each.fix for each in faults)
    return sorted({each.clause for each in faults})


def test_what_is_as_it_should_be_has_no_fault() -> None:
    """The very certificate, with its issuer, below a root of ours."""
    assert clauses([SERVER, ISSUER]) == []


@pytest.mark.parametrize(
    ("chain", "now", "clause"),
    [
        pytest.param([], NOW, "A00.FR.306", id="nothing"),
        pytest.param([OTHER, ISSUER], NOW, "A00.FR.306", id="another certificate, as good as it may be"),
        pytest.param([SERVER], NOW, "A00.FR.308", id="without its issuer"),
        pytest.param([SERVER, ISSUER], LATER, "RFC 5280 6.1.3", id="after its end"),
    ],
)
def test_what_a_client_would_stumble_over_is_a_fault(
    chain: list[x509.Certificate], now: dt.datetime, clause: str
) -> None:
    """With the clause, and the command that cures it."""
    assert clause in clauses(chain, now=now)


def test_a_certificate_for_another_host_is_a_fault() -> None:
    """As after a change of csms.host that nobody renewed for."""
    (fault,) = judge_served([SERVER, ISSUER], Meant(SERVER, "other.example.org", ours=True), [ROOT], NOW)

    assert "other.example.org" in fault.says
    assert fault.fix == "bollard rotate --now server"


@pytest.mark.parametrize(
    ("host", "at", "count"),
    [(HOST, NOW, 0), ("other.example.org", NOW, 1), (HOST, LATER, 1), ("other.example.org", LATER, 2)],
)
def test_a_certificate_of_others_is_held_to_name_and_time(host: str, at: dt.datetime, count: int) -> None:
    """Whom stations trust for it is not known here, so its root is not asked for."""
    party = Party.root("Public CA").issue(
        HOST, dns=HOST, start=NOW - dt.timedelta(days=1), end=NOW + dt.timedelta(days=9)
    )
    faults = judge_served([party.certificate], Meant(party.certificate, host, ours=False), [ROOT], at)

    assert len(faults) == count
    assert all("[[server_certificate]]" in each.fix for each in faults)
