"""``bollard init`` makes a home that is closed to others, once."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from cli.main import run
from cli.words import KEY_KIND, PADDING
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.home import Home
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


def made(home: Path) -> dict[str, object]:
    """Everything that a home has, in the words of a dry run; times of certificates by their length."""
    folders = {f"{path.relative_to(home)}/": path for path in home.rglob("*") if path.is_dir()}
    files = {str(path.relative_to(home)): path for path in home.rglob("*") if path.is_file()}
    papers = {path.stem: x509.load_pem_x509_certificate(path.read_bytes()) for path in (home / "ca").glob("*.pem")
              if path.name != "audit.pub.pem"}  # fmt: skip
    requests = {path.stem: x509.load_pem_x509_csr(path.read_bytes()) for path in (home / "ca").glob("*.csr")}
    names = {each.subject: name for name, each in papers.items()}
    entry = json.loads(ask_once(Home.at(home), calls.ListAudit(0, 1), calls.AuditRows).rows[0].entry)
    return {
        "keys": {unnumbered(name): facts for name, facts in entry["what"]["key_facts"].items()},
        "certificates": {
            name: (
                each.subject.rfc4514_string(),
                "" if each.issuer == each.subject else names[each.issuer],
                each.not_valid_after_utc - each.not_valid_before_utc,
            )
            for name, each in papers.items()
        },
        "requests": {name: each.subject.rfc4514_string().partition(",")[0] for name, each in requests.items()},
        "files": {
            unnumbered(name): f"{path.stat().st_mode & 0o7777:04o}" for name, path in {**folders, **files}.items()
        },
        "settings": (home / "bollard.toml").read_text(),
    }


def unnumbered(name: str) -> str:
    """A key for assertions is named after the second it was made in."""
    return re.sub(r"assertion-\d+", "assertion-N", name)


def told(said: dict[str, Any]) -> dict[str, object]:
    """What a dry run says, in the same words."""
    span = {
        name: dt.datetime.fromisoformat(each["not_after"]) - dt.datetime.fromisoformat(each["not_before"])
        for name, each in said["certificates"].items()
    }
    return {
        "keys": {unnumbered(name): facts for name, facts in said["keys"].items()},
        "certificates": {
            name: (each["subject"], each["issuer"], span[name]) for name, each in said["certificates"].items()
        },
        "requests": {name: f"CN={common_name}" for name, common_name in said["requests"].items()},
        "files": {unnumbered(name): mode for name, mode in said["files"].items()},
        "settings": said["settings"],
    }


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--offline-root",),
        ("--ca-key", "rsa-2048", "--ca-padding", "pss", "--status-url", ""),
        ("--public-url", "https://fw.example.org/b"),
    ],
    ids=lambda options: " ".join(options) or "plain",
)
@pytest.mark.parametrize("passphrase", ["", "correct horse battery"], ids=["no passphrase", "a passphrase"])
def test_a_dry_run_tells_exactly_what_is_made(
    options: tuple[str, ...], passphrase: str, tmp_path: Path, bollard: Bollard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys with kind and place, certificates with names and lifetime, every file and folder with its mode."""
    monkeypatch.setenv("BOLLARD_PASSPHRASE", passphrase)
    words = ("--home", str(tmp_path / "h"), "init", "--org", "Test", "--csms-host", "csms.example.org", *options)
    said = bollard("-o", "json", "--dry-run", *words).json()
    assert not (tmp_path / "h").exists()
    assert bollard(*words).code == 0
    listed = made(tmp_path / "h")

    assert told(said) == listed


def test_a_dry_run_refuses_what_the_real_one_would(tmp_path: Path, bollard: Bollard, home: Path) -> None:
    """A home that is there, a folder with other things, keys that cannot be; and for people each thing has a line."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("years of work")
    words = ("init", "--org", "Test", "--csms-host", "localhost")

    assert bollard("--dry-run", *words).code == 7
    assert home.exists()
    assert bollard("--home", str(tmp_path / "thesis"), "--dry-run", *words).code == 7
    fresh = ("--home", str(tmp_path / "h"), "--dry-run", *words)
    assert bollard(*fresh, "--ca-padding", "pss").code == 2
    lines = bollard(*fresh).out.splitlines()
    assert any(line.startswith("certificates root") and "by itself" in line for line in lines)
    assert [line.split()[-1] for line in lines if line.startswith("files keys/root.pem")] == ["0600"]


def test_an_address_is_no_host_name(bollard: Bollard, tmp_path: Path) -> None:
    """A00.FR.510 wants the name that stations dial."""
    assert bollard("--home", str(tmp_path / "h"), "init", "--org", "Test", "--csms-host", "127.0.0.1").code == 2
