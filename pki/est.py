"""How certificates travel in EST (RFC 7030): which words are exchanged, and how a chain is put in order.

* Bodies are base64 of DER whatever a header says (RFC 8951 3). A bag of certificates (certs-only PKCS#7) has no order,
  so ours is found by following issuers, and nothing goes on that does not end in the anchor we hold.
* What comes back from an authority of others is held against what was asked, the very key and name of the request, and
  against the rules that our own certificates of that purpose keep.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.certificate import common_names, key_id, to_pem
from pki.chain import Purpose, verify
from pki.errors import RefusedError
from pki.findings import Finding, Severity, error, refuse_errors
from pki.lint import examine_chain_length, lint_certificate
from pki.profile_keys import CHAIN_LENGTH_MOST

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.profile import CertificatePurpose

CERTIFICATES_TYPE: Final = "application/pkcs7-mime; smime-type=certs-only"  # RFC 7030 4.1.3, 4.2.3
CACERTS_TYPE: Final = "application/pkcs7-mime"  # RFC 7030 4.1.3
REQUEST_TYPE: Final = "application/pkcs10"  # RFC 7030 4.2.1
ATTRIBUTES_TYPE: Final = "application/csrattrs"  # RFC 7030 4.5.2
LINE: Final = 64  # characters; readers of old fail above 76 (RFC 2045 6.8), and openssl takes 64

ATTRIBUTES: Final = bytes.fromhex(
    "3021"
    "301506072a8648ce3d0201310a06082a8648ce3d030107"  # an attribute: ecPublicKey, of which secp256r1
    "06082a8648ce3d040302"  # ecdsa-with-SHA256
)
"""What stations should ask with: a key on P-256, and SHA-256 under the request (A00.FR.503, .506), as CsrAttrs in DER.
Other kinds of key that the standard allows are taken too; one attribute is no list of them (RFC 7030 4.5.2)."""

_THEIRS: Final = "lint.stray_extension"
"""Others may say more in a certificate than we do, such as a policy. What is critical there and not understood refuses
as part of the chain (RFC 5280 4.2)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: a certificate of this purpose, a leaf's, for this key and with these common names, in a chain
    of so many characters of PEM at most."""

    purpose: CertificatePurpose
    key: CertificatePublicKeyTypes
    names: tuple[str, ...]
    chain_length: int = CHAIN_LENGTH_MOST


def wrap(der: bytes) -> bytes:
    """Write DER as the base64 lines of a body, with a line end after the last."""
    text = base64.b64encode(der)
    return b"".join(text[at : at + LINE] + b"\n" for at in range(0, len(text), LINE))


def write_certificates(certificates: Sequence[x509.Certificate]) -> bytes:
    """Write certificates as a body: certs-only PKCS#7, which is a set, so their order does not arrive."""
    return wrap(pkcs7.serialize_certificates(list(certificates), Encoding.DER))


def arrange(
    received: Sequence[x509.Certificate],
    others: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    wanted: Wanted,
    now: dt.datetime,
) -> tuple[x509.Certificate, ...]:
    """Find what was asked for among the certificates received, and put it and those above it in order, without the
    anchor.

    ``others`` are what the authority says its chain is. Raises ``RefusedError("est.other_key")`` when none is for the
    key, ``RefusedError("chain.refused")`` when it does not lead to an anchor or does not hold now,
    ``RefusedError("est.unfit")`` with every finding when it is not fit for its purpose.
    """
    mine = [certificate for certificate in received if key_id(certificate) == key_id(wanted.key)]
    if len(mine) != 1:
        raise RefusedError(
            "est.other_key",
            f"{len(mine)} of the {len(received)} certificates received are for the key that was asked for",
            "Nothing was taken over. Ask those who run the external authority.",
        )
    above = [certificate for certificate in (*received, *others) if certificate != mine[0]]
    path = verify(mine[0], anchors, above, Purpose.ANY, now).path
    chain = tuple(path[:-1])
    refuse_errors(
        [
            *_examine_name(mine[0], wanted),
            *map(_weigh, lint_certificate(mine[0], wanted.purpose, now)),
            *examine_chain_length(len(to_pem(chain)), wanted.chain_length),
        ],
        "est.unfit",
        f"the certificate received for {', '.join(wanted.names)[:96]!r}",
        "Nothing was taken over. Ask those who run the external authority for one that keeps these rules.",
    )
    return chain


def _examine_name(certificate: x509.Certificate, wanted: Wanted) -> list[Finding]:
    names = common_names(certificate.subject)
    if names == wanted.names:
        return []
    shown = ", ".join(repr(each[:72]) for each in names[:3]) or "missing"
    return [error("est.other_name", "", f"its common name is {shown}, which is not what was asked for")]


def _weigh(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.WARNING) if finding.code == _THEIRS else finding
