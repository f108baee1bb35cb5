"""``bollard init`` makes a home that is closed to others, once."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from cli.main import run
from cli.words import KEY_KIND, PADDING
from pki.strength import EXPERIMENTAL, KeyKind, Padding

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def test_a_new_home_is_readable_by_its_owner_alone(made_home: Path) -> None:
    """Folders 0700, files 0600."""
    modes = {path.stat().st_mode & 0o077 for path in [made_home, *made_home.rglob("*")]}

    assert modes == {0}


def test_a_generated_passphrase_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lies beside the keys it protects, and that is said aloud."""
    assert run(["--home", str(tmp_path / "h"), "init", "--org", "Test", "--csms-host", "localhost"]) == 0
    assert "WARNING" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "http://csms.example.org:8480"),
        (("--public-url", "https://fw.example.org/b"), "http://fw.example.org:8480"),
        (("--public-url", "https://[2001:db8::1]:8440"), "http://[2001:db8::1]:8480"),
        (("--public-url", "https://fw.example.org", "--status-url", "http://pki.example.org:80"), "http://pki.example.org:80"),
        (("--status-url", ""), ""),
    ],
)  # fmt: skip
def test_where_status_is_found_is_chosen_before_the_first_certificate(
    tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    """It stands in each, and the first are made here (RFC 5280 4.2.1.13)."""
    home = tmp_path / "h"
    words = ("init", "--org", "Test", "--csms-host", "csms.example.org", *options)
    assert run(["--home", str(home), *words]) == 0
    server = x509.load_pem_x509_certificate((home / "ca" / "server-ecdsa.pem").read_bytes())
    pointers = [each.value for each in server.extensions if isinstance(each.value, x509.CRLDistributionPoints)]
    urls = [name.value for points in pointers for point in points for name in point.full_name or ()]

    assert tomllib.loads((home / "bollard.toml").read_text())["web"]["status_url"] == expected
    assert [url.partition("/crl/")[0] for url in urls] == [expected] * bool(expected)


def test_an_address_that_cannot_stand_in_certificates_is_refused(tmp_path: Path, bollard: Bollard) -> None:
    """Status over https would need what it is to give (RFC 5280 8)."""
    words = ("init", "--org", "Test", "--csms-host", "localhost", "--status-url", "https://localhost:1")
    told = bollard("--home", str(tmp_path / "h"), *words)

    assert (told.code, "settings.status_url" in told.err) == (2, True)


def test_a_home_is_never_made_twice(bollard: Bollard) -> None:
    """A second ``init`` would lose every key."""
    told = bollard("init", "--org", "Test", "--csms-host", "localhost")

    assert told.code == 7
    assert "error[home.exists]" in told.err


def test_the_kinds_on_offer_are_all_that_need_no_switch() -> None:
    """The words of the command line are those of the core."""
    assert set(KEY_KIND.choices) == {kind.value for kind in KeyKind if kind not in EXPERIMENTAL}
    assert list(PADDING.choices) == [padding.value for padding in Padding]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--hsm-module", "/usr/lib/x.so"), "settings.hsm"),
        (("--hsm-token", "CA"), "settings.hsm"),
        (("--hsm-slot", "1"), "settings.hsm"),
        (("--ca-padding", "pss"), "key.padding"),
        (("--ca-key", "ml-dsa-44"), "usage"),
    ],
)
def test_half_a_wish_for_the_keys_is_refused(
    options: tuple[str, ...], code: str, tmp_path: Path, bollard: Bollard
) -> None:
    """A token needs module and label, PSS needs RSA."""
    told = bollard("--home", str(tmp_path / "h"), "init", "--org", "Test", "--csms-host", "localhost", *options)

    assert told.code == 2
    assert f"error[{code}]" in told.err
    assert not (tmp_path / "h" / "bollard.toml").exists()


def test_a_dry_run_makes_no_folder(tmp_path: Path) -> None:
    """Names are checked, nothing is written."""
    assert run(["--home", str(tmp_path / "h"), "--dry-run", "init", "--org", "Test", "--csms-host", "localhost"]) == 0
    assert not (tmp_path / "h").exists()


def test_an_address_is_no_host_name(bollard: Bollard, tmp_path: Path) -> None:
    """A00.FR.510 wants the name that stations dial."""
    assert bollard("--home", str(tmp_path / "h"), "init", "--org", "Test", "--csms-host", "127.0.0.1").code == 2
