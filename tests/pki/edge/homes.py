"""A home that was lived in, and a backup of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.edge import calls
from pki.edge.asking import conversation
from pki.edge.packing import Choice, Packed, pack
from tests.worlds import Manufacturer, Paper, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home

IMAGE = b"an image of firmware" * 1000


def lived_in(folder: Path) -> Home:
    """A home with two stations, a certificate for each, one of them revoked, and a firmware image."""
    home, maker = make_home(folder), Manufacturer.named()
    with conversation(home) as ask:
        for number in (1, 2):
            ask(Paper.of(number).add, calls.StationAdded)
        issued = [ask(Paper.of(number).issue, calls.CertificateIssued) for number in (1, 2)]
        ask(calls.RevokeCertificate(issued[1].certificate.serial, "superseded"), calls.Done)
        ask(maker.trust, calls.Done)
        ask(maker.release(home, IMAGE), calls.FirmwareImported)
    return home


def back_up(home: Home, path: Path, *, images: bool = True, passphrase: bool = False, replace: bool = False) -> Packed:
    """Take a backup of it."""
    with conversation(home) as ask:
        return pack(home, path, ask, Choice(images, passphrase, "test"), replace=replace)
