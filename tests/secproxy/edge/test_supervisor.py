"""The whole of a home brought up and down by the real command, with real processes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.headers import build_authorization_basic

from secproxy.edge.supervisor import _tell_of_descriptors
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOLLARD = [sys.executable, "-m", "bollard"]
PASSPHRASE = "a passphrase for tests alone"
SECONDS = 30.0  # for a step to happen, on the slowest machine
ENOUGH = {"authority", "web", "worker 0", "worker 1"}


def bollard(home: Path, *words: str, passphrase: str = PASSPHRASE) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = os.environ | {"BOLLARD_PASSPHRASE": passphrase}
    command = [*BOLLARD, "--home", str(home), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=SECONDS)


@dataclass
class Up:
    """A running ``bollard up``."""

    home: Path
    process: subprocess.Popen[str]
    doors: list[int]
    said: list[str] = field(default_factory=list)

    def wait_for(self, words: str) -> str:
        """Read what it says until a line holds these words."""
        stream = self.process.stderr
        assert stream
        for line in stream:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"it ended without {words!r}: {''.join(self.said)}")

    def children(self) -> dict[str, int]:
        """Name each child process and its id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                words = (folder / "cmdline").read_text().split("\0")[:-1]
                if int(parent) == self.process.pid and words:
                    noun = words[words.index("--home") + 2 :]
                    found[" ".join(noun).replace(" --number", "")] = int(folder.name)
        return found


def up_words(*doors: int) -> list[str]:
    """Say ``up`` for two workers at these ports: stations with certificates, web, stations with passwords."""
    listen = [f"--listen=127.0.0.1:{doors[0]}=3", f"--listen=127.0.0.1:{doors[2]}=2"]
    return [
        "up",
        "--upstream=ws://127.0.0.1:9",
        "--workers=2",
        *listen,
        f"--web=127.0.0.1:{doors[1]}",
        "--status=127.0.0.1:0",
    ]


@contextlib.contextmanager
def up(home: Path, words: Callable[..., list[str]] = up_words) -> Iterator[Up]:
    """Bring a home up; whatever the test did to it, all of it is gone afterwards."""
    doors = [free_port(), free_port(), free_port()]
    command = [*BOLLARD, "--home", str(home), *words(*doors)]
    env = os.environ | {"BOLLARD_PASSPHRASE": PASSPHRASE, "BOLLARD_HSM_PIN": "2468", "BOLLARD_HSM_PIN_FILE": ""}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            yield Up(home, process, doors)
        finally:
            process.kill()


def make_home(path: Path) -> Path:
    made = bollard(path, "init", "--org", "Example", "--csms-host", "localhost")
    assert made.returncode == 0, made.stderr
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is down, for tests that bring it up themselves."""
    return make_home(tmp_path_factory.mktemp("down") / "home")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One that is up, for all tests that leave it so."""
    with up(make_home(tmp_path_factory.mktemp("up") / "home")) as found:
        found.wait_for("bollard ready")
        yield found


def test_when_it_says_ready_every_process_runs_and_every_door_is_open(running: Up) -> None:
    """Whoever waits for the line can connect right after it."""
    assert set(running.children()) == ENOUGH
    for port in running.doors:
        socket.create_connection(("127.0.0.1", port), SECONDS).close()


def environment_of(pid: int) -> str:
    """What a process was given; that ours are not dumpable keeps it from all but root."""
    try:
        return Path(f"/proc/{pid}/environ").read_text()
    except PermissionError:
        pytest.skip("ONLY ROOT LOOKS INTO A PROCESS OF OURS: run as root to test it")


def test_the_passphrase_goes_to_the_authority_alone(running: Up) -> None:
    """No other process could open a key, even if it were taken over."""
    knowing = {name for name, pid in running.children().items() if PASSPHRASE in environment_of(pid)}

    assert knowing == {"authority"}


def test_the_pin_of_a_token_goes_to_the_authority_alone(running: Up) -> None:
    """Neither the PIN nor the path of its file."""
    environments = {name: environment_of(pid) for name, pid in running.children().items()}

    assert {name for name, text in environments.items() if "BOLLARD_HSM_PIN" in text} == {"authority"}


def test_no_session_can_be_resumed_because_no_ticket_is_given(running: Up) -> None:
    """PROXY row 10: resumption would skip the certificate's check; workers are started with tickets off."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", running.doors[2]), 10) as raw,
        context.wrap_socket(raw) as tls,
    ):
        tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert tls.recv(100).startswith(b"HTTP/1.1 426")
        assert tls.session is not None
        assert not tls.session.has_ticket


def test_what_the_command_line_overrides_is_in_force_and_private(running: Up) -> None:
    """Children read it from a file that nobody else can read."""
    effective = running.home / "run" / "config.toml"

    assert f'"127.0.0.1:{running.doors[0]}"' in effective.read_text()
    assert effective.stat().st_mode & 0o777 == 0o600


def test_a_home_that_is_up_is_not_brought_up_again(running: Up) -> None:
    """The second one says so, changes nothing and exits as a conflict."""
    second = bollard(running.home, *up_words(free_port(), free_port(), free_port()))

    assert (second.returncode, "up.running" in second.stderr) == (7, True)
    assert set(running.children()) == ENOUGH


@pytest.mark.parametrize("name", sorted(ENOUGH))
def test_a_process_that_is_killed_is_started_again(running: Up, name: str) -> None:
    """The others go on as they are."""
    before = running.children()
    os.kill(before[name], signal.SIGKILL)
    running.wait_for(f"bollard: {name} ended (SIGKILL)")
    after = before
    while after.get(name, before[name]) == before[name]:
        after = running.children()

    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }


def test_a_request_to_end_ends_all_of_it_in_order(home: Path) -> None:
    """SIGTERM: workers, web, authority; exit 0, and nothing is left of this run."""
    with up(home) as found:
        found.wait_for("bollard ready")
        children = found.children()
        found.process.terminate()
        _, rest = found.process.communicate(timeout=SECONDS)

    assert found.process.returncode == 0
    assert "is killed" not in rest
    assert [pid for pid in children.values() if Path(f"/proc/{pid}").exists()] == []
    assert {path.name for path in (home / "run").iterdir() if path.suffix in {".sock", ".toml"}} == set()


def test_kill_9_of_the_supervisor_leaves_no_process_behind(home: Path) -> None:
    """And the home can be brought up again right after it."""
    with up(home) as found:
        found.wait_for("bollard ready")
        handles = [os.pidfd_open(pid) for pid in found.children().values()]
        found.process.kill()
        found.process.wait()
        for handle in handles:
            assert select.select([handle], [], [], SECONDS)[0]
            os.close(handle)
    with up(home) as again:
        again.wait_for("bollard ready")


def test_a_wrong_passphrase_ends_the_start_with_the_authoritys_reason(home: Path) -> None:
    """It is not tried for ever, and nothing keeps running."""
    ended = bollard(home, *up_words(free_port(), free_port(), free_port()), passphrase="wrong")

    assert ended.returncode > 0
    assert "passphrase" in ended.stderr
    assert "bollard ready" not in ended.stderr


def test_an_address_that_is_taken_is_named_before_anything_starts(home: Path) -> None:
    """Workers share their ports, so the system alone would not refuse another home's."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ended = bollard(home, *up_words(taken, free_port(), free_port()))

    assert ended.returncode == 7
    assert f"port {taken}" in ended.stderr
    assert "authority ready" not in ended.stderr


def any_ports(*doors: int) -> list[str]:
    """Say ``up`` with every page at a port of the system's choosing."""
    pages = [f"--{page}=127.0.0.1:0" for page in ("web", "status", "metrics")]
    return ["up", "--upstream=ws://127.0.0.1:9", "--workers=1", f"--listen=127.0.0.1:{doors[0]}=3", *pages]


def test_pages_are_served_at_ports_of_the_systems_choosing_and_said(home: Path) -> None:
    """Each line says which; a web process that is started again has the same."""
    with up(home, any_ports) as found:
        found.wait_for("bollard ready")
        ports = {line.split()[0]: int(line.rpartition(":")[2]) for line in found.said if " ready on 127.0.0.1:" in line}
        assert set(ports) == {"web", "status", "metrics"}
        for port in ports.values():
            socket.create_connection(("127.0.0.1", port), SECONDS).close()
        os.kill(found.children()["web"], signal.SIGKILL)
        assert found.wait_for("web ready on").rstrip().endswith(f":{ports['web']}")


def test_without_a_csms_nothing_is_brought_up(home: Path) -> None:
    """The advice says where to name it."""
    ended = bollard(home, "up")

    assert (ended.returncode, "--upstream" in ended.stderr) == (2, True)


def test_every_process_has_begun_by_giving_up_what_it_does_not_need(running: Up) -> None:
    """The supervisor as well: it was given the passphrase to hand on."""
    pids = {"supervisor": running.process.pid, **running.children()}
    kept = {name for name, pid in pids.items() if "NoNewPrivs:\t1" not in Path(f"/proc/{pid}/status").read_text()}

    assert kept == set()


@pytest.mark.parametrize(("most", "says"), [(4_096, ["1998 stations"]), (1_048_576, [])])
def test_too_few_descriptors_are_told_in_stations(
    capsys: pytest.CaptureFixture[str], most: int, says: list[str]
) -> None:
    """Two for each; who plans for more learns it at the start and not from the station that is turned away."""
    _tell_of_descriptors(most)
    told = capsys.readouterr().err

    assert [word for word in ["1998 stations"] if word in told] == says


def offers_wrong_password(port: int) -> int:
    """Knock at the door for stations with passwords as one that nobody registered; the status of the answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    head = (
        "GET /ocpp/CP-404 HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: ocpp1.6",
        f"Authorization: {build_authorization_basic('CP-404', 'a wrong password of sixteen')}",
    )  # fmt: skip
    with (
        socket.create_connection(("127.0.0.1", port), SECONDS) as raw,
        context.wrap_socket(raw) as tls,
    ):
        tls.sendall("\r\n".join([*head, "", ""]).encode())
        return int(tls.recv(100).split()[1])


def test_attack_07_a_lock_out_outlives_the_code_that_began_it(home: Path) -> None:
    """And an upgrade is no way to more guesses; the passphrase is with the next authority alone, as with the first."""
    with up(home) as found:
        found.wait_for("bollard ready")
        statuses = [offers_wrong_password(found.doors[2]) for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        done = bollard(home, "upgrade")
        assert done.returncode == 0, done.stderr
        assert offers_wrong_password(found.doors[2]) == 429
        found.wait_for("authority ready")
        pids = {"supervisor": found.process.pid, **found.children()}
        assert {name for name, pid in pids.items() if PASSPHRASE in environment_of(pid)} == {"supervisor", "authority"}
        found.process.terminate()
        found.process.communicate(timeout=SECONDS)

    assert found.process.returncode == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_attack_07_a_lock_out_outlives_a_crash_and_a_restart(tmp_path: Path, end: signal.Signals) -> None:
    """Whoever can have it begin anew has no fresh guesses by that."""
    home = make_home(tmp_path / "home")
    kept = home / "run" / "lockouts"
    with up(home) as found:
        found.wait_for("bollard ready")
        assert [offers_wrong_password(found.doors[2]) for _ in range(6)] == [401] * 5 + [429]
        while end is signal.SIGKILL and not (kept.exists() and b'"locks":1' in kept.read_bytes()):
            pass  # it is written within a second
        found.process.send_signal(end)
        found.process.wait()
    with up(home) as again:
        again.wait_for("bollard ready")
        assert offers_wrong_password(again.doors[2]) == 429


def test_upgrades_leave_no_descriptor_behind(home: Path) -> None:
    """The second has as many as the first, and children have none of them."""
    with up(home) as found:
        found.wait_for("bollard ready")
        counts = []
        for _ in range(3):
            assert bollard(home, "upgrade").returncode == 0
            found.wait_for("web ready")
            gone(found, 5)
            counts.append(len(list(Path(f"/proc/{found.process.pid}/fd").iterdir())))
        found.process.terminate()
        found.process.communicate(timeout=SECONDS)

    assert len(set(counts)) == 1, counts


def gone(found: Up, most: int) -> None:
    """Wait until the former generation has gone."""
    end = time.monotonic() + SECONDS
    while len(found.children()) > most:
        assert time.monotonic() < end, found.children()
        time.sleep(0.05)


def test_every_line_of_every_process_is_an_object_where_programs_read_them(home: Path) -> None:
    """From the first line to the last, a death in between; the kind of each is one that is explained."""
    doors = [free_port(), free_port(), free_port()]
    command = [*BOLLARD, "--home", str(home), *up_words(*doors), "--log-format=json"]
    env = os.environ | {"BOLLARD_PASSPHRASE": PASSPHRASE}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            found = Up(home, process, doors)
            found.wait_for('"bollard ready"')
            words = {name.split(" --")[0]: pid for name, pid in found.children().items()}
            os.kill(words["worker 0"], signal.SIGKILL)
            found.wait_for('"process.ended"')
            process.terminate()
            _, rest = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    lines = [json.loads(line) for line in [*found.said, *rest.splitlines()]]

    assert {line["process"] for line in lines} == {"supervisor", "authority", "web"}
    assert {"process.ready", "process.ended"} <= {line["id"] for line in lines}
    assert all({"time", "level", "process", "id", "text"} <= set(line) for line in lines)


def test_an_end_with_an_error_is_an_object_too_where_the_settings_say_so(home: Path) -> None:
    """What a process that gave up said is what programs look for first."""
    settings = home / "bollard.toml"
    before = settings.read_text()
    settings.write_text(f'{before}\n[log]\nformat = "json"\n')
    try:
        ended = bollard(home, *up_words(free_port(), free_port(), free_port()), passphrase="wrong")
    finally:
        settings.write_text(before)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]

    assert ended.returncode > 0
    assert ("authority", "passphrase.wrong", "error") in {
        (line["process"], line["id"], line["level"]) for line in lines
    }
