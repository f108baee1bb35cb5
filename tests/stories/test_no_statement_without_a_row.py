"""The authority is killed at every step of signing lists and answers: no signature leaves without a row.

As for certificates: what was only intended is abandoned at the next start, numbers are not used twice, and the next
round, or the next question, makes what was missed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import CRL_POINTS, OCSP_POINTS
from tests.stories.test_no_signature_without_a_row import crash
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

PAPER = Paper.of(1)


def rows(home: Home, table: str) -> list[str]:
    """The states of all rows."""
    with closing(sqlite3.connect(home.ledger)) as ledger:
        return [row[0] for row in ledger.execute(f"SELECT status FROM {table} ORDER BY id")]  # noqa: S608 - our tables


@pytest.mark.parametrize("point", CRL_POINTS)
def test_a_crash_at_any_step_of_signing_a_list_leaves_no_list_without_a_row(tmp_path: Path, point: str) -> None:
    """Before the first record nothing, after it a row, and only a sealed one is served; the next list goes on."""
    home = make_home(tmp_path)
    crash(home, point, calls.SignCrls("root", now=True))
    found = ask_once(home, calls.ListCrls("root"), calls.Crls).crls
    expected = {"crl.planned": [], "crl.intending": [], "crl.sealed": ["valid"]}.get(point, ["abandoned"])
    assert rows(home, "crl") == expected
    assert len(found) == expected.count("valid")
    after = ask_once(home, calls.SignCrls("root", now=True), calls.Crls).crls
    assert rows(home, "crl") == [*("superseded" if each == "valid" else each for each in expected), "valid"]
    assert [row.number for row in found] < [row.number for row in after]
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


@pytest.mark.parametrize("point", OCSP_POINTS)
def test_a_crash_at_any_step_of_answering_leaves_no_answer_without_a_row(tmp_path: Path, point: str) -> None:
    """And the question is answered when it is asked again."""
    home = make_home(tmp_path)
    rows_of = {"ocsp.asked": [], "ocsp.intending": [], "ocsp.sealed": ["valid"]}
    chain = [
        x509.load_pem_x509_certificate((home.ca / f"{name}.pem").read_bytes()) for name in ("server-ecdsa", "csms")
    ]
    builder = ocsp.OCSPRequestBuilder().add_certificate(chain[0], chain[1], hashes.SHA256())
    request = calls.AnswerOcsp(builder.build().public_bytes(Encoding.DER))
    crash(home, point, request)
    at_the_desk(home, _open)
    assert rows(home, "ocsp_answer") == rows_of.get(point, ["abandoned"])
    answer = ask_once(home, request, calls.OcspAnswer)
    assert ocsp.load_der_ocsp_response(answer.der).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert rows(home, "ocsp_answer").count("valid") == 1


async def _open(desk: Desk) -> None:
    """Opening sweeps."""
    await asyncio.sleep(0)
