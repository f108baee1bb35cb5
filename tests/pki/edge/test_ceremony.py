"""A ceremony makes what its file says, the same bytes for the same inputs, and nothing when anything is wrong."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.edge.ceremony import Draft, draft, perform, prepare, verify
from pki.errors import ConflictError, ForbiddenError, InputError, NotFoundError, RefusedError
from tests.ceremonies import MOMENT, NAMES, PASSPHRASE, WITNESSES, Held, requests_in
from tests.pki.papers import ORGANISATION, codes

if TYPE_CHECKING:
    from pathlib import Path

NEXT = {"station-2": "Bollard Station CA 2"}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """One ceremony that is only looked at."""
    return Held.at(tmp_path_factory.mktemp("ceremony") / "first")


@pytest.fixture(autouse=True)
def _given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOLLARD_PASSPHRASE", PASSPHRASE)


def public_bytes(folder: Path) -> dict[str, bytes]:
    """What was signed."""
    return {path.name: path.read_bytes() for path in (folder / "ca").iterdir()}


@pytest.mark.parametrize("root_key", ["ec-p256", "ec-p384", "rsa-3072", "ed25519"])
def test_openssl_accepts_what_every_kind_of_root_signs(tmp_path: Path, root_key: str) -> None:
    """The authorities and the list; and the whole can be replayed."""
    held = Held.at(tmp_path / "c", root_key=root_key)
    crl = x509.load_der_x509_crl((held.folder / "ca/root.crl").read_bytes())
    (tmp_path / "root.crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))
    trust = ["-CAfile", "ca/root.pem", "-CRLfile", str(tmp_path / "root.crl.pem"), "-crl_check_all", "-x509_strict"]
    said = subprocess.run(
        ["openssl", "verify", "-attime", str(int(MOMENT.timestamp())), *trust, "ca/csms.pem", "ca/station.pem"],
        cwd=held.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.stdout == "ca/csms.pem: OK\nca/station.pem: OK\n", said.stderr
    assert verify(held.folder, held.file, held.requests, held.folder / "keys").digest == held.done.digest


def test_the_same_inputs_give_the_same_bytes(held: Held, tmp_path: Path) -> None:
    """Given the same root key: every certificate and the list, twice."""
    requests = requests_in(tmp_path / "r", NEXT)
    terms = Draft(ORGANISATION, MOMENT, WITNESSES, requests, existing=held.folder, beside=tmp_path)
    (tmp_path / "ceremony.toml").write_text(draft(terms))
    prepared = [prepare(tmp_path / "ceremony.toml", requests) for _ in range(2)]
    for number, each in enumerate(prepared):
        perform(each, tmp_path / f"{number}", [], held.folder / "keys")

    assert public_bytes(tmp_path / "0") == public_bytes(tmp_path / "1")
    assert set(public_bytes(tmp_path / "0")) == {"root.pem", "station-2.pem", "root.crl"}


def test_ceremonies_of_one_root_are_a_chain(held: Held, tmp_path: Path) -> None:
    """The second names the first, the third the second; numbers grow; the key stays where it was made."""
    second = Held.at(tmp_path / "second", NEXT, held.folder)
    assert second.done.root == held.done.root
    assert second.done.ceremony.crl.number == 2
    assert not (second.folder / "keys").exists()
    terms = Draft(ORGANISATION, MOMENT, WITNESSES, existing=second.folder, beside=tmp_path)
    (tmp_path / "third.toml").write_text(draft(terms))
    third = prepare(tmp_path / "third.toml", None)
    with pytest.raises(NotFoundError, match=r"ceremony\.no_key"):
        perform(third, tmp_path / "third", [])
    done = perform(third, tmp_path / "third", [], held.folder / "keys")

    assert (done.ceremony.crl.number, len(done.history.serials)) == (3, 4)


def test_an_older_result_cannot_be_gone_on_from_twice(held: Held, tmp_path: Path) -> None:
    """A file that names another transcript than the folder's is refused, with every reason."""
    second = Held.at(tmp_path / "second", NEXT, held.folder)
    text = second.file.read_text().replace(held.done.digest, second.done.digest).replace("number = 2", "number = 1")
    (tmp_path / "second" / "wrong.toml").write_text(text)
    with pytest.raises(RefusedError) as refusal:
        prepare(tmp_path / "second" / "wrong.toml", second.requests)

    assert refusal.value.code == "ceremony.refused"
    assert [each.clause for each in refusal.value.findings if each.code == "ceremony.history"] == ["", "RFC 5280 5.2.3"]


def test_nothing_is_made_when_anything_is_wrong(held: Held, tmp_path: Path) -> None:
    """Wrong file, missing request: each refused before there is a folder."""
    (tmp_path / "wrong.toml").write_text(held.file.read_text().replace("days = 7305", "days = 0", 1))
    with pytest.raises(InputError, match=r"ceremony\.wrong"):
        prepare(tmp_path / "wrong.toml", held.requests)
    with pytest.raises(RefusedError) as refusal:
        prepare(held.file, None)

    assert codes(refusal.value) == {"ceremony.request"}
    assert len(refusal.value.findings) == len(NAMES)


def test_a_folder_is_used_once(held: Held) -> None:
    """A second run does not touch it."""
    before = public_bytes(held.folder)
    with pytest.raises(ConflictError, match=r"ceremony\.exists"):
        perform(prepare(held.file, held.requests), held.folder, [])

    assert public_bytes(held.folder) == before


def test_the_root_s_key_is_encrypted_under_a_passphrase_that_must_be_given(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is made up, and none lies beside it."""
    assert (held.folder / "keys/root.pem").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert {each.name for each in (held.folder / "keys").iterdir()} == {"root.pem", "seal.json"}
    monkeypatch.delenv("BOLLARD_PASSPHRASE")
    with pytest.raises(ForbiddenError, match=r"passphrase\.missing"):
        perform(prepare(held.file, held.requests), tmp_path / "none", [])
    assert not (tmp_path / "none").exists()
    monkeypatch.setenv("BOLLARD_PASSPHRASE", "another")
    with pytest.raises(ForbiddenError, match=r"passphrase\.wrong"):
        verify(held.folder, key_folder=held.folder / "keys")


def test_another_root_s_key_signs_nothing(held: Held, tmp_path: Path) -> None:
    """Refused before there is a folder."""
    other = Held.at(tmp_path / "other")
    second = Held.at(tmp_path / "second", NEXT, held.folder)
    shutil.rmtree(second.folder)
    with pytest.raises(RefusedError, match=r"ceremony\.key"):
        perform(prepare(second.file, second.requests), second.folder, [], other.folder / "keys")

    assert not second.folder.exists()
