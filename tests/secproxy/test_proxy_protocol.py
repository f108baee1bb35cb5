"""The PROXY protocol: what we write we read, what haproxy writes we read, and nothing else is taken."""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.proxy_protocol import (
    IDENTITY_TYPE,
    LENGTH_MOST,
    LOCAL,
    PREFIX,
    SIGNATURE,
    TLS_CN_TYPE,
    TLS_TYPE,
    TLS_VERSION_TYPE,
    Caller,
    PreambleError,
    is_spoken_by,
    read_prefix,
    read_source,
    values,
    write,
)

CALLER = Caller("TLSv1.3", "CP-001", "SN-1")
V4 = SIGNATURE + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 10, 0, 0, 1]) + struct.pack("!HH", 40_000, 8_443)
addresses = st.tuples(st.ip_addresses().map(str), st.integers(0, 65_535))


def read(header: bytes) -> tuple[str, int] | None:
    """Read a whole header, as the listener does."""
    assert len(header) == PREFIX + read_prefix(header[:PREFIX])
    return read_source(header[:PREFIX], header[PREFIX:])


def test_a_header_of_a_load_balancer_names_the_caller() -> None:
    """The source, not the destination; byte for byte as the specification lays it out."""
    assert read(V4) == ("192.0.2.7", 40_000)


def test_a_call_of_the_load_balancer_itself_names_nobody() -> None:
    """LOCAL, as in health checks, whatever follows it."""
    assert read(LOCAL) is None
    assert read(SIGNATURE + b"\x20\x11\0\x03abc") is None


@given(addresses, addresses, st.text(max_size=80))
def test_what_is_written_is_read_back(source: tuple[str, int], destination: tuple[str, int], name: str) -> None:
    """In either family; of mixed ones the IPv4 address comes back in its mapped form."""
    found = read(write(source, destination, Caller("TLSv1.2", "CP-001", name)))
    assert found is not None
    host, port = found
    mixed = ":" in destination[0] and ":" not in source[0]
    assert port == source[1]
    assert ip_address(host) == ip_address(f"::ffff:{source[0]}" if mixed else source[0])


def test_the_csms_learns_tls_certificate_and_identity() -> None:
    """The TLS value of the specification, and one of ours in the range that is free for applications."""
    header = write(("192.0.2.7", 1), ("10.0.0.1", 2), CALLER)
    found = dict(values(header[PREFIX + 12 :]))
    client, verify = struct.unpack("!BI", found[TLS_TYPE][:5])
    assert found[IDENTITY_TYPE] == b"CP-001"
    assert (client, verify) == (7, 0)
    assert dict(values(found[TLS_TYPE][5:])) == {TLS_VERSION_TYPE: b"TLSv1.3", TLS_CN_TYPE: b"SN-1"}


def test_a_password_station_is_not_said_to_have_shown_a_certificate() -> None:
    """Only the TLS bit is set, and nothing counts as verified."""
    header = write(("192.0.2.7", 1), ("10.0.0.1", 2), Caller("TLSv1.2", "CP-001"))
    client, verify = struct.unpack("!BI", dict(values(header[PREFIX + 12 :]))[TLS_TYPE][:5])
    assert (client, verify) == (1, 1)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n", id="version 1"),
        pytest.param(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(20), id="a TLS hello"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="HTTP"),
        pytest.param(SIGNATURE + b"\x11\x11\0\x0c" + bytes(12), id="another version"),
        pytest.param(SIGNATURE + b"\x22\x11\0\x0c" + bytes(12), id="an unknown command"),
        pytest.param(SIGNATURE + b"\x21\x00\0\x00", id="a family unspecified"),
        pytest.param(SIGNATURE + b"\x21\x12\0\x0c" + bytes(12), id="UDP"),
        pytest.param(SIGNATURE + b"\x21\x31\0\xd8" + bytes(216), id="a Unix socket"),
        pytest.param(SIGNATURE + b"\x21\x21\0\x0c" + bytes(12), id="IPv6 with room for IPv4"),
        pytest.param(V4[:14] + b"\0\x0b" + V4[16:-1], id="addresses cut short"),
        pytest.param(V4[:14] + b"\0\x0e" + V4[16:] + b"\x04\0", id="a value without its length"),
        pytest.param(V4[:14] + b"\0\x10" + V4[16:] + b"\x04\0\x02x", id="a value cut short"),
        pytest.param(V4[:14] + struct.pack("!H", LENGTH_MOST + 1) + bytes(LENGTH_MOST + 1), id="too long"),
        pytest.param(SIGNATURE[:5], id="an end in the signature"),
        pytest.param(V4[:20], id="an end in the addresses"),
    ],
)
def test_anything_else_is_refused(header: bytes) -> None:
    """Nothing is guessed: what a station says of itself by other means counts for nothing."""
    with pytest.raises(PreambleError):
        read_source(header[:PREFIX], header[PREFIX:])


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_stumble(noise: bytes) -> None:
    """It is read, or refused in one way."""
    for header in (noise, SIGNATURE + noise, V4[:14] + len(V4[16:] + noise).to_bytes(2, "big") + V4[16:] + noise):
        try:
            read_source(header[:PREFIX], header[PREFIX:])
        except PreambleError:
            continue


@pytest.mark.parametrize(
    ("peer", "known"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("::ffff:10.1.2.3", True),
        ("fe80::1%eth0", False),
        ("2001:db8::9", True),
    ],
)
def test_only_named_networks_are_believed(peer: str, known: bool) -> None:
    """An IPv4 address counts the same when the kernel writes it as IPv6."""
    assert is_spoken_by(peer, [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]) is known
