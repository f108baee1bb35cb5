"""Connections to sinks: whom they trust, what they show of us, and the secrets they need, read anew each time.

So that whoever replaces a file has nothing to restart. What is secret must be readable by its owner alone, and that is
whose the home is. What is wrong with a file is told before anything is in force, not by the first event that needs it.
"""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.edge.home import read_settings
from pki.edge.private_files import read_private
from pki.errors import InputError
from pki.findings import error
from secproxy.event_settings import parse_event_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.edge.home import Home
    from secproxy.config import Config
    from secproxy.event_settings import Sink

SECRET_BYTES: Final = 4_096  # of a secret or a token
SECRET_LEAST: Final = 16  # bytes of a signing secret; 128 bits, if they are random

_ADVICE: Final = "Correct the files that bollard.toml names for it."


def refuse_unfit(home: Home, config: Config) -> None:
    """Look at every file that events and spans are sent on with; ``InputError("sink.file")`` names the unfit ones."""
    found = [*find_unfit(home, config)]
    if len(found) == 1:
        raise found[0]
    if found:
        mistakes = tuple(error("sink.file", "", each.cause) for each in found)
        says = "; ".join(each.cause for each in found)
        raise InputError("sink.file", f"{len(found)} collectors cannot be sent to: {says}", _ADVICE, findings=mistakes)


def find_unfit(home: Home, config: Config) -> Iterator[InputError]:
    """Find the collectors that could be sent nothing, each with the first of its files that is unfit."""
    sinks = [*parse_event_settings(read_settings(home)).sinks, *([config.traces.sink] if config.traces else [])]
    owner = home.path.stat().st_uid
    for sink in sinks:
        try:
            _try(sink, owner)
        except InputError as unfit:
            yield unfit


def _try(sink: Sink, owner: int) -> None:
    if sink.tls:
        tls_context(sink, owner)
    if sink.secret_file:
        read_secret(sink, sink.secret_file, SECRET_LEAST, owner)
    if sink.token_file:
        read_secret(sink, sink.token_file, owner=owner)


def tls_context(sink: Sink, owner: int | None = None) -> ssl.SSLContext:
    """Trust ``ca_file`` alone, or this machine's roots where none is named; ``InputError("sink.file")``.

    ``owner`` is whose the key must be, by default this process's user.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if sink.ca_file:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the anchor given ends the chain, root or not
        try:
            context.load_verify_locations(cafile=sink.ca_file)
        except OSError as problem:  # ssl's errors are OSErrors
            raise _unusable(sink, f"ca_file {sink.ca_file!r}", problem, "it holds no certificate in PEM") from None
    else:
        context.load_default_certs()
    if sink.certificate:
        _refuse_open(sink, sink.key, owner)
        try:
            context.load_cert_chain(sink.certificate, sink.key, password=lambda: _no_password(sink))
        except OSError as problem:
            says = "they are no certificate and its key in PEM"
            raise _unusable(sink, f"certificate {sink.certificate!r} with key {sink.key!r}", problem, says) from None
    return context


def read_secret(sink: Sink, path: str, least: int = 1, owner: int | None = None) -> bytes:
    """Read a file of one secret, without the line's end; ``InputError("sink.file")`` when it is not fit."""
    _refuse_open(sink, path, owner)
    try:
        secret = read_private(Path(path), SECRET_BYTES).rstrip(b"\r\n")
    except OSError as problem:
        raise _unfit(sink, f"{path!r} cannot be read: {problem.strerror}") from None
    if len(secret) < least:
        raise _unfit(sink, f"{path!r} holds less than {least} bytes")
    return secret


def _refuse_open(sink: Sink, path: str, owner: int | None) -> None:
    try:
        seen = Path(path).stat()
    except OSError as problem:
        raise _unfit(sink, f"{path!r} cannot be read: {problem.strerror}") from None
    due = os.geteuid() if owner is None else owner
    if seen.st_uid != due:
        raise _unfit(sink, f"{path!r} belongs to uid {seen.st_uid}, who may read and change it; chown {due} it")
    if seen.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unfit(sink, f"{path!r} can be read by others than its owner; chmod 600 it")


def _no_password(sink: Sink) -> str:
    raise _unfit(sink, "the client key is encrypted; give one that is not, 0600")


def _unusable(sink: Sink, what: str, problem: OSError, says: str) -> InputError:
    """The library names no file, and why TLS cannot use one only in words of its own."""
    return _unfit(sink, f"{what}: {says if isinstance(problem, ssl.SSLError) else problem.strerror}")


def _unfit(sink: Sink, says: str) -> InputError:
    return InputError("sink.file", f"{sink.name}: {says}", _ADVICE)
