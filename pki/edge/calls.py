"""What may be asked of the authority process, and what it answers: one typed record per question.

Each question names its answer in ``Answer``; both travel as JSON lines over the authority's Unix socket, decoded once
at the door. Bytes are base64 there (msgspec's default), times are RFC 3339 in UTC.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar, Final, TypeAlias

import msgspec


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="call"):
    """A question to the authority. ``who`` is asked for the audit log: the process or person that acts."""

    Answer: ClassVar[type]


class Row(msgspec.Struct, frozen=True):
    """An answer, or a part of one."""


FindingRow: TypeAlias = tuple[str, str, str, str]
"""What was noticed and refuses nothing: code, severity, clause, sentence."""


class Done(Row, frozen=True):
    """The act is recorded at this index of the audit log."""

    audit_index: int


# -- stations ----------------------------------------------------------------------------------------------------


class CertificateRow(Row, frozen=True, omit_defaults=True):
    """One certificate as lists and the proxy see it. ``serial`` is hex, ``issuer_key_id`` SHA-256 of its key.

    ``reason`` (an RFC 5280 5.3.1 name in snake case) and ``revoked_at`` are told of what was revoked or is on hold,
    where certificates are listed; the proxy does without them.
    """

    serial: str
    subject: str
    issuer: str
    issuer_key_id: bytes
    not_before: dt.datetime
    not_after: dt.datetime
    status: str
    purpose: str
    station: str = ""
    reason: str = ""
    revoked_at: dt.datetime | None = None


class StationRow(Row, frozen=True):
    """One station as lists and the proxy see it. ``verifier`` and ``next_verifier`` go to proxy workers only and are
    empty in lists, which say by ``has_password`` and ``rotating`` that there are any."""

    identity: str
    serial: str
    profile: int
    status: str
    group: str = ""
    site: str = ""
    vendor: str = ""
    model: str = ""
    firmware_version: str = ""
    last_seen: dt.datetime | None = None
    has_password: bool = False
    verifier: str = ""
    password_form: str = "any"
    certificates: tuple[CertificateRow, ...] = ()
    protocol: str = ""
    seen_profile: int = 0
    ratchet: bool = True
    rotating: bool = False
    next_verifier: str = ""
    next_form: str = ""
    expired_until: dt.datetime | None = None
    tls: str = ""


class StationAdded(Row, frozen=True):
    """``password`` is shown this once and stored nowhere; empty for profile 3."""

    station: StationRow
    password: str
    audit_index: int


class AddStation(Call, frozen=True):
    """Register a station. Profiles 1 and 2 get a generated password unless a chosen one is given (A00.FR.205)."""

    Answer = StationAdded
    identity: str
    serial: str
    profile: int
    group: str = ""
    site: str = ""
    password: str = ""
    password_form: str = "any"


class StationSeed(Row, frozen=True):
    """One row of a bulk import."""

    identity: str
    serial: str
    profile: int
    group: str = ""
    site: str = ""


class StationsAdded(Row, frozen=True):
    """``passwords`` maps identity to the password generated for it, shown this once."""

    count: int
    passwords: dict[str, str]
    audit_index: int


class AddStations(Call, frozen=True):
    """Register many stations in one transaction: all or none."""

    Answer = StationsAdded
    stations: tuple[StationSeed, ...]


class Stations(Row, frozen=True):
    """The stations asked for, by identity."""

    stations: tuple[StationRow, ...]


class ListStations(Call, frozen=True):
    """List every station, or the one named."""

    Answer = Stations
    identity: str = ""


class SetStationStatus(Call, frozen=True):
    """Disable or enable a station; a disabled one's live connection is closed within a second."""

    Answer = Done
    identity: str
    status: str


class SetStationProtocol(Call, frozen=True):
    """Note the version of OCPP a station speaks, with an edition as in ``ocpp2.0.1/3`` where it is known."""

    Answer = Done
    identity: str
    protocol: str


class ForgetStationTls(Call, frozen=True):
    """Forget over which version of TLS a station has booted: it may come with less, and begins anew."""

    Answer = Done
    identity: str


class SetStationPassword(Call, frozen=True):
    """Give a station a new password: the one given, or a generated one that the answer shows once.

    With ``rotate`` the former one counts as well until the station is seen with the new one (A01).
    """

    Answer = StationAdded
    identity: str
    password: str = ""
    password_form: str = "any"
    rotate: bool = False


class SettlePassword(Call, frozen=True):
    """End a rotation: the new password was seen and alone counts from now on, or it is given up (A01.FR.03, .04).

    ``digest`` is the SHA-256, in hex, of the new one's verifier where a worker tells, empty where an operator does.
    """

    Answer = Done
    identity: str
    taken: bool
    digest: str = ""


class ChangeStation(Call, frozen=True):
    """Change what a station is or must prove; what is ``None`` stays. Its live session is judged again.

    A lower ``profile`` has to be allowed: ``allow_downgrade`` from 3 to 2, ``unsafe_no_tls`` to 1. ``expired_until`` is
    until when it may show an expired certificate to renew it (A00.FR.429); a moment that has passed ends that.
    """

    Answer = Done
    identity: str
    serial: str | None = None
    profile: int | None = None
    group: str | None = None
    site: str | None = None
    ratchet: bool | None = None
    expired_until: dt.datetime | None = None
    allow_downgrade: bool = False
    unsafe_no_tls: bool = False


class RemoveStation(Call, frozen=True):
    """Forget a station: it may connect no more, its serial number is free, and its name for a station to come.

    ``ConflictError("station.certified")`` while certificates of its are valid, unless ``revoke`` says to revoke them.
    """

    Answer = Done
    identity: str
    revoke: bool = False


class ReportProfile(Call, frozen=True):
    """A proxy worker let a station through with a security profile above the registered one (A05.FR.09)."""

    Answer = Done
    identity: str
    profile: int


class ReportBoot(Call, frozen=True):
    """A proxy worker saw a BootNotification and what it says of itself."""

    Answer = Done
    identity: str
    vendor: str
    model: str
    serial: str
    firmware_version: str
    protocol: str = ""
    certificate: str = ""
    """The serial (hex) of the certificate it came with; empty when it came with a password."""
    tls: str = ""
    """The version of TLS it came over, as ``TLSv1.3``."""


# -- certificates ------------------------------------------------------------------------------------------------


class CertificateIssued(Row, frozen=True):
    """``chain`` is PEM, leaf first, without the root; ``findings`` is what was noticed on the way."""

    certificate: CertificateRow
    chain: str
    audit_index: int
    findings: tuple[FindingRow, ...] = ()


class IssueCertificate(Call, frozen=True):
    """Issue a certificate for a CSR (any tolerated PEM form). ``days`` 0 takes the certificate profile's.

    ``profile`` names the certificate profile; its purpose says what else is needed. For a station: ``station``. For
    what it shows to cars: ``station``, and ``name`` is its SECCID. For a firmware signer: ``vendor``. For an operator:
    ``name``. What is not needed stays empty. A ``name`` that is given must be the request's common name.

    Where an external authority is named for the certificate profile, it is asked; while it has not decided,
    ``ConflictError("external.pending")``: ask again with the same request.
    """

    Answer = CertificateIssued
    station: str
    csr: str
    days: int = 0
    profile: str = "station"
    name: str = ""
    vendor: str = ""


class ReissueCertificate(Call, frozen=True):
    """Issue a station a new certificate for the key of one it has, from the authority now in use.

    ``serial`` (hex) names the one it has, which must be valid.
    """

    Answer = CertificateIssued
    serial: str


class Certificates(Row, frozen=True):
    """The certificates asked for, soonest expiry first."""

    certificates: tuple[CertificateRow, ...]


class ListCertificates(Call, frozen=True):
    """List certificates; empty fields do not filter.

    ``expiring_before`` keeps those that end earlier: of those that hold now, or of those in the ``status`` asked for.
    """

    Answer = Certificates
    station: str = ""
    status: str = ""
    serial: str = ""
    expiring_before: dt.datetime | None = None
    purpose: str = ""


class CertificateText(Row, frozen=True):
    """A certificate in PEM, and the row that goes with it."""

    certificate: CertificateRow
    pem: str


class FetchCertificate(Call, frozen=True):
    """Fetch a certificate by its serial (hex). One that was never signed: ``ConflictError``."""

    Answer = CertificateText
    serial: str


class RevokeCertificate(Call, frozen=True):
    """Revoke by serial (hex). Unknown serial: ``NotFoundError``; revoked already: ``ConflictError``, unless it is for
    ``key_compromise`` now and was for another reason.

    ``reason`` is an RFC 5280 5.3.1 name in snake case (``key_compromise``, ``superseded``, ``unspecified`` ...);
    ``certificate_hold`` puts it on hold, which ``ReleaseCertificate`` lifts. An authority in use takes ``authority``
    besides: nothing below it is trusted from then on.
    """

    Answer = Done
    serial: str
    reason: str = "unspecified"
    authority: bool = False


class ReleaseCertificate(Call, frozen=True):
    """Lift the hold on a certificate. Not on hold: ``ConflictError``."""

    Answer = Done
    serial: str


class AnchorRow(Row, frozen=True):
    """A trusted certificate that we did not issue. ``purpose`` is station, firmware or csms; ``key_id`` 32 bytes."""

    purpose: str
    vendor: str
    subject: str
    not_after: dt.datetime
    key_id: bytes
    pem: str


class Anchors(Row, frozen=True):
    """The trust list."""

    anchors: tuple[AnchorRow, ...]


class ListAnchors(Call, frozen=True):
    """List trusted certificates of others."""

    Answer = Anchors


class AddAnchor(Call, frozen=True):
    """Trust a certificate of somebody else's for one purpose. Firmware anchors need the ``vendor`` they sign for."""

    Answer = Done
    pem: str
    purpose: str
    vendor: str = ""


class RemoveAnchor(Call, frozen=True):
    """Trust it no longer. ``key_id`` is the hex of the SHA-256 over its SubjectPublicKeyInfo, or a unique beginning.

    Trusted for the firmware of several vendors, it is removed for the ``vendor`` named, or for ``all_vendors``; without
    either: ``ConflictError("anchor.vendors")``.
    """

    Answer = Done
    key_id: str
    purpose: str
    vendor: str = ""
    all_vendors: bool = False


FALLEN: Final = frozenset({"revoked", "held"})
"""How authorities stand that nobody may trust."""


class IssuerRow(Row, frozen=True):
    """One of our own CAs. ``purpose`` is root, csms, station, ocsp, link, operator, manufacturer, v2g-root, v2g-sub1 or
    v2g-sub2, and ``above`` for one of others that only stands above one taken in; ``state`` one of
    ``pki.holding.KeyState``, of which one key in each ``slot`` is active, or ``revoked`` or ``held`` (``FALLEN``) where
    its certificate is, or that of one above it: nobody may trust it; ``keeper`` one of ``pki.holding.Keeper``. A
    manufacturer's has a ``vendor``, one for V2G the ``edition`` of ISO 15118."""

    name: str
    purpose: str
    subject: str
    not_after: dt.datetime
    key_id: bytes
    pem: str
    slot: str = ""
    state: str = "active"
    keeper: str = "here"
    vendor: str = ""
    edition: str = ""


class Issuers(Row, frozen=True):
    """Our CAs, the root first."""

    issuers: tuple[IssuerRow, ...]


class ListIssuers(Call, frozen=True):
    """List our own CAs."""

    Answer = Issuers


class NamedCredentials(Row, frozen=True):
    """What a listener presents to whoever asks for this host by name (RFC 6066 3): at least one of the two kinds."""

    host: str
    ecdsa_chain: str = ""
    ecdsa_key: str = ""
    rsa_chain: str = ""
    rsa_key: str = ""

    def __repr__(self) -> str:
        return f"NamedCredentials({self.host!r}, ...)"


class Credentials(Row, frozen=True):
    """What a TLS listener of ours presents: an ECDSA chain, an RSA chain, or both; what is not there is empty.
    ``named`` is for those who ask for another host by name.

    ``assertion_key`` signs assertions now, ``assertion_public`` are the keys to publish, PEM. Private keys are PKCS#8
    PEM in clear: they travel over the peer-checked Unix socket to our own processes only, are never logged and never
    written to disk by them.
    """

    ecdsa_chain: str = ""
    ecdsa_key: str = ""
    rsa_chain: str = ""
    rsa_key: str = ""
    assertion_key: str = ""
    assertion_public: tuple[str, ...] = ()
    named: tuple[NamedCredentials, ...] = ()

    def chains(self) -> tuple[str, ...]:
        """Every chain in it, PEM."""
        every: tuple[Credentials | NamedCredentials, ...] = (self, *self.named)
        return tuple(chain for each in every for chain in (each.ecdsa_chain, each.rsa_chain) if chain)

    def __repr__(self) -> str:
        return "Credentials(...)"


class FetchCredentials(Call, frozen=True):
    """Fetch the server certificates and keys of the CSMS host."""

    Answer = Credentials


# -- authorities made and taken in -------------------------------------------------------------------------------


class IssuersCreated(Row, frozen=True):
    """The authorities that were made, the topmost first; ``findings`` is what was noticed on the way."""

    issuers: tuple[IssuerRow, ...]
    audit_index: int
    findings: tuple[FindingRow, ...] = ()


class CreateIssuer(Call, frozen=True):
    """Make an authority: key and certificate. It signs at once where nobody else does so for its purpose.

    ``purpose`` is one of ``pki.hierarchy.HierarchyKind``; ``v2g`` without ``under`` makes root and both Sub-CAs. What
    is empty takes its default. ``key`` is a kind of key, ``padding`` how it signs if it is RSA; ``store`` is file or
    hsm, empty: the token where there is one. ``common_name`` and ``days`` are for the topmost one made.
    """

    Answer = IssuersCreated
    name: str
    purpose: str
    vendor: str = ""
    edition: str = ""
    under: str = ""
    key: str = ""
    days: int = 0
    common_name: str = ""
    padding: str = "pkcs1"
    store: str = ""


class IssuerImported(Row, frozen=True):
    """The authority taken in; ``findings`` is what was tolerated."""

    issuer: IssuerRow
    findings: tuple[FindingRow, ...]
    audit_index: int


class ImportIssuer(Call, frozen=True):
    """Take in an authority that others made: ``pem`` is its certificate, perhaps with those above it, ``chain`` more of
    these up to the root. ``private_key`` is its key in PEM (PKCS#8, SEC1, PKCS#1), empty when it stays elsewhere;
    ``padding`` is how it signs if it is RSA. An empty ``name`` is made from the purpose."""

    Answer = IssuerImported
    name: str
    purpose: str
    pem: str
    chain: str = ""
    private_key: str = ""
    password: str = ""
    vendor: str = ""
    edition: str = ""
    padding: str = "pkcs1"

    def __repr__(self) -> str:
        return f"ImportIssuer({self.name!r}, {self.purpose!r}, ...)"


# -- status of certificates ----------------------------------------------------------------------------------------


class FailedRow(Row, frozen=True):
    """Something that was examined and is wrong, in the words of its error."""

    what: str
    code: str
    cause: str
    advice: str


class CrlRow(Row, frozen=True):
    """The newest list of one shard of an issuer's. ``shard`` -1 is one list of all; ``url`` empty: served nowhere."""

    issuer: str
    shard: int
    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    entries: int
    url: str = ""


class Crls(Row, frozen=True):
    """Lists of revoked certificates, by issuer and shard; ``failed`` names the issuers that could not sign theirs."""

    crls: tuple[CrlRow, ...]
    failed: tuple[FailedRow, ...] = ()


class ListCrls(Call, frozen=True):
    """List the newest list of each shard, of one issuer of ours (by name) or of all."""

    Answer = Crls
    issuer: str = ""


class SignCrls(Call, frozen=True):
    """Sign what is due; ``now``: every shard; ``whole``: one list of all certificates in place of shards."""

    Answer = Crls
    issuer: str = ""
    now: bool = False
    whole: bool = False


class Crl(Row, frozen=True):
    """One list with its DER."""

    row: CrlRow
    der: bytes


class FetchCrl(Call, frozen=True):
    """Fetch the newest list of one shard. None was signed: ``NotFoundError``."""

    Answer = Crl
    issuer: str
    shard: int


class OcspAnswer(Row, frozen=True):
    """An OCSPResponse in DER. Where it serves everybody who asks the same, it may be kept until ``keep_until``, and
    ``issuer_key_id`` and ``serial`` name the certificate whose ``StatusChanged`` ends that; else they are empty."""

    der: bytes
    this_update: dt.datetime | None = None
    next_update: dt.datetime | None = None
    keep_until: dt.datetime | None = None
    issuer_key_id: bytes = b""
    serial: str = ""


class AnswerOcsp(Call, frozen=True):
    """Answer an OCSPRequest (DER); what cannot be answered is answered so, too."""

    Answer = OcspAnswer
    request: bytes


class SignerRow(Row, frozen=True):
    """Who signs answers for an issuer, until when, and how many answers are kept."""

    issuer: str
    signer: str
    not_after: dt.datetime | None
    answers: int


class Signers(Row, frozen=True):
    """The signers of answers; ``url`` is where they are asked, empty: nowhere."""

    signers: tuple[SignerRow, ...]
    url: str = ""


class ListSigners(Call, frozen=True):
    """List the signers of OCSP answers."""

    Answer = Signers


# -- rotation ----------------------------------------------------------------------------------------------------


class DueRow(Row, frozen=True):
    """One renewal, as ``pki.rotation.Due`` has it; ``needs_person`` says that it will not come about without one."""

    kind: str
    name: str
    when: dt.datetime
    not_after: dt.datetime
    by: str
    clause: str
    says: str
    command: str
    needs_person: bool = False


class Rotation(Row, frozen=True):
    """What is due at the moment asked for, and what comes next after it."""

    due: tuple[DueRow, ...]
    next: DueRow | None = None


class ShowRotation(Call, frozen=True):
    """Say what is due: now, or at a moment to come."""

    Answer = Rotation
    at: dt.datetime | None = None


class Renewed(Row, frozen=True):
    """A key of ours has a successor. ``former`` is the serial (hex) of the certificate that is presented no longer."""

    name: str
    kind: str
    serial: str
    former: str
    not_after: dt.datetime
    audit_index: int


class Rotated(Row, frozen=True):
    """What was renewed, and what is still due; ``lists`` counts the lists of revoked certificates that were signed."""

    renewed: tuple[Renewed, ...]
    left: tuple[DueRow, ...]
    lists: int = 0


class Rotate(Call, frozen=True):
    """Renew what is due and needs nobody else; ``now`` (server, ocsp) renews that whether or not it is due."""

    Answer = Rotated
    now: str = ""


class RolloverStep(Row, frozen=True):
    """One step of a rollover's plan, as ``pki.rollover.Step`` has it."""

    number: int
    says: str
    command: str
    clause: str
    done: int
    total: int


class Rollover(Row, frozen=True):
    """How a slot's rollover stands; ``former`` and ``successor`` are key names, empty when there is none."""

    slot: str
    former: str
    successor: str
    steps: tuple[RolloverStep, ...]


class ShowRollover(Call, frozen=True):
    """Say how a slot's rollover stands and what is to be done next."""

    Answer = Rollover
    slot: str


class RolledOver(Row, frozen=True):
    """The successor, trusted already and not in use yet; for a root also its certificate by the old root."""

    issuer: IssuerRow
    link: IssuerRow | None
    audit_index: int


class RollOver(Call, frozen=True):
    """Make the successor of the authority in a slot. ``under`` names the root that signs it; empty: the active one."""

    Answer = RolledOver
    slot: str
    under: str = ""
    common_name: str = ""
    days: int = 0


class Activated(Row, frozen=True):
    """It signs from now on. ``unconfirmed`` counts stations that are not known to trust the root above it."""

    unconfirmed: int
    audit_index: int


class ActivateIssuer(Call, frozen=True):
    """Take an authority of ours into use; who was in use becomes old."""

    Answer = Activated
    name: str


class RetireIssuer(Call, frozen=True):
    """Trust an authority of ours no longer. Whoever still needs it makes this a ``RefusedError``."""

    Answer = Done
    name: str


class ConfirmTrust(Call, frozen=True):
    """Note that these stations trust the root of ours with this name; ``how`` that is known goes into the record."""

    Answer = Done
    identities: tuple[str, ...]
    name: str
    how: str = "operator"


# -- firmware ----------------------------------------------------------------------------------------------------


class ReleaseRow(Row, frozen=True):
    """One verified firmware image. ``digest`` is SHA-256 hex; ``signature`` is raw bytes; ``certificate`` is PEM."""

    digest: str
    size: int
    vendor: str
    model: str
    version: str
    algorithm: str
    signature: bytes
    certificate: str
    imported: dt.datetime


class FirmwareImported(Row, frozen=True):
    """``findings`` are the warnings, as (code, clause, sentence)."""

    release: ReleaseRow
    findings: tuple[tuple[str, str, str], ...]
    audit_index: int


class ImportFirmware(Call, frozen=True):
    """Verify the image that lies in the quarantine folder under ``name`` and take it into the vault.

    ``signature`` is base64 text as OCPP carries it, ``certificate`` is PEM.
    """

    Answer = FirmwareImported
    name: str
    vendor: str
    model: str
    version: str
    signature: str
    certificate: str
    policy: str = "standard"


class Releases(Row, frozen=True):
    """The catalogue."""

    releases: tuple[ReleaseRow, ...]


class ListReleases(Call, frozen=True):
    """List verified firmware images."""

    Answer = Releases


class DownloadGranted(Row, frozen=True):
    """``url`` is ours, single-job, and good until ``expires``. Treat it as a secret: it is never logged whole."""

    url: str
    expires: dt.datetime
    audit_index: int


class GrantDownload(Call, frozen=True):
    """Mint a URL under which one station may fetch one verified image. ``message_id`` is the CSMS call it answers."""

    Answer = DownloadGranted
    station: str
    digest: str
    message_id: str
    until: dt.datetime | None = None


class DownloadAllowed(Row, frozen=True):
    """The token is good: this image, this many bytes."""

    station: str
    digest: str
    size: int


class RedeemDownload(Call, frozen=True):
    """Turn a token from a download URL into the image it is for. Unknown, expired: ``NotFoundError``."""

    Answer = DownloadAllowed
    token: str


class RecordDownload(Call, frozen=True):
    """The web process served bytes ``first`` to ``last`` (inclusive) of a granted image."""

    Answer = Done
    token: str
    first: int
    last: int
    complete: bool


# -- enrolment over EST ------------------------------------------------------------------------------------------


class TokenMinted(Row, frozen=True):
    """A one-time token, shown this once and stored nowhere; good until ``expires``."""

    token: str
    expires: dt.datetime
    audit_index: int

    def __repr__(self) -> str:
        return "TokenMinted(...)"


class MintToken(Call, frozen=True):
    """Make a station's one-time token; an older one of the station's ends. ``hours`` 0 takes the usual time."""

    Answer = TokenMinted
    station: str
    hours: int = 0


class RevokeToken(Call, frozen=True):
    """End a station's token before it is used."""

    Answer = Done
    station: str


class Shown(Row, frozen=True):
    """Who asks, as the web process saw it and did not judge it.

    ``user`` and ``token`` are from the Basic header; ``chain`` is what the TLS client showed, DER, leaf first, and it
    proved to hold the leaf's key. ``remote`` is its address, for the log.
    """

    user: str = ""
    token: str = ""
    chain: tuple[bytes, ...] = ()
    remote: str = ""

    def __repr__(self) -> str:
        return f"Shown({self.remote!r}, ...)"


class Enrolled(Row, frozen=True):
    """``certificate`` is the issued one in DER; empty while the request waits, then ask again in ``retry`` seconds."""

    certificate: bytes
    retry: int
    audit_index: int


class Enroll(Call, frozen=True):
    """A station asks for a certificate. ``csr`` is the body as received; ``renewal`` says by which of EST's two ways.

    ``ForbiddenError("est.credentials")`` when nobody we know asks.
    """

    Answer = Enrolled
    csr: bytes
    shown: Shown
    renewal: bool = False

    def __repr__(self) -> str:
        return "Enroll(...)"


class LateRenewed(Row, frozen=True):
    """``chain`` is PEM, leaf first, without the root; empty while the request waits for a person."""

    chain: str
    audit_index: int


class RenewExpired(Call, frozen=True):
    """A station whose certificate has ended asks for a new one by SignCertificate (A00.FR.429).

    ``csr`` is PEM as received, ``chain`` what it showed in the TLS handshake, DER, leaf first. Only for a station that
    was listed for it, and only while that lasts: ``ForbiddenError("est.certificate")``.
    """

    Answer = LateRenewed
    identity: str
    csr: str
    chain: tuple[bytes, ...]
    remote: str = ""

    def __repr__(self) -> str:
        return f"RenewExpired({self.identity!r}, ...)"


class CaCertificates(Row, frozen=True):
    """Our authorities for stations and the roots above all, in DER."""

    certificates: tuple[bytes, ...]


class ListCaCertificates(Call, frozen=True):
    """List what a station needs to trust us and to be trusted."""

    Answer = CaCertificates


class WaitingRow(Row, frozen=True):
    """A request that waits, or was decided and not yet fetched. ``issuer`` is empty for us, else who was asked."""

    id: int
    station: str
    way: str
    state: str
    key_id: bytes
    subject: str
    asked: dt.datetime
    expires: dt.datetime
    issuer: str = ""
    decided_by: str = ""
    reason: str = ""


class Waiting(Row, frozen=True):
    """The requests that wait, the oldest first."""

    requests: tuple[WaitingRow, ...]


class ListWaiting(Call, frozen=True):
    """List the requests that wait for a decision or for an external authority."""

    Answer = Waiting


class DecideRequest(Call, frozen=True):
    """Say yes or no to a request that waits; the answer reaches the station when it asks again."""

    Answer = Done
    id: int
    approve: bool
    reason: str = ""


# -- audit log ---------------------------------------------------------------------------------------------------


class AuditRow(Row, frozen=True):
    """One entry: ``entry`` is the exact JSON text that was hashed."""

    index: int
    entry: str


class AuditRows(Row, frozen=True):
    """Entries in order."""

    rows: tuple[AuditRow, ...]


class ListAudit(Call, frozen=True):
    """List audit entries from ``first`` on, at most ``limit``; ``first`` -1 means the newest ``limit``."""

    Answer = AuditRows
    first: int = -1
    limit: int = 50


class AuditVerified(Row, frozen=True):
    """The whole log was recomputed and agrees with every signed checkpoint, and every row of the tables with it.

    Of ``rows``, ``rows_in_part`` were recorded by older versions, whose entries prove some of their fields only.
    """

    size: int
    root: str
    checkpoints: int
    rows: int = 0
    rows_in_part: int = 0


class VerifyAudit(Call, frozen=True):
    """Recompute the log from its entries, and the tables from the log. An edited, added or dropped entry or row raises
    ``RefusedError`` naming it.

    ``checkpoint`` is the text of one kept elsewhere, to be compared with too; empty for none.
    """

    Answer = AuditVerified
    checkpoint: str = ""


class Checkpoint(Row, frozen=True):
    """A signed statement "the log had this root at this size" (C2SP checkpoint text with an Ed25519 signature)."""

    size: int
    root: str
    text: str


class MakeCheckpoint(Call, frozen=True):
    """Sign the log's present state."""

    Answer = Checkpoint


# -- audit evidence: exports, proofs ------------------------------------------------------------------------------


class AuditDescribed(Row, frozen=True):
    """What an export of the log begins with; ``frontier`` is the tree's edge before entry ``first``.

    ``public_key`` is PEM; a checkpoint was signed over ``size`` entries just now; ``checkpoints`` of those there are
    were signed over ``first`` entries or more.
    """

    origin: str
    public_key: str
    first: int
    size: int
    checkpoints: int
    frontier: tuple[bytes, ...]


class DescribeAudit(Call, frozen=True):
    """Sign the log's present state and say what an export from entry ``first`` on begins with."""

    Answer = AuditDescribed
    first: int = 0


class Checkpoints(Row, frozen=True):
    """Checkpoints, oldest first."""

    checkpoints: tuple[Checkpoint, ...]


class ListCheckpoints(Call, frozen=True):
    """List the checkpoints over at least ``least`` entries: ``limit`` of them, after the ``first`` oldest."""

    Answer = Checkpoints
    least: int = 0
    first: int = 0
    limit: int = 50


class AuditProof(Row, frozen=True):
    """A proof that stands by itself, as JSON text (``pki.proof``)."""

    text: str


class ProveEntry(Call, frozen=True):
    """Prove that the entry at ``index`` is in the log that ``checkpoint`` was signed over; empty: the present one."""

    Answer = AuditProof
    index: int
    checkpoint: str = ""


class ProveGrowth(Call, frozen=True):
    """Prove that the log only grew between two checkpoints, given as their texts; ``newer`` empty: the present one."""

    Answer = AuditProof
    older: str
    newer: str = ""


# -- backup ------------------------------------------------------------------------------------------------------


class LedgerCopied(Row, frozen=True):
    """The copy lies in the folder as ``ledger.db``; ``checkpoint`` was signed just before and is in it."""

    origin: str
    checkpoint: Checkpoint
    audit_index: int


class CopyLedger(Call, frozen=True):
    """Copy the ledger into ``folder`` below ``run/``, which the asker made, and verify the copy.

    ``images`` and ``passphrase`` say what else goes into the backup, for the audit log.
    """

    Answer = LedgerCopied
    folder: str
    images: bool
    passphrase: bool


# -- health ------------------------------------------------------------------------------------------------------


class ExpiringRow(Row, frozen=True):
    """A thing of ours, or one we rely on, that ends; ``renewed_by`` says how it is renewed."""

    kind: str
    name: str
    not_before: dt.datetime
    not_after: dt.datetime
    renewed_by: str


class MissingRow(Row, frozen=True):
    """Something that must be there and is not; ``fix`` is the command or the act that makes it."""

    what: str
    says: str
    fix: str
    clause: str = ""


class PresentedRow(Row, frozen=True):
    """A certificate (PEM) that our listeners are meant to present to who asks for ``host``; ``ours``: by our CAs."""

    pem: str
    host: str
    ours: bool


class Examined(Row, frozen=True):
    """What the authority knows of its own health. ``ending`` counts stations whose last certificate ends soon.

    ``ended`` counts those that need one to connect with, of which the last has ended.

    ``presented`` is what listeners are meant to present, ``roots`` our roots that it leads to (PEM).

    ``restored_behind`` are the moments of restores that undid acts which had been recorded.
    """

    expiring: tuple[ExpiringRow, ...]
    ending: int
    newest_entry: dt.datetime
    audit_size: int
    restored_behind: tuple[dt.datetime, ...]
    failed: tuple[FailedRow, ...]
    missing: tuple[MissingRow, ...] = ()
    presented: tuple[PresentedRow, ...] = ()
    roots: tuple[str, ...] = ()
    ended: int = 0


class Examine(Call, frozen=True):
    """Examine everything that ends, the ledger's file, the audit log and the tables.

    ``ending_within`` is the time, in days, within which a station's last certificate counts as ending.
    """

    Answer = Examined
    ending_within: int


class Measured(Row, frozen=True):
    """What the authority counts and knows at once. ``acts`` by their name in the audit log, since it was started;
    ``troubles`` are duties that fail at present."""

    expiring: tuple[ExpiringRow, ...]
    acts: dict[str, int]
    audit_size: int
    troubles: int


class Measure(Call, frozen=True):
    """Tell what ends, and what was counted, without examining anything."""

    Answer = Measured


# -- the offline root --------------------------------------------------------------------------------------------


class RootAsked(Row, frozen=True):
    """``name`` is our key's, ``request`` is PEM; it lies in ``ca/<name>.csr`` too."""

    name: str
    request: str
    audit_index: int


class AskRoot(Call, frozen=True):
    """Make a key and a request for an authority below the offline root; ``slot`` is csms or station."""

    Answer = RootAsked
    slot: str


class CeremonyImported(Row, frozen=True):
    """``issuers`` are the authorities that came; ``networks`` what the root's machine was on (none, as it should be);
    ``revoked`` the authorities of ours that the root's list names; ``not_here`` addresses that stand in what was signed
    and that this home does not serve."""

    issuers: tuple[IssuerRow, ...]
    networks: tuple[str, ...]
    revoked: tuple[str, ...]
    not_here: tuple[str, ...]
    crl_number: int
    audit_index: int


class ImportCeremony(Call, frozen=True):
    """Take over what a ceremony made: ``files`` of its folder by name, without the root's key. ``digest`` is what was
    written down there: at least 32 hex digits of the transcript's digest."""

    Answer = CeremonyImported
    files: dict[str, bytes]
    digest: str


# -- the proxy's standing question -------------------------------------------------------------------------------


class Watch(Call, frozen=True):
    """Send a ``Snapshot`` now and a ``Change`` for each change after it, until the connection ends."""


class Snapshot(Row, frozen=True, tag="snapshot", tag_field="news"):
    """All that admission and the gates need to know. Certificates of a station are all that have not yet expired,
    whatever their status, so that a revoked one can be named as such."""

    organisation: str
    csms_host: str
    issuers: tuple[IssuerRow, ...]
    anchors: tuple[AnchorRow, ...]
    stations: tuple[StationRow, ...]
    releases: tuple[ReleaseRow, ...]
    own_keys: tuple[bytes, ...] = ()
    """The ids of our own authorities' keys, whatever they are for, those that were let go among them."""


class StationChanged(Row, frozen=True, tag="station", tag_field="news"):
    """A station was added or changed, a certificate of its was issued or revoked."""

    station: StationRow


class TrustChanged(Row, frozen=True, tag="trust", tag_field="news"):
    """Issuers or anchors changed; these are all of them, ``own_keys`` as in the snapshot."""

    issuers: tuple[IssuerRow, ...]
    anchors: tuple[AnchorRow, ...]
    own_keys: tuple[bytes, ...] = ()


class ReleaseAdded(Row, frozen=True, tag="release", tag_field="news"):
    """A firmware image entered the catalogue."""

    release: ReleaseRow


class CredentialsChanged(Row, frozen=True, tag="credentials", tag_field="news"):
    """The server certificates were renewed: fetch them again."""


class StatusChanged(Row, frozen=True, tag="status", tag_field="news"):
    """A certificate was revoked, put on hold or released: answers about it given before are no longer true."""

    issuer_key_id: bytes
    serial: str


class CrlChanged(Row, frozen=True, tag="crl", tag_field="news"):
    """A new list was signed for this shard of this issuer (by name)."""

    issuer: str
    shard: int


News = Snapshot | StationChanged | TrustChanged | ReleaseAdded | CredentialsChanged | StatusChanged | CrlChanged


class Failure(Row, frozen=True):
    """How an error travels: its class's name, and all that it says."""

    kind: str
    code: str
    cause: str
    advice: str
    findings: tuple[tuple[str, str, str, str], ...] = ()


# -- rehearsals ----------------------------------------------------------------------------------------------------

Rehearsable: TypeAlias = (
    ActivateIssuer
    | AddAnchor
    | AddStation
    | AddStations
    | ChangeStation
    | ConfirmTrust
    | CreateIssuer
    | DecideRequest
    | ImportFirmware
    | ImportIssuer
    | IssueCertificate
    | ForgetStationTls
    | MintToken
    | ReissueCertificate
    | ReleaseCertificate
    | RemoveAnchor
    | RemoveStation
    | RetireIssuer
    | RevokeCertificate
    | RevokeToken
    | RollOver
    | SetStationPassword
    | SetStationProtocol
    | SetStationStatus
    | SettlePassword
)
"""What can be asked for without being done."""


class Rehearsed(Row, frozen=True):
    """It would be done, and ``acts`` would stand in the audit log first; none where everything is as it should be."""

    acts: tuple[str, ...]


class Rehearse(Call, frozen=True):
    """Judge an act as if it were asked for, and do nothing. Raises whatever the act itself would raise."""

    Answer = Rehearsed
    act: Rehearsable
