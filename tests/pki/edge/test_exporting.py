"""An export is made page by page from a log that goes on growing, and proofs made from it are the authority's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.checkpoint import read_public_key
from pki.edge import calls, exporting
from pki.edge.asking import conversation
from pki.errors import InputError, RefusedError
from pki.export import read_header, verify_export
from tests.worlds import Paper, make_home, running_authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pki.edge.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a few more entries."""
    made = make_home(tmp_path)
    with conversation(made) as ask:
        ask(Paper.of(1).add, calls.StationAdded)
        ask(calls.MakeCheckpoint(), calls.Checkpoint)
        ask(Paper.of(2).add, calls.StationAdded)
    return made


def write(home: Home, path: Path, first: int = 0) -> calls.AuditDescribed:
    """Export the log."""
    with conversation(home) as ask:
        return exporting.write_export(ask, path, first, replace=False)


@pytest.mark.parametrize("first", [0, 13, 15])
def test_an_export_of_several_pages_verifies_under_the_home_s_key(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Whole or in part, with nothing but the file and the key."""
    monkeypatch.setattr(exporting, "PAGE", 2)
    written = write(home, tmp_path / "export", first)
    key = read_public_key((home.ca / "audit.pub.pem").read_text())
    found = verify_export(exporting.lines_of(tmp_path / "export"), key)
    assert (found.first, found.size, found.checkpoints) == (first, written.size, written.checkpoints)


def test_a_log_that_grows_meanwhile_is_exported_as_it_was_signed(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came later is for the next export."""
    monkeypatch.setattr(exporting, "PAGE", 4)
    with running_authority(home), conversation(home) as ask, conversation(home) as other:
        told: list[int] = []

        def grow(done: int, _: int) -> None:
            told.append(done)
            other(Paper.of(10 + done).add, calls.StationAdded)
            other(calls.MakeCheckpoint(), calls.Checkpoint)

        written = exporting.write_export(ask, tmp_path / "export", 0, replace=False, tell=grow)
    assert told == [0, 4, 8, 12, 15]
    assert verify_export(exporting.lines_of(tmp_path / "export")).size == written.size == 15


@pytest.mark.parametrize("call", [calls.ProveEntry(4), calls.ProveGrowth("older")], ids=["of an entry", "of growth"])
def test_a_proof_from_the_export_is_the_authority_s_own(
    home: Home, tmp_path: Path, call: calls.ProveEntry | calls.ProveGrowth
) -> None:
    """Byte for byte."""
    write(home, tmp_path / "export")
    with conversation(home) as ask:
        older = ask(calls.ListCheckpoints(limit=1), calls.Checkpoints).checkpoints[0].text
        asked = call if isinstance(call, calls.ProveEntry) else calls.ProveGrowth(older)
        proved = ask(asked, calls.AuditProof).text
    assert exporting.prove_from(tmp_path / "export", asked) == proved


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text.replace(b"CP-001", b"CP-666"), r"audit\.(inclusion|consistency)"),
        (lambda text: text[:-1], "cut off"),
        (lambda text: b"\n".join(text.split(b"\n")[:9]) + b"\n", r"audit\.broken"),
    ],
    ids=["edited", "cut in a line", "cut between lines"],
)
def test_no_proof_is_made_from_a_spoilt_export(
    home: Home, tmp_path: Path, spoil: Callable[[bytes], bytes], says: str
) -> None:
    """It is checked before it is handed out."""
    write(home, tmp_path / "export")
    (tmp_path / "export").write_bytes(spoil((tmp_path / "export").read_bytes()))
    with pytest.raises((RefusedError, InputError), match=says):
        exporting.prove_from(tmp_path / "export", calls.ProveEntry(13))


def test_a_part_of_the_log_has_its_header_and_makes_no_proofs(home: Home, tmp_path: Path) -> None:
    """What came before would be needed."""
    write(home, tmp_path / "export", 13)
    assert read_header(exporting.lines_of(tmp_path / "export")).first == 13
    with pytest.raises(InputError, match=r"audit\.export_part"):
        exporting.prove_from(tmp_path / "export", calls.ProveEntry(13))
