"""Hands are shaken with our own listeners, real ones, as far as their certificate; nobody is waited for."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.edge.home import Home
from pki.health import Weight, judge
from pki.served import Meant
from secproxy.config import Limits, parse_config
from secproxy.edge import examination, handshaking
from secproxy.edge.handshaking import Door, Way, doors, see_served
from secproxy.proxy_protocol import LOCAL
from tests.certs import NOW, Party
from tests.secproxy.edge.doors import CREDENTIALS, door, known
from tests.secproxy.edge.houses import bollard, make_home, up
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from pki.health import Served
    from pki.tables import Network
    from tests.secproxy.edge import doors as behind

SERVER = Party.root("Public CA").issue("localhost", dns="localhost")
OTHER = Party.root("Public CA").issue("localhost", dns="localhost")
MEANT = Meant(SERVER.certificate, "localhost", ours=False)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection and say nothing, until the other side goes."""
    await reader.read()
    writer.close()


async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up."""
    writer.close()


async def foreign(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak something that is no TLS."""
    writer.write(b"220 mail.example.org ESMTP\r\n")
    await writer.drain()
    writer.close()


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a record of a handshake, and never come to its end: it is one message of 16 MiB."""
    record = b"\x16\x03\x03\x40\x00"
    writer.write(record + b"\x02\xff\xff\xff" + bytes(0x3FFC))
    try:
        while True:
            writer.write(record + bytes(0x4000))
            await writer.drain()
    except ConnectionError:
        writer.close()


def presenting(folder: Path, party: Party) -> ssl.SSLContext:
    """A server's side of TLS with this certificate."""
    (folder / "server.pem").write_text(party.key_pem + party.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@asynccontextmanager
async def listening(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Door]:
    """A listener on a free port."""
    server = await asyncio.start_server(behave, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield Door("listener", "127.0.0.1", server.sockets[0].getsockname()[1])


def seen(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> Served:
    """What is seen of a listener that behaves so."""

    async def story() -> Served:
        async with listening(behave, tls) as door:
            (found,) = await see_served([door], [MEANT], [], NOW)
            return found

    return asyncio.run(story())


def test_a_listener_that_presents_what_it_should_has_no_fault(tmp_path: Path) -> None:
    """Its line names the place, the kind of key and the host that was asked for."""
    found = seen(silent, presenting(tmp_path, SERVER))

    assert found.faults == ()
    assert found.what.startswith("listener 127.0.0.1:")
    assert found.what.endswith("(ECDSA, localhost)")


def test_a_listener_that_presents_another_certificate_is_told(tmp_path: Path) -> None:
    """A worker that missed the renewal, or another program on the port."""
    (fault,) = seen(silent, presenting(tmp_path, OTHER)).faults

    assert f"{OTHER.certificate.serial_number:x}" in fault.says
    assert "bollard reload" in fault.fix


@pytest.mark.parametrize("behave", [silent, rude, foreign, endless])
def test_what_is_no_tls_is_told_and_not_waited_for(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence ends with the time, talk with the bytes."""
    monkeypatch.setattr(handshaking, "PATIENCE", 0.5 if behave is silent else 60.0)
    (fault,) = seen(behave).faults

    assert fault.says.startswith("no TLS handshake")
    assert fault.fix


def test_a_port_where_nobody_listens_is_told() -> None:
    """Though the settings name it, and its process runs."""
    (found,) = asyncio.run(see_served([Door("listener", "0.0.0.0", free_port())], [MEANT], [], NOW))  # noqa: S104

    assert found.faults


DOORS = """
[organisation]
name = "Example"
[csms]
host = "localhost"
upstream = "ws://127.0.0.1:9"

[web]
address = "127.0.0.1:8440"
public_url = "https://localhost:8440"
"""


@pytest.mark.parametrize(
    ("listener", "way", "header"),
    [
        ("profile = 3", Way.TLS, b""),
        ("profile = 2", Way.TLS, b""),
        ("profile = 1\nunsafe_plain = true", Way.CLEAR, b""),
        ('profile = 2\nunsafe_legacy_tls = true\nstations = ["CP-1"]', Way.OLD_TLS, b""),
        ('profile = 3\nproxy_protocol = ["127.0.0.0/8"]', Way.TLS, LOCAL),
        ('profile = 1\nunsafe_plain = true\nproxy_protocol = ["127.0.0.0/8"]', Way.CLEAR, LOCAL),
        ('profile = 3\nproxy_protocol = ["10.0.0.0/8"]', Way.CLOSED, LOCAL),
    ],
)
def test_every_door_is_looked_at_in_its_own_way(listener: str, way: Way, header: bytes) -> None:
    """None is passed over in silence: one without TLS, of its old versions, or where a header is due first."""
    config = parse_config(f'{DOORS}\n[[listener]]\naddress = "127.0.0.1:8443"\n{listener}\n')
    (door,) = doors(config, proxy=True, web=False)

    assert (door.way, door.header if way is not Way.CLOSED else LOCAL) == (way, header)
    assert [each.what for each in doors(config, proxy=False, web=True)] == ["web process"]
    assert [*doors(config, proxy=False, web=False)] == []


def test_a_door_that_only_balancers_may_knock_at_is_left_alone_and_told() -> None:
    """Nobody listens there, and nobody notices: it was not looked at, and that is what the line says."""
    (found,) = asyncio.run(see_served([Door("listener", "127.0.0.1", free_port(), Way.CLOSED)], [MEANT], [], NOW))

    assert (found.faults, found.seen.partition(":")[0]) == ((), "not looked at")


def test_a_door_without_tls_is_knocked_at_once() -> None:
    """However many certificates there are; where nobody listens, that is a fault with a cure."""

    async def story() -> tuple[Served, ...]:
        async with listening(silent) as door:
            clear = Door("listener", door.host, door.port, Way.CLEAR)
            return await see_served([clear], [MEANT, MEANT], [], NOW)

    (found,) = asyncio.run(story())
    (gone,) = asyncio.run(see_served([Door("listener", "127.0.0.1", free_port(), Way.CLEAR)], [MEANT], [], NOW))

    assert (found.faults, "no certificate to look at" in found.seen) == ((), True)
    assert [bool(fault.fix) for fault in gone.faults] == [True]


def test_a_door_of_old_tls_needs_an_rsa_certificate() -> None:
    """Its one suite has no use for another."""
    (found,) = asyncio.run(see_served([Door("listener", "127.0.0.1", free_port(), Way.OLD_TLS)], [MEANT], [], NOW))

    assert [(fault.clause, bool(fault.fix)) for fault in found.faults] == [("A00.FR.318", True)]


async def noticed(at: behind.Door) -> None:
    """Wait until the door has seen everybody go; how long it may take the door itself bounds."""
    while at.slots._free < Limits().handshakes_at_once:
        free = asyncio.Event()
        at.slots.when_free(free.set)
        await free.wait()


@pytest.mark.parametrize("proxies", [(), (ipaddress.ip_network("127.0.0.0/8"),)], ids=["direct", "balanced"])
@pytest.mark.parametrize("profile", [2, 3])
def test_a_door_of_ours_writes_no_event_of_it(tmp_path: Path, profile: int, proxies: tuple[Network, ...]) -> None:
    """Both certificates are seen where a station needs one of its own, too; to the door somebody came and went."""

    async def story() -> list[str]:
        chains = [x509.load_pem_x509_certificate(each.encode()) for each in CREDENTIALS.chains()]
        async with door(tmp_path, known(), profile=profile, proxies=proxies) as at:
            meant = [Meant(each, "localhost", ours=False) for each in chains]
            header = LOCAL if proxies else b""
            served = await see_served([Door("listener", "127.0.0.1", at.port, header=header)], meant, [], NOW)
            assert [each.faults for each in served] == [(), ()]
            assert {each.what.split()[2] for each in served} == {"(ECDSA,", "(RSA,"}
            await noticed(at)
            _, writer = await asyncio.open_connection("127.0.0.1", at.port)
            writer.write(header + b"no TLS at all")
            await writer.drain()
            found = await at.around.causes(1)
            writer.transport.abort()
            return found

    assert asyncio.run(story()) == ["tls.failed"]


SORTS = """
[[listener]]
address = "127.0.0.1:{0}"
profile = 1
unsafe_plain = true
[[listener]]
address = "127.0.0.1:{1}"
profile = 2
unsafe_legacy_tls = true
stations = ["CP-1"]
[[listener]]
address = "127.0.0.1:{2}"
profile = 2
proxy_protocol = ["127.0.0.1/32"]
[[listener]]
address = "127.0.0.1:{3}"
profile = 2
proxy_protocol = ["192.0.2.0/24"]
"""


def test_each_sort_of_listener_has_its_line_and_no_event(tmp_path: Path) -> None:
    """Four that no plain handshake of today reaches: what was seen of them is said, and what was not."""
    home, ports = Home(make_home(tmp_path / "home")), [free_port() for _ in range(4)]
    head = home.settings.read_text().partition("[[listener]]")[0] + f'[web]\naddress = "127.0.0.1:{free_port()}"\n'
    home.settings.write_text(head + 'public_url = "https://localhost:8440"\n' + SORTS.format(*ports))
    with up(home.path, lambda *_: ["up", "--upstream=ws://127.0.0.1:9", "--workers=1"]) as running:
        running.wait_for("bollard ready")
        found = [each for each in judge(examination.examine(home)) if each.code == "health.served"]
        events = bollard(home.path, "-o", "jsonl", "event", "list").stdout
    said = {
        ports.index(int(each.what.split(":")[1].split()[0])): (each.what.partition("(")[2], each.weight, each.says)
        for each in found
        if each.what.startswith("listener")
    }
    presented = "it presents the certificate that it is meant to, and who trusts our root accepts it"

    assert sum(each.what.startswith("listener") for each in found) == 5
    assert said[0][0] == "without TLS)"
    assert said[1] == ("RSA, localhost, old TLS)", Weight.OK, presented)
    assert said[2][1:] == (Weight.OK, presented)
    assert said[2][0].endswith("localhost, as a load balancer)")
    assert said[3][:2] == ("", Weight.OK)
    assert said[3][2].startswith("not looked at")
    assert {json.loads(line)["cause"] for line in events.splitlines()} == {"listener.unsafe", "tls.legacy"}


def test_what_is_up_presents_what_it_should(tmp_path: Path) -> None:
    """Both certificates at both doors and at the web process, each on a line of its own."""
    with up(make_home(tmp_path / "home")) as running:
        running.wait_for("bollard ready")
        served = [each for each in judge(examination.examine(Home(running.home))) if each.code == "health.served"]

    assert [(each.weight, each.says) for each in served if each.weight is not Weight.OK] == []
    assert len(served) == 6
