"""Events of a running ``bollard up`` reach those who collect them: a real rsyslogd, a webhook, a file.

Whatever dies meanwhile, every event arrives; some may arrive twice. Nothing that a station writes is more than text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.secproxy.export.samples import is_harmless
from tests.stories import kernel
from tests.stories.collectors import RSYSLOGD, TLS_DRIVER, Hook, Syslog, hook
from tests.stories.strangers import Strangers
from tests.stories.town import PAPERS, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WITH_RSYSLOG = pytest.mark.skipif(not RSYSLOGD, reason="THERE IS NO rsyslogd HERE: apt-get install rsyslog")
WAYS = [
    pytest.param("udp", marks=WITH_RSYSLOG),
    pytest.param("tcp", marks=WITH_RSYSLOG),
    pytest.param(
        "tls",
        marks=[
            WITH_RSYSLOG,
            pytest.mark.skipif(not TLS_DRIVER, reason="rsyslogd HAS NO TLS HERE: apt-get install rsyslog-openssl"),
        ],
    ),
]
SECRET = b"a-secret-of-thirty-two-bytes-----"
ALARM = 'lid"]\\ =|\r\n<34>1 2026-01-01T00:00:00Z evil - - - [x@1 y="z"]\x1b[2J\u2028\x00'

_SINKS = """
[[event_sink]]
name = "udp"
kind = "syslog-udp"
address = "127.0.0.1:{udp}"
format = "cef"
[[event_sink]]
name = "tcp"
kind = "syslog-tcp"
address = "127.0.0.1:{tcp}"
[[event_sink]]
name = "tls"
kind = "syslog-tls"
address = "localhost:{tls}"
ca_file = "{folder}/syslog/ca.pem"
[[event_sink]]
name = "file"
kind = "file"
path = "{folder}/events.jsonl"
[[event_sink]]
name = "hook"
kind = "webhook"
url = "https://localhost:{hook}/events?of=us"
secret_file = "{folder}/secret"
ca_file = "{folder}/hook-ca.pem"
types = ["bollard.IdentityMismatch", "bollard.AlertThreshold"]
[[alert]]
name = "shadowing"
type = "bollard.IdentityMismatch"
per = "all"
count = 5
within = 86400
"""


class Collected(Town):
    """A town whose events are sent on, and those who collect them."""

    def __init__(self, folder: Path, syslog: Syslog, receiver: Hook) -> None:
        self.syslog = syslog
        self.hook = receiver
        self.file = folder / "events.jsonl"
        super().__init__(folder)

    def settle(self) -> None:
        """Name the collectors in the settings, before anything runs."""
        (self.world.folder / "secret").write_bytes(SECRET + b"\n")
        (self.world.folder / "secret").chmod(0o600)
        sinks = _SINKS.format(folder=self.world.folder, hook=self.hook.port, **self.syslog.ports)
        self.home.settings.write_text(self.home.settings.read_text() + sinks)

    def named(self, way: str) -> set[str]:
        """The stations whose events arrived this way."""
        if way == "file":
            return {json.loads(line)["station"] for line in self.file.read_text().splitlines()}
        if way == "hook":
            return {str(event["station"]) for event in self.hook.events()}
        return {word for fact in self.syslog.received(way) for word in _words(fact) if word.startswith("GHOST")}

    def has_all(self, way: str, names: set[str]) -> None:
        """Wait until the events of all these stations arrived."""
        kernel.until(f"{len(names)} events arrive by {way}", lambda: names <= self.named(way))


def _words(fact: dict[str, str]) -> list[str]:
    return f"{fact['data']} {fact['message']}".replace('"', " ").replace("=", " ").replace(",", " ").split()


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    """A town with collectors, for all stories of this file."""
    folder = tmp_path_factory.mktemp("town")
    syslog = Syslog.at(folder / "syslog")
    if RSYSLOGD:
        syslog.start()
    with hook(folder, SECRET) as receiver:
        town = Collected(folder, syslog, receiver)
        yield town
        town.close()
    if RSYSLOGD:
        syslog.kill()


@pytest.fixture
def collected(town: Town) -> Collected:
    """The town, by its own name."""
    assert isinstance(town, Collected)
    return town


def knocks(town: Collected, most: int) -> set[str]:
    """Let strangers knock until so many were refused; who they were."""
    strangers = Strangers(town.port, town.world.folder)
    with strangers.knocking():
        strangers.wait_for(most)
    return strangers.answered()


@pytest.mark.parametrize("way", [*WAYS, "file", "hook"])
def test_events_arrive_while_everything_runs(collected: Collected, way: str) -> None:
    """Each way at once, none of them waiting for another."""
    collected.has_all(way, knocks(collected, 10))


@pytest.mark.parametrize("way", WAYS)
def test_attack_38_what_a_station_writes_stays_one_message(collected: Collected, way: str) -> None:
    """Quotes, brackets, line ends, a whole message within a station's text: rsyslog finds one message, and the text."""
    station = collected.connects(PAPERS[0].identity)
    report = {"type": "TamperDetectionActivated", "timestamp": "2026-01-01T00:00:00Z", "techInfo": f"{way} {ALARM}"}
    station.say({"say": json.dumps([2, f"alarm-{way}", "SecurityEventNotification", report])})

    def arrived() -> list[dict[str, str]]:
        return [fact for fact in collected.syslog.received(way) if f"{way} lid" in fact["data"] + fact["message"]]

    [fact] = kernel.until("the alarm arrives", arrived)
    assert (fact["app"], fact["msgid"], fact["priority"]) == ("bollard", "station.event", "82")
    assert r"\r\n<34>1" in re.sub(r"\\+", r"\\", fact["data"] + fact["message"])
    assert {each["app"] for each in collected.syslog.received()} == {"bollard"}
    assert "#0" not in fact["data"] + fact["message"], "rsyslog had to escape a control character"
    assert is_harmless(json.dumps(fact).encode())


def test_a_receiver_that_fails_first_is_sent_the_same_delivery_again(collected: Collected) -> None:
    """Under its own id, signed; a redirect is a failure and not followed. Meanwhile status tells that it is down."""
    collected.hook.failing, collected.hook.status = True, 307
    names = knocks(collected, 3)
    kernel.until("it is tried again", lambda: len(collected.hook.refused) > 1)
    kernel.until("status tells", lambda: "sink.answer" in sinks(collected)["hook"]["trouble"])
    collected.hook.failing = False
    collected.has_all("hook", names)

    [again] = set(collected.hook.refused)
    assert [body["delivery"] for delivery, body in collected.hook.deliveries if delivery == again] == [again]
    kernel.until("nothing is wrong any more", lambda: sinks(collected)["hook"]["trouble"] == "")


def test_a_rule_raises_one_alert_which_is_exported_as_well(collected: Collected) -> None:
    """Many strangers, one alert: the rule is quiet until its window is over, even through a restart."""
    knocks(collected, 10)
    is_alert: Callable[[dict[str, object]], bool] = lambda event: event["cause"] == "alert.threshold"  # noqa: E731
    kernel.until("the alert arrives", lambda: list(filter(is_alert, collected.hook.events())))
    collected.is_back("web", collected.kill("web"))
    collected.has_all("hook", knocks(collected, 10))

    [alert] = filter(is_alert, collected.events())
    evidence = alert["evidence"]
    assert isinstance(evidence, dict)
    assert (alert["type"], evidence["rule"], evidence["count"]) == ("bollard.AlertThreshold", "shadowing", 5)


def test_killing_the_process_that_exports_loses_no_event(collected: Collected) -> None:
    """It is killed again and again while strangers knock; each of them is found at every collector with a say."""
    strangers = Strangers(collected.port, collected.world.folder)
    with strangers.knocking():
        for more in (5, 17, 3):
            strangers.wait_for(more)
            collected.is_back("web", collected.kill("web"))
        strangers.wait_for(5)
    syslog = [way for way, there in (("tcp", RSYSLOGD), ("tls", RSYSLOGD and TLS_DRIVER)) if there]
    for way in (*syslog, "file", "hook"):
        collected.has_all(way, strangers.answered())


@WITH_RSYSLOG
def test_a_collector_that_was_away_gets_what_happened_meanwhile(collected: Collected) -> None:
    """It is killed with a connection open; the proxy goes on, and the events wait."""
    collected.has_all("tcp", knocks(collected, 3))
    collected.syslog.kill()
    names = knocks(collected, 20)
    kernel.until("status tells", lambda: sinks(collected)["tcp"]["trouble"])
    assert collected.connects(PAPERS[1].identity)
    collected.syslog.start()
    collected.has_all("tcp", names)


def sinks(town: Collected) -> dict[str, dict[str, str]]:
    """What ``bollard status`` says about the collectors."""
    status = json.loads(town.world.bollard("-o", "json", "status", shown=False))
    return {sink["name"]: sink for sink in status["event_sinks"]}
