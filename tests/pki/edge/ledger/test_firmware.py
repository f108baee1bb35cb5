"""One version names one image for ever, and a download is found by its token's hash while it lasts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge import calls
from pki.edge.ledger import firmware, stations
from pki.errors import ConflictError, NotFoundError
from tests.pki.edge.ledger.ledgers import LATER, THEN, empty_ledger, station

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = calls.ReleaseRow("ab" * 32, 1000, "V", "M", "1.0", "ecdsa-p256-sha256", b"sig", "pem", THEN)
GRANT = firmware.Download(b"t" * 32, "CP-1", "ab" * 32, 1000, "message", LATER, 7)


def test_an_image_is_read_back_and_its_size_known(tmp_path: Path) -> None:
    """Bytes stay bytes, times stay times."""
    with empty_ledger(tmp_path) as ledger:
        firmware.add(ledger, IMAGE)
        assert firmware.every(ledger) == [IMAGE]
        assert firmware.size_of(ledger, IMAGE.digest) == 1000
        with pytest.raises(NotFoundError, match=r"firmware\.unknown"):
            firmware.size_of(ledger, "cd" * 32)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"digest": "cd" * 32}, "firmware.version_conflict"), ({}, "firmware.exists")],
)
def test_a_second_image_under_one_version_is_a_conflict(tmp_path: Path, changes: dict[str, str], code: str) -> None:
    """Which of two it was could never be told afterwards."""
    with empty_ledger(tmp_path) as ledger:
        firmware.add(ledger, IMAGE)
        with pytest.raises(ConflictError) as refused:
            firmware.add(ledger, msgspec.structs.replace(IMAGE, **changes))
    assert refused.value.code == code


def test_one_image_may_serve_several_models(tmp_path: Path) -> None:
    """The digest is not what must be unique."""
    with empty_ledger(tmp_path) as ledger:
        firmware.add(ledger, IMAGE)
        firmware.add(ledger, msgspec.structs.replace(IMAGE, model="M2"))
        assert firmware.size_of(ledger, IMAGE.digest) == 1000


def test_a_download_lasts_until_its_end_and_not_a_second_longer(tmp_path: Path) -> None:
    """Expired and unknown look the same."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        firmware.grant(ledger, GRANT)
        assert firmware.granted(ledger, GRANT.token_hash, LATER - dt.timedelta(seconds=1)) == GRANT
        for token, now in ((GRANT.token_hash, LATER), (b"u" * 32, THEN)):
            with pytest.raises(NotFoundError, match=r"download\.unknown"):
                firmware.granted(ledger, token, now)


def test_a_newer_download_ends_the_stations_older_one_and_no_other(tmp_path: Path) -> None:
    """One update at a time for each station."""
    with empty_ledger(tmp_path) as ledger:
        for number in (1, 2):
            stations.add(ledger, station(number))
        firmware.grant(ledger, GRANT)
        firmware.grant(ledger, msgspec.structs.replace(GRANT, token_hash=b"2" * 32, station="CP-2"))
        firmware.grant(ledger, msgspec.structs.replace(GRANT, token_hash=b"n" * 32))
        with pytest.raises(NotFoundError):
            firmware.granted(ledger, GRANT.token_hash, THEN)
        assert firmware.granted(ledger, b"n" * 32, THEN).station == "CP-1"
        assert firmware.granted(ledger, b"2" * 32, THEN).station == "CP-2"


def test_what_was_served_is_kept(tmp_path: Path) -> None:
    """Evidence of the delivery."""
    with empty_ledger(tmp_path) as ledger:
        stations.add(ledger, station())
        firmware.grant(ledger, GRANT)
        served = msgspec.structs.replace(GRANT, served=500, complete=True, audit_index=9)
        firmware.serve(ledger, served)
        assert firmware.granted(ledger, GRANT.token_hash, THEN) == served
