"""How many certificates a second a CA key in a PKCS#11 token issues, beside the same kind of key in a file.

Run it from the root of a checkout, with SoftHSM2 installed: ``python benchmarks/issuance_hsm.py``. It makes a token of
its own in a temporary folder. Three figures for each place of the key: the raw signature, the way of the core (twin,
lint, signature, comparison), and the whole office with both durable records, 50 requests at a time; the authority is in
this very process. All are per second of CPU time: what one core could do if nothing else ran on it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequestBuilder, Name, NameAttribute
from cryptography.x509.oid import NameOID

from pki.edge import calls, clock
from pki.edge.blueprint import CaKeys
from pki.edge.creation import create
from pki.edge.keys import KeyKind, Padding
from pki.edge.office.front import Office
from pki.edge.office.issuing import draw_serial
from pki.issue import sign
from pki.lint import approve
from pki.names import Host, Organisation
from pki.plan import Issuer, Subject, plan
from pki.settings import Hsm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pki.strength import SigningKey

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
ORGANISATION = Organisation.parse("Benchmark")
PIN = "1234"
AT_ONCE = 50  # requests under way in the office
STATIONS = 1000  # that take turns: one station with thousands of certificates would be a figure of its own


def request(serial: str) -> tuple[ec.EllipticCurvePrivateKey, str]:
    """A station's key and its request."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = [NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION.text), NameAttribute(NameOID.COMMON_NAME, serial)]
    signed = CertificateSigningRequestBuilder().subject_name(Name(name)).sign(key, hashes.SHA256())
    return key, signed.public_bytes(Encoding.PEM).decode()


def signature(key: SigningKey) -> bytes:
    """One signature as under a certificate."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(bytes(500), ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPrivateKey():
            return key.sign(bytes(500), padding.PKCS1v15(), hashes.SHA256())
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey():
            return key.sign(bytes(500))
        case _:
            raise TypeError(type(key).__name__)


async def rate(seconds: float, act: Callable[[], Awaitable[object]], each: int = 1) -> float:
    """How many a second of CPU time, after one to warm up; ``act`` does so many at once."""
    await act()
    count, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        await act()
        count += each
    return count / spent


async def measure(folder: Path, kind: KeyKind, hsm: Hsm | None, seconds: float) -> tuple[float, float, float]:
    """The three figures of one home."""
    chosen = CaKeys(kind, Padding.PKCS1, hsm)
    made = await asyncio.to_thread(create, folder, ORGANISATION, Host.parse("csms.example.org"), "", chosen)
    office = await Office.open(made.home)
    desk = office._desk  # noqa: SLF001 - the parts are measured one by one
    papers = [request(f"SN-{number}") for number in range(STATIONS)]
    turn = itertools.cycle(calls.IssueCertificate(f"CP-{number}", paper[1]) for number, paper in enumerate(papers))
    holder = papers[0][0]
    key, issuer = desk.keys.key("station"), Issuer("station", desk.mine("station").certificate)

    async def raw() -> None:
        signature(key)

    async def core() -> None:
        subject = Subject("SN-1", ORGANISATION)
        planned = plan(desk.profile("station"), subject, holder.public_key(), issuer, draw_serial(), clock.now())
        sign(approve(planned), key)

    async def whole() -> None:
        await asyncio.gather(*(office.handle(next(turn), "benchmark") for _ in range(AT_ONCE)))

    seeds = tuple(calls.StationSeed(f"CP-{number}", f"SN-{number}", 3) for number in range(STATIONS))
    await office.handle(calls.AddStations(seeds), "benchmark")
    figures = await rate(seconds, raw), await rate(seconds, core), await rate(seconds, whole, AT_ONCE)
    await office.close()
    return figures


def wanted() -> argparse.Namespace:
    """What the command line asks for; without SoftHSM2 there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure (3)")
    parser.add_argument("--kinds", nargs="+", type=KeyKind, default=[KeyKind.EC_P256], metavar="KIND", help="(ec-p256)")
    given = parser.parse_args()
    if shutil.which("softhsm2-util") is None or not Path(MODULE).exists():
        parser.error(f"SoftHSM2 is not installed: softhsm2-util and {MODULE} are needed")
    return given


def main() -> None:
    """Measure each kind in a file and in the token."""
    given = wanted()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tokens").mkdir()
        (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
        os.environ |= {"SOFTHSM2_CONF": str(folder / "conf"), "BOLLARD_HSM_PIN": PIN}
        token = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "benchmark",
            "--pin",
            PIN,
            "--so-pin",
            "12345678",
        ]
        subprocess.run(token, check=True, capture_output=True)
        print(f"{'kind':<10} {'place':<6} {'signature/s':>12} {'core/s':>10} {'office/s':>10}")
        for kind in given.kinds:
            for place, hsm in (("file", None), ("token", Hsm.parse(MODULE, "benchmark"))):
                home = folder / f"{kind}-{place}"
                figures = asyncio.run(measure(home, kind, hsm, given.seconds))
                print(f"{kind:<10} {place:<6} {figures[0]:>12,.0f} {figures[1]:>10,.0f} {figures[2]:>10,.0f}")


if __name__ == "__main__":
    main()
