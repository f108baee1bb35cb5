"""A home is made whole or not at all, belongs to its owner alone, and is never made over another."""

from __future__ import annotations

import fcntl
import tomllib
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.creation import MARK, create
from pki.edge.home import Home, read_settings
from pki.edge.passphrase import Seal, find_seal
from pki.errors import BollardError, ConflictError, ForbiddenError, InputError
from pki.names import Host, Organisation
from pki.settings import parse_settings
from tests.worlds import HOST, ORGANISATION

if TYPE_CHECKING:
    from pathlib import Path

US = Organisation.parse(ORGANISATION), Host.parse(HOST)


def make_home(folder: Path) -> Home:
    """A home made here and now, unlike the copies that other tests use."""
    return create(folder / "home", *US).home


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOLLARD_PASSPHRASE", raising=False)
    monkeypatch.delenv("BOLLARD_PASSPHRASE_FILE", raising=False)


def test_everything_in_a_home_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """Folders 0700, files 0600, the home itself included."""
    home = make_home(tmp_path)
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in [home.path, *home.path.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_a_home_has_its_documented_parts(tmp_path: Path) -> None:
    """Others look for them by these names."""
    home = make_home(tmp_path)
    assert {path.name for path in home.path.iterdir()} >= {
        "bollard.toml", "ledger.db", "events.db", "keys", "ca", "journal", "vault", "quarantine", "run",
    }  # fmt: skip
    assert {path.name for path in home.ca.iterdir()} == {
        "root.pem", "csms.pem", "station.pem", "ocsp.pem", "server-ecdsa.pem", "server-rsa.pem", "audit.pub.pem",
    }  # fmt: skip
    assert {home.authority_socket.name, home.claims_socket.name, home.lock.name} == {
        "authority.sock", "claims.sock", "lock",
    }  # fmt: skip


def test_the_settings_can_be_read_back_and_hold_no_secret(tmp_path: Path) -> None:
    """The two parsers of bollard.toml get what they need."""
    made = create(tmp_path / "home", Organisation.parse('Straße "7" \\ Söhne'), US[1])
    text = read_settings(made.home)
    settings = parse_settings(text)
    assert (settings.organisation.text, settings.csms_host.text) == ('Straße "7" \\ Söhne', HOST)
    assert settings.public_url == f"https://{HOST}:8440"
    assert {table["profile"] for table in tomllib.loads(text)["listener"]} == {2, 3}
    assert (made.home.keys / "passphrase").read_text().strip() not in text


def test_a_public_address_of_ones_own_is_kept_and_a_wrong_one_refused(tmp_path: Path) -> None:
    """Before anything is made."""
    made = create(tmp_path / "home", *US, public_url="https://downloads.example.org/fw")
    assert parse_settings(read_settings(made.home)).public_url == "https://downloads.example.org/fw"
    with pytest.raises(InputError, match=r"settings\.public_url"):
        create(tmp_path / "other", *US, public_url="http://downloads.example.org")


def test_a_generated_passphrase_is_told_of_and_a_given_one_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs init must know whether the keys are protected by more than their folder."""
    assert create(tmp_path / "generated", *US).passphrase_made
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "given by the operator")
    made = create(tmp_path / "given", *US)
    assert not made.passphrase_made
    assert not (made.home.keys / "passphrase").exists()
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "another one")
    with pytest.raises(ForbiddenError, match=r"passphrase\.wrong"):
        ask_once(made.home, calls.MakeCheckpoint(), calls.Checkpoint)


def test_a_given_passphrase_is_stretched_and_a_generated_one_opens_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's may be weak; ours has 192 bits, and every command would wait for nothing."""
    assert find_seal(create(tmp_path / "generated", *US).home.keys) == Seal("none")
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "given by the operator")
    home = create(tmp_path / "given", *US).home
    seal = find_seal(home.keys)
    assert seal is not None
    assert seal.kdf == "argon2id"
    assert ask_once(home, calls.MakeCheckpoint(), calls.Checkpoint).size > 1


def test_a_finished_home_is_never_made_again(tmp_path: Path) -> None:
    """Its keys would be lost."""
    home = make_home(tmp_path)
    before = (home.keys / "root.pem").read_bytes()
    with pytest.raises(ConflictError, match=r"home\.exists"):
        make_home(tmp_path)
    assert (home.keys / "root.pem").read_bytes() == before


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    """Not one file of a stranger's is touched, marked or not."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for marked in (False, True):
        if marked:
            (folder / MARK).touch()
        with pytest.raises(ConflictError, match=r"home\.not_empty"):
            create(folder, *US)
        assert (folder / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_is_used_and_closed_to_others(tmp_path: Path) -> None:
    """A mounted volume is an empty folder with somebody else's mode."""
    (tmp_path / "home").mkdir(mode=0o755)
    assert make_home(tmp_path).path.stat().st_mode & 0o777 == 0o700


def test_a_half_made_home_is_cleared_and_made_anew(tmp_path: Path) -> None:
    """A second run after an interrupted one simply works, with new keys."""
    home = make_home(tmp_path)
    before = (home.keys / "root.pem").read_bytes()
    home.settings.unlink()
    (home.path / MARK).touch()
    assert make_home(tmp_path) == home
    assert (home.keys / "root.pem").read_bytes() != before
    assert not (home.path / MARK).exists()


def test_two_runs_at_once_do_not_make_one_home(tmp_path: Path) -> None:
    """The second is told to wait."""
    (tmp_path / "home").mkdir()
    with (tmp_path / "home" / MARK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match=r"home\.busy"):
            make_home(tmp_path)


def test_a_home_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    """A file where the folder should be: our error, with the system's reason in it."""
    (tmp_path / "home").write_text("a file")
    with pytest.raises(BollardError, match=r"home\.failed"):
        make_home(tmp_path)


def test_a_home_with_an_offline_root_has_requests_in_place_of_certificates(tmp_path: Path) -> None:
    """It is a whole home that waits: no root's key, no certificate, a log that says what was asked."""
    made = create(tmp_path / "home", *US, offline_root=True)
    assert {path.name for path in made.home.ca.iterdir()} == {"csms.csr", "station.csr", "audit.pub.pem"}
    assert not (made.home.keys / "root.pem").exists()
    assert ask_once(made.home, calls.ListCertificates(), calls.Certificates).certificates == ()
    assert ask_once(made.home, calls.VerifyAudit(), calls.AuditVerified).size == made.audit_size == 3
