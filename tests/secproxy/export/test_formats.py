"""The formats by name."""

from __future__ import annotations

import pytest

from secproxy.export import rfc5424
from secproxy.export.formats import FORMATS, syslog_message
from tests.secproxy.export.samples import ORIGIN, SAMPLE, is_harmless, read_syslog


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_writes_an_event_as_one_line(name: str) -> None:
    """Lines can be put one behind the other in a file."""
    assert is_harmless(FORMATS[name](SAMPLE, ORIGIN))


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "rfc5424"])
def test_a_syslog_message_can_carry_any_format(name: str) -> None:
    """CEF over syslog is what many collectors want."""
    assert read_syslog(syslog_message(SAMPLE, ORIGIN, name)).message.encode() == FORMATS[name](SAMPLE, ORIGIN)


def test_syslogs_own_format_is_not_wrapped() -> None:
    """It is a whole message already."""
    assert syslog_message(SAMPLE, ORIGIN, "rfc5424") == rfc5424.write(SAMPLE, ORIGIN)
