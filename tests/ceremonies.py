"""Ceremonies for tests: requests of made-up homes, files as ``plan`` writes them, results as ``run`` leaves them."""

from __future__ import annotations

import atexit
import datetime as dt
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pki.ceremony.file import parse_ceremony
from pki.ceremony.terms import Ceremony, Witness
from pki.edge import calls, clock
from pki.edge.ceremony import Draft, draft, perform, prepare
from pki.edge.creation import create
from pki.edge.home import Home
from pki.edge.result_folder import read_result
from pki.names import Host, Organisation
from tests.pki.papers import ORGANISATION, key, request
from tests.worlds import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pki.ceremony.replay import Replayed

MOMENT: Final = dt.datetime(2026, 6, 1, 12, 0, 0, tzinfo=dt.UTC)
WITNESSES: Final = (Witness("Ada Example", "security officer"), Witness("Bob Example", "auditor"))
NAMES: Final = {"csms": "Bollard CSMS CA", "station": "Bollard Station CA"}
PASSPHRASE: Final = "correct horse"


@contextmanager
def passphrase(text: str = PASSPHRASE) -> Iterator[None]:
    """Give the root's passphrase for the length of the block."""
    before = os.environ.get("BOLLARD_PASSPHRASE")
    os.environ["BOLLARD_PASSPHRASE"] = text
    try:
        yield
    finally:
        os.environ.pop("BOLLARD_PASSPHRASE", None)
        if before is not None:
            os.environ["BOLLARD_PASSPHRASE"] = before


def csr(name: str, common_name: str = "") -> bytes:
    """The request of a key that goes by this name."""
    return request((common_name or NAMES[name],), (ORGANISATION.text,), key("p256", f"ceremony {name}")).encode()


def requests_in(folder: Path, names: Mapping[str, str]) -> Path:
    """A folder with requests, by name and common name."""
    folder.mkdir()
    for name, common_name in names.items():
        (folder / f"{name}.csr").write_bytes(csr(name, common_name))
    return folder


@dataclass(frozen=True, slots=True)
class Held:
    """A ceremony that was held: its file, the requests, its result."""

    file: Path
    requests: Path
    folder: Path
    done: Replayed

    @classmethod
    def at(
        cls, place: Path, names: Mapping[str, str] = NAMES, existing: Path | None = None, root_key: str = "ec-p384"
    ) -> Self:
        """Plan and perform one below ``place``, which is made."""
        place.mkdir()
        return cls.of(place, requests_in(place / "requests", names), existing, root_key=root_key)

    @classmethod
    def of(
        cls,
        place: Path,
        requests: Path,
        existing: Path | None = None,
        moment: dt.datetime = MOMENT,
        root_key: str = "ec-p384",
        organisation: Organisation = ORGANISATION,
        status_url: str = "",
    ) -> Self:
        """Plan and perform one for these requests."""
        terms = Draft(
            organisation,
            moment,
            WITNESSES,
            requests,
            key=root_key,
            existing=existing,
            beside=place,
            status_url=status_url,
        )
        file = place / "ceremony.toml"
        with passphrase():
            file.write_text(draft(terms))
            keys = existing / "keys" if existing else None
            done = perform(prepare(file, requests), place / "result", [], keys)
        return cls(file, requests, place / "result", done)

    @property
    def call(self) -> calls.ImportCeremony:
        """The call that brings it home."""
        return calls.ImportCeremony(dict(read_result(self.folder).files), self.done.digest)


def text_of(**changes: str) -> str:
    """A good file's text, with pieces of it replaced: ``old=new`` pairs come as keyword values ``"old|new"``."""
    text = draft(Draft(ORGANISATION, MOMENT, WITNESSES))
    for change in changes.values():
        old, _, new = change.partition("|")
        assert old in text
        text = text.replace(old, new, 1)
    return text


def ceremony(text: str = "") -> Ceremony:
    """A ceremony of a root alone."""
    return parse_ceremony((text or text_of()).encode())


def waiting_home(folder: Path) -> Home:
    """A home that waits for its offline root: a copy of one made earlier in this run of the tests."""
    return Home.at(shutil.copytree(_waiting_home().path, folder / "home"))


@cache
def _waiting_home() -> Home:
    folder = tempfile.TemporaryDirectory(prefix="bollard-test-")
    atexit.register(folder.cleanup)
    return create(Path(folder.name) / "home", ORGANISATION, Host.parse(HOST), offline_root=True).home


def ceremony_of(home: Home, place: Path, existing: Path | None = None, status_url: str = "") -> Held:
    """The ceremony that a home's requests are for, held now."""
    place.mkdir()
    requests = place / "requests"
    requests.mkdir()
    signed = {path.stem for path in home.ca.glob("*.pem")}
    for asked in home.ca.glob("*.csr"):
        if asked.stem not in signed:
            shutil.copy(asked, requests)
    return Held.of(place, requests, existing, clock.now(), status_url=status_url)


def revoking(place: Path, before: Held, name: str) -> Held:
    """A ceremony after ``before`` that revokes an authority and signs nothing else."""
    place.mkdir()
    serial = f"{before.done.certificates[name].serial_number:x}"
    moment = before.done.ceremony.moment
    text = draft(Draft(ORGANISATION, moment, WITNESSES, existing=before.folder, beside=place))
    entry = f'[[crl.revoked]]\nserial = "{serial}"\nmoment = {moment:%Y-%m-%dT%H:%M:%SZ}\nreason = "ca_compromise"\n\n'
    file = place / "ceremony.toml"
    file.write_text(text.replace("[[witness]]", entry + "[[witness]]", 1))
    with passphrase():
        done = perform(prepare(file, None), place / "result", [], before.folder / "keys")
    return Held(file, place, place / "result", done)
