"""Two judges of one path: what Bollard accepts, openssl accepts; where openssl alone does, a stated rule is why."""

from __future__ import annotations

import base64
import ipaddress
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pki.chain import Chain, ChainRefusedError
from pki.fields import read_fields
from pki.findings import Severity
from pki.question import Purpose
from pki.server_name import parse_server_name
from pki.verification import Files, verify_files
from tests.chains import (
    CN,
    CRL_NUMBER,
    DAY,
    ECDSA_SHA1,
    LEAF,
    MAIL,
    PRINTABLE,
    RSA_SHA1,
    SIGNS,
    UTF8,
    Party,
    box,
    crl,
    dn,
    entry,
    ext,
    number,
    oid_hex,
    raw,
    root,
)
from tests.pki.papers import NOW, key, usage

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

OUR_OWN: Final = {
    "chain.malformed": "how a certificate is written, RFC 5280 4; openssl looks closer only with -x509_strict",
    "chain.key_id": "key identifiers are due in authorities, RFC 5280 4.2.1.1 and .2; again -x509_strict",
    "chain.path": "a critical extension in the anchor, or constraints beyond what openssl asks of it",
    "chain.expired": "an anchor past its end",
    "chain.name": "a common name beside alternative names must be one of them; none stands in for an address",
    "chain.purpose": "digital signature is due of a leaf; any use is no server's",
    "chain.is_ca": "an authority is no station and no server",
    "chain.constraint": "names that can be read in two ways, wildcards, the common name",
    "chain.depth": "OCPP's limit",
    "chain.status": "lists that do not say until when, or have no number, or a scope",
    "alg.weak": "A00.FR.502 to .506",
    "alg.unsupported": "keys and signatures that stations cannot use",
}
"""Why Bollard may refuse what openssl accepts. Not on it: missing paths, times to come, policies, revocation."""

STRICT_ALONE: Final = ("Missing Authority Key Identifier", "CA cert does not include key usage extension")
"""What ``-x509_strict`` refuses and Bollard does not: a leaf, or an authority, that an ordinary tool made."""

ANY_USE: Final = ("unsuitable certificate purpose", "invalid CA certificate")
"""What openssl says of a station's certificate for any use, which RFC 5280 4.2.1.12 lets count for this one."""

P1, P2, ANY = (x509.ObjectIdentifier(oid) for oid in ("1.3.6.1.4.1.99.1", "1.3.6.1.4.1.99.2", "2.5.29.32.0"))
KEYS: Final = ["p256"] * 14 + ["rsa2048", "p384", "ed25519", "rsa1024"]
DNS, MAILBOX, URI = x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier


def often(usual: Any, *others: Any) -> SearchStrategy[Any]:
    """The usual value fifteen times out of sixteen."""
    return st.integers(0, 15).flatmap(lambda rolled: st.sampled_from(others) if rolled == 11 else st.just(usual))


def address(text: str) -> x509.IPAddress:
    """An address or a network."""
    return x509.IPAddress(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text))


def subject(text: str) -> x509.DirectoryName:
    """A directory name."""
    return x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]))


TREES: Final[list[x509.GeneralName]] = [
    DNS("example.org"), DNS("a.example.org"), DNS("b.example.org"), DNS(""), DNS(".example.org"),
    address("192.0.2.0/24"), address("192.0.2.128/25"), address("2001:db8::/32"),
    MAILBOX("example.org"), MAILBOX(".example.org"), MAILBOX("x@example.org"),
    URI("example.org"), URI(".example.org"), subject("Leaf"), subject("other"),
]  # fmt: skip
NAMES: Final[list[x509.GeneralName]] = [
    DNS("a.example.org"), DNS("A.Example.ORG"), DNS("x.a.example.org"), DNS("*.example.org"), DNS("notexample.org"),
    DNS("example.com"), address("192.0.2.1"), address("192.0.2.200"), address("2001:db8::1"), MAILBOX("x@example.org"),
    MAILBOX("X@EXAMPLE.org"), MAILBOX("y@sub.example.org"), URI("https://a.example.org/x"), URI("https://example.org"),
    URI("urn:x"), subject("leaf"), subject("elsewhere"),
]  # fmt: skip


@dataclass
class Case:
    """A chain with a question, as both judges get it."""

    leaf: bytes
    anchor: bytes
    between: list[bytes]
    crls: list[bytes] = field(default_factory=list)
    purpose: Purpose = Purpose.ANY
    name: str = ""
    strict: bool = False


@st.composite
def extensions(draw: st.DrawFn, *, is_leaf: bool) -> list[bytes]:
    """What a certificate says, mostly what it should."""
    found = []
    if draw(often(not is_leaf, is_leaf)):
        length = draw(often(None, 0, 1, 2)) if not is_leaf else None
        found.append(ext(x509.BasicConstraints(True, length), critical=bool(draw(often(True, False)))))
    use = draw(often(LEAF if is_leaf else SIGNS, None, SIGNS, LEAF, usage(key_cert_sign=True), usage(crl_sign=True)))
    if use is not None:
        found.append(ext(use, critical=True))
    purposes = draw(often((), (ExtendedKeyUsageOID.SERVER_AUTH,), (ExtendedKeyUsageOID.CLIENT_AUTH,),
                          (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)))  # fmt: skip
    if purposes:
        found.append(ext(x509.ExtendedKeyUsage(purposes)))
    if draw(often(False, True)):
        found.append(raw("2a0304", b"\x05\x00", critical=bool(draw(st.booleans()))))
    return found + draw(policies())


@st.composite
def policies(draw: st.DrawFn) -> list[bytes]:
    """Certificate policies, demands for them, and mappings; mostly none."""
    found = []
    named = draw(often((), (P1,), (P2,), (P1, P2), (ANY,), (P1, ANY)))
    if named:
        found.append(ext(x509.CertificatePolicies([x509.PolicyInformation(each, None) for each in named])))
    demand = draw(often(None, (0, None), (1, None), (None, 0), (2, 1)))
    if demand:
        found.append(ext(x509.PolicyConstraints(*demand), critical=True))
    if (skip := draw(often(None, 0, 1))) is not None:
        found.append(ext(x509.InhibitAnyPolicy(skip), critical=True))
    if pair := draw(often(None, (P1, P2), (P2, P1), (P1, P1))):
        oids = [box(0x06, bytes.fromhex(oid_hex(each))) for each in pair]
        found.append(raw("551d21", box(0x30, box(0x30, *oids)), critical=True))
    return found


@st.composite
def constraints(draw: st.DrawFn) -> list[bytes]:
    """Name constraints; mostly none."""
    if not draw(often(False, True)):
        return []
    permitted = draw(st.lists(st.sampled_from(TREES), max_size=2)) or None
    excluded = draw(st.lists(st.sampled_from(TREES), max_size=2)) or None
    return [ext(x509.NameConstraints(permitted, excluded), critical=True)] if permitted or excluded else []


@st.composite
def manners(draw: st.DrawFn) -> dict[str, Any]:
    """How a certificate is written and signed; mostly well."""
    found: dict[str, Any] = {"serial": bytes([draw(st.integers(1, 120))])}
    how = draw(often("", "expired", "future", "bent", "stranger", "sha1", "no ids", "old", "long", "misnamed"))
    changes: dict[str, dict[str, Any]] = {
        "expired": {"end": NOW - DAY / 2},
        "future": {"begin": NOW + DAY},
        "bent": {"bend": True},
        "stranger": {"signer": key("p256", "stranger")},
        "no ids": {"without": ("551d0e", "551d23")},
        "long": {"serial": b"\x01" * 21},
        "old": {"version": b"\xa0\x03\x02\x01\x01"},
        "misnamed": {"issuer": dn((CN, "Somebody"))},
        "sha1": {"weak": True},
    }
    return found | changes.get(str(how), {})


def issue(above: Party, label: bytes, holder: str, found: list[bytes], how: dict[str, Any]) -> Party:
    """Issue in this manner."""
    if how.pop("weak", False):
        how["inner"] = RSA_SHA1 if "rsa" in type(above.holder).__name__.lower() else ECDSA_SHA1
    return above.issue(label, key(holder, f"of {label.hex()}"), *found, **how)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A chain of two to five certificates with a question."""
    found = draw(extensions(is_leaf=False)) + draw(constraints())
    how = draw(manners())
    how.pop("weak", None)
    top = root("Root", key(draw(st.sampled_from(KEYS[:16])), "the root"), *(found or [ext(SIGNS)]), **how)
    parties = [top]
    for place in range(draw(st.integers(0, 3))):
        label = parties[-1].subject if draw(often(False, True)) else dn((CN, f"CA {place}"))
        more = draw(extensions(is_leaf=False)) + draw(constraints())
        parties.append(issue(parties[-1], label, str(draw(st.sampled_from(KEYS))), more, draw(manners())))
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3))
    more = draw(extensions(is_leaf=True)) + ([ext(x509.SubjectAlternativeName(names))] if names else [])
    whole = draw(subjects())
    leaf = issue(parties[-1], whole, str(draw(st.sampled_from(KEYS))), more, draw(manners()))
    purpose = draw(st.sampled_from([Purpose.ANY, Purpose.ANY, Purpose.CSMS, Purpose.STATION]))
    name = str(draw(often("", "a.example.org", "b.example.org", "192.0.2.1", "x.a.example.org")))
    lists = draw(revocations(parties, leaf)) if draw(often(False, True)) else []
    strict = purpose in {Purpose.ANY, Purpose.CSMS} and draw(st.booleans())
    return Case(leaf.der, top.der, [each.der for each in parties[1:]], lists, purpose, name, strict)


@st.composite
def subjects(draw: st.DrawFn) -> bytes:
    """What a leaf calls itself, with an e-mail address now and then."""
    label = (CN, draw(often("Leaf", "a.example.org", "leaf  ", "192.0.2.1", "SN-1")))
    mail = draw(often("", "x@example.org", "y@example.com"))
    return dn(label, (MAIL, mail)) if mail else dn(label, tag=draw(st.sampled_from([UTF8, PRINTABLE])))


@st.composite
def revocations(draw: st.DrawFn, parties: list[Party], leaf: Party) -> list[bytes]:
    """A list for each issuer, mostly in order, mostly not naming anybody."""
    lists = []
    for issuer, below in zip(parties, [*parties[1:], leaf], strict=True):
        listed = [entry(read_fields(below.der).serial)] if draw(often(False, True)) else [entry(121)]
        how = draw(
            often("", "stale", "early", "endless", "bent", "stranger", "none", "scope", "critical", "numberless")
        )
        scope = x509.IssuingDistributionPoint(
            None, None, *draw(st.sampled_from([(True, False), (False, True)])), None, False, False
        )
        # openssl tells the lists of two authorities of one name apart by this alone
        plain = (CRL_NUMBER, ext(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.holder.public_key())))
        changes: dict[str, dict[str, Any]] = {
            "stale": {"end": NOW - DAY / 2},
            "early": {"begin": NOW + DAY / 2},
            "endless": {"end": None},
            "bent": {"bend": True},
            "stranger": {"signer": key("p256", "stranger")},
            "scope": {"extensions": (*plain, ext(scope, critical=True))},
            "critical": {"extensions": (*plain, raw("2a0304", number(1), critical=True))},
            "numberless": {"extensions": ()},
        }
        if how != "none":
            lists.append(crl(issuer, *listed, **{"extensions": plain, **changes.get(str(how), {})}))
    return lists


def pem(label: str, *ders: bytes) -> bytes:
    """PEM of these."""
    return b"".join(
        b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), base64.encodebytes(der), label.encode())
        for der in ders
    )


def ask_openssl(case: Case, folder: Path) -> str:
    """What openssl says; nothing when it accepts."""
    files = {"leaf": [case.leaf], "root": [case.anchor], "between": case.between}
    for name, ders in files.items():
        (folder / name).write_bytes(pem("CERTIFICATE", *ders))
    command = ["openssl", "verify", "-CAfile", str(folder / "root"), "-attime", str(int(NOW.timestamp()))]
    command += ["-partial_chain", "-auth_level", "2", "-policy_check", "-policy", "2.5.29.32.0"] + [
        "-x509_strict"
    ] * case.strict
    if case.between:
        command += ["-untrusted", str(folder / "between")]
    if case.crls:
        (folder / "crls").write_bytes(pem("X509 CRL", *case.crls))
        command += ["-crl_check_all", "-CRLfile", str(folder / "crls")]
    command += {Purpose.CSMS: ["-purpose", "sslserver"], Purpose.STATION: ["-purpose", "sslclient"]}.get(
        case.purpose, []
    )
    if case.name:
        command += ["-verify_ip" if case.name[0].isdigit() else "-verify_hostname", case.name]
    done = subprocess.run([*command, str(folder / "leaf")], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr or done.stdout or "refused"


def ask_bollard(case: Case) -> Chain | ChainRefusedError:
    """What Bollard says."""
    files = Files(case.leaf, (case.anchor,), tuple(case.between), tuple(case.crls))
    try:
        return verify_files(files, case.purpose, NOW, parse_server_name(case.name) if case.name else None)
    except ChainRefusedError as refused:
        return refused


def compare(case: Case) -> str:
    """Hold the two judgements against each other; say how they came out."""
    ours = ask_bollard(case)
    with tempfile.TemporaryDirectory() as folder:
        theirs = ask_openssl(case, Path(folder))
    if isinstance(ours, Chain):
        reasons = [line for line in theirs.splitlines() if line.startswith("error") and "depth lookup" in line]
        harmless = (*STRICT_ALONE * case.strict, *ANY_USE * _is_station_for_any_use(case, ours))
        stated = bool(reasons) and all(any(each in line for each in harmless) for line in reasons)
        assert not theirs or stated, f"accepted here, refused by openssl: {theirs}"
        return "both accept"
    if theirs:
        return "both refuse"
    errors = {each.code for each in ours.findings if each.severity is Severity.ERROR}
    if "chain.malformed" in {each.code for each in ours.findings}:
        errors.discard("chain.untrusted")  # for want of a certificate that was left out
    if _has_two_lists_of_one(case):
        errors.discard("chain.revoked")  # openssl asks one list of an issuer, Bollard asks all there are
    assert errors <= OUR_OWN.keys(), f"accepted by openssl, refused here for {ours.findings}"
    return "ours alone refuses"


def _has_two_lists_of_one(case: Case) -> bool:
    issuers = [x509.load_der_x509_crl(each).issuer for each in case.crls]
    return len(set(issuers)) < len(issuers)


def _is_station_for_any_use(case: Case, ours: Chain) -> bool:
    any_use = ext(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))
    return case.purpose is Purpose.STATION and any(any_use in each.public_bytes(Encoding.DER) for each in ours.path)


@pytest.mark.filterwarnings("ignore")  # of a library, about values that are strange by intention
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(case=cases())
def test_what_bollard_accepts_openssl_accepts(case: Case) -> None:
    """And where openssl alone accepts, the reason is on the list above."""
    event(compare(case))


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")  # of a library, about values that are strange by intention
@settings(max_examples=10_000, derandomize=False, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(case=cases())
def test_what_bollard_accepts_openssl_accepts_thousands_of_times(case: Case) -> None:
    """The same, for a quarter of an hour and more."""
    event(compare(case))
