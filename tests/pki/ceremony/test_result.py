"""A result is its files by name."""

from __future__ import annotations

from pki.ceremony.result import Result, certificate_file, request_file


def test_files_go_by_what_they_are() -> None:
    """And what is missing is empty."""
    found = Result({request_file("csms"): b"r", certificate_file("csms"): b"c", "transcript.note": b"n"})

    assert (found.requests, found.certificate("csms"), found.note) == ({"csms": b"r"}, b"c", b"n")
    assert (found.file, found.crl, found.text, found.transcript, found.certificate("x")) == (b"",) * 5
