"""Connections to sinks: whom they trust, what they show of us, and the secrets they need, read anew each time.

So that whoever replaces a file has nothing to restart. What is secret must be readable by its owner alone.
"""

from __future__ import annotations

import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.edge.private_files import read_private
from pki.errors import InputError

if TYPE_CHECKING:
    from secproxy.event_settings import Sink

SECRET_BYTES: Final = 4_096  # of a secret or a token
SECRET_LEAST: Final = 16  # bytes of a signing secret; 128 bits, if they are random


def tls_context(sink: Sink) -> ssl.SSLContext:
    """Trust ``ca_file`` alone, or this machine's roots where none is named; ``InputError("sink.file")``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if sink.ca_file:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the anchor given ends the chain, root or not
            context.load_verify_locations(cafile=sink.ca_file)
        else:
            context.load_default_certs()
        if sink.certificate:
            _refuse_open(sink, sink.key)
            context.load_cert_chain(sink.certificate, sink.key, password=lambda: _no_password(sink))
    except OSError as problem:  # ssl's errors are OSErrors
        raise _unfit(sink, f"a file cannot be used: {problem.strerror or type(problem).__name__}") from None
    return context


def read_secret(sink: Sink, path: str, least: int = 1) -> bytes:
    """Read a file of one secret, without the line's end; ``InputError("sink.file")`` when it is not fit."""
    _refuse_open(sink, path)
    try:
        secret = read_private(Path(path), SECRET_BYTES).rstrip(b"\r\n")
    except OSError as problem:
        raise _unfit(sink, f"{path!r} cannot be read: {problem.strerror}") from None
    if len(secret) < least:
        raise _unfit(sink, f"{path!r} holds less than {least} bytes")
    return secret


def _refuse_open(sink: Sink, path: str) -> None:
    try:
        mode = Path(path).stat().st_mode
    except OSError as problem:
        raise _unfit(sink, f"{path!r} cannot be read: {problem.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unfit(sink, f"{path!r} can be read by others than its owner; chmod 600 it")


def _no_password(sink: Sink) -> str:
    raise _unfit(sink, "the client key is encrypted; give one that is not, 0600")


def _unfit(sink: Sink, says: str) -> InputError:
    return InputError("sink.file", f"{sink.name}: {says}", "Correct the files that bollard.toml names for it.")
