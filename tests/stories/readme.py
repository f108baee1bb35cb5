"""Somebody who reads the README and does what it says, changing nothing but port numbers."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.worlds import free_port

if TYPE_CHECKING:
    from types import TracebackType

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Reader:
    """A reader with a folder, a CSMS on the README's port, and a shell."""

    def __init__(self, readme: str, folder: Path) -> None:
        self._text = readme
        self._folder = folder
        self._ports = {
            "9000": free_port(),
            "8443": free_port(),
            "8442": free_port(),
            "8440": free_port(),
            "8480": free_port(),
        }
        self._running: list[subprocess.Popen[str]] = []
        commands = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**os.environ, "BOLLARD_HOME": str(folder / "home"), "PATH": commands}

    def __enter__(self) -> Self:
        self._start(sys.executable, str(EXAMPLES / "csms.py"), "--port", str(self._ports["9000"]), until='"ready"')
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.communicate(timeout=30)

    def follow_the_five_commands(self) -> None:
        """Run the block below "in five commands", with the request made as the text says."""
        block = re.search(r"in five commands.*?```sh\n(.*?)```", self._text, re.DOTALL)
        request = re.search(r"`(openssl req -new.*?)`", self._text, re.DOTALL)
        assert block is not None
        assert request is not None
        lines = block[1].strip().splitlines()
        assert len(lines) == 5
        self.run(request[1].replace("\n", " "))
        for line in lines:
            if " up " in line:
                self._start(*shlex.split(self._with_ports(line)), until="bollard ready")
            else:
                self.run(line)
            if " init " in line:
                self._move_listeners()

    def connect_a_station(self) -> str:
        """Boot the README's station and return what the CSMS made of it."""
        url = f"wss://csms.example.org:{self._ports['8443']}/ocpp"
        (self._folder / "root.pem").write_text(self.run("bollard ca export root"))
        options = "--identity CP-001 --version 2.0.1 --certificate cp-001.pem --key cp-001.key --root root.pem"
        said = self.run(f"{sys.executable} {EXAMPLES / 'station.py'} --url {url} --address 127.0.0.1 {options}")
        booted: str = next(fact["booted"] for fact in map(json.loads, said.splitlines()) if "booted" in fact)
        return booted

    def run(self, line: str) -> str:
        """Run one line and return what it printed."""
        argv = shlex.split(self._with_ports(line))
        return subprocess.run(
            argv,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def _start(self, *argv: str, until: str) -> None:
        process = subprocess.Popen(
            argv,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._running.append(process)
        assert process.stdout is not None
        while until not in (line := process.stdout.readline()):
            assert line, f"{argv} ended before it said {until}"

    def _with_ports(self, line: str) -> str:
        return line.replace(":9000", f":{self._ports['9000']}")

    def _move_listeners(self) -> None:
        """Two tests at once must not want one port; a reader alone would leave the settings as they are."""
        settings = self._folder / "home" / "bollard.toml"
        text = settings.read_text().replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - the very text to be replaced
        for port in ("8443", "8442", "8440", "8480"):
            text = text.replace(f":{port}", f":{self._ports[port]}")
        settings.write_text(text)
