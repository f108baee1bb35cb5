"""What cannot be read: by which exceptions the library says so, and the touch that makes it say so at once.

The library reads most of a paper when it is first asked about it. Whoever takes a stranger's paper touches all of it at
the door, so that what cannot be read is found there, and never while somebody else is at work with it.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pki.dn import compared, read_plain

UNREADABLE: Final = (
    ValueError,
    TypeError,  # a name with a value of a kind that its attribute does not have
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""All that the library raises over bytes that are not what they say; whoever reads a stranger's paper catches these."""

NAMES_MOST: Final = 256  # remembered at a time; a stranger's request has 4 kB at most

_READ: Final[set[bytes]] = set()
"""Names that could be read: an authority's stands in all that it signs, a station's in its request and below it."""


def touch(paper: x509.Certificate | x509.CertificateSigningRequest) -> None:
    """Read everything of a paper that the library would read later. Raises one of ``UNREADABLE``."""
    paper.public_key()
    touch_name(paper.subject)
    if isinstance(paper, x509.Certificate):
        touch_name(paper.issuer)
        _ = paper.extensions, paper.not_valid_before_utc, paper.not_valid_after_utc
    else:
        _ = paper.attributes  # of what is asked for nothing is taken over, so it need not be understood


def touch_name(name: x509.Name) -> None:
    """Read a name, and hold it against the form that names have (``pki.dn``). Raises one of ``UNREADABLE``."""
    written = name.public_bytes()
    if written in _READ or read_plain(written):
        return
    name.rfc4514_string()
    compared(written)
    if len(_READ) >= NAMES_MOST:
        _READ.clear()
    _READ.add(written)
