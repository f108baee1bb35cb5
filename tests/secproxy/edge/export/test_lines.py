"""What a connection trusts and which secrets it has, from files that must be fit for it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from pki.errors import InputError
from secproxy.edge.export.lines import read_secret, tls_context
from secproxy.event_settings import Sink, Wanted
from tests.certs import Party

if TYPE_CHECKING:
    from pathlib import Path


def sink(**files: str) -> Sink:
    """A sink over TLS."""
    return Sink("siem", "syslog-tls", Wanted(), tls=True, **files)  # type: ignore[arg-type]  # only texts are given


def test_the_anchor_named_is_the_only_one(tmp_path: Path) -> None:
    """No root of this machine counts beside it; TLS is 1.2 at least and the name is checked."""
    root = Party.root("Collector Root")
    (tmp_path / "ca.pem").write_text(root.pem)
    context = tls_context(sink(ca_file=str(tmp_path / "ca.pem")))
    assert len(context.get_ca_certs()) == 1
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_without_an_anchor_this_machines_roots_count() -> None:
    """As for any other program."""
    context = tls_context(sink())
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_client_certificate_is_shown_when_its_key_is_private(tmp_path: Path) -> None:
    """A key that others can read is refused by name, and so is one that is missing or locked."""
    ours = Party.root().issue("client")
    (tmp_path / "c.pem").write_text(ours.pem)
    key = tmp_path / "c.key"
    key.write_text(ours.key_pem)
    shown = sink(certificate=str(tmp_path / "c.pem"), key=str(key))
    key.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        tls_context(shown)
    key.chmod(0o600)
    tls_context(shown)
    key.write_text("spoilt")
    with pytest.raises(InputError, match=r"sink\.file"):
        tls_context(shown)
    key.unlink()
    with pytest.raises(InputError, match=r"sink\.file"):
        tls_context(shown)


def test_an_anchor_that_is_none_is_told(tmp_path: Path) -> None:
    """With the sink's name."""
    (tmp_path / "ca.pem").write_text("spoilt")
    for name in ("ca.pem", "none.pem"):
        with pytest.raises(InputError, match="siem"):
            tls_context(sink(ca_file=str(tmp_path / name)))


def test_a_secret_is_a_private_file_of_some_length(tmp_path: Path) -> None:
    """Its line end is no part of it; the secret itself is in no error."""
    path = tmp_path / "secret"
    path.write_bytes(b"0123456789abcdef\r\n")
    path.chmod(0o600)
    assert read_secret(sink(), str(path), 16) == b"0123456789abcdef"
    with pytest.raises(InputError, match="less than 17") as short:
        read_secret(sink(), str(path), 17)
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        read_secret(sink(), str(path))
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_secret(sink(), str(path))
    path.mkdir(mode=0o700)
    with pytest.raises(InputError, match="cannot be read"):
        read_secret(sink(), str(path))
    assert "0123" not in str(short.value)
