"""What every act of the authority works with: the ledger, the keys, our issuers, and the pen of the audit log."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki.certificate import is_self_issued, key_id, names_issuer, to_pem
from pki.checkpoint import sign_checkpoint
from pki.edge import calls, clock
from pki.edge.ledger import audit as log
from pki.edge.ledger import stations
from pki.edge.office.memory import Memory
from pki.edge.office.news import Board
from pki.edge.policies import read_certificate_policy
from pki.errors import BollardError, ConflictError, NotFoundError
from pki.hierarchy import AUTHORITIES, succession_elsewhere, succession_of
from pki.holding import Holding, Keeper, KeyState
from pki.plan import Issuer
from pki.profile import CertificateProfile, parse_profile
from pki.raw_form import read_form
from pki.rollover import Fallen, refuse_fallen
from pki.signed import padding_of
from pki.station import CertificateStatus, StationStatus
from pki.witness import CHECKPOINT_EVERY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pki.audit import Json
    from pki.edge.commit import GroupCommit, Tx
    from pki.edge.home import Home
    from pki.edge.keys import Keyring
    from pki.edge.vault import Vault
    from pki.names import ProtocolVersion
    from pki.settings import Settings

FOUNDED: Final = frozenset({"root", "csms", "station", "server-ecdsa", "server-rsa"})
"""Duties that some key of every home fills, once it has its certificates."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate whose key is ours."""

    holding: Holding
    certificate: x509.Certificate
    status: CertificateStatus = CertificateStatus.VALID

    @property
    def serial(self) -> str:
        """Its serial, in hex as the ledger has it."""
        return f"{self.certificate.serial_number:x}"

    @property
    def is_fallen(self) -> bool:
        """Whether it was revoked, or is on hold."""
        return self.status in {CertificateStatus.REVOKED, CertificateStatus.HELD}

    @property
    def name(self) -> str:
        """The key's name."""
        return self.holding.name

    @property
    def purpose(self) -> str:
        """Its role: root, csms, station, ocsp, server ..."""
        return self.holding.purpose


@dataclass(frozen=True, slots=True)
class Desk:
    """The authority at work. ``own`` maps key names to our certificates; ``given`` holds the server certificates of
    others as they were last found sound; who holds ``renewing`` may replace keys of ours."""

    home: Home
    settings: Settings
    ledger: GroupCommit
    keys: Keyring
    vault: Vault
    own: dict[str, OwnCertificate] = field(default_factory=dict)
    board: Board = field(default_factory=Board)
    memory: Memory = field(default_factory=Memory)
    _profiles: dict[tuple[str, ProtocolVersion | None], CertificateProfile] = field(default_factory=dict, repr=False)
    given: list[calls.Credentials] = field(default_factory=list)
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def origin(self) -> str:
        """The audit log's name in its checkpoints."""
        return f"{self.settings.csms_host}/bollard/audit"

    @property
    def audit_public_key(self) -> Ed25519PublicKey:
        """The key that checkpoints verify under."""
        return self._audit_key().public_key()

    def profile(self, name: str, version: ProtocolVersion | None = None) -> CertificateProfile:
        """Return a certificate profile by name, this home's own before ours; each is read once."""
        if (name, version) not in self._profiles:
            text = read_certificate_policy(self.home.policies, name)
            self._profiles[name, version] = parse_profile(name, text, version)
        return self._profiles[name, version]

    def mine(self, name: str) -> OwnCertificate:
        """Return our certificate for a key of ours."""
        if name not in self.own:
            raise NotFoundError("issuer.unknown", f"this home has no key named {name[:40]!r}", "See 'bollard ca list'.")
        return self.own[name]

    def active(self, slot: str) -> OwnCertificate:
        """Return our certificate that is in use in a slot; an authority that has fallen is in use no more."""
        for own in self.own.values():
            if own.holding.slot == slot and own.holding.state is KeyState.ACTIVE:
                self.refuse_fallen(own)
                return own
        mine = [own for own in self.own.values() if own.holding.slot == slot]
        if not mine and slot in FOUNDED:
            raise ConflictError(
                "home.waiting",
                "this home waits for certificates from its offline root",
                "Import the ceremony's result: bollard ca ceremony import FOLDER --digest DIGEST.",
            )
        made = f"Make another: {self.maker_of(mine[-1])}." if mine and mine[-1].purpose in AUTHORITIES else ""
        says = f"no key of this home is in use for {slot[:40]!r}"
        raise NotFoundError("issuer.none", says, made or "See 'bollard ca list'.")

    def above(self, own: OwnCertificate) -> list[OwnCertificate]:
        """Return those of ours that a certificate of ours stands below, the nearest first."""
        if is_self_issued(own.certificate):
            return []
        roots = (each for each in self.own.values() if each.purpose != "link")  # links: see ``credentials``
        above = (each for each in roots if names_issuer(own.certificate, each.certificate))
        return [found for each in islice(above, 1) for found in (each, *self.above(each))]

    def chain(self, own: OwnCertificate) -> list[x509.Certificate]:
        """Return a certificate of ours and those above it that are ours too, without the root."""
        whole = [own, *self.above(own)]
        return [each.certificate for each in whole if not is_self_issued(each.certificate)]

    def fallen(self, own: OwnCertificate) -> OwnCertificate | None:
        """Return what was revoked or is on hold: the certificate itself, or one of ours that it stands below."""
        if own.name not in self.memory.fallen:
            found = next((each for each in (own, *self.above(own)) if each.is_fallen), None)
            self.memory.fallen[own.name] = found.name if found else ""
        return self.own.get(self.memory.fallen[own.name])

    def fallen_keys(self) -> frozenset[bytes]:
        """Return the key ids of our authorities that have fallen: nobody is trusted by such a key, whoever gave it."""
        mine = (own for own in self.own.values() if own.purpose in AUTHORITIES)
        return frozenset(key_id(own.certificate) for own in mine if self.fallen(own))

    def standing(self, own: OwnCertificate) -> str:
        """Say how a key of ours stands: its state, or ``revoked`` or ``held``, which outweigh that."""
        fallen = self.fallen(own)
        return fallen.status.value if fallen else own.holding.state.value

    def refuse_fallen(self, own: OwnCertificate) -> None:
        """Raise ``ConflictError("issuer.revoked")`` or ``("issuer.held")`` for an authority that must not be used."""
        fallen = self.fallen(own) if own.purpose in AUTHORITIES else None
        if fallen is None:
            return
        mine = [each for each in self.own.values() if each.holding.slot == own.holding.slot and not self.fallen(each)]
        ready = [each.name for each in mine if each.holding.state is not KeyState.RETIRED and _may_be_activated(each)]
        raise refuse_fallen(own.name, Fallen(fallen.name, fallen.status, fallen.serial), ready[-1:], self.maker_of(own))

    def maker_of(self, own: OwnCertificate) -> str:
        """Name the command that makes the next authority of the same slot."""
        nearest = next(iter(self.above(own)), None)
        if (nearest or own).holding.keeper is Keeper.ELSEWHERE:
            return succession_elsewhere(own.purpose, own.holding.slot)
        return succession_of(own.purpose, own.holding.slot, nearest.name if nearest else "")

    def chain_pem(self, own: OwnCertificate) -> str:
        """Return the same in PEM, the root left out; asked for with every certificate, so written once."""
        if own.name not in self.memory.chains:
            self.memory.chains[own.name] = to_pem(self.chain(own))
        return self.memory.chains[own.name]

    def adopt(self, own: OwnCertificate) -> None:
        """Take a certificate of ours into use, as the ledger has it by now: who filled its slot becomes old."""
        if own.holding.state is KeyState.ACTIVE:
            for other in [each for each in self.own.values() if each.holding.slot == own.holding.slot]:
                if other.holding.state is KeyState.ACTIVE:
                    self.own[other.name] = replace(other, holding=replace(other.holding, state=KeyState.OLD))
        self.own[own.name] = own
        self.memory.forget_own()

    def mark(self, serial: str, status: CertificateStatus) -> None:
        """Note that a certificate was revoked, put on hold or released, as the ledger has it by now, if it is ours."""
        for own in [own for own in self.own.values() if own.serial == serial]:
            self.own[own.name] = replace(own, status=status)
            self.memory.forget_own()

    def issuer(self, name: str) -> Issuer:
        """Return one of our authorities as a plan needs it: its certificate, those above it, the padding of its key."""
        if name not in self.memory.issuers:
            own, chosen = self.mine(name), self.keys.describe(name).padding
            padding = padding_of(own.certificate.public_key(), read_form(own.certificate).key, chosen)
            self.memory.issuers[name] = Issuer(name, own.certificate, padding, tuple(self.chain(own)[1:]))
        return self.memory.issuers[name]

    def move(self, name: str, state: KeyState) -> None:
        """Note that a key of ours is in another state, as the ledger has it by now."""
        own = self.own[name]
        self.adopt(replace(own, holding=replace(own.holding, state=state)))

    def record(self, tx: Tx, act: str, who: str, what: Mapping[str, Json]) -> int:
        """Write the act's audit entry in the act's own transaction; return its index."""
        index = tx.log.append(clock.now(), act, who, what)
        tx.after.append(partial(self.memory.count, act))
        if (index + 1) % CHECKPOINT_EVERY == 0:
            self.checkpoint(tx)
        return index

    def checkpoint(self, tx: Tx) -> calls.Checkpoint:
        """Sign the log as it stands; the newest checkpoint is given again when nothing was written since."""
        frontier = tx.log.edge()
        newest = log.newest_checkpoint(tx.database)
        root = frontier.root()
        if newest is not None and (newest.size, newest.root) == (frontier.size, root.hex()):
            return newest
        text = sign_checkpoint(frontier.size, root, self.origin, self._audit_key())
        checkpoint = calls.Checkpoint(frontier.size, root.hex(), text)
        tx.log.add_checkpoint(checkpoint)
        return checkpoint

    def tell_of_station(self, tx: Tx, identity: str) -> calls.StationRow:
        """Tell watchers how a station stands once this transaction is on the disk; return the same row."""
        row = stations.named(tx.database, identity, live_after=clock.stamp(clock.now()))
        tx.after.append(partial(self.board.publish, calls.StationChanged(row)))
        return row

    def tell_of_removal(self, tx: Tx, row: calls.StationRow) -> None:
        """Tell watchers that a station is gone once this transaction is on the disk."""
        gone = msgspec.structs.replace(row, status=StationStatus.REMOVED, verifier="", next_verifier="")
        tx.after.append(partial(self.board.publish, calls.StationChanged(gone)))

    def tell_soon_of_station(self, tx: Tx, identity: str) -> None:
        """Tell watchers how a station stands once this transaction is on the disk, before the act is answered.

        All of a transaction are told of together, from what is on the disk, and read for nobody where nobody watches:
        who begins to watch later is shown it in the snapshot.
        """
        tx.after.append(partial(self._note, identity))

    def _note(self, identity: str) -> None:
        if self.board.is_watched:
            if not self.memory.changed:  # what is called soon comes before any answer that is given from here on
                asyncio.get_running_loop().call_soon(self.tell_noted)
            self.memory.changed.add(identity)

    def tell_noted(self) -> None:
        """Tell now what would be told soon, to those who watch by now."""
        noted = sorted(self.memory.changed)
        self.memory.changed.clear()
        if not noted:
            return
        try:
            rows = self.ledger.glance(partial(stations.some, identities=noted, live_after=clock.stamp(clock.now())))
        except BollardError:  # whoever watches begins again, with a snapshot, when the ledger can be read
            self.board.close()
            return
        for row in rows:
            self.board.publish(calls.StationChanged(row))

    def newest_index(self, tx: Tx) -> int:
        """Return the index of the newest audit entry, for acts that needed none of their own."""
        return tx.log.edge().size - 1

    def _audit_key(self) -> Ed25519PrivateKey:
        key = self.keys.key("audit")
        if not isinstance(key, Ed25519PrivateKey):
            raise BollardError("key.kind", "audit.pem is no Ed25519 key", "Restore the real one from a backup.")
        return key


def _may_be_activated(own: OwnCertificate) -> bool:
    return own.purpose == "root" or own.holding.keeper is Keeper.HERE


def sha256(value: bytes | str) -> str:
    """Digest in hex what an entry vouches for without repeating it; of nothing there is none (pki/replay.py)."""
    return hashlib.sha256(value if isinstance(value, bytes) else value.encode()).hexdigest() if value else ""
