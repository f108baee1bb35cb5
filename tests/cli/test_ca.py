"""Our authorities and the trust list by command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from cli.demo.papers import make_ca

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """Somebody else's root."""
    path = tmp_path / "stranger.pem"
    path.write_bytes(make_ca("Maker", "Maker Root").pem())
    return str(path)


def test_our_authorities_are_listed_root_first(bollard: Bollard) -> None:
    """The names are what ``show`` and ``export`` take."""
    names = [row["name"] for row in bollard("-o", "json", "ca", "list").rows("issuers")]

    assert names[0] == "root"
    assert {"csms", "station"} <= set(names)


def test_a_root_is_exported_for_stations(bollard: Bollard, tmp_path: Path) -> None:
    """The same PEM on stdout and in a file."""
    printed = bollard("ca", "export", "root").out
    bollard("ca", "export", "root", "--out", str(tmp_path / "root.pem"))

    assert (
        x509.load_pem_x509_certificate(printed.encode()).subject.rfc4514_string()
        == "CN=Bollard Root CA,O=Test Charging"
    )
    assert (tmp_path / "root.pem").read_text().strip() == printed.strip()


def test_an_authority_is_shown_with_its_certificate(bollard: Bollard) -> None:
    """All there is to know of it."""
    assert str(bollard("-o", "json", "ca", "show", "station").json()["pem"]).startswith("-----BEGIN")
    assert bollard("ca", "show", "nosuch").code == 4


def test_trust_is_given_and_taken_back(bollard: Bollard, stranger: str) -> None:
    """By purpose, and by a beginning of the key's id."""
    assert bollard("ca", "trust", "add", stranger, "--purpose", "firmware", "--vendor", "Maker").code == 0
    (row,) = bollard("-o", "json", "ca", "trust", "list").rows("anchors")
    assert (row["purpose"], row["vendor"], row["subject"]) == ("firmware", "Maker", "CN=Maker Root,O=Maker")

    assert bollard("ca", "trust", "remove", str(row["key_id"])[:16], "--purpose", "firmware").code == 0
    assert bollard("-o", "json", "ca", "trust", "list").rows("anchors") == []


def test_a_firmware_root_needs_its_vendor(bollard: Bollard, stranger: str) -> None:
    """No manufacturer signs for another."""
    assert bollard("ca", "trust", "add", stranger, "--purpose", "firmware").code == 2


def test_what_is_no_certificate_is_not_trusted(bollard: Bollard, tmp_path: Path) -> None:
    """Not even in a dry run."""
    (tmp_path / "x").write_text("hello")

    assert bollard("--dry-run", "ca", "trust", "add", str(tmp_path / "x"), "--purpose", "station").code == 2
