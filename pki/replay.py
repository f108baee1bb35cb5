"""What the audit log says each row of the ledger must be, so that a row that was edited, added or dropped is found.

* Every act's entry becomes orders: a row is there from now on, says something else, or is gone. Applied in the log's
  order they give the tables as they must stand; ``pki.edge.ledger.replay`` does that and compares.
* A field is proved only if an entry told it: entries of older versions tell less, and what they left out is ``None``.
* An act that touches no row stands in ``WITHOUT_ROWS``. One that stands in neither table is unknown, and a test finds
  it among the acts that our own code records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value: TypeAlias = str | int | None
"""What a field must be; ``None``: nobody knows."""

SEPARATOR: Final = "\x1f"  # between the parts of a key; no part can hold a control character
_DERIVED: Final[Mapping[str, Value]] = {"key_follows": 1}
"""What holds of every certificate's row: the key in it is that of the bytes that were to be signed, which are told."""
_NO_NEXT: Final[Mapping[str, Value]] = {"next_form": "", "next_sha256": ""}
"""What holds of a station's row while no password is to follow the one it has."""
WITHOUT_ROWS: Final = frozenset(
    {
        "certificate.refused",
        "firmware.refused",
        "home.backed_up",
        "issuer.prepared",
        "root.asked",
        "server.replaced",
        "token.tried",
    }
)


class Entry(msgspec.Struct, frozen=True):
    """An entry of the log, as ``pki.audit.entry`` writes it."""

    index: int
    at: str
    act: str
    who: str
    what: dict[str, object]


@dataclass(frozen=True, slots=True)
class Put:
    """A new row with these fields. ``must`` is False where older entries do not tell whether the row came to be."""

    kind: str
    key: str
    fields: Mapping[str, Value]
    must: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """These fields of a row that is there say this from now on."""

    kind: str
    key: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Drop:
    """The row is gone; one that never was is fine where a new one only takes its place."""

    kind: str
    key: str
    must: bool = True


@dataclass(frozen=True, slots=True)
class Find:
    """The row is there and says this, or the entry does not fit what came before it."""

    kind: str
    key: str
    fields: Mapping[str, Value]


Order: TypeAlias = Put | Change | Drop | Find


def read_entry(text: str | bytes) -> Entry:
    """Read an entry's text; ``ValueError`` when it is none."""
    return _ENTRY.decode(text)


def orders(entry: Entry) -> tuple[Order, ...]:
    """Say what an entry did to the ledger's rows; an act that is not known did nothing."""
    rule = RULES.get(entry.act)
    return rule(entry) if rule else ()


def key_of(*parts: object) -> str:
    """Write a row's key, for those that consist of several columns."""
    return SEPARATOR.join(str(part) for part in parts)


def _station_added(entry: Entry) -> tuple[Order, ...]:
    return tuple(_registered(entry.what))


def _stations_added(entry: Entry) -> tuple[Order, ...]:
    seeds = entry.what.get("stations")
    each = [seed for seed in seeds if isinstance(seed, dict)] if isinstance(seeds, list) else []
    return tuple(order for seed in each for order in _registered(seed))


def _registered(what: Mapping[str, object]) -> list[Order]:
    """A name that a removed station had makes room for the one that has it now."""
    returned: list[Order] = [Drop("station", _text(what, "station"))] if what.get("returned") else []
    return [*returned, _station(what)]


def _station(what: Mapping[str, object]) -> Put:
    said = _told(what, "serial", "profile", "group", "site", "password_form", "verifier_sha256")
    blank = {"vendor": "", "model": "", "firmware_version": "", "protocol": "", "tls": "", "expired_until": ""}
    free: dict[str, Value] = {"status": "active", "seen_profile": 0, "ratchet": 1, **_NO_NEXT}
    return Put("station", _text(what, "station"), {**said, **blank, **free})


def _station_edited(entry: Entry) -> tuple[Order, ...]:
    """Only what became another is told."""
    named = ("serial", "profile", "group", "site", "ratchet", "seen_profile", "expired_until")
    told = [name for name in named if name in entry.what]
    return (Change("station", _text(entry.what, "station"), _told(entry.what, *told)),)


def _password_set(entry: Entry) -> tuple[Order, ...]:
    """One that was to follow is forgotten with it."""
    said = _told(entry.what, "password_form", "verifier_sha256")
    return (Change("station", _text(entry.what, "station"), {**said, **_NO_NEXT}),)


def _station_removed(entry: Entry) -> tuple[Order, ...]:
    """Its passwords go, and which roots it was known to trust."""
    station, keys = _text(entry.what, "station"), entry.what.get("confirmations")
    dropped = [Drop("trust_confirmation", key_of(station, key)) for key in keys] if isinstance(keys, list) else []
    said = {**_told(entry.what, "status", "serial"), "verifier_sha256": "", **_NO_NEXT}
    return (Change("station", station, said), *dropped)


def _station_changed(*names: str) -> Callable[[Entry], tuple[Order, ...]]:
    return lambda entry: (Change("station", _text(entry.what, "station"), _told(entry.what, *names)),)


def _intended(entry: Entry) -> tuple[Order, ...]:
    named = ("issuer_key_id", "subject", "issuer", "purpose", "station", "not_before", "not_after", "tbs_sha256")
    blank = {"der_sha256": "", "reason": "", "revoked_at": "", **_DERIVED}
    return (
        Put("certificate", _text(entry.what, "serial"), {**_told(entry.what, *named), "status": "intended", **blank}),
    )


def _issued(entry: Entry) -> tuple[Order, ...]:
    serial, name = _text(entry.what, "serial"), _text(entry.what, "holds")
    sealed = Change("certificate", serial, {**_told(entry.what, "der_sha256"), "status": "valid"})
    if not name:
        return (sealed,)
    held = Put("own_key", name, _told(entry.what, "role", "serial", "slot", "state", "keeper"))
    former = _text(entry.what, "replaces")
    made_room = (Change("own_key", former, {"state": "old"}),) if former else ()
    return (sealed, *made_room, Drop("own_key", name, must=False), held)


def _abandoned(entry: Entry) -> tuple[Order, ...]:
    return (Change("certificate", _text(entry.what, "serial"), {"status": "abandoned"}),)


def _revoked(entry: Entry) -> tuple[Order, ...]:
    said = _told(entry.what, "reason", "revoked_at")
    return (Change("certificate", _text(entry.what, "serial"), {**said, "status": "revoked"}),)


def _taken_in(entry: Entry) -> tuple[Order, ...]:
    """An authority of others comes in one act, with those above it: certificates, and keys wherever they lie."""
    taken = entry.what.get("taken")
    each = [what for what in taken if isinstance(what, dict)] if isinstance(taken, list) else []
    return tuple(order for what in each for order in _taken(what))


def _taken(what: Mapping[str, object]) -> tuple[Order, ...]:
    named = ("issuer_key_id", "subject", "issuer", "purpose", "station", "not_before", "not_after", "tbs_sha256")
    said = {**_told(what, *named, "der_sha256"), "status": "valid", "reason": "", "revoked_at": "", **_DERIVED}
    held = _told(what, "role", "serial", "slot", "state", "keeper")
    name, former = _text(what, "holds"), _text(what, "replaces")
    made_room = (Change("own_key", former, {"state": "old"}),) if former else ()
    waited = Drop("own_key", name, must=False)  # a key that waited for its certificate
    return (Put("certificate", _text(what, "serial"), said), *made_room, waited, Put("own_key", name, held))


def _key_taken(entry: Entry) -> tuple[Order, ...]:
    """The key of an authority that was known without it."""
    return (Change("own_key", _text(entry.what, "holds"), _told(entry.what, "role", "slot", "state", "keeper")),)


def _taken_over(entry: Entry) -> tuple[Order, ...]:
    """From an offline root come certificates in the same way, and the ceremony itself."""
    kept = _told(entry.what, "root_key_id", "crl_number", "crl_sha256", "imported")
    return (*_taken_in(entry), Put("ceremony", _text(entry.what, "transcript"), kept))


def _held(entry: Entry) -> tuple[Order, ...]:
    said = _told(entry.what, "reason", "revoked_at")
    return (Change("certificate", _text(entry.what, "serial"), {**said, "status": "held"}),)


def _released(entry: Entry) -> tuple[Order, ...]:
    back = {"status": "valid", "reason": "", "revoked_at": ""}
    return (Change("certificate", _text(entry.what, "serial"), back),)


def _founded(entry: Entry) -> tuple[Order, ...]:
    """Older homes tell which keys they have, yet not which certificate each of them got."""
    names = entry.what.get("keys")
    known = names if isinstance(names, list) else []
    blank: dict[str, Value] = dict.fromkeys(("role", "serial", "slot", "state", "keeper"))
    return (*(Put("own_key", str(name), blank, must=False) for name in known), *_settings_told(entry))


def _settings_told(entry: Entry) -> tuple[Order, ...]:
    """Older homes tell no settings when they are founded."""
    return tuple(Put("setting", name, {"value": value}) for name, value in _settings(entry, "settings").items())


def _settings_changed(entry: Entry) -> tuple[Order, ...]:
    """What was there before is told as its row said it: an edited row is found, however soon it is written over."""
    before, orders = _settings(entry, "former"), list[Order]()
    for put in _settings_told(entry):
        if put.key in before:
            orders += [Find("setting", put.key, {"value": before[put.key]}), Drop("setting", put.key)]
        orders.append(put)
    return tuple(orders)


def _settings(entry: Entry, name: str) -> dict[str, Value]:
    told = entry.what.get(name)
    return {str(key): _value(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _anchor_key(what: Mapping[str, object]) -> str:
    return key_of(what.get("purpose"), what.get("vendor"), what.get("key_id"))


def _anchor_added(entry: Entry) -> tuple[Order, ...]:
    return (Put("anchor", _anchor_key(entry.what), _told(entry.what, "subject", "not_after", "pem_sha256")),)


def _anchor_removed(entry: Entry) -> tuple[Order, ...]:
    return (Drop("anchor", _anchor_key(entry.what)),)


def _imported(entry: Entry) -> tuple[Order, ...]:
    key = key_of(*(entry.what.get(name) for name in ("vendor", "model", "version")))
    named = ("digest", "size", "algorithm", "signature_sha256", "certificate_sha256", "imported")
    return (Put("firmware", key, _told(entry.what, *named)),)


def _granted(entry: Entry) -> tuple[Order, ...]:
    """A station has one download at most: a new one ends the older."""
    station = _text(entry.what, "station")
    said = _told(entry.what, "digest", "message_id", "expires", "token_sha256", "size")
    begun = {"started": 0, "complete": 0, "audit_index": entry.index}
    return (Drop("download", station, must=False), Put("download", station, {**said, **begun}))


def _download(name: str) -> Callable[[Entry], tuple[Order, ...]]:
    def told(entry: Entry) -> tuple[Order, ...]:
        return (Change("download", _text(entry.what, "station"), {name: 1, "audit_index": entry.index}),)

    return told


def _retired(entry: Entry) -> tuple[Order, ...]:
    """A root's links go with it."""
    links = entry.what.get("links")
    names = [entry.what.get("name"), *(links if isinstance(links, list) else [])]
    return tuple(Change("own_key", str(name), {"state": "retired"}) for name in names)


def _activated(entry: Entry) -> tuple[Order, ...]:
    former = _text(entry.what, "replaces")
    made_room = (Change("own_key", former, {"state": "old"}),) if former else ()
    return (*made_room, Change("own_key", _text(entry.what, "name"), {"state": "active"}))


def _confirmed(entry: Entry) -> tuple[Order, ...]:
    """Only those that were not confirmed before are told."""
    stations = entry.what.get("stations")
    known = stations if isinstance(stations, list) else []
    said = _told(entry.what, "moment", "how")
    return tuple(Put("trust_confirmation", key_of(each, entry.what.get("key_id")), said) for each in known)


def _restored(entry: Entry) -> tuple[Order, ...]:
    return (Put("restore", str(entry.index), _told(entry.what, "moment", "from_size", "replaced_size")),)


def _minted(entry: Entry) -> tuple[Order, ...]:
    """A station has one token at most: a new one ends the older."""
    station = _text(entry.what, "station")
    return (Drop("token", station, must=False), Put("token", station, _told(entry.what, "token_sha256", "expires")))


def _token_gone(entry: Entry) -> tuple[Order, ...]:
    return (Drop("token", _text(entry.what, "station")),)


def _waiting(entry: Entry) -> tuple[Order, ...]:
    """A token lasts as long as the request that was made with it."""
    said = _told(entry.what, "station", "key_id", "way", "issuer", "csr_sha256", "expires")
    kept = Put("waiting", _number(entry.what), {**said, "state": "pending", "decided_by": "", "reason": ""})
    until = _text(entry.what, "token_expires")
    return (kept, *((Change("token", _text(entry.what, "station"), {"expires": until}),) if until else ()))


def _decided(state: str) -> Callable[[Entry], tuple[Order, ...]]:
    def told(entry: Entry) -> tuple[Order, ...]:
        said = {**_told(entry.what, "reason", "expires"), "state": state, "decided_by": entry.who}
        return (Change("waiting", _number(entry.what), said),)

    return told


def _answered(entry: Entry) -> tuple[Order, ...]:
    return (Drop("waiting", _number(entry.what)),)


def _tidied(entry: Entry) -> tuple[Order, ...]:
    tokens, requests = entry.what.get("tokens"), entry.what.get("requests")
    ended = [Drop("token", str(each)) for each in tokens] if isinstance(tokens, list) else []
    given_up = [Drop("waiting", str(each)) for each in requests] if isinstance(requests, list) else []
    return (*ended, *given_up)


def _received(entry: Entry) -> tuple[Order, ...]:
    """An authority of others answered: the row comes whole, and what had waited for it is gone."""
    serial = _text(entry.what, "serial")
    (intended,) = _intended(entry)
    sealed = Change("certificate", serial, {**_told(entry.what, "der_sha256"), "status": "valid"})
    chain = Put(
        "external_chain", serial, {"issuer": _text(entry.what, "from"), **_told(entry.what, "key_id", "chain_sha256")}
    )
    return (intended, sealed, chain, Drop("waiting", _number(entry.what)))


def _lists_intended(entry: Entry) -> tuple[Order, ...]:
    """Older entries tell neither when a list counts nor, later, that it was given up."""
    told = _told(entry.what, "issuer_key_id", "this_update", "next_update")
    status = None if told["issuer_key_id"] is None else "intended"
    orders = []
    for shard, number, entries, digest in _rows(entry.what, "lists", 4, 4):
        said = {**told, "entries": _value(entries), "tbs_sha256": _value(digest), "status": status}
        orders.append(Put("crl", key_of(entry.what.get("issuer"), shard, number), said))
    return tuple(orders)


def _lists_issued(entry: Entry) -> tuple[Order, ...]:
    """Of a shard's lists the newest is kept whole."""
    found: list[Order] = []
    for shard, number, *digest in _rows(entry.what, "lists", 2, 3):
        place = key_of(entry.what.get("issuer"), shard)
        der = _value(digest[0]) if digest else None
        found += [
            Change("crl", key_of(place, number), {"status": "signed"}),
            Drop("newest_crl", place, must=False),
            Put("newest_crl", place, {"number": _value(number), "der_sha256": der}),
        ]
    return tuple(found)


def _lists_abandoned(entry: Entry) -> tuple[Order, ...]:
    """Older entries do not tell whose lists they were."""
    lists = _rows(entry.what, "lists", 3, 3)
    return tuple(Change("crl", key_of(whose, shard, number), {"status": "abandoned"}) for shard, number, whose in lists)


RULES: Final[Mapping[str, Callable[[Entry], tuple[Order, ...]]]] = {
    "station.added": _station_added,
    "stations.added": _stations_added,
    "station.status_set": _station_changed("status"),
    "station.password_set": _password_set,
    "station.password_offered": _station_changed("next_form", "next_sha256"),
    "station.password_settled": _password_set,
    "station.changed": _station_edited,
    "station.profile_seen": _station_changed("seen_profile", "profile"),
    "station.removed": _station_removed,
    "station.described": _station_changed("vendor", "model", "firmware_version", "protocol", "tls"),
    "station.protocol_set": _station_changed("protocol"),
    "station.tls_forgotten": _station_changed("tls"),
    "certificate.intended": _intended,
    "certificate.issued": _issued,
    "certificate.abandoned": _abandoned,
    "certificate.revoked": _revoked,
    "certificate.reason_raised": _revoked,
    "certificate.held": _held,
    "certificate.released": _released,
    "key.retired": _retired,
    "home.founded": _founded,
    "issuer.imported": _taken_in,
    "issuer.key_taken": _key_taken,
    "anchor.added": _anchor_added,
    "anchor.removed": _anchor_removed,
    "firmware.imported": _imported,
    "download.granted": _granted,
    "download.started": _download("started"),
    "download.completed": _download("complete"),
    "home.restored": _restored,
    "ceremony.imported": _taken_over,
    "issuer.activated": _activated,
    "issuer.retired": _retired,
    "trust.confirmed": _confirmed,
    "token.minted": _minted,
    "token.revoked": _token_gone,
    "token.spent": _token_gone,
    "enrolment.waiting": _waiting,
    "enrolment.approved": _decided("approved"),
    "enrolment.denied": _decided("denied"),
    "enrolment.answered": _answered,
    "enrolment.refused": _answered,
    "enrolment.tidied": _tidied,
    "certificate.requested": _waiting,
    "certificate.received": _received,
    "crl.intended": _lists_intended,
    "crl.issued": _lists_issued,
    "crl.abandoned": _lists_abandoned,
    "settings.changed": _settings_changed,
}
"""Each act that changes a row, and what it makes of it."""


def _text(what: Mapping[str, object], name: str) -> str:
    found = what.get(name, "")
    return found if isinstance(found, str) else ""


def _number(what: Mapping[str, object]) -> str:
    return str(what.get("id", ""))


def _rows(what: Mapping[str, object], name: str, least: int, most: int) -> list[list[object]]:
    """Pick a table that an entry tells; rows with fewer fields tell nothing."""
    found = what.get(name)
    rows = found if isinstance(found, list) else []
    return [row[:most] for row in rows if isinstance(row, list) and len(row) >= least]


def _value(told: object) -> Value:
    return told if isinstance(told, str | int) else None


def _told(what: Mapping[str, object], *names: str) -> dict[str, Value]:
    """Pick these fields; one that the entry does not tell is not known."""
    return {name: _value(what.get(name)) for name in names}


_ENTRY: Final = msgspec.json.Decoder(Entry)
