"""A home whose stations ask for certificates, and what they bring with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki.edge import calls
from pki.est import wrap
from tests.certs import Party, request
from tests.worlds import ORGANISATION, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

REMOTE = "192.0.2.7"
MAKER = Party.root("Maker Root", "Maker")


def body(
    serial: str = "SN-001", key: ec.EllipticCurvePrivateKey | None = None, organisation: str = ORGANISATION
) -> bytes:
    """A request as EST carries it, for a new key unless one is given."""
    pem = request(key or ec.generate_private_key(ec.SECP256R1()), serial, organisation)
    return wrap(x509.load_pem_x509_csr(pem.encode()).public_bytes(Encoding.DER))


def home_with(folder: Path, more: str = "") -> Home:
    """A home with more in its settings."""
    home = make_home(folder)
    home.settings.write_text(home.settings.read_text() + more)
    return home


async def token_of(desk: Desk, identity: str = "CP-001", serial: str = "SN-001") -> str:
    """Register a station and make its token."""
    await desk.ask(calls.AddStation(identity, serial, 3), calls.StationAdded)
    return (await desk.ask(calls.MintToken(identity), calls.TokenMinted)).token


def by_token(token: str, csr: bytes, identity: str = "CP-001") -> calls.Enroll:
    """Ask with a token."""
    return calls.Enroll(csr, calls.Shown(identity, token, (), REMOTE))


def by_certificate(*chain: x509.Certificate, csr: bytes, renewal: bool = False) -> calls.Enroll:
    """Ask by showing certificates."""
    shown = tuple(each.public_bytes(Encoding.DER) for each in chain)
    return calls.Enroll(csr, calls.Shown(chain=shown, remote=REMOTE), renewal)


async def enrolled(desk: Desk, call: calls.Enroll) -> x509.Certificate:
    """Ask and have the certificate."""
    return x509.load_der_x509_certificate((await desk.ask(call, calls.Enrolled)).certificate)
