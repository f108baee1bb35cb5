"""Row 42: what comes to the door may be broken in any way; it leaves one event, and no fault of ours."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certs import Party
from tests.secproxy.edge.doors import NO_UPSTREAM, door, known, registered, trusting

if TYPE_CHECKING:
    from pathlib import Path

ROGUE = Party.root("Rogue").issue("SN-1", "ROGUEORG")
DER = ROGUE.certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(DER.replace(b"\x0c\x08ROGUEORG", b"\x13\x08ROGUE\x01OR"), id="a name with a control character"),
        pytest.param(DER.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1), id="an unknown version"),
    ],
)
def test_attack_42_a_certificate_that_only_openssl_can_read_is_refused_with_one_event(
    tmp_path: Path, der: bytes
) -> None:
    """OpenSSL is more lenient than what names a certificate's subject; the refusal is recorded all the same."""

    async def story() -> None:
        async with door(tmp_path, known(registered()), NO_UPSTREAM) as at:
            (tmp_path / "rogue.pem").write_text(ROGUE.key_pem + ssl.DER_cert_to_PEM_cert(der))
            context = trusting(tmp_path)
            context.load_cert_chain(tmp_path / "rogue.pem")
            with pytest.raises(ssl.SSLError):
                await _knock(at.port, context)
            assert await at.around.causes(1) == ["cert.unknown_ca"]

    asyncio.run(story())


async def _knock(port: int, context: ssl.SSLContext) -> None:
    reader, _ = await asyncio.open_connection("localhost", port, ssl=context, family=2)
    await reader.read()
