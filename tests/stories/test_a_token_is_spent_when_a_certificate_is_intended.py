"""The authority is killed at every step of an enrolment; the token is spent exactly when the intention is recorded."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import ISSUE_POINTS
from pki.errors import ForbiddenError, UnreachableError
from tests.pki.edge.office.enrolments import body, by_token
from tests.worlds import connected, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home

STILL_GOOD = {"issue.planned", "issue.intending"}  # before the first record is on the disk


async def enroll(home: Home, call: calls.Enroll) -> None:
    """Ask the authority that is about to die."""
    async with connected(home) as authority:
        await authority.ask(call, calls.Enrolled)


@pytest.mark.parametrize("point", ISSUE_POINTS)
def test_a_crash_leaves_the_token_whole_or_a_row_in_its_place(tmp_path: Path, point: str) -> None:
    """Never is a token gone without a certificate that was intended, nor good beside one."""
    home = make_home(tmp_path)
    ask_once(home, calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
    call = by_token(ask_once(home, calls.MintToken("CP-001"), calls.TokenMinted).token, body())

    with running_authority(home, crash_at=point) as process:
        with pytest.raises(UnreachableError, match=r"authority\.lost"):
            asyncio.run(enroll(home, call))
        assert process.wait(20) == -signal.SIGKILL
    held = ask_once(home, calls.ListCertificates("CP-001"), calls.Certificates).certificates

    assert len(held) == (0 if point in STILL_GOOD else 1)
    if point in STILL_GOOD:
        assert ask_once(home, call, calls.Enrolled).certificate
    else:
        with pytest.raises(ForbiddenError, match=r"est\.credentials"):
            ask_once(home, call, calls.Enrolled)
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)
