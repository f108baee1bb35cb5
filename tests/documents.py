"""Writes the documentation that follows from tables in the code; ``python -m tests.documents`` renews it."""

from __future__ import annotations

from pathlib import Path

from secproxy.events import CAUSES

DOCS = Path(__file__).resolve().parent.parent / "docs"

EVENTS_HEAD = """# Security events

Every refusal and every change of who may do what leaves one event. `bollard event list` shows them, `-o jsonl` gives
them to other programs. An event has `id`, `time` (UTC), `type`, `severity`, `station`, `remote`, `cause`, `clause`,
`says`, `advice` and `evidence`. `type` is the standard's name where it has one, else ours, beginning with `bollard.`;
`cause` is the stable name of why. This page is written from the table in the code: `python -m tests.documents`.

| Cause | Type | Severity | Clause | What happened | What to do |
|---|---|---|---|---|---|
"""


def events() -> str:
    """The page of security events."""
    rows = [
        f"| `{cause}` | {kind.type} | {kind.severity.value} | {kind.clause} | {kind.says} | {kind.advice} |"
        for cause, kind in sorted(CAUSES.items())
    ]
    return EVENTS_HEAD + "\n".join(rows) + "\n"


PAGES = {"events.md": events}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write())
