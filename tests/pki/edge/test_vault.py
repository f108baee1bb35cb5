"""``pki.edge.vault``: verified bytes go in once, and the same bytes or none come out."""

from __future__ import annotations

import fcntl
import hashlib
import os
import resource
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.edge import vault as vault_module
from pki.edge.vault import BLOCK_BYTES, Image, Vault, clear_quarantine, take_in
from pki.errors import BollardError, InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGE = os.urandom(3 * BLOCK_BYTES + 17)
DIGEST = hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture
def quarantined(tmp_path: Path) -> Path:
    """An image waiting in quarantine."""
    path = tmp_path / "incoming"
    path.write_bytes(IMAGE)
    return path


@pytest.fixture
def vault(tmp_path: Path, quarantined: Path) -> Vault:
    """A vault that holds the image."""
    vault = Vault(tmp_path / "vault")
    vault.keep(quarantined, DIGEST)
    return vault


def stored(tmp_path: Path) -> Path:
    """Where the image lies."""
    return tmp_path / "vault" / "sha256" / DIGEST[:2] / DIGEST


def test_taking_in_hashes_the_whole_file_in_every_way_at_once(quarantined: Path) -> None:
    """Size and digests agree with hashlib's own."""
    digests = take_in(quarantined)
    assert (digests.size, digests.hex) == (len(IMAGE), DIGEST)
    assert digests.sha384 == hashlib.sha384(IMAGE).digest()
    assert digests.sha512 == hashlib.sha512(IMAGE).digest()
    assert digests.sha1 == hashlib.sha1(IMAGE, usedforsecurity=False).digest()


def test_a_kept_image_is_whole_read_only_and_alone(tmp_path: Path, vault: Vault) -> None:
    """Nothing temporary stays behind, and nobody may write to what was verified."""
    path = stored(tmp_path)
    assert path.read_bytes() == IMAGE
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert list(path.parent.iterdir()) == [path]
    assert vault.open_image(DIGEST).size == len(IMAGE)


def test_keeping_the_same_image_again_changes_nothing(tmp_path: Path, vault: Vault, quarantined: Path) -> None:
    """An import that is repeated after a crash succeeds."""
    assert vault.keep(quarantined, DIGEST) == stored(tmp_path)
    assert stored(tmp_path).read_bytes() == IMAGE


def test_gate_45_a_file_that_changed_since_its_verification_is_not_kept(tmp_path: Path, quarantined: Path) -> None:
    """What is copied is hashed again; the name is given only to the right bytes."""
    quarantined.write_bytes(IMAGE[:-1] + bytes([IMAGE[-1] ^ 1]))
    with pytest.raises(BollardError, match=r"vault\.changed"):
        Vault(tmp_path / "vault").keep(quarantined, DIGEST)
    assert list(stored(tmp_path).parent.iterdir()) == []


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.symlink_to("/etc/hostname"), id="a link"),
        pytest.param(os.mkfifo, id="a pipe"),
        pytest.param(lambda path: path.mkdir(), id="a folder"),
    ],
)
def test_only_a_regular_file_is_taken_in(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """No link leads out of the quarantine, and no pipe keeps the authority waiting."""
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(InputError, match=r"image\.kind"):
        take_in(path)


def test_gate_51_an_endless_image_stops_at_the_cap(quarantined: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds while reading, whatever the file's size was said to be."""
    monkeypatch.setattr(vault_module, "IMAGE_BYTES_MOST", len(IMAGE) - 1)
    with pytest.raises(InputError, match=r"image\.size"):
        take_in(quarantined)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", DIGEST.upper(), DIGEST[:-1], DIGEST + "\n"])
def test_a_name_that_is_no_digest_leads_nowhere(vault: Vault, digest: str) -> None:
    """No path can be spelled with 64 hex digits."""
    with pytest.raises(InputError, match=r"vault\.digest"):
        vault.open_image(digest)


def test_an_unknown_digest_is_not_found(vault: Vault) -> None:
    """The vault says so in its own words."""
    with pytest.raises(NotFoundError, match=r"vault\.missing"):
        vault.open_image("0" * 64)


def test_gate_55_an_image_damaged_before_it_was_opened_is_not_handed_out(tmp_path: Path, vault: Vault) -> None:
    """The first look in a process reads it whole."""
    damage(stored(tmp_path), len(IMAGE) - 1)
    with pytest.raises(BollardError, match=r"vault\.damaged"):
        vault.open_image(DIGEST)


def test_gate_55_an_image_damaged_while_it_is_served_stops_before_the_damage(tmp_path: Path, vault: Vault) -> None:
    """No changed byte is given out, and never the whole."""
    image = vault.open_image(DIGEST)
    damage(stored(tmp_path), 2 * BLOCK_BYTES + 5)
    served = bytearray()
    with pytest.raises(BollardError, match=r"vault\.damaged"):
        collect(image, served)
    assert served == IMAGE[: 2 * BLOCK_BYTES]


def test_gate_55_an_image_cut_short_while_it_is_served_is_noticed(tmp_path: Path, vault: Vault) -> None:
    """A block that is missing is a block that changed."""
    image = vault.open_image(DIGEST)
    stored(tmp_path).chmod(0o600)
    os.truncate(stored(tmp_path), BLOCK_BYTES)
    with pytest.raises(BollardError, match=r"vault\.damaged"):
        list(image.read(0, image.size - 1))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_span_of_an_image_is_exactly_those_bytes(vault: Vault, data: st.DataObject) -> None:
    """Spans start and end anywhere, across blocks and within one."""
    first = data.draw(st.integers(0, len(IMAGE) - 1))
    last = data.draw(st.integers(first, len(IMAGE) - 1))
    assert b"".join(vault.open_image(DIGEST).read(first, last)) == IMAGE[first : last + 1]


def test_a_disk_that_takes_no_more_is_told_in_plain_words(tmp_path: Path, quarantined: Path) -> None:
    """The error says what to do, and nothing half-written stays behind."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BLOCK_BYTES, before[1]))
    try:
        with pytest.raises(BollardError, match=r"vault\.write") as refused:
            Vault(tmp_path / "vault").keep(quarantined, DIGEST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.advice
    assert list(stored(tmp_path).parent.iterdir()) == []


def collect(image: Image, served: bytearray) -> None:
    """Read an image as far as it goes."""
    for block in image.read(0, image.size - 1):
        served += block


def damage(path: Path, position: int) -> None:
    """Flip one bit on disk, as root or bit rot would."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))


def test_clearing_deletes_what_was_never_finished_and_no_image(tmp_path: Path, vault: Vault) -> None:
    """A process that was killed while it copied left a file that nobody would ever look at again."""
    half = stored(tmp_path).with_name(".tmp1234")
    half.write_bytes(IMAGE[:99])
    vault.clear()

    assert list(half.parent.iterdir()) == [stored(tmp_path)]


def test_clearing_the_quarantine_leaves_images_that_are_being_worked_on(tmp_path: Path) -> None:
    """Whoever holds a lock on its image is alive; a folder or a pipe was never an image and stays."""
    folder = tmp_path / "quarantine"
    (folder / "folder").mkdir(parents=True)
    os.mkfifo(folder / "pipe")
    (folder / "left").write_bytes(IMAGE)
    with (folder / "worked on").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        clear_quarantine(folder)

    assert {path.name for path in folder.iterdir()} == {"folder", "pipe", "worked on"}
