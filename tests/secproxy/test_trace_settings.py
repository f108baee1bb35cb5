"""What bollard.toml says about traces: off unless a collector is named, and every slip is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from secproxy.config import parse_config
from secproxy.event_settings import Sink, Wanted
from secproxy.trace_settings import TraceSettings
from tests.secproxy.test_config import GOOD

TRACES = '[traces]\notlp = "http://127.0.0.1:4318/v1/traces"\n'
LOCAL = Sink("traces", "otlp", Wanted(), host="127.0.0.1", port=4318, target="/v1/traces")


@pytest.mark.parametrize("text", ["", "[traces]\n", "[traces]\nratio = 1\n", '[traces]\notlp = ""\n'])
def test_nothing_is_traced_until_a_collector_is_named(text: str) -> None:
    """A share alone sends nothing anywhere."""
    assert parse_config(GOOD + text).traces is None


def test_a_collector_is_told_of_every_refusal_and_of_a_tenth_of_the_rest() -> None:
    """Unless something else is said."""
    assert parse_config(GOOD + TRACES).traces == TraceSettings(LOCAL, 0.1, 1.0)


def test_everything_that_can_be_said_is_read() -> None:
    """Over TLS with an anchor, a certificate and a token, as for any other sink."""
    files = 'ca_file = "/ca"\ncertificate = "/c"\nkey = "/k"\ntoken_file = "/t"\nratio = 0\nrefused_ratio = 0.25\n'
    text = TRACES.replace("http://127.0.0.1:4318", "https://Otel.example.org") + files
    sink = Sink(
        "traces", "otlp", Wanted(), host="otel.example.org", port=443, target="/v1/traces", tls=True,
        ca_file="/ca", certificate="/c", key="/k", token_file="/t",
    )  # fmt: skip
    assert parse_config(GOOD + text).traces == TraceSettings(sink, 0.0, 0.25)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[traces]", "[traces]\nratio = 1.1", "traces.ratio"),
        ("[traces]", "[traces]\nratio = -0.1", "traces.ratio"),
        ("[traces]", "[traces]\nratio = nan", "traces.ratio"),
        ("[traces]", "[traces]\nrefused_ratio = true", "traces.refused_ratio"),
        ("[traces]", '[traces]\nkey = "/k"', "traces.key"),
        ("[traces]", '[traces]\nca_file = "ca"', "traces.ca_file"),
        ("[traces]", "[traces]\nsample = 1", "traces.sample"),
        ("127.0.0.1", "192.0.2.1", "traces.otlp"),
        ("http://", "http://user:secret@", "traces.otlp"),
        ("http://", "grpc://", "traces.otlp"),
    ],
)
def test_a_slip_is_refused_and_its_key_named(old: str, new: str, key: str) -> None:
    """Nothing is switched off, or sent in the clear over a network, by mistake; no secret is repeated."""
    with pytest.raises(InputError) as refused:
        parse_config(GOOD + TRACES.replace(old, new))
    assert key in refused.value.cause
    assert "secret" not in refused.value.cause


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_who_was_refused_is_told_of_at_least_as_often(ratio: float, refused: float, chance: float) -> None:
    """What the CSMS was told is sampled stays sampled when its connection is refused after all."""
    settings = TraceSettings(LOCAL, ratio, refused)
    assert settings.keeps(chance, refused=False) is (chance < ratio)
    assert settings.keeps(chance, refused=True) is (chance < ratio or chance < refused)


def test_all_and_none_are_exact() -> None:
    """1 is every one of them, 0 is none."""
    settings = TraceSettings(LOCAL, 0.0, 1.0)
    assert not settings.keeps(0.0, refused=False)
    assert settings.keeps(1 - 2**-53, refused=True)
