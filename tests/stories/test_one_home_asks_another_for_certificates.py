"""One operator's home is the authority of others for another's: our EST client against our EST server, all real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.certificate import read_certificates
from pki.chain import Purpose, verify
from pki.edge import calls, clock
from pki.edge.asking import ask_once
from pki.edge.policies import read_policy
from pki.errors import ConflictError, RefusedError
from tests.certs import request
from tests.pki.edge.office.enrolments import home_with
from tests.secproxy.edge.test_web import running_web
from tests.worlds import ORGANISATION, at_the_desk, make_home, running_authority, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

CALL = calls.IssueCertificate("CP-001", request(station_key(), "SN-ELSEWHERE", ORGANISATION), profile="elsewhere")


def issuing_home(folder: Path, more: str = "") -> tuple[Home, str]:
    """The other home, which knows our station under another serial, and the token it gave us."""
    folder.mkdir()
    home = make_home(folder, "localhost")
    home.settings.write_text(home.settings.read_text() + more)
    ask_once(home, calls.AddStation("PARTNER-1", "SN-ELSEWHERE", 3), calls.StationAdded)
    return home, ask_once(home, calls.MintToken("PARTNER-1"), calls.TokenMinted).token


def asking_home(folder: Path, other: Home, port: int, token: str) -> Home:
    """Our home, which asks there for certificates of the profile ``elsewhere``."""
    secret = folder / "token"
    secret.touch(mode=0o600)
    secret.write_text(token)
    table = (
        '\n[[external_issuer]]\nname = "partner"\nkind = "est"\ncertificate_profile = "elsewhere"\n'
        f'url = "https://localhost:{port}/.well-known/est/station"\nanchor = "{other.ca / "root.pem"}"\n'
        f'user = "PARTNER-1"\npassword_file = "{secret}"\n'
    )
    home = home_with(folder, table)
    own = home.policies / "certificates"  # what is asked for there is judged here by a profile that is here
    own.mkdir(parents=True)
    (own / "elsewhere.toml").write_text(read_policy("certificates", "station"))
    ask_once(home, calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
    return home


def test_the_certificate_comes_from_there_and_stands_in_both_ledgers(tmp_path: Path) -> None:
    """Issued there, received here; the chain verifies up to their root and not to ours."""
    other, token = issuing_home(tmp_path / "other")
    with running_authority(other), running_web(other) as web:
        ours = asking_home(tmp_path, other, web.port, token)
        issued = ask_once(ours, CALL, calls.CertificateIssued)
        theirs = ask_once(other, calls.ListCertificates("PARTNER-1"), calls.Certificates).certificates

    assert [row.serial for row in theirs] == [issued.certificate.serial]
    leaf, *above = read_certificates(issued.chain)
    root = x509.load_pem_x509_certificate((other.ca / "root.pem").read_bytes())
    assert verify(leaf, [root], above, Purpose.STATION, clock.now()).anchor == root
    with pytest.raises(RefusedError):
        verify(leaf, read_certificates((ours.ca / "root.pem").read_text()), above, Purpose.STATION, clock.now())


def test_a_person_there_decides_and_our_duty_fetches_what_was_decided(tmp_path: Path) -> None:
    """202 there becomes pending here; nobody here has to remember it."""
    other, token = issuing_home(tmp_path / "other", '\n[issuing]\napproval = ["token"]\n')
    with running_authority(other), running_web(other) as web:
        ours = asking_home(tmp_path, other, web.port, token)
        with pytest.raises(ConflictError, match=r"external\.pending"):
            ask_once(ours, CALL, calls.CertificateIssued)
        ask_once(other, calls.DecideRequest(1, True), calls.Done)

        async def story(desk: Desk) -> calls.CertificateIssued:
            await desk.office._desk.ledger.write(lambda tx: tx.database.execute("UPDATE waiting SET due = asked"))
            await desk.office.tend()
            assert (await desk.ask(calls.ListWaiting(), calls.Waiting)).requests == ()
            return await desk.ask(CALL, calls.CertificateIssued)

        assert at_the_desk(ours, story).certificate.status == "valid"
