"""Judges a certificate before the real key touches it, and hands out the one-use permission to sign.

``approve`` lints a twin of the plan, which has the very bytes that will be signed: every rule sees them, not a
description of them. In place of the signature stands one of the greatest length that is nobody's; no rule reads it, and
the real one is judged when it is there (``pki.issue``). Only the ``Approved`` that comes out can be signed, and only
once. The same rules judge certificates of others through ``lint_certificate``. What a twin has in common with one that
was found clean is known, and not judged again (``pki.frame``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pki.certificate import is_self_issued, pem_length, spki
from pki.dn import read_plain
from pki.errors import ConflictError
from pki.findings import Finding, error, refuse_errors
from pki.frame import cut, is_well_cut
from pki.lint_below import BELOW, OWN_BELOW
from pki.lint_rules import OF_ITS_OWN, PEM_LENGTH_MOST, RULES
from pki.profile import CertificatePurpose
from pki.raw_form import read_form
from pki.unreadable import UNREADABLE, touch, touch_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from cryptography import x509

    from pki.frame import Frame
    from pki.plan import Plan

CLEAN_MOST: Final = 1_024  # frames remembered as clean: 32 for each issuer and kind of key, at 500 bytes each

_OneTwin: TypeAlias = "list[Linted]"
_Shape: TypeAlias = "tuple[bytes, Frame]"

_CLEAN: Final[set[_Shape]] = set()
"""What nothing was found in. It stays true, for it says everything that the verdict follows from."""


@dataclass(frozen=True, slots=True)
class Linted:
    """What the lint saw of a twin and found good, in DER: the bytes to be signed, and how their signature is named."""

    tbs: bytes
    algorithm: bytes


class Approved:
    """Permission to sign one plan, once. Comes from ``approve`` alone."""

    __slots__ = ("_unspent", "findings", "plan", "tbs")

    findings: tuple[Finding, ...]
    """What was noticed and does not refuse: warnings and remarks, of planning and of linting."""
    plan: Plan
    tbs: bytes
    """The bytes to be signed, in DER: the record to keep before signing."""
    _unspent: _OneTwin

    def __init__(self) -> None:
        raise TypeError("an Approved comes from pki.lint.approve alone")

    def __repr__(self) -> str:
        return f"Approved({self.plan.serial}, {'unspent' if self._unspent else 'spent'})"

    def redeem(self) -> Linted:
        """Give out what is to be signed. The second call raises ``ConflictError("issue.spent")``."""
        try:
            return self._unspent.pop()
        except IndexError:
            cause = f"the permission to sign certificate {self.plan.serial} was used already"
            raise ConflictError("issue.spent", cause, "Plan it again, with a new serial number.") from None


def approve(plan: Plan, now: dt.datetime | None = None) -> Approved:
    """Lint a twin of the plan. Raises ``RefusedError("lint.refused")`` with every finding.

    Where the time is given, a certificate that does not hold yet is refused (A02.FR.08).
    """
    return _judge(plan, plan.twin(), now)


def _judge(plan: Plan, twin: x509.Certificate, now: dt.datetime | None) -> Approved:
    found = [*plan.findings, *_lint_twin(twin, plan), *_lint_moment(twin, now), *_lint_sizes(twin, plan)]
    findings = refuse_errors(
        list(dict.fromkeys(found)),  # what planning noticed as well is said once
        "lint.refused",
        f"the certificate planned for {plan.subject.common_name!r}",
        "Nothing was signed. Correct what is named here and issue again.",
    )
    approved = object.__new__(Approved)
    approved.plan, approved.tbs, approved.findings = plan, read_form(twin).body, findings
    approved._unspent = [Linted(approved.tbs, read_form(twin).outer_algorithm)]
    return approved


def try_out(plan: Plan, now: dt.datetime) -> x509.Certificate:
    """Lint a plan as ``approve`` does; return its twin, which nobody signed, for what is planned below it."""
    twin = plan.twin()
    _judge(plan, twin, now)
    return twin


def lint_certificate(
    certificate: x509.Certificate, purpose: CertificatePurpose, now: dt.datetime | None = None
) -> tuple[Finding, ...]:
    """Find everything wrong with a certificate of this purpose, and at this time where one is given."""
    try:
        touch(certificate)
    except UNREADABLE as problem:
        return (_unreadable(problem),)
    found = [finding for rule in RULES for finding in rule(certificate, purpose)]
    return (*found, *_lint_moment(certificate, now))


def _lint_moment(certificate: x509.Certificate, now: dt.datetime | None) -> Iterator[Finding]:
    if now is not None and certificate.not_valid_before_utc > now:
        says = f"it does not hold before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield error("lint.future", "A02.FR.08", says)
    if now is not None and certificate.not_valid_after_utc < now:
        says = f"it expired {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        yield error("lint.expired", "RFC 5280 6.1.3", says)


def _lint_twin(twin: x509.Certificate, plan: Plan) -> tuple[Finding, ...]:
    """Hold a twin against every rule; where its frame is known to be clean, against those that look beyond the frame.

    A frame is known as clean once no rule, of those that need the issuer either, found anything at all in a certificate
    that has it. Whatever else comes is judged whole. One that names itself as its issuer need not name its issuer's
    key, so what is true of it is not true of others.
    """
    shape = _shape(twin, plan)
    if shape is not None and shape in _CLEAN:
        return tuple(_lint_own(twin, plan))
    found = (*lint_certificate(twin, plan.profile.purpose), *_lint_below(twin, plan))
    if shape is not None and not found and is_well_cut(shape[-1]) and not is_self_issued(twin):
        if len(_CLEAN) >= CLEAN_MOST:
            _CLEAN.clear()
        _CLEAN.add(shape)
    return found


def _shape(twin: x509.Certificate, plan: Plan) -> _Shape | None:
    """Return all that the rules see of a twin but what is its own; ``None`` for one that must be judged whole.

    Its key is the planned one, which was read when it came, so it need not be read from the twin to be known as sound.
    """
    if plan.issuer is None or plan.profile.purpose is not CertificatePurpose.STATION:
        return None  # of these alone there are many
    form = read_form(twin)
    frame = cut(form) if form.key == spki(plan.public_key) else None
    return None if frame is None else (plan.issuer.written, frame)


def _lint_own(twin: x509.Certificate, plan: Plan) -> Iterator[Finding]:
    try:
        if read_plain(read_form(twin).subject) is None:
            touch_name(twin.subject)
    except UNREADABLE as problem:
        yield _unreadable(problem)
        return
    for rule in OF_ITS_OWN:
        yield from rule(twin, plan.profile.purpose)
    if plan.issuer is not None:
        for below in OWN_BELOW:
            yield from below(twin, plan.issuer.certificate)


def _unreadable(problem: Exception) -> Finding:
    return error("lint.extensions", "RFC 5280 4.2", f"it cannot be read: {str(problem)[:120]!r}")


def _lint_sizes(twin: x509.Certificate, plan: Plan) -> Iterator[Finding]:
    """What the certificate profile allows may be less than what the standard does: some stations have little room.

    A twin is as long as its certificate can become: ECDSA signatures differ by a few bytes, as their numbers fall.
    """
    profile, der = plan.profile, read_form(twin).length
    pem = pem_length(der)
    if profile.der_length and der > profile.der_length:
        says = f"it takes {der} bytes of DER; its certificate profile allows {profile.der_length}"
        yield error("lint.profile_length", "A00.FR.507", says)
    if profile.pem_length < pem <= PEM_LENGTH_MOST:
        says = f"it takes {pem} characters of PEM; its certificate profile allows {profile.pem_length}"
        yield error("lint.profile_length", "A00.FR.507", says)
    yield from _lint_chain(twin, plan)


def _lint_below(twin: x509.Certificate, plan: Plan) -> Iterator[Finding]:
    """The rules that need the issuer: the chain must hold together before it is made."""
    if plan.issuer is None:
        return
    for rule in BELOW:
        yield from rule(twin, plan.issuer.certificate)


def _lint_chain(twin: x509.Certificate, plan: Plan) -> Iterator[Finding]:
    if plan.issuer is None:
        return
    length = pem_length(read_form(twin).length) + plan.issuer.chain_length
    yield from examine_chain_length(length, plan.profile.chain_length)


def examine_chain_length(length: int, most: int) -> Iterator[Finding]:
    """A02.FR.16: stations reject a chain with more characters of PEM than they have room for, whoever signed it."""
    if length > most:
        yield error(
            "lint.chain_length", "A02.FR.16", f"its chain takes {length} characters of PEM; stations take {most}"
        )
