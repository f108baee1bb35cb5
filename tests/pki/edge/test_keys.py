"""A home's keys are found by name, wherever they lie, and open under their passphrase or their PIN alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pki.edge import keys
from pki.edge.hsm import Token
from pki.edge.keys import KeyFacts, KeyKind, Keyring, Padding, Passphrase, Store
from pki.errors import BollardError, ConflictError, ForbiddenError, InputError
from tests.tokens import SoftToken, soft_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = Passphrase(b"a passphrase of the test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the keys of a home whose passphrase was generated, which takes no time to open."""
    (tmp_path / "keys").mkdir()
    keys.make_seal(tmp_path / "keys", generated=True)
    return tmp_path / "keys"


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """A real token of this test alone."""
    yield from soft_token(tmp_path, monkeypatch)


def with_token(folder: Path, token: SoftToken) -> Keyring:
    """The keys of a home that has a token."""
    return Keyring(folder, SECRET, Token(token.where), "csms.example.org")


def test_a_key_in_a_file_is_found_again_with_all_that_is_known_of_it(folder: Path) -> None:
    """By another process, from the file alone."""
    made = Keyring(folder, SECRET).make("one", KeyKind.RSA_2048, padding=Padding.PSS)
    again = Keyring(folder, SECRET)

    assert again.key("one").public_key() == made.public_key()
    assert again.describe("one") == KeyFacts(KeyKind.RSA_2048, Store.FILE, Padding.PSS)
    assert (again.has("one"), again.has("two")) == (True, False)


@pytest.mark.parametrize("kind", [KeyKind.EC_P384, KeyKind.RSA_2048, KeyKind.ED448])
def test_a_key_in_the_token_is_found_again_with_all_that_is_known_of_it(
    kind: KeyKind, folder: Path, token: SoftToken
) -> None:
    """What lies in the folder names the key, and holds nothing of it."""
    padding = Padding.PSS if kind is KeyKind.RSA_2048 else Padding.PKCS1
    made = with_token(folder, token).make("root", kind, store=Store.HSM, padding=padding)
    again = with_token(folder, token)

    assert again.key("root").public_key() == made.public_key()
    assert again.describe("root") == KeyFacts(kind, Store.HSM, padding)
    assert again.has("root")
    assert not (folder / "root.pem").exists()
    assert "bollard-csms.example.org-root" in (folder / "root.hsm").read_text()
    assert "PRIVATE" not in (folder / "root.hsm").read_text()


@pytest.mark.parametrize("first", list(Store))
@pytest.mark.parametrize("second", list(Store))
def test_a_name_has_one_key_for_ever(first: Store, second: Store, folder: Path, token: SoftToken) -> None:
    """A second key under one name would orphan all that the first one signed."""
    with_token(folder, token).make("one", KeyKind.EC_P256, store=first)
    with pytest.raises(ForbiddenError, match=r"key\.exists"):
        with_token(folder, token).make("one", KeyKind.EC_P256, store=second)


def test_a_file_beside_a_key_in_the_token_is_a_contradiction(folder: Path, token: SoftToken) -> None:
    """Whoever put it there would have us sign with their key."""
    with_token(folder, token).make("one", KeyKind.EC_P256, store=Store.HSM)
    Keyring(folder, SECRET).make("two", KeyKind.EC_P256)
    shutil.copy(folder / "two.pem", folder / "one.pem")
    with pytest.raises(ConflictError, match=r"key\.twice"):
        with_token(folder, token).key("one")


def test_a_key_in_a_token_that_no_setting_names_is_said_so(folder: Path, token: SoftToken) -> None:
    """The file of settings was restored without its [hsm]."""
    with_token(folder, token).make("one", KeyKind.EC_P256, store=Store.HSM)
    with pytest.raises(InputError, match=r"hsm\.unset"):
        Keyring(folder, SECRET).key("one")


@pytest.mark.parametrize("name", ["", "../root", "a/b", "-x", "Root", "x" * 41, "root.pem", "a\0"])
def test_a_name_that_could_be_a_path_is_none(name: str, folder: Path) -> None:
    """Names come from people, and become file names."""
    for ask in (Keyring(folder, SECRET).key, Keyring(folder, SECRET).has):
        with pytest.raises(InputError, match=r"key\.name"):
            ask(name)


def test_pss_is_for_rsa(folder: Path) -> None:
    """Nothing is made for a choice that means nothing."""
    with pytest.raises(InputError, match=r"key\.padding"):
        Keyring(folder, SECRET).make("one", KeyKind.EC_P256, padding=Padding.PSS)
    assert not Keyring(folder, SECRET).has("one")


def test_a_kind_under_trial_needs_the_switch_to_be_made_and_to_be_used(folder: Path) -> None:
    """Turning it off stops its signatures too."""
    with pytest.raises(InputError, match=r"key\.experimental"):
        Keyring(folder, SECRET).make("one", KeyKind.ML_DSA_44)
    made = Keyring(folder, SECRET, unsafe_experimental_ml_dsa=True).make("one", KeyKind.ML_DSA_44)
    assert Keyring(folder, SECRET, unsafe_experimental_ml_dsa=True).key("one").public_key() == made.public_key()
    with pytest.raises(InputError, match=r"key\.experimental.*ml-dsa-44"):
        Keyring(folder, SECRET).key("one")


def test_a_home_older_than_its_seal_opens_and_makes_its_new_keys_in_the_new_way(tmp_path: Path) -> None:
    """Its old files are locked under the passphrase itself, the new one under what Argon2id makes of it."""
    old = keys.save(tmp_path / "old.pem", keys.make(KeyKind.EC_P256), SECRET)
    assert Keyring(tmp_path, SECRET).key("old").public_key() == old.public_key()
    assert not (tmp_path / "seal.json").exists()

    new = Keyring(tmp_path, SECRET).make("new", KeyKind.EC_P256)

    with pytest.raises(ForbiddenError, match=r"passphrase\.wrong"):
        keys.load(tmp_path / "new.pem", SECRET)
    again = Keyring(tmp_path, SECRET)
    assert [again.key(name).public_key() for name in ("old", "new")] == [old.public_key(), new.public_key()]


def test_a_wrong_passphrase_opens_neither_form(tmp_path: Path) -> None:
    """Sealed or not."""
    keys.save(tmp_path / "old.pem", keys.make(KeyKind.EC_P256), SECRET)
    Keyring(tmp_path, SECRET).make("new", KeyKind.EC_P256)
    for name in ("old", "new"):
        with pytest.raises(ForbiddenError, match=r"passphrase\.wrong"):
            Keyring(tmp_path, Passphrase(b"guess")).key(name)


def test_a_lost_seal_is_not_made_anew_over_keys_it_locked(tmp_path: Path) -> None:
    """The keys need the very salt; the error is one of the passphrase, for nobody can tell the two apart."""
    Keyring(tmp_path, SECRET).make("one", KeyKind.EC_P256)
    (tmp_path / "seal.json").unlink()
    with pytest.raises(ForbiddenError, match=r"passphrase\.wrong"):
        Keyring(tmp_path, SECRET).key("one")
    assert not (tmp_path / "seal.json").exists()


def test_no_secret_is_shown_with_the_keys(folder: Path, token: SoftToken) -> None:
    """A keyring ends up in a traceback sooner or later."""
    keyring = with_token(folder, token)
    keyring.make("one", KeyKind.EC_P256, store=Store.HSM)
    for secret in (SECRET.secret.decode(), token.env["BOLLARD_HSM_PIN"]):
        assert secret not in repr(keyring)


def test_trouble_with_the_token_is_told_before_it_is_needed(
    folder: Path, token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None without a token, none with a good one, and the very error otherwise."""
    assert Keyring(folder, SECRET).trouble_with_token() is None
    good = with_token(folder, token)
    assert good.trouble_with_token() is None
    good.close()
    monkeypatch.delenv("BOLLARD_HSM_PIN")
    trouble = with_token(folder, token).trouble_with_token()
    assert isinstance(trouble, BollardError)
    assert trouble.code == "hsm.pin_missing"


def test_a_key_that_others_made_is_kept_like_our_own(folder: Path) -> None:
    """Encrypted, under a name that is free, and the same key when the ring is opened anew."""
    ring, made = Keyring(folder, SECRET), keys.make(KeyKind.EC_P256)
    assert not ring.has("theirs")
    ring.take("theirs", made)

    again = Keyring(folder, SECRET)
    assert again.key("theirs").public_key() == made.public_key()
    assert again.describe("theirs") == KeyFacts(KeyKind.EC_P256, Store.FILE, Padding.PKCS1)
    assert "ENCRYPTED" in (folder / "theirs.pem").read_text()
    with pytest.raises(ForbiddenError, match=r"key\.exists"):
        ring.take("theirs", made)


def test_a_kind_under_trial_is_taken_from_nobody(folder: Path) -> None:
    """Without the switch, as when it is made here."""
    with pytest.raises(InputError, match=r"key\.experimental"):
        Keyring(folder, SECRET).take("theirs", keys.make(KeyKind.ML_DSA_44))


def test_a_discarded_key_is_gone_from_disk_and_memory(folder: Path) -> None:
    """Another may then have its name; discarding twice is no error."""
    keyring = Keyring(folder, SECRET)
    first = keyring.make("server", KeyKind.EC_P256)
    assert keyring.has("server")
    keyring.discard("server")
    keyring.discard("server")
    assert not keyring.has("server")
    assert keyring.make("server", KeyKind.EC_P256).public_key() != first.public_key()
