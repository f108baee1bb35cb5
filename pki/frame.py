"""Cuts out of a certificate what is its own, so that what is left can be recognised in the next one.

Of a station's certificate the serial, the times, the subject, the point of its key, the digest that names the key and
the signature are its own. All else, byte for byte, is its *frame*, and stands in every other one that the same issuer
signs by the same certificate profile. What is true of a frame is true of every certificate that has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pki.der import SEQUENCE, read_box, read_boxes

if TYPE_CHECKING:
    from pki.raw_form import RawForm

Frame: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
"""Version, both algorithms, issuer, how the key begins, the extensions before the digest, those behind it."""

_EXTENSIONS: Final = 0xA3  # the explicit tag of the extensions, which stand last where they stand at all
_BEFORE: Final = 4  # where in a frame the extensions stand that come before the one that names the key
_DIGEST: Final = 20  # bytes that name a key, RFC 5280 4.2.1.2 (1)
_NAMING: Final = bytes.fromhex("301d0603551d0e04160414")
"""How the extension begins that names the certificate's own key, up to the digest."""

_CURVES: Final = (
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
    bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"),
    bytes.fromhex("30819b301006072a8648ce3d020106052b810400230381860004"),
)
"""How a key on P-256, P-384 and P-521 begins, up to its point, which is written without compression (RFC 5480 2.2)."""


def cut(form: RawForm) -> Frame | None:
    """Cut the frame out of a certificate; ``None`` where it is of another make than those that come by the thousand.

    That is: a key on one of the three curves, and behind it extensions, one of which names it by 20 bytes. Two
    certificates with one frame differ in nothing but the contents of what was cut out, for DER has one way to read a
    row of boxes: where all that stands before a place is the same, the place means the same.
    """
    head = next((head for head in _CURVES if form.key.startswith(head)), b"")
    if not head or len(form.behind) != 1 or form.behind[0].tag != _EXTENSIONS:
        return None
    row = read_box(form.behind[0].content).held(SEQUENCE).content
    before, naming, after = row.partition(_NAMING)
    if not naming or len(after) < _DIGEST:
        return None
    algorithms = form.outer_algorithm + form.inner_algorithm
    return form.version, algorithms, form.issuer, head, before, after[_DIGEST:]


def is_well_cut(frame: Frame) -> bool:
    """Tell whether the digest that was cut out is all that one extension says, and no part of what another says.

    That follows from what stands before it, so it is asked once for each frame.
    """
    try:
        read_boxes(frame[_BEFORE])
    except ValueError:
        return False
    return True
