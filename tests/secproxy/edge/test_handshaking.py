"""Hands are shaken with our own listeners, real ones, as far as their certificate; nobody is waited for."""

from __future__ import annotations

import asyncio
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
from secproxy.edge.handshaking import Door, doors, see_served
from tests.certs import NOW, Party
from tests.secproxy.edge.doors import CREDENTIALS, door, known
from tests.secproxy.edge.houses import make_home, up
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from pki.health import Served
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
[csms]
host = "localhost"
upstream = "ws://127.0.0.1:9"

[web]
address = "127.0.0.1:8440"
public_url = "https://localhost:8440"
"""


@pytest.mark.parametrize(
    ("listener", "count"),
    [
        ("profile = 3", 1),
        ("profile = 2", 1),
        ("profile = 1\nunsafe_plain = true", 0),
        ('profile = 2\nunsafe_legacy_tls = true\nstations = ["CP-1"]', 0),
        ('profile = 3\nproxy_protocol = ["10.0.0.0/8"]', 0),
    ],
)
def test_only_doors_that_speak_tls_with_anybody_are_tried(listener: str, count: int) -> None:
    """Not one without TLS, nor of its old versions, nor one where a header is due first."""
    config = parse_config(f'{DOORS}\n[[listener]]\naddress = "127.0.0.1:8443"\n{listener}\n')

    assert len([*doors(config, proxy=True, web=False)]) == count
    assert [each.what for each in doors(config, proxy=False, web=True)] == ["web process"]
    assert [*doors(config, proxy=False, web=False)] == []


async def noticed(at: behind.Door) -> None:
    """Wait until the door has seen everybody go; how long it may take the door itself bounds."""
    while at.slots._free < Limits().handshakes_at_once:
        free = asyncio.Event()
        at.slots.when_free(free.set)
        await free.wait()


@pytest.mark.parametrize("profile", [2, 3])
def test_a_door_of_ours_writes_no_event_of_it(tmp_path: Path, profile: int) -> None:
    """Both certificates are seen where a station needs one of its own, too; to the door somebody came and went."""

    async def story() -> list[str]:
        chains = [x509.load_pem_x509_certificate(each.encode()) for each in CREDENTIALS.chains()]
        async with door(tmp_path, known(), profile=profile) as at:
            meant = [Meant(each, "localhost", ours=False) for each in chains]
            served = await see_served([Door("listener", "127.0.0.1", at.port)], meant, [], NOW)
            assert [each.faults for each in served] == [(), ()]
            assert {each.what.split()[-2] for each in served} == {"(ECDSA,", "(RSA,"}
            await noticed(at)
            _, writer = await asyncio.open_connection("127.0.0.1", at.port)
            writer.write(b"no TLS at all")
            await writer.drain()
            found = await at.around.causes(1)
            writer.transport.abort()
            return found

    assert asyncio.run(story()) == ["tls.failed"]


def test_what_is_up_presents_what_it_should(tmp_path: Path) -> None:
    """Both certificates at both doors and at the web process, each on a line of its own."""
    with up(make_home(tmp_path / "home")) as running:
        running.wait_for("bollard ready")
        served = [each for each in judge(examination.examine(Home(running.home))) if each.code == "health.served"]

    assert [(each.weight, each.says) for each in served if each.weight is not Weight.OK] == []
    assert len(served) == 6
