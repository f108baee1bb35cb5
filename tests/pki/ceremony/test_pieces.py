"""What is signed is known to the byte before, and what would be refused is refused before anything is made."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.ceremony.pieces import judge, pieces_below, root_piece
from pki.ceremony.signing import deterministic
from pki.ceremony.terms import NewRoot
from pki.edge.keys import throwaway_key
from pki.errors import ConflictError, RefusedError
from pki.names import CertificateSerial
from pki.services import Published
from tests.ceremonies import NAMES, Held, csr
from tests.pki.papers import codes, key

if TYPE_CHECKING:
    from pki.ceremony.terms import Ceremony

REQUESTS = {name: csr(name) for name in NAMES}


def test_the_pieces_come_in_order_and_are_signed_as_intended(held: Held) -> None:
    """Authorities as the file lists them, the list at the end; the same bytes twice."""
    root, signer = held.done.root, deterministic(key("p384", "any"))
    ceremony = held.done.ceremony
    assert isinstance(ceremony.root, NewRoot)
    first = root_piece(ceremony, ceremony.root, signer.public_key())
    again = root_piece(ceremony, ceremony.root, signer.public_key())
    keys = judge(ceremony, REQUESTS, root, throwaway_key)
    pieces = list(pieces_below(ceremony, keys, root, throwaway_key))

    assert [(piece.kind, piece.name) for piece in pieces] == [
        ("certificate", "csms"),
        ("certificate", "station"),
        ("crl", "root"),
    ]
    assert first.sign(signer) == again.sign(signer)
    with pytest.raises(ConflictError, match=r"issue\.spent"):
        first.sign(signer)


def test_a_piece_is_signed_by_the_root_s_key_alone(held: Held) -> None:
    """Another key is noticed, in a certificate and in the list."""
    keys = judge(held.done.ceremony, REQUESTS, held.done.root, throwaway_key)
    for piece in pieces_below(held.done.ceremony, keys, held.done.root, throwaway_key):
        with pytest.raises(RefusedError):
            piece.sign(key("p384", "other"))


def test_every_reason_against_a_ceremony_is_told_at_once(held: Held) -> None:
    """A serial that is too short, a request that is missing."""
    ceremony = held.done.ceremony
    short = dataclasses.replace(ceremony.certificates[0], serial=CertificateSerial(7))
    wrong = dataclasses.replace(ceremony, certificates=(short, *ceremony.certificates[1:]))
    with pytest.raises(RefusedError) as refusal:
        judge(wrong, {"csms": csr("csms")}, key("p384", "stand-in"), throwaway_key)

    assert refusal.value.code == "ceremony.refused"
    assert codes(refusal.value) >= {"ceremony.request", "lint.serial"}


def test_what_the_root_signs_says_where_its_list_is_found(held: Held) -> None:
    """RFC 5280 4.2.1.13 and 4.2.2.1; a ceremony that is silent writes neither, and nothing ever of OCSP."""
    where = Published.at_home("http://csms.example.org:8480", "root")
    silent = held.done.ceremony
    keys = judge(silent, REQUESTS, held.done.root, throwaway_key)

    def urls(ceremony: Ceremony) -> list[set[str]]:
        pieces = list(pieces_below(ceremony, keys, held.done.root, throwaway_key))[:-1]
        return [set(re.findall(r"http://[a-z0-9.:/]+\.cr[lt]", piece.tbs.decode("latin-1"))) for piece in pieces]

    assert urls(silent) == [set(), set()]
    assert urls(dataclasses.replace(silent, published=where)) == [{where.list_url, where.certificate}] * 2


def test_a_root_that_has_ended_signs_nothing_more(held: Held) -> None:
    """No list of it would be valid."""
    after_end = held.done.root.not_valid_after_utc
    late = dataclasses.replace(held.done.ceremony, moment=after_end)
    with pytest.raises(RefusedError) as refusal:
        judge(late, REQUESTS, held.done.root, throwaway_key)

    assert codes(refusal.value) >= {"ceremony.list", "plan.issuer"}


def test_a_list_never_outlives_its_root(held: Held) -> None:
    """It ends with it."""
    near = held.done.root.not_valid_after_utc.replace(year=held.done.root.not_valid_after_utc.year - 1)
    late = dataclasses.replace(held.done.ceremony, moment=near, certificates=())
    late = dataclasses.replace(late, crl=dataclasses.replace(late.crl, days=1000))
    (piece,) = pieces_below(late, {}, held.done.root, throwaway_key)
    assert isinstance(held.done.root, x509.Certificate)

    assert held.done.root.not_valid_after_utc.strftime("%y%m%d").encode() in piece.tbs
