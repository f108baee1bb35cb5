"""Judges a certificate before the real key touches it, and hands out the one-use permission to sign.

``approve`` signs a twin of the plan with a throw-away key, which nobody trusts, and lints the twin: every rule sees the
real bytes, not a description of them. Only the ``Approved`` that comes out can be signed, and only once. The same rules
judge certificates of others through ``lint_certificate``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography import x509

from pki.certificate import extension, is_self_issued, to_pem
from pki.errors import ConflictError
from pki.findings import Finding, error, refuse_errors
from pki.lint_rules import RULES
from pki.strength import signing_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.plan import Plan
    from pki.profile import CertificatePurpose
    from pki.strength import SigningKey

CHAIN_LENGTH: Final = 10_000  # characters of PEM; CertificateSigned.certificateChain in every edition's schema

_OnePlan: TypeAlias = "list[Plan]"


class Approved:
    """Permission to sign one plan, once. Comes from ``approve`` alone."""

    __slots__ = ("_unspent", "findings", "plan", "tbs")

    findings: tuple[Finding, ...]
    """What was noticed and does not refuse: warnings and remarks, of planning and of linting."""
    plan: Plan
    tbs: bytes
    """The bytes to be signed, in DER: the record to keep before signing."""
    _unspent: _OnePlan

    def __init__(self) -> None:
        raise TypeError("an Approved comes from pki.lint.approve alone")

    def __repr__(self) -> str:
        return f"Approved({self.plan.serial}, {'unspent' if self._unspent else 'spent'})"

    def redeem(self) -> Plan:
        """Give the plan out for signing. The second call raises ``ConflictError("issue.spent")``."""
        try:
            return self._unspent.pop()
        except IndexError:
            cause = f"the permission to sign certificate {self.plan.serial} was used already"
            raise ConflictError("issue.spent", cause, "Plan it again, with a new serial number.") from None


def approve(plan: Plan, twin_key: SigningKey) -> Approved:
    """Lint a twin of the plan. Raises ``RefusedError("lint.refused")`` with every finding.

    ``twin_key`` is a throw-away key of the same kind as the issuer's; it must not be the issuer's own.
    """
    twin = _twin(plan, twin_key)
    found = [*plan.findings, *lint_certificate(twin, plan.profile.purpose), *_lint_below(twin, plan)]
    findings = refuse_errors(
        list(dict.fromkeys(found)),  # what planning noticed as well is said once
        "lint.refused",
        f"the certificate planned for {plan.subject.common_name!r}",
        "Nothing was signed. Correct what is named here and issue again.",
    )
    approved = object.__new__(Approved)
    approved.plan, approved.tbs, approved.findings = plan, twin.tbs_certificate_bytes, findings
    approved._unspent = [plan]
    return approved


def lint_certificate(certificate: x509.Certificate, purpose: CertificatePurpose) -> tuple[Finding, ...]:
    """Find everything wrong with a certificate of this purpose; refuses nothing by itself."""
    try:
        certificate.extensions  # noqa: B018 - parsing them is the question
    except (ValueError, x509.DuplicateExtension) as problem:
        says = f"its extensions cannot be read: {str(problem)[:120]!r}"
        return (error("lint.extensions", "RFC 5280 4.2", says),)
    return tuple(finding for rule in RULES for finding in rule(certificate, purpose))


def _twin(plan: Plan, key: SigningKey) -> x509.Certificate:
    due = plan.issuer_public_key
    if key.public_key() == due:
        raise ValueError("a twin is signed with a throw-away key, never with the issuer's own")
    if type(key.public_key()) is not type(due) or signing_hash(key.public_key()) != signing_hash(due):
        raise ValueError("a twin's key is of the same kind as the issuer's")
    return plan.build_with(key)


def _lint_below(twin: x509.Certificate, plan: Plan) -> Iterator[Finding]:
    """The rules that need the issuer: the chain must hold together before it is made."""
    if plan.issuer is None:
        return
    issuer = plan.issuer.certificate
    if twin.issuer != issuer.subject:
        yield error("lint.issuer", "RFC 5280 4.1.2.4", "its issuer name is not the issuer's subject")
    if twin.not_valid_before_utc < issuer.not_valid_before_utc or twin.not_valid_after_utc > issuer.not_valid_after_utc:
        yield error("lint.validity", "RFC 5280 6.1.3", "its validity reaches outside its issuer's")
    theirs, ours = extension(issuer, x509.SubjectKeyIdentifier), extension(twin, x509.AuthorityKeyIdentifier)
    if theirs is not None and (ours is None or ours.value.key_identifier != theirs.value.digest):
        yield error("lint.authority_key", "RFC 5280 4.2.1.1", "it does not name its issuer's key")
    chain = [twin] if is_self_issued(issuer) else [twin, issuer]
    if (length := len(to_pem(chain))) > CHAIN_LENGTH:
        says = f"its chain takes {length} characters of PEM; stations take {CHAIN_LENGTH}"
        yield error("lint.chain_length", "A02.FR.16", says)
