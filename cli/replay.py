"""A recording of a station, held against a policy: what would become of its calls that became something else then."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

import click

from cli.asked import Asked, pass_asked
from cli.files import existing, read_text
from cli.render import Output, Plain, note
from pki.errors import InputError, PartialError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

    from secproxy.policy.rules import Policy
    from secproxy.replay import Compared, Group, Report

CHANGE_COLUMNS: Final = ("line", "from", "action", "then", "now", "rule", "clause", "says")
GROUP_COLUMNS: Final = ("from", "action", "calls", "then", "now", "rule", "clause", "first_line", "says")
WHICH: Final = "Name of a policy, or the file of one"

_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")  # anything else is a file; a file of such a name is written ./NAME


@click.command()
@click.argument("recording")
@click.option("--policy", "wanted", help=f"{WHICH}; without it, the one that bollard.toml puts the station under.")
@click.option("--against", help=f"{WHICH}: compare with what it says, not with what was decided then.")
@pass_asked
def replay(asked: Asked, recording: str, wanted: str | None, against: str | None) -> None:
    """Say which calls of a recording by 'bollard station record' would be decided otherwise; nothing is sent.

    Exits 5 when a call would newly be refused; else 8 when some cannot be judged, mostly for what was redacted; else 0,
    also where calls would newly be let through.
    """
    from pki.edge.home import read_settings
    from secproxy.config import parse_config
    from secproxy.recording import read_head, read_lines
    from secproxy.replay import Report
    from secproxy.replay import replay as hold_against

    config, report = parse_config(read_settings(asked.home())), Report()
    with existing(recording).open("rb") as file:
        cut, lines = _is_cut(file), _lines(file)
        if not file.peek(1):
            says = f"{recording[:200]!r} is empty"
            raise InputError("recording.wrong", says, "Give a file that 'bollard station record' wrote.")
        head = read_head(next(lines, b""))
        policy = _policy(asked, wanted or config.policies.of(head.station, head.group))
        other = None if against is None else _policy(asked, against)
        host, shares = config.csms_host.text, max(1, config.workers)
        for compared in hold_against(head, read_lines(lines), policy, other, csms_host=host, shares=shares):
            report.take(compared)
    facts: dict[str, Plain] = {
        "station": head.station, "version": head.version, "policy": policy.name,
        "against": "what was decided then" if other is None else other.name, **_counts(report), "cut": cut,
    }  # fmt: skip
    _show(asked, facts, report)
    _end(report, policy.name)


def _is_cut(file: BufferedReader) -> bool:
    """Whether the last line has no end: the recording still runs, or its writer was killed."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    last = file.read(1)
    file.seek(0)
    return last != b"\n"


def _lines(file: BufferedReader) -> Iterator[bytes]:
    """Read line by line, of each no more than shows that it is too long."""
    from secproxy.recording import LINE_BYTES

    while line := file.readline(LINE_BYTES + 1):
        yield line


def _policy(asked: Asked, which: str) -> Policy:
    from pathlib import Path

    from secproxy.edge.policies import parse, read_policy_text

    if _NAME.fullmatch(which):
        return parse(which, read_policy_text(asked.home(), which))
    return parse(Path(which).stem, read_text(which))


def _counts(report: Report) -> dict[str, Plain]:
    return {
        "calls": report.calls,
        "newly_refused": report.newly_refused,
        "newly_let_through": report.newly_let,
        "otherwise": report.changed - report.newly_refused - report.newly_let,
        "not_judged": report.unknown,
    }


def _show(asked: Asked, facts: dict[str, Plain], report: Report) -> None:
    """Sums for people, and the calls one by one; all in one object for programs. CSV is for the calls alone."""
    groups, changes = [_group(each) for each in report.groups.values()], [_change(each) for each in report.changes]
    if asked.output in {Output.JSON, Output.JSONL}:
        left_out = report.changed - len(changes)
        return asked.record({**facts, "summary": [*groups], "changes": [*changes], "changes_left_out": left_out})
    if asked.output is Output.TABLE:
        for name, value in facts.items():
            note(f"{name.replace('_', ' ')}: {value}")
        asked.rows("summary", groups, GROUP_COLUMNS)
    return asked.rows("changes", changes, CHANGE_COLUMNS)


def _end(report: Report, name: str) -> None:
    if report.newly_refused:
        first = next(each for each in report.groups.values() if each.example.newly_refused)
        rule, line = first.example.because, first.example.line
        says = f"{report.newly_refused} calls would newly be refused; line {line}, by rule {rule.rule} ({rule.clause})"
        raise RefusedError("policy.would_refuse", says, f"'bollard policy show {name}' prints the whole policy.")
    if report.unknown:
        says = f"{report.unknown} of {report.calls} calls cannot be judged; of the others none would newly be refused"
        raise PartialError("policy.not_judged", says, "The summary says why; put one station under it to see the rest.")


def _change(compared: Compared) -> dict[str, Plain]:
    why = compared.because
    return {
        "line": compared.line,
        "from": compared.side.value,
        "action": compared.action,
        "then": compared.then.verdict.value,
        "now": compared.now.verdict.value,
        "rule": why.rule,
        "clause": why.clause,
        "says": why.says,
    }


def _group(group: Group) -> dict[str, Plain]:
    one = _change(group.example)
    first = one.pop("line")
    return {**one, "action": group.action, "calls": group.calls, "first_line": first}
