"""Every figure that ``/metrics`` tells: its name, its kind, what tells its series apart, and what it says.

Rules this file keeps:

* A label takes few values, and none that a stranger chooses: no identity, no address, no text of a message.
* A counter only grows while its process lives; who asks for rates expects it to begin anew after that.
* Every figure has its ``Source``: a process that is away takes its own figures along and no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "bollard_"
GONE: Final = "gone"  # the outcome of an arrival that hung up by itself, which is no event
ADMITTED: Final = "admitted"
GUEST: Final = "guest"  # of one that nobody registered, and that waits without a CSMS
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; bounds of a histogram's buckets, up to the ten that a station's CSMS may take in all."""


class Shape(StrEnum):
    """The kinds of figure."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Who knows a figure."""

    WORKERS = "workers"
    SUPERVISOR = "supervisor"
    AUTHORITY = "authority"
    EVENTS = "events"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. ``name`` lacks ``PREFIX``; a counter's ends in ``_total``."""

    name: str
    shape: Shape
    source: Source
    labels: tuple[str, ...]
    says: str


def _counter(source: Source, name: str, labels: str, says: str) -> Metric:
    return Metric(name, Shape.COUNTER, source, tuple(labels.split()), says)


def _gauge(source: Source, name: str, labels: str, says: str) -> Metric:
    return Metric(name, Shape.GAUGE, source, tuple(labels.split()), says)


_ALL: Final = (
    _gauge(Source.WORKERS, "connections", "profile version", "Live stations by security profile and OCPP version."),
    _counter(
        Source.WORKERS,
        "arrivals_total",
        "profile outcome",
        "Connections that were admitted, or the cause of their refusal; guest: kept in quarantine, for nobody "
        "registered them; gone: they hung up by themselves.",
    ),
    _counter(
        Source.WORKERS,
        "handshakes_total",
        "version",
        "Handshakes by TLS version; none: listeners without TLS.",
    ),
    _counter(Source.WORKERS, "messages_total", "from", "Whole messages read, by who sent them: station or csms."),
    _counter(
        Source.WORKERS,
        "bytes_total",
        "direction",
        "Bytes on the stations' side, TLS included, as the kernel counts them: received or sent.",
    ),
    _counter(
        Source.WORKERS,
        "sessions_closed_total",
        "by",
        "Live connections that ended, by who began it.",
    ),
    _gauge(
        Source.WORKERS,
        "upstream_workers",
        "upstream url state",
        "Workers for which this URL of a CSMS (by its place in the settings) is up, down, or not tried yet (unknown).",
    ),
    Metric(
        "upstream_dial_seconds",
        Shape.HISTOGRAM,
        Source.WORKERS,
        ("upstream",),
        "Seconds until a CSMS had accepted a station's connection, waiting for an outage to end included.",
    ),
    _gauge(Source.WORKERS, "passwords_waiting", "", "Stations that wait for a slow password check."),
    _counter(Source.WORKERS, "events_lost_total", "", "Security events that workers could not write down."),
    _gauge(Source.WORKERS, "process_open_fds", "process", "Files and sockets that a worker has open."),
    _gauge(Source.WORKERS, "loop_lag_seconds", "process", "How late a worker's event loop was when it last reported."),
    _gauge(Source.WORKERS, "claims", "", "Stations whose connection is held by a worker."),
    _counter(
        Source.SUPERVISOR,
        "spans_total",
        "outcome",
        "Spans that a collector of traces took (sent), or that it refused or nobody had room for (dropped).",
    ),
    _gauge(Source.SUPERVISOR, "process_up", "process", "Whether a process runs."),
    _gauge(Source.SUPERVISOR, "process_open", "process", "Whether a worker's listeners are open."),
    _counter(Source.SUPERVISOR, "process_restarts_total", "process", "How often a process was started again."),
    _gauge(Source.SUPERVISOR, "process_start_time_seconds", "process", "When a process was started, since 1970."),
    _gauge(Source.SYSTEM, "process_resident_memory_bytes", "process", "Memory that a process holds."),
    _counter(Source.SYSTEM, "process_cpu_seconds_total", "process", "Time that a process has computed."),
    _gauge(Source.SYSTEM, "up", "source", "Whether those who know the other figures could be asked."),
    _gauge(Source.SYSTEM, "build_info", "version python openssl", "Always 1; the labels say what runs."),
    _counter(
        Source.EVENTS,
        "events_total",
        "cause severity",
        "Security events recorded since events.db was made: each exactly once, whatever died meanwhile.",
    ),
    _gauge(Source.EVENTS, "journal_waiting_bytes", "", "Bytes of the journal that are not in events.db yet."),
    _gauge(Source.EVENTS, "sink_waiting_events", "sink", "Events that wait to be sent to a sink."),
    _gauge(Source.EVENTS, "sink_failing", "sink", "Whether the last try to send a sink its events failed."),
    _counter(
        Source.AUTHORITY,
        "authority_acts_total",
        "act",
        "Acts in the audit log since the authority was started, such as certificate.issued or certificate.revoked.",
    ),
    _gauge(Source.AUTHORITY, "audit_entries", "", "Entries of the audit log."),
    _gauge(Source.AUTHORITY, "authority_troubles", "", "Duties of the authority that fail at present."),
    _gauge(
        Source.AUTHORITY,
        "valid_from_timestamp_seconds",
        "kind name",
        "When something began to be valid, seconds since 1970: the age of a revocation list follows from it.",
    ),
    _gauge(
        Source.AUTHORITY,
        "expiry_timestamp_seconds",
        "kind name",
        "When something ends, seconds since 1970: our authorities, server certificates, OCSP signers, revocation "
        "lists; of what others made, the first of each kind.",
    ),
)

METRICS: Final[Mapping[str, Metric]] = {each.name: each for each in _ALL}
"""Every figure there is, in the order they are told. Dashboards depend on the names: none is ever renamed."""
