"""Takes over what an offline root has signed: replayed first, adopted in one transaction, then the home is completed.

What is believed is the digest that people wrote down at the ceremony; everything else follows from it. A crash between
adopting and completing is made up for by importing once more.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.ceremony.replay import Replayed, replay
from pki.ceremony.result import Result
from pki.ceremony.terms import ROOT, Due
from pki.certificate import key_id
from pki.chain import Purpose, verify
from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.keys import throwaway_key, write_private
from pki.edge.ledger import anchors, ceremonies, certificates
from pki.edge.office import duties, revoking
from pki.edge.office.anchors import our_issuers
from pki.edge.office.authorities import BELOW, LINK, certify, export, keep
from pki.edge.office.desk import OwnCertificate, sha256
from pki.edge.office.root_requests import SLOTS, key_names
from pki.errors import BollardError, ConflictError, InputError, RefusedError
from pki.findings import Finding, error, refuse_errors
from pki.holding import Holding, Keeper, KeyState
from pki.profile import CertificatePurpose
from pki.services import Published
from pki.station import CertificateStatus

if TYPE_CHECKING:
    from collections.abc import Collection

    from cryptography import x509

    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.authorities import Wanted
    from pki.edge.office.desk import Desk

DIGEST_DIGITS: Final = 32  # hex digits at least: 128 bits, beyond what anybody could try to match

_DIGEST: Final = re.compile(rf"[0-9a-f]{{{DIGEST_DIGITS},64}}")
_ADVICE: Final = "Nothing was taken over. See that the result is of this home's own requests."


async def take(desk: Desk, call: calls.ImportCeremony, who: str) -> calls.CeremonyImported:
    """Import a ceremony's result. A result that was taken over already, and left nothing to do, is a conflict."""
    found = replay(Result(call.files), throwaway_key)
    _refuse_other(found.digest, call.digest)
    if not await desk.ledger.read(partial(ceremonies.is_imported, digest=found.digest)):
        refuse_errors(_examine(desk, found), "ceremony.foreign", "the ceremony's result", _ADVICE)
        reach("import.judged")
        index = await desk.ledger.write(partial(_adopt, desk, found, who))
    elif _missing(desk):
        index = await desk.ledger.write(desk.newest_index)
    else:
        raise ConflictError("ceremony.imported", "this result was imported before", "There is nothing to do.")
    reach("import.adopted")
    await _complete(desk, found, who)
    await duties.serve(desk, who)
    reach("import.completed")
    return _told(desk, found, index)


def _refuse_other(digest: str, given: str) -> None:
    digits = re.sub(r"[\s:]", "", given).lower()
    if not _DIGEST.fullmatch(digits):
        raise InputError(
            "ceremony.digest",
            f"{given[:80]!r} is no digest: at least {DIGEST_DIGITS} hex digits are due",
            "Give the transcript's digest as it was written down at the ceremony.",
        )
    if not hmac.compare_digest(digest[: len(digits)], digits):
        advice = "Do not use this folder: find out where the right one is, and who made this one."
        raise RefusedError(
            "ceremony.other", "this is the result of another ceremony: its digest is not the one given", advice
        )


def _examine(desk: Desk, found: Replayed) -> list[Finding]:
    findings = [_examine_organisation(desk, found)] if _other_organisation(desk, found) else []
    for due in found.ceremony.certificates:
        findings += _examine_key(desk, due, found.certificates[due.name])
        try:
            verify(found.certificates[due.name], [found.root], [], Purpose.ANY, clock.now())
        except RefusedError as refused:
            findings += refused.findings
    return findings


def _other_organisation(desk: Desk, found: Replayed) -> bool:
    return found.ceremony.organisation != desk.settings.organisation


def _examine_organisation(desk: Desk, found: Replayed) -> Finding:
    says = f"it is of {found.ceremony.organisation.text!r}, this home of {desk.settings.organisation.text!r}"
    return error("ceremony.not_ours", "A00.FR.509", says)


def _examine_key(desk: Desk, due: Due, certificate: x509.Certificate) -> list[Finding]:
    """The keys certified must be those of this home, and without a certificate so far."""
    if due.slot not in SLOTS:
        return [error("ceremony.not_ours", "", f"{due.name}: this home has no duty {due.slot!r} below a root")]
    if due.name in desk.own:
        return [error("ceremony.not_ours", "", f"{due.name}: the key of this name has a certificate already")]
    try:
        ours = desk.keys.key(due.name).public_key()
    except BollardError as problem:
        return [error("ceremony.not_ours", "A00.FR.501", f"{due.name}: {problem.cause}")]
    if key_id(ours) != key_id(certificate):
        return [error("ceremony.not_ours", "A00.FR.501", f"{due.name}: the key certified is not the one of this home")]
    return []


def _adopt(desk: Desk, found: Replayed, who: str, tx: Tx) -> int:
    """One act: the root, the authorities below it, the list, and the entry that says where they come from."""
    gone = {each.serial.number for each in found.ceremony.crl.revoked}
    own = [
        OwnCertificate(_holding(desk, due, gone), found.certificates[due.name]) for due in found.ceremony.certificates
    ]
    root = _root(desk, found.root)
    taken = [keep(desk, each, _row(each, found.root), tx) for each in [*([root] if root else []), *own]]
    terms, now = found.ceremony.crl, clock.now()
    ceremonies.add(tx.database, found.digest, key_id(found.root), terms.number, found.crl, now)
    index = desk.record(tx, "ceremony.imported", who, {**_what(found), "taken": taken, "imported": clock.stamp(now)})
    _heed_list(desk, found, who, tx)
    tx.after.append(partial(_tell, desk, found, tuple(anchors.every(tx.database))))
    reach("import.adopting")
    return index


def _heed_list(desk: Desk, found: Replayed, who: str, tx: Tx) -> None:
    """Record what the root's list revokes, if it is known here and still counts: those lists only grow."""
    for each in found.ceremony.crl.revoked:
        known = certificates.below(tx.database, key_id(found.root), each.serial.hex)
        if known is None or known.status not in {CertificateStatus.VALID, CertificateStatus.HELD}:
            continue
        if not (each.reason.is_hold and known.status == CertificateStatus.HELD):
            revoking.record(desk, known, each.reason, clock.stamp(each.moment), who, tx)


def _what(found: Replayed) -> dict[str, Json]:
    return {
        "transcript": found.digest,
        "file": found.ceremony.digest,
        "root_key_id": key_id(found.root).hex(),
        "crl_number": found.ceremony.crl.number,
        "crl_sha256": sha256(found.crl),
        "networks": found.networks,
    }


def _holding(desk: Desk, due: Due, gone: Collection[int]) -> Holding:
    return Holding(due.name, due.slot, due.slot, _state(desk, due.slot, gone))


def _root(desk: Desk, certificate: x509.Certificate) -> OwnCertificate | None:
    """The root as one of ours whose key is elsewhere; nothing when it is known already."""
    if any(key_id(own.certificate) == key_id(certificate) for own in desk.own.values()):
        return None
    name = next(name for name in key_names(ROOT) if name not in desk.own)
    return OwnCertificate(Holding(name, ROOT, ROOT, _state(desk, ROOT), Keeper.ELSEWHERE), certificate)


def _state(desk: Desk, slot: str, gone: Collection[int] = ()) -> KeyState:
    """Who comes first, or in the place of one that is revoked (``gone``: serials), is in use at once; another successor
    is trusted, and waits to be activated."""
    active = (own for own in desk.own.values() if (own.holding.slot, own.holding.state) == (slot, KeyState.ACTIVE))
    taken = any(desk.fallen(own) is None and own.certificate.serial_number not in gone for own in active)
    return KeyState.NEXT if taken else KeyState.ACTIVE


def _row(own: OwnCertificate, root: x509.Certificate) -> calls.CertificateRow:
    purpose = CertificatePurpose.ROOT if own.holding.slot == ROOT else CertificatePurpose.ISSUING
    return calls.CertificateRow(
        serial=f"{own.certificate.serial_number:x}",
        subject=own.certificate.subject.rfc4514_string(),
        issuer=root.subject.rfc4514_string(),
        issuer_key_id=key_id(root),
        not_before=own.certificate.not_valid_before_utc,
        not_after=own.certificate.not_valid_after_utc,
        status=CertificateStatus.INTENDED.value,
        purpose=purpose.value,
    )


def _tell(desk: Desk, found: Replayed, others: tuple[calls.AnchorRow, ...]) -> None:
    """The root's newest list takes the place of the one that is served."""
    desk.board.publish(calls.TrustChanged(our_issuers(desk), others))
    for own in _roots(desk, found):
        desk.board.publish(calls.CrlChanged(own.name, 0))


def _roots(desk: Desk, found: Replayed) -> list[OwnCertificate]:
    return [own for own in desk.own.values() if own.purpose != LINK and key_id(own.certificate) == key_id(found.root)]


def _missing(desk: Desk) -> list[Wanted]:
    """What a home needs below its authorities and does not have; nothing while it has no authorities."""
    filled = {own.holding.slot for own in desk.own.values()}
    return [wanted for wanted in BELOW if wanted.holding.slot not in filled and wanted.issuer in filled]


async def _complete(desk: Desk, found: Replayed, who: str) -> None:
    missing = _missing(desk)
    for wanted in missing:
        await certify(desk, replace(wanted, issuer=desk.active(wanted.issuer).name), who)
    export(desk)
    for own in _roots(desk, found):
        write_private(desk.home.ca / f"{own.name}.crl", found.crl)
    if missing:
        desk.board.publish(calls.CredentialsChanged())


def _not_here(desk: Desk, found: Replayed) -> tuple[str, ...]:
    """Find addresses that stand in what was signed now, and that are not ours to serve."""
    named = found.ceremony.published
    if named is None or not found.certificates:
        return ()
    mine = [Published.at_home(desk.settings.status_url, own.name) for own in _roots(desk, found)]
    served = {url for each in mine for url in (each.list_url, each.certificate)}
    return tuple(url for url in (named.list_url, named.certificate) if url not in served)


def _told(desk: Desk, found: Replayed, index: int) -> calls.CeremonyImported:
    came = {ROOT, *found.certificates}
    serials = {each.serial.number for each in found.ceremony.crl.revoked}
    revoked = [own.name for own in desk.own.values() if own.certificate.serial_number in serials]
    return calls.CeremonyImported(
        issuers=tuple(row for row in our_issuers(desk) if row.name in came),
        networks=found.networks,
        revoked=tuple(revoked),
        not_here=_not_here(desk, found),
        crl_number=found.ceremony.crl.number,
        audit_index=index,
    )
