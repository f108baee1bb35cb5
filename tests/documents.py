"""Writes the documentation that follows from tables in the code; ``python -m tests.documents`` renews it."""

from __future__ import annotations

from pathlib import Path

from pki.edge import log
from secproxy.events import CAUSES
from secproxy.lines import LINES
from secproxy.metrics import METRICS, PREFIX
from secproxy.standard_events import STANDARD
from tests.codes import TABLES

DOCS = Path(__file__).resolve().parent.parent / "docs"

EVENTS_HEAD = """# Security events

Every refusal leaves one event. `bollard event list` shows them, `bollard event tail` prints them as they happen,
`bollard -o jsonl event list` gives them to other programs. An event has `id`, `time` (UTC), `type`, `severity`,
`station`, `remote`, `cause`, `clause`, `says`, `advice` and `evidence`. `type` is the standard's name where it has one,
else ours, beginning with `bollard.`; `cause` is the stable name of why. This page is written from the table in the
code: `python -m tests.documents`.

| Cause | Type | Severity | Clause | What happened | What to do |
|---|---|---|---|---|---|
"""


def events() -> str:
    """The page of security events."""
    rows = [
        f"| `{cause}` | {kind.type} | {kind.severity.value} | {kind.clause} | {kind.says} | {kind.advice} |"
        for cause, kind in sorted(CAUSES.items())
    ]
    return EVENTS_HEAD + "\n".join(rows) + "\n" + STANDARD_HEAD + "\n".join(_standard()) + "\n"


STANDARD_HEAD = """
## What stations report

A station's `SecurityEventNotification` is passed on and kept, with the cause `station.event`. Where its type is one of
the standard's in the version that the station speaks, the event has the type below, whatever that version calls it, and
its evidence says what the station wrote (`type`, `tech_info`) and whether the version calls the event `critical`: to
be sent to the CSMS at once. Severity is ours. Any other type is the vendor's own and kept as `bollard.StationEvent`.

| Type | In OCPP 1.6 | Critical in 1.6 | Critical in 2.0.1 and 2.1 | Severity | What happened | What to do |
|---|---|---|---|---|---|---|
"""


def _standard() -> list[str]:
    """A row for each of the standard's events, in its own order."""
    old = {known.kind.type: (name, "yes" if known.critical else "no") for name, known in STANDARD["ocpp1.6"].items()}
    return [
        f"| {name} | {' | '.join(old.get(name, ('-', '-')))} | {'yes' if known.critical else 'no'} "
        f"| {known.kind.severity.value} | {known.kind.says} | {known.kind.advice} |"
        for name, known in STANDARD["ocpp2.1"].items()
    ]


CODES_HEAD = """# Codes of errors and findings

An error begins with its code (`error[csr.refused]: ...`), and so does each finding below it (`error[csr.common_name]
...`). A code never changes its meaning, so scripts may depend on it; `bollard explain CODE` says offline what stands
here. The causes of security events are in [events.md](events.md); a few names are both. This page is written from the
tables in the code: `python -m tests.documents`.
"""

CODES_OF = {
    "pki": "Names, certificates, the audit log",
    "pki/firmware": "Firmware",
    "pki/edge": "Home, keys, ledger, authority, image store",
    "secproxy": "The proxy",
    "cli": "The command line",
}


def codes() -> str:
    """The page of codes, by the room that raises them."""
    parts = [CODES_HEAD]
    for folder, table in TABLES.items():
        rows = [f"| `{code}` | {says} |" for code, says in sorted(table.items())]
        parts += [f"## {CODES_OF[folder]}\n", "| Code | What it means |\n|---|---|", *rows, ""]
    rows = [f"| `{kind}` | {says} |" for kind, says in sorted({**log.LINES, **LINES}.items())]
    return "\n".join([*parts, LINES_HEAD, *rows, ""])


LINES_HEAD = """## Lines of processes

Where lines of processes are written as JSON (`[log] format = "json"`) each has the name of its kind in `id`: an error's
code, or one of these.

| Kind | What it means |
|---|---|"""


METRICS_HEAD = """# Figures

`[metrics] address = "127.0.0.1:9108"` in `bollard.toml`, or `bollard up --metrics 127.0.0.1:9108`, serves these at
`/metrics` in Prometheus' text format, or as OpenMetrics to whoever asks for that. No label holds an identity, an
address or anything that a stranger chose. What workers count is summed up by the supervisor, so that no counter falls
when a worker is replaced; those of `authority` begin anew with that process, and `events_total` never does. This page
is written from the table in the code: `python -m tests.documents`.

| Name | Kind | Labels | Told by | Meaning |
|---|---|---|---|---|
"""


def metrics() -> str:
    """The page of figures."""
    rows = [
        f"| `{PREFIX}{each.name}` | {each.shape.value} | {', '.join(f'`{label}`' for label in each.labels)} "
        f"| {each.source.value} | {each.says} |"
        for each in METRICS.values()
    ]
    return METRICS_HEAD + "\n".join(rows) + "\n"


PAGES = {"metrics.md": metrics, "events.md": events, "codes.md": codes}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write())
