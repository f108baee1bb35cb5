"""A whole fleet gets new certificates in one run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cli.demo.papers import write_station_request
from tests.certs import request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard

STATIONS = ("CP-1", "CP-2", "CP-3")


@pytest.fixture
def fleet(bollard: Bollard, tmp_path: Path) -> Bollard:
    """Stations with a certificate each; the first has two."""
    for identity in STATIONS:
        bollard("station", "add", identity, "--serial", f"S-{identity}", "--profile", "3")
        write_station_request(tmp_path, identity, "Test Charging", f"S-{identity}")
        assert bollard("cert", "issue", "--station", identity, "--csr", str(tmp_path / f"{identity}.csr")).code == 0
    bollard("cert", "issue", "--station", "CP-1", "--csr", str(tmp_path / "CP-1.csr"), "--days", "30")
    return bollard


def chains(path: Path) -> dict[str, list[x509.Certificate]]:
    """The chains of a run, by station."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["station"]: x509.load_pem_x509_certificates(line["chain"].encode()) for line in lines}


def test_every_station_gets_one_successor(fleet: Bollard, tmp_path: Path) -> None:
    """One for each station, however many certificates it has; each chain stands on a line of its own."""
    told = fleet("-o", "json", "cert", "reissue", "--out", str(tmp_path / "new.jsonl"))

    assert (told.code, told.json()["reissued"]) == (0, 3)
    found = chains(tmp_path / "new.jsonl")
    assert sorted(found) == sorted(STATIONS)
    assert {chain[0].subject.rfc4514_string() for chain in found.values()} == {
        f"CN=S-{identity},O=Test Charging" for identity in STATIONS
    }


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--station", "CP-2"), 1),
        (("--expiring", "30d"), 0),
        (("--expiring", "400d"), 3),
        (("--not-by", "station"), 0),
        (("--not-by", "csms"), 3),
    ],
)
def test_a_run_can_be_narrowed(fleet: Bollard, tmp_path: Path, words: tuple[str, ...], count: int) -> None:
    """To a station, to what ends soon, to what another authority signed; a dry run says how many."""
    out = ("--out", str(tmp_path / "new.jsonl"))
    dry = fleet("-o", "json", "--dry-run", "cert", "reissue", *out, *words)
    assert dry.json()["certificates"] == count
    assert not (tmp_path / "new.jsonl").exists()
    assert fleet("-o", "json", "cert", "reissue", *out, *words).json()["reissued"] == count


def test_who_is_refused_is_named_and_the_others_are_done(fleet: Bollard, tmp_path: Path) -> None:
    """Exit code 8: partly done."""
    fleet("station", "set", "CP-2", "--status", "disabled")
    told = fleet("cert", "reissue", "--out", str(tmp_path / "new.jsonl"))

    assert told.code == 8
    assert "1 of 3 were refused" in told.err
    assert "error[station.disabled] the station CP-2 is disabled" in told.err
    assert sorted(chains(tmp_path / "new.jsonl")) == ["CP-1", "CP-3"]


def test_stations_with_one_key_are_named_and_the_others_are_done(
    fleet: Bollard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A00.FR.427, as for a request: none of those who share a key gets a successor for it. Such ones are older than the
    rule, so it is left out while this one is made."""
    fleet("station", "add", "CP-4", "--serial", "S-CP-4", "--profile", "3")
    key = serialization.load_pem_private_key((tmp_path / "CP-3.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    (tmp_path / "CP-4.csr").write_text(request(key, "S-CP-4", "Test Charging"))
    with monkeypatch.context() as before:
        for module in ("pki.request", "pki.edge.office.issuing"):
            before.setattr(f"{module}.examine_holder", lambda _: [])
        assert fleet("cert", "issue", "--station", "CP-4", "--csr", str(tmp_path / "CP-4.csr")).code == 0
    told = fleet("cert", "reissue", "--out", str(tmp_path / "new.jsonl"))

    assert told.code == 8
    assert "2 of 4 were refused" in told.err
    for other in ("CP-3", "CP-4"):
        assert f"its key is that of the station {other}; a key of its own is due (A00.FR.427)" in told.err
    assert sorted(chains(tmp_path / "new.jsonl")) == ["CP-1", "CP-2"]


def test_a_file_that_is_there_is_kept(fleet: Bollard, tmp_path: Path) -> None:
    """Nothing is issued, and the chains of an earlier run are not lost."""
    (tmp_path / "new.jsonl").write_text("mine")

    assert fleet("cert", "reissue", "--out", str(tmp_path / "new.jsonl")).code == 7
    assert (tmp_path / "new.jsonl").read_text() == "mine"
