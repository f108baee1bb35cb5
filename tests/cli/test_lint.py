"""Lint by command: needs no home, tells everything at once, and its exit code is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from cli.main import run
from pki.certificate import to_pem
from pki.edge import clock
from pki.profile import CertificatePurpose
from tests.pki.papers import NOW, request
from tests.pki.specimens import SECC_ID, altered, specimen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard

STATION, SECC = CertificatePurpose.STATION, CertificatePurpose.V2G_SECC_2


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day on which the specimens were made."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def good(tmp_path: Path) -> str:
    """A sound certificate in a file."""
    path = tmp_path / "good.pem"
    path.write_text(to_pem([specimen(STATION)]))
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """A certificate with two faults in a file, in DER."""
    path = tmp_path / "bad.der"
    path.write_bytes(altered(STATION, number=5, days=(0, 30)).public_bytes(Encoding.DER))
    return str(path)


def test_no_home_is_needed(good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anybody may ask, before anything is installed."""
    assert run(["--home", str(tmp_path / "none"), "cert", "lint", good]) == 0
    assert "for station, as it seems" in capsys.readouterr().err


def test_every_finding_is_printed_and_the_exit_code_is_five(bollard: Bollard, bad: str) -> None:
    """An error refuses; the warning beside it is told as well."""
    told = bollard("cert", "lint", bad, "--purpose", "station")

    assert told.code == 5
    assert {line.split("]")[0] for line in told.out.splitlines()} == {
        "error[lint.serial", "warning[lint.short_life",
    }  # fmt: skip
    assert told.err.splitlines()[-1].startswith("next: ")


def test_programs_get_it_all_in_json(bollard: Bollard, good: str, bad: str) -> None:
    """Whether it is sound or not, on stdout."""
    (sound,) = bollard("-o", "json", "cert", "lint", good).rows("papers")
    told = bollard("-o", "json", "cert", "lint", bad)
    (broken,) = told.rows("papers")

    assert (sound["sound"], sound["findings"], sound["guessed"]) == (True, [], True)
    assert (told.code, broken["sound"]) == (5, False)
    findings = broken["findings"]
    assert isinstance(findings, list)
    assert {(each["code"], each["severity"]) for each in findings} == {
        ("lint.serial", "error"), ("lint.short_life", "warning"),
    }  # fmt: skip
    assert all(each["clause"] and each["says"] for each in findings)


def test_a_chain_for_cars_is_judged_by_its_edition(bollard: Bollard, tmp_path: Path) -> None:
    """The purpose in two words, or guessed."""
    path = tmp_path / "secc.pem"
    path.write_text(to_pem([specimen(SECC), specimen(CertificatePurpose.V2G_SUB2_2)]))

    assert bollard("cert", "lint", str(path)).code == 0
    assert bollard("cert", "lint", str(path), "--purpose", "v2g-secc", "--edition", "2").code == 0
    assert bollard("cert", "lint", str(path), "--purpose", "v2g-secc", "--edition", "20").code == 5


def test_a_leaf_that_outlives_its_issuer_or_has_ended_is_told(bollard: Bollard, tmp_path: Path) -> None:
    """As before every signature of ours; a chain is judged as one."""
    path = tmp_path / "chain.pem"
    for days, code in (((-1, 9_000), "lint.validity"), ((-90, -1), "lint.expired")):
        path.write_text(to_pem([altered(STATION, days=days), specimen(CertificatePurpose.ISSUING)]))
        told = bollard("cert", "lint", str(path))
        assert (told.code, f"error[{code}]" in told.out) == (5, True)


def test_a_request_is_judged_too(bollard: Bollard, tmp_path: Path) -> None:
    """Before it is brought to anybody."""
    path = tmp_path / "a.csr"
    path.write_text(request((SECC_ID,)))

    assert bollard("cert", "lint", str(path)).code == 0
    assert bollard("cert", "lint", str(path), "--purpose", "csms").code == 5


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"hello", "lint.unreadable"), (b"", "lint.unreadable"), ("größer".encode("utf-16"), "lint.unreadable"),
     (b"\x30\x82\x01\x00cut", "lint.unreadable"), (b"-" * (64 << 20), "file.too_large")],
    ids=["text", "nothing", "another encoding", "cut short", "64 MiB"],
)  # fmt: skip
def test_what_is_no_certificate_is_one_clear_error(bollard: Bollard, tmp_path: Path, content: bytes, code: str) -> None:
    """Exit code 2, no finding, no traceback."""
    (tmp_path / "x").write_bytes(content)
    told = bollard("cert", "lint", str(tmp_path / "x"))

    assert (told.code, told.out) == (2, "")
    assert told.err.startswith(f"error[{code}]")


def test_a_file_that_is_not_there_exits_with_four(bollard: Bollard, tmp_path: Path) -> None:
    """And a purpose that does not exist with two."""
    assert bollard("cert", "lint", str(tmp_path / "none")).code == 4
    assert bollard("cert", "lint", str(tmp_path / "none"), "--purpose", "toaster").code == 2
