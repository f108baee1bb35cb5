"""The way in to the authority: open it, ask it, watch it, close it.

Opening finishes what a crash left: every certificate that was intended and never recorded as signed is abandoned, with
an audit entry each, before anything else may be asked. It records as well which settings that certificates are made by
have changed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec
from cryptography import x509

from pki.edge import calls, clock, keys, store
from pki.edge.commit import GroupCommit
from pki.edge.home import read_settings
from pki.edge.ledger import audit as log
from pki.edge.ledger import certificates, stations
from pki.edge.ledger import firmware as images
from pki.edge.office import (
    anchors,
    answers,
    approvals,
    backups,
    ceremonies,
    changes,
    confirmations,
    credentials,
    crls,
    duties,
    enrolment,
    evidence,
    external,
    firmware,
    health,
    hierarchies,
    imports,
    issuing,
    records,
    rehearsal,
    reissue,
    revoking,
    rollover,
    root_requests,
    rotation,
    settings,
    tokens,
)
from pki.edge.office import certificates as issued
from pki.edge.office import stations as registered
from pki.edge.office.desk import Desk, OwnCertificate
from pki.edge.office.news import Watcher
from pki.edge.passphrase import pin_is_open
from pki.edge.policies import check_certificate_policies
from pki.edge.vault import Vault
from pki.errors import InputError
from pki.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlite_utils import Database

    from pki.edge.commit import Tx
    from pki.edge.home import Home
    from pki.settings import Settings

    Act = Callable[[Desk, calls.Call, str], Awaitable[calls.Row]]

SELF: Final = "authority"  # who acts, in the audit log, when the authority tidies up by itself

C = TypeVar("C", bound=calls.Call)
R = TypeVar("R", bound=calls.Row)


class Office:
    """The authority at work in one home. The caller holds the home's lock for as long as it is open."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @classmethod
    async def open(cls, home: Home) -> Office:
        """Open the ledger, abandon what a crash left, and sign a checkpoint.

        A wrong passphrase is refused at once, and so is a certificate profile of the home's own that is wrong.
        """
        read, keyring = cls.rehearse(home)
        desk = Desk(home, read, GroupCommit(home.ledger), keyring, Vault(home.vault))
        try:
            desk.ledger.glance(_refuse_blank)
            desk.own.update({own.name: own for own in await desk.ledger.read(_own)})
            await desk.ledger.write(partial(_sweep, desk))
            await desk.ledger.write(desk.checkpoint)
        except BaseException:
            await desk.ledger.close()
            raise
        return cls(desk)

    @staticmethod
    def rehearse(home: Home) -> tuple[Settings, keys.Keyring]:
        """Read what an office opens with and does not write; raises what ``open`` does for it."""
        read = parse_settings(read_settings(home))
        check_certificate_policies(home.policies)
        keyring = keys.open_keyring(home.keys, keys.read_passphrase(home.keys), read)
        keyring.key("audit")
        return read, keyring

    async def handle(self, call: calls.Call, who: str) -> calls.Row:
        """Do what is asked; ``who`` stands in the audit log. Every refusal is raised as one of ``pki.errors``."""
        if isinstance(call, calls.Rehearse):
            return await rehearsal.rehearse(self._desk, _ACTS[type(call.act)], call.act, who)
        act = _ACTS.get(type(call))
        if act is None:
            raise InputError("call.watch", "watching is not a question with one answer", "Watch over a connection.")
        return await act(self._desk, call, who)

    async def watch(self) -> Watcher:
        """Begin to watch: a snapshot first, then every change after it, with none missing and none twice."""
        watcher = Watcher()
        await self._desk.ledger.write(partial(_join, self._desk, watcher))
        return watcher

    async def tend(self) -> None:
        """Do what is due without being asked."""
        await duties.tend(self._desk)

    def warnings(self) -> tuple[str, ...]:
        """Say what weakens this home, or will fail when it is needed, to whoever starts the authority."""
        said = []
        if self._desk.settings.unsafe_experimental_ml_dsa:
            said.append("unsafe_experimental_ml_dsa is on: no station can verify an authority with an ML-DSA key")
        if self._desk.settings.hsm is not None and pin_is_open():
            said.append("others may read the file named by BOLLARD_HSM_PIN_FILE: chmod 600 it")
        if trouble := self._desk.keys.trouble_with_token():
            said.append(f"nothing can be signed with the hardware token: {trouble}. {trouble.advice}")
        return tuple(said)

    def leave(self, watcher: Watcher) -> None:
        """End a watch."""
        self._desk.board.leave(watcher)

    async def close(self) -> None:
        """Sign a checkpoint and close the ledger."""
        self._desk.board.close()
        try:
            await self._desk.ledger.write(self._desk.checkpoint)
        finally:
            self._desk.keys.close()
            await self._desk.ledger.close()


def _on(call: type[C], act: Callable[[Desk, C, str], Awaitable[R]]) -> tuple[type[calls.Call], Act]:
    """Pair a question with the act that answers it: the pair is right here, so the type may be forgotten after."""
    return call, cast("Act", act)


_ACTS: Final[dict[type[calls.Call], Act]] = dict(
    (
        _on(calls.AddStation, registered.add),
        _on(calls.AddStations, registered.add_many),
        _on(calls.ListStations, registered.listed),
        _on(calls.SetStationStatus, registered.set_status),
        _on(calls.SetStationPassword, registered.set_password),
        _on(calls.SetStationProtocol, registered.set_protocol),
        _on(calls.ReportBoot, registered.report_boot),
        _on(calls.ChangeStation, changes.change),
        _on(calls.RemoveStation, changes.remove),
        _on(calls.ReportProfile, changes.report_profile),
        _on(calls.SettlePassword, changes.settle_password),
        _on(calls.ForgetStationTls, registered.forget_tls),
        _on(calls.IssueCertificate, external.issue),
        _on(calls.ReissueCertificate, reissue.reissue),
        _on(calls.ListCertificates, issued.listed),
        _on(calls.RevokeCertificate, revoking.revoke),
        _on(calls.ReleaseCertificate, revoking.release),
        _on(calls.FetchCertificate, issued.fetch),
        _on(calls.CreateIssuer, hierarchies.create),
        _on(calls.ImportIssuer, imports.take_in),
        _on(calls.ListAnchors, anchors.listed),
        _on(calls.AddAnchor, anchors.add),
        _on(calls.RemoveAnchor, anchors.remove),
        _on(calls.ListIssuers, anchors.issuers),
        _on(calls.FetchCredentials, credentials.fetch),
        _on(calls.ImportFirmware, firmware.take),
        _on(calls.ListReleases, firmware.listed),
        _on(calls.GrantDownload, firmware.grant),
        _on(calls.RedeemDownload, firmware.redeem),
        _on(calls.RecordDownload, firmware.record_download),
        _on(calls.ListCrls, crls.listed),
        _on(calls.SignCrls, crls.sign),
        _on(calls.FetchCrl, crls.fetch),
        _on(calls.AnswerOcsp, answers.answer),
        _on(calls.ListSigners, answers.listed),
        _on(calls.ShowRotation, rotation.shown),
        _on(calls.Rotate, rotation.rotate),
        _on(calls.ShowRollover, rollover.shown),
        _on(calls.RollOver, rollover.roll_over),
        _on(calls.ActivateIssuer, rollover.activate),
        _on(calls.RetireIssuer, rollover.retire),
        _on(calls.ConfirmTrust, confirmations.confirm),
        _on(calls.MintToken, tokens.mint),
        _on(calls.RevokeToken, tokens.revoke),
        _on(calls.Enroll, enrolment.enroll),
        _on(calls.RenewExpired, enrolment.renew_expired),
        _on(calls.ListCaCertificates, enrolment.ca_certificates),
        _on(calls.ListWaiting, approvals.listed),
        _on(calls.DecideRequest, approvals.answer),
        _on(calls.ListAudit, records.listed),
        _on(calls.VerifyAudit, records.verify),
        _on(calls.MakeCheckpoint, records.checkpoint),
        _on(calls.DescribeAudit, evidence.describe),
        _on(calls.ListCheckpoints, evidence.checkpoints),
        _on(calls.ProveEntry, evidence.prove_entry),
        _on(calls.ProveGrowth, evidence.prove_growth),
        _on(calls.CopyLedger, backups.copy),
        _on(calls.Examine, health.examine),
        _on(calls.Measure, health.measure),
        _on(calls.AskRoot, root_requests.ask),
        _on(calls.ImportCeremony, ceremonies.take),
    )
)


def _refuse_blank(database: Database) -> None:
    """A home's log begins with its founding; one without any entry is not the ledger this home had."""
    if log.edge(database).size == 0:
        raise store.missing("its audit log has no entry")


def _own(database: Database) -> list[OwnCertificate]:
    try:
        return [
            OwnCertificate(held.holding, x509.load_der_x509_certificate(held.der), held.status)
            for held in certificates.held(database)
        ]
    except (ValueError, msgspec.MsgspecError):
        raise store.damaged("one of our own certificates in it cannot be read") from None


def _sweep(desk: Desk, tx: Tx) -> None:
    for lost in certificates.intended(tx.database):
        issuing.abandon(desk, lost, SELF, tx)
    crls.sweep(desk, tx)
    answers.sweep(tx)
    settings.watch(desk, SELF, tx)


def _join(desk: Desk, watcher: Watcher, tx: Tx) -> None:
    snapshot = calls.Snapshot(
        organisation=desk.settings.organisation.text,
        csms_host=desk.settings.csms_host.text,
        issuers=anchors.our_issuers(desk),
        anchors=anchors.every(tx.database),
        stations=tuple(stations.every(tx.database, live_after=clock.stamp(clock.now()))),
        releases=tuple(images.every(tx.database)),
        own_keys=anchors.own_keys(desk),
    )
    tx.after += [desk.tell_noted, partial(desk.board.join, watcher, snapshot)]  # what the snapshot shows is not news
