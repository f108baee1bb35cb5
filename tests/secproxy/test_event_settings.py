"""What bollard.toml says about events: kept, sent, counted; every slip is named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from secproxy.alerts import AlertRule
from secproxy.causes import CAUSES
from secproxy.config import parse_config
from secproxy.event_settings import MIB, EventSettings, Retention, Sink, Wanted, parse_event_settings
from secproxy.events import Note
from secproxy.kinds import Severity
from tests.documents import DOCS
from tests.secproxy.export.samples import stored
from tests.secproxy.test_config import GOOD

FILE = '[[event_sink]]\nname = "f"\nkind = "file"\npath = "/var/log/e"\n'
TCP = '[[event_sink]]\nname = "t"\nkind = "syslog-tcp"\naddress = "log.example.org:514"\n'
TLS = '[[event_sink]]\nname = "s"\nkind = "syslog-tls"\naddress = "[::1]:6514"\nca_file = "/ca"\n'
HOOK = '[[event_sink]]\nname = "h"\nkind = "webhook"\nurl = "https://Hook.example.org/a?b=c"\nsecret_file = "/s"\n'
OTLP = '[[event_sink]]\nname = "o"\nkind = "otlp"\nurl = "http://127.0.0.1:4318/v1/logs"\n'
ALERT = '[[alert]]\nname = "a"\ntype = "InvalidMessages"\ncount = 3\nwithin = 60\n'


def test_nothing_said_is_the_default() -> None:
    """Events are kept by number and bytes, sent nowhere, and never alarm."""
    settings = parse_event_settings(GOOD)
    assert settings == EventSettings(Retention(0, 500_000, 1024 * MIB), (), ())


def test_everything_that_can_be_said_is_read() -> None:
    """The whole file is taken by the reader of the other tables as well."""
    kept = "[events]\nkeep_days = 400\nkeep_rows = 1000\nkeep_mib = 16\n"
    filters = 'severity = "high"\ntypes = ["InvalidMessages"]\ncauses = ["message.flood"]\nformat = "cef"\n'
    text = kept + FILE + "rotate_mib = 0\n" + TCP + filters + TLS + HOOK + OTLP + ALERT
    parse_config(GOOD + text)
    settings = parse_event_settings(text)
    wanted = Wanted(Severity.HIGH, frozenset({"InvalidMessages"}), frozenset({"message.flood"}))
    assert settings.retention == Retention(400, 1000, 16 * MIB)
    assert settings.sinks == (
        Sink("f", "file", Wanted(), "jsonl", path="/var/log/e", rotate_mib=0),
        Sink("t", "syslog-tcp", wanted, "cef", host="log.example.org", port=514),
        Sink("s", "syslog-tls", Wanted(), "rfc5424", host="::1", port=6514, tls=True, ca_file="/ca"),
        Sink(
            "h", "webhook", Wanted(), host="hook.example.org", port=443, target="/a?b=c", tls=True,
            secret_file="/s",
        ),
        Sink("o", "otlp", Wanted(), host="127.0.0.1", port=4318, target="/v1/logs"),
    )  # fmt: skip
    assert settings.alerts == (AlertRule("a", "InvalidMessages", "", 3, 60, each_station=True),)


@pytest.mark.parametrize(
    ("text", "old", "new", "key"),
    [
        (FILE, 'kind = "file"', 'kind = "fill"', "event_sink.kind"),
        (FILE, "path", "paht", "event_sink.paht"),
        (FILE, "/var", "var", "event_sink.path"),
        (FILE, 'path = "/var/log/e"\n', "", "event_sink.path"),
        (FILE, 'name = "f"', 'name = "F f"', "event_sink.name"),
        (FILE, 'name = "f"\n', "", "event_sink.name"),
        (FILE + FILE, "", "", "event_sink.name"),
        (FILE * 17, "", "", "event_sink"),
        (FILE + "rotate_mib = -1\n", "", "", "event_sink.rotate_mib"),
        (FILE + 'format = "xml"\n', "", "", "event_sink.format"),
        (FILE + 'address = "a:1"\n', "", "", "event_sink.address"),
        (FILE + 'severity = "hihg"\n', "", "", "event_sink.severity"),
        (FILE + 'types = ["InvalidMesages"]\n', "", "", "event_sink.types"),
        (FILE + 'causes = ["message.flod"]\n', "", "", "event_sink.causes"),
        (TCP, ":514", "", "event_sink.address"),
        (TCP, ":514", ":0", "event_sink.address"),
        (TCP, "log.example.org", "log example", "event_sink.address"),
        (TCP + 'ca_file = "/ca"\n', "", "", "event_sink.ca_file"),
        (TCP + 'format = "otlp"\n', "", "", "event_sink.format"),
        (TLS + 'certificate = "/c"\n', "", "", "event_sink.key"),
        (HOOK, "https://", "http://", "event_sink.url"),
        (HOOK, "https://", "https://user:secret@", "event_sink.url"),
        (HOOK, "b=c", "b=c#d", "event_sink.url"),
        (HOOK, "b=c", "b= c", "event_sink.url"),
        (HOOK, "https://Hook.example.org", "https://[", "event_sink.url"),
        (HOOK, 'secret_file = "/s"\n', "", "event_sink.secret_file"),
        (OTLP, "127.0.0.1", "192.0.2.1", "event_sink.url"),
        (OTLP, "4318", "0", "event_sink.url"),
        (ALERT, "InvalidMessages", "InvalidMesages", "alert.type"),
        (ALERT, "type", "cause", "alert.cause"),
        (ALERT + 'cause = "message.flood"\n', "", "", "alert.type"),
        (ALERT, "InvalidMessages", "bollard.AlertThreshold", "alert.type"),
        (ALERT, 'type = "InvalidMessages"', 'cause = "alert.threshold"', "alert.cause"),
        (ALERT, "count = 3", "count = 0", "alert.count"),
        (ALERT, "count = 3", "count = 1001", "alert.count"),
        (ALERT, "within = 60", "within = 0", "alert.within"),
        (ALERT + 'per = "site"\n', "", "", "alert.per"),
        (ALERT + 'often = "yes"\n', "", "", "alert.often"),
        (ALERT + ALERT, "", "", "alert.name"),
        ("[events]\nkeep_days = -1\n", "", "", "events.keep_days"),
        ("[events]\nkeep_rows = 10\n", "", "", "events.keep_rows"),
        ("[events]\nkeep_mib = 1\n", "", "", "events.keep_mib"),
        ("[events]\nkeep_day = 1\n", "", "", "events.keep_day"),
    ],
)
def test_a_slip_is_refused_and_its_key_named(text: str, old: str, new: str, key: str) -> None:
    """Now, by whoever starts anything, and not by the process that would send nothing."""
    slip = text.replace(old, new) if old else text
    for read in (parse_event_settings, lambda it: parse_config(GOOD + it)):
        with pytest.raises(InputError) as refused:
            read(slip)
        assert f": {key}: " in refused.value.cause
        assert "secret@" not in str(refused.value)


def test_the_example_in_the_documentation_is_taken() -> None:
    """Whoever copies it begins with something that works."""
    examples = re.findall(r"```toml\n(.*?)```", (DOCS / "operating.md").read_text(), re.DOTALL)
    [settings] = [parse_event_settings(text) for text in examples if "[[event_sink]]" in text]
    assert [sink.kind for sink in settings.sinks] == ["syslog-tls", "webhook"]
    assert [rule.name for rule in settings.alerts] == ["guessing"]


def test_text_that_is_no_toml_is_refused() -> None:
    """With the parser's own words."""
    with pytest.raises(InputError, match="line 1"):
        parse_event_settings("[events\n")


@given(st.text())
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    """Whatever stands in a value, the answer is settings or an ``InputError``."""
    for key in ("name", "kind", "path", "address", "url", "format"):
        with pytest.raises(InputError):
            parse_event_settings(f'[[event_sink]]\nkind = "webhook"\n{key} = """{text}"""\nname = "x y"\n')


@pytest.mark.parametrize("cause", CAUSES)
def test_a_sink_takes_what_passes_all_its_filters(cause: str) -> None:
    """This severity or a worse one, and one of the types, and one of the causes."""
    event = stored(Note(cause))
    worse = {Severity.CRITICAL, Severity.HIGH}
    assert Wanted().accepts(event)
    assert Wanted(Severity.HIGH).accepts(event) is (event.severity in worse)
    assert Wanted(types=frozenset({"InvalidMessages"})).accepts(event) is (event.type == "InvalidMessages")
    assert Wanted(causes=frozenset({"cert.expired"})).accepts(event) is (cause == "cert.expired")
