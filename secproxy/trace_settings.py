"""What ``bollard.toml`` says about traces: where spans are sent, and of how many arrivals. Nothing said is off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy.event_settings import Sink, Wanted, read_files, read_url

if TYPE_CHECKING:
    from pki.tables import Table

KEYS: Final = frozenset({"otlp", "ratio", "refused_ratio", "ca_file", "certificate", "key", "token_file"})
NAME: Final = "traces"  # what the collector is called where its trouble is told
RATIO: Final = 0.1  # of arrivals that were not refused: 10,000 stations that come back at once are 1,000 traces
REFUSED_RATIO: Final = 1.0  # of those that were: few on a good day, and what somebody looks for


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """The collector, and the shares of arrivals that it is told of, from 0 to 1."""

    sink: Sink
    ratio: float = RATIO
    refused_ratio: float = REFUSED_RATIO

    def keeps(self, chance: float, *, refused: bool) -> bool:
        """Whether an arrival that drew this chance, at least 0 and below 1, is told of."""
        return chance < (max(self.ratio, self.refused_ratio) if refused else self.ratio)


def read_trace_settings(table: Table) -> TraceSettings | None:
    """Read the table; ``None`` where no collector is named. What is wrong with it is noted."""
    table.only(KEYS)
    ratio, refused = table.share("ratio", RATIO), table.share("refused_ratio", REFUSED_RATIO)
    files = read_files(table)
    host, port, target, tls = table.parsed("otlp", _collector, "", "")
    if not host:
        return None
    sink = Sink(NAME, "otlp", Wanted(), host=host, port=port, target=target, tls=tls, **files)
    return TraceSettings(sink, ratio, refused)


def _collector(url: str) -> tuple[str, int, str, bool]:
    return read_url(url, "traces.otlp") if url else ("", 0, "", False)
