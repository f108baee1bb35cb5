"""What a ceremony signs, in order: the root, the authorities below it, the root's revocation list.

Each piece knows the exact bytes that will be signed before the key is touched. ``judge`` rehearses the whole ceremony
with a key that nobody keeps, so that whatever would be refused is refused before anything is made.
"""

from __future__ import annotations

import datetime as dt
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import issue
from pki.ceremony.crl import RootList
from pki.ceremony.requests import read_keys
from pki.ceremony.terms import ROOT, NewRoot
from pki.errors import RefusedError
from pki.findings import Finding, error, refuse_errors
from pki.lint import Approved, approve
from pki.plan import Issuer, Subject, plan, plan_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.ceremony.terms import Ceremony, Due
    from pki.strength import SigningKey

    Twin: TypeAlias = Callable[[CertificatePublicKeyTypes], SigningKey]
    Keys: TypeAlias = Mapping[str, CertificatePublicKeyTypes]

_ADVICE = "Nothing was made. Correct the file or the requests, and let everybody review the file again."


class Piece(Protocol):
    """Something to be signed. ``tbs`` are the bytes that the signature covers."""

    @property
    def kind(self) -> str:
        """``certificate`` or ``crl``."""

    @property
    def name(self) -> str:
        """The name of the key it is about; of a list, its issuer's."""

    @property
    def tbs(self) -> bytes:
        """The bytes to be signed, in DER."""

    def sign(self, key: SigningKey) -> bytes:
        """Sign it; return the whole in DER. Raises when what was signed is not what was intended."""


@dataclass(frozen=True, slots=True)
class CertificatePiece:
    """A certificate that the lint has approved."""

    name: str
    approved: Approved
    kind: str = "certificate"

    @property
    def tbs(self) -> bytes:
        """The bytes to be signed, in DER."""
        return self.approved.tbs

    def sign(self, key: SigningKey) -> bytes:
        """Sign it, once."""
        return issue.sign(self.approved, key).der


@dataclass(frozen=True, slots=True)
class ListPiece:
    """The root's revocation list."""

    intended: RootList
    tbs: bytes
    name: str = ROOT
    kind: str = "crl"

    def sign(self, key: SigningKey) -> bytes:
        """Sign it and see that exactly the intended bytes were signed."""
        made = self.intended.signed_with(key)
        if not hmac.compare_digest(made.tbs_certlist_bytes, self.tbs) or not made.is_signature_valid(
            self.intended.issuer.public_key()  # type: ignore[arg-type] # an authority's key, which the lint has seen
        ):
            raise RefusedError("ceremony.list", "the list that was signed is not the one intended", "Nothing is valid.")
        return made.public_bytes(Encoding.DER)


def root_piece(ceremony: Ceremony, root: NewRoot, public_key: CertificatePublicKeyTypes) -> Piece:
    """Plan the new root. Raises ``RefusedError`` with every finding."""
    subject = Subject(root.common_name, ceremony.organisation)
    planned = plan_root(root.profile, subject, public_key, root.serial, ceremony.moment, root.days)
    return CertificatePiece(ROOT, approve(planned))


def pieces_below(ceremony: Ceremony, keys: Keys, root: x509.Certificate, twin: Twin) -> Iterator[Piece]:
    """Plan what the root signs, in order. Raises ``RefusedError`` with every finding of the first that is refused."""
    for due in ceremony.certificates:
        yield _below(ceremony, due, keys[due.name], root)
    yield _list(ceremony, root, twin)


def judge(
    ceremony: Ceremony,
    requests: Mapping[str, bytes],
    root: x509.Certificate | SigningKey,
    twin: Twin,
    noticed: Sequence[Finding] = (),
) -> Keys:
    """Rehearse; return the keys to be certified. Raises ``RefusedError("ceremony.refused")`` with every finding.

    ``root`` is the certificate of the known root, or, for a new one, a key of its kind that nobody keeps. ``noticed``
    are findings to be told with the others.
    """
    keys, found = read_keys(ceremony, requests)
    found += noticed
    certificate = root if isinstance(root, x509.Certificate) else _stand_in(ceremony, root, found)
    if certificate:
        for due in ceremony.certificates:
            if due.name in keys:
                found += _refusals(due.name, lambda due=due: _below(ceremony, due, keys[due.name], certificate))  # type: ignore[misc] # mypy knows no default in a lambda
        found += _refusals("crl", lambda: _list(ceremony, certificate, twin))
    refuse_errors(found, "ceremony.refused", "the ceremony", _ADVICE)
    return keys


def _stand_in(ceremony: Ceremony, key: SigningKey, found: list[Finding]) -> x509.Certificate | None:
    assert isinstance(ceremony.root, NewRoot)  # noqa: S101 - for the type; a known root comes as a certificate
    root = ceremony.root
    made: list[Piece] = []
    found += _refusals(ROOT, lambda: made.append(root_piece(ceremony, root, key.public_key())))
    return x509.load_der_x509_certificate(made[0].sign(key)) if made else None


def _refusals(name: str, act: Callable[[], object]) -> list[Finding]:
    try:
        act()
    except RefusedError as refused:
        return [Finding(each.code, each.severity, each.clause, f"{name}: {each.says}") for each in refused.findings]
    return []


def _below(ceremony: Ceremony, due: Due, public_key: CertificatePublicKeyTypes, root: x509.Certificate) -> Piece:
    subject, issuer = Subject(due.common_name, ceremony.organisation), Issuer(ROOT, root)
    planned = plan(due.profile, subject, public_key, issuer, due.serial, ceremony.moment, due.days, ceremony.published)
    return CertificatePiece(due.name, approve(planned))


def _list(ceremony: Ceremony, root: x509.Certificate, twin: Twin) -> Piece:
    terms, start = ceremony.crl, ceremony.moment
    end = min(start + dt.timedelta(days=terms.days), root.not_valid_after_utc)
    if end <= start:
        says = "the root has expired, so that no list of it would be valid"
        refuse_errors([error("ceremony.list", "RFC 5280 5.1.2.5", says)], "ceremony.refused", "the list", _ADVICE)
    intended = RootList(root, terms.number, start, end, terms.revoked)
    return ListPiece(intended, intended.signed_with(twin(root.public_key())).tbs_certlist_bytes)
