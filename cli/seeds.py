"""Reads a list of stations as a spreadsheet exports it: CSV with a header line.

All that is wrong is told at once, each with its line; nothing is taken from a list with a wrong line in it.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from pki.edge.calls import StationSeed
from pki.errors import InputError
from pki.findings import Finding, error
from pki.names import StationIdentity, StationSerial
from pki.station import SecurityProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRED: Final = frozenset({"identity", "serial"})
COLUMNS: Final = REQUIRED | {"profile", "group", "site"}

_ADVICE: Final = "The first line names the columns: identity,serial and, as you like, profile,group,site."


def read_seeds(text: str, profile: int | None) -> tuple[StationSeed, ...]:
    """Read stations from CSV; ``profile`` is for rows that name none. ``InputError("stations.unreadable")`` else."""
    lines = csv.DictReader(text.splitlines(), restkey="", strict=True)
    seeds: list[StationSeed] = []
    wrong: list[Finding] = []
    try:
        _refuse_columns(frozenset(lines.fieldnames or ()))
        for row in lines:
            try:
                seeds.append(_seed(row, profile))
            except InputError as refused:
                wrong.append(error(refused.code, "", f"line {lines.line_num}: {refused.cause}"))
    except csv.Error as broken:
        raise InputError("stations.unreadable", f"line {lines.reader.line_num} is no CSV: {broken}", _ADVICE) from None
    if wrong:
        says = f"{len(wrong)} lines of the list are wrong; nothing was registered"
        raise InputError("stations.unreadable", says, _ADVICE, findings=tuple(wrong))
    if not seeds:
        raise InputError("stations.unreadable", "there is no station in the list", _ADVICE)
    return tuple(seeds)


def _refuse_columns(columns: frozenset[str]) -> None:
    missing, unknown = REQUIRED - columns, columns - COLUMNS
    if missing or unknown:
        says = f"missing columns: {sorted(missing)}; unknown columns: {sorted(unknown)}"
        raise InputError("stations.unreadable", says[:400], _ADVICE)


def _seed(row: Mapping[str, str | None], profile: int | None) -> StationSeed:
    if "" in row:
        raise InputError("stations.row", "more fields than columns", _ADVICE)
    return StationSeed(
        identity=str(StationIdentity.parse(row["identity"] or "")),
        serial=str(StationSerial.parse(row["serial"] or "")),
        profile=_profile(row.get("profile") or "", profile),
        group=row.get("group") or "",
        site=row.get("site") or "",
    )


def _profile(text: str, default: int | None) -> int:
    if not text and default is not None:
        return default
    if text not in {str(profile.value) for profile in SecurityProfile}:
        raise InputError("stations.row", f"{text[:20]!r} is no security profile", "Give 1, 2 or 3, or use --profile.")
    return int(text)
