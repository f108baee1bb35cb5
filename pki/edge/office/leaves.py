"""Issuing what is no station's client certificate: what stations show to cars, firmware signers, operators.

Who may have which is a table: by the purpose of the certificate profile, the authority that signs, and the name due.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pki import request as requests
from pki.certificate import key_id, to_pem
from pki.edge import calls, clock
from pki.edge.ledger import certificates
from pki.edge.office import issuing
from pki.edge.office.services import services_of
from pki.errors import InputError, RefusedError
from pki.hierarchy import HierarchyKind, manufacturer_slot, v2g_slot
from pki.names import HolderName, Organisation, SeccId
from pki.plan import Subject, plan
from pki.profile import CertificatePurpose
from pki.v2g import RULES

if TYPE_CHECKING:
    from pki.edge.office.desk import Desk
    from pki.profile import CertificateProfile
    from pki.services import Services


@dataclass(frozen=True, slots=True)
class _Due:
    """What a request must agree with: the name, the organisation, and the station it belongs to, if any.

    ``name`` is empty where the request chooses it itself, as a firmware signer's may.
    """

    slot: str
    name: str
    clause: str
    organisation: Organisation
    station: str = ""


async def issue(
    desk: Desk, call: calls.IssueCertificate, profile: CertificateProfile, who: str
) -> calls.CertificateIssued:
    """Issue a leaf by this certificate profile; a refused request leaves an audit entry too."""
    due = _due(desk, call, profile.purpose)
    issuer = desk.active(due.slot)
    try:
        order = _order(desk, call, profile, due, await services_of(desk, issuer))
    except RefusedError as refused:
        await desk.ledger.write(partial(issuing.refuse, desk, due.station, refused, who))
        raise
    sealed = await issuing.issue(desk, order, who)
    chain = [sealed.certificate, *desk.chain(issuer)]
    return calls.CertificateIssued(sealed.row, to_pem(chain), sealed.audit_index, issuing.told(sealed.findings))


def _due(desk: Desk, call: calls.IssueCertificate, purpose: CertificatePurpose) -> _Due:
    ours = desk.settings.organisation
    match purpose:
        case CertificatePurpose.V2G_SECC_2 | CertificatePurpose.V2G_SECC_20 if purpose.edition:
            _refuse_unless(call, station=True, name=True)
            name, slot = SeccId.parse(call.name).text, v2g_slot(HierarchyKind.V2G_SUB2, purpose.edition)
            return _Due(slot, name, RULES[purpose.edition].subject_clause, ours, call.station)
        case CertificatePurpose.FIRMWARE_SIGNER:
            _refuse_unless(call, vendor=True, name=bool(call.name))
            name = HolderName.parse(call.name).text if call.name else ""
            return _Due(manufacturer_slot(call.vendor), name, "A00.FR.509", Organisation.parse(call.vendor))
        case CertificatePurpose.OPERATOR:
            _refuse_unless(call, name=True)
            return _Due("operator", HolderName.parse(call.name).text, "A00.FR.509", ours)
        case _:
            says = f"certificates for {purpose} are not issued for a request"
            raise InputError("issue.profile", says, "'bollard ca profiles' shows which profile is for what.")


def _refuse_unless(
    call: calls.IssueCertificate, *, station: bool = False, name: bool = False, vendor: bool = False
) -> None:
    """Exactly what the purpose needs is given: a name too many may be somebody's slip."""
    for field, given, due in (
        ("station", call.station, station),
        ("name", call.name, name),
        ("vendor", call.vendor, vendor),
    ):
        if bool(given) is not due:
            says = f"the certificate profile {call.profile[:40]!r} {'needs a' if due else 'has no'} {field}"
            raise InputError("issue.words", says, "'bollard cert issue --help' says what each profile needs.")


def _order(
    desk: Desk, call: calls.IssueCertificate, profile: CertificateProfile, due: _Due, services: Services | None
) -> issuing.Order:
    request, issuer = requests.read_request(call.csr), desk.active(due.slot)
    compromised = desk.ledger.peek(partial(certificates.is_compromised, key=key_id(request.public_key)))
    named, findings = requests.examine_named(request, due.name, due.clause, due.organisation, compromised=compromised)
    planned = plan(
        profile,
        Subject(named, due.organisation),
        request.public_key,
        desk.issuer(issuer.name),
        issuing.draw_serial(),
        clock.now(),
        call.days,
        services,
    )
    order = issuing.Order(planned, desk.keys.key(issuer.name), due.station, asked=True, findings=findings)
    desk.ledger.glance(partial(issuing.refuse_taken, order=order))
    return order
