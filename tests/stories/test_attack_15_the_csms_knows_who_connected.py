"""Row 15: a CSMS that asks the web process for the keys, and OpenSSL about the signature, knows who connected."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.secproxy.edge.doors import csms
from tests.secproxy.edge.test_web import running_web
from tests.secproxy.edge.workers import issue, met, working
from tests.secproxy.test_assertion import decode, public_pem, verified_by_openssl
from tests.worlds import connected, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path


def test_attack_15_the_csms_verifies_the_station_by_the_published_key_alone(tmp_path: Path) -> None:
    """Real authority, worker and web process; what the station writes into the same headers counts for nothing."""
    home = make_home(tmp_path, status=True)

    async def story() -> dict[str, str]:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            forged = {"Bollard-Assertion": "a.b.c", "Bollard_Station": "CP-999", "Forwarded": "for=x"}
            async with met(port, context, headers=forged) as socket:
                await socket.send('[2,"1","Heartbeat",{}]')
                await backend.heard.get()
            return backend.requests[0][1]

    with running_authority(home), running_web(home) as web:
        headers = asyncio.run(story())
        token = headers["Bollard-Assertion"]
        head, body, _ = (part for part in token.split("."))
        [jwk] = json.loads(web.ask("/jwks.json")[1])["keys"]
    said = json.loads(decode(body))
    public = public_pem(Ed25519PublicKey.from_public_bytes(decode(jwk["x"])))
    assert jwk["kid"] == json.loads(decode(head))["kid"]
    assert verified_by_openssl(tmp_path, token, public)
    assert (said["sub"], said["aud"], headers["Bollard-Station"]) == ("CP-001", "csms", "CP-001")
    assert {"Bollard_Station", "Forwarded"}.isdisjoint(headers)
