"""Certificate policies: nobody asks for one, but an authority that demands that some policy holds is heeded."""

from __future__ import annotations

import pytest
from cryptography import x509

from tests.chains import LEAF, Party, authority, box, ext, faults, oid_hex, raw, root
from tests.pki.papers import key

P1, P2, P3, ANY = (
    x509.ObjectIdentifier(oid) for oid in ("1.3.6.1.4.1.99.1", "1.3.6.1.4.1.99.2", "1.2.3", "2.5.29.32.0")
)
NO = {"chain.policy"}


def named(*policies: x509.ObjectIdentifier, critical: bool = False) -> bytes:
    """These policies."""
    return ext(x509.CertificatePolicies([x509.PolicyInformation(each, None) for each in policies]), critical=critical)


def demand(explicit: int | None = 0, mapping: int | None = None) -> bytes:
    """A policy must hold, after this many certificates; mapping ends, after this many."""
    return ext(x509.PolicyConstraints(explicit, mapping), critical=True)


def no_any(skip: int = 0) -> bytes:
    """Any policy counts no more, after this many certificates."""
    return ext(x509.InhibitAnyPolicy(skip), critical=True)


def mapped(*pairs: tuple[x509.ObjectIdentifier, x509.ObjectIdentifier]) -> bytes:
    """The issuer's policies stand for the subject's."""
    content = [box(0x30, *(box(0x06, bytes.fromhex(oid_hex(each))) for each in pair)) for pair in pairs]
    return raw("551d21", box(0x30, *content), critical=True)


def stack(*levels: tuple[bytes, ...], itself: int = -1) -> list[Party]:
    """Authorities below the anchor, from the top, and a leaf; the one at ``itself`` issues to its own name."""
    path = [root()]
    for place, extensions in enumerate(levels[:-1]):
        label = path[-1].subject if place == itself else f"CA {place}"
        path.append(path[-1].issue(label, key("p256", f"policy {place}"), *authority(), *extensions))
    path.append(path[-1].issue("Leaf", key("p256", "chain-leaf"), ext(LEAF), *levels[-1]))
    return path[::-1]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param([(), ()], set(), id="none named, none demanded"),
        pytest.param([(named(P1),), (named(P2),)], set(), id="others all the way, none demanded"),
        pytest.param([(named(P1), demand()), (named(P1),)], set(), id="demanded, and held"),
        pytest.param([(named(P1), demand()), (named(P2),)], NO, id="demanded, another held"),
        pytest.param([(named(P1), demand()), ()], NO, id="demanded, none held"),
        pytest.param([(demand(),), (named(P1),)], NO, id="demanded by one that holds none"),
        pytest.param([(named(P1, P2), demand()), (named(P2),)], set(), id="one of two"),
        pytest.param([(named(ANY), demand()), (named(P2),)], set(), id="any policy above"),
        pytest.param([(named(P1), demand()), (named(ANY),)], set(), id="any policy in the leaf"),
        pytest.param([(named(ANY), demand()), (named(ANY),)], set(), id="any policy all the way"),
        pytest.param(
            [(named(P1, critical=True), demand()), (named(P1, critical=True),)], set(), id="critical, and held"
        ),
        pytest.param([(named(P1), demand(1)), ()], NO, id="demanded one further down: the leaf"),
        pytest.param([(named(P1), demand(2)), ()], set(), id="demanded beyond the leaf"),
        pytest.param([(named(P1), demand(1)), (named(P1),), ()], NO, id="demanded one further down, three deep"),
        pytest.param([(named(P1), demand(5)), (named(P1), demand(0)), ()], NO, id="a later demand that is stricter"),
        pytest.param([(named(P1), demand(0)), (named(P1), demand(5)), ()], NO, id="a later demand that is weaker"),
        pytest.param([(named(P1),), (demand(0),)], NO, id="a leaf that demands, and holds none"),
        pytest.param([(named(P1),), (named(P1), demand(0))], set(), id="a leaf that demands, and holds one"),
        pytest.param([(named(ANY), demand(), no_any()), (named(ANY),)], NO, id="any policy ended"),
        pytest.param([(named(ANY), demand(), no_any()), (named(P1),)], set(), id="any policy ended, another named"),
        pytest.param([(named(ANY), demand(), no_any(1)), (named(ANY),)], set(), id="any policy ends further down"),
        pytest.param(
            [(named(ANY), demand(), no_any(1)), (named(ANY),), (named(ANY),)], NO, id="any policy ended by then"
        ),
        pytest.param([(named(P1), demand(), mapped((P1, P2))), (named(P2),)], set(), id="mapped"),
        pytest.param([(named(P1), demand(), mapped((P1, P2))), (named(P1),)], NO, id="mapped away"),
        pytest.param([(named(P1), demand(), mapped((P1, P2), (P1, P3))), (named(P3),)], set(), id="mapped to two"),
        pytest.param([(named(P1), demand(), mapped((P2, P3))), (named(P3),)], NO, id="mapped from what does not hold"),
        pytest.param([(named(ANY), demand(), mapped((P1, P2))), (named(P2),)], set(), id="mapped from any"),
        pytest.param([(named(ANY), demand(), mapped((P1, P2))), (named(P1),)], set(), id="any policy beside a mapping"),
        pytest.param([(named(P1), demand(0, 0)), (named(P1), mapped((P1, P2))), (named(P2),)], NO, id="mapping ended"),
        pytest.param(
            [(named(P1), demand(0, 1)), (named(P1),), (named(P1), mapped((P1, P2))), (named(P2),)],
            NO,
            id="ended on the way",
        ),
        pytest.param(
            [(named(P1), demand(0, 2)), (named(P1), mapped((P1, P2))), (named(P2),)], set(), id="not ended yet"
        ),
        pytest.param(
            [(named(P1), demand(), mapped((P1, P2))), (named(P2), mapped((P2, P3))), (named(P3),)],
            set(),
            id="mapped twice",
        ),
    ],
)
def test_a_policy_that_is_demanded_holds_all_the_way(levels: list[tuple[bytes, ...]], expected: set[str]) -> None:
    """RFC 5280 6.1.3 (d) to (f), 6.1.4 (a) to (j), 6.1.5."""
    assert faults(stack(*levels)) == expected


def test_an_authority_that_issued_to_itself_counts_for_nothing_on_the_way() -> None:
    """RFC 5280 6.1.4 (h): changing keys does not bring a demand nearer, and any policy still counts there."""
    levels = [(named(P1), demand(2)), (named(P1),), ()]
    held = [(named(ANY), demand(), no_any()), (named(ANY),), (named(P1),)]

    assert faults(stack(*levels, itself=1)) == set()
    assert faults(stack(*levels)) == NO
    assert faults(stack(*held, itself=1)) == set()
    assert faults(stack(*held)) == NO


def test_many_mappings_cost_no_more_than_what_is_written() -> None:
    """A tree would grow beyond every bound here; levels do not."""
    oids = [x509.ObjectIdentifier(f"1.3.6.1.4.1.99.{number}") for number in range(1, 25)]
    all_to_all = mapped(*((one, other) for one in oids for other in oids))
    path = stack(*[(named(*oids), demand(), all_to_all)] * 7, (named(oids[3]),))

    assert faults(path) == set()
