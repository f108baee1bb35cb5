"""An act that is rehearsed is judged like the real one, to the last transaction, and leaves nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.errors import BollardError, RefusedError
from tests.certs import Party, request
from tests.worlds import Manufacturer, Paper, at_the_desk, make_home, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

PAPER = Paper.of(1)
MAKER = Manufacturer.named()
ROOT = Party.root("Their Root", "Others")
THEIRS = ROOT.issue("Their CA", "Others", ca=True)
IMPORT = calls.ImportIssuer("theirs", "station", THEIRS.pem, ROOT.pem, THEIRS.key_pem)
IMAGE = b"an image"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


async def prepare(desk: Desk, home: Home) -> str:
    """A station with a certificate, another that is disabled, a manufacturer, an image, a CA in waiting."""
    for number in (1, 2):
        await desk.ask(Paper.of(number).add, calls.StationAdded)
    issued = await desk.ask(PAPER.issue, calls.CertificateIssued)
    await desk.ask(calls.SetStationStatus("CP-002", "disabled"), calls.Done)
    await desk.ask(MAKER.trust, calls.Done)
    await desk.ask(calls.CreateIssuer("waiting", "csms"), calls.IssuersCreated)
    MAKER.release(home, IMAGE)
    return issued.certificate.serial


def everything(home: Home) -> dict[str, bytes]:
    """Every file of the home but the ledger, which has its own proof."""
    files = (path for path in home.path.rglob("*") if path.is_file() and not path.name.startswith("ledger.db"))
    return {str(path): path.read_bytes() for path in files}


async def log_size(desk: Desk) -> int:
    """How many entries the log has."""
    return (await desk.ask(calls.VerifyAudit(), calls.AuditVerified)).size


@pytest.mark.parametrize(
    ("call", "act"),
    [
        (PAPER.issue, "certificate.intended"),
        (calls.ReissueCertificate("SERIAL"), "certificate.intended"),
        (calls.RevokeCertificate("SERIAL", "superseded"), "certificate.revoked"),
        (calls.RevokeCertificate("SERIAL", "hold"), "certificate.held"),
        (calls.CreateIssuer("x", "station"), "certificate.intended"),
        (calls.CreateIssuer("x", "v2g", edition="2"), "certificate.intended"),
        (IMPORT, "issuer.imported"),
        (calls.ActivateIssuer("waiting"), "issuer.activated"),
        (calls.RetireIssuer("waiting"), "issuer.retired"),
        (calls.RollOver("station"), "certificate.intended"),
        (calls.AddStation("CP-009", "SN-009", 2), "station.added"),
        (calls.AddStations((calls.StationSeed("CP-009", "SN-009", 2),)), "stations.added"),
        (calls.SetStationStatus("CP-001", "disabled"), "station.status_set"),
        (calls.SetStationProtocol("CP-001", "ocpp1.6"), "station.protocol_set"),
        (calls.ChangeStation("CP-001", group="north"), "station.changed"),
        (calls.RemoveStation("CP-001", revoke=True), "certificate.revoked"),
        (calls.ForgetStationTls("CP-001"), "station.tls_forgotten"),
        (calls.MintToken("CP-001", 1), "token.minted"),
        (calls.AddAnchor(ROOT.pem, "station"), "anchor.added"),
        (
            calls.ImportFirmware("Wall-1.0.bin", "Volta", "Wall", "1.0", MAKER.sign(IMAGE), MAKER.signer.pem),
            "firmware.imported",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, calls.Call) else "",
)
def test_what_would_be_done_is_told_by_its_first_entry_and_not_done(
    home: Home, monkeypatch: pytest.MonkeyPatch, call: calls.Rehearsable, act: str
) -> None:
    """No entry, no row, no file, no news, no signature; and then the act itself succeeds."""

    async def story(desk: Desk) -> tuple[str, ...]:
        serial = await prepare(desk, home)
        real = call
        if isinstance(call, calls.RevokeCertificate):
            real = calls.RevokeCertificate(serial, call.reason)
        elif isinstance(call, calls.ReissueCertificate):
            real = calls.ReissueCertificate(serial)
        before, size, watcher = everything(home), await log_size(desk), await desk.office.watch()
        with monkeypatch.context() as patch:
            patch.setattr("pki.issue.sign", lambda *_: pytest.fail("a key of ours was used"))
            patch.setattr("pki.signature.sign", lambda *_: pytest.fail("a key of ours was used"))
            told = await desk.ask(calls.Rehearse(real), calls.Rehearsed)
        assert (everything(home), await log_size(desk)) == (before, size)
        await watcher.next()  # how everything stood before
        assert watcher._queue.empty()
        await desk.ask(real, calls.Row)
        assert await log_size(desk) > size
        return told.acts

    assert at_the_desk(home, story)[0] == act


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (calls.IssueCertificate("NOPE", PAPER.csr), "station.unknown"),
        (calls.IssueCertificate("CP-001", Paper.of(2).csr), "csr.refused"),
        (calls.IssueCertificate("CP-002", Paper.of(2).csr), "station.disabled"),
        (calls.IssueCertificate("CP-001", PAPER.csr, days=9999), "plan.refused"),
        (calls.RevokeCertificate("abcdef"), "certificate.unknown"),
        (calls.CreateIssuer("station", "station"), "issuer.exists"),
        (calls.CreateIssuer("x", "station", key="ml-dsa-44"), "key.experimental"),
        (calls.CreateIssuer("x", "csms", days=36500), "plan.refused"),
        (calls.ImportIssuer("theirs", "station", THEIRS.pem, "", THEIRS.key_pem), "issuer.chain"),
        (calls.ImportIssuer("theirs", "station", THEIRS.pem, ROOT.pem, ROOT.key_pem), "issuer.key_mismatch"),
        (calls.ActivateIssuer("station"), "issuer.state"),
        (calls.RetireIssuer("station"), "issuer.state"),
        (calls.AddStation("CP-001", "SN-009", 3), "station.exists"),
        (calls.SetStationStatus("CP-009", "disabled"), "station.unknown"),
        (calls.ImportFirmware("Wall-1.0.bin", "Volta", "Wall", "1.0", "AAAA", MAKER.signer.pem), "firmware.refused"),
        (calls.RemoveAnchor("ab" * 32, "station"), "anchor.unknown"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, calls.Call) else value,
)
def test_what_would_be_refused_is_refused_with_the_same_code(home: Home, call: calls.Rehearsable, code: str) -> None:
    """And leaves no trace of it either, not even the entry that tells of the refusal."""

    async def story(desk: Desk) -> tuple[str, str]:
        await prepare(desk, home)
        before, size = everything(home), await log_size(desk)
        with pytest.raises(BollardError) as rehearsed:
            await desk.ask(calls.Rehearse(call), calls.Rehearsed)
        assert (everything(home), await log_size(desk)) == (before, size)
        with pytest.raises(type(rehearsed.value)) as real:
            await desk.ask(call, calls.Row)
        return rehearsed.value.code, real.value.code

    assert at_the_desk(home, story) == (code, code)


def test_a_refusal_comes_with_its_findings(home: Home) -> None:
    """All of them, as the real one tells them."""

    async def story(desk: Desk) -> set[str]:
        await desk.ask(PAPER.add, calls.StationAdded)
        wrong = request(station_key(1), "SN-002", "Somebody")
        with pytest.raises(RefusedError) as refused:
            await desk.ask(calls.Rehearse(calls.IssueCertificate("CP-001", wrong)), calls.Rehearsed)
        return {each.code for each in refused.value.findings}

    assert at_the_desk(home, story) == {"csr.common_name", "csr.organisation"}


def test_a_rehearsal_beside_real_acts_disturbs_none(home: Home) -> None:
    """They may share one transaction: only the rehearsed one is undone."""

    async def story(desk: Desk) -> list[str]:
        adding = [calls.AddStation(f"CP-{number}", f"SN-{number}", 3) for number in range(8)]
        asked = [calls.Rehearse(each) if number % 2 else each for number, each in enumerate(adding)]
        await asyncio.gather(*(desk.ask(each, calls.Row) for each in asked))
        await log_size(desk)
        return [row.identity for row in (await desk.ask(calls.ListStations(), calls.Stations)).stations]

    assert at_the_desk(home, story) == ["CP-0", "CP-2", "CP-4", "CP-6"]
