"""Taking in authorities that others made: a root, or an issuing CA below a root of theirs, with its key or without.

The certificate is held against our own rules and its chain verified up to its root. What could mislead a station or a
proxy refuses; what is merely written otherwise than we would is told, since nobody here can change it. Those above it
are kept as well, so that whole chains can be handed out and the root exported; their keys stay elsewhere. One that is
known without its key is given it by the same call with the key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pki.certificate import is_self_issued, key_id, names_issuer, read_certificates
from pki.chain import Purpose, verify
from pki.edge import calls, clock, keys
from pki.edge.crashpoints import reach
from pki.edge.ledger import anchors as trusted
from pki.edge.ledger import ceremonies, certificates
from pki.edge.office import anchors
from pki.edge.office.authorities import keep
from pki.edge.office.desk import OwnCertificate
from pki.edge.office.hierarchies import one_of, refuse_name, waiting_state
from pki.edge.office.issuing import held_of, told
from pki.errors import BollardError, ConflictError, InputError, RefusedError
from pki.findings import Finding, Severity, error, refuse_errors
from pki.hierarchy import ABOVE, HierarchyKind, Level, level_of, manufacturer_slot
from pki.holding import Holding, Keeper, KeyState
from pki.lint import lint_certificate
from pki.plan import examine_mark
from pki.profile import CertificatePurpose
from pki.raw_form import read_form
from pki.signed import padding_of
from pki.station import CertificateStatus
from pki.strength import Padding, SigningKey

if TYPE_CHECKING:
    from cryptography import x509
    from sqlite_utils import Database

    from pki import audit
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

KEY_LENGTH: Final = 16_384  # characters of a private key in PEM; RSA-4096 takes 3,300

REFUSING: Final = frozenset(
    {
        "alg.unsupported",
        "alg.weak",
        "lint.algorithm_form",
        "lint.basic_constraints",
        "lint.ca",
        "lint.extensions",
        "lint.future",
        "lint.key_usage",
        "lint.v2g_key",
        "lint.v2g_length",
        "lint.v2g_signature",
        "lint.validity",
        "lint.version",
    }
)
"""The rules that an authority of others must keep too: the rest is form, and does no harm where it is read."""

_ADVICE: Final = "Ask whoever runs this authority for a certificate that keeps these rules."


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What is to be taken in: its certificate, those above it up to the root, and its place. ``known`` says that its
    certificate is here already, and only its key comes."""

    holding: Holding
    purpose: CertificatePurpose
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...]
    findings: tuple[Finding, ...]
    known: bool
    padding: Padding
    """How its key signs here, if it comes and is RSA."""


async def take_in(desk: Desk, call: calls.ImportIssuer, who: str) -> calls.IssuerImported:
    """Take in an authority, or the key of one that is known without it."""
    arrival = _examine(desk, call)
    _refuse_firmware(arrival, await desk.ledger.read(trusted.every))
    if arrival.known and await desk.ledger.read(partial(_has_lists, key=key_id(arrival.certificate))):
        raise ConflictError(
            "issuer.offline",
            f"{arrival.holding.name!r} rests offline, and its revocation lists are numbered there",
            "Let it sign in a ceremony: bollard ca ceremony plan.",
        )
    name = arrival.holding.name
    took = call.private_key and _take_key(desk, arrival, _read_key(call.private_key, call.password))
    reach("taking.key")
    try:
        index = await desk.ledger.write(partial(_record, desk, arrival, who))
    except BollardError:
        if took:
            desk.keys.discard(name)
        raise
    reach("taking.recorded")
    pem = arrival.certificate.public_bytes(Encoding.PEM)
    keys.write_private(desk.home.ca / f"{name}.pem", pem)
    row = next(row for row in anchors.our_issuers(desk) if row.name == name)
    return calls.IssuerImported(row, told(arrival.findings), index)


def _examine(desk: Desk, call: calls.ImportIssuer) -> _Arrival:
    certificate, *given = read_certificates(call.pem)
    given += read_certificates(call.chain) if call.chain else []
    level = _level(call)
    known = _known(desk, certificate, call)
    holding = _place(desk, level, call) if known is None else _place_of_known(desk, known.holding, level)
    now = clock.now()
    lint = [_weigh(finding) for finding in lint_certificate(certificate, level.profile, now)]
    subject = f"the authority {certificate.subject.rfc4514_string()[:96]!r}"
    padding = _padding(certificate, call)
    mark = examine_mark(certificate, padding) if call.private_key else []
    findings = refuse_errors([*lint, *_examine_place(certificate, level), *mark], "issuer.refused", subject, _ADVICE)
    judged = known is not None and known.holding.slot == level.slot  # its place was, when it came
    near = [own.certificate for own in desk.own.values()] if judged else _relatives(desk, level)
    path = _path(certificate, [*given, *near])
    return _Arrival(holding, level.profile, certificate, path, findings, known is not None, padding)


def _padding(certificate: x509.Certificate, call: calls.ImportIssuer) -> Padding:
    """How its key is to sign: as asked, but by PSS in any case where it is marked as one that signs in no other way."""
    chosen = one_of(Padding, call.padding, "issuer.key_padding")
    if chosen is Padding.PSS and not call.private_key:
        raise InputError("issuer.key_padding", "a padding is how a key signs here, and none is given", "Give its key.")
    return padding_of(certificate.public_key(), read_form(certificate).key, chosen)


def _known(desk: Desk, certificate: x509.Certificate, call: calls.ImportIssuer) -> OwnCertificate | None:
    """Find the authority of this key that waits for it; one that is here in any other way is refused."""
    same = [own for own in desk.own.values() if key_id(own.certificate) == key_id(certificate)]
    for own in same:
        waits = own.holding.keeper is Keeper.ELSEWHERE and own.certificate == certificate
        if waits and len(same) == 1 and call.private_key and call.name in {"", own.name}:
            return own
    if same:
        says = f"this home has an authority with this very key: {same[0].name!r}, {same[0].holding.state}"
        elsewhere = any(own.holding.keeper is Keeper.ELSEWHERE for own in same)
        advice = "To bring its key, give the same certificate with --key, under that name or none." * elsewhere
        raise ConflictError("issuer.exists", says, advice or "See 'bollard ca list'.")
    return None


def _place(desk: Desk, level: Level, call: calls.ImportIssuer) -> Holding:
    """Where a newcomer belongs."""
    name = call.name or _free_name(desk, level.role.value)
    refuse_name(desk, name)
    keeper = Keeper.HERE if call.private_key else Keeper.ELSEWHERE
    return Holding(name, level.slot, level.role.value, waiting_state(desk, level.slot), keeper)


def _place_of_known(desk: Desk, holding: Holding, level: Level) -> Holding:
    """Where one belongs whose key comes later: where it is, or, if it only stood above or was let go, like a newcomer.

    One that is in a slot of ours was given its purpose when it came.
    """
    if ABOVE not in holding.slot and holding.slot != level.slot:
        says = f"{holding.name!r} is known for another purpose: {holding.slot}"
        raise ConflictError("issuer.exists", says, "Import its key for the purpose it has.")
    if holding.slot == level.slot and holding.state is not KeyState.RETIRED:
        return replace(holding, keeper=Keeper.HERE)
    return Holding(holding.name, level.slot, level.role.value, waiting_state(desk, level.slot), Keeper.HERE)


def _has_lists(database: Database, key: bytes) -> bool:
    """Tell whether lists of an authority came from ceremonies."""
    return bool(ceremonies.newest_list(database, key))


def _level(call: calls.ImportIssuer) -> Level:
    try:
        kind = HierarchyKind(call.purpose)
    except ValueError:
        says = f"{call.purpose[:40]!r} is no purpose of an authority"
        raise InputError("issuer.purpose", says, f"Use one of: {', '.join(HierarchyKind)}.") from None
    return level_of(kind, call.vendor, call.edition)


def _weigh(finding: Finding) -> Finding:
    """An error of form is a warning here: the certificate is made, and others rely on it as it is."""
    if finding.severity is not Severity.ERROR or finding.code in REFUSING:
        return finding
    return Finding(finding.code, Severity.WARNING, finding.clause, finding.says)


def _examine_place(certificate: x509.Certificate, level: Level) -> list[Finding]:
    if level.above or is_self_issued(certificate):
        return []
    return [error("issuer.no_root", "RFC 5280 3.2", "it is not signed by itself, so it is no root")]


def _relatives(desk: Desk, level: Level) -> list[x509.Certificate]:
    """Those of our own that may stand above it: V2G, manufacturers and the operator never meet (A00.FR.601)."""
    v2g = level.above.startswith("v2g-")
    near = [own for own in desk.own.values() if own.purpose.startswith("v2g-") is v2g]
    return [own.certificate for own in near if own.purpose != HierarchyKind.MANUFACTURER and level.above]


def _refuse_firmware(arrival: _Arrival, others: list[calls.AnchorRow]) -> None:
    """A00.FR.601: whom we trust for a manufacturer's firmware stands nowhere in a hierarchy of another's."""
    keys_above = {key_id(each) for each in (arrival.certificate, *arrival.above)}
    strangers = [row for row in others if row.purpose == "firmware" and row.key_id in keys_above]
    if any(manufacturer_slot(row.vendor) != arrival.holding.slot for row in strangers):
        found = error("issuer.hierarchy", "A00.FR.601", "its hierarchy is trusted for a manufacturer's firmware")
        raise RefusedError("issuer.refused", f"the authority: {found.says}", _ADVICE, findings=(found,))


def _path(certificate: x509.Certificate, candidates: list[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Verify the way up to a root among the candidates; return what stands above the certificate."""
    roots = [each for each in (certificate, *candidates) if is_self_issued(each) and anchors.is_signed(each, each)]
    others = [each for each in candidates if not is_self_issued(each)]
    try:
        return verify(certificate, roots, others, Purpose.ANY, clock.now()).path[1:]
    except RefusedError as refused:
        advice = "Give the certificates above it, up to the root, with --chain."
        raise RefusedError("issuer.chain", refused.cause, advice, findings=refused.findings) from None


def _free_name(desk: Desk, base: str) -> str:
    """The purpose itself where nothing goes by that name, else with the next number, as ``station-2``."""
    names = (base, *(f"{base}-{number}" for number in range(2, len(desk.own) + 3)))
    return next(name for name in names if name not in desk.own)


def _take_key(desk: Desk, arrival: _Arrival, key: SigningKey) -> bool:
    """Keep its key encrypted like our own; tell whether it is new, for a run cut short may have kept it already."""
    name = arrival.holding.name
    if _spki(key) != arrival.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise RefusedError(
            "issuer.key_mismatch", "the private key is not that of the certificate", "Give the one that belongs to it."
        )
    if not desk.keys.has(name):
        desk.keys.take(name, key, arrival.padding)
        return True
    if _spki(desk.keys.key(name)) != _spki(key):
        says = f"another key lies there as keys/{name}.pem, and belongs to no authority"
        raise ConflictError("issuer.key_left", says, "Move that file away, or choose another name.")
    return False


def _read_key(text: str, password: str) -> SigningKey:
    if len(text) > KEY_LENGTH:
        raise _unreadable(f"it is longer than {KEY_LENGTH} characters")
    try:
        key = load_pem_private_key(text.encode(), password.encode() if password else None)
    except TypeError:
        says = "it is not encrypted, and a password was given" if password else "it is encrypted, and no password given"
        raise _unreadable(says) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable("it is no private key in PEM, or does not open with this password") from None
    if not isinstance(key, SigningKey):
        raise _unreadable("it is of a kind that signs no certificates")
    return key


def _unreadable(says: str) -> InputError:
    return InputError(
        "issuer.key_unreadable",
        f"the private key cannot be used: {says}",
        "Give PKCS#8, SEC1 or PKCS#1 in PEM, and its password in a file with --password-file.",
    )


def _spki(key: SigningKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _record(desk: Desk, arrival: _Arrival, who: str, tx: Tx) -> int:
    """Keep it and those above it that are new, in one act; of one that is known, note that its key is here."""
    if arrival.known:
        return _record_key(desk, arrival, who, tx)
    own = [OwnCertificate(arrival.holding, arrival.certificate), *_strangers(desk, arrival)]
    taken = [_keep(desk, arrival, each, tx) for each in own]
    tolerated = sorted({finding.code for finding in arrival.findings})
    index = desk.record(tx, "issuer.imported", who, {"taken": taken, "tolerated": [*tolerated]})
    anchors.announce(desk, tx)
    reach("taking.recording")
    return index


def _record_key(desk: Desk, arrival: _Arrival, who: str, tx: Tx) -> int:
    certificates.bring_key(tx.database, arrival.holding)
    tx.after.append(partial(desk.adopt, OwnCertificate(arrival.holding, arrival.certificate)))
    tolerated = sorted({finding.code for finding in arrival.findings})
    what: dict[str, audit.Json] = {**held_of(arrival.holding, ""), "key_id": key_id(arrival.certificate).hex()}
    index = desk.record(tx, "issuer.key_taken", who, {**what, "tolerated": [*tolerated]})
    anchors.announce(desk, tx)
    reach("taking.recording")
    return index


def _keep(desk: Desk, arrival: _Arrival, own: OwnCertificate, tx: Tx) -> dict[str, audit.Json]:
    """Keep one certificate; return what the log tells of it."""
    purpose = arrival.purpose if own.holding is arrival.holding else _purpose_above(own.certificate)
    row = _row(own.certificate, (arrival.certificate, *arrival.above), purpose)
    return keep(desk, own, row, tx)


def _strangers(desk: Desk, arrival: _Arrival) -> list[OwnCertificate]:
    """Those above it that this home does not hold yet, each in a slot of its own: they are in nobody's way."""
    known = [own.certificate for own in desk.own.values()]
    new = [each for each in arrival.above if each not in known]
    numbered = (f"{arrival.holding.name}{ABOVE}{number}" for number in count(1))
    names = list(islice((name for name in numbered if name not in desk.own), len(new)))
    return [
        OwnCertificate(Holding(name, name, _purpose_above(each).value, KeyState.ACTIVE, Keeper.ELSEWHERE), each)
        for name, each in zip(names, new, strict=True)
    ]


def _purpose_above(certificate: x509.Certificate) -> CertificatePurpose:
    return CertificatePurpose.ROOT if is_self_issued(certificate) else CertificatePurpose.ISSUING


def _row(
    certificate: x509.Certificate, path: tuple[x509.Certificate, ...], purpose: CertificatePurpose
) -> calls.CertificateRow:
    issuer = next(each for each in path if names_issuer(certificate, each))
    return calls.CertificateRow(
        serial=f"{certificate.serial_number:x}",
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        issuer_key_id=key_id(issuer),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        status=CertificateStatus.INTENDED.value,
        purpose=purpose.value,
    )
