"""A machine that is on a network is told from one that is not; where nobody knows, it counts as on one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pki.edge.networks import UNKNOWN, ask_kernel, networks_allowed, networks_up
from pki.errors import ForbiddenError

LO, UP, DOWN = 0x9, 0x1003, 0x1002

SAY = "from pki.edge.networks import ask_kernel, networks_up; print(*networks_up()); print(*ask_kernel())"
RAISE = (  # SIOCSIFFLAGS: an interface is made, and taken up
    "import fcntl, socket, struct, subprocess;"
    "subprocess.run(['ip', 'link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1'], check=True);"
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'wire0', 1));"
)


def apart(code: str) -> subprocess.CompletedProcess[str]:
    """Run some Python in a network namespace of its own."""
    return subprocess.run(["unshare", "-n", sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_loopback_and_interfaces_that_are_down_do_not_count() -> None:
    """A laptop with its radio off is on no network."""
    assert networks_up(lambda: {"lo": LO, "eth0": DOWN}) == ()


def test_an_interface_that_is_up_counts_even_without_a_cable() -> None:
    """Up means that a cable is all that is missing."""
    assert networks_up(lambda: {"wlan0": UP, "lo": LO, "eth0": UP}) == ("eth0", "wlan0")


def test_where_nobody_knows_it_is_not_taken_for_none() -> None:
    """Neither where the kernel refuses to say, nor where it says that there is nothing at all."""

    def refuse() -> dict[str, int]:
        raise PermissionError

    assert networks_up(refuse) == (UNKNOWN,)
    assert networks_up(dict) == (UNKNOWN,)


def test_the_kernel_tells_of_every_interface() -> None:
    """Here at least of the loopback, which every machine has."""
    found = ask_kernel()

    assert "lo" in found
    assert found["lo"] & 0x8


@pytest.mark.skipif(os.getuid() != 0, reason="only root may leave the machine's networks")
def test_a_process_that_has_left_the_networks_is_on_none() -> None:
    """``unshare -n`` is a machine without a network, whatever /sys still shows of the one outside."""
    said = apart(SAY)

    assert said.stdout == "\nlo\n", said.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root may make an interface")
def test_an_interface_that_is_up_is_seen_there_too() -> None:
    """It is the namespace that is looked at, not the word for it."""
    said = apart(RAISE + SAY)
    if "wire0" not in said.stdout:
        pytest.skip(f"no interface can be made here: {said.stderr[-200:]}")

    assert said.stdout.splitlines()[0] == "wire0"


def test_any_network_is_refused_unless_it_is_allowed_aloud() -> None:
    """A root's key must never have been on one."""
    with pytest.raises(ForbiddenError, match=r"ceremony\.networked.*eth0"):
        networks_allowed(lambda: {"eth0": UP})
    assert networks_allowed(lambda: {"eth0": UP}, any_at_all=True) == ("eth0",)
    assert networks_allowed(lambda: {"eth0": DOWN}) == ()
