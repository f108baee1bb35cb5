"""Taking firmware images in after they were verified, and granting stations their downloads.

An image is verified in quarantine, kept in the vault, and only then recorded; so the vault has what the catalogue
names. A download's token is random, told once inside its URL, and found again by its SHA-256.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from pki.certificate import read_certificates, to_pem
from pki.edge import calls, clock
from pki.edge.ledger import anchors as anchor_rows
from pki.edge.ledger import firmware, stations
from pki.edge.office.desk import sha256
from pki.edge.policies import read_policy
from pki.edge.vault import take_in
from pki.errors import ConflictError, InputError, NotFoundError, RefusedError
from pki.firmware import release as releases
from pki.firmware.policy import parse_policy
from pki.firmware.signer import Anchors
from pki.station import StationStatus

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk
    from pki.firmware.release import Release, ReleaseClaim

TOKEN_BYTES: Final = 16  # random bytes of a download token: 128 bits cannot be guessed
TOKEN_LENGTH: Final = 64  # characters that a token offered to us may have; ours have 22
GRANT_HOURS: Final = 24  # hours a download stays open after the update is due
GRANT_DAYS_MOST: Final = 31  # days from now at most, however late the update is due
NAME_LENGTH: Final = 16  # digits of the digest in a download's file name: for people who read a station's log
MESSAGE_ID_LENGTH: Final = 36  # characters; OCPP-J message ids


async def take(desk: Desk, call: calls.ImportFirmware, who: str) -> calls.FirmwareImported:
    """Verify the quarantined image and take it into the catalogue; a refusal leaves an audit entry too."""
    claim = releases.ReleaseClaim.parse(call.vendor, call.model, call.version)
    path = _quarantined(desk, call.name)
    trusted = _trusted(desk, await desk.ledger.read(anchor_rows.every))
    try:
        release = await asyncio.to_thread(_verify, desk, path, claim, call, trusted)
    except RefusedError as refused:
        await desk.ledger.write(partial(_refuse, desk, claim, refused, who))
        raise
    return await desk.ledger.write(partial(_take, desk, release, who))


def _verify(desk: Desk, path: Path, claim: ReleaseClaim, call: calls.ImportFirmware, trusted: Anchors) -> Release:
    policy = parse_policy(call.policy, read_policy("firmware", call.policy))
    digests = take_in(path)
    release = releases.examine(claim, digests, call.signature.strip(), call.certificate, trusted, policy, clock.now())
    desk.vault.keep(path, release.digest)
    return release


def _take(desk: Desk, release: Release, who: str, tx: Tx) -> calls.FirmwareImported:
    row = calls.ReleaseRow(
        digest=release.digest,
        size=release.size,
        vendor=release.claim.vendor,
        model=release.claim.model,
        version=release.claim.version,
        algorithm=release.algorithm.value,
        signature=release.signature,
        certificate=to_pem([release.certificate]),
        imported=clock.now(),
    )
    firmware.add(tx.database, row)
    what: dict[str, Json] = {
        "digest": row.digest,
        "size": row.size,
        "algorithm": row.algorithm,
        "signature_sha256": sha256(row.signature),
        "certificate_sha256": sha256(row.certificate),
        "imported": clock.stamp(row.imported),
        **_named(release.claim),
    }
    index = desk.record(tx, "firmware.imported", who, what)
    tx.after.append(partial(desk.board.publish, calls.ReleaseAdded(row)))
    noticed = tuple((finding.code, finding.clause, finding.says) for finding in release.findings)
    return calls.FirmwareImported(row, noticed, index)


async def listed(desk: Desk, call: calls.ListReleases, who: str) -> calls.Releases:  # noqa: ARG001 - one shape for all
    """List the catalogue."""
    return calls.Releases(tuple(await desk.ledger.read(firmware.every)))


async def grant(desk: Desk, call: calls.GrantDownload, who: str) -> calls.DownloadGranted:
    """Mint a URL for one station and one image; an older one of the station's ends."""
    if not 1 <= len(call.message_id) <= MESSAGE_ID_LENGTH or not call.message_id.isprintable():
        raise InputError("download.message_id", "the message id is no OCPP message id", "Give the CSMS call's own id.")
    return await desk.ledger.write(partial(_grant, desk, call, secrets.token_urlsafe(TOKEN_BYTES), who))


def _grant(desk: Desk, call: calls.GrantDownload, token: str, who: str, tx: Tx) -> calls.DownloadGranted:
    if stations.plain(tx.database, call.station).status != StationStatus.ACTIVE:
        raise ConflictError("station.disabled", f"the station {call.station} is disabled", "Enable it first.")
    size, expires = firmware.size_of(tx.database, call.digest), _expires(call.until)
    what = {"station": call.station, "digest": call.digest, "message_id": call.message_id}
    proof: dict[str, Json] = {"size": size, "expires": clock.stamp(expires), "token_sha256": _hash(token).hex()}
    index = desk.record(tx, "download.granted", who, {**what, **proof})
    download = firmware.Download(_hash(token), call.station, call.digest, size, call.message_id, expires, index)
    firmware.grant(tx.database, download)
    url = f"{desk.settings.public_url}/f/{token}/{call.digest[:NAME_LENGTH]}.bin"
    return calls.DownloadGranted(url, expires, index)


async def redeem(desk: Desk, call: calls.RedeemDownload, who: str) -> calls.DownloadAllowed:  # noqa: ARG001 - one shape
    """Turn a token into the image it is for."""
    look = partial(firmware.granted, token_hash=_hash(call.token), now=clock.now(), to_fetch=True)
    found = await desk.ledger.read(look)
    return calls.DownloadAllowed(found.station, found.digest, found.size)


async def record_download(desk: Desk, call: calls.RecordDownload, who: str) -> calls.Done:
    """Keep what was served. The log gets the first bytes and the completion; what is between only counts."""
    return await desk.ledger.write(partial(_record_download, desk, call, who))


def _record_download(desk: Desk, call: calls.RecordDownload, who: str, tx: Tx) -> calls.Done:
    found = firmware.granted(tx.database, _hash(call.token), clock.now())
    if not 0 <= call.first <= call.last < found.size:
        raise InputError("download.range", f"bytes {call.first} to {call.last} of {found.size}", "Report real bytes.")
    index = found.audit_index
    what: dict[str, Json] = {"station": found.station, "digest": found.digest, "first": call.first, "last": call.last}
    if not found.served:
        index = desk.record(tx, "download.started", who, what)
    if call.complete and not found.complete:
        index = desk.record(tx, "download.completed", who, what)
    served = found.served + call.last - call.first + 1
    kept = msgspec.structs.replace(found, served=served, complete=found.complete or call.complete, audit_index=index)
    firmware.serve(tx.database, kept)
    return calls.Done(index)


def _refuse(desk: Desk, claim: ReleaseClaim, refused: RefusedError, who: str, tx: Tx) -> None:
    codes = sorted({finding.code for finding in refused.findings})
    desk.record(tx, "firmware.refused", who, {**_named(claim), "code": refused.code, "findings": codes})


def _quarantined(desk: Desk, name: str) -> Path:
    """Only a plain name inside the quarantine folder is meant; the vault refuses links and devices."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise InputError(
            "firmware.name", f"{name[:64]!r} is no file name", "Give the name inside the quarantine folder."
        )
    path = desk.home.quarantine / name
    if not path.is_file():
        raise NotFoundError(
            "firmware.missing", f"no file {name[:64]!r} lies in quarantine", "Copy the image there first."
        )
    return path


def _trusted(desk: Desk, rows: list[calls.AnchorRow]) -> Anchors:
    vendors: dict[str, tuple[x509.Certificate, ...]] = {}
    others = tuple(own.certificate for own in desk.own.values())
    for row in rows:
        found = tuple(read_certificates(row.pem))
        if row.purpose == "firmware":
            vendors[row.vendor] = vendors.get(row.vendor, ()) + found
        else:
            others += found
    return Anchors(vendors, others)


def _expires(until: dt.datetime | None) -> dt.datetime:
    now = clock.now()
    due = now if until is None or until.tzinfo is None else max(now, until)
    latest = now + dt.timedelta(days=GRANT_DAYS_MOST)
    return min(min(due, latest) + dt.timedelta(hours=GRANT_HOURS), latest)


def _hash(token: str) -> bytes:
    """Hash a token. It is looked up by this hash, so how long that takes tells nothing about the token."""
    return hashlib.sha256(token[:TOKEN_LENGTH].encode()).digest()


def _named(claim: ReleaseClaim) -> dict[str, str]:
    return {"vendor": claim.vendor, "model": claim.model, "version": claim.version}
