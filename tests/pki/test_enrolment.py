"""Whoever shows a certificate is judged by whom it comes from; who renews asks for the same names."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pki.enrolment import examine_renewal, judge_holder
from pki.errors import ForbiddenError
from pki.findings import Severity
from pki.request import read_request
from pki.waiting import Way
from tests.certs import DAY, NOW, Party
from tests.pki import papers
from tests.pki.papers import codes, key, request

OURS = Party.root("Our Station CA")
MAKER = Party.root("Maker Root", "Maker")
LARGE = rsa.generate_private_key(65537, 4608)
SUB = MAKER.issue("Maker Sub CA", "Maker", ca=True)


@pytest.mark.parametrize(
    ("shown", "way"),
    [
        pytest.param([OURS.issue("SN-1")], Way.RENEWAL, id="one of ours"),
        pytest.param([MAKER.issue("SN-1", "Maker")], Way.MANUFACTURER, id="the maker's"),
        pytest.param([SUB.issue("SN-1", "Maker"), SUB], Way.MANUFACTURER, id="the maker's, by an authority between"),
    ],
)
def test_who_issued_it_says_by_which_way_it_asks(shown: list[Party], way: Way) -> None:
    """The name is handed on for the register to be asked; the key id is the direct issuer's."""
    holder = judge_holder([party.certificate for party in shown], [OURS.certificate], [MAKER.certificate], NOW)

    assert (holder.way, holder.common_name, holder.certificate) == (way, "SN-1", shown[0].certificate)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(Party.root("SN-1"), id="by itself"),
        pytest.param(SUB.issue("SN-1"), id="an authority between that was not shown"),
        pytest.param(OURS.issue("SN-1", start=NOW - 9 * DAY, end=NOW - DAY), id="past its end"),
        pytest.param(OURS.issue("SN-1", start=NOW + DAY), id="not begun"),
        pytest.param(OURS.issue("SN-1", ca=True), id="an authority's"),
        pytest.param(OURS, id="the anchor itself"),
    ],
)
def test_what_proves_nothing_is_refused_with_its_findings(shown: Party) -> None:
    """A00.FR.403: the path is validated, whatever TLS let through."""
    with pytest.raises(ForbiddenError, match=r"est\.certificate") as refused:
        judge_holder([shown.certificate], [OURS.certificate], [MAKER.certificate], NOW)
    assert refused.value.findings


def test_a_maze_of_large_keys_is_not_walked() -> None:
    """A stranger chooses what is shown; a key that no rule allows is refused before any signature is computed with."""
    large = MAKER.issue("Sub", ca=True, key=LARGE)
    with pytest.raises(ForbiddenError) as refused:
        judge_holder([MAKER.issue("SN-1").certificate, large.certificate], [], [MAKER.certificate], NOW)
    assert codes(refused.value) == {"alg.unsupported"}


def test_nobody_is_trusted_where_no_anchor_is_given() -> None:
    """An empty list means no."""
    with pytest.raises(ForbiddenError, match=r"est\.certificate"):
        judge_holder([MAKER.issue("SN-1").certificate], [OURS.certificate], [], NOW)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(request(holder=key("p256", "new")), set[str](), id="a new key"),
        pytest.param(request(), {"csr.same_key"}, id="the same key"),
        pytest.param(request(("SN-002",), holder=key("p256", "new")), {"csr.subject"}, id="another name"),
        pytest.param(request(organisations=(), holder=key("p256", "new")), {"csr.subject"}, id="a name left out"),
    ],
)
def test_a_renewal_names_what_the_certificate_names(asked: str, found: set[str]) -> None:
    """RFC 7030 4.2.2; a key may stay, but that is told (A02.FR.02)."""
    held = papers.leaf().certificate

    assert codes(examine_renewal(read_request(asked), held)) == found


def test_the_order_of_names_is_nobodys_concern() -> None:
    """openssl writes them as they are typed; ours has the organisation first."""
    held = papers.handmade("SN-001", key(), "Issuer", key("p256", "issuing"))
    turned = examine_renewal(read_request(request(organisations=(), holder=key("p256", "new"))), held)

    assert turned == []


def test_only_another_subject_refuses() -> None:
    """Everything else is told."""
    found = examine_renewal(read_request(request()), papers.leaf().certificate)

    assert [each.severity for each in found] == [Severity.WARNING]
