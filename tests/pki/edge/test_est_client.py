"""An authority of others is asked over TLS that one anchor vouches for, and whatever it answers has a name."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.edge import est_client
from pki.edge.est_client import (
    ANSWER_BYTES,
    HEAD_BYTES,
    RETRY_MOST,
    RETRY_USUAL,
    Received,
    fetch_above,
    read_bag,
    request_certificate,
)
from pki.errors import BollardError, RefusedError, UnreachableError
from pki.est import wrap
from pki.external import ExternalIssuer, read_external
from pki.tables import read_tables
from tests.certs import Party, request
from tests.pki.edge.est_world import HANGS_UP, PASSWORD, ROOT, SECC_ID, SUB_1, SUB_2, USER, elsewhere, settings
from tests.worlds import free_port, station_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CSR = x509.load_pem_x509_csr(request(station_key(), SECC_ID, "CPO").encode()).public_bytes(Encoding.DER)


def issuer(folder: Path, url: str, rest: str = "") -> ExternalIssuer:
    """As the settings would name it."""
    return read_external(read_tables(settings(folder, url, rest=rest)).many("external_issuer")[0])


def ask(folder: Path, url: str, rest: str = "") -> Received:
    """Ask it."""
    return asyncio.run(request_certificate(issuer(folder, url, rest), CSR))


def refused(folder: Path, url: str, rest: str = "") -> str:
    """Ask it and be refused with this code."""
    with pytest.raises(BollardError) as problem:
        ask(folder, url, rest)
    return problem.value.code


def test_a_certificate_and_its_chain_come_back(tmp_path: Path) -> None:
    """The request goes as it is, with user and password; the chain is asked for apart (RFC 7030 4.1, 4.2)."""
    with elsewhere(tmp_path) as world:
        received = ask(tmp_path, world.url)
        above = asyncio.run(fetch_above(issuer(tmp_path, world.url)))
        (path, login, body), (second, _, _) = world.asked

    assert [each.public_key() for each in read_bag(received.bag)] == [station_key().public_key()]
    assert set(above) == {ROOT.certificate, SUB_1.certificate, SUB_2.certificate}
    assert (path, second) == ("/.well-known/est/simpleenroll", "/.well-known/est/cacerts")
    assert base64.b64decode(login.removeprefix("Basic ")).decode() == f"{USER}:{PASSWORD}"
    assert base64.b64decode(body) == CSR


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("99999999999", RETRY_MOST),
        ("", RETRY_USUAL),
        ("soon", RETRY_USUAL),
        ("-5", RETRY_USUAL),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_MOST),
    ],
)
def test_a_request_that_has_to_wait_waits_as_long_as_it_is_told(tmp_path: Path, header: str, seconds: int) -> None:
    """RFC 9110 10.2.3: seconds or a date; nothing in it can make us wait for ever."""
    with elsewhere(tmp_path, 202) as world:
        world.headers["Retry-After"] = header
        assert ask(tmp_path, world.url) == Received(retry=seconds)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (400, "external.refused"),
        (401, "external.refused"),
        (404, "external.refused"),
        (302, "external.busy"),
        (429, "external.busy"),
        (500, "external.busy"),
        (503, "external.busy"),
        (b"", "external.answer"),
        (b"<html>hello</html>", "external.answer"),
        (b"AAAA", "external.answer"),
        (b"A" * (ANSWER_BYTES + 1), "external.answer"),
    ],
)
def test_each_failure_has_a_code_that_says_whether_to_ask_again(tmp_path: Path, answer: int | bytes, code: str) -> None:
    """A no is final, a fault may pass, and nonsense is not taken for a certificate. No redirect is followed."""
    with elsewhere(tmp_path, answer) as world:
        world.headers["Location"] = world.url
        assert refused(tmp_path, world.url) == code
        assert len(world.asked) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [(404, "external.chain"), (500, "external.chain"), (b"AAAA", "external.chain"), (HANGS_UP, "external.unreachable")],
)
def test_no_answer_about_the_chain_is_a_no_to_the_certificate(tmp_path: Path, answer: int | bytes, code: str) -> None:
    """It was issued already, so all that can be done is to ask again."""
    with elsewhere(tmp_path) as world:
        world.above = [answer]
        with pytest.raises(UnreachableError) as problem:
            asyncio.run(fetch_above(issuer(tmp_path, world.url)))
    assert problem.value.code == code


def test_only_the_anchor_of_the_settings_is_believed(tmp_path: Path) -> None:
    """Not this machine's roots, not another name, and nobody at all where nobody listens; the password stays here."""
    with elsewhere(tmp_path) as world:
        assert refused(tmp_path, world.url.replace("localhost", "127.0.0.1")) == "external.unreachable"
        (tmp_path / "tls.pem").write_text(Party.root("Another").pem)
        assert refused(tmp_path, world.url) == "external.unreachable"
        assert world.asked == []
    assert refused(tmp_path, f"https://localhost:{free_port()}/.well-known/est") == "external.unreachable"


def test_no_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let between by a variable."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with elsewhere(tmp_path) as world:
        assert ask(tmp_path, world.url).bag


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"


@contextlib.contextmanager
def speaking(folder: Path, said: bytes, *, stays: bool = False) -> Iterator[str]:
    """A server that speaks TLS, hears one request, says this, and then hangs up, or stays and does nothing at all."""
    context, over = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), threading.Event()
    context.load_cert_chain(folder / "server.pem")

    def serve() -> None:
        with context.wrap_socket(listening.accept()[0], server_side=True) as met:
            met.settimeout(20)
            while not met.recv(4096).endswith(b"\n"):
                pass
            met.sendall(said)
            if stays:
                over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://localhost:{listening.getsockname()[1]}/.well-known/est"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0hello\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 2", id="a status line that is cut"),
        pytest.param(HEAD, id="a head without its body"),
        pytest.param(HEAD + b"MIIB", id="a body that is cut"),
        pytest.param(b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nno", id="a no that is cut"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES, id="a head without an end"),
    ],
)
def test_an_exchange_that_breaks_off_is_no_answer_and_never_a_no(tmp_path: Path, said: bytes) -> None:
    """Only a whole answer can refuse; what is cut may be whole the next time, and exits 6."""
    with elsewhere(tmp_path), speaking(tmp_path, said) as url, pytest.raises(UnreachableError) as problem:
        ask(tmp_path, url)

    assert problem.value.code == "external.unreachable"


@pytest.mark.parametrize("said", [b"", HEAD + b"MIIB"], ids=["nothing", "half of it"])
def test_the_deadline_holds_for_the_goodbye_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Who accepts and then does nothing more, not even say TLS' goodbye, is left: TLS alone would wait 30 seconds."""
    monkeypatch.setattr(est_client, "DEADLINE", 0.3)
    with elsewhere(tmp_path), speaking(tmp_path, said, stays=True) as url:
        asked = asyncio.wait_for(request_certificate(issuer(tmp_path, url), CSR), 10)
        with pytest.raises(UnreachableError, match=r"external\.unreachable"):
            asyncio.run(asked)


@pytest.mark.parametrize("said", [b"", b"hello\r\n\r\n", b"\x16\x03\x01"])
def test_who_speaks_no_tls_or_never_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """One deadline holds for the whole exchange."""
    monkeypatch.setattr(est_client, "DEADLINE", 0.3)
    with elsewhere(tmp_path), socket.create_server(("127.0.0.1", 0)) as silent:

        async def story() -> str:
            asked = asyncio.create_task(
                request_certificate(
                    issuer(tmp_path, f"https://localhost:{silent.getsockname()[1]}/.well-known/est"), CSR
                )
            )
            met, _ = await asyncio.to_thread(silent.accept)
            with met:
                met.sendall(said)
                with pytest.raises(BollardError) as problem:
                    await asked
            return problem.value.code

        assert asyncio.run(story()) == "external.unreachable"


def test_a_client_certificate_is_shown_where_one_is_named(tmp_path: Path) -> None:
    """In place of a password, or beside it; its key is read by nobody else."""
    client = ROOT.issue("CPO")
    (tmp_path / "c.pem").write_text(client.pem)
    (tmp_path / "c.key").write_text(client.key_pem)
    rest = f'client_certificate = "{tmp_path / "c.pem"}"\nclient_key = "{tmp_path / "c.key"}"\n'
    with elsewhere(tmp_path) as world:
        (tmp_path / "c.key").chmod(0o640)
        assert refused(tmp_path, world.url, rest) == "external.file"
        (tmp_path / "c.key").chmod(0o600)
        assert ask(tmp_path, world.url, rest).bag
        assert world.asked[0][1] == ""


@pytest.mark.parametrize("name", ["tls.pem", "password"])
def test_a_file_that_is_missing_or_open_to_all_is_told_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    """And its content is not."""
    with elsewhere(tmp_path) as world:
        path = tmp_path / name
        if name == "password":
            path.chmod(0o644)
            assert refused(tmp_path, world.url) == "external.file"
        path.unlink()
        assert refused(tmp_path, world.url) == "external.file"
        assert world.asked == []


def test_an_encrypted_client_key_is_refused_without_a_prompt(tmp_path: Path) -> None:
    """A process without a terminal must not wait for one."""
    locked = tmp_path / "locked.key"
    locked.write_text(
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        + "0" * 32
        + "\n\nAAAA\n-----END EC PRIVATE KEY-----\n"
    )
    locked.chmod(0o600)
    (tmp_path / "c.pem").write_text(ROOT.pem)
    rest = f'client_certificate = "{tmp_path / "c.pem"}"\nclient_key = "{locked}"\n'
    with elsewhere(tmp_path) as world:
        assert refused(tmp_path, world.url, rest) == "external.file"


def packed(der: bytes) -> bytes:
    """A certificate, or what is left of one, in a bag of its own as a body."""
    empty = pkcs7.serialize_certificates([ROOT.certificate], Encoding.DER)
    return wrap(empty.replace(ROOT.certificate.public_bytes(Encoding.DER), der))


DER = ROOT.certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0", id="a zero"),
        pytest.param(b"MAA=", id="an empty sequence"),
        pytest.param("ü".encode(), id="no ASCII"),
        pytest.param(packed(DER.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0a")), id="X.509 version 11"),
        pytest.param(packed(DER[:-9]), id="a certificate that is cut"),
    ],
)
def test_a_bag_that_is_none_is_named_so(body: bytes) -> None:
    """Whoever sent it is told nothing; the operator is. Fuzzing found the version."""
    with pytest.raises(RefusedError, match=r"external\.answer"):
        read_bag(body)


def test_a_bag_in_ber_is_read() -> None:
    """RFC 8951 wants DER, and common toolkits write BER."""
    der = pkcs7.serialize_certificates([ROOT.certificate], Encoding.DER)

    assert read_bag(wrap(b"\x30\x80" + der[4:] + b"\0\0")) == [ROOT.certificate]


def test_a_serial_number_below_zero_is_not_taken_over() -> None:
    """RFC 5280 4.1.2.2; the ledger's serials are positive."""
    at = DER.index(b"\x02\x14") + 2
    with pytest.raises(RefusedError, match=r"4\.1\.2\.2"):
        read_bag(packed(DER[:at] + bytes([DER[at] | 0x80]) + DER[at + 1 :]))
