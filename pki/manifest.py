"""What a backup says it holds, and what a backup may hold at all: every file by name, size and digest, nothing else.

A backup is read by whoever must trust it most, on the worst day, so nothing in it is believed before it is compared:
names that could lead out of the folder, links, devices, files that are not in the list, and files that are missing from
the archive are all refused, with every reason at once.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations of Manifest at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from pki.errors import RefusedError
from pki.findings import Finding, error, refuse_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME: Final = "manifest.json"  # the archive's last member, so that an archive cut short has none
SCHEMA_VERSION: Final = 1  # of the manifest; grows when a field changes its meaning
MANIFEST_BYTES: Final = 64 * 1024**2  # of the manifest: a list of MEMBERS_MOST files fits
MEMBERS_MOST: Final = 200_000  # files in a backup; a home has a few dozen, and one for each firmware image
DEPTH_MOST: Final = 6  # folders of a path; the vault needs three
NEEDED: Final = ("bollard.toml", "ledger.db", "keys/audit.pem")  # without these it is no home's backup

_ADVICE: Final = "Take another backup; this file is not as it was written."


class Member(msgspec.Struct, frozen=True):
    """One file: its size in bytes and the SHA-256 of its content in hex."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. ``checkpoint`` is the audit log's newest when the ledger was copied, over ``audit_size``."""

    version: str
    made: dt.datetime
    origin: str
    audit_size: int
    checkpoint: str
    images: bool
    passphrase: bool
    members: dict[str, Member]
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Listed:
    """A member as the archive's own headers name it. ``plain``: a file with its bytes, no link, device or hole."""

    name: str
    size: int
    plain: bool


def write_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def read_manifest(text: bytes) -> Manifest:
    """Read a manifest; ``RefusedError("backup.manifest")`` when it is none, or a newer version's."""
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise RefusedError("backup.manifest", "its manifest cannot be read", _ADVICE) from None
    if manifest.schema_version != SCHEMA_VERSION:
        raise RefusedError(
            "backup.manifest",
            f"the backup is of form {manifest.schema_version}, made by Bollard {manifest.version[:40]!r}",
            "Restore it with that version.",
        )
    return manifest


def examine(manifest: Manifest, listed: Iterable[Listed], archive_bytes: int) -> None:
    """Compare the manifest with what the archive's headers name, itself apart.

    Raises ``RefusedError("backup.refused")``. ``archive_bytes`` is the size of the whole archive: its files cannot be
    larger than that together.
    """
    found = list(listed)
    names = [each.name for each in found]
    findings = [finding for each in found for finding in _examine_one(manifest, each)]
    findings += [
        error("backup.member", "", f"{name[:120]!r} is missing") for name in manifest.members.keys() - {*names}
    ]
    findings += [
        error("backup.needed", "", f"{name!r} is not in it") for name in NEEDED if name not in manifest.members
    ]
    if len(set(names)) != len(names):
        findings.append(error("backup.member", "", "one name stands in it twice"))
    if sum(each.size for each in found) > archive_bytes:
        findings.append(error("backup.member", "", "its files are said to be larger than the whole"))
    refuse_errors(findings, "backup.refused", "the backup", _ADVICE)


def is_safe(name: str) -> bool:
    """Tell whether a name stays inside the folder it is unpacked into: relative, plain parts, no hidden ones."""
    parts = name.split("/")
    plain = all(part and not part.startswith(".") and part.isprintable() and "\\" not in part for part in parts)
    return plain and len(parts) <= DEPTH_MOST


def _examine_one(manifest: Manifest, listed: Listed) -> list[Finding]:
    shown = repr(listed.name[:120])
    if not is_safe(listed.name):
        return [error("backup.name", "", f"{shown} is no name inside a home")]
    if not listed.plain:
        return [error("backup.kind", "", f"{shown} is no plain file")]
    member = manifest.members.get(listed.name)
    if member is None:
        return [error("backup.member", "", f"{shown} is not in its manifest")]
    if member.size != listed.size:
        return [error("backup.member", "", f"{shown} has {listed.size} bytes in place of {member.size}")]
    return []
