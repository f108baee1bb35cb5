"""Chains: a path to an anchor is evidence, everything else is refused."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.chain import LINKS_MOST, Chain, Purpose, key_id, verify
from pki.errors import RefusedError
from tests.pki.papers import NOW, authority, codes, handmade, issuing, key, leaf, root

ROOT, ISSUING = root().certificate, issuing().certificate
STATION = leaf().certificate


def refused(
    leaf: x509.Certificate,
    anchors: list[x509.Certificate],
    intermediates: list[x509.Certificate] | None = None,
    purpose: Purpose = Purpose.STATION,
) -> set[str]:
    """Verify what must be refused, and return the codes of why."""
    with pytest.raises(RefusedError) as refusal:
        verify(leaf, anchors, intermediates or [], purpose, NOW)
    assert refusal.value.code == "chain.refused"
    return codes(refusal.value)


def test_a_good_chain_is_returned_as_evidence() -> None:
    """Leaf first, anchor last."""
    chain = verify(STATION, [ROOT], [ISSUING], Purpose.STATION, NOW)

    assert chain == Chain((STATION, ISSUING, ROOT), Purpose.STATION, ())
    assert chain.anchor == ROOT


def test_an_intermediate_may_be_the_anchor() -> None:
    """Whoever trusts the issuing authority needs no root (partial chain, M05.FR.09)."""
    assert verify(STATION, [ISSUING], [], Purpose.STATION, NOW).anchor == ISSUING


def test_the_order_of_intermediates_does_not_matter() -> None:
    """Unrelated certificates among them do not either."""
    stranger = handmade("Other", key("p256", "x"), "Other", key("p256", "x"), *authority())

    assert verify(STATION, [ROOT], [stranger, ROOT, ISSUING, ISSUING], Purpose.STATION, NOW).anchor == ROOT


def test_no_anchors_trust_nobody() -> None:
    """Empty means no, and the certificate's other faults are told with it."""
    assert refused(STATION, [], [ISSUING, ROOT]) == {"chain.untrusted"}


def test_a_missing_intermediate_is_untrusted() -> None:
    """A station that leaves out its issuer cannot be placed."""
    assert refused(STATION, [ROOT]) == {"chain.untrusted"}


def test_a_root_of_the_same_name_is_not_the_root() -> None:
    """Names prove nothing; signatures do."""
    impostor = handmade("Example Root", key("p384", "impostor"), "Example Root", key("p384", "impostor"), *authority())
    false = handmade("X", key("p256", "x"), ROOT, key("p384", "impostor"))

    assert refused(false, [ROOT]) == {"chain.untrusted"}
    assert refused(STATION, [impostor], [ISSUING]) == {"chain.untrusted"}


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448"])
def test_authorities_of_every_kind_are_verified(kind: str) -> None:
    """Whatever key signed, the signature is checked and found good."""
    holder = key(kind, "ca")
    above = handmade("CA", holder, "CA", holder, *authority())

    assert verify(handmade("SN", key(), above, holder), [above], [], Purpose.STATION, NOW).anchor == above


def test_of_two_paths_the_one_without_faults_is_taken() -> None:
    """While roots are exchanged, an expired link beside a good one harms nobody."""
    old_root = handmade("Old", key("p256", "old"), "Old", key("p256", "old"), *authority())
    above, below = key("p256", "new"), key("p256", "ca")
    new_root = handmade("New", above, "New", above, *authority())
    link = handmade("New", above, old_root, key("p256", "old"), *authority(), days=(-9, -1))
    middle = handmade("CA", below, new_root, above, *authority())
    station = handmade("SN", key(), middle, below)

    chain = verify(station, [old_root, new_root], [link, middle], Purpose.STATION, NOW)

    assert chain.anchor == new_root


def test_a_revoked_certificate_is_refused_by_issuer_and_serial() -> None:
    """Either form of the list is asked; the same serial of another issuer is another certificate."""
    listed = (key_id(ISSUING), STATION.serial_number)

    for revoked in (frozenset({listed}), lambda issuer, serial: (issuer, serial) == listed):
        with pytest.raises(RefusedError) as refusal:
            verify(STATION, [ROOT], [ISSUING], Purpose.STATION, NOW, revoked=revoked)
        assert codes(refusal.value) == {"chain.revoked"}
    other = frozenset({(key_id(ROOT), STATION.serial_number)})
    assert verify(STATION, [ROOT], [ISSUING], Purpose.STATION, NOW, revoked=other).anchor == ROOT


def test_a_revoked_intermediate_is_refused_too() -> None:
    """Everything below the anchor is asked about."""
    revoked = frozenset({(key_id(ROOT), ISSUING.serial_number)})

    with pytest.raises(RefusedError) as refusal:
        verify(STATION, [ROOT], [ISSUING], Purpose.STATION, NOW, revoked=revoked)

    assert codes(refusal.value) == {"chain.revoked"}


def test_the_caller_may_ask_for_a_shorter_path() -> None:
    """One certificate above the leaf, here, and there are two."""
    with pytest.raises(RefusedError) as refusal:
        verify(STATION, [ROOT], [ISSUING], Purpose.STATION, NOW, max_depth=1)

    assert codes(refusal.value) == {"chain.depth"}


def test_a_maze_of_look_alikes_costs_no_more_than_the_limits() -> None:
    """Certificates that all issue each other end in a refusal, quickly, and the honest path is still found first."""
    holder = key("p256", "maze")
    maze = [handmade("Maze", holder, "Maze", holder, *authority(), number=n + 1) for n in range(2 * LINKS_MOST)]
    lost = handmade("SN", key(), "Maze", holder)

    assert refused(lost, [ROOT], maze) == {"chain.untrusted"}
    assert LINKS_MOST < 100


def test_an_authority_is_verified_when_nothing_else_is_asked() -> None:
    """``ANY`` asks whether the path holds, not what the leaf is for."""
    assert verify(ISSUING, [ROOT], [], Purpose.ANY, NOW).path == (ISSUING, ROOT)
    assert verify(ROOT, [ROOT], [], Purpose.ANY, NOW).path == (ROOT,)


def test_all_faults_are_told_at_once() -> None:
    """Expired, weak and unknown: three findings, one refusal."""
    bad = handmade("SN", key("rsa1024"), "Nobody", key("p256", "x"), days=(-9, -1))

    assert refused(bad, [ROOT]) == {"chain.untrusted", "chain.expired", "alg.weak"}


def test_a_signature_with_one_bit_changed_breaks_the_chain() -> None:
    """No byte of it is left unread."""
    der = bytearray(STATION.public_bytes(Encoding.DER))
    der[-1] ^= 1

    assert refused(x509.load_der_x509_certificate(bytes(der)), [ISSUING]) == {"chain.untrusted"}
