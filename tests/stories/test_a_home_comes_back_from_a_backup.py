"""A backup is taken while the authority works, the home is lost, and life goes on elsewhere from where it stood.

Everything by the commands a person types, beside a real authority process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.home import Home
from tests.worlds import HOST, ORGANISATION, Paper, running_authority

if TYPE_CHECKING:
    from pathlib import Path


def bollard(home: Path, *words: str) -> dict[str, object]:
    """Run a command; its data."""
    command = [sys.executable, "-m", "bollard", "--home", str(home), "-o", "json", *words]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert isinstance(told, dict)
    return told


def statuses(home: Path) -> dict[str, str]:
    """Every certificate of a station, and its state."""
    rows = ask_once(Home.at(home), calls.ListCertificates(), calls.Certificates).certificates
    return {row.serial: row.status for row in rows if row.station}


def test_a_home_lives_on_from_its_backup(tmp_path: Path) -> None:
    """What was issued and revoked before the backup is there; what came after it is known to be missing."""
    home, other = tmp_path / "home", tmp_path / "elsewhere"
    bollard(home, "init", "--org", ORGANISATION, "--csms-host", HOST)
    with running_authority(Home.at(home)):
        issued = [_enrol(home, number) for number in range(4)]
        bollard(home, "cert", "revoke", issued[0], "--reason", "key_compromise")
        (tmp_path / "held").write_text(str(bollard(home, "audit", "checkpoint")["text"]))
        before = statuses(home)
        with ThreadPoolExecutor(4) as pool:
            later = pool.map(lambda number: _enrol(home, number), range(10, 18))
            made = bollard(home, "backup", str(tmp_path / "backup"), "--with-passphrase")
            issued += list(later)
        bollard(home, "audit", "export", "--out", str(tmp_path / "export"))
        newest = bollard(home, "audit", "checkpoint")
    shutil.copy(home / "ca" / "audit.pub.pem", tmp_path / "key")
    shutil.rmtree(home)

    done = bollard(other, "restore", str(tmp_path / "backup"), "--checkpoint", str(tmp_path / "held"))
    assert done["audit_size"] == made["audit_size"]
    came_back = statuses(other)
    assert came_back.keys() <= set(issued)
    assert {serial: came_back[serial] for serial in before} == before
    assert set(came_back.values()) <= {"valid", "revoked", "abandoned"}
    with running_authority(Home.at(other)):
        bollard(other, "audit", "verify", "--checkpoint", str(tmp_path / "held"))
        bollard(other, "doctor")
        _enrol(other, 90)
        assert bollard(other, "cert", "show", issued[0])["status"] == "revoked"
    (tmp_path / "newest").write_text(str(newest["text"]))
    _what_is_missing_can_be_shown(tmp_path)


def _enrol(home: Path, number: int) -> str:
    paper = Paper.of(number)
    ask_once(Home.at(home), paper.add, calls.StationAdded)
    return ask_once(Home.at(home), paper.issue, calls.CertificateIssued).certificate.serial


def _what_is_missing_can_be_shown(folder: Path) -> None:
    """From an export and a checkpoint that were kept elsewhere, without the home that made them."""
    nowhere, key = folder / "nowhere", ("--key", str(folder / "key"))
    verified = bollard(nowhere, "audit", "verify", "--export", str(folder / "export"), *key)
    assert verified["rests_on"] == "key"
    proof = str(folder / "proof")
    asked = ("--from", str(folder / "held"), "--to", str(folder / "newest"), "--export", str(folder / "export"))
    written = subprocess.run(
        [sys.executable, "-m", "bollard", "audit", "prove", *asked, "--out", proof], capture_output=True, check=True
    )
    assert written.stdout == b""
    assert bollard(nowhere, "audit", "verify", "--proof", proof, *key)["proved"] == "consistency"
