"""The OCSP answers that go into the handshake with our own server certificates (RFC 6066 8): fetched, kept, renewed.

Rules this file keeps:

* No staple rather than a stale one: an answer is given between its times alone, and no more once its certificate's
  status changed.
* What is given is what the authority tells anybody who asks; it is asked again when half of an answer's life is over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPRequestBuilder

from pki.edge import calls
from pki.edge.clock import now
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from secproxy.edge.authority_line import AuthorityLine

RETRY_SECONDS: Final = 30.0  # until one is asked for again that could not be had; the authority's round of duties


class Staples:
    """The answers of one process. ``ask`` takes an OCSPRequest to the authority."""

    def __init__(self, ask: Callable[[bytes], Awaitable[calls.OcspAnswer]]) -> None:
        self._ask = ask
        self._questions: dict[bytes, bytes] = {}
        self._answers: dict[bytes, calls.OcspAnswer] = {}
        self._changed = asyncio.Event()

    def present(self, credentials: calls.Credentials) -> None:
        """These are our certificates from now on; what was known of them may have changed unnoticed."""
        self._questions = dict(_questions(credentials))
        self._answers = {}
        self._changed.set()

    def forget(self, issuer_key_id: bytes, serial: str) -> None:
        """The status of a certificate changed."""
        about = (issuer_key_id, serial)
        self._answers = {der: kept for der, kept in self._answers.items() if (kept.issuer_key_id, kept.serial) != about}
        self._changed.set()

    def of(self, certificate: bytes) -> bytes:
        """Return the answer about a certificate (DER) that holds now, or nothing."""
        kept = self._answers.get(certificate)
        if kept is None or kept.this_update is None or kept.next_update is None:
            return b""
        return kept.der if kept.this_update <= now() < kept.next_update else b""

    async def keep(self) -> None:
        """Keep answers fresh, for ever."""
        while True:
            self._changed.clear()
            for certificate, question in self._questions.items():
                if self._seconds(certificate) <= 0:
                    await self._fetch(certificate, question)
            if not self._changed.is_set():  # news that came meanwhile may be about what was just fetched
                await self._rest()

    async def _fetch(self, certificate: bytes, question: bytes) -> None:
        try:
            answer = await self._ask(question)
        except BollardError:
            return  # away: the one at hand is given for as long as it holds
        if answer.serial and not self._changed.is_set():
            self._answers[certificate] = answer

    async def _rest(self) -> None:
        pause = min((self._seconds(each) or RETRY_SECONDS for each in self._questions), default=None)
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            pass  # one of them is half spent, or was not to be had

    def _seconds(self, certificate: bytes) -> float:
        """How long the answer at hand is good enough; zero when there is none."""
        kept = self._answers.get(certificate)
        return max(0.0, (kept.keep_until - now()).total_seconds()) if kept and kept.keep_until else 0.0


def staples_by(line: AuthorityLine) -> Staples:
    """Make the staples that are fetched over this line."""
    return Staples(lambda question: line.ask(calls.AnswerOcsp(question), calls.OcspAnswer))


def _questions(credentials: calls.Credentials) -> Iterator[tuple[bytes, bytes]]:
    """Write the question about each of our certificates that comes with its issuer."""
    for chain in credentials.chains():
        leaf, *above = x509.load_pem_x509_certificates(chain.encode())
        if above:
            asked = OCSPRequestBuilder().add_certificate(leaf, above[0], SHA1())  # noqa: S303 - it names, RFC 5019 2.1.1
            yield leaf.public_bytes(Encoding.DER), asked.build().public_bytes(Encoding.DER)
