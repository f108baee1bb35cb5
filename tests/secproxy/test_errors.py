"""The proxy's refusals: explained like their event, and never without one."""

from __future__ import annotations

from pki.errors import RefusedError
from secproxy.errors import AdmissionRefused, GateRefused, MessageRefused
from secproxy.events import CAUSES, Note


def test_a_refusal_says_what_its_event_says() -> None:
    """Code, cause and advice come from the one table, so that journal and error never disagree."""
    refused = AdmissionRefused(Note("cert.missing", "CP-001"), 403)
    kind = CAUSES["cert.missing"]
    assert (refused.code, refused.cause, refused.advice) == ("cert.missing", kind.says, kind.advice)
    assert (refused.status, refused.challenge) == (403, False)


def test_every_refusal_is_a_refused_error() -> None:
    """One except clause of the house's tree catches them all."""
    note = Note("message.malformed")
    for refused in (AdmissionRefused(note, 400), MessageRefused("json", note), GateRefused(note, b"[]")):
        assert isinstance(refused, RefusedError)
        assert refused.note is note
