"""Certificates of keys that are ours: authorities, signers, servers.

They come to be in the one way of ``issuing``, and are taken into use as their holding says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.certificate import to_pem
from pki.edge import clock
from pki.edge.keys import write_private
from pki.edge.office import issuing
from pki.edge.office.certificates import profile
from pki.holding import Holding
from pki.plan import Plan, Subject, plan, plan_root

if TYPE_CHECKING:
    from pki.edge.office.desk import Desk


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate for a key of ours, by which certificate profile, under whom.

    ``issuer`` names the key of ours that signs it; empty: it signs itself. An empty ``common_name`` is the CSMS host;
    ``days`` 0 takes the certificate profile's.
    """

    holding: Holding
    profile: str
    issuer: str
    common_name: str = ""
    days: int = 0


BELOW: Final = (
    Wanted(Holding("ocsp", "ocsp", "ocsp"), "ocsp", "csms", "Bollard OCSP Signer"),
    Wanted(Holding("server-ecdsa", "server-ecdsa", "server"), "csms", "csms"),
    Wanted(Holding("server-rsa", "server-rsa", "server"), "csms", "csms"),
)
"""What every home has below its authorities, wherever its root is."""


async def certify(desk: Desk, wanted: Wanted, who: str) -> issuing.Sealed:
    """Make the certificate of a key that the keyring has; what is returned is in the ledger and in ``desk.own``."""
    signer = wanted.issuer or wanted.holding.name
    order = issuing.Order(plan=_plan(desk, wanted), key=desk.keys.key(signer), holds=wanted.holding)
    return await issuing.issue(desk, order, who)


def export(desk: Desk) -> None:
    """Lay our certificates out for people; the ledger, not these files, is what the program reads."""
    for own in desk.own.values():
        write_private(desk.home.ca / f"{own.name}.pem", to_pem([own.certificate]).encode())


def _plan(desk: Desk, wanted: Wanted) -> Plan:
    subject = Subject(wanted.common_name or desk.settings.csms_host.text, desk.settings.organisation)
    public_key = desk.keys.key(wanted.holding.name).public_key()
    kind, serial, now = profile(wanted.profile), issuing.draw_serial(), clock.now()
    if not wanted.issuer:
        padding = desk.keys.describe(wanted.holding.name).padding
        return plan_root(kind, subject, public_key, serial, now, wanted.days, padding)
    return plan(kind, subject, public_key, desk.issuer(wanted.issuer), serial, now, wanted.days)
