"""Everything is looked at, whether or not anything runs; what fails is told, and hides nothing else."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import sqlite3
from typing import TYPE_CHECKING

import pytest

from pki.edge.home import Home
from pki.health import Collector, Weight, judge
from secproxy.config import parse_config
from secproxy.edge import examination, landlock
from secproxy.edge.effective import put_in_force
from secproxy.edge.export.outbox import Outbox
from secproxy.edge.export.standing import Standing, write_standing
from secproxy.edge.recorder import Recorder
from tests.secproxy.edge import houses as bring_up
from tests.worlds import free_port, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path


def critical(home: Home) -> set[tuple[str, str]]:
    """What is critical, by its code and what it is about."""
    symptoms = judge(examination.examine(home))
    return {(symptom.code, symptom.what.split(" ws")[0]) for symptom in symptoms if symptom.weight is Weight.CRITICAL}


@pytest.mark.parametrize("running", [True, False])
def test_a_fresh_home_has_nothing_critical(tmp_path: Path, running: bool) -> None:
    """With an authority and without one, the same is known."""
    home = make_home(tmp_path)
    if running:
        with running_authority(home):
            assert critical(home) == set()
            assert examination.examine(home).known is not None
    else:
        assert critical(home) == set()
        assert examination.examine(home).known is not None


def test_an_authority_that_hangs_is_told_and_not_waited_for(tmp_path: Path) -> None:
    """What only it could say is told as not looked at."""
    home = make_home(tmp_path)
    with running_authority(home) as process:
        process.send_signal(signal.SIGSTOP)
        try:
            facts = examination.examine(home)
        finally:
            process.send_signal(signal.SIGCONT)
    assert facts.known is None
    assert facts.unseen
    assert ("health.process", "authority") in {(symptom.code, symptom.what) for symptom in judge(facts)}


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda home: (home.keys / "passphrase").unlink(), ("health.failed", "authority")),
        (lambda home: (home.keys / "audit.pem").unlink(), ("health.failed", "authority")),
        (lambda home: home.ledger.write_bytes(b"x" * 5000), ("health.failed", "authority")),
        (lambda home: home.settings.write_text("[organisation"), ("health.failed", "bollard.toml")),
        (lambda home: _execute(home, "DELETE FROM own_key WHERE name = 'ocsp'"), ("health.failed", "audit log")),
        (lambda home: shutil.rmtree(home.run), ("health.failed", "authority")),
    ],
    ids=["no passphrase", "no audit key", "no ledger", "no settings", "a row dropped", "no folder for the lock"],
)
def test_what_is_broken_is_critical(tmp_path: Path, break_it: object, expected: tuple[str, str]) -> None:
    """In the words of its own error."""
    home = make_home(tmp_path)
    assert callable(break_it)
    break_it(home)
    assert expected in critical(home)


def test_every_mistake_in_the_settings_is_told_by_itself_and_once(tmp_path: Path) -> None:
    """The authority cannot open for the same reason; that is no second thing to put right."""
    home = make_home(tmp_path)
    home.settings.write_text(home.settings.read_text() + "[webb]\n[keys]\nx = 1\n[log]\nformat = 1\n")
    facts = examination.examine(home)
    assert [(each.what, each.cause.partition(": ")[2].partition(": ")[0]) for each in facts.failed] == [
        ("bollard.toml", "webb"),
        ("bollard.toml", "keys.x"),
        ("bollard.toml", "log.format"),
    ]
    assert facts.unseen


def test_a_mistake_that_is_not_in_force_yet_is_told_and_what_runs_is_examined(tmp_path: Path) -> None:
    """Somebody edits the file while everything is up; the next start would fail."""
    home = make_home(tmp_path)
    put_in_force(home, parse_config(home.settings.read_text()), {})
    home.settings.write_text(home.settings.read_text() + '[[listener]]\naddress = "x"\nprofile = 3\n')
    facts = examination.examine(home)
    assert [each.what for each in facts.failed] == ["bollard.toml"]
    assert facts.collector is not None


def test_what_the_system_refuses_is_told_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that became read-only in the night: the authority cannot even take its lock."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "lock")

    monkeypatch.setattr(examination, "ask_once", refuse)
    facts = examination.examine(make_home(tmp_path))

    assert [(each.what, each.code, each.cause) for each in facts.failed] == [
        ("authority", "system", "Read-only file system: 'lock'")
    ]
    assert facts.disk is not None
    assert facts.unseen


def test_what_events_could_not_be_sent_on_with_is_told(tmp_path: Path) -> None:
    """Though no event has been sent yet."""
    home = make_home(tmp_path)
    sink = '[[event_sink]]\nname = "x"\nkind = "webhook"\nurl = "http://127.0.0.1:1"\nsecret_file = "/none"\n'
    home.settings.write_text(home.settings.read_text() + sink)
    [failed] = examination.examine(home).failed
    assert (failed.what, failed.code) == ("event sinks, traces", "sink.file")
    assert failed.cause.startswith("x: '/none' cannot be read")


def test_a_supervisor_that_hangs_is_told(tmp_path: Path) -> None:
    """The kernel takes connections in its place, so it is asked, and has to answer; it did before, and does again."""
    home = Home(bring_up.make_home(tmp_path / "home"))

    def answers() -> bool | None:
        return dict(examination.examine(home).running)["proxy"]

    assert answers() is None
    with bring_up.up(home.path) as running:
        running.wait_for("bollard ready")
        assert answers() is True
        running.process.send_signal(signal.SIGSTOP)
        try:
            assert answers() is False
        finally:
            running.process.send_signal(signal.SIGCONT)


def test_collectors_of_events_are_looked_at(tmp_path: Path) -> None:
    """With what is wrong with each; an event database that cannot be read hides nothing else."""
    home = make_home(tmp_path)
    Recorder(home, sinks=["siem"]).catch_up()
    Outbox(home.events, "siem").failed("it is down")
    [receiver] = examination.examine(home).receivers
    assert (receiver.name, receiver.waiting, receiver.trouble) == ("siem", 0, "it is down")
    home.events.write_bytes(b"spoilt" * 1_000)
    assert ("health.failed", "events") in critical(home)


def test_the_collector_of_traces_is_looked_at(tmp_path: Path) -> None:
    """As what runs last knew of it; off is known too, and settings that cannot be read leave it unknown."""
    home = make_home(tmp_path)
    assert examination.examine(home).collector == Collector()
    with home.settings.open("a") as settings:
        settings.write('[traces]\notlp = "http://127.0.0.1:4318/v1/traces"\n')
    assert examination.examine(home).collector == Collector("http://127.0.0.1:4318/v1/traces")
    write_standing(home, Standing("http://127.0.0.1:4318/v1/traces", trouble="it is down", since="then"))
    found = examination.examine(home).collector
    assert found is not None
    assert (found.trouble, found.since) == ("it is down", "then")
    home.settings.write_text("wrong")
    assert examination.examine(home).collector is None


def test_a_csms_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As the settings name it, or as the running proxy was told."""
    home, port = make_home(tmp_path), free_port()
    text = home.settings.read_text()
    home.settings.write_text(text.replace('upstream = ""', f'upstream = "ws://127.0.0.1:{port}"'))
    assert critical(home) == {("health.upstream", "CSMS")}
    (home.run / "config.toml").write_text(text)
    assert critical(home) == set()


def _execute(home: Home, statement: str) -> None:
    ledger = sqlite3.connect(home.ledger)
    ledger.execute(statement)
    ledger.commit()
    ledger.close()


def test_a_listener_of_old_tls_is_told_with_its_stations(tmp_path: Path) -> None:
    """Until the last of them has new firmware, every look at the home shows it."""
    home = make_home(tmp_path)
    before = examination.examine(home).unsafe
    words = '[[listener]]\naddress = "127.0.0.1:8441"\nprofile = 2\nunsafe_legacy_tls = true\nstations = ["CP-9"]\n'
    home.settings.write_text(home.settings.read_text() + words)
    [found] = set(examination.examine(home).unsafe) - set(before)
    assert (found.what, "CP-9" in found.says) == ("listener 127.0.0.1:8441", True)


@pytest.mark.skipif(os.geteuid() != 0, reason="ONLY ROOT CAN GIVE A HOME AWAY: run as root to test it")
def test_a_home_of_root_s_is_told_and_one_with_a_user_of_its_own_is_not(tmp_path: Path) -> None:
    """Whoever takes over a process that runs as root has the host."""
    home = make_home(tmp_path)
    assert "processes" in {each.what for each in examination.examine(home).unsafe}
    os.chown(home.path, 65_534, 65_534)
    assert "processes" not in {each.what for each in examination.examine(home).unsafe}


@pytest.mark.parametrize(
    ("setting", "version", "says"),
    [("true", 7, "unsafe_no_landlock"), ("false", 0, "no Landlock"), ("false", 7, "")],
    ids=["switched off", "none in the kernel", "there"],
)
def test_workers_without_a_fence_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, version: int, says: str
) -> None:
    """Whoever it was that left it out."""
    monkeypatch.setattr(landlock, "version", lambda: version)
    home = make_home(tmp_path)
    text = re.sub(r"(?m)^\[proxy\]$", f"[proxy]\nunsafe_no_landlock = {setting}", home.settings.read_text())
    home.settings.write_text(text)
    found = [each.says for each in examination.examine(home).unsafe if each.what == "workers"]

    assert [says in each for each in found] == ([True] if says else [])


def test_listeners_that_weaken_security_are_found(tmp_path: Path) -> None:
    """Each with the setting that does it."""
    home = make_home(tmp_path)
    before = examination.examine(home).unsafe
    text = home.settings.read_text().replace("profile = 2", "profile = 1\nunsafe_plain = true")
    home.settings.write_text(text.replace("profile = 3", 'profile = 3\nunknown = "unsafe_observe"'))
    found = set(examination.examine(home).unsafe) - set(before)

    assert {each.what for each in found} == {"listener 0.0.0.0:8442", "listener 0.0.0.0:8443"}
    assert {each.says.split()[0] for each in found} == {"unsafe_plain", "unsafe_observe"}
