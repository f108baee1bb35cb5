"""What a handshake agreed on reads the same in every event."""

from __future__ import annotations

from secproxy.agreed import Agreed, agree


def test_the_facts_of_an_agreement_name_version_suite_and_group() -> None:
    """Whoever looks for stations without the hybrid group finds them by one word."""
    assert Agreed("TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519MLKEM768").facts() == {
        "tls": "TLSv1.3",
        "suite": "TLS_AES_128_GCM_SHA256",
        "group": "X25519MLKEM768",
    }


def test_equal_agreements_are_one_object() -> None:
    """Ten thousand connections keep three texts, not thirty thousand."""
    assert agree("TLSv1.2", "AES128-GCM-SHA256", "") is agree("TLSv1.2", "AES128-GCM-SHA256", "")
