"""The official JSON schemas, where the ``ocpp`` package brings them."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secproxy.policy.fields import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.policy.fields import Fields

_FOLDERS: Final = {"ocpp1.6": "v16", "ocpp2.0.1": "v201", "ocpp2.1": "v21"}


class SchemaFiles:
    """The library of the installed package. Nothing of the package is run."""

    def __init__(self) -> None:
        spec = find_spec("ocpp")
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError("the ocpp package is not installed")
        self._root = Path(next(iter(spec.submodule_search_locations)))

    def names(self, version: str) -> list[str]:
        """Name every schema of a version (``ocpp1.6``), in order."""
        return sorted(path.stem for path in self._folder(version).glob("*.json"))

    def text(self, version: str, name: str) -> str:
        """Read a schema that ``names`` names."""
        return (self._folder(version) / f"{name}.json").read_text("utf-8-sig")  # some begin with a byte-order mark

    def _folder(self, version: str) -> Path:
        return self._root / _FOLDERS[version] / "schemas"


def official_fields(library: SchemaFiles) -> Fields:
    """Find which fields a call has by the official schema of its version."""

    @cache
    def fields(version: str, action: str) -> Mapping[str, bool]:
        names = {action, f"{action}Request"} & set(library.names(version))
        return fields_of(json.loads(library.text(version, names.pop()))) if names else {}

    return fields
