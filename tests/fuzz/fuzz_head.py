"""Fuzzes the upgrade's head: what we take the websockets library takes with the same meaning, and what it alone takes
is refused for a listed reason.

``python -m tests.fuzz.fuzz_head CORPUS [libFuzzer options]`` with atheris installed.
"""

from __future__ import annotations

import contextlib

from secproxy.head import END, HeadError, read_request, write_request
from tests.fuzz import wire_seeds
from tests.fuzz.running import fuzz
from tests.secproxy.reference import compare_heads

HEADERS = 100
MINE = ("/ocpp/CP-001", "AAAAAAAAAAAAAAAAAAAAAA==", ["ocpp1.6"])


def try_one(data: bytes) -> None:
    """The bytes as a head, cut where the edge would cut it; and as the value of a header of ours."""
    head = data[: data.index(END) + len(END)] if END in data else data + END
    compare_heads(head, HEADERS)
    with contextlib.suppress(HeadError):
        judge(head)
    with contextlib.suppress(ValueError):
        path, key, names = MINE
        written = write_request("csms", path, key, names, [("X-Station", data.decode("latin-1"))])
        assert written.count(b"\r\n") == 9
        assert written.count(b"\n") == 9


def judge(head: bytes) -> None:
    """What comes out of a head can be written into another one without becoming two lines."""
    upgrade = read_request(head, HEADERS)
    words = (upgrade.target, upgrade.key, upgrade.authorization or "", upgrade.extensions, *upgrade.subprotocols)
    assert not any(mark in word for word in words for mark in "\r\n\0")
    assert " " not in upgrade.target
    again = write_request("csms", upgrade.target, upgrade.key, upgrade.subprotocols or ["ocpp1.6"], [])
    assert read_request(again, HEADERS).target == upgrade.target


if __name__ == "__main__":
    fuzz(try_one, wire_seeds.heads(), "secproxy.head", "websockets.http11", "websockets.headers", "websockets.server")
