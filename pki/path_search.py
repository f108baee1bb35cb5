"""Finds the paths from a certificate to an anchor, within bounds that a stranger cannot raise.

Issuers are found by name and proved by signature; each pair is tried once. Those that look right (the key they are said
to hold, the time) are tried first, so that junk beside a good path costs little. No path holds the same authority, name
and key, twice; the search goes on past an anchor that somebody else vouches for, since that path may be the better one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki.signed import is_signed

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from pki.dn import DistinguishedName
    from pki.paper import Paper

INTERMEDIATES_MOST: Final = 1024  # certificates looked at for one question; real chains hold one to three
LINKS_MOST: Final = 96  # signatures verified for one question; bounds what a maze of look-alike names can cost
PATHS_MOST: Final = 64  # whole paths judged for one question; more than one exists only while roots are exchanged
LENGTH_MOST: Final = 16  # certificates on a path


class Search:
    """One search: what there is to build with, and how many signatures may still be tried."""

    def __init__(self, anchors: tuple[Paper, ...], intermediates: tuple[Paper, ...], now: dt.datetime) -> None:
        self._anchors = frozenset(paper.certificate for paper in anchors)
        self._now = now
        self._by_name: dict[DistinguishedName, list[Paper]] = {}
        self._tried: dict[tuple[x509.Certificate, x509.Certificate], bool] = {}
        for paper in dict.fromkeys((*anchors, *intermediates)):
            self._by_name.setdefault(paper.subject, []).append(paper)
        self.is_exhausted = False
        """Whether the search ended for its bounds and not for want of certificates."""

    def paths(self, leaf: Paper) -> Iterator[tuple[Paper, ...]]:
        """Yield paths from the leaf to an anchor, one by one. An anchor is its own path."""
        yield from islice(self._extend((leaf,)), PATHS_MOST)

    def _extend(self, path: tuple[Paper, ...]) -> Iterator[tuple[Paper, ...]]:
        last = path[-1]
        if last.certificate in self._anchors:
            yield path
            if last.is_self_issued:
                return
        if len(path) >= LENGTH_MOST:
            self.is_exhausted = True
            return
        for issuer in self._candidates(last):
            is_new = issuer != path[0] and not any(_is_same(issuer, each) for each in path[1:])
            if is_new and self._is_link(last, issuer):
                yield from self._extend((*path, issuer))

    def _candidates(self, paper: Paper) -> list[Paper]:
        """Return who may have issued a certificate, by name: anchors first, the likely before the unlikely."""
        return sorted(
            self._by_name.get(paper.issuer, ()),
            key=lambda each: (each.certificate not in self._anchors, _names_other(paper, each), not self._is_now(each)),
        )

    def _is_now(self, paper: Paper) -> bool:
        return paper.begin <= self._now <= paper.end

    def _is_link(self, paper: Paper, issuer: Paper) -> bool:
        pair = (paper.certificate, issuer.certificate)
        if pair not in self._tried:
            if len(self._tried) >= LINKS_MOST:
                self.is_exhausted = True
                return False
            self._tried[pair] = is_signed(paper.certificate, paper.fields, issuer.key, issuer.fields.key)
        return self._tried[pair]


def _is_same(one: Paper, other: Paper) -> bool:
    return one.subject == other.subject and one.fields.key == other.fields.key


def _names_other(paper: Paper, issuer: Paper) -> bool:
    """Whether a certificate says that another key signed it than this issuer says is its own."""
    named, own = paper.find(x509.AuthorityKeyIdentifier), issuer.find(x509.SubjectKeyIdentifier)
    return named is not None and own is not None and named.value.key_identifier not in {None, own.value.digest}
