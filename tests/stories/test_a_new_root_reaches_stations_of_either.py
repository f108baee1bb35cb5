"""A root is replaced while stations of the old root are connected: both kinds of station are served at every step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.stories import kernel, served
from tests.stories.town import PAPERS, talks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stories.town import Town

OLD, NEW = PAPERS[2], PAPERS[3]


def bollard(town: Town, *words: str) -> dict[str, object]:
    """What a command says to programs."""
    told: dict[str, object] = json.loads(town.world.bollard("-o", "json", *words, shown=False))
    return told


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_who_trusts_the_old_root_or_the_new_one_reaches_the_csms(town: Town, version: str) -> None:
    """The chain with the link satisfies openssl under each alone, at the workers and at the web process."""
    if not (town.home.ca / "root-2.pem").exists():
        _replace_the_root(town)
    papers = town.world.folder / OLD.identity.lower()
    client = ("-cert", f"{papers}.pem", "-key", f"{papers}.key", version)
    for port in (town.port, town.web_port):
        for root in ("root", "root-2"):
            sent = served.chain(port, town.home.ca / f"{root}.pem", *client)
            names = [each.subject.rfc4514_string().partition(",")[0] for each in sent]
            assert names == ["CN=localhost", "CN=Bollard CSMS CA 2", "CN=Bollard Root CA 2"]


def _replace_the_root(town: Town) -> None:
    station = town.connects(OLD.identity)
    bollard(town, "ca", "rollover", "root")
    for slot in ("csms", "station"):
        bollard(town, "ca", "rollover", slot, "--under", "root-2")
        bollard(town, "ca", "activate", f"{slot}-2")
    bollard(town, "rotate")
    port, root = town.port, town.home.ca / "root-2.pem"
    kernel.until("the chain of the new root", lambda: _is_known(port, root))
    talks(station, "after-the-rollover")


def _is_known(port: int, root: Path) -> bool:
    try:
        return all(len(served.chain(port, root)) == 3 for _ in range(4))
    except AssertionError:
        return False


def test_stations_with_certificates_of_either_authority_are_admitted(town: Town) -> None:
    """The former's still count; new ones come from the successor, and proxies know it before the first is shown."""
    if not (town.home.ca / "root-2.pem").exists():
        _replace_the_root(town)
    papers = town.world.folder / NEW.identity.lower()
    town.connects(OLD.identity)
    (town.world.folder / "new.csr").write_text(NEW.csr)
    issued = bollard(town, "cert", "renew", "--station", NEW.identity, "--csr", "new.csr", "--supersede")
    papers.with_suffix(".pem").write_text(str(issued["chain"]))
    assert issued["certificate"]["issuer"] == "CN=Bollard Station CA 2,O=Example Charging"  # type: ignore[index]  # JSON

    town.connects(NEW.identity)
