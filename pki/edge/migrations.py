"""How the ledger's tables came to be, step by step; a step once released is never edited, only followed by another.

Each step runs in one transaction with the note that it ran. Tables are strict. Nothing is ever upserted: a
certificate's row is inserted before its signature exists, and a second row for one (issuer, serial) is impossible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlite_utils import Migrations

from pki.certificate import key_in

if TYPE_CHECKING:
    from sqlite_utils import Database

LEDGER: Final = Migrations("ledger")


def key_of_row(tbs: bytes) -> bytes | None:
    """Return the key that a row of certificates is of, as its column names it: a function of its to-be-signed bytes."""
    try:
        return key_in(tbs)
    except ValueError:
        return None  # no key of a kind that could be asked for again


@LEDGER()
def stations(database: Database) -> None:
    """Who may connect, and what they must prove."""
    database.execute("""
        CREATE TABLE station (
            identity TEXT PRIMARY KEY,
            serial TEXT NOT NULL UNIQUE,
            profile INTEGER NOT NULL CHECK (profile BETWEEN 1 AND 3),
            status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
            verifier TEXT NOT NULL DEFAULT '',
            password_form TEXT NOT NULL DEFAULT 'any',
            station_group TEXT NOT NULL DEFAULT '',
            site TEXT NOT NULL DEFAULT '',
            vendor TEXT NOT NULL DEFAULT '',
            model TEXT NOT NULL DEFAULT '',
            firmware_version TEXT NOT NULL DEFAULT '',
            last_seen TEXT
        ) STRICT""")


@LEDGER()
def certificates(database: Database) -> None:
    """Every certificate we ever meant to sign: the row comes first, the signature second."""
    database.execute("""
        CREATE TABLE certificate (
            id INTEGER PRIMARY KEY,
            issuer_key_id BLOB NOT NULL CHECK (length(issuer_key_id) = 32),
            serial TEXT NOT NULL,
            purpose TEXT NOT NULL,
            station TEXT REFERENCES station(identity),
            subject TEXT NOT NULL,
            issuer TEXT NOT NULL,
            not_before TEXT NOT NULL,
            not_after TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('intended', 'valid', 'revoked', 'abandoned')),
            tbs BLOB NOT NULL,
            der BLOB,
            reason TEXT,
            revoked_at TEXT,
            UNIQUE (issuer_key_id, serial),
            CHECK ((der IS NULL) = (status IN ('intended', 'abandoned'))),
            CHECK ((revoked_at IS NULL) = (status <> 'revoked'))
        ) STRICT""")
    database.execute("CREATE INDEX certificate_serial ON certificate (serial)")
    database.execute("CREATE INDEX certificate_station ON certificate (station)")
    database.execute("CREATE INDEX certificate_intended ON certificate (id) WHERE status = 'intended'")
    database.execute("""
        CREATE TABLE own_key (
            name TEXT PRIMARY KEY,
            purpose TEXT NOT NULL CHECK (purpose IN ('root', 'csms', 'station', 'ocsp', 'server')),
            certificate INTEGER NOT NULL REFERENCES certificate(id)
        ) STRICT""")


@LEDGER()
def anchors(database: Database) -> None:
    """Certificates of others that we trust, each for one purpose."""
    database.execute("""
        CREATE TABLE anchor (
            purpose TEXT NOT NULL CHECK (purpose IN ('station', 'firmware', 'csms')),
            vendor TEXT NOT NULL,
            key_id BLOB NOT NULL CHECK (length(key_id) = 32),
            subject TEXT NOT NULL,
            not_after TEXT NOT NULL,
            pem TEXT NOT NULL,
            PRIMARY KEY (purpose, vendor, key_id)
        ) STRICT""")


@LEDGER()
def firmware(database: Database) -> None:
    """Verified images, and who may fetch them; of a download token only its SHA-256 is kept."""
    database.execute("""
        CREATE TABLE firmware (
            vendor TEXT NOT NULL,
            model TEXT NOT NULL,
            version TEXT NOT NULL,
            digest TEXT NOT NULL CHECK (length(digest) = 64),
            size INTEGER NOT NULL,
            algorithm TEXT NOT NULL,
            signature BLOB NOT NULL,
            certificate TEXT NOT NULL,
            imported TEXT NOT NULL,
            PRIMARY KEY (vendor, model, version)
        ) STRICT""")
    database.execute("CREATE INDEX firmware_digest ON firmware (digest)")
    database.execute("""
        CREATE TABLE download (
            token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
            station TEXT NOT NULL REFERENCES station(identity),
            digest TEXT NOT NULL,
            size INTEGER NOT NULL,
            message_id TEXT NOT NULL,
            expires TEXT NOT NULL,
            served INTEGER NOT NULL DEFAULT 0,
            complete INTEGER NOT NULL DEFAULT 0,
            audit_index INTEGER NOT NULL
        ) STRICT""")
    database.execute("CREATE INDEX download_station ON download (station, expires)")


@LEDGER()
def audit(database: Database) -> None:
    """The log of every act as a Merkle tree (RFC 6962 2.1): entries, the tree's right edge, and signed checkpoints."""
    database.execute("""
        CREATE TABLE audit (
            "index" INTEGER PRIMARY KEY,
            entry TEXT NOT NULL,
            leaf BLOB NOT NULL CHECK (length(leaf) = 32)
        ) STRICT""")
    database.execute("""
        CREATE TABLE frontier (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            size INTEGER NOT NULL,
            hashes BLOB NOT NULL
        ) STRICT""")
    database.execute("INSERT INTO frontier (id, size, hashes) VALUES (1, 0, x'')")
    database.execute("""
        CREATE TABLE checkpoint (
            id INTEGER PRIMARY KEY,
            size INTEGER NOT NULL,
            root TEXT NOT NULL,
            text TEXT NOT NULL
        ) STRICT""")


@LEDGER()
def generations(database: Database) -> None:
    """Keys of ours come and go: each fills a slot, and of a slot's keys one is in use at a time."""
    database.execute("""
        CREATE TABLE own (
            name TEXT PRIMARY KEY,
            slot TEXT NOT NULL,
            purpose TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('next', 'active', 'old', 'retired')),
            keeper TEXT NOT NULL CHECK (keeper IN ('here', 'elsewhere')),
            certificate INTEGER NOT NULL REFERENCES certificate(id)
        ) STRICT""")
    database.execute("""
        INSERT INTO own (name, slot, purpose, state, keeper, certificate)
            SELECT name, name, purpose, 'active', 'here', certificate FROM own_key""")
    database.execute("DROP TABLE own_key")
    database.execute("ALTER TABLE own RENAME TO own_key")
    database.execute("CREATE UNIQUE INDEX own_key_active ON own_key (slot) WHERE state = 'active'")


@LEDGER()
def compromised(database: Database) -> None:
    """Keys that were given up are few; whoever asks for a certificate is held against them, not against every row."""
    database.execute("CREATE INDEX certificate_compromised ON certificate (id) WHERE reason = 'key_compromise'")


@LEDGER()
def certificate_ends(database: Database) -> None:
    """What ends next is asked often, and of a million certificates."""
    database.execute("CREATE INDEX certificate_ends ON certificate (not_after, id)")


@LEDGER()
def restore(database: Database) -> None:
    """When this ledger came back from a backup, and how far the log went in what it replaced (-1: nothing there)."""
    database.execute("""
        CREATE TABLE restore (
            audit_index INTEGER PRIMARY KEY,
            moment TEXT NOT NULL,
            from_size INTEGER NOT NULL,
            replaced_size INTEGER NOT NULL
        ) STRICT""")


@LEDGER()
def ceremonies(database: Database) -> None:
    """What came from roots whose keys are elsewhere: each ceremony once, its list newer than the one before."""
    database.execute("""
        CREATE TABLE ceremony (
            digest TEXT PRIMARY KEY CHECK (length(digest) = 64),
            root_key_id BLOB NOT NULL CHECK (length(root_key_id) = 32),
            crl_number INTEGER NOT NULL,
            crl BLOB NOT NULL,
            imported TEXT NOT NULL,
            UNIQUE (root_key_id, crl_number)
        ) STRICT""")


@LEDGER()
def protocols(database: Database) -> None:
    """The version of OCPP that a station speaks, since a certificate profile may differ by it; empty: not known yet."""
    database.execute("ALTER TABLE station ADD COLUMN protocol TEXT NOT NULL DEFAULT ''")


@LEDGER()
def holds(database: Database) -> None:
    """A certificate may be on hold: revoked, but so that it can be undone.

    Two checks of a table are widened, which changes no row; SQLite's documentation of ALTER TABLE gives this way, and
    it leaves alone what other tables say of this one.
    """
    _replace_check(database, "('intended', 'valid', 'revoked', 'abandoned')", f"({STATUSES})")
    _replace_check(database, "(status <> 'revoked')", "(status NOT IN ('revoked', 'held'))")


@LEDGER()
def revocation_lists(database: Database) -> None:
    """Lists of revoked certificates: the row comes first, the signature second."""
    database.execute("""
        CREATE TABLE crl_scope (
            issuer_key_id BLOB PRIMARY KEY CHECK (length(issuer_key_id) = 32),
            shards INTEGER NOT NULL CHECK (shards IN (1, 2, 4, 8, 16, 32, 64, 128, 256))
        ) STRICT""")
    database.execute("CREATE TABLE crl_base (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE) STRICT")
    database.execute("""
        CREATE TABLE crl (
            id INTEGER PRIMARY KEY,
            issuer_key_id BLOB NOT NULL CHECK (length(issuer_key_id) = 32),
            shard INTEGER NOT NULL CHECK (shard BETWEEN -1 AND 255),
            number INTEGER NOT NULL CHECK (number > 0),
            this_update TEXT NOT NULL,
            next_update TEXT NOT NULL,
            entries INTEGER NOT NULL,
            tbs_digest BLOB NOT NULL CHECK (length(tbs_digest) = 32),
            status TEXT NOT NULL CHECK (status IN ('intended', 'valid', 'superseded', 'abandoned')),
            der BLOB,
            UNIQUE (issuer_key_id, shard, number),
            CHECK ((der IS NOT NULL) = (status = 'valid'))
        ) STRICT""")
    database.execute("CREATE UNIQUE INDEX crl_valid ON crl (issuer_key_id, shard) WHERE status = 'valid'")
    database.execute("CREATE INDEX crl_intended ON crl (id) WHERE status = 'intended'")
    database.execute("""
        CREATE TABLE crl_change (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            issuer_key_id BLOB NOT NULL CHECK (length(issuer_key_id) = 32),
            serial TEXT NOT NULL
        ) STRICT""")
    database.execute(
        "CREATE INDEX certificate_revoked ON certificate (issuer_key_id, substr('0' || serial, -2))"
        " WHERE status IN ('revoked', 'held', 'abandoned')"
    )


@LEDGER()
def ocsp_answers(database: Database) -> None:
    """Answers about single certificates, of the same kind."""
    database.execute("""
        CREATE TABLE ocsp_answer (
            id INTEGER PRIMARY KEY,
            issuer_key_id BLOB NOT NULL CHECK (length(issuer_key_id) = 32),
            serial TEXT NOT NULL,
            cert_id BLOB,
            this_update TEXT NOT NULL,
            next_update TEXT NOT NULL,
            tbs_digest BLOB NOT NULL CHECK (length(tbs_digest) = 32),
            status TEXT NOT NULL CHECK (status IN ('intended', 'valid', 'superseded', 'abandoned')),
            der BLOB,
            CHECK (der IS NULL OR status = 'valid')
        ) STRICT""")
    database.execute("CREATE UNIQUE INDEX ocsp_answer_kept ON ocsp_answer (cert_id) WHERE status = 'valid'")
    database.execute("CREATE INDEX ocsp_answer_serial ON ocsp_answer (issuer_key_id, serial)")
    database.execute("CREATE INDEX ocsp_answer_end ON ocsp_answer (next_update)")
    database.execute("CREATE INDEX ocsp_answer_intended ON ocsp_answer (id) WHERE status = 'intended'")


@LEDGER()
def successions(database: Database) -> None:
    """Which station is known to trust which root, and which certificates of stations were seen in use."""
    database.execute("""
        CREATE TABLE trust_confirmation (
            station TEXT NOT NULL REFERENCES station(identity),
            key_id BLOB NOT NULL CHECK (length(key_id) = 32),
            moment TEXT NOT NULL,
            how TEXT NOT NULL,
            PRIMARY KEY (station, key_id)
        ) STRICT""")
    database.execute("""
        CREATE TABLE certificate_use (
            certificate INTEGER PRIMARY KEY REFERENCES certificate(id),
            first TEXT NOT NULL,
            last TEXT NOT NULL
        ) STRICT""")


@LEDGER()
def enrolments(database: Database) -> None:
    """Who may enrol by token, and whose request waits; of a token only its SHA-256 is kept."""
    database.execute("""
        CREATE TABLE token (
            station TEXT PRIMARY KEY REFERENCES station(identity),
            hash BLOB NOT NULL CHECK (length(hash) = 32),
            expires TEXT NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0
        ) STRICT""")
    database.execute("""
        CREATE TABLE waiting (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            station TEXT NOT NULL REFERENCES station(identity),
            key_id BLOB NOT NULL CHECK (length(key_id) = 32),
            subject TEXT NOT NULL,
            way TEXT NOT NULL,
            issuer TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied')),
            csr BLOB NOT NULL,
            asked TEXT NOT NULL,
            due TEXT NOT NULL,
            expires TEXT NOT NULL,
            decided_by TEXT NOT NULL DEFAULT '',
            reason TEXT NOT NULL DEFAULT '',
            UNIQUE (station, key_id, issuer)
        ) STRICT""")
    database.execute("""
        CREATE TABLE external_chain (
            certificate INTEGER PRIMARY KEY REFERENCES certificate(id),
            issuer TEXT NOT NULL,
            key_id BLOB NOT NULL CHECK (length(key_id) = 32),
            chain TEXT NOT NULL
        ) STRICT""")


@LEDGER()
def numbered_checkpoints(database: Database) -> None:
    """Checkpoints are numbered by SQLite, which gives no number twice: one that was taken away leaves a gap."""
    database.execute("""
        CREATE TABLE numbered (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            size INTEGER NOT NULL,
            root TEXT NOT NULL,
            text TEXT NOT NULL
        ) STRICT""")
    database.execute("INSERT INTO numbered SELECT id, size, root, text FROM checkpoint ORDER BY id")
    database.execute("DROP TABLE checkpoint")
    database.execute("ALTER TABLE numbered RENAME TO checkpoint")


@LEDGER()
def keys_of_certificates(database: Database) -> None:
    """Which key each certificate is of, since one key is one station's alone (A00.FR.427); and who has which SECCID."""
    database.execute("ALTER TABLE certificate ADD COLUMN certified_key BLOB CHECK (length(certified_key) = 32)")
    database.conn.create_function("key_of_row", 1, key_of_row, deterministic=True)
    database.execute("UPDATE certificate SET certified_key = key_of_row(tbs)")
    database.execute("CREATE INDEX certificate_key ON certificate (certified_key)")
    database.execute("DROP INDEX certificate_compromised")
    database.execute(
        "CREATE INDEX certificate_secc ON certificate (subject) WHERE purpose IN ('v2g-secc-2', 'v2g-secc-20')"
    )


@LEDGER()
def ways_of_stations(database: Database) -> None:
    """What a station was seen with, what it may do meanwhile, and which password is to follow; stations may be gone."""
    database.execute("ALTER TABLE station ADD COLUMN seen_profile INTEGER NOT NULL DEFAULT 0")
    database.execute("ALTER TABLE station ADD COLUMN ratchet INTEGER NOT NULL DEFAULT 1 CHECK (ratchet IN (0, 1))")
    database.execute("ALTER TABLE station ADD COLUMN next_verifier TEXT NOT NULL DEFAULT ''")
    database.execute("ALTER TABLE station ADD COLUMN next_form TEXT NOT NULL DEFAULT ''")
    database.execute("ALTER TABLE station ADD COLUMN expired_until TEXT")
    _replace_check(database, "'active', 'disabled'", "'active', 'disabled', 'removed'", "station")


@LEDGER()
def best_tls(database: Database) -> None:
    """The best version of TLS that a station has booted over; empty: not known yet."""
    database.execute("ALTER TABLE station ADD COLUMN tls TEXT NOT NULL DEFAULT ''")


@LEDGER()
def settings_of_certificates(database: Database) -> None:
    """What the settings said that certificates are made by, when the log last told of it."""
    database.execute("CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")


@LEDGER()
def roots_for_stations(database: Database) -> None:
    """Roots of others may be known as what a CSMS installs on stations, by the standard's own names for that."""
    installed = "'V2GRootCertificate', 'MORootCertificate', 'OEMRootCertificate'"
    _replace_check(database, "'station', 'firmware', 'csms'", f"'station', 'firmware', 'csms', {installed}", "anchor")


@LEDGER()
def answers_of_others(database: Database) -> None:
    """What an authority of others issued, while what is above it is not known yet."""
    database.execute("ALTER TABLE waiting ADD COLUMN answer BLOB NOT NULL DEFAULT x''")


STATUSES: Final = "'intended', 'valid', 'held', 'revoked', 'abandoned'"  # of a certificate


def _replace_check(database: Database, old: str, new: str, table: str = "certificate") -> None:
    """Widen a check of a table."""
    found = database.execute("SELECT sql FROM sqlite_schema WHERE name = :table", {"table": table}).fetchone()[0]
    if found.count(old) != 1:
        raise RuntimeError(f"the ledger's table of {table}s is not as this step knows it")
    version = database.execute("PRAGMA schema_version").fetchone()[0]
    database.execute("PRAGMA writable_schema = ON")
    sql = "UPDATE sqlite_schema SET sql = replace(sql, :old, :new) WHERE name = :table AND type = 'table'"
    database.execute(sql, {"old": old, "new": new, "table": table})
    database.execute(f"PRAGMA schema_version = {version + 1}")
    database.execute("PRAGMA writable_schema = RESET")
