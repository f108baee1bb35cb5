"""What we say of our certificates is what others read: OpenSSL, and a linter that knows the RFCs by heart.

OpenSSL asks our running processes over HTTP and judges the answers; it takes our lists and judges certificates by
them; pkilint finds nothing against certificates, lists and answers.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.edge import calls
from tests.secproxy.edge.test_web import running_web
from tests.worlds import Paper, connected, make_home, running_authority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.edge.home import Home

STATES = {"good": "good", "held": "revoked", "revoked": "revoked"}


@dataclass(frozen=True)
class Place:
    """A home that serves status, with certificates in every state in a folder."""

    home: Home
    folder: Path
    port: int

    def openssl(self, *words: str) -> str:
        """Run OpenSSL there; what it says, on both ways out."""
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def status(self, name: str, *words: str) -> str:
        """What OpenSSL says of a certificate after it asked us and verified the answer."""
        url = f"http://127.0.0.1:{self.port}/ocsp"
        issuer = "csms.pem" if name == "server" else "station.pem"
        trust = ("-CAfile", "root.pem", "-verify_other", issuer)
        said = self.openssl("ocsp", *words, "-issuer", issuer, "-cert", f"{name}.pem", "-url", url, *trust)
        assert "Response verify OK" in said, said
        return said.split(f"{name}.pem: ")[1].splitlines()[0]

    def verify(self, name: str) -> str:
        """What OpenSSL says of a certificate and the lists."""
        lists = [word for file in self.folder.glob("*.crl.pem") for word in ("-CRLfile", file.name)]
        issuer = "csms.pem" if name == "server" else "station.pem"
        check = ("-crl_check_all", "-extended_crl", *lists)
        return self.openssl("verify", "-CAfile", "root.pem", "-untrusted", issuer, *check, f"{name}.pem")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One of each, and everything that runs."""
    folder = tmp_path_factory.mktemp("status")
    home = make_home(folder, status=True)
    with running_authority(home), running_web(home) as web:
        asyncio.run(_settle(home, folder))
        yield Place(home, folder, web.status_port)


async def _settle(home: Home, folder: Path) -> None:
    for name in ("root", "csms", "station"):
        (folder / f"{name}.pem").write_bytes((home.ca / f"{name}.pem").read_bytes())
    (folder / "server.pem").write_bytes((home.ca / "server-ecdsa.pem").read_bytes())
    async with connected(home) as authority:
        for number, name in enumerate(STATES):
            paper = Paper.of(number)
            await authority.ask(paper.add, calls.StationAdded)
            issued = await authority.ask(paper.issue, calls.CertificateIssued)
            leaf = x509.load_pem_x509_certificates(issued.chain.encode())[0]
            (folder / f"{name}.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
            if name != "good":
                reason = "hold" if name == "held" else "key_compromise"
                await authority.ask(calls.RevokeCertificate(issued.certificate.serial, reason), calls.Done)
        for row in (await authority.ask(calls.SignCrls(now=True), calls.Crls)).crls:
            der = (await authority.ask(calls.FetchCrl(row.issuer, row.shard), calls.Crl)).der
            (folder / f"{row.issuer}-{row.shard}.crl").write_bytes(der)
            pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
            (folder / f"{row.issuer}-{row.shard}.crl.pem").write_bytes(pem)


@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
@pytest.mark.parametrize("using", ["-sha1", "-sha256", "-sha384", "-sha512"])
@pytest.mark.parametrize(("name", "said"), [*STATES.items(), ("server", "good")])
def test_openssl_hears_the_status_over_http(place: Place, name: str, said: str, using: str, nonce: str) -> None:
    """With every hash that OCPP and today's clients use, of both issuing authorities."""
    assert place.status(name, using, nonce) == said


def test_openssl_hears_that_a_serial_is_unknown(place: Place) -> None:
    """Never good."""
    said = place.openssl(
        *("ocsp", "-issuer", "station.pem", "-serial", "0x1234", "-url", f"http://127.0.0.1:{place.port}/ocsp"),
        *("-CAfile", "root.pem", "-verify_other", "station.pem"),
    )

    assert "0x1234: unknown" in said


@pytest.mark.parametrize(("name", "said"), [*STATES.items(), ("server", "good")])
def test_openssl_judges_by_the_lists_as_we_do(place: Place, name: str, said: str) -> None:
    """The whole path is checked, each certificate by the shard that it names."""
    verdict = place.verify(name)

    assert (f"{name}.pem: OK" in verdict) is (said == "good"), verdict
    assert ("certificate revoked" in verdict) is (said == "revoked")


def _lint(program: str, *words: str) -> str:
    argv = [str(Path(sys.executable).parent / program), "lint", "-s", "ERROR", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.parametrize("name", ["root", "csms", "station", "server", "good"])
def test_pkilint_finds_nothing_against_certificates(place: Place, name: str) -> None:
    """Every kind that we issue."""
    assert _lint("lint_pkix_cert", str(place.folder / f"{name}.pem")) == ""


def test_pkilint_finds_nothing_against_lists(place: Place) -> None:
    """Empty ones, one with a hold, one with a reason."""
    leaves = [x509.load_pem_x509_certificate((place.folder / f"{name}.pem").read_bytes()) for name in STATES]
    files = {f"station-{leaf.serial_number % 32}.crl" for leaf in leaves}
    for file in [*files, "root-0.crl"]:
        assert _lint("lint_crl", "-t", "CRL", "-p", "PKIX", str(place.folder / file)) == ""


@pytest.mark.parametrize("name", STATES)
def test_pkilint_finds_nothing_against_answers(place: Place, name: str) -> None:
    """With and without a nonce."""
    for nonce in ("-nonce", "-no_nonce"):
        place.status(name, nonce, "-respout", f"{name}.ocsp")
        assert _lint("lint_ocsp_response", str(place.folder / f"{name}.ocsp")) == ""
