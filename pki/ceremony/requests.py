"""Judges what the online home asks the root to sign: the key in each request is the one that the file names.

Of a request only the public key is taken over. Its names must agree with the file's, which are what is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.certificate import key_id
from pki.errors import InputError
from pki.findings import Finding, error
from pki.request import SigningRequest, read_request
from pki.strength import check_key, check_mark, check_signature_hash
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.ceremony.terms import Ceremony, Due


def read_keys(
    ceremony: Ceremony, requests: Mapping[str, bytes]
) -> tuple[dict[str, CertificatePublicKeyTypes], list[Finding]]:
    """Return each due certificate's public key by name, and all that is wrong with the requests (PEM, by name)."""
    keys: dict[str, CertificatePublicKeyTypes] = {}
    found: list[Finding] = []
    for due in ceremony.certificates:
        if due.name not in requests:
            found.append(_wrong(due, "RFC 2986 4.2", "there is no such request"))
            continue
        try:
            request = read_request(requests[due.name])
        except InputError as refused:
            found.append(_wrong(due, "RFC 2986 4.2", refused.cause[:160]))
            continue
        keys[due.name] = request.public_key
        found += _examine(request, due, ceremony)
    return keys, found


def _examine(request: SigningRequest, due: Due, ceremony: Ceremony) -> list[Finding]:
    found = [Finding(each.code, each.severity, each.clause, _in(due, each.says)) for each in _examine_proof(request)]
    if key_id(request.public_key) != due.key_id:
        says = f"its key is {key_id(request.public_key).hex()}, the file names {due.key_id.hex()}"
        found.append(_wrong(due, "A00.FR.501", says))
    if request.common_names != (due.common_name,) or request.organisations != (ceremony.organisation.text,):
        says = f"it is for {request.csr.subject.rfc4514_string()[:96]!r}, the file for {due.common_name[:64]!r}"
        found.append(_wrong(due, "A00.FR.509", says))
    return found


def _examine_proof(request: SigningRequest) -> list[Finding]:
    """RFC 2986 4.2: whoever asks holds the private key."""
    weak = [*check_key(request.public_key), *check_mark(is_pss_only=request.is_pss_only)]
    try:
        weak += check_signature_hash(request.csr.signature_hash_algorithm)
        proved = request.csr.is_signature_valid
    except UNREADABLE:
        proved = False
    return weak if proved else [*weak, error("csr.proof", "RFC 2986 4.2", "its signature does not prove its key")]


def _wrong(due: Due, clause: str, says: str) -> Finding:
    return error("ceremony.request", clause, _in(due, says))


def _in(due: Due, says: str) -> str:
    return f"request {due.name}.csr: {says}"
