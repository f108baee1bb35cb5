"""What ``bollard.toml`` says about policies: which one stations are under, and who is under another.

```toml
[policy]
preset = "baseline"

[[policy_override]]
group = "depot"
preset = "strict"
```
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pki.tables import wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.tables import Table, Tables

POLICY_TABLES: Final[Mapping[str, frozenset[str]]] = {
    "policy": frozenset({"preset"}),
    "policy_override": frozenset({"group", "station", "preset"}),
}
DEFAULT: Final = "baseline"
OVERRIDES_MOST: Final = 1_024  # groups and stations; each is looked up once a session

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Which policy a station is under, by the name of its file."""

    preset: str = DEFAULT
    groups: Mapping[str, str] = field(default_factory=dict)
    stations: Mapping[str, str] = field(default_factory=dict)

    def of(self, identity: str, group: str) -> str:
        """Name the policy of a station: its own, else its group's, else everybody's."""
        return self.stations.get(identity) or self.groups.get(group) or self.preset

    @property
    def names(self) -> frozenset[str]:
        """Every policy that somebody is under."""
        return frozenset({self.preset, *self.groups.values(), *self.stations.values()})


def read_policy_settings(file: Tables) -> PolicySettings:
    """Read both tables; what is wrong with them is noted."""
    overrides = file.many("policy_override")
    if len(overrides) > OVERRIDES_MOST:
        file.wrong("policy_override", f"there are more than {OVERRIDES_MOST}; put stations into groups")
        overrides = []
    found: dict[str, dict[str, str]] = {"group": {}, "station": {}}
    for each in overrides:
        kind, whose = _whose(each)
        if whose in found[kind]:
            each.wrong(kind, f"{whose[:64]!r} has an override already")
        found[kind][whose] = _preset(each, None)
    return PolicySettings(_preset(file.one("policy"), DEFAULT), found["group"], found["station"])


def _whose(each: Table) -> tuple[str, str]:
    each.only(POLICY_TABLES["policy_override"])
    named = [kind for kind in ("group", "station") if kind in each.raw]
    if len(named) != 1 and each.sound("group", "station"):
        each.file.note(each.place, wrong("policy_override", "it names a group or a station, one of the two"))
    kind = (named or ["group"])[0]
    whose = each.text(kind, "" if not named else None)
    if named and not whose:
        each.wrong(kind, "it is empty; write whose override it is")
    return kind, whose


def _preset(table: Table, default: str | None) -> str:
    name = table.text("preset", default)
    if not _NAME.fullmatch(name):
        table.wrong("preset", f"{name[:40]!r} is no policy's name: small letters, digits and hyphens")
    return name
