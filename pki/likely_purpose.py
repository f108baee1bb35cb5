"""Guesses what a certificate or a request is for, where nobody says: from its own words alone, and only for advice.

No trust follows from a guess. It decides which rules a paper is held against, and whoever reads the findings is told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.certificate import common_names, extension, is_self_issued
from pki.errors import InputError
from pki.names import SeccId
from pki.profile import CertificatePurpose
from pki.strength import name_key
from pki.v2g import DOMAIN_CPO, RULES, V2gEdition

if TYPE_CHECKING:
    from pki.lint_names import Paper

_BY_USE: Final = {
    ExtendedKeyUsageOID.OCSP_SIGNING: CertificatePurpose.OCSP,
    ExtendedKeyUsageOID.CODE_SIGNING: CertificatePurpose.FIRMWARE_SIGNER,
    ExtendedKeyUsageOID.SERVER_AUTH: CertificatePurpose.CSMS,
    ExtendedKeyUsageOID.CLIENT_AUTH: CertificatePurpose.STATION,
}
"""In this order: who may sign OCSP answers is an OCSP signer, whatever else it may do."""

_ROOTS: Final = {
    CertificatePurpose.V2G_SUB1_2: CertificatePurpose.V2G_ROOT_2,
    CertificatePurpose.V2G_SUB1_20: CertificatePurpose.V2G_ROOT_20,
}
_SUB_CAS_2: Final = {
    CertificatePurpose.V2G_SECC_2: CertificatePurpose.V2G_SUB2_2,
    CertificatePurpose.V2G_SUB1_2: CertificatePurpose.V2G_SUB2_2,
    CertificatePurpose.V2G_SECC_20: CertificatePurpose.V2G_SUB2_20,
    CertificatePurpose.V2G_SUB1_20: CertificatePurpose.V2G_SUB2_20,
}
"""Who stands between a station's certificate for cars and a Sub-CA 1."""
_SUB_CA_2: Final = re.compile(r"\bCPO\b.*\bSub(?:[ -]?CA)?[ -]?2\b", re.IGNORECASE)
_HOST: Final = re.compile(r"(\*\.)?([A-Za-z0-9-]+\.)+[A-Za-z]{2,}|localhost")


def parse_purpose(text: str, edition: str = "") -> CertificatePurpose:
    """Read a purpose as people say it; one of V2G may leave its edition to ``edition``: ``v2g-secc`` and ``20``."""
    whole = f"{text}-{edition}" if edition and not text.endswith(f"-{edition}") else text
    try:
        return CertificatePurpose(whole)
    except ValueError:
        says = f"{whole[:40]!r} is no purpose of a certificate"
        raise InputError("lint.purpose", says, f"Use one of: {', '.join(CertificatePurpose)}.") from None


def guess_purpose(paper: Paper) -> CertificatePurpose:
    """Return the likeliest purpose of a paper whose extensions can be read."""
    if isinstance(paper, x509.Certificate):
        basic = extension(paper, x509.BasicConstraints)
        if basic is not None and basic.value.ca:
            return CertificatePurpose.ROOT if is_self_issued(paper) else _below_root(paper, basic.value.path_length)
        uses = extension(paper, x509.ExtendedKeyUsage)
        named = [purpose for use, purpose in _BY_USE.items() if uses is not None and use in uses.value]
        if named and not _is_secc(paper):
            return named[0]
    return _by_name(paper)


def _below_root(paper: Paper, path_length: int | None) -> CertificatePurpose:
    """One that allows exactly one authority below it is a V2G Sub-CA 1, if its key is one that cars know; one that is
    called so, a Sub-CA 2."""
    kind = name_key(paper.public_key())
    edition = next((each for each, rules in RULES.items() if kind in rules.keys), None)
    if edition is not None and path_length == 1:
        return CertificatePurpose(f"v2g-sub1-{edition}")
    if edition is not None and any(map(_SUB_CA_2.search, common_names(paper.subject))):
        return CertificatePurpose(f"v2g-sub2-{edition}")
    return CertificatePurpose.ISSUING


def guess_between(
    below: CertificatePurpose | None, guessed: CertificatePurpose, above: CertificatePurpose | None
) -> CertificatePurpose:
    """Return the likelier purpose of an authority by its neighbours in a chain: what it signed, and what signed it."""
    if guessed is CertificatePurpose.ROOT and below in _ROOTS:
        return _ROOTS[below]
    if guessed is not CertificatePurpose.ISSUING:
        return guessed
    for neighbour in (below, above):
        if neighbour in _SUB_CAS_2:
            return _SUB_CAS_2[neighbour]
    return guessed


def _by_name(paper: Paper) -> CertificatePurpose:
    if _is_secc(paper):
        twenty = name_key(paper.public_key()) in RULES[V2gEdition.TWENTY].keys
        return CertificatePurpose.V2G_SECC_20 if twenty else CertificatePurpose.V2G_SECC_2
    if any(_HOST.fullmatch(name) for name in common_names(paper.subject)):
        return CertificatePurpose.CSMS
    return CertificatePurpose.STATION


def _is_secc(paper: Paper) -> bool:
    if any(str(each.value) == DOMAIN_CPO for each in paper.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)):
        return True
    try:
        return bool([SeccId.parse(name) for name in common_names(paper.subject)])
    except InputError:
        return False
