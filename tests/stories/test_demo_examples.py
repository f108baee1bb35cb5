"""The example CSMS and the example station understand each other without anything between them."""

from __future__ import annotations

import os
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from bollard import ROOMS
from cli.demo.child import Child, Fact
from cli.demo.papers import make_ca, make_leaf, sign_image, subject
from tests.certs import Party

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ELSEWHERE = "https://updates.example/firmware.bin"
IMAGE = bytes(range(256)) * 500
UNSIGNED = {"location": ELSEWHERE, "retrieveDateTime": "2030-01-01T00:00:00Z"}


class Street:
    """A CSMS and stations on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "logs").mkdir()
        self.children: list[Child] = []
        self.csms = self.start("csms", "--port", "0")
        self.port = self.csms.wait_for("ready", lambda fact: "ready" in fact)["ready"]

    def start(self, program: str, *options: str) -> Child:
        """Run an example."""
        argv = [sys.executable, str(ROOMS / "examples" / f"{program}.py"), *options]
        child = Child(f"{program}-{len(self.children)}", argv, self.folder, dict(os.environ))
        self.children.append(child)
        return child

    def station(self, version: str, *options: str) -> Child:
        """Run a station and see it boot."""
        url = f"ws://127.0.0.1:{self.port}/ocpp"
        station = self.start("station", "--url", url, "--identity", "CP-1", "--version", version, *options)
        station.wait_for("booted", lambda fact: fact.get("booted") == "Accepted")
        return station

    def sends(self, action: str, payload: Fact) -> Fact:
        """Have the CSMS send a request to the station."""
        self.csms.say({"send": action, "to": "CP-1", "payload": payload})
        return self.csms.wait_for(f"an answer to {action}", lambda fact: fact.get("sent") == action)


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    """A street that is empty again after the test."""
    made = Street(tmp_path)
    yield made
    for child in reversed(made.children):
        child.end()


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_both_ends_print_the_same_messages(street: Street, version: str) -> None:
    """What one said the other heard, in order, odd blanks included; closing the input ends the station with 0."""
    station = street.station(version)
    station.say({"say": '[2, "odd", "Heartbeat", { }]'})
    station.wait_for("the answer", lambda fact: '"odd"' in str(fact.get("heard")))
    assert street.sends("ClearCache", {}).get("answer") == {"status": "Accepted"}
    assert station.process.stdin is not None
    station.process.stdin.close()

    assert station.ended() == 0
    assert station.texts("said") == [str(fact["message"]) for fact in street.csms.facts() if "heard" in fact]
    assert station.texts("heard") == [str(fact["message"]) for fact in street.csms.facts() if "said" in fact]
    left = street.csms.wait_for("that it left", lambda fact: fact.get("left") == "CP-1")
    assert left["sockets"] == 0


def test_a_station_takes_no_unsigned_firmware(street: Street) -> None:
    """Not in 2.0.1, where the fields are missing, and not in 1.6, where the request is the old one (L01.FR.20)."""
    station = street.station("2.0.1")
    assert street.sends("UpdateFirmware", {"requestId": 1, "firmware": UNSIGNED})["answer"] == {
        "status": "InvalidCertificate"
    }
    station.end()
    street.csms.wait_for("that it left", lambda fact: fact.get("left") == "CP-1")
    street.station("1.6")
    street.csms.say(
        {"send": "UpdateFirmware", "to": "CP-1", "payload": {"location": ELSEWHERE, "retrieveDate": "2030"}}
    )

    assert street.csms.wait_for("the refusal", lambda fact: fact.get("error") == "NotSupported")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A download server on loopback that has one image; returns its URL. Its root is ``root.pem``."""
    root = Party.root()
    leaf = root.issue("localhost", dns="localhost")
    (tmp_path / "root.pem").write_text(root.pem)
    (tmp_path / "server.pem").write_text(leaf.pem + leaf.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with HTTPServer(("127.0.0.1", 0), Download) as http:
        http.socket = context.wrap_socket(http.socket, server_side=True)
        serving = threading.Thread(target=http.serve_forever)
        serving.start()
        yield f"https://localhost:{http.server_port}/image.bin"
        http.shutdown()
        serving.join()


class Download(BaseHTTPRequestHandler):
    """Answers every request with the image."""

    def do_GET(self) -> None:
        """Send it."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(IMAGE)))
        self.end_headers()
        self.wfile.write(IMAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("signed", "end"), [(IMAGE, "Installed"), (IMAGE[:-1] + b"!", "InvalidSignature")], ids=["the image", "another one"]
)
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_station_verifies_what_it_downloads(
    street: Street, server: str, tmp_path: Path, version: str, signed: bytes, end: str
) -> None:
    """The bytes that came must be the bytes that were signed (L01.FR.04); else nothing is written (L01.FR.03)."""
    maker = make_ca("Maker", "Maker Root")
    certificate, key = make_leaf(maker, subject("Maker", "Signer"), signs_code=True)
    (tmp_path / "maker.pem").write_bytes(maker.pem())
    station = street.station(
        version, "--root", "root.pem", "--manufacturer-root", "maker.pem", "--firmware-out", "new.bin"
    )
    proof = {"signingCertificate": certificate.decode(), "signature": sign_image(signed, key)}
    firmware = {"location": server, "retrieveDateTime": "2030-01-01T00:00:00Z", **proof}
    action = "SignedUpdateFirmware" if version == "1.6" else "UpdateFirmware"
    assert street.sends(action, {"requestId": 7, "firmware": firmware})["answer"] == {"status": "Accepted"}

    station.wait_for(end, lambda fact: fact.get("firmware") == end)
    street.csms.wait_for(f"{end} at the CSMS", lambda fact: f'"{end}"' in str(fact.get("message")))
    station.end()
    written = (tmp_path / "new.bin").read_bytes() if (tmp_path / "new.bin").exists() else None
    assert written == (IMAGE if end == "Installed" else None)


def test_a_station_with_nobody_to_talk_to_says_so(street: Street) -> None:
    """Exit code 5 and one line."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    station = street.start("station", "--url", f"ws://127.0.0.1:{port}", "--identity", "CP-1")

    assert station.ended() == 5
    assert station.wait_for("the refusal", lambda fact: "refused" in fact)["refused"] == "connection"


def test_a_subprotocol_that_the_csms_does_not_speak_is_refused(street: Street) -> None:
    """HTTP 400, exit code 5."""
    url = f"ws://127.0.0.1:{street.port}/ocpp"
    station = street.start("station", "--url", url, "--identity", "CP-1", "--subprotocol", "ocpp1.5")

    assert station.ended() == 5
    assert station.wait_for("the refusal", lambda fact: "refused" in fact) == {"refused": "http", "status": 400}


@pytest.mark.parametrize("typed", ["no json", "[]", '{"send": "Reset"}', '{"send": "Nosuch", "to": "CP-9"}'])
def test_a_typing_mistake_does_not_end_the_csms(street: Street, typed: str) -> None:
    """It says what to type and goes on."""
    assert street.csms.process.stdin is not None
    street.csms.process.stdin.write(f"{typed}\n")
    street.csms.process.stdin.flush()
    street.csms.wait_for("what is wrong", lambda fact: "error" in fact)

    street.station("1.6")
