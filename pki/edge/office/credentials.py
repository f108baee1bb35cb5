"""Gives our own TLS listeners their certificates and keys, over the peer-checked socket and in memory alone.

Files of others are read anew each time; while what lies there is unsound, what was last found sound is given.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import convert, structs

from pki.certificate import names_issuer, read_certificates, to_pem
from pki.edge import calls, clock
from pki.edge.keys import in_clear
from pki.edge.office import assertion_keys
from pki.errors import InputError
from pki.findings import Severity
from pki.holding import KeyState
from pki.paper import Paper
from pki.question import DEPTH_MOST, Purpose, Question
from pki.server_name import examine_name

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.settings import ServerCertificate

FILE_BYTES: Final = 64 * 1024  # of a certificate chain or a key; a chain of ten certificates has a quarter of it

_ADVICE: Final = "Correct [[server_certificate]] in bollard.toml, or remove it to present our own certificate."


async def fetch(desk: Desk, call: calls.FetchCredentials, who: str) -> calls.Credentials:  # noqa: ARG001 - one shape
    """Return the server certificates with their keys: those given in the settings, else our own of the CSMS host, one
    ECDSA and one RSA (A00.FR.307, .308); those given for other hosts; and the keys for assertions."""
    found = await given(desk) or calls.Credentials()
    if not (found.ecdsa_key or found.rsa_key):
        found = structs.replace(_ours(desk), named=found.named)
    signing, published = await assertion_keys.hand_out(desk)
    return structs.replace(found, assertion_key=signing, assertion_public=published)


async def meant(desk: Desk) -> tuple[calls.PresentedRow, ...]:
    """Return the certificates that listeners are meant to present, to compare with what they do; no key is in it.

    Who has one for our very host is not shown the one for everybody.
    """
    found, host = await given(desk) or calls.Credentials(), desk.settings.csms_host.text
    rows = [row for each in found.named for row in _shown(each, each.host)]
    if any(each.host == host for each in found.named):
        return tuple(rows)
    if not (found.ecdsa_key or found.rsa_key):
        ours = [desk.active(slot).certificate for slot in ("server-ecdsa", "server-rsa")]
        return (*rows, *(calls.PresentedRow(to_pem([each]), host, ours=True) for each in ours))
    return (*rows, *_shown(found, host))


def _shown(found: calls.Credentials | calls.NamedCredentials, host: str) -> list[calls.PresentedRow]:
    leaves = [to_pem(read_certificates(chain)[:1]) for chain in (found.ecdsa_chain, found.rsa_chain) if chain]
    return [calls.PresentedRow(leaf, host, ours=False) for leaf in leaves]


def _ours(desk: Desk) -> calls.Credentials:
    ecdsa, rsa_ = desk.active("server-ecdsa"), desk.active("server-rsa")
    return calls.Credentials(
        ecdsa_chain=to_pem(presented(desk, ecdsa)),
        ecdsa_key=in_clear(desk.keys.key(ecdsa.name)),
        rsa_chain=to_pem(presented(desk, rsa_)),
        rsa_key=in_clear(desk.keys.key(rsa_.name)),
    )


def presented(desk: Desk, own: OwnCertificate) -> list[x509.Certificate]:
    """Return the chain that a listener presents: while an old root is trusted by stations, the new root's certificate
    by the old one follows, so that whoever knows either of them finds a path (M05.FR.09)."""
    chain = desk.chain(own)
    return [*chain, *_links(desk, chain[-1])]


def _links(desk: Desk, last: x509.Certificate) -> list[x509.Certificate]:
    alive = [each for each in desk.own.values() if each.holding.state is not KeyState.RETIRED]
    for link in [each.certificate for each in alive if each.purpose == "link"]:
        if names_issuer(last, link):
            return [link, *_links(desk, link)]
    return []


async def given(desk: Desk) -> calls.Credentials | None:
    """Return the server certificates that the settings name, if they name any."""
    if not desk.settings.server_certificates:
        return None
    try:
        found = await asyncio.to_thread(_given, desk.settings.server_certificates)
    except InputError:
        if not desk.given:
            raise
        return desk.given[0]
    if not desk.given:
        desk.given.append(found)
    return found


def refuse_unfit(desk: Desk) -> None:
    """Raise what is wrong with the files that the settings name, as they lie there now; the next start needs them."""
    _given(desk.settings.server_certificates)


async def watch(desk: Desk, who: str) -> None:
    """Tell listeners when the files named in the settings hold another certificate; raise when they are unsound."""
    if not desk.settings.server_certificates:
        return
    found = await asyncio.to_thread(_given, desk.settings.server_certificates)
    if desk.given and found != desk.given[0]:
        await desk.ledger.write(partial(_tell, desk, found, who))
    desk.given[:] = [found]


def _tell(desk: Desk, found: calls.Credentials, who: str, tx: Tx) -> None:
    serials = [f"{read_certificates(chain)[0].serial_number:x}" for chain in found.chains()]
    desk.record(tx, "server.replaced", who, {"serials": [*serials]})
    tx.after.append(partial(desk.board.publish, calls.CredentialsChanged()))


def _given(certificates: tuple[ServerCertificate, ...]) -> calls.Credentials:
    """Sort what lies in the files by host and kind of key; those without a host are for everybody."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for given in certificates:
        chain, key = read_chain(given.certificate), _read_key(given.key)
        if _spki(chain[0].public_key()) != _spki(key.public_key()):
            raise _wrong(f"the key {given.key!r} is not that of {given.certificate!r}")
        if given.host is not None and not _is_for(chain[0], given.host.text):
            raise _wrong(f"{given.certificate!r} is not for {given.host.text!r} (RFC 6125 6.4)")
        kind = "ecdsa" if isinstance(key, ec.EllipticCurvePrivateKey) else "rsa"
        mine = found[given.host.text if given.host else ""]
        if f"{kind}_key" in mine:
            raise _wrong(f"two {kind.upper()} certificates; a listener presents one of each kind (A00.FR.318)")
        mine |= {f"{kind}_chain": to_pem(_without_root(chain)), f"{kind}_key": in_clear(key)}
    everybody = convert(found.pop("", {}), calls.Credentials)
    named = tuple(convert({"host": host, **mine}, calls.NamedCredentials) for host, mine in found.items())
    return structs.replace(everybody, named=named)


def _is_for(leaf: x509.Certificate, host: str) -> bool:
    question = Question(Purpose.CSMS, clock.now(), DEPTH_MOST[Purpose.CSMS], lambda *_: False, host)
    return not [each for each in examine_name(Paper.read(leaf), question) if each.severity is Severity.ERROR]


def read_chain(path: str) -> list[x509.Certificate]:
    """Read a PEM chain that the settings name, leaf first."""
    try:
        return read_certificates(_read(path))
    except InputError as problem:
        raise _wrong(f"{path!r}: {problem.cause}") from None


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
