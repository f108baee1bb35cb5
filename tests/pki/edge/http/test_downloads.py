"""``pki.edge.http.downloads``: over real HTTPS a granted link gives the verified image, every other gives 404."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest

from pki.edge.vault import BLOCK_BYTES
from pki.errors import BollardError, UnreachableError
from tests.pki.edge.http.serving import Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = os.urandom(2 * BLOCK_BYTES + 1000)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server with one granted image."""
    with serving(tmp_path, IMAGE) as site:
        yield site


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server for questions that use nothing up."""
    with serving(tmp_path_factory.mktemp("standing"), IMAGE) as site:
        yield site


def test_a_granted_link_gives_the_image_with_its_digest(site: Site) -> None:
    """Length, type, strong tag and digest (RFC 9530) go with the bytes; nothing is cached."""
    answer = site.ask(site.path)
    digest = f"sha-256=:{base64.b64encode(bytes.fromhex(site.digest)).decode()}:"
    assert (answer.status, answer.body) == (200, IMAGE)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["etag"] == f'"{site.digest}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-digest"] == answer.headers["repr-digest"] == digest
    assert answer.headers["cache-control"] == "no-store"


def test_head_gives_the_same_headers_and_no_bytes(site: Site) -> None:
    """A station may look before it fetches; looking is not serving."""
    looked, fetched = site.ask(site.path, "HEAD"), site.ask(site.path)
    assert (looked.status, looked.body) == (200, b"")
    dates = {"date"}
    assert {k: v for k, v in looked.headers.items() if k not in dates} == {
        k: v for k, v in fetched.headers.items() if k not in dates
    }
    assert looked.headers["content-length"] == str(len(IMAGE))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        (f"bytes={BLOCK_BYTES - 1}-{BLOCK_BYTES}", BLOCK_BYTES - 1, BLOCK_BYTES),
        ("bytes=300000-", 300_000, len(IMAGE) - 1),
        ("bytes=-7", len(IMAGE) - 7, len(IMAGE) - 1),
    ],
)
def test_a_station_may_resume_with_one_range(standing: Site, asked: str, first: int, last: int) -> None:
    """The part is named, and its digest is that of the whole image only under its right name."""
    answer = standing.ask(standing.path, Range=asked)
    assert (answer.status, answer.body) == (206, IMAGE[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(IMAGE)}"
    assert "repr-digest" in answer.headers
    assert "content-digest" not in answer.headers


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=5-1", "bytes=99999999-", "bytes=-0", "bytes=x-"])
def test_gate_56_any_other_range_is_416(standing: Site, asked: str) -> None:
    """The answer says how large the image is, and nothing of it."""
    answer = standing.ask(standing.path, Range=asked)
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(IMAGE)}"


def test_a_resume_of_another_image_starts_over(site: Site) -> None:
    """If-Range must name these very bytes (RFC 9110 13.1.5); a date never does."""
    assert site.ask(site.path, Range="bytes=10-", If_Range=f'"{site.digest}"').status == 206
    assert site.ask(site.path, Range="bytes=10-", If_Range='"other"').body == IMAGE
    assert site.ask(site.path, Range="bytes=10-", If_Range="Mon, 01 Jun 2026 12:00:00 GMT").body == IMAGE


def test_gate_57_every_link_that_was_not_granted_gets_the_same_404(standing: Site) -> None:
    """Guessed, misspelt, listed or climbed: one answer, which tells nothing."""
    token, name = standing.token, f"{standing.digest[:16]}.bin"
    paths = [
        f"/f/{'A' * 22}/{name}",
        f"/f/{token[:-1]}/{name}",
        f"/f/{token}/{'0' * 16}.bin",
        f"/f/{token}/{standing.digest}.bin",
        f"/f/{token}/",
        f"/f/{token}/{name}/",
        f"/f/{token}/..%2f{name}",
        f"/f/%00{token}/{name}",
        f"/f/{token}/%C3%A4",
        "/f/",
        "/",
        "/f/x/y",
    ]
    answers = [standing.ask(path) for path in paths]
    assert {(answer.status, answer.body) for answer in answers} == {(404, b"404\n")}


def test_gate_57_a_link_that_was_withdrawn_is_404_at_once(site: Site) -> None:
    """The authority is asked every time."""
    assert site.ask(site.path, "HEAD").status == 200
    site.desk.granted.clear()
    assert site.ask(site.path).status == 404


def test_gate_56_a_link_serves_three_times_its_image_and_then_429(site: Site) -> None:
    """A station that starts over and over is stopped before it becomes a load."""
    assert [site.ask(site.path).status for _ in range(4)] == [200, 200, 200, 429]


def test_gate_56_a_transfer_beyond_the_budget_breaks_off(site: Site) -> None:
    """What is left is served, the rest is not, and the length announced shows it."""
    assert site.ask(site.path, Range="bytes=0-9").whole
    for _ in range(2):
        assert site.ask(site.path).whole
    last = site.ask(site.path)
    assert (last.status, last.whole) == (200, False)
    assert last.body == IMAGE[: len(last.body)]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_nothing_but_get_and_head_is_answered(standing: Site, method: str) -> None:
    """There is nothing to change here."""
    assert standing.ask(standing.path, method).status == 405


def test_what_was_served_is_recorded(site: Site) -> None:
    """First and last byte, and whether the image's end was reached."""
    site.ask(site.path, Range="bytes=0-99")
    site.ask(site.path, Range="bytes=100-")
    assert wait_for(site, 2) == [(0, 99, False), (100, len(IMAGE) - 1, True)]


def test_a_client_that_hangs_up_is_recorded_with_what_it_took(tmp_path: Path) -> None:
    """The record never says complete for a transfer that was not."""
    with serving(tmp_path, os.urandom(16 * 1024 * 1024)) as site:
        connection = site.connect()
        connection.request("GET", site.path)
        connection.getresponse().read(1000)
        connection.close()
        ((first, last, complete),) = wait_for(site, 1)
    assert first == 0
    assert 0 < last < 16 * 1024 * 1024 - 1
    assert not complete


def test_while_the_authority_is_away_links_wait(site: Site) -> None:
    """503 with a time to try again, and the same link works afterwards."""
    site.desk.away = UnreachableError("authority.unreachable", "away")
    answer = site.ask(site.path)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    site.desk.away = None
    assert site.ask(site.path).body == IMAGE


def test_a_server_that_is_about_to_end_begins_no_download(site: Site) -> None:
    """503 with a time to try again: its successor will be there."""
    site.desk.ending = True
    for method in ("GET", "HEAD"):
        answer = site.ask(site.path, method)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert site.desk.served == []


def test_a_record_that_cannot_be_kept_raises_an_alarm(site: Site) -> None:
    """The image was served all the same; the gap in the record is told."""
    site.desk.full = BollardError("ledger.full", "the disk is full")
    assert site.ask(site.path).body == IMAGE
    assert site.desk.told.wait(10)
    assert site.desk.alarms == [site.desk.full]


def test_gate_55_a_damaged_image_is_not_served_and_raises_an_alarm(site: Site) -> None:
    """Before the first look: 503 and an alarm that names the image."""
    spoil(site, len(IMAGE) - 1)
    assert site.ask(site.path).status == 503
    assert [alarm.code for alarm in site.desk.alarms] == ["vault.damaged"]


def test_gate_55_an_image_damaged_while_served_never_arrives_whole(site: Site) -> None:
    """The transfer stops before the damage; the station sees a broken download."""
    assert site.ask(site.path, "HEAD").status == 200
    spoil(site, BLOCK_BYTES + 1)
    answer = site.ask(site.path)
    assert (answer.status, answer.whole) == (200, False)
    assert answer.body == IMAGE[:BLOCK_BYTES]
    assert [alarm.code for alarm in site.desk.alarms] == ["vault.damaged"]


def test_the_health_page_answers(standing: Site) -> None:
    """Load balancers ask for it."""
    answer = standing.ask("/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


def spoil(site: Site, position: int) -> None:
    """Flip one bit of the stored image, as root or bit rot would."""
    path = site.folder / "vault" / "sha256" / site.digest[:2] / site.digest
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))


def wait_for(site: Site, count: int) -> list[tuple[int, int, bool]]:
    """The records kept, once there are ``count`` of them."""
    while len(site.desk.served) < count:
        site.desk.told.clear()
        if len(site.desk.served) < count:
            assert site.desk.told.wait(10)
    return [(served.first, served.last, served.complete) for served in site.desk.served]
