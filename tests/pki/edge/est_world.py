"""An EST server of somebody else's: honest, small, of the standard library and openssl, and told what to answer."""

from __future__ import annotations

import base64
import contextlib
import http.server
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.certs import DAY, NOW, Party, name, pem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.certs import PrivateKey


def authority(common_name: str, above: Party | None = None, depth: int = 2, fat: int = 0) -> Party:
    """An authority as RFC 5280 wants one, with the identifiers of its own key and its issuer's, ``fat`` bytes more."""
    stuffing = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), bytes(fat))
    key, subject = ec.generate_private_key(ec.SECP256R1()), name(common_name, "V2G")
    signer = above.key if above else key
    certificate = (
        x509.CertificateBuilder(above.certificate.subject if above else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 30 * DAY)
        .add_extension(x509.BasicConstraints(True, depth), True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )
    builder = certificate.add_extension(stuffing, False) if fat else certificate
    return Party(builder.sign(signer, hashes.SHA256()), key)


ROOT = authority("V2G Root")
SUB_1 = authority("CPO Sub 1", ROOT, 1)
SUB_2 = authority("CPO Sub 2", SUB_1, 0)
TLS_ROOT = Party.root("TLS Root", "Web")
SECC_ID = "DEABCS" + "0" * 33
LEAF_EXTENSIONS = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyAgreement\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
)
USER, PASSWORD = "cpo", "open sesame"
HANGS_UP = 0  # no status: the connection is closed without an answer


@dataclass
class Elsewhere:
    """The server. ``answers`` are given one after the other, the last one for ever: a status, what replaces the body
    of a 200, or ``HANGS_UP``; ``above`` when it is asked for authorities. ``asked`` keeps what was asked."""

    folder: Path
    port: int = 0
    answers: list[int | bytes] = field(default_factory=lambda: [200])
    above: list[int | bytes] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://localhost:{self.port}/.well-known/est"

    def issue(self, csr: bytes) -> bytes:
        """Let openssl issue for a request, below Sub 2; the bag is in no order a reader would like."""
        (self.folder / "sub.pem").write_text(SUB_2.pem)
        (self.folder / "sub.key").write_text(SUB_2.key_pem)
        (self.folder / "csr.der").write_bytes(csr)
        (self.folder / "leaf.ext").write_text(LEAF_EXTENSIONS)
        words = (
            "openssl x509 -req -in csr.der -inform der -CA sub.pem -CAkey sub.key -CAcreateserial"
            " -extfile leaf.ext -days 9 -out leaf.pem"
        )
        subprocess.run(words.split(), cwd=self.folder, check=True, capture_output=True)
        return self.bag((self.folder / "leaf.pem").read_text())

    def bag(self, *pems: str) -> bytes:
        """Certificates as openssl packs them, in base64."""
        (self.folder / "bag.pem").write_text("".join(pems))
        words = "openssl crl2pkcs7 -nocrl -certfile bag.pem -outform der"
        packed = subprocess.run(words.split(), cwd=self.folder, check=True, capture_output=True).stdout
        return base64.encodebytes(packed)

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """What is answered."""
        answers = self.above if path.endswith("/cacerts") else self.answers
        due = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(due, bytes):
            return 200, due
        if due == 200 and answers is self.above:
            return 200, self.bag(SUB_1.pem, ROOT.pem, SUB_2.pem)
        return due, self.issue(base64.b64decode(body)) if due == 200 else b"not today"


@contextlib.contextmanager
def elsewhere(folder: Path, *answers: int | bytes) -> Iterator[Elsewhere]:
    """Run it; the files that settings name lie in ``folder``."""
    world = Elsewhere(folder)
    world.answers = list(answers) or world.answers
    server = TLS_ROOT.issue("localhost", "Web", dns="localhost")
    (folder / "server.pem").write_text(server.key_pem + server.pem)
    (folder / "tls.pem").write_text(TLS_ROOT.pem)
    (folder / "v2g.pem").write_text(ROOT.pem)
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD + "\n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    serving = http.server.HTTPServer(("127.0.0.1", 0), _handler(world))
    serving.socket = context.wrap_socket(serving.socket, server_side=True, do_handshake_on_connect=False)
    world.port = serving.server_address[1]
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield world
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()


def _handler(world: Elsewhere) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):  # a client that does not trust us hangs up
                super().handle()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            world.asked.append((self.path, self.headers.get("Authorization", ""), body))
            status, answer = world.answer(self.path, body)
            if status == HANGS_UP:
                self.close_connection = True
                return
            self.send_response(status)
            for key, value in {**world.headers, "Content-Length": str(len(answer))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 - the library's name

    return Handler


def secc_name(secc_id: str = SECC_ID) -> x509.Name:
    """A subject as cars want it: country, operator, SECCID, and that it is a charge point operator's."""
    pairs = [(NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, "CPO"), (NameOID.COMMON_NAME, secc_id)]
    pairs += [(NameOID.DOMAIN_COMPONENT, "CPO")]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


def secc_request(key: PrivateKey, secc_id: str = SECC_ID) -> str:
    """A request for a certificate towards cars, in PEM."""
    return pem(x509.CertificateSigningRequestBuilder().subject_name(secc_name(secc_id)).sign(key, hashes.SHA256()))


def secc(
    key: PrivateKey,
    *others: x509.ExtensionType,
    secc_id: str = SECC_ID,
    ca: bool = False,
    days: tuple[int, int] = (-1, 20),
    number: int = 0,
) -> Party:
    """A certificate towards cars below Sub 2, a good one unless a test asks for more; ``days`` are around now."""
    basic, usage = x509.BasicConstraints(ca, None), x509.KeyUsage(True, False, False, False, True, ca, ca, False, False)
    builder = (
        x509.CertificateBuilder(SUB_2.certificate.subject, secc_name(secc_id), key.public_key())
        .serial_number(number or x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
        .add_extension(basic, True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(SUB_2.key.public_key()), False)
    )
    for other in others:
        builder = builder.add_extension(other, False)
    return Party(builder.sign(SUB_2.key, hashes.SHA256()), key)


def settings(folder: Path, url: str, profile: str = "v2g-secc-2", rest: str = "") -> str:
    """The table of ``bollard.toml`` that names it."""
    rest = rest or f'user = "{USER}"\npassword_file = "{folder / "password"}"\n'
    return (
        f'\n[[external_issuer]]\nname = "hubject"\nkind = "est"\nurl = "{url}"\ncertificate_profile = "{profile}"\n'
        f'anchor = "{folder / "tls.pem"}"\nchain_anchor = "{folder / "v2g.pem"}"\n{rest}'
    )
