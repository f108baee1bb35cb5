"""What is written is read by Prometheus' own readers, and holds nothing that the table of figures does not name."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from secproxy.edge.exposition import write

FIGURES = {
    "messages_total station": 7.0,
    "connections 3 ocpp1.6": 2.0,
    "upstream_dial_seconds csms 0.005": 2.0,
    "upstream_dial_seconds csms 0.5": 1.0,
    "upstream_dial_seconds csms inf": 1.0,
    "upstream_dial_seconds csms sum": 31.0,
    "connections 3": 9.0,
    "of_nobody 1": 1.0,
    'expiry_timestamp_seconds our-certificate a"b\\c\nd': 5.0,
}


def test_the_text_format_is_read_back_as_it_was_counted() -> None:
    """Counters, gauges, a histogram whose buckets add up; odd labels are escaped, odd series left out."""
    body, kind = write(FIGURES, "")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in read_text(body.decode())
        for sample in family.samples
    }

    assert kind.startswith("text/plain; version=0.0.4")
    assert samples["bollard_messages_total", "station"] == 7
    assert samples["bollard_connections", "3", "ocpp1.6"] == 2
    assert samples["bollard_upstream_dial_seconds_bucket", "0.005", "csms"] == 2
    assert samples["bollard_upstream_dial_seconds_bucket", "0.5", "csms"] == 3
    assert samples["bollard_upstream_dial_seconds_bucket", "+Inf", "csms"] == 4
    assert samples["bollard_upstream_dial_seconds_count", "csms"] == 4
    assert samples["bollard_upstream_dial_seconds_sum", "csms"] == 31
    assert samples["bollard_expiry_timestamp_seconds", 'a"b\\c\nd', "our-certificate"] == 5
    assert not any("of_nobody" in name for name, *_ in samples)
    assert ("bollard_connections", "3") not in samples


def test_openmetrics_is_written_to_whoever_asks_for_it() -> None:
    """With its end mark, and every counter under its own name."""
    body, kind = write(FIGURES, "application/openmetrics-text; version=1.0.0")

    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert {family.name for family in read_openmetrics(body.decode())} == {  # type: ignore[no-untyped-call]  # the library's reader has no types
        "bollard_messages",
        "bollard_connections",
        "bollard_upstream_dial_seconds",
        "bollard_expiry_timestamp_seconds",
    }
