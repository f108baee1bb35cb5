"""The server certificates are renewed while stations talk and others connect: nobody notices but by the new serial."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from pki.edge import calls
from pki.edge.asking import ask_once
from tests.stories import kernel, served
from tests.stories.town import PAPERS, talks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.town import Town

TURNS = 3  # connections made after the swap, before the story ends


class Comers:
    """Stations that connect one after the other, say one thing, hear the answer and leave, until told to stop."""

    def __init__(self, town: Town) -> None:
        here = {station.name for station in town._stations}
        self._identities = [paper.identity for paper in PAPERS if paper.identity.lower() not in here]
        self._town = town
        self._stop = threading.Event()
        self.failures: list[Exception] = []
        self.turns = 0
        self._thread = threading.Thread(target=self._come_and_go)
        self._thread.start()

    def comes_again(self) -> None:
        """Wait for a few more turns."""
        due = self.turns + TURNS
        kernel.until("they connect again", lambda: self.turns >= due or bool(self.failures))

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()

    def _come_and_go(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn(self._identities[self.turns % len(self._identities)])
                self.turns += 1
        except Exception as failure:  # noqa: BLE001 - whatever it was is shown by the story
            self.failures.append(failure)

    def _turn(self, identity: str) -> None:
        folder, name = self._town.world.folder, identity.lower()
        context = ssl.create_default_context(cafile=str(folder / "root.pem"))
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        url = f"wss://localhost:{self._town.port}/ocpp/{identity}"
        with connect(url, ssl=context, subprotocols=[Subprotocol("ocpp1.6")], proxy=None) as socket:
            socket.send('[2,"1","Heartbeat",{}]')
            assert str(socket.recv(20)).startswith('[3,"1"')


def is_served(town: Town, port: int, serials: set[str]) -> None:
    """See a listener present one of these, on every worker that may take the connection."""
    root = town.world.folder / "root.pem"
    kernel.until(f"{port} presents the new one", lambda: {served.serial(port, root) for _ in range(4)} <= serials)


def test_new_connections_see_the_new_certificate_and_no_session_ends(town: Town) -> None:
    """Workers and the web process present it without a restart; whoever is connected, and whoever comes, is served."""
    stations = town.one_on_each_worker()
    others = town.pids()
    comers = Comers(town)
    comers.comes_again()
    rotated = json.loads(town.world.bollard("-o", "json", "rotate", "--now", "server", shown=False))
    for port in (town.port, town.web_port):
        is_served(town, port, {row["serial"] for row in rotated["renewed"]})
    comers.comes_again()
    comers.stop()
    for station in stations.values():
        talks(station, "after-the-swap")

    assert comers.failures == []
    assert town.pids() == others
    told = {str(event["cause"]) for event in town.events()}
    assert {cause for cause in told if cause.startswith(("session.", "tls."))} == {"session.opened"}


def test_an_authority_killed_in_the_middle_leaves_stations_a_server(town: Town) -> None:
    """At no chosen moment: the old certificate or the new one is presented, and the next authority tidies up."""
    station = town.connects(PAPERS[0].identity)
    before = kernel.until("an authority is there", lambda: ask_once(town.home, calls.ListIssuers(), calls.Issuers))
    assert before
    command = [sys.executable, "-m", "bollard", "rotate", "--now", "server"]
    asking = subprocess.Popen(command, env=town.world.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kernel.until("a key is being made", lambda: _servers(town.home.keys) != 2 or asking.poll() is not None)
    town.is_back("authority", town.kill("authority"))
    asking.wait(60)

    kernel.until("the keys of one pair are left", lambda: _servers(town.home.keys) == 2)
    active = ask_once(town.home, calls.FetchCredentials(), calls.Credentials)
    assert active.ecdsa_key
    assert active.rsa_key
    talks(station, "after-the-kill")
    town.connects(PAPERS[1].identity)


def _servers(folder: Path) -> int:
    return len(list(folder.glob("server-*.pem")))
