"""A home with many stations and their certificates, put straight into the ledger: for benchmarks that begin there.

The certificates are real ones of the home's own authority, a few hundred of them or one for each station; their rows
repeat them under serials of their own. The log knows nothing of these rows, so ``bollard audit verify`` would find
them; nothing else looks.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificate import key_id
from pki.edge import clock, store
from pki.edge.creation import create
from pki.edge.keys import Keyring, read_passphrase
from pki.edge.office.issuing import draw_serial
from pki.edge.policies import read_certificate_policy
from pki.issue import sign
from pki.lint import approve
from pki.names import Host, Organisation
from pki.plan import Issuer, Subject, plan
from pki.profile import parse_profile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.home import Home

ORGANISATION = Organisation.parse("Example Charging")
REAL = 200  # certificates that are really signed, where nobody looks at the keys of them all
_STATION = (
    "INSERT INTO station (identity, serial, profile, status, verifier, password_form, station_group, site)"
    " VALUES (?, ?, 3, 'active', '', 'any', '', '')"
)
_CERTIFICATE = (
    "INSERT INTO certificate (issuer_key_id, serial, purpose, station, subject, issuer, not_before, not_after, status,"
    " tbs, der, certified_key) VALUES (?, ?, 'station', ?, ?, ?, ?, ?, 'valid', ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Model:
    """A certificate that rows repeat."""

    tbs: bytes
    der: bytes
    key: bytes
    not_before: str
    not_after: str


def make_home(folder: Path, stations: int, each: int, real: int = REAL) -> Home:
    """Create a home and give it so many stations with so many valid certificates each, so many of them with a key of
    their own."""
    home = create(folder / "home", ORGANISATION, Host.parse("csms.example.org")).home
    issuer = x509.load_pem_x509_certificate((home.ca / "station.pem").read_bytes())
    models = list(_models(home, issuer, real))
    database = store.open_writer(home.ledger)
    for pragma in ("synchronous=OFF", "cache_size=-600000"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN")
    database.conn.executemany(_STATION, ((f"CP-{number}", f"SN-{number}") for number in range(stations)))
    database.conn.executemany(_CERTIFICATE, _rows(models, issuer, stations, each))
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return home


def _models(home: Home, issuer: x509.Certificate, count: int) -> Iterator[Model]:
    key = Keyring(home.keys, read_passphrase(home.keys)).key("station")
    profile = parse_profile("station", read_certificate_policy(home.policies, "station"))
    for number in range(count):
        holder, subject = ec.generate_private_key(ec.SECP256R1()), Subject(f"SN-{number}", ORGANISATION)
        public, above = holder.public_key(), Issuer("station", issuer)
        planned = plan(profile, subject, public, above, draw_serial(), clock.now())
        approved = approve(planned)
        times = clock.stamp(planned.not_before), clock.stamp(planned.not_after)
        yield Model(approved.tbs, sign(approved, key).der, key_id(public), *times)


def _rows(models: list[Model], issuer: x509.Certificate, stations: int, each: int) -> Iterator[tuple[object, ...]]:
    """In the order of their serials, which fills the indexes fastest."""
    name, key = issuer.subject.rfc4514_string(), key_id(issuer)
    serials = sorted(secrets.randbits(158) | 1 << 158 for _ in range(stations * each))
    for number, serial in enumerate(serials):
        station, model = number % stations, models[number % len(models)]
        subject = f"CN=SN-{station},O={ORGANISATION.text}"
        times = model.not_before, model.not_after
        yield key, f"{serial:x}", f"CP-{station}", subject, name, *times, model.tbs, model.der, model.key
