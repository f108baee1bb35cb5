"""Reads from a certificate's bytes how its parts are written, which the library, having understood them, does not say.

Nothing is judged here. A certificate that the library could read has this shape; where it has not, ``ValueError``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from pki.der import Box, read_box, read_boxes
from pki.recall import of_the_last

if TYPE_CHECKING:
    from cryptography import x509

_VERSION: Final = 0xA0  # the explicit tag of a version, which stands first where it stands at all


class RawForm(NamedTuple):
    """How a certificate is written."""

    body: bytes
    """All that is signed."""
    version: bytes
    """The version, whole; nothing where it is left out."""
    inner_algorithm: bytes
    """The signature's algorithm as it stands in what is signed ..."""
    outer_algorithm: bytes
    """... and beside the signature."""
    times: tuple[int, ...]
    """The tags of beginning and end."""
    issuer: bytes
    """The issuer's name, whole ..."""
    subject: bytes
    """... and the subject's."""
    key: bytes
    """The certified key, whole."""
    behind: tuple[Box, ...]
    """What stands behind the key: the extensions, where there are any."""
    length: int
    """How many bytes the whole of it takes in DER."""

    @property
    def names(self) -> tuple[Box, ...]:
        """The value of every attribute of both names."""
        return *_attributes(self.issuer), *_attributes(self.subject)


@of_the_last  # the rules for the form ask of one certificate in a row
def read_form(certificate: x509.Certificate) -> RawForm:
    """Read how a certificate is written."""
    der = certificate.public_bytes(Encoding.DER)
    body, outer, _ = read_box(der).boxes()
    parts = body.boxes()
    version = parts.pop(0).raw if parts[0].tag == _VERSION else b""
    _, inner, issuer, (_, times, _), subject, key, *behind = parts
    return RawForm(
        body.raw,
        version,
        inner.raw,
        outer.raw,
        tuple(time.tag for time in read_boxes(times)),
        issuer.raw,
        subject.raw,
        key.raw,
        tuple(behind),
        len(der),
    )


@lru_cache(maxsize=64)  # an authority's name stands in every certificate below it
def _attributes(name: bytes) -> tuple[Box, ...]:
    """A name is a sequence of sets of attributes, each an identifier and a value (RFC 5280 4.1.2.4)."""
    return tuple(attribute.boxes()[1] for group in read_box(name).boxes() for attribute in group.boxes())
