"""Certificates of keys that are ours: authorities, signers, servers.

They come to be in the one way of ``issuing``, and are taken into use as their holding says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import is_self_issued, to_pem
from pki.edge import clock
from pki.edge.keyfiles import make
from pki.edge.keys import write_private
from pki.edge.ledger import certificates
from pki.edge.office import issuing
from pki.edge.office.desk import sha256
from pki.edge.office.services import services_of
from pki.holding import Holding, KeyState
from pki.lint import try_out
from pki.plan import Issuer, Plan, Subject, plan, plan_root
from pki.services import ROOT_SHARDS, SHARDS, Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.audit import Json
    from pki.edge import calls
    from pki.edge.commit import Tx
    from pki.edge.keys import KeyFacts
    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.names import Organisation
    from pki.profile import CertificateProfile
    from pki.settings import Settings
    from pki.strength import Padding

LINK: Final = "link"  # the certificate profile of a new root's certificate by the old one; it follows from the root's


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate for a key of ours, by which certificate profile, under whom.

    ``issuer`` names the key of ours that signs it; empty: it signs itself. An empty ``common_name`` is the CSMS host;
    ``days`` 0 takes the certificate profile's. ``organisation`` is whose it is; ``None``: ours. ``key`` names the key
    that is certified where it is not the holding's.
    """

    holding: Holding
    profile: str
    issuer: str
    common_name: str = ""
    days: float = 0
    organisation: Organisation | None = None
    key: str = ""


BELOW: Final = (
    Wanted(Holding("ocsp", "ocsp-csms", "ocsp"), "ocsp", "csms", "Bollard OCSP Signer"),  # others when first needed
    Wanted(Holding("server-ecdsa", "server-ecdsa", "server"), "csms", "csms"),
    Wanted(Holding("server-rsa", "server-rsa", "server"), "csms", "csms"),
)
"""What every home has below its authorities, wherever its root is."""


async def certify(desk: Desk, wanted: Wanted, who: str) -> issuing.Sealed:
    """Make the certificate of a key that the keyring has; what is returned is in the ledger and in ``desk.own``."""
    signer = wanted.issuer or wanted.holding.name
    services = await services_of(desk, desk.mine(wanted.issuer)) if wanted.issuer else None
    order = issuing.Order(plan=_plan(desk, wanted, services), key=desk.keys.key(signer), holds=wanted.holding)
    return await issuing.issue(desk, order, who)


def export(desk: Desk) -> None:
    """Lay our certificates out for people, and take away those of no more use; the program reads the ledger alone."""
    for own in desk.own.values():
        path, text = desk.home.ca / f"{own.name}.pem", to_pem([own.certificate]).encode()
        path.with_suffix(".csr").unlink(missing_ok=True)  # answered: another ceremony would certify the key again
        if own.holding.state is KeyState.RETIRED:
            path.unlink(missing_ok=True)
        elif not path.exists() or path.read_bytes() != text:
            write_private(path, text)


def _plan(desk: Desk, wanted: Wanted, services: Services | None) -> Plan:
    name = wanted.key or wanted.holding.name
    issuer = desk.issuer(wanted.issuer) if wanted.issuer else None
    key, padding = desk.keys.key(name).public_key(), desk.keys.describe(name).padding
    return plan_for(wanted, desk.settings, desk.profile(wanted.profile), key, padding, issuer, services)


def plan_for(
    wanted: Wanted,
    settings: Settings,
    profile: CertificateProfile,
    public_key: CertificatePublicKeyTypes,
    padding: Padding,
    issuer: Issuer | None,
    services: Services | None,
) -> Plan:
    """Plan a certificate that is wanted, as of now. ``issuer`` is ``None`` for one that signs itself, padded so.

    Raises ``RefusedError("plan.refused")``.
    """
    owner = wanted.organisation or settings.organisation
    subject = Subject(wanted.common_name or settings.csms_host.text, owner)
    serial, now = issuing.draw_serial(), clock.now()
    if issuer is None:
        return plan_root(profile, subject, public_key, serial, now, wanted.days, padding)
    return plan(profile, subject, public_key, issuer, serial, now, wanted.days, services)


def rehearse(
    due: Iterable[tuple[Wanted, KeyFacts]],
    settings: Settings,
    profile_of: Callable[[str], CertificateProfile],
    issuer_of: Callable[[str], Issuer],
) -> dict[str, Plan]:
    """Plan several certificates, and have them linted, as if they were made now, with keys that nobody keeps.

    An issuer is one of those before, else ``issuer_of`` knows it. ``RefusedError`` for one that could not be made.
    """
    made: dict[str, Issuer] = {}
    plans: dict[str, Plan] = {}
    for wanted, facts in due:
        issuer = made.get(wanted.issuer) or (issuer_of(wanted.issuer) if wanted.issuer else None)
        profile, public_key = profile_of(wanted.profile), make(facts.kind).public_key()
        planned = plan_for(wanted, settings, profile, public_key, facts.padding, issuer, _services(settings, issuer))
        tried = try_out(planned, clock.now())
        plans[wanted.holding.name] = planned
        if profile.is_ca:
            made[wanted.holding.name] = Issuer(wanted.holding.name, tried, facts.padding)
    return plans


def _services(settings: Settings, issuer: Issuer | None) -> Services | None:
    """What stands in a certificate below an issuer that may not be there yet."""
    if issuer is None or not settings.status_url:
        return None
    shards = ROOT_SHARDS if is_self_issued(issuer.certificate) else SHARDS
    return Services(settings.status_url, issuer.name, shards)


def keep(desk: Desk, own: OwnCertificate, row: calls.CertificateRow, tx: Tx) -> dict[str, Json]:
    """Keep a certificate that others signed, of a key of ours or of an authority above it.

    What is returned is what the act's audit entry tells of it, in its list ``taken``.
    """
    der, tbs = own.certificate.public_bytes(Encoding.DER), own.certificate.tbs_certificate_bytes
    replaced = certificates.hold(tx.database, own.holding, certificates.take_in(tx.database, row, der, tbs))
    tx.after.append(partial(desk.adopt, own))
    digests = {"tbs_sha256": sha256(tbs), "der_sha256": sha256(der)}
    return {**issuing.what_of(row), **issuing.proof_of(row), **issuing.held_of(own.holding, replaced), **digests}
