"""Everything that can be wrong, as one tree.

* ``BollardError``        something went wrong (exit 1)
  * ``InputError``        what was given cannot be read or is not allowed (exit 2)
  * ``ForbiddenError``    the caller may not do this (exit 3)
  * ``NotFoundError``     the thing named does not exist (exit 4)
  * ``RefusedError``      an examiner said no; carries every finding (exit 5)
  * ``UnreachableError``  a process, host or device does not answer (exit 6)
  * ``ConflictError``     the thing exists already, or is in another state than this act needs (exit 7)
  * ``PartialError``      some of many were done (exit 8)

An error speaks twice: ``str(error)`` is one line for a journal, ``error.advice`` tells a person what to do next.
``error.code`` never changes once released, so scripts may depend on it. Exit codes are mapped in ``cli.main`` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pki.findings import Finding


class BollardError(Exception):
    """Base of all our errors: a stable code, a cause in plain words, and the next step."""

    def __init__(self, code: str, cause: str, advice: str = "", *, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(code, cause)
        self.code = code
        self.cause = cause
        self.advice = advice
        self.findings = findings

    def __str__(self) -> str:
        return f"{self.code}: {self.cause}"


class InputError(BollardError):
    """What was given cannot be read or is not allowed."""


class ForbiddenError(BollardError):
    """The caller may not do this."""


class NotFoundError(BollardError):
    """The thing named does not exist."""


class RefusedError(BollardError):
    """An examiner said no; ``findings`` holds every reason, not only the first."""


class UnreachableError(BollardError):
    """A process, host or device does not answer."""


class ConflictError(BollardError):
    """The thing exists already, or is in another state than this act needs."""


class PartialError(BollardError):
    """Some of many were done; ``cause`` says which were not."""
