"""Paths: all that there are, the likely first, none twice, and an end to the search."""

from __future__ import annotations

from pki.paper import Paper
from pki.path_search import LENGTH_MOST, LINKS_MOST, PATHS_MOST, Search
from tests.chains import DAY, LEAF, Party, authority, ext, faults, root
from tests.pki.papers import NOW, key


def found(leaf: Party, anchors: list[Party], between: list[Party]) -> tuple[list[list[Party]], bool]:
    """The paths, in order, and whether the search was cut short."""
    by_certificate = {party.certificate: party for party in (leaf, *anchors, *between)}
    roots, others = (tuple(Paper.read(party.certificate) for party in each) for each in (anchors, between))
    search = Search(roots, others, NOW)
    paths = [
        [by_certificate[paper.certificate] for paper in path] for path in search.paths(Paper.read(leaf.certificate))
    ]
    return paths, search.is_exhausted


def below(above: Party, label: str = "Leaf", name: str = "chain-leaf") -> Party:
    """A leaf."""
    return above.issue(label, key("p256", name), ext(LEAF))


def test_every_path_is_found_once() -> None:
    """Two roots vouch for one authority: two paths."""
    one, two = root("One", key("p256", "one")), root("Two", key("p256", "two"))
    first, second = (each.issue("CA", key("p256", "chain-ca"), *authority()) for each in (one, two))
    leaf = below(first)

    paths, _ = found(leaf, [one, two], [first, second, first])
    assert sorted(paths, key=str) == sorted([[leaf, first, one], [leaf, second, two]], key=str)


def test_what_is_valid_now_is_tried_first() -> None:
    """Junk beside a good path costs little."""
    anchor = root()
    old = anchor.issue("CA", key("p256", "chain-ca"), *authority(), end=NOW - DAY / 2)
    new = anchor.issue("CA", key("p256", "chain-ca"), *authority())
    leaf = below(new)

    assert found(leaf, [anchor], [old, new])[0] == [[leaf, new, anchor], [leaf, old, anchor]]


def test_a_path_goes_on_past_an_anchor() -> None:
    """An authority that is trusted and has expired does not hide the root above it."""
    anchor = root()
    old = anchor.issue("CA", key("p256", "chain-ca"), *authority())
    leaf = below(old)

    assert found(leaf, [anchor, old], [])[0] == [[leaf, old], [leaf, old, anchor]]


def test_authorities_that_vouch_for_each_other_make_no_endless_path() -> None:
    """Neither name and key, nor the leaf, comes twice."""
    first, second = root("First", key("p256", "one")), root("Second", key("p256", "two"))
    crossed = (
        first.issue("Second", key("p256", "two"), *authority()),
        second.issue("First", key("p256", "one"), *authority()),
    )
    leaf = below(Party(b"", key("p256", "one"), first.subject))

    paths, exhausted = found(leaf, [root("Elsewhere", key("p256", "x"))], list(crossed))
    assert (paths, exhausted) == ([], False)
    assert found(leaf, [second], list(crossed))[0] == [[leaf, crossed[1], second]]


def test_a_name_alone_leads_nowhere() -> None:
    """Many authorities of one name with other keys: the one that signed is found among them."""
    anchor = root()
    middle = anchor.issue("CA", key("p256", "chain-ca"), *authority())
    twins = [anchor.issue("CA", key("p256", f"twin {number}"), *authority()) for number in range(20)]
    leaf = below(middle)

    assert found(leaf, [anchor], [*twins, middle])[0] == [[leaf, middle, anchor]]


def test_a_maze_ends() -> None:
    """Every bound holds, and the search says that it was cut short."""
    ladder = [root("0", key("p256", "step 0"))]
    for step in range(1, 6):
        rungs = [
            ladder[-1].issue(str(step), key("p256", f"step {step}"), *authority(), serial=bytes([rung + 1]))
            for rung in range(6)
        ]
        ladder += rungs
    leaf = below(ladder[-1])

    paths, exhausted = found(leaf, [root("Nobody", key("p256", "nobody"))], ladder)
    assert paths == []
    assert exhausted
    assert len(found(leaf, ladder[:1], ladder[1:])[0]) <= PATHS_MOST
    assert LINKS_MOST < 100


def test_a_chain_is_no_longer_than_the_bound() -> None:
    """Nor is a path of sixteen judged where ten may stand."""
    path = [root()]
    for step in range(LENGTH_MOST):
        path.append(path[-1].issue(f"CA {step}", key("p256", f"step {step}"), *authority()))

    assert found(path[-1], path[:1], path[1:-1]) == ([], True)
    assert faults(path[-2::-1]) == {"chain.depth"}
