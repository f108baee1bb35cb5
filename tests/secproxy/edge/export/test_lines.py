"""What a connection trusts and which secrets it has, from files that must be fit for it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from pki.edge.home import read_settings
from pki.errors import InputError
from secproxy.config import parse_config
from secproxy.edge.export.lines import find_unfit, read_secret, refuse_unfit, tls_context
from secproxy.event_settings import Sink, Wanted
from tests.certs import Party
from tests.worlds import make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home


def sink(**files: str) -> Sink:
    """A sink over TLS."""
    return Sink("siem", "syslog-tls", Wanted(), tls=True, **files)  # type: ignore[arg-type]  # only texts are given


def test_the_anchor_named_is_the_only_one(tmp_path: Path) -> None:
    """No root of this machine counts beside it; TLS is 1.2 at least and the name is checked."""
    root = Party.root("Collector Root")
    (tmp_path / "ca.pem").write_text(root.pem)
    context = tls_context(sink(ca_file=str(tmp_path / "ca.pem")))
    assert len(context.get_ca_certs()) == 1
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_without_an_anchor_this_machines_roots_count() -> None:
    """As for any other program."""
    context = tls_context(sink())
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_client_certificate_is_shown_when_its_key_is_private(tmp_path: Path) -> None:
    """A key that others can read is refused by name, and so is one that is missing or locked."""
    ours = Party.root().issue("client")
    (tmp_path / "c.pem").write_text(ours.pem)
    key = tmp_path / "c.key"
    key.write_text(ours.key_pem)
    shown = sink(certificate=str(tmp_path / "c.pem"), key=str(key))
    key.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        tls_context(shown)
    key.chmod(0o600)
    tls_context(shown)
    key.write_text("spoilt")
    with pytest.raises(InputError, match=r"sink\.file"):
        tls_context(shown)
    key.unlink()
    with pytest.raises(InputError, match=r"sink\.file"):
        tls_context(shown)


def test_an_anchor_that_is_none_is_told(tmp_path: Path) -> None:
    """With the sink's name."""
    (tmp_path / "ca.pem").write_text("spoilt")
    for name in ("ca.pem", "none.pem"):
        with pytest.raises(InputError, match="siem"):
            tls_context(sink(ca_file=str(tmp_path / name)))


def test_a_secret_is_a_private_file_of_some_length(tmp_path: Path) -> None:
    """Its line end is no part of it; the secret itself is in no error."""
    path = tmp_path / "secret"
    path.write_bytes(b"0123456789abcdef\r\n")
    path.chmod(0o600)
    assert read_secret(sink(), str(path), 16) == b"0123456789abcdef"
    with pytest.raises(InputError, match="less than 17") as short:
        read_secret(sink(), str(path), 17)
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        read_secret(sink(), str(path))
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_secret(sink(), str(path))
    path.mkdir(mode=0o700)
    with pytest.raises(InputError, match="cannot be read"):
        read_secret(sink(), str(path))
    assert "0123" not in str(short.value)


def test_a_secret_of_another_user_is_none(tmp_path: Path) -> None:
    """Whoever owns the file can read it and put another in its place."""
    path = tmp_path / "secret"
    path.write_bytes(b"0123456789abcdef")
    path.chmod(0o600)
    other = path.stat().st_uid + 1
    with pytest.raises(InputError, match=f"chown {other} it"):
        read_secret(sink(), str(path), owner=other)
    with pytest.raises(InputError, match=f"chown {other} it"):
        tls_context(sink(certificate=str(path), key=str(path)), other)


def test_the_file_that_tls_cannot_use_is_named(tmp_path: Path) -> None:
    """The library names none."""
    (tmp_path / "spoilt").write_text("spoilt")
    (tmp_path / "spoilt").chmod(0o600)
    path = str(tmp_path / "spoilt")
    with pytest.raises(InputError, match=rf"ca_file '{path}': it holds no certificate"):
        tls_context(sink(ca_file=path))
    with pytest.raises(InputError, match=rf"certificate '{path}' with key '{path}': they are no certificate"):
        tls_context(sink(certificate=path, key=path))
    with pytest.raises(InputError, match=r"ca_file '/none': No such file"):
        tls_context(sink(ca_file="/none"))


def collectors(home: Home) -> None:
    """Name a webhook, a collector over TLS and one of traces, none of whose files is there."""
    text = f"""
[[event_sink]]
name = "hook"
kind = "webhook"
url = "http://127.0.0.1:1/"
secret_file = "{home.path}/secret"
[[event_sink]]
name = "siem"
kind = "syslog-tls"
address = "127.0.0.1:1"
ca_file = "{home.path}/siem.pem"
[traces]
otlp = "http://127.0.0.1:1/"
token_file = "{home.path}/token"
"""
    home.settings.write_text(home.settings.read_text() + text)


def test_all_collectors_that_could_be_sent_nothing_are_found_at_once(tmp_path: Path) -> None:
    """Before the first event; with every file in its place none is."""
    home = make_home(tmp_path)
    collectors(home)
    config = parse_config(read_settings(home))
    with pytest.raises(InputError, match=r"^sink\.file: 3 collectors") as refused:
        refuse_unfit(home, config)
    assert [mistake.says.partition(":")[0] for mistake in refused.value.findings] == ["hook", "siem", "traces"]
    for name, content in (("secret", "x" * 16), ("siem.pem", Party.root().pem), ("token", "x")):
        (home.path / name).write_text(content)
        (home.path / name).chmod(0o600)
    refuse_unfit(home, config)


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [("x" * 16, 0o644, "chmod 600"), ("", 0o600, "less than 16 bytes"), ("x" * 15, 0o600, "less than 16 bytes")],
)
def test_a_secret_that_is_open_or_too_short_is_found(tmp_path: Path, content: str, mode: int, says: str) -> None:
    """As the first delivery would find it."""
    home = make_home(tmp_path)
    collectors(home)
    (home.path / "secret").write_text(content)
    (home.path / "secret").chmod(mode)
    [hook, *_] = find_unfit(home, parse_config(read_settings(home)))
    assert says in hook.cause
