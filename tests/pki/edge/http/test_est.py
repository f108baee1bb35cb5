"""EST over real HTTPS: every body bounded, every answer in the form RFC 7030 names, every refusal a line of text."""

from __future__ import annotations

import asyncio
import base64
import http.client
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.edge import calls
from pki.edge.http import est as est_module
from pki.edge.http.est import BODY_BYTES, est
from pki.errors import (
    BollardError,
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from pki.est import ATTRIBUTES
from tests.pki.edge.http.serving import Answer, contexts, running
from tests.pki.papers import issuing, leaf, root

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

R = TypeVar("R", bound=calls.Row)

LEAF = leaf().certificate
TYPE = {"Content-Type": "application/pkcs10"}
BASIC = {"Authorization": "Basic " + base64.b64encode(b"CP-001:token").decode()}


@dataclass
class Authority:
    """What the authority would do: it answers, or raises."""

    answer: calls.Row | BollardError = field(
        default_factory=lambda: calls.Enrolled(LEAF.public_bytes(Encoding.DER), 0, 7)
    )
    asked: list[calls.Call] = field(default_factory=list)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    alarms: list[BollardError] = field(default_factory=list)
    closed: bool = False

    async def ask(self, call: calls.Call, answer: type[R]) -> R:
        """Answer one question."""
        self.asked.append(call)
        if isinstance(self.answer, BollardError):
            raise self.answer
        assert isinstance(self.answer, answer)
        return self.answer

    def may_try(self, remote: str) -> bool:
        """Whether a peer may try."""
        return bool(remote) and not self.closed

    def failed(self, remote: str, user: str, problem: BollardError) -> None:
        """Take note."""
        self.failures.append((remote, user, problem.code))


@dataclass
class Site:
    """The running application."""

    authority: Authority
    port: int
    context: ssl.SSLContext

    def ask(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read(), True)
        finally:
            connection.close()

    def enroll(self, body: bytes = b"csr", **headers: str) -> Answer:
        """Ask for a certificate."""
        return self.ask("POST", "/simpleenroll", body, TYPE | BASIC | headers)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site whose authority issues."""
    authority = Authority()
    server, client = contexts(tmp_path)
    with running(est(authority.ask, authority, authority.alarms.append), server) as port:
        yield Site(authority, port, client)


def bag(answer: Answer) -> list[object]:
    """The certificates in an answer."""
    return list(pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer.body)))


def test_the_certificate_comes_back_alone_in_pkcs7(site: Site) -> None:
    """RFC 7030 4.2.3; what was asked is told to the authority as it came, and by whom."""
    answer = site.enroll(b"any bytes")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/pkcs7-mime; smime-type=certs-only")
    assert bag(answer) == [LEAF]
    assert site.authority.asked == [calls.Enroll(b"any bytes", calls.Shown("CP-001", "token", (), "127.0.0.1"))]


def test_a_renewal_is_told_as_one(site: Site) -> None:
    """RFC 7030 4.2.2."""
    assert site.ask("POST", "/station/simplereenroll", b"csr", TYPE).status == 200
    assert site.authority.asked == [calls.Enroll(b"csr", calls.Shown(remote="127.0.0.1"), True)]


@pytest.mark.parametrize("label", ["", "/station"])
def test_our_authorities_and_what_to_ask_with_are_told_to_everybody(site: Site, label: str) -> None:
    """RFC 7030 4.1 and 4.5, without a proof of who asks."""
    ours = [issuing().certificate, root().certificate]
    site.authority.answer = calls.CaCertificates(tuple(each.public_bytes(Encoding.DER) for each in ours))
    answer, attributes = site.ask("GET", f"{label}/cacerts"), site.ask("GET", f"{label}/csrattrs")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/pkcs7-mime")
    assert set(bag(answer)) == set(ours)
    assert (attributes.status, attributes.headers["content-type"]) == (200, "application/csrattrs")
    assert base64.b64decode(attributes.body) == ATTRIBUTES


def test_a_request_that_waits_is_told_when_to_ask_again(site: Site) -> None:
    """RFC 7030 4.2.3: 202 with Retry-After."""
    site.authority.answer = calls.Enrolled(b"", 60, -1)
    answer = site.enroll()

    assert (answer.status, answer.headers["retry-after"]) == (202, "60")


@pytest.mark.parametrize(
    ("problem", "status", "counted"),
    [
        (ForbiddenError("est.credentials", "no"), 401, True),
        (ForbiddenError("est.certificate", "no"), 403, True),
        (ForbiddenError("enrolment.denied", "no"), 403, True),
        (ConflictError("station.disabled", "no"), 403, True),
        (InputError("csr.unreadable", "no"), 400, True),
        (RefusedError("csr.refused", "no"), 400, True),
        (ConflictError("est.off", "no"), 404, False),
        (NotFoundError("issuer.none", "no"), 404, False),
        (ConflictError("enrolment.crowded", "no"), 503, False),
        (UnreachableError("authority.unreachable", "no"), 503, False),
        (BollardError("ledger.full", "/srv/secret/path"), 500, False),
    ],
)
def test_a_refusal_has_its_status_and_one_line_with_our_code(
    site: Site, problem: BollardError, status: int, counted: bool
) -> None:
    """RFC 7030 4.2.3; what is our own fault is told to us, not to the peer."""
    site.authority.answer = problem
    answer = site.enroll()

    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.decode() == ("authority.internal\n" if status == 500 else f"{problem}\n")
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert site.authority.failures == ([("127.0.0.1", "CP-001", problem.code)] if counted else [])
    assert [each.code for each in site.authority.alarms] == (["ledger.full"] if status == 500 else [])


@pytest.mark.parametrize("headers", [{"Content-Length": str(64 * 1024 * 1024)}, {}], ids=["announced", "counted"])
def test_a_body_that_is_too_long_is_refused_before_it_is_read(site: Site, headers: dict[str, str]) -> None:
    """64 MiB: by its announcement, or as soon as it has more than a request can have."""

    def pieces() -> Iterator[bytes]:
        yield from [b"A" * BODY_BYTES, b"A"]

    body = None if headers else pieces()
    assert site.ask("POST", "/simpleenroll", body, TYPE | headers).status == 413
    assert site.authority.asked == []


def test_a_body_of_the_longest_allowed_length_is_taken(site: Site) -> None:
    """The bound is above every request that OCPP knows."""
    assert site.enroll(b"A" * BODY_BYTES).status == 200


def test_a_body_that_never_ends_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a byte now and then holds no place."""
    monkeypatch.setattr(est_module, "BODY_SECONDS", 0.05)

    assert site.ask("POST", "/simpleenroll", None, TYPE | {"Content-Length": "100"}).status == 408
    assert site.authority.asked == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("POST", "/simpleenroll", {}, 415, id="no type"),
        pytest.param("POST", "/simpleenroll", {"Content-Type": "application/json"}, 415, id="another type"),
        pytest.param("POST", "/simpleenroll", TYPE | {"Authorization": "Bearer x"}, 401, id="another scheme"),
        pytest.param("POST", "/simpleenroll", TYPE | {"Authorization": "Basic %%%"}, 401, id="no base64"),
        pytest.param("POST", "/simpleenroll", TYPE | {"Authorization": "Basic Q1A="}, 401, id="a user alone"),
        pytest.param("POST", "/simpleenroll", TYPE | {"Content-Length": "-1"}, 400, id="a length below nothing"),
        pytest.param("GET", "/simpleenroll", {}, 405, id="read in place of sent"),
        pytest.param("POST", "/cacerts", {}, 405, id="sent in place of read"),
        pytest.param("POST", "/serverkeygen", TYPE, 501, id="a key made here"),
        pytest.param("POST", "/station/fullcmc", TYPE, 501, id="full CMC"),
        pytest.param("GET", "/other/cacerts", {}, 404, id="another label"),
        pytest.param("GET", "/cacerts/", {}, 404, id="a slash too many"),
        pytest.param("GET", "/", {}, 404, id="nothing"),
    ],
)
def test_what_is_not_offered_is_said_without_asking_the_authority(
    site: Site, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Each with the status that says which part of it is wrong, and one line with our code, but for what is no HTTP."""
    answer = site.ask(method, path, b"" if "Content-Length" not in headers else None, headers)
    assert answer.status == status
    assert re.match(rb"est\.\w+: .+\n$", answer.body) or headers.get("Content-Length") == "-1"
    assert (status == 405) == ("allow" in answer.headers)
    assert site.authority.asked == []


def test_who_failed_too_often_waits(site: Site) -> None:
    """429, before anything is read."""
    site.authority.closed = True
    answer = site.enroll()

    assert (answer.status, answer.headers["retry-after"]) == (429, "5")
    assert site.authority.asked == []


def test_an_upper_case_scheme_and_type_with_a_parameter_are_the_same(site: Site) -> None:
    """RFC 9110 8.3.1, 11.1: neither is told apart by case."""
    headers = {"Authorization": BASIC["Authorization"].replace("Basic", "BASIC")}
    headers["Content-Type"] = "Application/PKCS10; x=y"

    assert site.ask("POST", "/simpleenroll", b"csr", headers).status == 200


def test_what_the_client_showed_is_told_as_it_was(tmp_path: Path) -> None:
    """In ASGI's form it is PEM, for the authority DER."""
    authority = Authority()
    application = est(authority.ask, authority, authority.alarms.append)
    shown = LEAF.public_bytes(Encoding.PEM).decode()

    async def story() -> None:
        scope = {
            "type": "http", "method": "POST", "path": "/simplereenroll", "query_string": b"", "root_path": "",
            "headers": [(b"content-type", b"application/pkcs10")], "client": ("192.0.2.7", 1),
            "extensions": {"tls": {"client_cert_chain": (shown,)}},
        }  # fmt: skip
        told = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"csr", "more_body": False}

        async def send(message: object) -> None:
            told.append(message)

        await application(scope, receive, send)

    asyncio.run(story())
    assert authority.asked == [
        calls.Enroll(b"csr", calls.Shown(chain=(LEAF.public_bytes(Encoding.DER),), remote="192.0.2.7"), True)
    ]
