"""The story, step by step. Every step either holds or ends the story; the verdict is given only when all held."""

from __future__ import annotations

import functools
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from cli.demo.attacks import ATTACKS, ORGANISATION, must_be_refused
from cli.demo.firmware import image_is_signed, tampered_image, unsigned_update, update_16, update_201
from cli.demo.papers import write_station_request
from cli.demo.world import EXAMPLES, World, end_on_signals
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cli.demo.child import Child

REVOKED_WITHIN: Final = 1.0  # seconds from the revocation's return to the end of the session it rests on
ODD: Final = '[ 2 , "odd-1" ,\t"Heartbeat",  { } ]'  # legal JSON that no library would write; it must arrive as it is
STATIONS: Final = {"CP-001": 3, "CP-002": 3, "CP-003": 2, "CP-004": 3}  # identity -> security profile


@dataclass(frozen=True, slots=True)
class Step:
    """One promise, and the act that proves it; the act returns what was seen."""

    says: str
    act: Callable[[World], str]


def play(folder: Path, steps: Sequence[Step] | None = None) -> None:
    """Play ``steps``, or all, in ``folder`` and give the verdict; ``BollardError`` says what did not hold."""
    end_on_signals()
    world = World(folder)
    began = time.monotonic()
    chosen = STEPS if steps is None else steps
    try:
        for number, step in enumerate(chosen, 1):
            _take(world, number, step)
    finally:
        world.close()
    click.echo(f"\nAll {len(chosen)} steps held, in {time.monotonic() - began:.1f} s.")


def _take(world: World, number: int, step: Step) -> None:
    began = time.monotonic()
    click.echo(f"{number:4}. {step.says}")
    try:
        saw = step.act(world)
    except BollardError:
        click.echo(f"     {_mark('✗', 'FAILED')} step {number} did not hold")
        raise
    click.echo(f"     {_mark('✓', 'ok')} {saw} ({time.monotonic() - began:.2f} s)")


def _mark(sign: str, word: str) -> str:
    return sign if "utf" in (sys.stdout.encoding or "").lower() else word


def make_home(world: World) -> str:
    """Make the home."""
    url = f"https://localhost:{world.ports['web']}"
    world.bollard("init", "--org", ORGANISATION, "--csms-host", "localhost", "--public-url", url)
    world.bollard("ca", "export", "root", "--out", "root.pem")
    return "a root, its issuing CAs, server certificates and an empty ledger"


def add_stations(world: World) -> str:
    """Register four stations; one has a password."""
    for identity, profile in STATIONS.items():
        serial = identity.replace("CP", "SN")
        printed = world.bollard("station", "add", identity, "--serial", serial, "--profile", str(profile))
        if profile < 3:
            (world.folder / f"{identity.lower()}.password").touch(mode=0o600)
            (world.folder / f"{identity.lower()}.password").write_text(printed)
    return "three with certificates, one with a password shown once"


def issue_certificates(world: World) -> str:
    """Let the stations make keys, and issue certificates for their requests."""
    for identity in (name for name, profile in STATIONS.items() if profile == 3):
        name = identity.lower()
        write_station_request(world.folder, name, ORGANISATION, identity.replace("CP", "SN"))
        world.bollard("cert", "issue", "--station", identity, "--csr", f"{name}.csr", "--out", f"{name}.pem")
    return "the private keys never left the stations"


def start_all(world: World) -> str:
    """Start the operator's CSMS, and Bollard in front of it."""
    csms = world.start("csms", sys.executable, str(EXAMPLES / "csms.py"), "--port", "0")
    port = csms.wait_for("that it listens", lambda fact: "ready" in fact)["ready"]
    web = f"127.0.0.1:{world.ports['web']}"
    doors = [f"--listen=127.0.0.1:{world.ports[profile]}={profile}" for profile in (3, 2)]
    words = ["up", f"--upstream=ws://127.0.0.1:{port}", *doors, f"--web={web}", "--status=127.0.0.1:0", "--workers=2"]
    click.echo(f"       $ bollard {' '.join(words)}")
    up = world.start("up", sys.executable, "-m", "bollard", *words, hears_stderr=True)
    up.wait_for("bollard ready", lambda fact: "bollard ready" in str(fact.get("line")))
    return "authority, two proxy workers and the web process are up"


def connects(world: World, identity: str, version: str, profile: int, *proof: str) -> str:
    """Connect a station and see it boot at the CSMS."""
    name = identity.lower()
    given = (*proof, "--version", version, "--firmware-out", f"{name}.bin", "--serial", identity.replace("CP", "SN"))
    station = world.station(name, identity, *given, profile=profile)
    station.wait_for("booted: Accepted", lambda fact: fact.get("booted") == "Accepted")
    csms = world.children["csms"]
    seen = csms.wait_for("the connection", lambda fact: fact.get("connected") == identity)
    if (seen["path"], seen["subprotocol"], seen["sockets"]) != (f"/ocpp/{identity}", f"ocpp{version}", 1):
        raise BollardError("demo.connection", f"the CSMS saw another connection than was made: {seen}"[:600])
    return f"booted at the CSMS over {seen['subprotocol']}, path {seen['path']}, one socket"


def connect_mutual(world: World, identity: str, version: str) -> str:
    """Connect a station that proves itself with its certificate."""
    name = identity.lower()
    return connects(world, identity, version, 3, "--certificate", f"{name}.pem", "--key", f"{name}.key")


def connect_password(world: World) -> str:
    """Connect a station that proves itself with its password."""
    return connects(world, "CP-003", "1.6", 2, "--password-file", "cp-003.password")


def byte_for_byte(world: World) -> str:
    """Compare all that both ends said and heard."""
    count = 0
    csms = world.children["csms"]
    for identity in ("CP-001", "CP-002"):
        station = world.children[identity.lower()]
        station.say({"say": ODD})
        station.wait_for("the answer to an odd message", lambda fact: '"odd-1"' in str(fact.get("heard")))
        if world.csms_sends(identity, "ClearCache", {}).get("answer") != {"status": "Accepted"}:
            raise BollardError("demo.answer", f"{identity} did not answer ClearCache", station.last_words())
        up = [str(fact["message"]) for fact in csms.facts() if fact.get("heard") == identity]
        down = [str(fact["message"]) for fact in csms.facts() if fact.get("said") == identity]
        count += compare(station, "said", up) + compare(station, "heard", down)
    return f"{count} messages in both directions arrived exactly as they were sent, odd blanks included"


def compare(station: Child, way: str, at_csms: list[str]) -> int:
    """Hold what a station has ``said`` or ``heard`` against what the CSMS has of it, and count it; the station may
    print it a moment later. Refused with ``demo.altered`` when they differ."""
    station.wait_for(f"as much as the CSMS has of what it {way}", lambda _: len(station.texts(way)) >= len(at_csms))
    at_station = station.texts(way)
    if at_station != at_csms:
        raise BollardError(
            "demo.altered", f"{station.name} {way} other messages than the CSMS has", station.last_words()
        )
    return len(at_station)


def revocation_ends_session(world: World) -> str:
    """Revoke a connected station's certificate and measure how long its session lasts."""
    connect_mutual(world, "CP-004", "2.0.1")
    station = world.children["cp-004"]
    world.bollard("cert", "revoke", "--station", "CP-004", "--reason", "key_compromise")
    revoked = time.monotonic()
    station.wait_for("closed", lambda fact: "closed" in fact)
    lasted = max(0.0, time.monotonic() - revoked)
    world.new_events()  # the end of the session is one; what follows counts from here
    if lasted > REVOKED_WITHIN:
        raise BollardError("demo.slow", f"the session lasted {lasted:.2f} s after the revocation")
    return f"the session was closed {lasted * 1000:.0f} ms after the command returned"


def audit_holds(world: World) -> str:
    """Recompute the audit log."""
    printed = world.bollard("audit", "verify")
    return ", ".join(" ".join(line.split()) for line in printed.splitlines())


def all_ends(world: World) -> str:
    """Stop everything as an administrator would."""
    up = world.children["up"]
    if (code := up.end()) != 0:
        raise BollardError("demo.stop", f"'bollard up' ended with {code}", up.last_words())
    return "every process ended when asked"


STEPS: Final = (
    Step("A home is made", make_home),
    Step("Stations are registered", add_stations),
    Step("Certificates are issued for the stations' own requests", issue_certificates),
    Step("Bollard stands in front of a CSMS that knows nothing of it", start_all),
    Step("A station of OCPP 1.6 connects with its certificate", lambda world: connect_mutual(world, "CP-001", "1.6")),
    Step(
        "A station of OCPP 2.0.1 connects with its certificate", lambda world: connect_mutual(world, "CP-002", "2.0.1")
    ),
    Step("A station connects with its password", connect_password),
    Step("Messages pass byte for byte", byte_for_byte),
    Step("A revocation ends the live session within a second", revocation_ends_session),
    *(
        Step(f"{attack.says[0].upper()}{attack.says[1:]}", functools.partial(must_be_refused, attack=attack))
        for attack in ATTACKS
    ),
    Step("A signed image is verified and kept", image_is_signed),
    Step("A tampered image is refused", tampered_image),
    Step("The 1.6 station installs the very same bytes", update_16),
    Step("The 2.0.1 station installs the very same bytes", update_201),
    Step("An unsigned update never reaches the station", unsigned_update),
    Step("The audit log is proved whole", audit_holds),
    Step("Everything ends cleanly", all_ends),
)
