"""The application that anybody may ask: right answers, HTTP's caching words, and bounds on everything."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp as library

from pki import ocsp
from pki.assertion_keys import AFTER, AHEAD
from pki.certificate import key_id, to_pem
from pki.edge import calls
from pki.edge.http.keeping import Keeping, seconds
from pki.edge.http.status import KEYS_AGE, MAX_AGE, PATH_LENGTH, Status
from pki.errors import BollardError, NotFoundError, UnreachableError
from tests.pki.papers import issuing, root

if TYPE_CHECKING:
    from collections.abc import MutableMapping

THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
QUESTION = b"\x30\xfe\xff\xfb of any bytes"


class Authority:
    """Gives one answer and one list; ``trouble`` is raised instead."""

    def __init__(self) -> None:
        self.trouble: BollardError | None = None
        self.asked: list[object] = []
        self.alarms: list[BollardError] = []
        self.status = Status(Keeping(self.fetch, self.answer, lambda: seconds(THEN)), self.alarms.append)
        self.status.know([_row("root", root().certificate), _row("station", issuing().certificate)])

    async def fetch(self, issuer: str, shard: int) -> calls.Crl:
        """Give a list."""
        self.asked.append((issuer, shard))
        if self.trouble:
            raise self.trouble
        return calls.Crl(calls.CrlRow(issuer, shard, 1, THEN, THEN + dt.timedelta(days=1), 0), b"a list")

    async def answer(self, request: bytes) -> calls.OcspAnswer:
        """Give an answer."""
        self.asked.append(request)
        if self.trouble:
            raise self.trouble
        end = THEN + dt.timedelta(hours=6)
        return calls.OcspAnswer(b"answer to " + request, THEN, end, THEN + dt.timedelta(hours=3), b"k" * 32, "1a")

    def ask(self, method: str, path: str, body: bytes = b"", query: bytes = b"", **headers: str) -> Answer:
        """Ask once, as the server would hand it over."""
        named = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
        length = [] if "content_length" in headers else [(b"content-length", b"%d" % len(body))]
        scope: MutableMapping[str, object] = {
            "type": "http",
            "method": method,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [*named, *length],
        }
        said: list[MutableMapping[str, object]] = []

        async def receive() -> MutableMapping[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, object]) -> None:
            said.append(message)

        asyncio.run(self.status(scope, receive, send))
        return Answer(said)


class Answer:
    """What was said."""

    def __init__(self, said: list[MutableMapping[str, object]]) -> None:
        start, end = said
        assert isinstance(start["headers"], list | tuple)
        assert isinstance(end["body"], bytes)
        self.status = start["status"]
        self.body = end["body"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}


def _row(name: str, certificate: x509.Certificate) -> calls.IssuerRow:
    pem, end = to_pem([certificate]), certificate.not_valid_after_utc
    return calls.IssuerRow(name, name, certificate.subject.rfc4514_string(), end, key_id(certificate), pem)


def test_a_question_is_answered_by_post_and_by_get_and_the_second_time_from_memory() -> None:
    """RFC 6960 A.1: base64 in the path, escaped or not, with the slash too many that some clients send."""
    authority = Authority()
    packed = base64.b64encode(QUESTION).decode()
    assert "+" in packed or "/" in packed
    paths = [f"/ocsp/{packed}", f"/ocsp/{quote(packed, safe='')}", f"/ocsp//{packed}"]
    answers = [authority.ask("POST", "/ocsp", QUESTION), *(authority.ask("GET", path) for path in paths)]

    assert {answer.body for answer in answers} == {b"answer to " + QUESTION}
    assert {answer.headers["content-type"] for answer in answers} == {"application/ocsp-response"}
    assert authority.asked == [QUESTION]


def test_an_answer_says_how_long_it_may_be_kept() -> None:
    """RFC 5019 6.2; others keep it no longer than an hour, so a revocation is heard of in time."""
    said = Authority().ask("GET", f"/ocsp/{base64.b64encode(QUESTION).decode()}")

    assert said.headers["cache-control"] == f"max-age={MAX_AGE}, public, no-transform, must-revalidate"
    assert said.headers["last-modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert said.headers["expires"] == "Thu, 01 Jan 2026 06:00:00 GMT"
    assert said.headers["etag"] == f'"{hashlib.sha256(said.body).hexdigest()}"'


def test_a_list_is_given_and_not_given_twice_to_whoever_has_it() -> None:
    """By its tag, or by its time."""
    authority = Authority()
    said = authority.ask("GET", "/crl/station/7.crl")

    assert (said.status, said.body, said.headers["content-type"]) == (200, b"a list", "application/pkix-crl")
    tags, moment = f'"x", W/{said.headers["etag"]}', said.headers["last-modified"]
    for header in ({"if_none_match": tags}, {"if_modified_since": moment}):
        again = authority.ask("GET", "/crl/station/7.crl", **header)
        assert (again.status, again.body) == (304, b"")
    assert authority.ask("GET", "/crl/station/7.crl", if_none_match='"other"').status == 200
    assert authority.ask("HEAD", "/crl/station/7.crl").body == b""
    assert authority.asked == [("station", 7)]


def test_our_authorities_certificates_are_given_alone_and_with_those_above() -> None:
    """RFC 5280 4.2.2.1."""
    authority = Authority()
    alone, chain = authority.ask("GET", "/ca/station.crt"), authority.ask("GET", "/ca/station.p7c")

    assert x509.load_der_x509_certificate(alone.body) == issuing().certificate
    assert alone.headers["content-type"] == "application/pkix-cert"
    assert set(pkcs7.load_der_pkcs7_certificates(chain.body)) == {issuing().certificate, root().certificate}
    assert alone.body == issuing().certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/crl/station/7", 404),
        ("GET", "/crl/nobody/7.crl", 404),
        ("GET", "/crl/station/-1.crl", 404),
        ("GET", "/crl/station/1000.crl", 404),
        ("GET", "/crl/../ledger.db", 404),
        ("GET", "/ca/audit.crt", 404),
        ("GET", "/f/token/name", 404),
        ("GET", "/caf\xe9", 404),
        ("GET", "/ocsp", 405),
        ("PUT", "/ocsp", 405),
        ("POST", "/crl/station/7.crl", 405),
        ("GET", "/ocsp/" + "A" * PATH_LENGTH, 414),
    ],
)
def test_anything_else_is_refused_without_asking_the_authority(method: str, path: str, status: int) -> None:
    """One short answer each, which nobody keeps."""
    authority = Authority()
    said = authority.ask(method, path)

    assert (said.status, said.headers["cache-control"]) == (status, "no-store")
    assert (
        said.body.decode().partition(":")[0]
        == {404: "status.path", 405: "status.method", 414: "status.address"}[status]
    )
    assert authority.asked == []
    assert ("allow" in said.headers) is (status == 405)


def test_a_query_is_no_part_of_any_address() -> None:
    """Or one answer could be had under endless names."""
    assert Authority().ask("GET", "/ca/station.crt", query=b"x=1").status == 404


@pytest.mark.parametrize("length", ["67108864", "4097", "99999999999999999999", "-1", "x"])
def test_a_body_that_is_too_long_is_refused_before_it_is_read(length: str) -> None:
    """By what it says of itself; the connection ends."""
    said = Authority().ask("POST", "/ocsp", b"", content_length=length)

    assert (said.status, said.headers["connection"]) == (413, "close")
    assert said.body.startswith(b"status.body: ")


def test_a_body_that_says_nothing_of_its_length_is_counted() -> None:
    """Chunked, it may not be longer either."""
    assert Authority().ask("POST", "/ocsp", bytes(ocsp.REQUEST_LENGTH + 1), content_length="0").status == 413


@pytest.mark.parametrize("path", ["/ocsp/not-base64!", "/ocsp/%ff", "/ocsp/"])
def test_what_is_no_base64_is_a_malformed_request_in_ocsps_own_terms(path: str) -> None:
    """The client's software understands that."""
    said = Authority().ask("GET", path)

    assert library.load_der_ocsp_response(said.body).response_status is library.OCSPResponseStatus.MALFORMED_REQUEST
    assert said.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("problem", [UnreachableError("authority.unreachable", "away"), BollardError("x.y", "broken")])
def test_while_the_authority_is_away_the_asker_is_told_to_come_later(problem: BollardError) -> None:
    """In OCSP's terms and in HTTP's; a fault is told to whoever runs this, an absence is not."""
    authority = Authority()
    authority.trouble = problem
    answer, crl = authority.ask("POST", "/ocsp", QUESTION), authority.ask("GET", "/crl/station/1.crl")

    assert library.load_der_ocsp_response(answer.body).response_status is library.OCSPResponseStatus.TRY_LATER
    assert (crl.status, crl.headers["retry-after"]) == (503, "5")
    assert authority.alarms == [problem] * (0 if isinstance(problem, UnreachableError) else 2)


def test_a_list_that_was_never_signed_is_not_found() -> None:
    """As of a shard that there is none of."""
    authority = Authority()
    authority.trouble = NotFoundError("crl.none", "none")

    assert authority.ask("GET", "/crl/station/200.crl").status == 404


def test_the_keys_for_assertions_are_served_as_they_were_last_told() -> None:
    """None until they are known; others may keep them for a while, but only as long as there is time to."""
    authority = Authority()
    assert authority.ask("GET", "/jwks.json").status == 404
    for keys in (b'{"keys":[]}', b'{"keys":[{}]}'):
        authority.status.publish(keys)
        authority.status.know([])  # authorities come and go without them
        answer = authority.ask("GET", "/jwks.json")
        assert (answer.status, answer.body) == (200, keys)
        assert answer.headers["content-type"] == "application/jwk-set+json"
        assert answer.headers["cache-control"] == f"max-age={KEYS_AGE}, public"
    assert AHEAD.total_seconds() > KEYS_AGE
    assert AFTER.total_seconds() > KEYS_AGE
