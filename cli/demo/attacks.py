"""Eight connections that must be refused, each leaving exactly one security event with its own cause."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from OpenSSL import SSL

from cli.demo.papers import DAY, make_ca, make_leaf, subject, write_key
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.demo.world import World

ORGANISATION: Final = "Demo Charging"
PARTNER: Final = "Demo Partner"
STATION_REFUSED: Final = 5  # the example station's exit code when the other side would not have it


@dataclass(frozen=True, slots=True)
class Attack:
    """One attempt: what it is, the cause that its event must carry, and how it is made."""

    says: str
    cause: str
    attempt: Callable[[World], str]
    """Returns what the attacker saw; raises when it got in."""


def must_be_refused(world: World, attack: Attack) -> str:
    """Make the attempt, and see that it left one event and no other."""
    saw = attack.attempt(world)
    events = _events_after(world)
    causes = [str(event["cause"]) for event in events]
    if causes != [attack.cause]:
        raise BollardError("demo.events", f"one event {attack.cause} was expected, there were {causes}")
    return f"{saw}; event {events[0]['type']} ({attack.cause}, {events[0]['clause'] or 'no clause'})"


def _events_after(world: World) -> list[dict[str, object]]:
    """Look for new events; the TLS alert may reach the attacker a moment before the event is on disk."""
    for _ in range(10):
        if found := world.new_events():
            return found
    return []


def _station_refused(world: World, identity: str, *options: str, profile: int = 3) -> str:
    station = world.station(f"attacker-{len(world.children)}", identity, *options, profile=profile)
    if station.ended() != STATION_REFUSED:
        raise BollardError("demo.let_in", f"{identity} was not refused", station.last_words())
    refused = station.wait_for("the refusal", lambda fact: "refused" in fact)
    return f"HTTP {refused['status']}" if refused["refused"] == "http" else f"{refused['refused']}: {refused['says']}"


def _with_paper(world: World, identity: str, name: str) -> str:
    return _station_refused(world, identity, "--certificate", f"{name}.pem", "--key", f"{name}.key")


def unknown_ca(world: World) -> str:
    """Present a certificate with the right name from a CA that nobody trusts."""
    pem, key = make_leaf(make_ca(ORGANISATION, "Stranger Root"), subject(ORGANISATION, "SN-001"))
    (world.folder / "stranger.pem").write_bytes(pem)
    write_key(world.folder / "stranger.key", key)
    return _with_paper(world, "CP-001", "stranger")


def expired(world: World) -> str:
    """Present a certificate of a trusted partner CA that ended yesterday."""
    partner = make_ca(PARTNER, "Partner Root")
    (world.folder / "partner.pem").write_bytes(partner.pem())
    world.bollard("ca", "trust", "add", "partner.pem", "--purpose", "station")
    pem, key = make_leaf(partner, subject(PARTNER, "SN-001"), begins=-90 * DAY, ends=-DAY)
    (world.folder / "expired.pem").write_bytes(pem)
    write_key(world.folder / "expired.key", key)
    return _with_paper(world, "CP-001", "expired")


def revoked(world: World) -> str:
    """Come back with the certificate that was revoked."""
    return _with_paper(world, "CP-004", "cp-004")


def other_station(world: World) -> str:
    """Present another station's certificate, which is valid."""
    return _with_paper(world, "CP-001", "cp-002")


def wrong_password(world: World) -> str:
    """Guess a password."""
    (world.folder / "guess").write_text("not-the-password-at-all")
    return _station_refused(world, "CP-003", "--password-file", "guess", profile=2)


def unknown_station(world: World) -> str:
    """Use an identity that nobody registered."""
    return _station_refused(world, "CP-999", "--password-file", "guess", profile=2)


def old_tls(world: World) -> str:
    """Offer TLS 1.1 and nothing newer."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_1_VERSION)
    context.set_max_proto_version(SSL.TLS1_1_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")  # else the library itself would not offer it
    with socket.create_connection(("127.0.0.1", world.ports[3])) as line:
        attacker = SSL.Connection(context, line)
        attacker.set_connect_state()
        try:
            attacker.do_handshake()
        except SSL.Error as alert:
            return f"tls: {_reason(alert)}"
    raise BollardError("demo.let_in", "a TLS 1.1 handshake succeeded", "The listener's TLS settings are wrong.")


def no_subprotocol(world: World) -> str:
    """Speak an OCPP version that nobody here speaks."""
    mine = ("--certificate", "cp-002.pem", "--key", "cp-002.key")
    return _station_refused(world, "CP-002", *mine, "--subprotocol", "ocpp1.5")


def _reason(alert: SSL.Error) -> str:
    reasons = alert.args[0] if alert.args else None
    return str(reasons[0][-1]) if isinstance(reasons, list) and reasons else "the connection was closed"


ATTACKS: Final = (
    Attack("a certificate of an unknown CA is refused", "cert.unknown_ca", unknown_ca),
    Attack("an expired certificate is refused", "cert.expired", expired),
    Attack("a revoked certificate is refused", "cert.revoked", revoked),
    Attack("another station's certificate is refused", "cert.other_station", other_station),
    Attack("a wrong password is refused", "auth.wrong_password", wrong_password),
    Attack("an unknown station is refused", "station.unknown", unknown_station),
    Attack("TLS 1.1 is refused", "tls.version", old_tls),
    Attack("no common subprotocol is refused", "subprotocol.none", no_subprotocol),
)
