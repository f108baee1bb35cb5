"""What the proxy is told in ``bollard.toml``, and the limits it keeps whatever it is told.

Rules this file keeps:

* What is read is not what is used: the text becomes a ``Config`` that cannot be wrong, or an ``InputError`` names every
  mistake with its line and key. A key that is not known is one, so that a slip of the pen never switches something off
  in silence.
* Every number stands in ``Limits``, with its unit and where it comes from.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.external import KEYS as EXTERNAL_KEYS
from pki.names import StationIdentity
from pki.settings import settings_of
from pki.station import SecurityProfile
from pki.tables import read_tables, wrong
from secproxy.event_settings import EVENT_TABLES, read_event_settings
from secproxy.message_settings import KEYS as MESSAGE_KEYS
from secproxy.message_settings import MessageSettings, read_message_settings
from secproxy.policy_settings import POLICY_TABLES, PolicySettings, read_policy_settings
from secproxy.trace_settings import KEYS as TRACE_KEYS
from secproxy.trace_settings import read_trace_settings
from secproxy.upstreams import KEYS as UPSTREAM_KEYS
from secproxy.upstreams import read_upstreams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pki.names import Host
    from pki.settings import Settings
    from pki.tables import Network, Table, Tables
    from secproxy.trace_settings import TraceSettings
    from secproxy.upstreams import Upstream

KNOWN_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "organisation": frozenset({"name"}),
    "csms": frozenset(
        {"host", "upstream", "outage", "transaction_ids", "certificate_hours"}
    ),  # the last is the authority's (pki.settings)
    "upstream": UPSTREAM_KEYS,
    "listener": frozenset(
        {"address", "profile", "proxy_protocol", "unsafe_legacy_tls", "stations"}
        | {"unknown", "pending_seconds", "unsafe_plain", "compression", "no_subprotocol"}
    ),
    "web": frozenset({"address", "public_url", "status_address", "status_url"}),
    "proxy": frozenset({"workers", "worker_mib", "unsafe_no_landlock", "refuse_tls_downgrade"}),
    "metrics": frozenset({"address"}),
    "traces": TRACE_KEYS,
    "log": frozenset({"format"}),  # every process reads this (pki.settings)
    "issuing": frozenset({"approval", "keep_old_days"}),  # and these
    "server_certificate": frozenset({"certificate", "key", "host"}),  # the authority reads these (pki.settings)
    "hsm": frozenset({"module", "token", "slot"}),  # and these
    "keys": frozenset({"unsafe_experimental_ml_dsa"}),  # and these
    "est": frozenset({"enabled"}),  # and these
    "messages": MESSAGE_KEYS,
    "external_issuer": EXTERNAL_KEYS,
    **EVENT_TABLES,  # the web process reads these (secproxy.event_settings)
    **POLICY_TABLES,
}
SERVED: Final = frozenset({2, 3})  # security profiles; A00.FR.201 leaves profile 1 to trusted networks, by unsafe_plain
ARRAYS: Final = frozenset(
    {"listener", "upstream", "server_certificate", "external_issuer", "event_sink", "alert", "policy_override"}
)
"""Tables that may stand many times."""
WORKER_MIB: Final = 2_048  # MiB; 30,000 stations that are connected and mostly idle have half of it
WORKER_MIB_LEAST: Final = 128  # MiB; a worker without stations has about 60
WORKER_MIB_MOST: Final = 1_048_576
WORKERS_LIMIT: Final = 256  # processes; above the cores of any host this is made for

PENDING_SECONDS: Final = 300  # until a station in quarantine boots again; an operator admits it within minutes
PENDING_LEAST: Final = 10  # below it, stations boot more often than anybody reads events
PENDING_MOST: Final = 86_400

UNREAD: Final = "0.0.0.0:0"  # stands for an address that cannot be read while the rest of the file is looked at
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound the proxy keeps. Where no source is named, proxies at the edge of a network commonly take it."""

    head_bytes: int = 8_192
    """Bytes of an HTTP head; what nginx and haproxy take by default. Above it: 431."""
    head_seconds: float = 10.0
    """Seconds from the first byte to the whole head; against heads that trickle in. After it: 408."""
    handshake_seconds: float = 5.0
    """Seconds for a TLS handshake; a station on a bad mobile line needs about two."""
    headers: int = 100
    """Header lines of a head; CVE-2024-37890 is about servers without this bound."""
    frame_up: int = 262_144
    """Bytes of one message from a station; a StopTransaction with every minute of a night in it has about 150,000, and
    a station that may not say it says it again for ever."""
    frame_down: int = 262_144
    """Bytes of one message from the CSMS; a full local list or a certificate chain fits."""
    fragments: int = 64
    """Fragments of one message; some libraries take endless empty ones without a word."""
    partial_frame_seconds: float = 30.0
    """Seconds to finish a frame once begun; not the idle time, which OCPP leaves to heartbeats."""
    controls_per_second: float = 2.0
    """Pings and pongs a second, on average; each costs the proxy an answer."""
    controls_burst: int = 10
    """Pings and pongs at once."""
    messages_per_second: float = 100.0
    """Messages a second of one side, on average; one call at a time (OCPP-J 4.1.1) over a fast line with a CSMS that
    answers in 10 ms. Above it the side is not read for a while."""
    messages_burst: int = 1_000
    """Messages at once; what a station has kept while it was offline, or a CSMS asks after a restart."""
    flood_seconds: float = 30.0
    """Seconds for which a side may go on sending without waiting for answers while it is read so seldom; then it is
    closed. A side that waits for them is not, however much it has to say."""
    write_high_water: int = 262_144
    """Bytes that may wait for a slow reader, on each leg, before the other leg is paused."""
    caller_seconds: float = 3.0
    """Seconds for a load balancer to say who is calling; it says so with the first packet."""
    callers_at_once: int = 1_024
    """Connections of load balancers in one worker that have not said so yet. Above it: closed at once."""
    upstream_seconds: float = 10.0
    """Seconds to reach the CSMS and have its 101, all of its URLs together."""
    hold_seconds: float = 30.0
    """Seconds that a station waits for a CSMS that is away, where outages are held; stations give up after 30 to 60."""
    retry_first_seconds: float = 0.5
    """Seconds, at most, to the first look at a URL that could not be reached; each next wait is up to twice as long."""
    retry_most_seconds: float = 15.0
    """Seconds, at most, between two looks: a CSMS that is back is found before most stations have come back."""
    slow_reader_seconds: float = 60.0
    """Seconds to read what waits, once it is the most that may; 256 KiB in them is 35 kbit/s, less than GPRS gives."""
    close_spread_seconds: float = 20.0
    """Seconds, at most, over which stations are let go when their CSMS dies."""
    returns_per_second: float = 100.0
    """Stations let go in a second meanwhile; a handshake takes 2 ms of a core, so a fifth of it is used for returns."""
    transfer_end_seconds: float = 45.0
    """Seconds that firmware downloads under way may still take when the web process is to end; at 10 Mbit/s, 56 MB.
    After it: cut, and the station's next try asks for the rest alone. With what comes before and after it in an orderly
    end, less than the 90 that systemd gives a service."""
    probe_seconds: float = 3.0
    """Seconds a live connection has to answer a ping before a newcomer with the same credential takes its place."""
    handshakes_at_once: int = 64
    """TLS handshakes under way in one worker; more wait unread, so that live traffic keeps its share of the core."""
    arrival_seconds: float = 60.0
    """Seconds that a worker which others have replaced waits for those it accepted to be let in: handshake, head, and a
    CSMS that is held for, with time to spare."""
    guests: int = 100
    """Strangers in quarantine in one worker; each costs what a station costs. Above it: refused as unknown."""
    guests_of_one: int = 10
    """Of them from one network address: an installer's site has a few."""
    guest_seconds: float = 3_600.0
    """Seconds until one is let go; a station comes back by itself."""
    arrivals_of_one: int = 32
    """Connections of one network address in one worker that are not admitted yet; half of the handshakes, so that one
    address alone cannot keep the others out."""
    arrivals_queued: int = 256
    """More connections of that address, which wait unread; a site behind one address comes back whole after an outage.
    Above it: closed at once."""


class Unknown(StrEnum):
    """What becomes of a station that nobody registered: it is turned away, kept Pending without a CSMS, or let through
    to the CSMS with an alarm."""

    REFUSE = "refuse"
    QUARANTINE = "quarantine"
    OBSERVE = "unsafe_observe"


class NoSubprotocol(StrEnum):
    """What becomes of a station that names no version of OCPP: no upgrade (OCPP-J 3.1.2), or OCPP 1.6, which those that
    were built without a word for it speak."""

    REFUSE = "refuse"
    OCPP_16 = "ocpp1.6"


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """One door for stations: an IP address, a port, and the one security profile served there (A00.FR.006).

    Where ``proxies`` are named, they alone may connect, each connection with a PROXY protocol header. Where ``legacy``
    names stations, the door is for TLS 1.0 and 1.1 and for them, and for nothing and nobody else. ``unknown`` is what
    becomes of strangers; one in quarantine is told to come back in ``pending_seconds``. With ``compression`` a station
    may compress what it says (RFC 7692). ``no_subprotocol`` is what becomes of those that name no version.
    """

    host: str
    port: int
    profile: SecurityProfile
    proxies: tuple[Network, ...] = ()
    legacy: tuple[str, ...] = ()
    unknown: Unknown = Unknown.REFUSE
    pending_seconds: int = PENDING_SECONDS
    compression: bool = False
    no_subprotocol: NoSubprotocol = NoSubprotocol.REFUSE

    @property
    def assumed(self) -> tuple[str, ...]:
        """The versions that a station which names none is taken to have named."""
        return () if self.no_subprotocol is NoSubprotocol.REFUSE else (self.no_subprotocol.value,)


class Outage(StrEnum):
    """What a station meets while its CSMS is away: 503 at once, or a while of waiting for the CSMS to come back."""

    REFUSE = "refuse"
    HOLD = "hold"


class TransactionIds(StrEnum):
    """How the CSMS numbers transactions in OCPP 1.6: nobody knows, or never the same for two stations. With the latter
    a station that speaks of another's transaction is refused, not only told of."""

    ANY = "any"
    UNIQUE = "unique"


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where firmware downloads are served, and the URL under which stations reach that place. ``status`` is where
    anybody asks about certificates, ``status_url`` how they reach it; without it nobody is answered."""

    host: str
    port: int
    public_url: str
    status: tuple[str, int] | None = None
    status_url: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of the proxy. ``upstreams`` are none until one is named, ``workers`` 0 means one for each core.

    ``worker_mib`` is the memory above which a worker is replaced, 0 for no bound; ``fenced`` has Landlock keep workers
    from what they do not need.
    """

    csms_host: Host
    upstreams: tuple[Upstream, ...]
    listeners: tuple[ListenerConfig, ...]
    web: WebConfig
    workers: int = 0
    limits: Limits = Limits()
    outage: Outage = Outage.REFUSE
    transaction_ids: TransactionIds = TransactionIds.ANY
    worker_mib: int = WORKER_MIB
    fenced: bool = True
    messages: MessageSettings = field(default_factory=MessageSettings)
    policies: PolicySettings = field(default_factory=PolicySettings)
    keeps_tls: bool = False
    """Whether a station is refused that comes with less TLS than it has booted over before."""
    metrics: tuple[str, int] | None = None
    """Where figures and health are told over plain HTTP; nowhere until an address is named."""
    traces: TraceSettings | None = None
    """Where spans are sent, and of which arrivals; nothing is traced until a collector is named."""


def parse_config(text: str) -> Config:
    """Read ``bollard.toml``. Raises ``InputError`` with every mistake in it as a finding, with line and key.

    What other processes read is judged too: a mistake there is told now, not by the one that needs it.
    """
    file = read_tables(text)
    _refuse_unknown(file)
    config = _read(file)
    read_event_settings(file)
    file.settle()
    return config


def _read(file: Tables) -> Config:
    csms, proxy, common = file.one("csms"), file.one("proxy"), settings_of(file)
    return Config(
        csms_host=common.csms_host,
        upstreams=read_upstreams(file),
        listeners=_listeners(file),
        web=_web(file.one("web"), common),
        workers=proxy.number("workers", 0, WORKERS_LIMIT),
        outage=Outage(csms.word("outage", Outage.REFUSE, Outage)),
        transaction_ids=TransactionIds(csms.word("transaction_ids", TransactionIds.ANY, TransactionIds)),
        worker_mib=_worker_mib(proxy),
        fenced=not proxy.flag("unsafe_no_landlock", default=False),
        messages=read_message_settings(file.one("messages")),
        policies=read_policy_settings(file),
        keeps_tls=proxy.flag("refuse_tls_downgrade", default=False),
        metrics=file.one("metrics").parsed("address", _address_or_none, "", ""),
        traces=read_trace_settings(file.one("traces")),
    )


def parse_address(text: str, key: str = "address") -> tuple[str, int]:
    """Read ``127.0.0.1:8443`` or ``[::1]:8443``. Port 0 lets the system choose. ``key`` is named in the error."""
    match = _ADDRESS.fullmatch(text)
    host = (match["six"] or match["four"]) if match else ""
    port = int(match["port"]) if match else -1
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if match is None or address is None or (address.version == 6) is not bool(match["six"]) or port > 65_535:
        raise wrong(key, f"{text[:60]!r} is not of the form 127.0.0.1:8443 or [::1]:8443")
    return str(address), port


def refuse_port_zero(listeners: Sequence[ListenerConfig], key: str) -> None:
    """Refuse listeners for stations whose port the system would choose. ``key`` is named in the ``InputError``.

    Stations are told a port once and keep it, and each worker would be given a port of its own.
    """
    for door in listeners:
        if not door.port:
            says = f"stations need a port that stays; {write_address(door.host, 0)} leaves it to the system"
            raise wrong(key, says)


def write_address(host: str, port: int) -> str:
    """Write a host and a port as ``parse_address`` reads them; an IPv6 address stands in brackets (RFC 3986 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str) -> str:
    """An address to knock at: the wildcard addresses are for listening alone."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (not bound, only looked up)


def _refuse_unknown(file: Tables) -> None:
    file.only(KNOWN_KEYS.keys())
    for name in KNOWN_KEYS.keys() & file.raw.keys():
        for table in file.many(name) if name in ARRAYS else [file.one(name)]:
            table.only(KNOWN_KEYS[name])


def _listeners(file: Tables) -> tuple[ListenerConfig, ...]:
    tables = file.many("listener")
    if not tables:
        file.wrong("listener", "no station could connect: there is no [[listener]]; write one")
    found, doors = tuple(map(_listener, tables)), set[tuple[str, int]]()
    for table, listener in zip(tables, found, strict=True):
        door = (listener.host, listener.port)
        if listener.port and door in doors:
            table.wrong("address", "two listeners share one address; each serves one profile (A00.FR.006)")
        doors |= {door} if table.sound("address") else set()
    return found


def _listener(table: Table) -> ListenerConfig:
    host, port = table.parsed("address", parse_address, UNREAD)
    profile, plain = table.number("profile", None, 3, least=1), table.flag("unsafe_plain", default=False)
    if profile not in SERVED and not (profile == 1 and plain):
        says = "2 (password in TLS) and 3 (client certificate) are served; 1 has no TLS, and takes unsafe_plain = true"
        table.wrong("profile", says, "unsafe_plain")
    if plain and profile != 1:
        table.wrong("unsafe_plain", f"a listener of profile {profile} has TLS; plain is for profile 1 alone", "profile")
    legacy, unknown = _legacy(table), Unknown(table.word("unknown", Unknown.REFUSE, Unknown))
    if legacy and (plain or unknown is not Unknown.REFUSE):
        table.wrong("stations", "a door for stations that are named is for no others, and has TLS")
    return ListenerConfig(
        host=host,
        port=port,
        profile=SecurityProfile(profile) if table.sound("profile") else SecurityProfile.MUTUAL_TLS,
        proxies=table.networks("proxy_protocol"),
        legacy=legacy,
        unknown=unknown,
        pending_seconds=table.number("pending_seconds", PENDING_SECONDS, PENDING_MOST, PENDING_LEAST),
        compression=table.flag("compression", default=False),
        no_subprotocol=NoSubprotocol(table.word("no_subprotocol", NoSubprotocol.REFUSE, NoSubprotocol)),
    )


def _legacy(table: Table) -> tuple[str, ...]:
    """Read for which stations a door takes old TLS; a list is what makes it so narrow that it can be allowed at all."""
    unsafe = table.flag("unsafe_legacy_tls", default=False)
    named = tuple(dict.fromkeys(each.text for each in table.listed("stations", StationIdentity.parse)))
    if unsafe and not named:
        table.wrong("stations", "unsafe_legacy_tls is for stations that are named one by one, and none is")
    if named and not unsafe:
        says = "it belongs to unsafe_legacy_tls = true; other listeners take every station"
        table.wrong("stations", says, "unsafe_legacy_tls")
    return named


def _worker_mib(table: Table) -> int:
    """A bound so low that an idle worker is above it would have it replaced for ever."""
    found = table.number("worker_mib", WORKER_MIB, WORKER_MIB_MOST)
    if 0 < found < WORKER_MIB_LEAST:
        table.wrong("worker_mib", f"it is 0 for no bound, or at least {WORKER_MIB_LEAST}")
    return found


def _address_or_none(text: str) -> tuple[str, int] | None:
    return parse_address(text) if text else None


def _web(table: Table, common: Settings) -> WebConfig:
    host, port = table.parsed("address", parse_address, UNREAD)
    status = table.parsed("status_address", _address_or_none, "", "")
    if status and status[1] and status == (host, port):
        table.wrong("status_address", "it is web.address already", "address")
    return WebConfig(host, port, common.public_url, status, common.status_url)
