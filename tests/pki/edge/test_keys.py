"""Keys lie encrypted and private on the disk, whole or not at all, and open under their passphrase alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, x25519

from pki.edge import keys
from pki.edge.keys import KeyKind, Keyring, Passphrase
from pki.errors import BollardError, ForbiddenError, InputError
from pki.strength import check_key, signing_hash

if TYPE_CHECKING:
    from pathlib import Path

SECRET = Passphrase(b"a passphrase of the test")


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOLLARD_PASSPHRASE", raising=False)
    monkeypatch.delenv("BOLLARD_PASSPHRASE_FILE", raising=False)


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind is not KeyKind.RSA_3072])
def test_every_kind_of_key_is_strong_and_survives_the_disk(kind: KeyKind, tmp_path: Path) -> None:
    """What is read back is what was made, and no clause finds it weak."""
    made = Keyring(tmp_path, SECRET).make("one", kind)
    assert check_key(made.public_key()) == []
    assert Keyring(tmp_path, SECRET).key("one").public_key() == made.public_key()


def test_a_key_on_the_disk_is_encrypted_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """A copied file gives nothing away; nothing is left beside it."""
    Keyring(tmp_path, SECRET).make("one", KeyKind.EC_P256)
    path = tmp_path / "one.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.pem"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """A second key under one name would orphan all that the first one signed."""
    Keyring(tmp_path, SECRET).make("one", KeyKind.EC_P256)
    with pytest.raises(ForbiddenError, match=r"key\.exists"):
        Keyring(tmp_path, SECRET).make("one", KeyKind.EC_P256)


def test_a_wrong_passphrase_opens_nothing_and_is_not_repeated(tmp_path: Path) -> None:
    """The error names the file, never the secret."""
    Keyring(tmp_path, SECRET).make("one", KeyKind.EC_P256)
    with pytest.raises(ForbiddenError, match=r"passphrase\.wrong") as refused:
        keys.load(tmp_path / "one.pem", Passphrase(b"guess"))
    assert "guess" not in str(refused.value) + refused.value.advice


def test_a_key_in_clear_is_refused(tmp_path: Path) -> None:
    """Whoever put it there is not us."""
    (tmp_path / "one.pem").write_text(keys.in_clear(keys.make(KeyKind.EC_P256)))
    with pytest.raises(BollardError, match=r"key\.in_clear"):
        keys.load(tmp_path / "one.pem", SECRET)


def test_a_missing_key_and_a_foreign_kind_are_named(tmp_path: Path) -> None:
    """The advice is a backup, for keys cannot be made again."""
    with pytest.raises(BollardError, match=r"key\.missing"):
        keys.load(tmp_path / "one.pem", SECRET)
    (tmp_path / "folder.pem").mkdir()
    with pytest.raises(BollardError, match=r"key\.unreadable"):
        keys.load(tmp_path / "folder.pem", SECRET)
    foreign = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(SECRET.secret),
    )
    (tmp_path / "one.pem").write_bytes(foreign)
    with pytest.raises(BollardError, match=r"key\.kind"):
        keys.load(tmp_path / "one.pem", SECRET)


@pytest.mark.parametrize("kind", [KeyKind.EC_P256, KeyKind.EC_P384, KeyKind.RSA_2048, KeyKind.ED25519])
def test_a_twin_key_is_of_the_same_kind_and_never_the_same(kind: KeyKind) -> None:
    """The twin's signature has the real one's shape and none of its worth."""
    like = keys.make(kind).public_key()
    twin = keys.throwaway_key(like).public_key()
    assert type(twin) is type(like)
    assert signing_hash(twin) == signing_hash(like)
    assert twin != like


def test_a_twin_of_a_kind_we_never_issue_with_is_refused() -> None:
    """Ed448 may be certified, but it signs nothing here."""
    with pytest.raises(InputError, match=r"key\.kind"):
        keys.throwaway_key(ed448.Ed448PrivateKey.generate().public_key())


def test_the_passphrase_file_wins_over_the_variable_and_both_over_the_kept_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is the documented one."""
    kept = keys.make_passphrase(tmp_path)
    assert keys.read_passphrase(tmp_path) == kept
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "from the variable")
    assert keys.read_passphrase(tmp_path).secret == b"from the variable"
    (tmp_path / "secret").write_text("from the file\r\n")
    monkeypatch.setenv("BOLLARD_PASSPHRASE_FILE", str(tmp_path / "secret"))
    assert keys.read_passphrase(tmp_path).secret == b"from the file"


def test_a_generated_passphrase_is_private_and_never_shown(tmp_path: Path) -> None:
    """It is as secret as the keys; its repr is empty of it."""
    made = keys.make_passphrase(tmp_path)
    assert (tmp_path / "passphrase").stat().st_mode & 0o777 == 0o600
    assert made.secret.decode() not in repr(made)
    assert made.secret.decode() not in repr(Keyring(tmp_path, made))


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 2000])
def test_a_passphrase_that_cannot_be_one_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one would encrypt nothing."""
    (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("BOLLARD_PASSPHRASE_FILE", str(tmp_path / "secret"))
    with pytest.raises(InputError, match=r"passphrase\.length"):
        keys.read_passphrase(tmp_path)


def test_no_passphrase_at_all_keeps_the_keys_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing falls back to an empty one; an unreadable file is not skipped over either."""
    with pytest.raises(ForbiddenError, match=r"passphrase\.missing"):
        keys.read_passphrase(tmp_path)
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "a fallback that must not be taken")
    monkeypatch.setenv("BOLLARD_PASSPHRASE_FILE", str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"passphrase\.unreadable"):
        keys.read_passphrase(tmp_path)
