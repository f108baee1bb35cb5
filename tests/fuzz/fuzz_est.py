"""Fuzzes what EST carries besides requests: bags of certificates from others, Basic headers, times to wait.

``python -m tests.fuzz.fuzz_est CORPUS [libFuzzer options]`` with atheris installed.
"""

from __future__ import annotations

import base64
import contextlib

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pki.certificate import key_id
from pki.edge.est_client import CERTIFICATES_MOST, RETRY_MOST, _retry_after, read_bag
from pki.edge.http.est import _read_credentials
from pki.errors import RefusedError
from pki.est import Wanted, arrange, wrap
from pki.profile import CertificatePurpose
from tests.fuzz import seeds
from tests.fuzz.running import fuzz
from tests.pki.papers import NOW, leaf, root

LEAF, ROOT = leaf().certificate, root().certificate
WANTED = Wanted(CertificatePurpose.STATION, LEAF.public_key(), ("SN-001",))


def try_one(data: bytes) -> None:
    """The bytes as a body, as DER inside one, as a Basic header and as Retry-After."""
    for body in (data, wrap(data)):
        with contextlib.suppress(RefusedError):
            judge(body)
    with contextlib.suppress(HTTPException):
        user, token = _read_credentials(headed(b"Basic " + base64.b64encode(data)))
        assert user
        assert token
    with contextlib.suppress(HTTPException):
        _read_credentials(headed(data))
    assert 0 <= _retry_after(data.decode("latin-1")) <= RETRY_MOST


def judge(body: bytes) -> None:
    """What is read is bounded; what is put in order is the right key's and ends below the root."""
    bag = read_bag(body)
    assert 1 <= len(bag) <= CERTIFICATES_MOST
    path = arrange(bag, (), [ROOT], WANTED, NOW)
    assert key_id(path[0]) == key_id(LEAF)
    assert path[-1].issuer == ROOT.subject


def headed(value: bytes) -> Request:
    """A request with this Authorization header."""
    return Request({"type": "http", "headers": [(b"authorization", value)]})


if __name__ == "__main__":
    fuzz(try_one, seeds.bags())
