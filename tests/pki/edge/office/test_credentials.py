"""The server keys come out of the authority matching their certificates, and leave no trace on the disk."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from pki.certificate import read_certificates
from pki.edge import calls
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


@pytest.fixture
def credentials(tmp_path: Path) -> calls.Credentials:
    """What a listener fetches."""

    async def story(desk: Desk) -> calls.Credentials:
        return await desk.ask(calls.FetchCredentials(), calls.Credentials)

    return at_the_desk(make_home(tmp_path), story)


def test_each_key_belongs_to_its_chain(credentials: calls.Credentials) -> None:
    """Leaf and issuing authority, no root (A02.FR.16 counts every certificate sent)."""
    for chain, key in (
        (credentials.ecdsa_chain, credentials.ecdsa_key),
        (credentials.rsa_chain, credentials.rsa_key),
    ):
        leaf, issuer = read_certificates(chain)
        private = serialization.load_pem_private_key(key.encode(), None)
        assert leaf.public_key() == private.public_key()
        leaf.verify_directly_issued_by(issuer)


def test_a_tls_listener_takes_them(credentials: calls.Credentials, tmp_path: Path) -> None:
    """Both kinds in one context, as a listener of ours has them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, chain, key in (
        ("ecdsa", credentials.ecdsa_chain, credentials.ecdsa_key),
        ("rsa", credentials.rsa_chain, credentials.rsa_key),
    ):
        (tmp_path / name).write_text(chain + key)
        context.load_cert_chain(tmp_path / name)


def test_no_key_in_clear_is_in_the_home(credentials: calls.Credentials, tmp_path: Path) -> None:
    """They were decrypted in memory alone."""
    body = credentials.ecdsa_key.splitlines()[1].encode()
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert all(body not in path.read_bytes() for path in files)
