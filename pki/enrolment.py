"""Judges who asks for a certificate by showing one: a station's own, or the one its maker gave it.

The TLS handshake proves that the key is held and nothing more; whether the certificate is to be trusted is decided
here. What a station is called is read from it and compared by the caller with the register, exactly (A00.FR.405).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pki.certificate import common_names, key_id
from pki.chain import Purpose, verify
from pki.errors import ForbiddenError, RefusedError
from pki.findings import Finding, error, refuse_errors, warning
from pki.strength import check_key
from pki.waiting import Way

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from cryptography import x509

    from pki.request import SigningRequest


@dataclass(frozen=True, slots=True)
class Holder:
    """Evidence: whoever asks holds the key of this certificate, and it may speak for the station that it names."""

    way: Way
    common_name: str
    certificate: x509.Certificate
    issuer_key_id: bytes
    """Of the certificate's own issuer, 32 bytes."""


def judge_holder(
    shown: Sequence[x509.Certificate],
    ours: Sequence[x509.Certificate],
    others: Sequence[x509.Certificate],
    now: dt.datetime,
) -> Holder:
    """Judge the certificates shown, leaf first. Raises ``ForbiddenError("est.certificate")`` with every finding.

    ``ours`` are our authorities for stations, ``others`` the anchors of manufacturers. For one of ours the caller asks
    the ledger as well: a signature alone does not say that it still holds.
    """
    try:
        # Keys out of bounds are not computed with: a maze of large ones would cost us more than whoever made it.
        weak = [finding for each in shown for finding in check_key(each.public_key())]
        refuse_errors(
            weak, "est.certificate", "the certificates shown", "Show certificates with keys that are allowed."
        )
        path = verify(shown[0], (*ours, *others), shown[1:], Purpose.STATION, now).path
    except RefusedError as refused:
        raise ForbiddenError("est.certificate", refused.cause, refused.advice, findings=refused.findings) from None
    names = common_names(shown[0].subject)
    if len(names) != 1:
        raise refused_holder(f"the certificate shown has {len(names)} common names; one is due (A00.FR.405)")
    way = Way.RENEWAL if path[-1] in ours else Way.MANUFACTURER
    return Holder(way, names[0], shown[0], key_id(path[1]))


def refused_holder(says: str) -> ForbiddenError:
    """Make the refusal of a certificate that proves nothing about a station of ours."""
    return ForbiddenError(
        "est.certificate", says, "Enrol with a token, or with the certificate of the station that is meant."
    )


def examine_renewal(request: SigningRequest, held: x509.Certificate) -> list[Finding]:
    """RFC 7030 4.2.2: the request names the same subject as the certificate it is to follow.

    In any order: the certificate's is ours, not the station's. The same key may be certified again, because a station
    whose secure element has one key could not renew at all otherwise; A02.FR.02 wants a new one, so it is told.
    """
    found = []
    if _names(request.csr.subject) != _names(held.subject):
        says = f"its subject is not that of the certificate shown, {held.subject.rfc4514_string()[:96]!r}"
        found.append(error("csr.subject", "RFC 7030 4.2.2", says))
    if key_id(request.public_key) == key_id(held):
        found.append(warning("csr.same_key", "A02.FR.02", "it is for the same key as before; a new one is better"))
    return found


def _names(name: x509.Name) -> list[tuple[str, str]]:
    return sorted((attribute.oid.dotted_string, str(attribute.value)) for attribute in name)
