"""Evidence is judged without a home, and its reader is told what the verdict rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.main import run
from tests.pki.logs import PEM, checkpoint, exported

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "/nonexistent/home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export, the log's key, and a checkpoint kept elsewhere."""
    (tmp_path / "export").write_bytes(b"\n".join(exported()) + b"\n")
    (tmp_path / "key").write_text(PEM)
    (tmp_path / "held").write_text(checkpoint(3))
    (tmp_path / "newest").write_text(checkpoint(7))
    return tmp_path


@pytest.mark.parametrize(
    ("more", "rests_on", "warned"),
    [
        ([], "itself", "only agreement with itself"),
        (["--checkpoint", "held"], "checkpoint", "rests on the checkpoints given"),
        (["--key", "key"], "key", ""),
        (["--key", "key", "--checkpoint", "held", "--checkpoint", "newest"], "key", ""),
    ],
)
def test_the_verdict_says_what_it_rests_on(
    folder: Path, capsys: pytest.CaptureFixture[str], more: list[str], rests_on: str, warned: str
) -> None:
    """A key that came with the file vouches for nobody."""
    words = [str(folder / word) if (folder / word).exists() else word for word in more]
    assert run(["--home", NOWHERE, "-o", "json", "audit", "verify", "--export", str(folder / "export"), *words]) == 0
    said = capsys.readouterr()
    assert f'"rests_on": "{rests_on}"' in said.out
    assert ("WARNING" in said.err) == bool(warned)
    assert warned in said.err


@pytest.mark.parametrize("wanted", [["2"], ["--from", "held"], ["--from", "held", "--to", "newest"]])
def test_proofs_are_made_and_checked_from_the_export_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], wanted: list[str]
) -> None:
    """By whoever has the file."""
    words = [str(folder / word) if (folder / word).exists() else word for word in wanted]
    proof = str(folder / "proof")
    assert run(["audit", "prove", *words, "--export", str(folder / "export"), "--out", proof]) == 0
    assert run(["audit", "verify", "--proof", proof]) == 0
    assert "only agreement with itself" in capsys.readouterr().err
    assert run(["-o", "json", "audit", "verify", "--proof", proof, "--key", str(folder / "key")]) == 0
    said = capsys.readouterr()
    assert ('"rests_on": "key"' in said.out, "WARNING" in said.err) == (True, False)


def test_an_altered_export_ends_with_five(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As every refused verification does."""
    whole = (folder / "export").read_bytes()
    (folder / "export").write_bytes(whole.replace(b"CP-2", b"CP-9"))
    assert run(["audit", "verify", "--export", str(folder / "export")]) == 5
    assert "audit.broken" in capsys.readouterr().err
