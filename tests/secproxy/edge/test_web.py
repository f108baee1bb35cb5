"""``secproxy.edge.web``: the real web process beside a real authority, fetched from over HTTPS."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding
from uvicorn.server import ServerState

from pki.edge import calls, surroundings
from secproxy.edge import web
from tests.certs import Party
from tests.pki.firmware.makers import Signed, make_root, make_signer
from tests.worlds import HOST, connected, make_home, running_authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.home import Home

IMAGE = os.urandom(700_000)
_SERVE = (
    "import sys, pathlib; from pki.edge import home; from secproxy.edge import web;"
    " web.run_web(home.Home.at(pathlib.Path(sys.argv[1])), sys.argv[2])"
)


@dataclass(frozen=True)
class Web:
    """A running web process."""

    process: subprocess.Popen[str]
    port: int
    home: Home
    status_port: int

    def ask(self, path: str, ciphers: str = "") -> tuple[int, bytes]:
        """Fetch something as a station would, trusting the operator's root alone."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(ciphers), timeout=20)
        # The certificate is for the CSMS host; a station dials that name.
        connection._create_connection = lambda *_a, **_k: self.dial()  # type: ignore[attr-defined]  # the stdlib's seam
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def dial(self) -> socket.socket:
        """Open a TCP connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def context(self, ciphers: str = "") -> ssl.SSLContext:
        """Trust the operator's root."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=(self.home.ca / "root.pem").read_text())
        context.check_hostname = False
        if ciphers:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(ciphers)
        return context

    def handshake(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Do no more than TLS."""
        return context.wrap_socket(self.dial(), server_hostname=HOST)


@contextlib.contextmanager
def running_web(home: Home, before: str = "") -> Iterator[Web]:
    """The real process on a port of the system's choice, ended with SIGTERM; ``before`` is run in it first."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + _SERVE, str(home.path), "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        count = 2 if "status_address" in home.settings.read_text() else 1
        status, web = ["", *sorted(process.stderr.readline() for _ in range(count))][-2:]
        assert web.startswith("web ready on 127.0.0.1:"), status + web + process.stderr.read()
        yield Web(process, int(web.rpartition(":")[2]), home, int(status.rpartition(":")[2] or 0))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            ended(process)
        process.stderr.close()


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for the process to end and return what it said."""
    assert process.stderr is not None
    said = process.stderr.read()
    process.wait()
    return said


def granted(home: Home, image: bytes = IMAGE) -> str:
    """Import an image and grant it to a station; return the link's path."""
    root = make_root()
    signer = make_signer(root)
    return asyncio.run(_grant(home, root, signer, image))


async def _grant(home: Home, root: Signed, signer: Signed, image: bytes) -> str:
    (home.quarantine / "image.bin").write_bytes(image)
    async with connected(home) as authority:
        await authority.ask(calls.AddAnchor(root.pem, "firmware", "Volta"), calls.Done)
        await authority.ask(calls.AddStation("CP-001", "SN-1", 3), calls.StationAdded)
        call = calls.ImportFirmware("image.bin", "Volta", "V-22", "1.4.2", signer.sign(image), signer.pem)
        imported = await authority.ask(call, calls.FirmwareImported)
        grant = calls.GrantDownload("CP-001", imported.release.digest, "m-1")
        url = (await authority.ask(grant, calls.DownloadGranted)).url
    return "/" + url.split("/", 3)[3]


async def audit(home: Home) -> str:
    """The audit log as text."""
    async with connected(home) as authority:
        rows = await authority.ask(calls.ListAudit(first=0, limit=1000), calls.AuditRows)
    return "\n".join(row.entry for row in rows.rows)


def until(home: Home, act: str) -> str:
    """The audit log, once it tells of this act."""
    while act not in (log := asyncio.run(audit(home))):
        pass
    return log


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A finished home."""
    return make_home(tmp_path)


def test_a_granted_image_is_fetched_and_the_download_is_in_the_audit_log(home: Home) -> None:
    """From import to the record of the last byte, through all processes; the link itself is recorded nowhere."""
    with running_authority(home), running_web(home) as web:
        path = granted(home)
        assert web.ask(path) == (200, IMAGE)
        assert web.ask(path.replace("/f/", "/f/x"))[0] == 404
        log = until(home, "download.completed")
        assert path.split("/")[2] not in log


def test_both_certificates_are_served_and_nothing_older_than_tls_1_2(home: Home) -> None:
    """Stations have the suites of one kind of key only (A00.FR.318); TLS below 1.2 is refused (A00.FR.313)."""
    with running_authority(home), running_web(home) as web:
        for ciphers in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"):
            with web.handshake(web.context(ciphers)) as tls:
                assert tls.cipher() is not None
        old = web.context("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            web.handshake(old)


def test_downloads_wait_while_the_authority_restarts(home: Home) -> None:
    """503 while it is away; the same link works when it is back, and the process is the same one."""
    with contextlib.ExitStack() as stack:
        with running_authority(home):
            web = stack.enter_context(running_web(home))
            path = granted(home)
            assert web.ask(path)[0] == 200
        assert web.ask(path)[0] == 503
        with running_authority(home):
            answer = web.ask(path)
            while answer[0] == 503:
                answer = web.ask(path)
            assert answer == (200, IMAGE)
            assert web.process.poll() is None


def test_an_authority_that_hangs_is_a_503_and_not_a_silence(home: Home) -> None:
    """Enrolment and downloads are told to come again, before their own patience ends; when it goes on, so do they."""
    hasty = "from secproxy.edge import authority_line; authority_line.SILENCE_SECONDS = 1.0; "
    with running_authority(home) as authority, running_web(home, hasty) as web:
        path = granted(home)
        authority.send_signal(signal.SIGSTOP)
        try:
            for each in ("/.well-known/est/cacerts", path):
                assert web.ask(each)[0] == 503
        finally:
            authority.send_signal(signal.SIGCONT)
        answer = web.ask(path)
        while answer[0] == 503:
            answer = web.ask(path)
        assert answer == (200, IMAGE)
        assert web.ask("/.well-known/est/cacerts")[0] == 200


def test_no_key_of_the_servers_is_ever_on_its_disk(home: Home) -> None:
    """Keys lie encrypted in ``keys``; in clear they are in memory alone."""
    before = set(home.path.rglob("*"))
    with running_authority(home), running_web(home) as web:
        assert web.ask("/healthz") == (200, b"ok\n")
        made = {path for path in home.path.rglob("*") if path.is_file()} - before
        assert not [path for path in made if b"BEGIN PRIVATE KEY" in path.read_bytes()]


def test_sigterm_lets_a_transfer_under_way_finish_and_ends_cleanly(home: Home) -> None:
    """The station gets its last byte, the exit code is 0, and nothing is said on the way out."""
    with running_authority(home), running_web(home) as web:
        with web.handshake(web.context()) as tls:
            tls.sendall(f"GET {granted(home)} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            received = tls.recv(100)
            web.process.send_signal(signal.SIGTERM)
            while more := tls.recv(65_536):
                received += more
        said = ended(web.process)
    assert received.endswith(IMAGE)
    assert (web.process.returncode, said) == (0, "")


LARGE = os.urandom(1024) * 16 * 1024  # 16 MiB, far more than the kernel keeps for a peer that does not read
SLOW = 4.0  # seconds; more than a process without downloads takes to end


@contextlib.contextmanager
def downloading(web: Web, path: str) -> Iterator[ssl.SSLSocket]:
    """A station that has begun to download and does not read on."""
    with web.handshake(web.context()) as tls:
        tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert tls.recv(15) == b"HTTP/1.1 200 OK"
        yield tls


def asked_to_end(web: Web) -> None:
    """Ask it, and wait until its door is shut."""
    web.process.send_signal(signal.SIGTERM)
    with contextlib.suppress(ConnectionError):
        while True:
            web.dial().close()


def rest(tls: ssl.SSLSocket) -> bytes:
    """All that still comes."""
    received = bytearray()
    with contextlib.suppress(OSError):
        while more := tls.recv(65_536):
            received += more
    return bytes(received)


def test_a_slow_download_is_let_finish_while_no_other_begins(home: Home) -> None:
    """Seconds after SIGTERM it is still served; one who was at the door already is told to come again."""
    with running_authority(home), running_web(home) as web:
        path = granted(home, LARGE)
        with web.dial() as late, downloading(web, path) as tls:
            asked_to_end(web)
            with web.context().wrap_socket(late, server_hostname=HOST) as turned:
                turned.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                assert turned.recv(12) == b"HTTP/1.1 503"
            handle = os.pidfd_open(web.process.pid)
            assert select.select([handle], [], [], SLOW)[0] == []
            os.close(handle)
            assert rest(tls).endswith(LARGE)
        said = ended(web.process)
    assert (web.process.returncode, said) == (0, "")


def test_a_download_that_never_ends_is_cut_and_can_be_resumed(home: Home) -> None:
    """Its time at the end is bounded; the next process serves the rest that a station asks for."""
    hasty = (
        "from dataclasses import replace; from secproxy.edge import web; read = web._config;"
        " web._config = lambda home: replace(found := read(home),"
        " limits=replace(found.limits, transfer_end_seconds=1.0)); "
    )
    with running_authority(home):
        with running_web(home, hasty) as web:
            path = granted(home, LARGE)
            with downloading(web, path) as tls:
                asked_to_end(web)
                web.process.wait(SLOW * 5)
                got = rest(tls).partition(b"\r\n\r\n")[2]
            said = ended(web.process)
        assert (web.process.returncode, said.count("\n")) == (0, 1)
        assert "web: 1 requests were cut off" in said
        assert "download.started" in asyncio.run(audit(home))
        assert len(got) < len(LARGE)
        assert LARGE.startswith(got)
        with running_web(home) as web, web.handshake(web.context()) as tls:
            head = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nRange: bytes={len(got)}-\r\nConnection: close\r\n\r\n"
            tls.sendall(head.encode())
            assert got + rest(tls).partition(b"\r\n\r\n")[2] == LARGE


ENROL = b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\n"
TURNED = ENROL.replace(b"pkcs10", b"json")  # answered before its body is read


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([ENROL + b"Content-Length: 500\r\n\r\nMIIB"], id="a body that is cut"),
        pytest.param([ENROL + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], id="a chunk that is none"),
        pytest.param([TURNED + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n"], id="one after the answer"),
        pytest.param([TURNED + b"Content-Length: 4\r\n\r\nMIIB", b"\0\r\n\r\n"], id="no HTTP after the answer"),
        pytest.param([b"\0\r\n\r\n"], id="no HTTP"),
    ],
)
def test_a_stranger_who_breaks_off_writes_nothing_into_our_log(home: Home, said: list[bytes]) -> None:
    """No credentials are needed to connect, so whoever does must not fill the disk by it, a traceback at a time."""
    hasty = "from pki.edge.http import est; est.BODY_SECONDS = 0.3; "  # a reset is not always seen at once
    with running_authority(home), running_web(home, hasty) as web:
        for resets in (False, True):
            with web.handshake(web.context()) as tls:
                tls.sendall(said[0])
                for more in said[1:]:
                    assert tls.recv(100).startswith(b"HTTP/1.1 4")
                    tls.sendall(more)
                if resets:
                    tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert web.ask("/healthz") == (200, b"ok\n")
        web.process.send_signal(signal.SIGTERM)
        assert ended(web.process) == ""


SENT = 8 * 1024**2  # bytes; far more than the kernel keeps for a peer that does not read


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(ENROL + b"Content-Length: %d\r\n\r\n" % SENT, b"413", id="too long, as announced"),
        pytest.param(ENROL + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % SENT, b"413", id="too long, as counted"),
        pytest.param(TURNED + b"Content-Length: %d\r\n\r\n" % SENT, b"415", id="of another type"),
    ],
)
def test_who_sends_all_of_it_before_looking_for_an_answer_finds_it(home: Home, head: bytes, status: bytes) -> None:
    """The rest is read away, within bounds: a reset would take the answer with it."""
    with running_authority(home), running_web(home) as web:
        for _ in range(5):
            with web.handshake(web.context()) as tls:
                tls.sendall(head)
                tls.sendall(bytes(SENT))
                assert tls.recv(100).split()[1] == status


def test_a_fault_of_a_library_is_one_line_in_our_log(home: Home) -> None:
    """Uvicorn would print a traceback for each; here it is the kind and the place, and nothing that was sent."""
    fault = (
        "import logging, sys, pathlib; from pki.edge import home; from secproxy.edge import web\n"
        "async def run(*_):\n"
        "    logging.getLogger('uvicorn.error').error('Exception in %s', 'secret', exc_info=ValueError('secret'))\n"
        "web._run = run\n"
        "web.run_web(home.Home.at(pathlib.Path(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", fault, str(home.path)], stderr=subprocess.PIPE, text=True, check=True)

    assert done.stderr == "web: unexpected: uvicorn.error met ValueError\n"


def test_a_taken_address_is_a_conflict(home: Home) -> None:
    """The error names the address and what to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", _SERVE, str(home.path), address], stderr=subprocess.PIPE, text=True, check=False
        )
    assert "web.address" in done.stderr


def test_attack_13_whoever_never_finishes_a_request_is_shown_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Row 13: a head that never comes, or comes a byte at a time, does not hold one of the places for ever."""
    monkeypatch.setattr(web, "HEAD_SECONDS", 0.1)

    async def nothing(scope: object, receive: object, send: object) -> None:
        raise AssertionError("no request was ever complete")

    async def story() -> list[bytes]:
        config = uvicorn.Config(nothing, http=web._Protocol, lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        make = partial(web._Protocol, config=config, server_state=state, app_state={})
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        heard = []
        for said in (b"", b"GET /f/x HTTP/1.1\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            with contextlib.suppress(ConnectionResetError):
                heard.append(await reader.read())
            writer.close()
        server.close()
        assert state.connections == set()
        return heard

    asyncio.run(asyncio.wait_for(story(), 10))


def test_new_certificates_that_are_unsound_leave_the_former_presented(home: Home, tmp_path: Path) -> None:
    """An operator's file was spoilt while the authority was away: downloads go on, and the operator is told."""
    given = Party.root("Public Root", "Somebody Else").issue(HOST, dns=HOST)
    (tmp_path / "given.pem").write_text(given.pem)
    (tmp_path / "given.key").write_text(given.key_pem)
    table = f'[[server_certificate]]\ncertificate = "{tmp_path}/given.pem"\nkey = "{tmp_path}/given.key"\n'
    home.settings.write_text(f"{home.settings.read_text()}\n{table}")
    with contextlib.ExitStack() as stack:
        with running_authority(home):
            web = stack.enter_context(running_web(home))
        (tmp_path / "given.pem").write_text("spoilt")
        with running_authority(home):
            assert web.process.stderr is not None
            assert "settings.server_certificate" in web.process.stderr.readline()
            context = web.context()
            context.verify_mode = ssl.CERT_NONE
            with web.handshake(context) as tls:
                assert tls.getpeercert(binary_form=True) == given.certificate.public_bytes(Encoding.DER)


def test_a_web_process_that_was_stopped_is_seen(tmp_path: Path) -> None:
    """The kernel still takes connections for it; the doctor waits for an answer."""
    home = make_home(tmp_path)
    with running_authority(home), running_web(home) as running:
        assert dict(surroundings.see_processes(home))["web"] is True
        running.process.send_signal(signal.SIGSTOP)
        try:
            assert dict(surroundings.see_processes(home))["web"] is False
        finally:
            running.process.send_signal(signal.SIGCONT)
    assert dict(surroundings.see_processes(home))["web"] is None
