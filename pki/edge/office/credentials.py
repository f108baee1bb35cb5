"""Gives our own TLS listeners their certificates and keys, over the peer-checked socket and in memory alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pki.certificate import to_pem
from pki.edge import calls
from pki.edge.keys import in_clear

if TYPE_CHECKING:
    from pki.edge.office.desk import Desk


async def fetch(desk: Desk, call: calls.FetchCredentials, who: str) -> calls.Credentials:  # noqa: ARG001 - one shape
    """Return the ECDSA and the RSA certificate of the CSMS host with their keys (A00.FR.307, .308)."""
    above = desk.mine("csms").certificate
    return calls.Credentials(
        ecdsa_chain=to_pem([desk.mine("server-ecdsa").certificate, above]),
        ecdsa_key=in_clear(desk.keys.key("server-ecdsa")),
        rsa_chain=to_pem([desk.mine("server-rsa").certificate, above]),
        rsa_key=in_clear(desk.keys.key("server-rsa")),
    )
