"""Fuzzes the request target: what we take means one path and one identity to every reader of URLs.

``python -m tests.fuzz.fuzz_target CORPUS [libFuzzer options]`` with atheris installed.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from pki.errors import InputError
from secproxy.target import TARGET_LENGTH, Place, read_target
from tests.fuzz import wire_seeds
from tests.fuzz.running import fuzz

IDENTITY = re.compile(r"[A-Za-z0-9*\-_=+|@.]{1,48}")  # OCPP's identifier set and length, written down once more
ASCII_PATH = re.compile(r"/[!-~]*")


def try_one(data: bytes) -> None:
    """The bytes as the head would hand them on, and as an identity in a path."""
    text = data.decode("latin-1")
    for target in (text, f"/ocpp/{text}"):
        try:
            place = read_target(target)
        except InputError:
            continue
        check(target, place)


def check(target: str, place: Place) -> None:
    """The standard library reads no other path, nothing that resolves dots or slashes goes elsewhere, and of what came
    slashes alone are missing."""
    assert len(target) <= TARGET_LENGTH
    assert IDENTITY.fullmatch(place.identity.text)
    parts = [part for part in target.split("/") if part]
    assert unquote_to_bytes(parts[-1]) == place.identity.text.encode()
    for path in (place.target, unquote(place.target)):
        assert posixpath.normpath(path) == path
        assert unquote(path) == unquote(place.target)
        assert urlsplit(f"http://csms{place.target}")[1:] == ("csms", place.target, "", "")
    assert ASCII_PATH.fullmatch(place.target)
    assert unquote(place.target).count("/") == place.target.count("/") == len(parts)
    assert place.target.rpartition("/")[0] == "".join(f"/{part}" for part in parts[:-1])
    assert read_target(place.target) == place


if __name__ == "__main__":
    fuzz(try_one, wire_seeds.targets(), "secproxy.target", "pki.names")
