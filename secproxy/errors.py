"""How the proxy says no, as one tree below ``pki.errors.RefusedError``.

* ``AdmissionRefused``  a station may not connect, or may not stay connected
* ``MessageRefused``    a message is not OCPP, or could be read in two ways
* ``GateRefused``       a message is OCPP, but what it asks for must not reach the other side
* ``PolicyRefused``     a message is OCPP, but the operator's policy forbids it

Each carries the ``Note`` that the journal writes, so that nothing is refused without a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.errors import RefusedError
from secproxy.events import CAUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy.events import Note


class NotedError(RefusedError):
    """Base of the proxy's refusals: ``note`` is what the journal writes; code, cause and advice come from its kind."""

    def __init__(self, note: Note) -> None:
        kind = CAUSES[note.cause]
        super().__init__(note.cause, kind.says, kind.advice)
        self.note = note


class AdmissionRefused(NotedError):  # noqa: N818 - the name says what happened; the tree's base is an Error
    """A station may not connect, or may not stay.

    ``status`` is the HTTP answer (400, 401, 403), ``challenge`` asks for ``WWW-Authenticate: Basic``. Nothing else of
    the refusal may reach the wire: a stranger must not learn which identities exist.
    """

    def __init__(self, note: Note, status: int, *, challenge: bool = False) -> None:
        super().__init__(note)
        self.status = status
        self.challenge = challenge


class MessageRefused(NotedError):  # noqa: N818 - as above
    """A message is not OCPP-J. ``fault`` names what is wrong with it (``json``, ``arity``, ``depth`` ...).

    ``message_id`` is the id of the CALL it was meant to be, so that it can be answered; empty when none can be read,
    and for everything that is not a CALL.
    """

    def __init__(self, fault: str, note: Note, message_id: str = "") -> None:
        super().__init__(note)
        self.fault = fault
        self.message_id = message_id


class GateRefused(NotedError):  # noqa: N818 - as above
    """A gate closed. ``answer`` is the whole message that the sender gets instead of the other side's answer."""

    def __init__(self, note: Note, answer: bytes) -> None:
        super().__init__(note)
        self.answer = answer


class PolicyRefused(NotedError):  # noqa: N818 - as above
    """A policy forbids a message. ``says`` is what its rule objects to, ``notes`` what other rules noticed of it.

    ``unknown``: the OCPP version has no such action. ``tell``: the journal is to hear of it; a rate is told of once
    a minute.
    """

    def __init__(self, note: Note, says: str, notes: Sequence[Note], *, unknown: bool, tell: bool) -> None:
        super().__init__(note)
        self.says = says
        self.notes = tuple(notes)
        self.unknown = unknown
        self.tell = tell
