"""What a TLS listener presents, as another TLS library sees it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from pathlib import Path

_END = "-----END CERTIFICATE-----\n"


def chain(port: int, root: Path, *options: str) -> list[x509.Certificate]:
    """Shake hands as ``openssl s_client`` does, trusting one root alone; the chain that came, leaf first."""
    where = ["-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-verify_hostname", "localhost"]
    trust = ["-CAfile", str(root), "-verify_return_error", "-showcerts"]
    done = subprocess.run(
        ["openssl", "s_client", *where, *trust, *options], input="", capture_output=True, text=True, check=False
    )
    assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
    sent = done.stdout.partition("Certificate chain")[2].partition("Server certificate")[0]
    parts = [part for part in sent.split(_END) if "-----BEGIN" in part]
    return [x509.load_pem_x509_certificate(f"{part[part.index('-----BEGIN') :]}{_END}".encode()) for part in parts]


def serial(port: int, root: Path) -> str:
    """The serial of the leaf that a listener presents."""
    return f"{chain(port, root)[0].serial_number:x}"
