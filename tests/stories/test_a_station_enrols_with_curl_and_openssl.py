"""A station that has nothing but curl and openssl gets its certificate, renews it, and is refused where it should be.

The authority and the web process are the real ones; not a line of our own client code is used.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from tests.certs import Party, key_pem
from tests.pki.edge.office.enrolments import MAKER, home_with
from tests.secproxy.edge.test_web import running_web
from tests.worlds import HOST, ORGANISATION, make_home, running_authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.home import Home

SUBJECT = f"/O={ORGANISATION}/CN=SN-001"
TYPE = ("-H", "Content-Type: application/pkcs10")


@dataclass
class Station:
    """A folder with a station's files, and the shell it has."""

    folder: Path
    home: Home
    port: int

    def run(self, command: str) -> str:
        """Run a shell line in the folder."""
        words = ["sh", "-euc", command]
        return subprocess.run(words, cwd=self.folder, check=True, capture_output=True, timeout=30).stdout.decode()

    def curl(self, operation: str, *options: str) -> tuple[int, str]:
        """Ask with curl; the body lies in ``answer``. Return the status and Retry-After."""
        url = f"https://{HOST}:{self.port}/.well-known/est/{operation}"
        told = ("-w", "%{http_code} %header{retry-after}")
        to = ("--cacert", "root.pem", "--resolve", f"{HOST}:{self.port}:127.0.0.1", "-o", "answer")
        words = ["curl", "-s", *to, *told, *options, url]
        said = subprocess.run(words, cwd=self.folder, check=True, capture_output=True, timeout=30).stdout.decode()
        status, _, retry = said.partition(" ")
        return int(status), retry

    def make_request(self, name: str, encoding: str = "openssl base64 -e", subject: str = SUBJECT) -> None:
        """A new key and a request for it."""
        self.run(f"openssl ecparam -name prime256v1 -genkey -noout -out {name}.key")
        self.run(f"openssl req -new -key {name}.key -subj '{subject}' -outform der | {encoding} > {name}.b64")

    def take_answer(self, name: str) -> str:
        """Unpack the answer into a certificate; its serial."""
        self.run(f"openssl base64 -d -in answer | openssl pkcs7 -inform der -print_certs -out {name}.pem")
        return self.run(f"openssl x509 -in {name}.pem -noout -serial").strip().partition("=")[2].lower()

    def ask(self, call: calls.Call) -> None:
        """Let the operator do something."""
        ask_once(self.home, call, calls.Row)

    def token(self) -> str:
        """Let the operator make a token."""
        return ask_once(self.home, calls.MintToken("CP-001"), calls.TokenMinted).token


@contextlib.contextmanager
def on_site(home: Home, folder: Path) -> Iterator[Station]:
    """A registered station, and everything that runs."""
    ask_once(home, calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
    folder.mkdir()
    (folder / "root.pem").write_text((home.ca / "root.pem").read_text())
    with running_authority(home), running_web(home) as web:
        yield Station(folder, home, web.port)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """A station on site."""
    with on_site(make_home(tmp_path), tmp_path / "station") as there:
        yield there


def test_a_token_becomes_a_certificate_and_the_certificate_the_next_one(station: Station) -> None:
    """cacerts, csrattrs, simpleenroll by token, simplereenroll by certificate; each chain verifies with openssl."""
    assert station.curl("cacerts")[0] == 200
    station.run("openssl base64 -d -in answer | openssl pkcs7 -inform der -print_certs -out ca.pem")
    assert station.run("grep -c BEGIN ca.pem").strip() == "2"
    assert station.curl("csrattrs")[0] == 200

    station.make_request("first")
    login = ("-u", f"CP-001:{station.token()}")
    assert station.curl("simpleenroll", *login, *TYPE, "--data-binary", "@first.b64")[0] == 200
    first = station.take_answer("first")
    assert "OK" in station.run("openssl verify -CAfile root.pem -untrusted ca.pem first.pem")
    assert station.curl("simpleenroll", *login, *TYPE, "--data-binary", "@first.b64")[0] == 401

    station.make_request("second", "base64 -w0")
    shown = ("--cert", "first.pem", "--key", "first.key")
    assert station.curl("simplereenroll", *shown, *TYPE, "--data-binary", "@second.b64")[0] == 200
    assert "OK" in station.run("openssl verify -CAfile root.pem -untrusted ca.pem first.pem")
    second = station.take_answer("second")

    listed = ask_once(station.home, calls.ListCertificates("CP-001"), calls.Certificates).certificates
    assert {row.serial for row in listed} == {first, second}


def test_the_makers_certificate_is_enough_where_its_maker_is_trusted(station: Station) -> None:
    """403 before that; a certificate that ended is let through TLS and then refused, with the reason."""
    made = MAKER.issue("SN-001", "Maker")
    (station.folder / "made.pem").write_text(made.pem)
    (station.folder / "made.key").write_text(key_pem(made.key))
    station.make_request("first")
    asked = ("--cert", "made.pem", "--key", "made.key", *TYPE, "--data-binary", "@first.b64")

    assert station.curl("simpleenroll", *asked)[0] == 403
    assert "est.certificate" in (station.folder / "answer").read_text()
    station.ask(calls.AddAnchor(MAKER.pem, "station"))
    assert station.curl("simpleenroll", *asked)[0] == 200
    station.take_answer("first")


def test_a_stranger_with_any_certificate_still_downloads_and_still_gets_nothing(station: Station) -> None:
    """What a client shows in TLS neither opens nor closes anything by itself."""
    stranger = Party.root("Nobody").issue("SN-001")
    (station.folder / "s.pem").write_text(stranger.pem)
    (station.folder / "s.key").write_text(key_pem(stranger.key))
    shown = ("--cert", "s.pem", "--key", "s.key")
    station.make_request("first")

    assert station.curl("simplereenroll", *shown, *TYPE, "--data-binary", "@first.b64")[0] == 403
    assert station.curl("cacerts", *shown)[0] == 200


def test_a_person_says_yes_and_the_same_request_has_its_answer(tmp_path: Path) -> None:
    """202 with Retry-After until then (RFC 7030 4.2.3)."""
    home = home_with(tmp_path, '\n[issuing]\napproval = ["est"]\n')
    with on_site(home, tmp_path / "station") as station:
        station.make_request("first")
        asked = ("-u", f"CP-001:{station.token()}", *TYPE, "--data-binary", "@first.b64")
        for _ in range(2):
            assert station.curl("simpleenroll", *asked) == (202, "60")
        station.ask(calls.DecideRequest(1, True))
        assert station.curl("simpleenroll", *asked)[0] == 200
        station.take_answer("first")


def test_what_is_no_request_is_refused_early_and_in_words(station: Station) -> None:
    """64 MiB, announced or in pieces; another station's name; nonsense; an operation that there is not."""
    token = station.token()
    login = ("-u", f"CP-001:{token}", *TYPE)
    station.run("head -c 67108864 /dev/zero > big")
    station.make_request("other", subject=f"/O={ORGANISATION}/CN=SN-002")

    assert station.curl("simpleenroll", *login, "--data-binary", "@big")[0] == 413
    assert station.curl("simpleenroll", *login, "-H", "Expect:", "--data-binary", "@big")[0] == 413
    assert station.curl("simpleenroll", *login, "-H", "Transfer-Encoding: chunked", "--data-binary", "@big")[0] == 413
    assert station.curl("simpleenroll", *login, "--data-binary", "@other.b64")[0] == 400
    assert "A00.FR.511" in (station.folder / "answer").read_text()
    assert station.curl("simpleenroll", *login, "--data-binary", "nonsense")[0] == 400
    assert station.curl("serverkeygen", *login, "--data-binary", "x")[0] == 501
    assert station.curl("simpleenroll", "-u", "CP-001:guess", *TYPE, "--data-binary", "@other.b64")[0] == 401
    station.make_request("first")
    assert station.curl("simpleenroll", *login, "--data-binary", "@first.b64")[0] == 200


def test_while_the_authority_is_away_stations_are_told_to_come_back(tmp_path: Path) -> None:
    """503 with Retry-After; then the same token still works, for nothing was done with it."""
    home, folder = make_home(tmp_path), tmp_path / "station"
    with contextlib.ExitStack() as stack:
        with on_site(home, folder) as first:
            first.make_request("first")
            asked = ("-u", f"CP-001:{first.token()}", *TYPE, "--data-binary", "@first.b64")
        with running_authority(home):
            station = Station(folder, home, stack.enter_context(running_web(home)).port)
        assert station.curl("simpleenroll", *asked) == (503, "5")
        with running_authority(home):
            status = 503
            while status == 503:
                status = station.curl("simpleenroll", *asked)[0]
            assert status == 200


def test_each_refusal_is_a_security_event(station: Station) -> None:
    """With our code and the name that was claimed, and without what was tried."""
    station.make_request("first")
    station.curl("simpleenroll", "-u", "CP-001:guess-secret", *TYPE, "--data-binary", "@first.b64")
    station.curl("simpleenroll", "-u", "CP-001:guess-secret", *TYPE, "--data-binary", "@first.b64")
    command = ["bollard", "--home", str(station.home.path), "-o", "jsonl", "event", "list"]
    said = subprocess.run([sys.executable, "-m", *command], capture_output=True, check=True, text=True).stdout
    assert said.count('"est.refused"') == 2
    assert "est.credentials" in said
    assert "guess-secret" not in said
