"""A station gets a successor for the key it has, and only where that is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.certificate import read_certificates
from pki.edge import calls
from pki.edge.keys import KeyKind
from pki.edge.office.authorities import Wanted, certify
from pki.errors import ConflictError, NotFoundError
from pki.holding import Holding
from tests.worlds import WHO, Paper, at_the_desk, make_home, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

PAPER = Paper.of(1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


async def issued(desk: Desk) -> str:
    """The serial of a station's first certificate."""
    await desk.ask(PAPER.add, calls.StationAdded)
    return (await desk.ask(PAPER.issue, calls.CertificateIssued)).certificate.serial


def test_the_successor_has_the_same_key_and_comes_from_the_authority_in_use(home: Home) -> None:
    """After the station authority was replaced, nothing is asked of the station."""

    async def story(desk: Desk) -> calls.CertificateIssued:
        serial = await issued(desk)
        mine = desk.office._desk
        mine.keys.make("station-2", KeyKind.EC_P256)
        await certify(mine, Wanted(Holding("station-2", "station", "station"), "issuing", "root", "Second CA"), WHO)
        return await desk.ask(calls.ReissueCertificate(serial), calls.CertificateIssued)

    answer = at_the_desk(home, story)
    leaf, above = read_certificates(answer.chain)
    assert leaf.public_key() == station_key(1).public_key()
    assert (answer.certificate.issuer, answer.certificate.station) == ("CN=Second CA,O=Example Charging", "CP-001")
    leaf.verify_directly_issued_by(above)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (calls.RevokeCertificate, "and revoked; a valid one"),
        (lambda serial: calls.RevokeCertificate(serial, "key_compromise"), "and revoked; a valid one"),
    ],
)
def test_a_revoked_certificate_gets_no_successor(home: Home, act: type[calls.RevokeCertificate], says: str) -> None:
    """Whatever it was revoked for."""

    async def story(desk: Desk) -> None:
        serial = await issued(desk)
        await desk.ask(act(serial), calls.Done)
        await desk.ask(calls.ReissueCertificate(serial), calls.CertificateIssued)

    with pytest.raises(ConflictError, match=rf"certificate\.reissue.*{says}"):
        at_the_desk(home, story)


def test_a_key_that_was_given_up_gets_no_other_certificate(home: Home) -> None:
    """Not by way of a second certificate for it that is still valid."""

    async def story(desk: Desk) -> None:
        first = await issued(desk)
        second = (await desk.ask(PAPER.issue, calls.CertificateIssued)).certificate.serial
        await desk.ask(calls.RevokeCertificate(first, "key_compromise"), calls.Done)
        await desk.ask(calls.ReissueCertificate(second), calls.CertificateIssued)

    with pytest.raises(ConflictError, match=r"certificate\.reissue.*compromised"):
        at_the_desk(home, story)


def test_a_disabled_station_gets_no_successor(home: Home) -> None:
    """As it gets no certificate by a request of its own."""

    async def story(desk: Desk) -> None:
        serial = await issued(desk)
        await desk.ask(calls.SetStationStatus(PAPER.identity, "disabled"), calls.Done)
        await desk.ask(calls.ReissueCertificate(serial), calls.CertificateIssued)

    with pytest.raises(ConflictError, match=r"station\.disabled"):
        at_the_desk(home, story)


def test_our_own_certificates_are_none_of_a_station(home: Home) -> None:
    """A server's certificate is renewed another way; an unknown serial is nobody's."""

    async def story(desk: Desk) -> None:
        server = desk.office._desk.active("server-rsa").certificate
        with pytest.raises(ConflictError, match=r"certificate\.reissue.*a csms certificate"):
            await desk.ask(calls.ReissueCertificate(f"{server.serial_number:x}"), calls.CertificateIssued)
        with pytest.raises(NotFoundError, match=r"certificate\.unknown"):
            await desk.ask(calls.ReissueCertificate("1a"), calls.CertificateIssued)

    at_the_desk(home, story)
