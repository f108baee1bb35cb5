"""The home folder: one place that holds everything a Bollard knows, readable by its owner alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.edge.private_files import read_private
from pki.errors import ForbiddenError, InputError

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS: Final = "bollard.toml"
FOLDERS: Final = ("keys", "ca", "journal", "vault", "quarantine", "run")  # that a home has, full or not
SETTINGS_BYTES: Final = 1024 * 1024  # of that file; with a thousand comments it has a tenth of it
ASIDE: Final = ".before-restore-"  # what a restore puts behind the old home's name, with the time behind that


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything lies. The properties are paths; nothing is opened."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Home:
        """Name a finished home; ``InputError("home.missing")`` when there is none."""
        if not (path / SETTINGS).is_file():
            raise InputError(
                "home.missing",
                f"there is no Bollard home at {str(path)!r}",
                _moved_aside(path) or "Make one with 'bollard init', or name another with --home or BOLLARD_HOME.",
            )
        return cls(path)

    @property
    def settings(self) -> Path:
        """``bollard.toml``: no secret in it."""
        return self.path / SETTINGS

    @property
    def ledger(self) -> Path:
        """Certificates, stations, anchors, firmware and the audit log; the authority alone writes it."""
        return self.path / "ledger.db"

    @property
    def events(self) -> Path:
        """Security events; the recorder alone writes it."""
        return self.path / "events.db"

    @property
    def keys(self) -> Path:
        """Private keys, encrypted."""
        return self.path / "keys"

    @property
    def ca(self) -> Path:
        """Our certificates in PEM, for people to copy."""
        return self.path / "ca"

    @property
    def journal(self) -> Path:
        """Security events as they happened, one file for each process that writes them."""
        return self.path / "journal"

    @property
    def recordings(self) -> Path:
        """What stations and CSMSs said while that was asked for, one file each time; need not be there."""
        return self.path / "recordings"

    @property
    def vault(self) -> Path:
        """Verified firmware images."""
        return self.path / "vault"

    @property
    def quarantine(self) -> Path:
        """Images that are being judged."""
        return self.path / "quarantine"

    @property
    def policies(self) -> Path:
        """Policies of this home's own, which stand before those that ship; need not be there."""
        return self.path / "policies"

    @property
    def run(self) -> Path:
        """Sockets, the lock, process ids: nothing that must outlive a restart."""
        return self.path / "run"

    @property
    def authority_socket(self) -> Path:
        """Where the authority answers."""
        return self.run / "authority.sock"

    @property
    def claims_socket(self) -> Path:
        """Where proxy workers agree on which of them a station is connected to."""
        return self.run / "claims.sock"

    @property
    def web_socket(self) -> Path:
        """Where the web process shows that it works."""
        return self.run / "web.sock"

    @property
    def lock(self) -> Path:
        """Held by the one authority."""
        return self.run / "lock"


def _moved_aside(path: Path) -> str:
    """Find the home that a restore, killed between its two renames, left beside its place."""
    aside = set_aside(path)
    return f"A restore was interrupted: run it again, or put the old home back from {str(aside)!r}." if aside else ""


def set_aside(path: Path) -> Path | None:
    """Return the newest home that a restore renamed aside, where none is in its place."""
    found = sorted(path.parent.glob(f"{path.name}{ASIDE}*")) if not path.exists() else []
    return found[-1] if found else None


def read_settings(home: Home) -> str:
    """Return the text of ``bollard.toml``. ``ForbiddenError("settings.forbidden")`` where this user may not read it."""
    try:
        return read_private(home.settings, SETTINGS_BYTES).decode("utf-8")
    except PermissionError:
        says = f"{str(home.settings)!r} may not be read by this user"
        raise ForbiddenError("settings.forbidden", says, "Run the command as the one who may.") from None
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "settings.unreadable", f"{str(home.settings)!r} cannot be read as text", "Restore it from a backup."
        ) from None
