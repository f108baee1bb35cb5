"""Where passphrase and PIN come from, and how a passphrase locks the keys: stretched when a person chose it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pki.edge import passphrase as secrets
from pki.edge.passphrase import Passphrase, Pin
from pki.errors import BollardError, ForbiddenError, InputError

if TYPE_CHECKING:
    from pathlib import Path

CHOSEN = Passphrase(b"chosen by a person")


@pytest.fixture(autouse=True)
def _no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PASSPHRASE", "PASSPHRASE_FILE", "HSM_PIN", "HSM_PIN_FILE"):
        monkeypatch.delenv(f"BOLLARD_{name}", raising=False)


def test_the_passphrase_file_wins_over_the_variable_and_both_over_the_kept_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is the documented one."""
    kept = secrets.make_passphrase(tmp_path)
    assert secrets.read_passphrase(tmp_path) == kept
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "from the variable")
    assert secrets.read_passphrase(tmp_path).secret == b"from the variable"
    (tmp_path / "secret").write_text("from the file\r\n")
    monkeypatch.setenv("BOLLARD_PASSPHRASE_FILE", str(tmp_path / "secret"))
    assert secrets.read_passphrase(tmp_path).secret == b"from the file"


def test_the_pin_file_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same style; a PIN is kept nowhere else."""
    monkeypatch.setenv("BOLLARD_HSM_PIN", "1111")
    assert secrets.read_pin() == Pin("1111")
    (tmp_path / "pin").write_text("2222\n")
    monkeypatch.setenv("BOLLARD_HSM_PIN_FILE", str(tmp_path / "pin"))
    assert secrets.read_pin() == Pin("2222")


def test_a_generated_passphrase_is_private_and_never_shown(tmp_path: Path) -> None:
    """It is as secret as the keys; its repr is empty of it, and so is a PIN's."""
    made = secrets.make_passphrase(tmp_path)
    assert (tmp_path / "passphrase").stat().st_mode & 0o777 == 0o600
    assert made.secret.decode() not in repr(made)
    assert "2468" not in repr(Pin("2468"))


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 2000])
def test_a_passphrase_that_cannot_be_one_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one would encrypt nothing."""
    (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("BOLLARD_PASSPHRASE_FILE", str(tmp_path / "secret"))
    with pytest.raises(InputError, match=r"passphrase\.length"):
        secrets.read_passphrase(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 300, "π".encode()])
def test_a_pin_that_cannot_be_one_is_refused_without_a_word_of_it(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never reaches the token, so it costs no try."""
    (tmp_path / "pin").write_bytes(content)
    monkeypatch.setenv("BOLLARD_HSM_PIN_FILE", str(tmp_path / "pin"))
    with pytest.raises(InputError, match=r"hsm\.pin_form") as refused:
        secrets.read_pin()
    assert "xx" not in str(refused.value)


def test_no_passphrase_at_all_keeps_the_keys_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing falls back to an empty one; an unreadable file is not skipped over either."""
    with pytest.raises(ForbiddenError, match=r"passphrase\.missing"):
        secrets.read_passphrase(tmp_path)
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "a fallback that must not be taken")
    monkeypatch.setenv("BOLLARD_PASSPHRASE_FILE", str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"passphrase\.unreadable"):
        secrets.read_passphrase(tmp_path)


def test_no_pin_at_all_keeps_the_token_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the token."""
    with pytest.raises(ForbiddenError, match=r"hsm\.pin_missing"):
        secrets.read_pin()
    monkeypatch.setenv("BOLLARD_HSM_PIN_FILE", str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"hsm\.pin_unreadable"):
        secrets.read_pin()


def test_a_chosen_passphrase_is_stretched_and_a_generated_one_needs_it_not(tmp_path: Path) -> None:
    """Argon2id with 64 MiB and three passes (RFC 9106 4), under a salt that is each home's own."""
    slow = secrets.make_seal(tmp_path, generated=False)
    assert (slow.kdf, slow.memory, slow.passes, slow.lanes) == ("argon2id", 65_536, 3, 4)
    assert slow.lock(CHOSEN) == secrets.find_seal(tmp_path).lock(CHOSEN)  # type: ignore[union-attr] # just made
    assert len(bytes.fromhex(slow.lock(CHOSEN).secret.decode())) == 32
    assert secrets.make_seal(tmp_path, generated=False).lock(CHOSEN) != slow.lock(CHOSEN)

    assert secrets.make_seal(tmp_path, generated=True).lock(CHOSEN) == CHOSEN


def test_a_home_older_than_seals_has_none(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    assert secrets.find_seal(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no JSON"),
        pytest.param("\udcff", id="no UTF-8"),
        pytest.param(json.dumps({"kdf": "md5"}), id="another function"),
        pytest.param(json.dumps({"kdf": "argon2id"}), id="no salt"),
        pytest.param(json.dumps({"kdf": "argon2id", "salt": "00" * 4}), id="a short salt"),
        pytest.param(json.dumps({"kdf": "argon2id", "salt": "0" * 33}), id="half a byte"),
        pytest.param(json.dumps({"kdf": "argon2id", "salt": "00" * 16, "memory": 8}), id="too little memory"),
        pytest.param(json.dumps({"kdf": "argon2id", "salt": "00" * 16, "memory": 2**30}), id="more than there is"),
        pytest.param(json.dumps({"kdf": "none", "more": 1}), id="something more"),
        pytest.param(json.dumps({"kdf": "none"}) + " " * 10_000, id="endless"),
    ],
)
def test_a_damaged_seal_is_named_and_not_guessed_around(text: str, tmp_path: Path) -> None:
    """A weaker one put in its place is refused, and one that would eat all memory as well."""
    (tmp_path / "seal.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BollardError, match=r"key\.seal"):
        secrets.find_seal(tmp_path)


def test_a_kept_passphrase_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """One that is far too long, and a folder in its place."""
    kept = tmp_path / secrets.PASSPHRASE_FILE
    kept.write_bytes(b"x" * 4096)
    with pytest.raises(InputError, match=r"passphrase\.unreadable.*keys/passphrase"):
        secrets.read_passphrase(tmp_path)
    kept.unlink()
    kept.mkdir()
    with pytest.raises(InputError, match=r"passphrase\.unreadable.*keys/passphrase"):
        secrets.read_passphrase(tmp_path)
