"""Firmware images: taken in once their signature is proved, and listed."""

from __future__ import annotations

import base64
import fcntl
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from cli.asked import Asked, pass_asked
from cli.files import existing, read_signature, read_text
from cli.render import note, row_of
from pki.edge import calls
from pki.edge.vault import IMAGE_BYTES_MOST
from pki.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.home import Home

FIELDS = ("digest", "size", "vendor", "model", "version", "algorithm", "imported", "certificate")
BLOCK_BYTES: Final = 1 << 20  # 1 MiB; copied at once
COLUMNS = ("vendor", "model", "version", "algorithm", "size", "digest", "imported")


@click.group()
def firmware() -> None:
    """Take in signed firmware images and list them."""


@firmware.command("import")
@click.argument("file")
@click.option("--vendor", required=True, help="Vendor of the stations it is for.")
@click.option("--model", required=True, help="Model of the stations it is for.")
@click.option("--version", required=True, help="Version of the image.")
@click.option("--signature", required=True, help="File with the signature, raw or in base64.")
@click.option("--certificate", required=True, help="File with the signing certificate in PEM.")
@click.option("--policy", default="standard", help="Firmware policy to judge it by.")
@pass_asked
def import_(
    asked: Asked, file: str, vendor: str, model: str, version: str, signature: str, certificate: str, policy: str
) -> None:
    """Verify an image against its manufacturer's root and keep it."""
    image = existing(file)
    proof = (read_signature(signature), read_text(certificate))
    with in_quarantine(asked.home(), image) as name:
        call = calls.ImportFirmware(name, vendor, model, version, *proof, policy)
        imported = asked.change(call, calls.FirmwareImported)
    for code, clause, says in imported.findings:
        note(f"warning[{code}] {says} ({clause})")
    asked.done(imported.audit_index, row_of(imported.release, FIELDS[:-1]))


@firmware.command("list")
@pass_asked
def list_(asked: Asked) -> None:
    """List the images that may be delivered."""
    found = asked.ask(calls.ListReleases(), calls.Releases).releases
    signatures = [base64.b64encode(each.signature).decode() for each in found]  # as the CSMS sends them
    rows = [row_of(each, FIELDS) | {"signature": signature} for each, signature in zip(found, signatures, strict=True)]
    asked.rows("releases", rows, COLUMNS)


@contextmanager
def in_quarantine(home: Home, image: Path, longest: int = IMAGE_BYTES_MOST) -> Iterator[str]:
    """Copy an image to where the authority examines it, under a name of ours; what is left there goes in any case.

    What has more than ``longest`` bytes, or no end at all, is refused before it fills the disk.
    """
    copy = home.quarantine / uuid.uuid4().hex
    try:
        copy.touch(mode=0o600, exist_ok=False)
        with image.open("rb") as source, copy.open("wb") as target:
            fcntl.flock(target, fcntl.LOCK_EX)  # for as long as we live: an authority that starts leaves it alone
            _copy(source, target, longest)
            target.flush()
            yield copy.name
    finally:
        copy.unlink(missing_ok=True)


def _copy(source: BinaryIO, target: BinaryIO, longest: int) -> None:
    left = longest
    while block := source.read(BLOCK_BYTES):
        left -= len(block)
        if left < 0:
            raise InputError("image.size", f"the image has more than {longest} bytes", "Is it an image?")
        target.write(block)
