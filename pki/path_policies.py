"""Follows the certificate policies down a path (RFC 5280 6.1): which of them hold from the anchor to the leaf.

Nobody here asks for a certain policy; but an authority may demand that *some* policy holds all the way, and then a path
on which none does is refused. Policies are kept level by level, as RFC 9618 advises, so that no path, however it maps
them, makes a tree that grows beyond what was written in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509

from pki.fields import ANY_POLICY
from pki.findings import Finding, error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pki.paper import Paper
    from pki.question import Question

Level: TypeAlias = dict[str, frozenset[str]]
"""The policies that hold so far, each with the names by which the next certificate may know it."""


@dataclass(slots=True)
class _State:
    """What RFC 5280 6.1.2 keeps on the way down; the counters say how many certificates are left until each begins."""

    explicit: int
    mapping: int
    any_policy: int
    level: Level = field(default_factory=lambda: {ANY_POLICY: frozenset({ANY_POLICY})})


def examine_policies(path: Sequence[Paper], question: Question) -> Iterator[Finding]:
    """Find out whether the policies demanded on a path (leaf first, anchor last) hold on it."""
    count = len(path) - 1
    state = _State(count + 1, count + 1, count + 1)
    for left, paper in zip(reversed(range(count)), reversed(path[:-1]), strict=True):
        state.level = _narrowed(state, paper, is_leaf=left == 0)
        if not state.level and state.explicit <= 0:
            yield _refused(paper, question)
            return
        if left > 0:
            _prepare(state, paper)
    if count and _explicit_at_the_end(state, path[0]) == 0 and not state.level:
        yield _refused(path[0], question)


def _refused(paper: Paper, question: Question) -> Finding:
    says = f"no certificate policy holds down to {paper}, and an authority above demands one"
    return error(question.code("policy"), "RFC 5280 6.1.3", says)


def _policies(paper: Paper) -> frozenset[str]:
    found = paper.find(x509.CertificatePolicies)
    return frozenset(each.policy_identifier.dotted_string for each in found.value) if found else frozenset()


def _narrowed(state: _State, paper: Paper, *, is_leaf: bool) -> Level:
    """6.1.3 (d), (e): what of the policies above this certificate carries on."""
    named = _policies(paper)
    expected = {name for names in state.level.values() for name in names}
    has_any = ANY_POLICY in state.level
    level: Level = {name: frozenset({name}) for name in named - {ANY_POLICY} if name in expected or has_any}
    if ANY_POLICY in named and (state.any_policy > 0 or (paper.is_self_issued and not is_leaf)):
        level |= {name: frozenset({name}) for name in expected if name not in level}
    return level


def _prepare(state: _State, paper: Paper) -> None:
    """6.1.4 (a) to (j): get ready for the next certificate."""
    if paper.mappings is not None:
        state.level = _mapped(state, paper.mappings)
    if not paper.is_self_issued:
        state.explicit, state.mapping, state.any_policy = (
            max(0, left - 1) for left in (state.explicit, state.mapping, state.any_policy)
        )
    limits = paper.find(x509.PolicyConstraints)
    if limits is not None and limits.value.require_explicit_policy is not None:
        state.explicit = min(state.explicit, limits.value.require_explicit_policy)
    if limits is not None and limits.value.inhibit_policy_mapping is not None:
        state.mapping = min(state.mapping, limits.value.inhibit_policy_mapping)
    inhibited = paper.find(x509.InhibitAnyPolicy)
    if inhibited is not None:
        state.any_policy = min(state.any_policy, inhibited.value.skip_certs)


def _mapped(state: _State, pairs: tuple[tuple[str, str], ...]) -> Level:
    """6.1.4 (b): from here on, the subject's names stand for the issuer's; or, where mapping has ended, for nothing."""
    new: dict[str, set[str]] = {}
    for issuer, subject in pairs:
        new.setdefault(issuer, set()).add(subject)
    if state.mapping <= 0:
        return {name: names for name, names in state.level.items() if name not in new}
    has_any = ANY_POLICY in state.level
    replaced = {name: frozenset(names) for name, names in new.items() if name in state.level or has_any}
    return state.level | replaced


def _explicit_at_the_end(state: _State, leaf: Paper) -> int:
    """6.1.5 (a), (b)."""
    limits = leaf.find(x509.PolicyConstraints)
    if limits is not None and limits.value.require_explicit_policy == 0:
        return 0
    return max(0, state.explicit - 1)
