"""The status of certificates over HTTP, by the real processes: what was revoked is heard of at the next question."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library

from pki.edge import calls
from secproxy.assertion import Signer
from tests.secproxy.edge.test_web import ended, running_web
from tests.worlds import Paper, connected, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.secproxy.edge.test_web import Web

PAPER = Paper.of(1)


def ask(web: Web, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask over plain HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", web.status_port, timeout=20)
    connection.request(method, path, body)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def tell(home: Home, *questions: calls.Call) -> list[calls.Row]:
    """Ask the authority."""

    async def story() -> list[calls.Row]:
        async with connected(home) as authority:
            return [await authority.ask(call, type(call).Answer) for call in questions]

    return asyncio.run(story())


def test_what_is_kept_in_memory_ends_with_the_news(tmp_path: Path) -> None:
    """Good from memory; on hold, good and revoked as soon as the news are there, lists too."""
    home = make_home(tmp_path, status=True)
    with running_authority(home), running_web(home) as web:
        _, issued = tell(home, PAPER.add, PAPER.issue)
        assert isinstance(issued, calls.CertificateIssued)
        leaf, issuer = x509.load_pem_x509_certificates(issued.chain.encode())
        builder = library.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256())
        request = builder.build().public_bytes(Encoding.DER)

        def status() -> str:
            return library.load_der_ocsp_response(ask(web, "POST", "/ocsp", request)[1]).certificate_status.name

        assert [status(), status()] == ["GOOD", "GOOD"]
        for call, expected in (
            (calls.RevokeCertificate(issued.certificate.serial, "hold"), "REVOKED"),
            (calls.ReleaseCertificate(issued.certificate.serial), "GOOD"),
            (calls.RevokeCertificate(issued.certificate.serial), "REVOKED"),
        ):
            tell(home, call)
            while status() != expected:  # the news come over a line of their own
                pass
        shard = leaf.serial_number % 32
        before = x509.load_der_x509_crl(ask(web, "GET", f"/crl/station/{shard}.crl")[1])
        tell(home, calls.SignCrls("station", now=True))
        while (after := x509.load_der_x509_crl(ask(web, "GET", f"/crl/station/{shard}.crl")[1])) == before:
            pass
        assert after.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
        assert ask(web, "GET", "/ca/station.crt") == (200, issuer.public_bytes(Encoding.DER))


def test_the_key_that_workers_sign_with_is_published_in_clear_and_over_https(tmp_path: Path) -> None:
    """A CSMS that believes our root finds it without trusting the network."""
    home = make_home(tmp_path, status=True)
    with running_authority(home), running_web(home) as web:
        [credentials] = tell(home, calls.FetchCredentials())
        assert isinstance(credentials, calls.Credentials)
        signer = Signer.read(credentials.assertion_key)
        status, body = ask(web, "GET", "/jwks.json")
        assert status == 200
        assert [key["kid"] for key in json.loads(body)["keys"]] == [signer.name]
        assert web.ask("/jwks.json") == (200, body)


def test_what_is_kept_is_served_while_the_authority_is_away(tmp_path: Path) -> None:
    """And what is not is told to come later; never a trace of ours."""
    home = make_home(tmp_path, status=True)
    with running_authority(home) as authority, running_web(home) as web:
        assert ask(web, "GET", "/crl/csms/0.crl")[0] == 200
        authority.terminate()
        authority.wait()
        assert ask(web, "GET", "/crl/csms/0.crl")[0] == 200
        assert ask(web, "GET", "/crl/station/0.crl")[0] == 503
        later = library.load_der_ocsp_response(ask(web, "POST", "/ocsp", b"\x30\x00")[1])
        assert later.response_status is library.OCSPResponseStatus.TRY_LATER
        web.process.terminate()
        assert ended(web.process) == ""


def test_a_huge_body_is_refused_before_it_came(tmp_path: Path) -> None:
    """64 MiB are announced, 413 is the answer, and nobody waits for the rest."""
    home = make_home(tmp_path, status=True)
    with running_authority(home), running_web(home) as web:
        connection = http.client.HTTPConnection("127.0.0.1", web.status_port, timeout=20)
        connection.putrequest("POST", "/ocsp")
        connection.putheader("Content-Length", str(64 * 1024 * 1024))
        connection.endheaders(b"x" * 1000)
        response = connection.getresponse()
        assert (response.status, response.getheader("connection")) == (413, "close")
        connection.close()
