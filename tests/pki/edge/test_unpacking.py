"""Nothing in an archive is trusted: what a hostile one holds is refused, and nothing of it lands outside the folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge.unpacking import check_archive, unpack
from pki.errors import RefusedError
from pki.manifest import NAME, Manifest, Member, read_manifest, write_manifest
from tests.pki.edge.homes import back_up
from tests.worlds import make_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup's bytes."""
    folder = tmp_path_factory.mktemp("packed")
    back_up(make_home(folder), folder / "backup", passphrase=True)
    return (folder / "backup").read_bytes()


def refused(content: bytes, folder: Path) -> RefusedError:
    """Unpack; how it was refused, with nothing beside the folder."""
    folder.mkdir()
    with pytest.raises(RefusedError) as error:
        unpack(io.BytesIO(content), folder)
    with pytest.raises(RefusedError):
        check_archive(io.BytesIO(content))
    assert {path.name for path in folder.parent.iterdir()} == {folder.name}
    return error.value


def repacked(archive: bytes, *more: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """The archive with these members in it, before its manifest, which lists them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=out, mode="w", format=form) as new:
        *members, last = old.getmembers()
        for info in members:
            new.addfile(info, old.extractfile(info))
        for info in more:
            new.addfile(info, io.BytesIO(bytes(info.size)))
        listed = {info.name: Member(info.size, hashlib.sha256(bytes(info.size)).hexdigest()) for info in more}
        text = old.extractfile(last)
        assert text is not None
        manifest = read_manifest(text.read())
        whole = write_manifest(msgspec.structs.replace(manifest, members={**manifest.members, **listed}))
        last.size = len(whole)
        new.addfile(last, io.BytesIO(whole))
    return out.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    """A member's header."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


def test_a_backup_comes_out_as_it_went_in_for_its_owner_alone(archive: bytes, tmp_path: Path) -> None:
    """Every file of the manifest, and nothing else."""
    manifest = unpack(io.BytesIO(archive), tmp_path / "out")
    assert isinstance(manifest, Manifest)
    files = {str(path.relative_to(tmp_path / "out")): path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files.keys() == manifest.members.keys()
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest.members[name].sha256
        assert path.stat().st_mode & 0o777 == 0o600


def test_more_files_that_are_listed_are_fine(archive: bytes, tmp_path: Path) -> None:
    """So the refusals below are for what they say."""
    unpack(io.BytesIO(repacked(archive, info("ca/more.pem", size=3))), tmp_path / "out")
    assert (tmp_path / "out" / "ca" / "more.pem").read_bytes() == bytes(3)


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (info("../outside", size=3), "backup.name"),
        (info("/outside", size=3), "backup.name"),
        (info("ca/../../outside", size=3), "backup.name"),
        (info("ca/.hidden", size=3), "backup.name"),
        (info("ca/link", tarfile.SYMTYPE, "/etc/passwd"), "backup.kind"),
        (info("ca/link", tarfile.LNKTYPE, "bollard.toml"), "backup.kind"),
        (info("ca/device", tarfile.CHRTYPE), "backup.kind"),
        (info("ca/pipe", tarfile.FIFOTYPE), "backup.kind"),
        (info("ca/folder", tarfile.DIRTYPE), "backup.kind"),
        (info("bollard.toml", size=3), "backup.member"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.name} {value.type.decode()}",
)
def test_a_hostile_member_is_refused_and_named(
    archive: bytes, tmp_path: Path, member: tarfile.TarInfo, code: str
) -> None:
    """Even where the manifest vouches for it."""
    error = refused(repacked(archive, member), tmp_path / "out")
    assert code in {finding.code for finding in error.findings}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda whole: whole.replace(b"Bollard's settings", b"Bollard's sittings"), "backup.digest"),
        (lambda whole: whole[: len(whole) // 2], "backup."),
        (lambda whole: whole[:-20_000], "backup."),
        (lambda whole: whole[:0], "backup.unreadable"),
        (lambda whole: bytes(len(whole)), "backup."),
        (lambda whole: b"\x1f\x8b" + whole, "backup.unreadable"),
        (lambda whole: whole.replace(NAME.encode(), b"manifesto.jsn"), "backup.manifest"),
    ],
    ids=["a byte changed", "half", "the end cut off", "empty", "zeroes", "another format", "no manifest"],
)
def test_a_spoilt_archive_is_refused_in_words(
    archive: bytes, tmp_path: Path, spoil: Callable[[bytes], bytes], code: str
) -> None:
    """Cut, changed, or something else entirely."""
    assert refused(spoil(archive), tmp_path / "out").code.startswith(code)


def test_a_file_with_holes_is_no_plain_file(archive: bytes, tmp_path: Path) -> None:
    """It could be far larger than the archive it came in."""
    sparse = info("ca/holes", tarfile.GNUTYPE_SPARSE, size=0)
    error = refused(repacked(archive, sparse, form=tarfile.GNU_FORMAT), tmp_path / "out")
    assert error.code.startswith("backup.")
