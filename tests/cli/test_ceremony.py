"""The offline root by command: plan, run, verify on one machine; import and request on the other."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from cli.ceremony import parse_moment, parse_phrase, parse_witness, typed
from cli.main import run
from pki.ceremony.terms import Witness
from pki.edge import networks
from pki.errors import InputError
from pki.services import Published
from tests.ceremonies import Held, ceremony, requests_in, waiting_home
from tests.cli.conftest import Told

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    from tests.cli.conftest import Bollard

    class Offline(Protocol):
        """The command line on the machine of the root, where there is no home."""

        def __call__(self, *words: object) -> Told:
            """Run it."""


PEOPLE = ("--witness", "Ada Example, security officer", "--witness", "Bob Example, auditor")
ASKED = {"csms": "Bollard CSMS CA", "station": "Bollard Station CA"}


@pytest.fixture
def offline(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Offline:
    """A folder as the working directory, a passphrase, and a machine that is on no network."""
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "correct horse")
    monkeypatch.setattr(networks, "ask_kernel", lambda: {"eth0": 0x1003 if (tmp_path / "cable").exists() else 0x1002})
    monkeypatch.chdir(tmp_path)

    def ask(*words: object) -> Told:
        capsys.readouterr()
        code = run(["--home", str(tmp_path / "no home"), *map(str, words)])
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return ask


@pytest.fixture
def planned(offline: Offline, tmp_path: Path) -> str:
    """A file, and the phrase that witnesses type for it."""
    requests_in(tmp_path / "requests", ASKED)
    told = offline(
        "-o", "json", "ca", "ceremony", "plan", "--org", "Example Charging", "--requests", "requests", *PEOPLE,
        "--out", "c.toml",
    )  # fmt: skip
    digest = hashlib.sha256((tmp_path / "c.toml").read_bytes()).hexdigest()
    assert told.json()["sha256"] == digest
    assert "bollard ca ceremony run c.toml --requests requests --out FOLDER" in told.err
    return digest[:8]


def confirmed(phrase: str) -> tuple[str, ...]:
    """What both witnesses type."""
    return ("--witness", f"Ada Example={phrase}", "--witness", f"Bob Example={phrase}")


def network(folder: Path) -> None:
    """Plug the machine in."""
    (folder / "cable").touch()


def test_a_ceremony_is_planned_performed_and_verified(offline: Offline, planned: str, tmp_path: Path) -> None:
    """Without a home; the digest is the same each time it is told."""
    made = offline(
        "-o",
        "json",
        "ca",
        "ceremony",
        "run",
        "c.toml",
        "--requests",
        "requests",
        "--out",
        "result",
        *confirmed(planned),
    )
    assert made.code == 0, made.err
    looked = offline("-o", "json", "ca", "ceremony", "verify", "result", "--file", "c.toml", "--with-key")

    assert looked.json() == made.json()
    assert made.json()["networks"] == []
    assert str(made.json()["digest"])[:4] in (tmp_path / "result" / "transcript.txt").read_text()


def test_a_dry_run_tells_what_would_be_signed_and_makes_nothing(offline: Offline, planned: str, tmp_path: Path) -> None:
    """The way to check a file that was edited, and to learn its digest."""
    told = offline("-o", "json", "--dry-run", "ca", "ceremony", "run", "c.toml", "--requests", "requests", "--out", "r")

    assert told.json()["certificates"] == ["csms", "station"]
    assert str(told.json()["sha256"]).startswith(planned)
    assert not (tmp_path / "r").exists()


def test_what_will_stand_in_certificates_is_shown_before_it_is_signed(offline: Offline, tmp_path: Path) -> None:
    """Where the root's list will be found: in the file and in the dry run; an address that is none is refused."""
    words = ("ca", "ceremony", "plan", "--org", "Example Charging", *PEOPLE, "--out", "c.toml", "--status-url")
    assert offline(*words, "https://csms.example.org").code == 2
    assert not (tmp_path / "c.toml").exists()
    assert offline(*words, "http://csms.example.org:8480").code == 0
    told = offline("-o", "json", "--dry-run", "ca", "ceremony", "run", "c.toml", "--out", "r")

    where = Published.at_home("http://csms.example.org:8480", "root")
    assert told.json()["published"] == [where.list_url, where.certificate]


def test_a_file_with_mistakes_names_each_line(offline: Offline, planned: str, tmp_path: Path) -> None:
    """Exit 2, all of them, and nothing made."""
    text = (tmp_path / "c.toml").read_text().replace("days = 7305", "days = 0", 1).replace('role = "auditor"', "")
    (tmp_path / "c.toml").write_text(text)
    told = offline("ca", "ceremony", "run", "c.toml", "--requests", "requests", "--out", "r", *confirmed(planned))

    assert told.code == 2
    assert told.err.count("] line ") == 2
    assert not (tmp_path / "r").exists()


def test_witnesses_who_typed_otherwise_stop_it(offline: Offline, planned: str, tmp_path: Path) -> None:
    """Exit 5; the right digits are not printed."""
    for words in (confirmed("00000000"), confirmed(planned)[:2], ()):
        told = offline("ca", "ceremony", "run", "c.toml", "--requests", "requests", "--out", "r", *words)
        assert told.code == 5
        assert planned not in told.err
    assert not (tmp_path / "r").exists()


def test_a_machine_on_a_network_is_refused_and_going_on_is_recorded(
    offline: Offline, planned: str, tmp_path: Path
) -> None:
    """Exit 3; with the loud option the transcript says it for ever."""
    network(tmp_path)
    words = ("ca", "ceremony", "run", "c.toml", "--requests", "requests", "--out", "r", *confirmed(planned))
    assert offline(*words).code == 3
    told = offline("-o", "json", *words, "--unsafe-networked")

    assert told.json()["networks"] == ["eth0"]
    assert "WARNING" in told.err
    assert json.loads((tmp_path / "r" / "transcript.jsonl").read_bytes().split(b"\n")[0])["what"]["networks"] == [
        "eth0"
    ]


def test_another_file_than_the_one_reviewed_is_refused(offline: Offline, planned: str, tmp_path: Path) -> None:
    """Whoever verifies brings a file of their own."""
    offline("ca", "ceremony", "run", "c.toml", "--requests", "requests", "--out", "r", *confirmed(planned))
    (tmp_path / "mine.toml").write_text((tmp_path / "c.toml").read_text() + "\n")

    assert offline("ca", "ceremony", "verify", "r", "--file", "mine.toml").code == 5


def test_a_plan_that_could_not_be_performed_is_not_written(offline: Offline, tmp_path: Path) -> None:
    """One witness, or a kind of key that no root has."""
    for words in (PEOPLE[:2], (*PEOPLE, "--root-key", "rsa-512")):
        assert offline("ca", "ceremony", "plan", "--org", "X", *words, "--out", "c.toml").code == 2
    assert not (tmp_path / "c.toml").exists()


def test_an_existing_file_is_not_written_over(offline: Offline, planned: str, tmp_path: Path) -> None:
    """Somebody may have reviewed it."""
    before = (tmp_path / "c.toml").read_bytes()

    assert offline("ca", "ceremony", "plan", "--org", "X", *PEOPLE, "--out", "c.toml").code == 7
    assert (tmp_path / "c.toml").read_bytes() == before
    assert planned


def test_the_root_s_key_is_kept_out_of_a_home(bollard: Bollard, tmp_path: Path) -> None:
    """Exit 3 before anything is read; without it the authority judges."""
    held = Held.at(tmp_path / "c")
    told = bollard("ca", "ceremony", "import", str(held.folder), "--digest", held.done.digest)
    assert (told.code, "error[ceremony.key_here]" in told.err) == (3, True)
    shutil.rmtree(held.folder / "keys")
    dry = bollard("-o", "json", "--dry-run", "ca", "ceremony", "import", str(held.folder), "--digest", held.done.digest)
    assert "transcript.note" in json.dumps(dry.json()["files"])
    foreign = bollard("ca", "ceremony", "import", str(held.folder), "--digest", held.done.digest)
    assert (foreign.code, "error[ceremony.foreign]" in foreign.err) == (5, True)


def test_a_request_is_printed_for_the_next_ceremony(bollard: Bollard, home: Path) -> None:
    """The same as in the folder ca/."""
    told = bollard("ca", "ceremony", "request", "csms")

    assert told.out == (home / "ca" / "csms-2.csr").read_text()
    assert "recorded in the audit log at" in told.err


def test_status_says_that_a_home_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the command that ends it; a whole home says nothing of the kind."""
    assert run(["--home", str(waiting_home(tmp_path).path), "status"]) == 0
    assert "bollard ca ceremony import" in capsys.readouterr().err


def test_on_a_terminal_each_witness_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not one who has typed already; the digits are not shown."""
    this, asked = ceremony(), []

    def answer(question: str, *, err: bool) -> str:
        asked.append((question, err))
        return "12345678"

    given = typed(this, {"Ada Example": "x"}, answer)
    assert (given, asked) == ({"Ada Example": "x"}, [])
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    given = typed(this, {"Ada Example": "x"}, answer)
    assert given == {"Ada Example": "x", "Bob Example": "12345678"}
    assert len(asked) == 1
    assert this.phrase not in asked[0][0]


@pytest.mark.parametrize("text", ["", "soon", "2026-01-31", "2026-01-31T09:00:00", "2026-01-31T09:00:00.5Z"])
def test_a_moment_has_a_zone_and_whole_seconds(text: str) -> None:
    """RFC 5280 4.1.2.5 knows no other."""
    with pytest.raises(InputError, match=r"usage\.moment"):
        parse_moment(text)


@pytest.mark.parametrize("text", ["", "Ada", "Ada,", ",x", "=", "Ada="])
def test_a_witness_has_a_name_and_what_belongs_to_it(text: str) -> None:
    """Nothing is guessed."""
    for parse in (parse_witness, parse_phrase):
        with pytest.raises(InputError, match=r"usage\.witness"):
            parse(text)
    assert Witness(*parse_witness("Ada, officer, retired")).role == "officer, retired"
