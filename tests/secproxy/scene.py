"""The people of the stories here: stations, certificates and what the ledger says of them, all made up."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import Final

from pki import password
from pki.names import CertificateSerial, StationIdentity, StationSerial
from pki.station import (
    CertificateFact,
    CertificateStatus,
    PasswordForm,
    SecurityProfile,
    Station,
    StationStatus,
)
from secproxy.admission import Admitted, ClientCertificate, Hello
from secproxy.agreed import Agreed
from secproxy.station_view import Trust, View
from tests.play import NOON

OURS: Final = hashlib.sha256(b"our station issuer").digest()
MAKERS: Final = hashlib.sha256(b"the maker's issuer").digest()
PASSWORD: Final = password.generate(bytes(range(64)))
VERIFIER: Final = password.remember(PASSWORD, b"s" * 16, generated=True)
REMOTE: Final = "192.0.2.7:40000"
AGREED: Final = Agreed("TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519MLKEM768")


def station(
    name: str = "CP-001",
    *,
    profile: int = 3,
    serial: str = "",
    status: StationStatus = StationStatus.ACTIVE,
    verifier: str = "",
    certificates: tuple[CertificateFact, ...] | None = None,
) -> Station:
    """A station whose serial number is ``SN-`` and its name, with one valid certificate of ours."""
    return Station(
        StationIdentity.parse(name),
        StationSerial.parse(serial or f"SN-{name}"),
        SecurityProfile(profile),
        status,
        verifier,
        PasswordForm.ANY,
        (fact(),) if certificates is None else certificates,
        vendor="Acme",
        model="One",
    )


def fact(
    number: int = 77, status: CertificateStatus = CertificateStatus.VALID, issuer: bytes = OURS
) -> CertificateFact:
    """A certificate as the ledger lists it."""
    return CertificateFact(CertificateSerial(number), issuer, status, NOON + dt.timedelta(days=90))


def certificate(
    *names: str,
    number: int = 77,
    issuer: bytes = OURS,
    organisations: tuple[str, ...] = ("Example Charging",),
    not_after: dt.datetime = NOON + dt.timedelta(days=90),
) -> ClientCertificate:
    """A certificate as it comes out of a handshake; by default that of ``station()``."""
    common_names = names or ("SN-CP-001",)
    subject = ",".join(f"CN={name}" for name in common_names)
    serial = CertificateSerial(number)
    fingerprint = hashlib.sha256(subject.encode()).hexdigest()
    return ClientCertificate(subject, common_names, organisations, serial, issuer, not_after, fingerprint)


def view(*stations: Station) -> View:
    """What a worker knows: these stations, our issuer, and a maker's issuer that is trusted too."""
    known = View("Example Charging", "csms.example.org", {each.identity.text: each for each in stations})
    known.trusts[OURS] = Trust(OURS, "Example Charging", ours=True, subject="CN=Example Stations")
    known.trusts[MAKERS] = Trust(MAKERS, "Acme Works", ours=False, subject="CN=Acme Factory")
    return known


def hello(
    target: str = "/ocpp/CP-001",
    *,
    profile: int = 3,
    shown: ClientCertificate | None = None,
    authorization: str | None = None,
    subprotocols: tuple[str, ...] = ("ocpp2.0.1", "ocpp1.6"),
) -> Hello:
    """A request; on a profile 3 listener with the certificate of ``station()`` unless another is shown."""
    if profile == 3 and shown is None:
        shown = certificate()
    return Hello(
        SecurityProfile(profile),
        REMOTE,
        target,
        subprotocols,
        authorization,
        shown,
        AGREED,
    )


def basic(user: str, secret: str | bytes = PASSWORD) -> str:
    """An Authorization header's value."""
    raw = secret.encode() if isinstance(secret, str) else secret
    return "Basic " + base64.b64encode(user.encode() + b":" + raw).decode()


def admitted(known: Station, *, profile: int = 3, shown: ClientCertificate | None = None) -> Admitted:
    """A station that was let in."""
    subprotocols = ("ocpp2.0.1",)
    credential = bytes.fromhex(shown.fingerprint) if shown else hashlib.sha256(known.verifier.encode()).digest()
    target = f"/ocpp/{known.identity}"
    return Admitted(known, SecurityProfile(profile), subprotocols, shown, credential, target, REMOTE, AGREED)
