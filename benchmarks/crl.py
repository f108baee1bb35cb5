"""How long a list of a million revoked certificates takes, and how much memory: ``python benchmarks/crl.py``.

A ledger of its own is filled with revoked rows; then one list of all is drafted from it, signed and read back, in this
process, as the authority does it. Beside that a second thread keeps asking the ledger, to see what others wait.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import multiprocessing
import resource
import secrets
import tempfile
import time
from pathlib import Path

from cryptography import x509

from pki import listing
from pki.certificate import key_id
from pki.edge import calls, store
from pki.edge.creation import create
from pki.edge.keys import Keyring, read_passphrase
from pki.edge.ledger import crls
from pki.edge.office.front import Office
from pki.names import Host, Organisation

THEN, END = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


def fill(path: Path, key: bytes, count: int) -> None:
    """Put revoked certificates into a ledger, past everything but its schema."""
    database = store.open_writer(path)
    for pragma in ("synchronous=OFF", "cache_size=-600000"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN")
    sql = (
        "INSERT INTO certificate (issuer_key_id, serial, purpose, subject, issuer, not_before, not_after, status, tbs,"
        " der, reason, revoked_at) VALUES (?, ?, 'station', 'CN=x', 'CN=y', ?, ?, 'revoked', x'', x'', ?, ?)"
    )
    reasons = ("key_compromise", "superseded", "unspecified")
    serials = sorted(secrets.randbits(158) | 1 << 158 for _ in range(count))
    for number, drawn in enumerate(serials):
        moment = f"2026-0{1 + number % 9}-1{number % 10}T{number % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        database.execute(sql, (key, f"{drawn:x}", THEN, END, reasons[number % 3], moment))
    database.execute("COMMIT")
    database.close()


def megabytes() -> float:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, count: int) -> None:
    """Draft, sign, read back."""
    home = create(folder / "home", Organisation.parse("Example"), Host.parse("csms.example.org")).home
    key = Keyring(home.keys, read_passphrase(home.keys)).key("station")
    issuer = x509.load_pem_x509_certificate((home.ca / "station.pem").read_bytes())
    filling = multiprocessing.Process(target=fill, args=(home.ledger, key_id(issuer), count))  # its memory is not ours
    filling.start()
    filling.join()
    print(f"{count} revoked certificates; {megabytes():.0f} MiB so far")
    database = store.open_reader(home.ledger)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    frame = listing.Frame(issuer, 1, now, now + dt.timedelta(days=1))
    began, spent = time.perf_counter(), time.process_time()
    tbs, entries = listing.write_tbs(frame, crls.entries(database, key_id(issuer), crls.ALL, 32, ""))
    drafted = time.perf_counter()
    signed = listing.seal(tbs, issuer, key)
    sealed, spent = time.perf_counter(), time.process_time() - spent
    print(f"one list: {entries} entries, {len(signed) / 1e6:.1f} MB; drafted in {drafted - began:.2f} s,")
    print(f"signed in {sealed - drafted:.2f} s, together {sealed - began:.2f} s,")
    print(f"{spent:.2f} s of them on a processor; {megabytes():.0f} MiB at most")
    parsed = x509.load_der_x509_crl(signed)
    assert len(parsed) == entries == count
    database.close()
    del parsed, tbs, signed
    asyncio.run(_beside(home))


async def _beside(home: object) -> None:
    """Sign every shard in a running authority, and see how long another question waits meanwhile."""
    from pki.edge.home import Home

    assert isinstance(home, Home)
    office = await Office.open(home)
    waits: list[float] = []

    async def others() -> None:
        while True:
            began = time.perf_counter()
            await office.handle(calls.MakeCheckpoint(), "benchmark")
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(others())
    began = time.perf_counter()
    await office.handle(calls.SignCrls("station", now=True), "benchmark")
    took = time.perf_counter() - began
    task.cancel()
    sizes = sorted(row.entries for row in (await office.handle(calls.ListCrls("station"), "benchmark")).crls)  # type: ignore[attr-defined]  # the call's answer
    await office.close()
    waits.sort()
    print(f"32 shards of up to {sizes[-1]} entries: {took:.2f} s in the authority; {len(waits)} others waited")
    print(f"{waits[len(waits) // 2] * 1000:.1f} ms in the median and {waits[-1] * 1000:.0f} ms at most")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), asked.count)


if __name__ == "__main__":
    main()
