"""Files that people hand over: read whole when small, refused when too large, ``-`` standing for the input.

Rules: a size limit stands before every read, and a limit of time where a pipe is read; a text with nothing in it is
refused (to whoever takes it, it would look as if none had been given); nothing is written over a file without
``--yes``. What is there and cannot be read is called what it is.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import select
import stat
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.errors import ConflictError, ForbiddenError, InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT_BYTES: Final = 64 * 1024  # a CSR or a certificate chain; OCPP's own limit for a chain is 10,000 characters
LIST_BYTES: Final = 16 * 1024 * 1024  # a list of stations: about 200,000 rows
PIPE_SECONDS: Final = 30.0  # for a pipe to be filled and closed by the command at its other end
_BLOCK: Final = 64 * 1024  # bytes; what a pipe holds at once
_SEQUENCE: Final = b"\x30"  # how every certificate and request in DER begins (X.690 8.9)
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")


def read_bytes(name: str, limit: int = TEXT_BYTES) -> bytes:
    """Read a file or a pipe, or the input when ``name`` is ``-``. Past ``limit`` bytes:
    ``InputError("file.too_large")``.

    A pipe that is not filled in time: ``InputError("file.silent")``; a folder, a device: ``InputError("file.kind")``.
    """
    if name == "-":
        content = sys.stdin.buffer.read(limit + 1)
    elif stat.S_ISFIFO(_mode(name)):
        content = _read_pipe(name, limit + 1)
    else:
        with existing(name).open("rb") as file:
            content = file.read(limit + 1)
    if len(content) > limit:
        raise InputError(
            "file.too_large", f"{name[:200]!r} is larger than {limit} bytes", "Check that it is the right file."
        )
    return content


def read_text(name: str, limit: int = TEXT_BYTES) -> str:
    """Read a text file; ``InputError("file.not_text")`` when it is none, ``file.empty`` when there is none."""
    return _as_text(name, read_bytes(name, limit))


def read_paper(name: str, label: str = "CERTIFICATE") -> str:
    """Read a certificate in PEM, or a request by its label; one in DER is written in PEM.

    A byte order mark stays, to be refused as everything is that stands before PEM.
    """
    content = read_bytes(name)
    if not content.startswith(_SEQUENCE):
        return _as_text(name, content, "utf-8")
    lines = "\n".join(textwrap.wrap(base64.b64encode(content).decode(), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def _as_text(name: str, content: bytes, encoding: str = "utf-8-sig") -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        advice = "Check that it is the right file; DER becomes PEM by 'openssl pkey', 'x509' or 'req' with -inform der."
        raise InputError("file.not_text", f"{name[:200]!r} is no text file", advice) from None
    if not text.strip():  # to take it for an option left out would turn its meaning
        raise _empty(name)
    return text


def read_password(name: str) -> str:
    """Read a password from a file, without the line's end; it never stands on the command line."""
    found = read_text(name, limit=1024).rstrip("\r\n")
    if not found:
        raise _empty(name)
    return found


def read_given(name: str | None) -> str:
    """Read the text file of an option; empty text only where the option was not given at all."""
    return "" if name is None else read_text(name)


def read_given_password(name: str | None) -> str:
    """Read the password file of an option in the same way."""
    return "" if name is None else read_password(name)


def read_secret(name: str | None, variable: str) -> str:
    """Read a password from a file, or from an environment variable where no file is named; empty when neither is."""
    return os.environ.get(variable, "") if name is None else read_password(name)


def read_signature(name: str) -> str:
    """Read a signature as OCPP carries it, in base64; raw bytes, as ``openssl dgst`` writes them, are taken too."""
    content = read_bytes(name)
    if _BASE64.fullmatch(content):
        try:
            base64.b64decode(b"".join(content.split()), validate=True)
        except binascii.Error:
            pass
        else:
            return b"".join(content.split()).decode()
    return base64.b64encode(content).decode()


def _empty(name: str) -> InputError:
    return InputError("file.empty", f"there is nothing in {name[:200]!r}", "Check that it is the right file.")


def existing(name: str) -> Path:
    """Find a plain file that must be there. Anything else of that name: ``InputError("file.kind")``."""
    mode = _mode(name)
    if not stat.S_ISREG(mode):
        kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
        kind = next((word for test, word in kinds if test(mode)), "device")
        raise InputError("file.kind", f"{name[:200]!r} is a {kind}, not a file", "Name a file; '-' reads the input.")
    return Path(name)


def _mode(name: str) -> int:
    try:
        return os.stat(name).st_mode  # noqa: PTH116 - of no name a Path makes the present folder
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError("file.missing", f"there is no file {name[:200]!r}", "Check the path.") from None


def _read_pipe(name: str, most: int) -> bytes:
    """Read a pipe to its end, at most so many bytes of it; nobody waits for ever for one that nobody fills."""
    handle, content = os.open(name, os.O_RDONLY | os.O_NONBLOCK), b""
    filled, ends = select.poll(), time.monotonic() + PIPE_SECONDS
    filled.register(handle, select.POLLIN)
    try:
        while len(content) < most:
            if not filled.poll(max(0, ends - time.monotonic()) * 1000):
                says = f"the pipe {name[:200]!r} was not filled and closed within {PIPE_SECONDS:g} seconds"
                raise InputError("file.silent", says, "See whether the command at its other end runs.")
            block = os.read(handle, min(_BLOCK, most - len(content)))
            if not block:
                break
            content += block
    finally:
        os.close(handle)
    return content


def free_to_write(name: str, *, replace: bool) -> Path:
    """Check, before anything is done, that an output file would overwrite nothing."""
    path = Path(name)
    if path.is_dir():
        raise ConflictError("file.exists", f"{name[:200]!r} is a folder", "Name a file.")
    if os.path.lexists(path) and not replace:
        raise ConflictError("file.exists", f"{name[:200]!r} exists", "Choose another path, or add --yes to replace it.")
    if not path.parent.is_dir():
        raise NotFoundError("file.missing", f"there is no folder {str(path.parent)[:200]!r}", "Make it first.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ForbiddenError("file.forbidden", f"nothing can be written to {str(path.parent)[:200]!r}", "Name another.")
    return path


def write_out(path: Path, text: str, *, replace: bool) -> None:
    """Write an output file. One that came to be since ``free_to_write`` is not written over, nor is a link followed."""
    with path.open("w" if replace else "x", encoding="utf-8") as out:
        out.write(text)


def write_bytes(path: Path, data: bytes, *, replace: bool) -> None:
    """Write an output file of bytes, which whoever reads it meanwhile sees whole: as it was, or as it is now."""
    write_parts(path, [data], replace=replace)


def write_parts(path: Path, parts: Iterable[bytes], *, replace: bool, mode: int = 0o666) -> None:
    """Do the same with what is too long to be in memory at once. ``mode`` is what the umask leaves of it."""
    sibling = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(sibling, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode), "wb") as out:  # noqa: PTH123 - from a descriptor, which Path cannot do
            out.writelines(parts)
        if replace:
            sibling.replace(path)
        else:
            path.hardlink_to(sibling)
    finally:
        sibling.unlink(missing_ok=True)


def new_folder(path: Path) -> Path:
    """Make a folder for its owner alone; one that is there already is left alone."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise ConflictError("folder.exists", f"{str(path)[:200]!r} exists", "Name a new folder.") from None
    return path
