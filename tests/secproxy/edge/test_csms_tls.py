"""Our TLS towards a CSMS: files that cannot be used are named, files that change are taken over."""

from __future__ import annotations

import errno
import os
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from pki.errors import InputError
from secproxy.edge.csms_tls import CsmsTls
from secproxy.upstreams import Upstream, UpstreamConfig
from tests.secproxy.edge.doors import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTY = ROOT.issue("Bollard")


def named(folder: Path) -> Upstream:
    """A CSMS with a CA and a certificate of ours, in files."""
    for name, text in (("ca.pem", ROOT.pem), ("us.pem", PARTY.pem), ("us.key", PARTY.key_pem)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    ca, ours, key = (str(folder / name) for name in ("ca.pem", "us.pem", "us.key"))
    url = UpstreamConfig("h", 443, "", secure=True)
    return Upstream("csms", (url,), ca_file=ca, client_certificate=ours, client_key=key)


def test_the_named_ca_alone_is_believed(tmp_path: Path) -> None:
    """Not the system's; names are checked."""
    context = CsmsTls(named(tmp_path)).current()
    assert context is not None
    assert context.cert_store_stats()["x509"] == 1
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_without_wss_there_is_no_tls(tmp_path: Path) -> None:
    """And none is needed."""
    assert CsmsTls(Upstream("csms", (UpstreamConfig("h", 80, "", secure=False),))).current() is None


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda folder: (folder / "us.key").chmod(0o640), id="a key that others may read"),
        pytest.param(lambda folder: (folder / "us.key").unlink(), id="no key"),
        pytest.param(lambda folder: (folder / "ca.pem").write_text("x"), id="no CA"),
        pytest.param(lambda folder: (folder / "us.pem").write_text(ROOT.pem), id="another key's certificate"),
        pytest.param(lambda folder: (folder / "us.key").write_bytes(locked()), id="an encrypted key"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """At the start the error ends it; nobody is asked for a password on the terminal."""
    upstream = named(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError) as refused:
        CsmsTls(upstream)
    assert refused.value.code == "upstream.file"
    assert "'csms'" in refused.value.cause


def test_a_file_that_the_fence_keeps_away_is_told_with_what_brings_it_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's fence is never widened, so no correction of the settings would help."""

    def refuse(**_: object) -> ssl.SSLContext:
        raise PermissionError(errno.EACCES, "Permission denied")

    upstream = named(tmp_path)
    monkeypatch.setattr(ssl, "create_default_context", refuse)
    with pytest.raises(InputError, match="may not be read by workers") as refused:
        CsmsTls(upstream)
    assert refused.value.code == "upstream.file"
    assert "bollard upgrade" in refused.value.advice


def locked() -> bytes:
    """The key under a password."""
    return PARTY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def test_a_file_that_changes_is_taken_over_and_a_bad_one_complained_of_once(tmp_path: Path) -> None:
    """Renewed certificates need no restart; while a file is bad the former ones hold."""
    tls = CsmsTls(named(tmp_path))
    first = tls.current()
    assert tls.current() is first
    renewed = ROOT.issue("Bollard again")
    replace(tmp_path / "us.key", renewed.key_pem)
    with pytest.raises(InputError):  # it does not fit the certificate, which is not there yet
        tls.current()
    assert tls.current() is first
    replace(tmp_path / "us.pem", renewed.pem)
    assert tls.current() is not first


def replace(path: Path, text: str) -> None:
    """Put another file in the place of one, as certbot does."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.chmod(0o600)
    os.replace(beside, path)  # noqa: PTH105 - one call, and atomic
