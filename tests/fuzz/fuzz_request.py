"""Fuzzes the door for certificate requests: whatever comes in is read or refused by name, and never admits a stranger.

The bytes are tried as they are by both doors, and once more as subject and attributes of a request that is well signed,
so that the rules behind the proof of possession are reached as well.

``python -m tests.fuzz.fuzz_request CORPUS [libFuzzer options]`` with atheris installed.
"""

from __future__ import annotations

import contextlib

from pki.errors import BollardError
from pki.findings import Severity
from pki.request import SigningRequest, examine, read_request, read_request_der
from tests.fuzz import seeds
from tests.fuzz.running import fuzz
from tests.pki.papers import ORGANISATION, STATION


def try_one(data: bytes) -> None:
    """Read the bytes by both doors; what is admissible holds what our register says, and its own key."""
    for door in (read_request, read_request_der):
        with contextlib.suppress(BollardError):
            judge(door(data))
    with contextlib.suppress(BollardError):
        judge(read_request_der(signed(data)))


def signed(data: bytes) -> bytes:
    """A request whose subject and attributes are these bytes, divided by the first of them, and whose proof is good."""
    at = 1 + (data[0] if data else 0)
    return seeds.build_request(data[1:at], data[at:])


def judge(request: SigningRequest) -> None:
    """Hold a request that could be read against the rules."""
    admissible = examine(request, STATION, ORGANISATION)
    assert request.csr.is_signature_valid
    assert request.common_names == (STATION.serial.text,)
    assert request.organisations in {(), (ORGANISATION.text,)}
    assert all(finding.severity is not Severity.ERROR for finding in admissible.findings)
    assert admissible.public_key == request.public_key


if __name__ == "__main__":
    fuzz(try_one, (*seeds.requests(), *seeds.parts()))
