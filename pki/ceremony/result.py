"""What a ceremony leaves behind: files by their names in the folder, as bytes.

The file and the requests lie there as they were used, beside what was signed and the transcript; the root's key is not
among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.ceremony.terms import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE: Final = "ceremony.toml"
TRANSCRIPT: Final = "transcript.jsonl"
NOTE: Final = "transcript.note"
TEXT: Final = "transcript.txt"
LIST: Final = f"ca/{ROOT}.crl"


def certificate_file(name: str) -> str:
    """Where a certificate lies, in PEM."""
    return f"ca/{name}.pem"


def request_file(name: str) -> str:
    """Where a request lies, in PEM."""
    return f"requests/{name}.csr"


@dataclass(frozen=True, slots=True)
class Result:
    """The files of a folder; what is missing there is empty here."""

    files: Mapping[str, bytes]

    @property
    def file(self) -> bytes:
        """The ceremony's file."""
        return self.files.get(FILE, b"")

    @property
    def requests(self) -> dict[str, bytes]:
        """The requests by name."""
        return {
            name.removeprefix("requests/").removesuffix(".csr"): content
            for name, content in self.files.items()
            if name.startswith("requests/")
        }

    def certificate(self, name: str) -> bytes:
        """A certificate in PEM."""
        return self.files.get(certificate_file(name), b"")

    @property
    def crl(self) -> bytes:
        """The root's revocation list in DER."""
        return self.files.get(LIST, b"")

    @property
    def transcript(self) -> bytes:
        """The log."""
        return self.files.get(TRANSCRIPT, b"")

    @property
    def note(self) -> bytes:
        """The log's end; empty while a ceremony is not finished."""
        return self.files.get(NOTE, b"")

    @property
    def text(self) -> bytes:
        """The log for people."""
        return self.files.get(TEXT, b"")
