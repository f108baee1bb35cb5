"""Decides, down to the last byte but the signature, what a certificate will say.

``plan`` brings together a certificate profile, the subject, the key, the issuer, the serial and the time. Nothing is
signed here. What comes out is judged by ``pki.lint``, on a twin that nobody signed; ``pki.issue`` signs the bytes that
were judged.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import body, dn, encode, signature
from pki.certificate import extension, is_self_issued, key_id, pem_length, spki
from pki.findings import Finding, Severity, error, refuse_errors, warning
from pki.profile import CertificateProfile, CountryRule
from pki.raw_form import read_form
from pki.signed import may_sign
from pki.strength import Padding, check_key, check_padding, name_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.names import CertificateSerial, Organisation
    from pki.services import Published, Services

COMMON_NAME_LENGTH: Final = 64  # characters; ub-common-name, RFC 5280 A.1
_ADVICES: Final = {
    "alg.weak": "Have a stronger key made.",
    "alg.unsupported": "Have a key made of a kind that is supported.",
    "plan.key": "Have a key made of a kind that the certificate profile names, or choose another profile.",
    "plan.common_name": "Give a name within the bound.",
    "plan.days": "Ask for fewer days.",
    "plan.outlives_issuer": "Ask for fewer days, or renew the issuing authority first.",
    "plan.mark": "Use another authority.",
    "plan.padding": "Choose PKCS#1 v1.5 for this key.",
}
CUT_MOST: Final = 0.10  # share of a lifetime that the issuer's end may take away before we refuse instead


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is for: a station's serial or SECCID, the CSMS host, a signer's or an authority's name."""

    common_name: str
    organisation: Organisation


@dataclass(frozen=True, slots=True)
class Issuer:
    """One of our authorities: the name the ledger knows it by, its certificate, and how its key signs if it is RSA.

    ``above`` is what is handed out behind its certificate with everything it signs, without the root.
    """

    name: str
    certificate: x509.Certificate
    padding: Padding = Padding.PKCS1
    above: tuple[x509.Certificate, ...] = field(default=(), repr=False, compare=False)
    subject: str = field(init=False, repr=False, compare=False)
    """Its name, as RFC 4514 writes it."""
    key_id: bytes = field(init=False, repr=False, compare=False)
    """The name of its key, as ``pki.certificate.key_id`` makes it."""
    chain_length: int = field(init=False, repr=False, compare=False)
    """Characters of PEM that are handed out behind what it signs: its certificate and those above, without the root."""
    written: bytes = field(init=False, repr=False, compare=False)
    """Its certificate in DER."""
    repeated: body.Above = field(init=False, repr=False, compare=False)
    """What every certificate below it repeats."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "written", self.certificate.public_bytes(Encoding.DER))
        object.__setattr__(self, "repeated", body.read_above(self.certificate))
        object.__setattr__(self, "subject", self.certificate.subject.rfc4514_string())
        object.__setattr__(self, "key_id", key_id(self.certificate))
        chain = () if is_self_issued(self.certificate) else (self.certificate, *self.above)
        object.__setattr__(
            self, "chain_length", sum(pem_length(len(each.public_bytes(Encoding.DER))) for each in chain)
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """A certificate as intended. ``issuer`` is ``None`` for a root, which signs itself."""

    profile: CertificateProfile
    subject: Subject
    public_key: CertificatePublicKeyTypes
    issuer: Issuer | None
    serial: CertificateSerial
    not_before: dt.datetime
    not_after: dt.datetime
    findings: tuple[Finding, ...]
    padding: Padding
    subject_text: str = field(repr=False, compare=False)
    """The subject, as RFC 4514 writes it."""
    tbs: bytes = field(repr=False, compare=False)
    """All of it but the signature, in DER."""
    algorithm: bytes = field(repr=False, compare=False)
    """How its signature is named, in DER."""

    @property
    def subject_name(self) -> x509.Name:
        """The subject."""
        return _name(self.subject, self.profile)

    @property
    def issuer_public_key(self) -> CertificatePublicKeyTypes:
        """The key that the finished certificate must verify under."""
        return self.public_key if self.issuer is None else self.issuer.certificate.public_key()

    def twin(self) -> x509.Certificate:
        """Write what is planned as it will stand in the certificate, to be judged: all but the signature is true.

        In its place stands what is none and as long as one can be, so no key is touched, and nothing is made that
        anybody could take for a certificate.
        """
        nobody_s = encode.bits(signature.longest(self.issuer_public_key))
        return x509.load_der_x509_certificate(encode.sequence(self.tbs, self.algorithm, nobody_s))


def plan(
    profile: CertificateProfile,
    subject: Subject,
    public_key: CertificatePublicKeyTypes,
    issuer: Issuer,
    serial: CertificateSerial,
    now: dt.datetime,
    days: float = 0,
    services: Services | Published | None = None,
) -> Plan:
    """Plan a certificate below ``issuer``; ``days`` 0 takes the profile's. Raises ``RefusedError("plan.refused")``.

    ``services`` are the issuer's: where to ask about the certificate is written into it, as far as the profile says so.
    """
    wanted = _wanted(profile, now, days)
    end = issuer.certificate.not_valid_after_utc
    found = [
        *_examine_subject(subject),
        *check_key(public_key, unsafe_experimental=profile.purpose.is_ca),
        *check_padding(issuer.certificate.public_key(), issuer.padding),
        *_examine_kind(profile, public_key),
        *_examine_days(profile, days),
        *_examine_issuer(profile, issuer.certificate, now),
        *_examine_issuer_key(issuer.certificate),
        *examine_mark(issuer.certificate, issuer.padding),
        *_examine_end(now, wanted[1], end),
    ]
    cause = f"a certificate for {subject.common_name[:72]!r} from {issuer.name!r}"
    findings = refuse_errors(found, "plan.refused", cause, _advise(found))
    validity = max(wanted[0], issuer.certificate.not_valid_before_utc), min(wanted[1], end)
    return _plan(profile, subject, public_key, issuer, serial, validity, findings, issuer.padding, services)


def plan_root(
    profile: CertificateProfile,
    subject: Subject,
    public_key: CertificatePublicKeyTypes,
    serial: CertificateSerial,
    now: dt.datetime,
    days: float = 0,
    padding: Padding = Padding.PKCS1,
) -> Plan:
    """Plan a root, which signs itself. Raises ``RefusedError("plan.refused")``."""
    purpose = [] if profile.purpose.is_root else [_no_root(profile)]
    key = [*check_key(public_key, unsafe_experimental=profile.purpose.is_ca), *check_padding(public_key, padding)]
    key += _examine_kind(profile, public_key)
    findings = refuse_errors(
        [*purpose, *_examine_subject(subject), *key, *_examine_days(profile, days)],
        "plan.refused",
        f"a root named {subject.common_name[:72]!r}",
        "Correct the certificate profile or the key.",
    )
    return _plan(profile, subject, public_key, None, serial, _wanted(profile, now, days), findings, padding)


def _plan(
    profile: CertificateProfile,
    subject: Subject,
    public_key: CertificatePublicKeyTypes,
    issuer: Issuer | None,
    serial: CertificateSerial,
    validity: tuple[dt.datetime, dt.datetime],
    findings: tuple[Finding, ...],
    padding: Padding,
    services: Services | Published | None = None,
) -> Plan:
    above, key = issuer.repeated if issuer else None, spki(public_key)
    own, text = _write_name(subject, profile)
    algorithm = signature.algorithm(issuer.certificate.public_key() if issuer else public_key, padding)
    extensions = body.write_extensions(profile, subject.common_name, public_key, above, services, serial)
    tbs = body.write_body(serial, algorithm, above.name if above else own, validity, own, key, extensions)
    return Plan(profile, subject, public_key, issuer, serial, *validity, findings, padding, text, tbs, algorithm)


def _wanted(profile: CertificateProfile, now: dt.datetime, days: float) -> tuple[dt.datetime, dt.datetime]:
    """X.509 counts whole seconds (RFC 5280 4.1.2.5); the beginning is backdated for slow clocks (A02.FR.06).

    Days out of bounds are refused by ``_examine_days``; here they must not leave the calendar.
    """
    now = now.astimezone(dt.UTC).replace(microsecond=0)
    asked = 0 < days <= profile.longest_days
    return now - profile.backdate, now + (dt.timedelta(days=days) if asked else profile.lifetime)


def _examine_subject(subject: Subject) -> list[Finding]:
    if 1 <= len(subject.common_name) <= COMMON_NAME_LENGTH:
        return []
    says = f"a common name has 1 to {COMMON_NAME_LENGTH} characters, this one has {len(subject.common_name)}"
    return [error("plan.common_name", "RFC 5280 A.1", says)]


def _examine_days(profile: CertificateProfile, days: float) -> list[Finding]:
    if 0 <= days <= profile.longest_days:
        return []
    most = f"1 to {profile.longest_days}" if profile.longest_days else "hours alone"
    says = f"{days} days are asked for; the profile {profile.name!r} allows {most}"
    return [error("plan.days", "RFC 5280 4.1.2.5", says)]


def _examine_kind(profile: CertificateProfile, public_key: CertificatePublicKeyTypes) -> list[Finding]:
    """Where a profile names kinds of key, it is because whoever reads the certificate knows no others."""
    if not profile.keys or (kind := name_key(public_key)) in profile.keys:
        return []
    says = f"its key is {kind}; the profile {profile.name!r} wants {' or '.join(profile.keys)}"
    return [error("plan.key", "A00.FR.504", says)]


def examine_mark(issuer: x509.Certificate, padding: Padding) -> list[Finding]:
    """Find whether an issuer may sign with this padding: what its key is not marked for, nobody would take from it."""
    key = issuer.public_key()
    rsa_alone = isinstance(key, rsa.RSAPublicKey)  # no other kind of key is marked
    if not rsa_alone or may_sign(key, read_form(issuer).key, signature.algorithm(key, padding)):
        return []
    says = "the issuer's key is marked as one for RSA-PSS with another hash, mask or salt than are used here"
    return [error("plan.mark", "RFC 4055 3.3", says)]


def _examine_issuer_key(issuer: x509.Certificate) -> list[Finding]:
    """Whatever an authority with a key under trial signs, no station can verify: that is said each time."""
    trials = check_key(issuer.public_key(), unsafe_experimental=True)
    return [
        warning(each.code, each.clause, f"its issuer has {each.says}")
        for each in trials
        if each.severity is Severity.WARNING
    ]


def _examine_issuer(profile: CertificateProfile, issuer: x509.Certificate, now: dt.datetime) -> list[Finding]:
    """RFC 5280 6.1.4 (k) to (n), asked before signing in place of after; and never future-dated (A02.FR.08)."""
    found = []
    basic = extension(issuer, x509.BasicConstraints)
    usage = extension(issuer, x509.KeyUsage)
    if basic is None or not basic.value.ca or usage is None or not usage.value.key_cert_sign:
        found.append(error("plan.issuer", "RFC 5280 4.2.1.9", "the issuer is no authority"))
    elif profile.is_ca and basic.value.path_length == 0:
        found.append(error("plan.issuer", "RFC 5280 4.2.1.9", "the issuer may sign leaves alone"))
    elif profile.is_ca and basic.value.path_length is not None and not _fits(profile, basic.value.path_length):
        says = f"the issuer allows {basic.value.path_length} authorities below it, fewer than this one would need"
        found.append(error("plan.issuer", "RFC 5280 4.2.1.9", says))
    if issuer.not_valid_before_utc > now:
        found.append(error("plan.issuer", "A02.FR.08", "the issuer is not valid yet"))
    if issuer.not_valid_after_utc <= now:
        found.append(error("plan.issuer", "RFC 5280 6.1.3", "the issuer has expired"))
    if profile.purpose.is_root:
        found.append(error("plan.issuer", "RFC 5280 3.2", "a root has no issuer but itself"))
    return found


def _fits(profile: CertificateProfile, allowed: int) -> bool:
    return profile.path_length is not None and profile.path_length < allowed


def _examine_end(now: dt.datetime, wanted: dt.datetime, end: dt.datetime) -> list[Finding]:
    """No leaf outlives its issuer. A little is cut off quietly, more would surprise whoever planned the renewal."""
    if wanted <= end:
        return []
    says = f"it would end {wanted:%Y-%m-%d}, after its issuer, which ends {end:%Y-%m-%d}"
    if (wanted - end) > (wanted - now) * CUT_MOST:
        return [error("plan.outlives_issuer", "RFC 5280 6.1.3", says)]
    return [warning("plan.shortened", "RFC 5280 6.1.3", f"{says}, so it ends with it")]


def _advise(found: list[Finding]) -> str:
    """The next step by what is wrong; where nothing has one of its own, the issuer is."""
    codes = {finding.code for finding in found if finding.severity is Severity.ERROR}
    return (
        " ".join(advice for code, advice in _ADVICES.items() if code in codes) or "Renew the issuing authority first."
    )


def _no_root(profile: CertificateProfile) -> Finding:
    return error("plan.purpose", "RFC 5280 3.2", f"the profile {profile.name!r} is not one for roots")


def _write_name(subject: Subject, profile: CertificateProfile) -> tuple[bytes, str]:
    """Write the subject, in DER and as text: at once where it is as plain as almost all are, else by the library."""
    if not profile.domain_component and profile.country is CountryRule.NONE:
        whose = ((dn.ORGANISATION, subject.organisation.text),) if profile.organisation else ()
        attributes = (*whose, (dn.COMMON_NAME, subject.common_name))
        written, text = dn.write_plain(attributes), dn.plain_text(attributes)
        if written and text:
            return written, text
    name = _name(subject, profile)
    return name.public_bytes(), name.rfc4514_string()


def _name(subject: Subject, profile: CertificateProfile) -> x509.Name:
    """From the widest to the narrowest: DC, C, O, CN."""
    country = subject.common_name[:2].upper() if profile.country is CountryRule.SECC_ID else ""
    attributes = (
        (NameOID.DOMAIN_COMPONENT, profile.domain_component),
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, subject.organisation.text if profile.organisation else ""),
        (NameOID.COMMON_NAME, subject.common_name),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes if value])
