"""Those who collect events, for stories: a real rsyslogd, and a receiver of webhooks that fails when it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import json
import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.certs import Party
from tests.stories import kernel
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

RSYSLOGD: Final = shutil.which("rsyslogd") or next(
    (path for path in ("/usr/sbin/rsyslogd",) if Path(path).is_file()), ""
)
TLS_DRIVER: Final = next(iter(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so")), None)

_CONF: Final = """
global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/collector.pem" defaultNetstreamDriverKeyFile="{folder}/collector.key")
module(load="imudp") module(load="imptcp")
input(type="imudp" name="udp" address="127.0.0.1" port="{udp}")
input(type="imptcp" name="tcp" address="127.0.0.1" port="{tcp}")
{tls}
template(name="facts" type="list" option.jsonf="on") {{
  property(outname="way" name="inputname" format="jsonf")
  property(outname="priority" name="pri" format="jsonf")
  property(outname="time" name="timestamp" dateFormat="rfc3339" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
action(type="omfile" file="{folder}/received" template="facts")
"""
_TLS: Final = """module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" name="tls" address="127.0.0.1" port="{port}")"""


@dataclass
class Syslog:
    """A real collector. It listens on three ports, and writes what it understood as JSON lines."""

    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def at(cls, folder: Path) -> Syslog:
        """Lay out its files, with a certificate for ``localhost``."""
        folder.mkdir()
        root = Party.root("Collector Root")
        ours = root.issue("localhost", dns="localhost")
        (folder / "ca.pem").write_text(root.pem)
        (folder / "collector.pem").write_text(ours.pem)
        (folder / "collector.key").write_text(ours.key_pem)
        (folder / "received").touch()
        ports = {way: free_port() for way in ("udp", "tcp", "tls")}
        tls = _TLS.format(port=ports["tls"]) if TLS_DRIVER else ""
        (folder / "conf").write_text(_CONF.format(folder=folder, tls=tls, **{k: ports[k] for k in ("udp", "tcp")}))
        return cls(folder, ports)

    def start(self) -> None:
        """Run it until it listens."""
        argv = [RSYSLOGD, "-n", "-f", str(self.folder / "conf"), "-i", str(self.folder / "pid")]
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(argv, stdout=said, stderr=said)
        pid = self.process.pid
        for way in ("tcp", "tls") if TLS_DRIVER else ("tcp",):
            kernel.until(f"rsyslogd listens for {way}", lambda way=way: kernel.listens_at(pid, self.ports[way]))  # type: ignore[misc]

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def received(self, way: str = "") -> list[dict[str, str]]:
        """What it understood, in the order of its writing."""
        lines = (self.folder / "received").read_text().splitlines()
        return [fact for fact in map(json.loads, lines) if way in ("", fact["way"])]


@dataclass
class Hook:
    """A receiver of webhooks over TLS: what it was sent, and whether it refuses now."""

    port: int
    secret: bytes
    deliveries: list[tuple[str, dict[str, Any]]]
    refused: list[str]
    failing: bool = False
    status: int = 503

    def events(self) -> list[dict[str, Any]]:
        """Every event of every delivery that was taken."""
        return [event for _, body in self.deliveries for event in body["events"]]


@contextlib.contextmanager
def served(server: http.server.ThreadingHTTPServer) -> Iterator[None]:
    """Have it answer for the length of the block."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def hook(folder: Path, secret: bytes) -> Iterator[Hook]:
    """Run a receiver; ``hook-ca.pem`` in the folder is its root."""
    root = Party.root("Hook Root")
    ours = root.issue("localhost", dns="localhost")
    (folder / "hook-ca.pem").write_text(root.pem)
    (folder / "hook.pem").write_text(ours.pem + ours.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "hook.pem")
    found = Hook(0, secret, [], [])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            delivery = self.headers["Bollard-Delivery"]
            time, _, given = self.headers["Bollard-Signature"].removeprefix("t=").partition(",v1=")
            right = hmac.new(found.secret, time.encode() + b"." + content, hashlib.sha256).hexdigest()
            if found.failing or not hmac.compare_digest(given, right):
                found.refused.append(delivery)
                self.send_response(found.status)
                self.send_header("Location", "/elsewhere")
            else:
                found.deliveries.append((delivery, json.loads(content)))
                self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """It says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.port = server.server_address[1]
    with served(server):
        yield found
