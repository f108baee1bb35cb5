"""Keys lie encrypted and private on the disk, and each way in which a key file can be wrong has a name."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519

from pki.edge import keyfiles
from pki.edge.keyfiles import load, make, save
from pki.edge.passphrase import Passphrase
from pki.errors import BollardError, ForbiddenError, InputError
from pki.strength import EXPERIMENTAL, KeyKind, Padding, check_key, kind_of, signing_hash
from tests.pki.papers import key

if TYPE_CHECKING:
    from pathlib import Path

SECRET = Passphrase(b"a passphrase of the test")
OTHER = Passphrase(b"another passphrase")


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind not in {KeyKind.RSA_3072, KeyKind.RSA_4096}])
def test_every_kind_of_key_is_strong_and_survives_the_disk(kind: KeyKind, tmp_path: Path) -> None:
    """What is read back is what was made, of the kind asked for, and no clause finds it weak."""
    made = save(tmp_path / "one.pem", make(kind), SECRET)

    assert kind_of(made.public_key()) is kind
    assert {finding.severity for finding in check_key(made.public_key(), unsafe_experimental=True)} == (
        {"warning"} if kind in EXPERIMENTAL else set()
    )
    assert load(tmp_path / "one.pem", SECRET).public_key() == made.public_key()


def test_a_key_on_the_disk_is_encrypted_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """A copied file gives nothing away; nothing is left beside it."""
    save(tmp_path / "one.pem", make(KeyKind.EC_P256), SECRET)
    path = tmp_path / "one.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.pem"]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """A second key under one name would orphan all that the first one signed."""
    save(tmp_path / "one.pem", make(KeyKind.EC_P256), SECRET)
    with pytest.raises(ForbiddenError, match=r"key\.exists"):
        save(tmp_path / "one.pem", make(KeyKind.EC_P256), SECRET)


def test_any_of_several_passphrases_may_open_a_key(tmp_path: Path) -> None:
    """So that a home's older key files stay readable."""
    made = save(tmp_path / "one.pem", make(KeyKind.EC_P256), SECRET)

    assert load(tmp_path / "one.pem", OTHER, SECRET).public_key() == made.public_key()


def test_a_wrong_passphrase_opens_nothing_and_is_not_repeated(tmp_path: Path) -> None:
    """The error names the file, never the secret."""
    save(tmp_path / "one.pem", make(KeyKind.EC_P256), SECRET)
    with pytest.raises(ForbiddenError, match=r"passphrase\.wrong") as refused:
        load(tmp_path / "one.pem", Passphrase(b"guess"))
    assert "guess" not in str(refused.value) + refused.value.advice


def test_the_padding_of_a_key_stays_with_it_and_openssl_reads_the_file(tmp_path: Path) -> None:
    """It stands above the PEM block, where other programs read over it (RFC 7468 2)."""
    path = tmp_path / "one.pem"
    save(path, make(KeyKind.RSA_2048), SECRET, Padding.PSS)

    assert keyfiles.read(path, [SECRET]).padding is Padding.PSS
    command = ["openssl", "pkey", "-in", str(path), "-passin", f"pass:{SECRET.secret.decode()}", "-noout", "-text"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2048 bit" in shown.stdout


def encrypted(key: x25519.X25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    """Any key, as we would write it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(SECRET.secret),
    )


def spoilt() -> dict[str, tuple[bytes, str]]:
    """Files that hold no key of ours, and the code of each."""
    good = encrypted(rsa.generate_private_key(65537, 2048))
    first, last = good.index(b"\n"), good.rindex(b"-----END")
    return {
        "empty": (b"", "key.damaged"),
        "text": (b"not a key\n", "key.damaged"),
        "no UTF-8": (b"\xff\xfe" * 50, "key.damaged"),
        "zero bytes": (b"\0" * 200, "key.damaged"),
        "no end": (good[: len(good) // 2], "key.damaged"),
        "no beginning": (good[first:], "key.damaged"),
        "two keys": (good * 2, "key.damaged"),
        "another kind of block": (good.replace(b"ENCRYPTED PRIVATE KEY", b"CERTIFICATE"), "key.damaged"),
        "an unknown padding": (b"Padding: none\n" + good, "key.damaged"),
        "an unknown line": (b"Proc-Type: 4,ENCRYPTED\n" + good, "key.damaged"),
        "no contents": (good[: first + 1] + b"AAAA\n" + good[last:], "passphrase.wrong"),
        "contents cut": (good[: first + 65] + good[last:], "passphrase.wrong"),
        "contents changed": (good[:200] + (b"A" if good[200:201] != b"A" else b"B") + good[201:], "passphrase.wrong"),
        "64 MiB": (good + b"\n" * (64 * 1024 * 1024), "key.unreadable"),
        "a kind that signs nothing": (encrypted(x25519.X25519PrivateKey.generate()), "key.kind"),
        "in clear": (keyfiles.in_clear(make(KeyKind.EC_P256)).encode(), "key.in_clear"),
    }


SPOILT = spoilt()


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_key_file_has_one_clear_error(name: str, tmp_path: Path) -> None:
    """It names the file and what to do, and ends there."""
    content, code = SPOILT[name]
    (tmp_path / "one.pem").write_bytes(content)
    with pytest.raises(BollardError) as refused:
        load(tmp_path / "one.pem", SECRET)

    assert refused.value.code == code
    assert "one.pem" in refused.value.cause
    assert refused.value.advice


def test_a_missing_key_and_one_that_is_a_folder_are_named(tmp_path: Path) -> None:
    """The advice is a backup, for keys cannot be made again."""
    with pytest.raises(BollardError, match=r"key\.missing"):
        load(tmp_path / "one.pem", SECRET)
    (tmp_path / "folder.pem").mkdir()
    with pytest.raises(BollardError, match=r"key\.unreadable"):
        load(tmp_path / "folder.pem", SECRET)


@pytest.mark.parametrize("kind", [kind for kind in KeyKind if kind is not KeyKind.RSA_4096])
def test_a_twin_key_is_of_the_same_kind_and_never_the_same(kind: KeyKind) -> None:
    """The twin's signature has the real one's shape and none of its worth."""
    like = make(kind).public_key()
    twin = keyfiles.throwaway_key(like).public_key()
    assert kind_of(twin) is kind
    assert signing_hash(twin) == signing_hash(like)
    assert twin != like


def test_a_twin_of_a_kind_we_never_issue_with_is_refused() -> None:
    """No authority has a key of 1024 bits."""
    with pytest.raises(InputError, match=r"key\.kind"):
        keyfiles.throwaway_key(key("rsa1024").public_key())
