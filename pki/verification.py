"""Judges a certificate by the files that somebody has of it: the leaf's, the anchors', what lies between, the lists.

What ``chain.verify`` does for certificates that were read already, this does for bytes as they lie on a disk. The first
certificate of the leaf's file is the leaf; whatever follows it there may stand on the path, as in a chain that a server
sends. A leaf that is not written as a certificate is refused; other things of that kind are told and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pki.bundle import read_bundle, read_lists
from pki.chain import Chain, ChainRefusedError, verify
from pki.errors import RefusedError
from pki.findings import Finding, Severity, warning

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from cryptography import x509

    from pki.crl import RevocationList
    from pki.question import Purpose
    from pki.server_name import ServerName


@dataclass(frozen=True, slots=True)
class Files:
    """What was handed over, each as the bytes of a file. No lists at all means that revocation is not asked about."""

    leaf: bytes
    anchors: tuple[bytes, ...]
    intermediates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


def verify_files(files: Files, purpose: Purpose, now: dt.datetime, name: ServerName | None = None) -> Chain:
    """Judge a certificate. Raises ``ChainRefusedError``; ``InputError`` where a file holds nothing of its kind."""
    leaf, anchors, between = read_bundle(files.leaf), _certificates(files.anchors), _certificates(files.intermediates)
    lists, unread = _lists(files.crls)
    left_out = (*leaf.malformed, *anchors[1], *between[1], *unread)
    told = tuple(
        warning("chain.malformed", "RFC 5280 4.1", f"left out, because it is malformed: {why}") for why in left_out
    )
    if leaf.first is None:
        raise ChainRefusedError(_malformed(leaf.malformed[0], told), ())
    given = [*between[0], *leaf.certificates[1:]]
    try:
        chain = verify(leaf.first, anchors[0], given, purpose, now, name=name, crls=lists if files.crls else None)
    except ChainRefusedError as refused:
        refused.findings += told
        raise
    return Chain(chain.path, chain.purpose, (*chain.findings, *told))


def _malformed(why: str, told: tuple[Finding, ...]) -> RefusedError:
    finding = Finding("chain.malformed", Severity.ERROR, "RFC 5280 4.1", f"the leaf is malformed: {why}")
    advice = "Look at it with 'openssl asn1parse', and have it issued again."
    return RefusedError("chain.refused", f"the certificate: {finding.says}", advice, findings=(finding, *told[1:]))


def _certificates(files: Sequence[bytes]) -> tuple[list[x509.Certificate], list[str]]:
    bundles = [read_bundle(content) for content in files]
    certificates = [each for bundle in bundles for each in bundle.certificates]
    return certificates, [why for bundle in bundles for why in bundle.malformed]


def _lists(files: Sequence[bytes]) -> tuple[list[RevocationList], list[str]]:
    read = [read_lists(content) for content in files]
    return [each for lists, _ in read for each in lists], [why for _, malformed in read for why in malformed]
