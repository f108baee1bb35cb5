"""Writes figures as Prometheus reads them: its text format, or OpenMetrics where that is asked for.

What is written comes from the table of figures alone: a series that names none, or has other labels, is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder

from secproxy.metrics import BUCKETS, METRICS, PREFIX, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric as Family

    from secproxy.metrics import Metric

_BOUNDS: Final = (*map(str, BUCKETS), "inf")


def write(figures: Mapping[str, float], accept: str) -> tuple[bytes, str]:
    """Write series, named as ``secproxy.tally`` names them, in the form that ``accept`` asks for; with its type."""
    encoder, content_type = choose_encoder(accept)
    return encoder(_Figures(figures)), content_type


class _Figures:
    """What the library's encoders take for a registry: they ask it to collect, and for nothing else."""

    def __init__(self, figures: Mapping[str, float]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Family]:
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for key, value in self._figures.items():
            name, *labels = key.split(" ")
            found.setdefault(name, {})[tuple(labels)] = value
        for name, metric in METRICS.items():
            if name in found:
                yield _family(metric, found[name])


def _family(metric: Metric, found: Mapping[tuple[str, ...], float]) -> Family:
    name, says = PREFIX + metric.name, metric.says
    if metric.shape is Shape.HISTOGRAM:
        return _histogram(metric, found)
    kind = CounterMetricFamily if metric.shape is Shape.COUNTER else GaugeMetricFamily
    family = kind(name, says, labels=metric.labels)
    for labels, value in sorted(found.items()):
        if len(labels) == len(metric.labels):
            family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, found: Mapping[tuple[str, ...], float]) -> Family:
    family = HistogramMetricFamily(PREFIX + metric.name, metric.says, labels=metric.labels)
    for labels in sorted({each[:-1] for each in found if len(each) == len(metric.labels) + 1}):
        counts, buckets = 0.0, []
        for bound in _BOUNDS:
            counts += found.get((*labels, bound), 0)
            buckets.append((bound if bound != "inf" else "+Inf", counts))
        family.add_metric(labels, buckets, sum_value=found.get((*labels, "sum"), 0))
    return family
