"""The unit that ships takes from Bollard what it does not need, and leaves what its own fences need."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parent.parent / "examples" / "systemd" / "bollard.service"
EXPOSURE = 20  # tenths, of 100; what is left is the network, which a proxy is for


def directives() -> dict[str, list[str]]:
    """The unit's settings, each with its values in order."""
    found = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="NO systemd-analyze HERE: the unit was only read")
def test_systemd_finds_the_unit_little_exposed() -> None:
    """By its own measure, without running it."""
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT)]
    judged = subprocess.run(words, capture_output=True, text=True, check=False)

    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "Unknown" not in judged.stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("User", "bollard"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("StateDirectory", "bollard"),
        ("StateDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
        ("Type", "exec"),
        ("KillMode", "mixed"),
        ("TimeoutStopSec", "90"),
        ("ExecReload", "/opt/bollard/bin/bollard --home /var/lib/bollard reload"),
        ("LimitNOFILE", "1048576"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
        ("RestrictNamespaces", "yes"),
        ("SystemCallArchitectures", "native"),
    ],
)
def test_each_protection_and_each_way_to_tell_it_something_is_there(key: str, value: str) -> None:
    """Also where no systemd could be asked."""
    assert directives()[key] == [value]


def test_what_our_own_fence_calls_is_allowed() -> None:
    """A filter that refused these calls would keep every worker from starting."""
    allowed = " ".join(value for value in directives()["SystemCallFilter"] if not value.startswith("~")).split()

    assert {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} <= set(allowed)


def test_what_would_break_it_is_not_asked_for() -> None:
    """OpenSSL's callbacks need memory that is made executable; who asks is known by the host's user."""
    assert {"MemoryDenyWriteExecute", "PrivateUsers", "PrivateNetwork"}.isdisjoint(directives())
