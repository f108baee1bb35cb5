"""Firmware by command: taken in when proved, refused with the finding, never left in quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.demo.papers import make_ca, make_leaf, sign_image, subject
from cli.firmware import in_quarantine
from pki.edge.home import Home
from pki.errors import InputError
from tests.worlds import running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard

CLAIM = ("--vendor", "Maker", "--model", "M1", "--version", "2.0")


@pytest.fixture
def words(bollard: Bollard, tmp_path: Path) -> tuple[str, ...]:
    """A trusted manufacturer's image, as the words that import it."""
    maker = make_ca("Maker", "Maker Root")
    certificate, key = make_leaf(maker, subject("Maker", "Maker Firmware"), signs_code=True)
    image = bytes(range(256)) * 1000
    (tmp_path / "root.pem").write_bytes(maker.pem())
    (tmp_path / "signer.pem").write_bytes(certificate)
    (tmp_path / "image.bin").write_bytes(image)
    (tmp_path / "image.sig").write_text(sign_image(image, key))
    bollard("ca", "trust", "add", str(tmp_path / "root.pem"), "--purpose", "firmware", "--vendor", "Maker")
    proof = ("--signature", str(tmp_path / "image.sig"), "--certificate", str(tmp_path / "signer.pem"))
    return ("firmware", "import", str(tmp_path / "image.bin"), *CLAIM, *proof)


def test_a_proved_image_is_kept_and_listed(
    bollard: Bollard, words: tuple[str, ...], home: Path, tmp_path: Path
) -> None:
    """By its digest; the quarantine is empty again."""
    told = bollard("-o", "json", *words)
    (row,) = bollard("-o", "json", "firmware", "list").rows("releases")

    assert told.code == 0
    assert row["digest"] == told.json()["digest"]
    assert (row["vendor"], row["model"], row["version"], row["size"]) == ("Maker", "M1", "2.0", 256_000)
    assert row["signature"] == (tmp_path / "image.sig").read_text(), "as the CSMS is to send it"
    assert list((home / "quarantine").iterdir()) == []


def test_a_tampered_image_exits_with_five(bollard: Bollard, words: tuple[str, ...], home: Path, tmp_path: Path) -> None:
    """The finding is named, nothing is kept, nothing is left behind."""
    (tmp_path / "image.bin").write_bytes(b"x" * 1000)
    told = bollard(*words)

    assert told.code == 5
    assert "sig.bad" in told.err
    assert bollard("-o", "json", "firmware", "list").rows("releases") == []
    assert list((home / "quarantine").iterdir()) == []


def test_a_dry_run_keeps_nothing(bollard: Bollard, words: tuple[str, ...], home: Path, tmp_path: Path) -> None:
    """It says what would be asked, or why it would be refused; nothing stays."""
    assert bollard("-o", "json", "--dry-run", *words).json()["call"] == "ImportFirmware"
    image = tmp_path / "image.bin"
    image.write_bytes(image.read_bytes() + b"x")
    assert bollard("--dry-run", *words).code == 5, "judged like the real one"
    assert [path for path in (home / "vault").rglob("*") if path.is_file()] == []
    assert list((home / "quarantine").iterdir()) == []


def test_an_image_that_is_not_there_is_not_found(bollard: Bollard, words: tuple[str, ...], tmp_path: Path) -> None:
    """Exit code 4."""
    (tmp_path / "image.bin").unlink()

    assert bollard(*words).code == 4


def test_an_image_being_taken_in_outlives_the_start_of_an_authority(home: Path, tmp_path: Path) -> None:
    """An authority that starts clears the quarantine, but only of what a killed command left."""
    (tmp_path / "image.bin").write_bytes(b"image")
    with in_quarantine(Home.at(home), tmp_path / "image.bin") as name, running_authority(Home.at(home)):
        assert (home / "quarantine" / name).read_bytes() == b"image"


def test_a_file_without_end_does_not_fill_the_disk(home: Path, tmp_path: Path) -> None:
    """The bound holds while copying; the copy is gone afterwards."""
    (tmp_path / "image.bin").write_bytes(b"x" * 1_001)
    with pytest.raises(InputError, match=r"image\.size"), in_quarantine(Home.at(home), tmp_path / "image.bin", 1_000):
        pass
    assert list((home / "quarantine").iterdir()) == []
