"""Judges what a listener of ours presented to a client: is it what the home means it to present, and of any use.

Of our own certificates the whole chain must lead to a root of ours; those of others, which the settings name, are held
to their name and their time alone, since whom stations trust for them is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.chain import ChainRefusedError, verify
from pki.findings import Severity, error
from pki.health import Fault
from pki.paper import Paper
from pki.question import DEPTH_MOST, Purpose, Question
from pki.server_name import examine_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from cryptography import x509

    from pki.findings import Finding

_RENEW: Final = "bollard rotate --now server"
_REPLACE: Final = "Put a chain that is right, and its key, in place of the files of [[server_certificate]]."
_OTHER: Final = "bollard reload, or start 'bollard up' anew; if another program holds this port, end that one."


@dataclass(frozen=True, slots=True)
class Meant:
    """What the home means a listener to present to whoever asks for ``host``: a certificate, and whether it is ours."""

    leaf: x509.Certificate
    host: str
    ours: bool


def judge_served(
    chain: Sequence[x509.Certificate], meant: Meant, roots: Sequence[x509.Certificate], now: dt.datetime
) -> tuple[Fault, ...]:
    """Say what is wrong with a chain as it was presented, leaf first; nothing where all is as it should be."""
    if not chain:
        return (Fault("it presents no certificate", _OTHER, "A00.FR.306"),)
    found = [] if chain[0] == meant.leaf else [_other(chain[0], meant.leaf)]
    wrong = _by_chain(chain, meant, roots, now) if meant.ours else _by_itself(chain[0], meant, now)
    cure = _RENEW if meant.ours else _REPLACE
    return (*found, *(Fault(each.says, cure, each.clause) for each in wrong if each.severity is Severity.ERROR))


def _other(given: x509.Certificate, due: x509.Certificate) -> Fault:
    says = f"it presents the certificate {given.serial_number:x}, and is meant to present {due.serial_number:x}"
    return Fault(says, _OTHER, "A00.FR.306")


def _by_chain(
    chain: Sequence[x509.Certificate], meant: Meant, roots: Sequence[x509.Certificate], now: dt.datetime
) -> Sequence[Finding]:
    try:
        verify(chain[0], roots, chain[1:], Purpose.CSMS, now, name=meant.host)
    except ChainRefusedError as refused:
        return refused.findings
    return ()


def _by_itself(leaf: x509.Certificate, meant: Meant, now: dt.datetime) -> Sequence[Finding]:
    question = Question(Purpose.CSMS, now, DEPTH_MOST[Purpose.CSMS], lambda *_: False, meant.host)
    try:
        found = [*examine_name(Paper.read(leaf), question)]
    except ValueError:
        return [error("chain.malformed", "RFC 5280 4.1", "its certificate cannot be read to the last field")]
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        says = f"its certificate holds from {leaf.not_valid_before_utc:%F %T} to {leaf.not_valid_after_utc:%F %T} UTC"
        found.append(error("chain.expired", "RFC 5280 4.1.2.5", says))
    return found
