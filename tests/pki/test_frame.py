"""The frame: what is cut out of a certificate is its own, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.der import read_box
from pki.frame import Frame, cut, is_well_cut
from pki.raw_form import RawForm, read_form
from pki.unreadable import UNREADABLE
from tests.pki.papers import leaf_plan, root
from tests.pki.specimens import box, split

if TYPE_CHECKING:
    from pki.plan import Plan

SUBJECT_KEY = bytes.fromhex("301d0603551d0e04160414")
PARTS = 7  # of a certificate's body before the extensions


def form_of(der: bytes) -> RawForm | None:
    """How a certificate is written, if this is one."""
    try:
        return read_form(x509.load_der_x509_certificate(der))
    except UNREADABLE:
        return None


def framed(made: Plan) -> Frame | None:
    """The frame of what was planned."""
    return cut(read_form(made.twin()))


def with_extensions(made: Plan, row: bytes) -> RawForm:
    """What was planned with these extensions in place of its own."""
    body, algorithm, signature = split(split(made.twin().public_bytes(Encoding.DER))[0][2])
    parts = [raw for _, raw, _ in split(body[2])][:PARTS]
    whole = box(0x30, box(0x30, b"".join((*parts, box(0xA3, box(0x30, row))))) + algorithm[1] + signature[1])
    form = form_of(whole)
    assert form is not None
    return form


def extensions(made: Plan) -> bytes:
    """The extensions of what was planned, in a row."""
    return split(split(split(made.tbs)[0][2])[-1][2])[0][2]


def own(der: bytes) -> set[int]:
    """The places of a certificate that are its own: serial, validity, subject, point, digest and signature.

    The heads of their boxes are counted too where another head may be read as well.
    """
    body, _, signature = split(split(der)[0][2])
    parts = split(body[2])
    point, digest = parts[6][1][-64:], body[2].partition(SUBJECT_KEY)[2][:20]
    wholes = [parts[1][1], parts[4][1], parts[5][1], point, digest, signature[1]]
    return {at for raw in wholes for at in range(der.index(raw), der.index(raw) + len(raw))}


def test_certificates_of_one_make_have_one_frame() -> None:
    """Whoever they are for, whatever their key."""
    first, second = framed(leaf_plan()), framed(leaf_plan(common_name="SN-0002", number=7))

    assert first is not None
    assert first == second
    assert is_well_cut(first)


@pytest.mark.parametrize("flip", [0x01, 0x02, 0x20, 0x80, 0xFF])
def test_a_byte_that_is_not_a_certificate_s_own_is_in_its_frame(flip: int) -> None:
    """Any of them changed makes another frame, or none."""
    der = leaf_plan().twin().public_bytes(Encoding.DER)
    sound = form_of(der)
    assert sound is not None

    for place in set(range(len(der))) - own(der):
        changed = form_of(der[:place] + bytes([der[place] ^ flip]) + der[place + 1 :])

        assert changed is None or cut(changed) != cut(sound), place


@pytest.mark.parametrize("kind", ["rsa2048", "ed25519"])
def test_a_key_that_is_on_no_curve_makes_no_frame(kind: str) -> None:
    """How strong it is follows from all of it, so it is judged whole."""
    assert framed(leaf_plan(kind=kind)) is None


@pytest.mark.parametrize("kind", ["p256", "p384", "p521"])
def test_each_curve_has_a_frame_of_its_own(kind: str) -> None:
    """The certificates of three stations with one kind of key have one, and those of other kinds another."""
    frames = {framed(leaf_plan(kind=each)) for each in ("p256", "p384", "p521")}

    assert framed(leaf_plan(common_name="SN-2", kind=kind)) in frames
    assert len(frames - {None}) == len(frames) == 3


def test_extensions_that_do_not_name_the_key_make_no_frame() -> None:
    """Nor do those that name it by another length, nor none at all."""
    row = extensions(leaf_plan())
    short = row.replace(SUBJECT_KEY, bytes.fromhex("301d0603551d0e041604") + b"\x13")
    others = b"".join(raw for _, raw, _ in split(row) if SUBJECT_KEY not in raw)

    assert cut(with_extensions(leaf_plan(), others)) is None
    assert cut(with_extensions(leaf_plan(), short)) is None


def test_a_digest_that_is_cut_short_makes_no_frame() -> None:
    """The library reads no such certificate; that is not relied on here."""
    row = extensions(leaf_plan())
    short = read_box(box(0xA3, box(0x30, row[: row.index(SUBJECT_KEY) + 30])))

    assert cut(read_form(leaf_plan().twin())._replace(behind=(short,))) is None


def test_a_root_has_a_frame_too() -> None:
    """To judge it whole nevertheless is for others to say."""
    assert cut(read_form(root().certificate)) is not None


def test_a_digest_inside_another_extension_is_not_well_cut() -> None:
    """What looks like the extension that names the key may stand in the words of another."""
    stranger = box(0x30, bytes.fromhex("0603551d63") + box(0x04, SUBJECT_KEY + bytes(20)))

    frame = cut(with_extensions(leaf_plan(), stranger + extensions(leaf_plan())))

    assert frame is not None
    assert not is_well_cut(frame)
