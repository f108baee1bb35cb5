"""Where the data files of policy lie: those that ship beside the code, and profiles and policies of a home's own.

A home's file takes the place of the one that ships under its name, or adds another under a new one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pki.edge.private_files import read_private
from pki.errors import ForbiddenError, InputError, NotFoundError
from pki.findings import Finding, Severity
from pki.profile import CertificateProfile, parse_profile

FOLDER: Final = Path(__file__).resolve().parents[2] / "policies"
CERTIFICATES: Final = "certificates"
PROXY: Final = "proxy"
FILE_BYTES: Final = 64 * 1024  # of one policy; the longest that ships has a fiftieth of it

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A certificate profile, or a policy of the proxy, as it lies there, and whose it is."""

    name: str
    path: Path
    shipped: bool

    def read(self) -> str:
        """Return its text, within the bound. ``ForbiddenError("policy.forbidden")`` where this user may not read it."""
        try:
            return read_private(self.path, FILE_BYTES).decode("utf-8")
        except PermissionError:
            says = f"{str(self.path)[-200:]!r} may not be read by this user"
            raise ForbiddenError("policy.forbidden", says, "Run the command as the one who may.") from None
        except UnicodeDecodeError:
            raise self._wrong("cannot be read as text") from None
        except OSError as problem:
            raise self._wrong(f"cannot be read: {problem.strerror}") from None

    def _wrong(self, says: str) -> InputError:
        return InputError("policy.unreadable", f"{str(self.path)[-200:]!r} {says}", "Check that it is the right file.")


@cache
def read_policy(kind: str, name: str) -> str:
    """Return the text of the ``policies/<kind>/<name>.toml`` that ships."""
    path = FOLDER / kind / f"{name}.toml"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise _unknown(kind, name, sorted(path.stem for path in (FOLDER / kind).glob("*.toml")))
    return path.read_text(encoding="utf-8")


def certificate_policies(own: Path | None) -> dict[str, PolicyFile]:
    """Return every certificate profile by name; ``own`` is the home's folder of policies, which need not be there."""
    return find_policies(CERTIFICATES, own)


def find_policies(kind: str, own: Path | None) -> dict[str, PolicyFile]:
    """Return every policy of a kind by name, the home's own in the place of those that ship."""
    found = {path.stem: PolicyFile(path.stem, path, shipped=True) for path in (FOLDER / kind).glob("*.toml")}
    if own is not None and (own / kind).is_dir():
        for path in (own / kind).glob("*.toml"):
            found[path.stem] = PolicyFile(path.stem, path, shipped=False)
    return dict(sorted(found.items()))


def read_certificate_policy(own: Path, name: str) -> str:
    """Return the text of a certificate profile, the home's own before the one that ships."""
    return find_policy(CERTIFICATES, own, name).read()


def find_policy(kind: str, own: Path, name: str) -> PolicyFile:
    """Find a policy by its name, the home's own before the one that ships. ``NotFoundError("policy.unknown")``."""
    path = own / kind / f"{name}.toml"
    if _NAME.fullmatch(name) and path.is_file():
        return PolicyFile(name, path, shipped=False)
    known = find_policies(kind, own)
    if not _NAME.fullmatch(name) or name not in known:
        raise _unknown(kind, name, sorted(known))
    return known[name]


def check_certificate_policies(own: Path) -> None:
    """Read every certificate profile of a home's own. Raises ``InputError("profile.wrong")`` with all that is wrong."""
    mistakes: list[Finding] = []
    for file in certificate_policies(own).values():
        try:
            if not file.shipped:
                read_profile(file)
        except InputError as wrong:
            mistakes += _named(file.name, wrong)
    if mistakes:
        says = "; ".join(mistake.says for mistake in mistakes)[:2000]
        raise InputError(
            "profile.wrong", says, f"Correct the files below {str(own)[-200:]!r}.", findings=tuple(mistakes)
        )


def read_profile(file: PolicyFile) -> CertificateProfile:
    """Read one file. Raises ``InputError("profile.wrong")``, for a name that no command could call it by as well."""
    if not _NAME.fullmatch(file.name):
        says = f"{file.name[:40]!r} is no name for a certificate profile: small letters, digits and hyphens"
        raise InputError("profile.wrong", says, "Rename the file.")
    return parse_profile(file.name, file.read())


def _named(name: str, wrong: InputError) -> list[Finding]:
    if not wrong.findings:
        return [Finding("profile.value", Severity.ERROR, "", wrong.cause)]
    return [Finding(each.code, each.severity, each.clause, f"{name}.toml: {each.says}") for each in wrong.findings]


def _unknown(kind: str, name: str, names: list[str]) -> NotFoundError:
    return NotFoundError(
        "policy.unknown", f"there is no {kind} policy {name[:40]!r}", f"Choose one of: {', '.join(names)}."
    )
