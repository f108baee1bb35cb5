"""Gives our own TLS listeners their certificates and keys, over the peer-checked socket and in memory alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pki.certificate import read_certificates, to_pem
from pki.edge import calls
from pki.edge.keys import in_clear
from pki.errors import InputError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    from pki.edge.office.desk import Desk
    from pki.settings import ServerCertificate

FILE_BYTES: Final = 64 * 1024  # of a certificate chain or a key; a chain of ten certificates has a quarter of it

_ADVICE: Final = "Correct [[server_certificate]] in bollard.toml, or remove it to present our own certificate."


async def fetch(desk: Desk, call: calls.FetchCredentials, who: str) -> calls.Credentials:  # noqa: ARG001 - one shape
    """Return the server certificates with their keys: those given in the settings, else our own of the CSMS host, one
    ECDSA and one RSA (A00.FR.307, .308)."""
    if desk.settings.server_certificates:
        return _given(desk.settings.server_certificates)
    ecdsa, rsa_ = desk.active("server-ecdsa"), desk.active("server-rsa")
    return calls.Credentials(
        ecdsa_chain=to_pem(desk.chain(ecdsa)),
        ecdsa_key=in_clear(desk.keys.key(ecdsa.name)),
        rsa_chain=to_pem(desk.chain(rsa_)),
        rsa_key=in_clear(desk.keys.key(rsa_.name)),
    )


def _given(certificates: tuple[ServerCertificate, ...]) -> calls.Credentials:
    found: dict[str, str] = {}
    for given in certificates:
        chain, key = read_chain(given.certificate), _read_key(given.key)
        if _spki(chain[0].public_key()) != _spki(key.public_key()):
            raise _wrong(f"the key {given.key!r} is not that of {given.certificate!r}")
        kind = "ecdsa" if isinstance(key, ec.EllipticCurvePrivateKey) else "rsa"
        if f"{kind}_key" in found:
            raise _wrong(f"two {kind.upper()} certificates; a listener presents one of each kind (A00.FR.318)")
        found |= {f"{kind}_chain": to_pem(_without_root(chain)), f"{kind}_key": in_clear(key)}
    return calls.Credentials(**found)


def read_chain(path: str) -> list[x509.Certificate]:
    """Read a PEM chain that the settings name, leaf first."""
    return read_certificates(_read(path))


def _without_root(chain: list[x509.Certificate]) -> list[x509.Certificate]:
    """A root in the chain is of no use to a peer that trusts it, and of none to one that does not (RFC 8446 4.4.2)."""
    return [chain[0], *(above for above in chain[1:] if above.subject != above.issuer)]


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(FILE_BYTES)
    except OSError as problem:
        raise _wrong(f"{path!r} cannot be read: {problem.strerror}") from None


def _read_key(path: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key: PrivateKeyTypes = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError):
        raise _wrong(f"{path!r} holds no unencrypted private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _wrong(f"{path!r} is neither an ECDSA nor an RSA key (A00.FR.318)")
    return key


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _wrong(says: str) -> InputError:
    return InputError("settings.server_certificate", says, _ADVICE)
