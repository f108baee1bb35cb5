"""``pki.edge.http.budget``: one link serves so much and no more."""

from __future__ import annotations

import pytest

from pki.edge.http import budget as budget_module
from pki.edge.http.budget import BUDGET_TIMES, REQUESTS_MOST, Budget
from pki.errors import ForbiddenError


def test_gate_56_a_link_serves_three_times_its_image() -> None:
    """Bytes are counted over all requests of the link."""
    budget = Budget()
    for _ in range(BUDGET_TIMES):
        budget.open("token", 100).spend(100)
    with pytest.raises(ForbiddenError, match=r"download\.budget"):
        budget.open("token", 100)


def test_gate_56_a_transfer_may_not_spend_what_is_not_left() -> None:
    """Requests at the same time share one allowance."""
    budget = Budget()
    one, other = budget.open("token", 100), budget.open("token", 100)
    one.spend(250)
    with pytest.raises(ForbiddenError):
        other.spend(51)


def test_gate_56_a_flood_of_tiny_requests_ends() -> None:
    """Ranges of one byte cost a request each."""
    budget = Budget()
    for _ in range(REQUESTS_MOST):
        budget.open("token", 10_000)
    with pytest.raises(ForbiddenError):
        budget.open("token", 10_000)


def test_links_do_not_share_their_budgets() -> None:
    """One station's bad line is no other station's."""
    budget = Budget()
    budget.open("token", 1).spend(3)
    budget.open("other", 1).spend(3)


def test_the_number_of_links_counted_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link unused for longest is forgotten first."""
    monkeypatch.setattr(budget_module, "LINKS_KEPT", 2)
    budget = Budget()
    for token in ("a", "b", "a", "c"):
        budget.open(token, 1).spend(1)
    assert budget.open("a", 1).left == 1
    assert budget.open("b", 1).left == 3
