"""A firmware update is under way when a process is killed: the station gets exactly the verified bytes, or nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import ssl
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from secproxy.frames import POLICY_VIOLATION
from tests.stories import kernel
from tests.stories.town import IMAGE, PAPERS, is_ended, is_refused, talks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.child import Child, Fact
    from tests.stories.town import Town

FIRST_PART = 300_000  # bytes that arrive before the kill
NARROW_BYTES = 64 * 1024  # of receive buffer, so that the rest cannot be on its way already
STATION, NEWCOMER = PAPERS[0].identity, PAPERS[1].identity


def installs(station: Child) -> None:
    """See an update through to its end."""
    end = station.wait_for("installed", lambda fact: "installed" in fact or "failed" in fact)
    assert end.get("sha256") == hashlib.sha256(IMAGE).hexdigest()


def status(answer: Fact) -> object:
    """The status in a station's answer, as the CSMS reports it."""
    found = answer.get("answer")
    return found["status"] if isinstance(found, dict) else None


def location(station: Child) -> str:
    """Where the last update told a station to download from."""
    update = next(text for text in reversed(station.texts("heard")) if "UpdateFirmware" in text)
    return update.partition('"location":"')[2].partition('"')[0]


def heard_of_update(station: Child) -> bool:
    """Whether any update reached a station."""
    return any("UpdateFirmware" in text for text in station.texts("heard"))


@contextlib.contextmanager
def fetching(town: Town, url: str, **headers: str) -> Iterator[HTTPResponse]:
    """An answer of the web process that is read as slowly as one likes."""
    context = ssl.create_default_context(cafile=town.world.folder / "root.pem")
    lines = [f"GET {urlsplit(url).path} HTTP/1.1", "Host: localhost", *(f"{name}: {headers[name]}" for name in headers)]
    with contextlib.ExitStack() as held:
        line = held.enter_context(socket.socket())
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
        line.settimeout(kernel.SECONDS)
        line.connect(("127.0.0.1", town.web_port))
        secured = held.enter_context(context.wrap_socket(line, server_hostname="localhost"))
        secured.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = held.enter_context(contextlib.closing(HTTPResponse(secured)))
        answer.begin()
        yield answer


def rest_of(answer: HTTPResponse) -> bytes:
    """All that still comes until the connection breaks."""
    got = b""
    try:
        while block := answer.read1(FIRST_PART):
            got += block
    except (OSError, HTTPException):
        pass
    return got


def asked_while_the_authority_sleeps(town: Town, station: Child) -> None:
    """Have the CSMS send an update and see that a worker waits for the authority's word on it."""
    kernel.until("the authority has heard what it is", lambda: town.knows_make_of(STATION))
    os.kill(town.pids()["authority"], signal.SIGSTOP)
    town.csms.say({"send": "UpdateFirmware", "to": STATION, "payload": town.update(7)})
    town.csms.wait_for("it went out", lambda fact: "said" in fact and '"UpdateFirmware"' in str(fact["message"]))
    talks(station, "behind-it")
    assert not heard_of_update(station)


def refusal(town: Town) -> object:
    """The CSMS's answer to the update, and the event that tells why; both must say no."""
    answer = town.csms.wait_for("an answer", lambda fact: fact.get("sent") == "UpdateFirmware")
    [event] = [event for event in town.events() if event["type"] == "bollard.FirmwareRefused"]
    assert event["cause"] == "firmware.declined"
    return status(answer)


def test_an_authority_killed_between_the_request_and_its_grant_lets_no_update_through(town: Town) -> None:
    """The CSMS hears ``Rejected`` without a wait; the same request is good once the authority is back."""
    station = town.connects(STATION)
    asked_while_the_authority_sleeps(town, station)
    gone = town.kill("authority")

    assert refusal(town) == "Rejected"
    talks(station, "afterwards")
    assert not heard_of_update(station)
    town.is_back("authority", gone)
    kernel.until("a worker knows it", lambda: status(town.updates(STATION, 8)) == "Accepted")
    installs(station)


def test_while_the_authority_is_away_only_what_needs_its_word_is_refused(town: Town) -> None:
    """Stations talk on, known ones come in, an update is refused; then a revocation works as it always does."""
    station = town.connects(STATION)
    with town.without_authority():
        newcomer = town.connects(NEWCOMER)
        assert status(town.updates(STATION, 9)) == "Rejected"
        for each in (station, newcomer):
            talks(each, "while-away")
    assert not heard_of_update(station)
    town.revoke(NEWCOMER)

    is_ended(newcomer, POLICY_VIOLATION)
    is_refused(town.knocks(NEWCOMER))


@pytest.mark.parametrize("again", [{"Range": f"bytes={FIRST_PART}-"}, {}], ids=["the rest", "all of it"])
def test_a_download_that_a_kill_broke_off_is_finished_over_the_same_link(town: Town, again: dict[str, str]) -> None:
    """The broken part is never taken for the whole; the rest, or all of it anew, is what was verified."""
    station = town.connects(STATION)
    assert status(town.updates(STATION, 10)) == "Accepted"
    installs(station)
    link = location(station)
    with fetching(town, link) as answer:
        part = answer.read(FIRST_PART)
        gone = town.kill("web")
        broken = part + rest_of(answer)
    town.is_back("web", gone)
    with fetching(town, link, **again) as answer:
        finished = answer.read()

    assert IMAGE.startswith(broken)
    assert len(broken) < len(IMAGE)
    assert (part + finished if again else finished) == IMAGE
    talks(station, "afterwards")
