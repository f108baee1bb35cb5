"""Four forms of one answer, none of which can act on a terminal."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.render import Output, Plain, cell, clean, note_findings, show_record, show_rows, tell_error, to_line, to_plain
from pki.edge import calls
from pki.errors import RefusedError
from pki.findings import error, refuse_errors, warning

ROWS: list[dict[str, Plain]] = [
    {"name": "a", "size": 1, "extra": "x"},
    {"name": "b\x1b[31m", "size": None, "extra": ["y"]},
]


def test_json_carries_the_schema_version_and_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has more than a table has room for."""
    show_rows(Output.JSON, "things", ROWS, ("name", "size"))

    assert json.loads(capsys.readouterr().out) == {"schema_version": 1, "things": ROWS}


def test_json_lines_stand_each_for_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line can be read without the others."""
    show_rows(Output.JSONL, "things", ROWS, ("name", "size"))
    lines = capsys.readouterr().out.splitlines()

    assert [json.loads(line) for line in lines] == [{"schema_version": 1, **row} for row in ROWS]


def test_csv_has_a_header_and_the_columns_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """A spreadsheet reads it."""
    show_rows(Output.CSV, "things", ROWS, ("name", "size"))
    read = list(csv.reader(io.StringIO(capsys.readouterr().out)))

    assert read == [["name", "size"], ["a", "1"], ["b\\x1b[31m", ""]]


@pytest.mark.parametrize("output", list(Output))
def test_no_form_lets_an_escape_through(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    """What a station calls itself cannot recolour a terminal or move its cursor."""
    show_rows(output, "things", ROWS, ("name", "size"))
    show_record(output, ROWS[1])

    assert "\x1b" not in capsys.readouterr().out


def test_a_record_is_read_down_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """One field a line, or one part of it where it has parts; names aligned."""
    show_record(Output.TABLE, {"a": True, "long_name": None, "c": {"d": 1, "e": 2}, "f": {}})

    assert capsys.readouterr().out.splitlines() == [
        "a          yes",
        "long name  ",
        "c d        1",
        "c e        2",
        "f          {}",
    ]


@given(st.text())
def test_clean_text_holds_nothing_that_acts(text: str) -> None:
    """Whatever goes in, control characters and invisible ones come out written as escapes."""
    shown = clean(text)

    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@given(st.text())
def test_a_cell_is_one_line(text: str) -> None:
    """A value with line ends cannot forge a second row."""
    assert len(cell(text).splitlines()) <= 1


def test_a_row_is_one_line_of_text() -> None:
    """What is printed as it happens has no column widths to wait for."""
    assert to_line({"a": 1, "b": "x\ny"}, ("a", "b", "c")) == "1  x\\ny  "


def test_values_of_answers_become_plain() -> None:
    """Times are RFC 3339 in UTC, bytes hex, records objects."""
    time = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=1)))

    assert to_plain((time, b"\x01\xff", calls.Done(7), None)) == [
        "2026-01-02T02:04:05Z",
        "01ff",
        {"audit_index": 7},
        None,
    ]


def test_a_refusal_lists_every_finding_with_its_clause(capsys: pytest.CaptureFixture[str]) -> None:
    """The person sees all that is wrong at once."""
    findings = (error("csr.key.weak", "A00.FR.503", "the key is weak"), error("csr.cn", "", "the name is wrong"))
    tell_error(RefusedError("csr.refused", "two things", "Make a new one.", findings=findings), Output.TABLE, 5)

    assert capsys.readouterr().err.splitlines() == [
        "error[csr.refused]: two things",
        "  error[csr.key.weak] the key is weak (A00.FR.503)",
        "  error[csr.cn] the name is wrong",
        "next: Make a new one.",
    ]


def test_a_refusal_says_each_finding_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A journal has one line with everything in it; a person has a line for each, and does not read it twice."""
    findings = (warning("csr.names", "", "it names more"), error("csr.key.weak", "A00.FR.503", "the key is weak"))
    with pytest.raises(RefusedError) as refused:
        refuse_errors(findings, "csr.refused", "the request of CP-001", "Make a new one.")
    tell_error(refused.value, Output.TABLE, 5)

    assert "the key is weak" in refused.value.cause
    assert capsys.readouterr().err.splitlines() == [
        "error[csr.refused]: the request of CP-001",
        "  warning[csr.names] it names more",
        "  error[csr.key.weak] the key is weak (A00.FR.503)",
        "next: Make a new one.",
    ]


def test_an_error_in_json_carries_its_findings(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the same findings."""
    findings = (error("csr.key.weak", "A00.FR.503", "the key is weak"),)
    tell_error(RefusedError("csr.refused", "x", findings=findings), Output.JSON, 5)
    said = json.loads(capsys.readouterr().err)["error"]["findings"]

    assert said == [{"code": "csr.key.weak", "severity": "error", "clause": "A00.FR.503", "says": "the key is weak"}]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('=HYPERLINK("http://example.org/?"&A1)', '\'=HYPERLINK("http://example.org/?"&A1)'),
        ("@SUM(A1:A9)", "'@SUM(A1:A9)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("=CP-1", "=CP-1"),
        ("@SN/1 #2", "@SN/1 #2"),
        ("Volta (new)", "Volta (new)"),
    ],
)
def test_a_spreadsheet_finds_no_formula_in_what_a_station_said(
    value: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Model and vendor are the station's own words; identities, which can call nothing, stay as they are."""
    show_rows(Output.CSV, "things", [{"name": value}], ("name",))
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [["name"], [shown]]


def test_a_clause_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the words end with it already, it is not said again."""
    note_findings([error("a.b", "RFC 5280 4.1", "no (RFC 5280 4.1)"), error("a.b", "RFC 5280 4.1", "no")])
    assert capsys.readouterr().err == "  error[a.b] no (RFC 5280 4.1)\n" * 2
