"""What the authority tells the proxy is turned into what the proxy decides with, once, at the door.

Rules this file keeps:

* Past this file no row of the wire is seen: stations, trust and releases are the core's own types.
* ``apply`` says which stations a change touches, so that their live connections are judged again and no others are.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, assert_never

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.certificate import is_self_issued, read_certificates
from pki.edge import calls
from pki.firmware.release import Release, recall
from pki.firmware.signer import Anchors
from pki.hierarchy import ABOVE
from pki.names import CertificateSerial, StationIdentity, StationSerial
from pki.station import CertificateFact, CertificateStatus, PasswordForm, SecurityProfile, Station, StationStatus
from secproxy.station_view import Authority, Trust, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ROOTS: Final[Mapping[str, str]] = {"csms": "root", "v2g-sub1": "v2g-root", "v2g-sub2": "v2g-root"}
"""What a root is that stands above an authority of ours of this purpose."""


def view_of(snapshot: calls.Snapshot) -> View:
    """Make a worker's view of the ledger from the authority's first news."""
    view = View(snapshot.organisation, snapshot.csms_host)
    apply(view, snapshot)
    return view


def apply(view: View, news: calls.News) -> frozenset[str]:
    """Change the view as the news say; return the identities of all stations whose standing may be another now."""
    match news:
        case calls.Snapshot():
            return _replace(view, news)
        case calls.StationChanged(row):
            view.stations.pop(row.identity, None)
            view.late.discard(row.identity)
            if row.status != StationStatus.REMOVED:
                view.stations[row.identity] = station(row)
                view.late |= {row.identity} if row.expired_until else set()
            return frozenset({row.identity})
        case calls.TrustChanged():
            _trust(view, news)
            return frozenset(view.stations)
        case calls.ReleaseAdded(row):
            view.releases = (*(known for known in view.releases if known.digest != row.digest), release(row))
            return frozenset()
        case calls.CredentialsChanged() | calls.StatusChanged() | calls.CrlChanged():
            return frozenset()
        case _:
            assert_never(news)


def present(view: View, credentials: calls.Credentials) -> None:
    """Change the view by what our listeners present from now on."""
    view.presented = tuple(each for chain in credentials.chains() for each in read_certificates(chain))


def station(row: calls.StationRow) -> Station:
    """Read one station."""
    return Station(
        identity=StationIdentity.parse(row.identity),
        serial=StationSerial.parse(row.serial),
        profile=SecurityProfile(row.profile),
        status=StationStatus(row.status),
        verifier=row.verifier,
        password_form=PasswordForm(row.password_form),
        certificates=tuple(certificate(each) for each in row.certificates if each.purpose == "station"),
        vendor=row.vendor,
        model=row.model,
        firmware_version=row.firmware_version,
        group=row.group,
        site=row.site,
        last_seen=row.last_seen,
        next_verifier=row.next_verifier,
        next_form=PasswordForm(row.next_form or PasswordForm.ANY),
        seen_profile=row.seen_profile,
        ratchet=row.ratchet,
        expired_until=row.expired_until,
        tls=row.tls,
    )


def certificate(row: calls.CertificateRow) -> CertificateFact:
    """Read one certificate of a station."""
    serial = CertificateSerial.parse(row.serial)
    return CertificateFact(serial, row.issuer_key_id, CertificateStatus(row.status), row.not_after)


def release(row: calls.ReleaseRow) -> Release:
    """Read one firmware image of the catalogue."""
    return recall(
        digest=row.digest,
        size=row.size,
        vendor=row.vendor,
        model=row.model,
        version=row.version,
        algorithm=row.algorithm,
        signature=row.signature,
        certificate=row.certificate,
    )


def trusted(
    issuers: Iterable[calls.IssuerRow], anchors: Iterable[calls.AnchorRow]
) -> tuple[tuple[calls.IssuerRow, ...], tuple[calls.AnchorRow, ...]]:
    """Leave out our authorities that are revoked or on hold, and whatever else has the key of one of them."""
    known = tuple(issuers)
    fallen = _fallen(known)
    return tuple(row for row in known if row.key_id not in fallen), tuple(r for r in anchors if r.key_id not in fallen)


def _fallen(issuers: Iterable[calls.IssuerRow]) -> dict[bytes, str]:
    return {row.key_id: row.state for row in issuers if row.state in calls.FALLEN and row.purpose != "link"}


def _replace(view: View, snapshot: calls.Snapshot) -> frozenset[str]:
    before = frozenset(view.stations)
    view.organisation = snapshot.organisation
    view.csms_host = snapshot.csms_host
    view.stations = {row.identity: station(row) for row in snapshot.stations}
    view.late = {row.identity for row in snapshot.stations if row.expired_until}
    view.releases = tuple(release(row) for row in snapshot.releases)
    _trust(view, snapshot)
    return before | frozenset(view.stations)


def _trust(view: View, told: calls.Snapshot | calls.TrustChanged) -> None:
    """Sort issuers and anchors by what they are trusted for; our own issuer wins where one key is both, most of all
    when it was revoked."""
    issuers = tuple(told.issuers)
    view.fallen = _fallen(issuers)
    issuers, anchors = trusted(issuers, told.anchors)
    ours = (Trust(row.key_id, view.organisation, True, row.subject) for row in issuers if row.purpose == "station")
    others = (Trust(row.key_id, _organisation(row), False, row.subject) for row in anchors if row.purpose == "station")
    view.trusts = {trust.key_id: trust for trust in chain(others, ours)}
    view.own_keys = frozenset(told.own_keys)
    view.anchors = _firmware_anchors(issuers, anchors)
    view.authorities = (*_authorities(issuers), *(Authority(row.purpose, _read(row.pem)) for row in anchors))


def _authorities(issuers: Iterable[calls.IssuerRow]) -> Iterator[Authority]:
    """Ours, and the roots of others that one of ours stands below, which are roots for the same."""
    known = tuple(issuers)
    roles = {row.name: row.purpose for row in known}
    for row in known:
        role, found = row.purpose, _read(row.pem)
        if role == "above":
            below = roles.get(row.slot.partition(ABOVE)[0], "")
            role = _ROOTS.get(below, "") if is_self_issued(found) else ""
        yield Authority(role, found)


def _firmware_anchors(issuers: Iterable[calls.IssuerRow], anchors: Iterable[calls.AnchorRow]) -> Anchors:
    vendors: dict[str, tuple[x509.Certificate, ...]] = {}
    others = [_read(row.pem) for row in issuers]
    for row in anchors:
        if row.purpose == "firmware":
            vendors[row.vendor] = (*vendors.get(row.vendor, ()), _read(row.pem))
        else:
            others.append(_read(row.pem))
    return Anchors(vendors, tuple(others))


def _organisation(row: calls.AnchorRow) -> str:
    """The one organisation that an anchor names as its own; none when it names several, for which would be meant?"""
    names = [str(each.value) for each in _read(row.pem).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return names[0] if len(names) == 1 else ""


def _read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode("ascii"))
