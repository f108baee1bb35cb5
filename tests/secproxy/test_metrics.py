"""The table of figures keeps what dashboards rely on."""

from __future__ import annotations

import re

import pytest

from secproxy.metrics import METRICS, Metric, Shape

NAMED = {"profile", "version", "outcome", "from", "direction", "by", "upstream", "url", "state", "process", "source"}
NAMED |= {"python", "openssl", "cause", "severity", "sink", "act", "kind", "name"}


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_figure_is_named_as_prometheus_has_it(metric: Metric) -> None:
    """Snake case, the unit last, ``_total`` for counters and for nothing else."""
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name)
    assert metric.name.endswith("_total") is (metric.shape is Shape.COUNTER)
    assert metric.says.endswith(".")


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_label_is_one_of_those_that_were_thought_about(metric: Metric) -> None:
    """None of them is a station's identity, an address or a text; whoever adds one adds it here."""
    assert set(metric.labels) <= NAMED
