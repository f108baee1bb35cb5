"""The folder and the processes that the story plays in: nothing of it outlives the story.

Commands are run as a person would run them, from the folder, with ``BOLLARD_HOME`` set.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from cli.demo.child import Child, Fact
from pki.errors import BollardError

COMMAND_SECONDS: Final = 60.0  # no command of the story takes longer, even on a busy machine
EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"  # beside the rooms, in a checkout and in a wheel
VENDOR: Final = "Demo Vendor"
MODEL: Final = "Demo One"


@dataclass(slots=True)
class World:
    """All that the steps share."""

    folder: Path
    ports: dict[int | str, int] = field(default_factory=dict)
    """Listening ports: by security profile, and ``web``."""
    children: dict[str, Child] = field(default_factory=dict)
    events_seen: set[str] = field(default_factory=set)
    """Ids of the events that a step has accounted for."""
    ending: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        (self.folder / "logs").mkdir()
        for name in (3, 2, "web"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.ports[name] = free.getsockname()[1]

    def env(self) -> dict[str, str]:
        """Hand on the environment without any setting of another home's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BOLLARD_")}
        return {**kept, "BOLLARD_HOME": str(self.folder / "home"), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}

    def bollard(self, *words: str, exits: int = 0, shown: bool = True) -> str:
        """Run one command, show it, and return its stdout; any other exit code than ``exits`` ends the story."""
        if shown:
            click.echo(f"       $ bollard {shlex.join(words)}")
        argv = [sys.executable, "-m", "bollard", *words]
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            argv, cwd=self.folder, env=self.env(), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
        if done.returncode != exits:
            says = f"'bollard {shlex.join(words)}' ended with {done.returncode} in place of {exits}"
            raise BollardError("demo.command", says, done.stderr[-2000:])
        return done.stdout if exits == 0 else done.stderr

    def start(self, name: str, *argv: str, hears_stderr: bool = False) -> Child:
        """Start a process that ends with the story."""
        child = Child(name, argv, self.folder, self.env(), hears_stderr=hears_stderr)
        self.children[name] = child
        self.ending.callback(child.end)
        return child

    def station(self, name: str, identity: str, *options: str, profile: int = 3) -> Child:
        """Start the example station against our listener of this security profile."""
        url = f"wss://localhost:{self.ports[profile]}/ocpp"
        made_by = ("--vendor", VENDOR, "--model", MODEL, "--manufacturer-root", "manufacturer.pem")
        program = str(EXAMPLES / "station.py")
        given = ("--url", url, "--identity", identity, "--root", "root.pem", *made_by, *options)
        return self.start(name, sys.executable, program, *given)

    def csms_sends(self, identity: str, action: str, payload: Fact) -> Fact:
        """Have the CSMS send one request; returns what it reports of the answer."""
        csms = self.children["csms"]
        mark = len(csms.facts())
        csms.say({"send": action, "to": identity, "payload": payload})
        answered = f"the answer of {identity} to {action}"
        return csms.wait_for(answered, lambda fact: fact.get("sent") == action and fact["to"] == identity, since=mark)

    def new_events(self) -> list[Fact]:
        """List the security events since the last look, as an administrator would."""
        listed = json.loads(self.bollard("-o", "json", "event", "list", "--limit", "1000", shown=False))["events"]
        new = [event for event in listed if event["id"] not in self.events_seen]
        self.events_seen.update(event["id"] for event in new)
        return new

    def close(self) -> None:
        """End every process, the last started first."""
        self.ending.close()


def end_on_signals() -> None:
    """Let SIGTERM end the story as Ctrl-C does, with everything put away."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
