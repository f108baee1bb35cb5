"""A command is killed in the middle of its work; the next start of the authority puts everything in order.

Without a running authority a command is the authority for one question, so it can die in the middle of signing; see
``test_no_signature_without_a_row`` for every step of that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from pki.edge import calls
from pki.edge.asking import ask_once
from tests.stories import kernel
from tests.worlds import Manufacturer, Paper, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home

LONG_TO_COPY = 2 * 1024**3  # bytes, all zeros and none of them on the disk


def bollard(home: Home, *words: object, crash_at: str = "") -> subprocess.Popen[bytes]:
    """Start a command."""
    argv = [sys.executable, "-m", "bollard", "--home", str(home.path), *map(str, words)]
    return subprocess.Popen(argv, env={**os.environ, "BOLLARD_CRASH_AT": crash_at}, stderr=subprocess.DEVNULL)


def test_an_image_whose_import_was_killed_does_not_stay_in_quarantine(tmp_path: Path) -> None:
    """It would lie there for ever, up to 4 GiB each time."""
    home, maker = make_home(tmp_path), Manufacturer.named("Volta")
    ask_once(home, maker.trust, calls.Done)
    image, signature, certificate = (tmp_path / name for name in ("image.bin", "image.sig", "signer.pem"))
    signature.write_text(maker.sign(b"another image"))
    certificate.write_text(maker.signer.pem)
    with image.open("wb") as file:
        file.truncate(LONG_TO_COPY)
    what = ("--vendor", "Volta", "--model", "Wall", "--version", "1")
    proof = ("--signature", signature, "--certificate", certificate)
    with bollard(home, "firmware", "import", image, *what, *proof) as command:
        [copy] = kernel.until("copying has begun", lambda: list(home.quarantine.iterdir()))
        command.kill()
    assert copy.exists()

    with running_authority(home):
        assert list(home.quarantine.iterdir()) == []
        assert ask_once(home, calls.ListReleases(), calls.Releases).releases == ()


def test_a_certificate_whose_issuing_command_was_killed_is_abandoned_and_in_nobodys_hands(tmp_path: Path) -> None:
    """No file was written, the ledger says what became of it, and the same request is good a second time."""
    home, paper = make_home(tmp_path), Paper.of(1)
    ask_once(home, paper.add, calls.StationAdded)
    (tmp_path / "station.csr").write_text(paper.csr)
    words = ("cert", "issue", "--station", paper.identity, "--csr", tmp_path / "station.csr", "--out")
    with bollard(home, *words, tmp_path / "first.pem", crash_at="issue.signed") as command:
        assert command.wait(kernel.SECONDS) == -signal.SIGKILL
    with running_authority(home), bollard(home, *words, tmp_path / "second.pem") as command:
        assert command.wait(kernel.SECONDS) == 0
    held = ask_once(home, calls.ListCertificates(station=paper.identity), calls.Certificates).certificates

    assert sorted(row.status for row in held) == ["abandoned", "valid"]
    assert not (tmp_path / "first.pem").exists()
    assert (tmp_path / "second.pem").exists()
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)
