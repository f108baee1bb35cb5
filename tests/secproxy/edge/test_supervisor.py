"""The whole of a home brought up and down by the real command, with real processes."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.secproxy.edge.houses import (
    BOLLARD,
    ENOUGH,
    PASSPHRASE,
    SECONDS,
    Up,
    bollard,
    environment_of,
    make_home,
    up,
    up_words,
)
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def test_a_secret_that_others_can_read_is_told_before_anything_starts(tmp_path: Path) -> None:
    """Not by the first event that is to be sent."""
    home = make_home(tmp_path / "home")
    secret = home / "secret"
    secret.write_text("x" * 16)
    secret.chmod(0o644)
    sink = f'[[event_sink]]\nname = "x"\nkind = "webhook"\nurl = "http://127.0.0.1:1"\nsecret_file = "{secret}"\n'
    (home / "bollard.toml").write_text((home / "bollard.toml").read_text() + sink)
    ended = bollard(home, *up_words(free_port(), free_port(), free_port()))

    assert (ended.returncode, "sink.file" in ended.stderr, "chmod 600" in ended.stderr) == (2, True, True)
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
