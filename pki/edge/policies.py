"""Where the data files of policy lie: certificate profiles and firmware policies, shipped beside the code."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from pki.errors import NotFoundError

FOLDER: Final = Path(__file__).resolve().parents[2] / "policies"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@cache
def read_policy(kind: str, name: str) -> str:
    """Return the text of ``policies/<kind>/<name>.toml``."""
    path = FOLDER / kind / f"{name}.toml"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFoundError(
            "policy.unknown", f"there is no {kind} policy {name[:40]!r}", f"Choose one of: {_names(kind)}."
        )
    return path.read_text(encoding="utf-8")


def _names(kind: str) -> str:
    return ", ".join(sorted(path.stem for path in (FOLDER / kind).glob("*.toml")))
