"""Named places where the process can be made to die on purpose, so that surviving a crash is proved, not hoped.

A point does nothing at all unless ``BOLLARD_CRASH_AT`` names it before the process starts; then the process says so
loudly on stderr and ends itself with SIGKILL when it first gets there. An unknown name stops the process at once:
a misspelt fault must not look like a survived one.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

VARIABLE: Final = "BOLLARD_CRASH_AT"

ISSUE_POINTS: Final = (
    "issue.planned",
    "issue.intending",
    "issue.intended",
    "issue.signed",
    "issue.sealing",
    "issue.sealed",
)
REVOKE_POINTS: Final = ("revoke.asked", "revoke.recording", "revoke.recorded")
RELEASE_POINTS: Final = ("release.asked", "release.recording", "release.recorded")
CRL_POINTS: Final = (
    "crl.planned",
    "crl.intending",
    "crl.intended",
    "crl.signed",
    "crl.sealing",
    "crl.sealed",
)
OCSP_POINTS: Final = (
    "ocsp.asked",
    "ocsp.intending",
    "ocsp.intended",
    "ocsp.signed",
    "ocsp.sealing",
    "ocsp.sealed",
)
INIT_POINTS: Final = ("init.marked", "init.keys", "init.root", "init.certificates", "init.exported", "init.settings")
RENEW_POINTS: Final = ("renew.key", "renew.certified", "renew.retiring", "renew.retired", "renew.cleared")
ROLLOVER_POINTS: Final = ("rollover.key", "rollover.certified", "rollover.linked", "rollover.telling")
BACKUP_POINTS: Final = ("backup.recorded", "backup.copied", "backup.packed", "backup.written")
RESTORE_POINTS: Final = ("restore.extracted", "restore.checked", "restore.recorded", "restore.aside", "restore.done")
CEREMONY_POINTS: Final = (
    "ceremony.begun",
    "ceremony.keyed",
    "ceremony.intended",
    "ceremony.signed",
    "ceremony.kept",
    "ceremony.ended",
)
IMPORT_POINTS: Final = ("import.judged", "import.adopting", "import.adopted", "import.completed")
TAKE_IN_POINTS: Final = ("taking.key", "taking.recording", "taking.recorded")
POINTS: Final = frozenset(
    {
        *ISSUE_POINTS,
        *REVOKE_POINTS,
        *RELEASE_POINTS,
        *CRL_POINTS,
        *OCSP_POINTS,
        *INIT_POINTS,
        *BACKUP_POINTS,
        *RESTORE_POINTS,
        *CEREMONY_POINTS,
        *IMPORT_POINTS,
        *TAKE_IN_POINTS,
        *RENEW_POINTS,
        *ROLLOVER_POINTS,
    }
)


def _armed(value: str) -> str:
    if value and value not in POINTS:
        raise SystemExit(f"{VARIABLE} names no crash point; there are: {', '.join(sorted(POINTS))}")
    if value:
        sys.stderr.write(f"*** FAULT INJECTION: this process will kill itself at {value} ({VARIABLE} is set) ***\n")
    return value


_ARMED: Final = _armed(os.environ.get(VARIABLE, ""))


def reach(point: str) -> None:
    """Die here with SIGKILL when this point was named; otherwise do nothing."""
    if _ARMED and point == _ARMED:
        os.kill(os.getpid(), signal.SIGKILL)
