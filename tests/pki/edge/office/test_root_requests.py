"""A home asks an offline root with a key of its own, and says so in the log first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.certificate import key_id
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.office.root_requests import SLOTS
from pki.errors import ConflictError, InputError
from pki.request import read_request
from tests.ceremonies import ceremony_of, waiting_home
from tests.worlds import Paper, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home


def log(home: Home) -> list[dict[str, object]]:
    """The entries of the audit log."""
    rows = ask_once(home, calls.ListAudit(first=0, limit=1000), calls.AuditRows).rows
    return [json.loads(row.entry) for row in rows]


def test_a_waiting_home_has_asked_for_both_authorities_and_has_no_root(tmp_path: Path) -> None:
    """Its requests prove their keys, each stands in the log, and no key of a root was ever there."""
    home = waiting_home(tmp_path)
    asked = {entry["what"]["name"]: entry["what"]["key_id"] for entry in log(home) if entry["act"] == "root.asked"}  # type: ignore[index] # entries are records
    for name, common_name in SLOTS.items():
        request = read_request((home.ca / f"{name}.csr").read_bytes())
        assert request.csr.is_signature_valid
        assert request.common_names == (common_name,)
        assert asked[name] == key_id(request.public_key).hex()
    assert not (home.keys / "root.pem").exists()
    assert not list(home.ca.glob("*.pem")) or [each.name for each in home.ca.glob("*.pem")] == ["audit.pub.pem"]


def test_a_waiting_home_says_that_it_waits(tmp_path: Path) -> None:
    """Whatever needs a certificate of ours names the next step; the rest works."""
    home = waiting_home(tmp_path)
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    for call in (Paper.of(1).issue, calls.FetchCredentials()):
        with pytest.raises(ConflictError, match=r"home\.waiting") as refusal:
            ask_once(home, call, calls.Row)
        assert "bollard ca ceremony import" in refusal.value.advice
    assert ask_once(home, calls.ListIssuers(), calls.Issuers).issuers == ()


def test_asked_twice_the_same_key_asks(tmp_path: Path) -> None:
    """No key is left over from a request that was lost."""
    home = waiting_home(tmp_path)
    first, second = (ask_once(home, calls.AskRoot("csms"), calls.RootAsked) for _ in range(2))

    assert first.name == second.name == "csms"
    keys = [x509.load_pem_x509_csr(each.request.encode()).public_key() for each in (first, second)]
    assert keys[0] == keys[1]


def test_a_successor_has_a_key_and_a_name_of_its_own(tmp_path: Path) -> None:
    """In any home, and of the kind of the one before it."""
    home = make_home(tmp_path)
    asked = ask_once(home, calls.AskRoot("station"), calls.RootAsked)

    assert asked.name == "station-2"
    assert (home.ca / "station-2.csr").read_text() == asked.request
    assert read_request(asked.request).common_names == ("Bollard Station CA 2",)
    assert (home.keys / "station-2.pem").read_bytes().startswith(b"-----BEGIN ENCRYPTED")
    assert log(home)[asked.audit_index]["act"] == "root.asked"


def test_only_authorities_below_the_root_are_asked_for(tmp_path: Path) -> None:
    """A root certifies no server."""
    with pytest.raises(InputError, match=r"issuer\.slot"):
        ask_once(make_home(tmp_path), calls.AskRoot("server-rsa"), calls.RootAsked)


def test_an_answered_request_is_followed_by_the_next(tmp_path: Path) -> None:
    """Once the certificate is there, asking again makes a successor."""
    home = waiting_home(tmp_path)
    ask_once(home, ceremony_of(home, tmp_path / "c").call, calls.CeremonyImported)

    assert ask_once(home, calls.AskRoot("csms"), calls.RootAsked).name == "csms-2"
