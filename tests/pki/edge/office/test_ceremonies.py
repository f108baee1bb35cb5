"""What an offline root signed is taken over whole, once, and only if it is the one that people wrote down."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography import x509

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.home import Home, read_settings
from pki.errors import BollardError, ConflictError, InputError, NotFoundError, RefusedError
from pki.services import Published
from pki.settings import parse_settings
from tests.ceremonies import Held, ceremony_of, revoking, waiting_home
from tests.pki.papers import codes
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


def take(home: Home, call: calls.ImportCeremony) -> calls.CeremonyImported:
    """Import it."""
    return ask_once(home, call, calls.CeremonyImported)


def states(home: Home) -> dict[str, str]:
    """Our authorities and their states."""
    return {row.name: row.state for row in ask_once(home, calls.ListIssuers(), calls.Issuers).issuers}


def test_a_waiting_home_becomes_whole(tmp_path: Path) -> None:
    """Root, authorities, server certificates; all in the ledger, the log says where from, and stations can enrol."""
    home = waiting_home(tmp_path)
    held = ceremony_of(home, tmp_path / "c")
    taken = take(home, held.call)
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    issued = ask_once(home, Paper.of(1).issue, calls.CertificateIssued)
    entry = json.loads(ask_once(home, calls.ListAudit(taken.audit_index, 1), calls.AuditRows).rows[0].entry)

    signed = {name for name in states(home) if name.startswith("ocsp-station-")}  # who answers for it, from the start
    assert states(home) == dict.fromkeys(("root", "csms", "station", "ocsp", *signed), "active")
    assert len(signed) == 1
    assert {row.name for row in taken.issuers} == {"root", "csms", "station"}
    assert entry["act"] == "ceremony.imported"
    assert entry["what"]["transcript"] == held.done.digest
    assert ask_once(home, calls.FetchCredentials(), calls.Credentials).rsa_chain
    leaf, above = x509.load_pem_x509_certificates(issued.chain.encode())
    leaf.verify_directly_issued_by(above)
    above.verify_directly_issued_by(held.done.root)
    assert (home.ca / "root.crl").read_bytes() == held.done.crl
    assert (home.ca / "root.pem").read_bytes() == (held.folder / "ca" / "root.pem").read_bytes()
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


def test_the_list_is_served_where_the_certificates_say_that_it_is(tmp_path: Path) -> None:
    """The home's own way of serving lists has that of the offline root too; what lies elsewhere is told."""
    home = waiting_home(tmp_path)
    base = parse_settings(read_settings(home)).status_url
    held = ceremony_of(home, tmp_path / "c", status_url=base)
    taken = take(home, held.call)
    points = held.done.certificates["csms"].extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    (named,) = [name.value for point in points for name in point.full_name or ()]
    rows = ask_once(home, calls.ListCrls(issuer="root"), calls.Crls).crls
    served = ask_once(home, calls.FetchCrl("root", 0), calls.Crl)

    assert [row.url for row in rows] == [named]
    assert served.der == held.done.crl
    assert taken.not_here == ()
    ask_once(home, calls.AskRoot("station"), calls.RootAsked)
    moved = ceremony_of(home, tmp_path / "d", held.folder, "http://elsewhere.example.org")
    elsewhere = Published.at_home("http://elsewhere.example.org", "root")
    assert take(home, moved.call).not_here == (elsewhere.list_url, elsewhere.certificate)


def test_the_same_result_is_taken_over_once(tmp_path: Path) -> None:
    """A second time there is nothing to do."""
    home = waiting_home(tmp_path)
    call = ceremony_of(home, tmp_path / "c").call
    take(home, call)
    with pytest.raises(ConflictError, match=r"ceremony\.imported"):
        take(home, call)


@pytest.mark.parametrize(
    ("digest", "kind"),
    [("", InputError), ("ab" * 15, InputError), ("zz" * 32, InputError), ("ab" * 32, RefusedError)],
)
def test_only_the_digest_that_was_written_down_is_believed(
    tmp_path: Path, digest: str, kind: type[BollardError]
) -> None:
    """Anybody can hold a ceremony; which one was ours is what people saw. The right one is not told."""
    home = waiting_home(tmp_path)
    held = ceremony_of(home, tmp_path / "c")
    with pytest.raises(kind, match=r"ceremony\.(digest|other)") as refusal:
        take(home, msgspec.structs.replace(held.call, digest=digest))

    assert held.done.digest not in str(refusal.value) + refusal.value.advice
    assert states(home) == {}
    groups = " ".join(held.done.digest[i : i + 4] for i in range(0, 64, 4))
    take(home, msgspec.structs.replace(held.call, digest=groups.upper()))


def test_what_is_of_other_keys_is_refused(tmp_path: Path) -> None:
    """Made-up requests under the same names: the root has certified somebody else's keys."""
    home = waiting_home(tmp_path)
    with pytest.raises(RefusedError) as refusal:
        take(home, Held.at(tmp_path / "c").call)

    assert refusal.value.code == "ceremony.foreign"
    assert codes(refusal.value) == {"ceremony.not_ours"}
    assert states(home) == {}


def test_what_is_of_another_organisation_is_refused(tmp_path: Path) -> None:
    """A00.FR.509: the proxy would admit nobody."""
    home = waiting_home(tmp_path)
    held = ceremony_of(home, tmp_path / "c")
    home.settings.write_text(read_settings(home).replace("Example Charging", "Other"))
    with pytest.raises(RefusedError) as refusal:
        take(home, held.call)

    assert "A00.FR.509" in {each.clause for each in refusal.value.findings}


def test_what_is_not_valid_yet_is_refused(tmp_path: Path) -> None:
    """A02.FR.08: stations would refuse it as well."""
    home = waiting_home(tmp_path)
    now = ceremony_of(home, tmp_path / "c")
    (tmp_path / "later").mkdir()
    moment = now.done.ceremony.moment.replace(year=now.done.ceremony.moment.year + 1)
    with pytest.raises(RefusedError) as refusal:
        take(home, Held.of(tmp_path / "later", now.requests, moment=moment).call)

    assert "chain.not_yet_valid" in codes(refusal.value)


def test_a_successor_waits_and_an_older_list_does_not_come_back(tmp_path: Path) -> None:
    """The second ceremony's authority is next; the first one's result cannot be brought again."""
    home = waiting_home(tmp_path)
    first = ceremony_of(home, tmp_path / "c1")
    take(home, first.call)
    ask_once(home, calls.AskRoot("station"), calls.RootAsked)
    second = ceremony_of(home, tmp_path / "c2", first.folder)
    taken = take(home, second.call)

    assert states(home)["station-2"] == "next"
    assert states(home)["station"] == "active"
    assert taken.crl_number == 2
    assert list(home.ca.glob("*.csr")) == []  # answered, so no later ceremony certifies their keys again
    assert (home.ca / "root.crl").read_bytes() == second.done.crl
    (tmp_path / "c3").mkdir()
    stale = Held.of(tmp_path / "c3", _none(tmp_path), first.folder, first.done.ceremony.moment)
    with pytest.raises(ConflictError, match=r"ceremony\.stale"):
        take(home, stale.call)


def _none(folder: Path) -> Path:
    empty = folder / "none"
    empty.mkdir()
    return empty


def test_a_home_with_a_root_of_its_own_may_move_below_an_offline_one(tmp_path: Path) -> None:
    """Its successors come as next, beside the root it has, and nothing that works stops working."""
    home = make_home(tmp_path)
    for slot in ("csms", "station"):
        ask_once(home, calls.AskRoot(slot), calls.RootAsked)
    held = ceremony_of(home, tmp_path / "c")
    take(home, held.call)

    assert states(home) | {"root-2": "next", "csms-2": "next", "station-2": "next"} == states(home)
    assert states(home)["root"] == states(home)["csms"] == "active"
    assert (home.ca / "root-2.crl").exists()


def test_an_offline_root_is_replaced_by_the_commands_of_its_plan(tmp_path: Path) -> None:
    """One ceremony makes the new root and those below it; each waits, and is taken into use as the plan says."""
    home = waiting_home(tmp_path)
    take(home, ceremony_of(home, tmp_path / "c").call)
    for slot in ("csms", "station"):
        ask_once(home, calls.AskRoot(slot), calls.RootAsked)
    take(home, ceremony_of(home, tmp_path / "d").call)
    plan = ask_once(home, calls.ShowRollover("root"), calls.Rollover)

    assert (plan.former, plan.successor) == ("root", "root-2")
    named = [step.command.removeprefix("bollard ca activate ") for step in plan.steps if "ca activate" in step.command]
    assert named == ["root-2", "csms-2", "station-2"]
    for name in named:
        ask_once(home, calls.ActivateIssuer(name), calls.Activated)
    ask_once(home, calls.Rotate(), calls.Rotated)
    for name in ("csms", "station", "root"):
        ask_once(home, calls.RetireIssuer(name), calls.Done)
    assert {name: state for name, state in states(home).items() if not name.startswith("ocsp")} == dict.fromkeys(
        named, "active"
    )


def test_a_revoked_authority_of_ours_is_told(tmp_path: Path) -> None:
    """Whoever brings the list home must not overlook it."""
    home = waiting_home(tmp_path)
    first = ceremony_of(home, tmp_path / "c1")
    take(home, first.call)
    second = revoking(tmp_path / "c2", first, "station")

    assert take(home, second.call).revoked == ("station",)


def test_an_authority_that_the_roots_list_revokes_works_no_longer(tmp_path: Path) -> None:
    """In the ledger and the log, for the proxies, and before every signature; its successor from the same ceremony is
    in use at once, for there is nobody to wait for."""
    home = waiting_home(tmp_path)
    first = ceremony_of(home, tmp_path / "c1")
    take(home, first.call)
    second = revoking(tmp_path / "c2", first, "station")

    async def story(desk: Desk) -> None:
        watcher = await desk.office.watch()
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        await desk.ask(second.call, calls.CeremonyImported)
        serial = f"{first.done.certificates['station'].serial_number:x}"
        (row,) = (await desk.ask(calls.ListCertificates(serial=serial), calls.Certificates)).certificates
        assert row.status == "revoked"
        with pytest.raises(ConflictError, match=r"issuer\.revoked") as refused:
            await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        assert "bollard ca ceremony request station" in refused.value.advice
        told = [await asyncio.wait_for(watcher.next(), 10) for _ in range(6)]
        trust = [news for news in told if isinstance(news, calls.TrustChanged)][-1]
        assert {row.name: row.state for row in trust.issuers}["station"] == "revoked"
        assert calls.CrlChanged("root", 0) in told
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)

    at_the_desk(home, story)
    assert states(home)["station"] == "revoked"
    ask_once(home, calls.AskRoot("station"), calls.RootAsked)
    shutil.copytree(first.folder / "keys", second.folder / "keys")
    third = ceremony_of(home, tmp_path / "c3", second.folder)
    take(home, third.call)
    assert states(home) == {"root": "active", "csms": "active", "station-2": "active", "station": "revoked"} | {
        name: state for name, state in states(home).items() if name.startswith("ocsp")
    }


def test_watchers_are_told_whom_to_trust(tmp_path: Path) -> None:
    """A proxy that runs learns of the new authorities, of the root's list, and to fetch its certificates."""
    home = waiting_home(tmp_path)
    call = ceremony_of(home, tmp_path / "c").call

    async def story(desk: Desk) -> list[calls.News]:
        watcher = await desk.office.watch()
        await desk.ask(call, calls.CeremonyImported)
        return [await asyncio.wait_for(watcher.next(), 10) for _ in range(4)]

    snapshot, trust, listed, credentials = at_the_desk(home, story)
    assert isinstance(snapshot, calls.Snapshot)
    assert isinstance(trust, calls.TrustChanged)
    assert {row.name for row in trust.issuers} == {"root", "csms", "station"}
    assert listed == calls.CrlChanged("root", 0)
    assert isinstance(credentials, calls.CredentialsChanged)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE ceremony SET crl = x'00'", "ceremony"),
        ("UPDATE ceremony SET crl_number = 0", "ceremony"),
        ("DELETE FROM ceremony", "ceremony"),
        ("UPDATE own_key SET keeper = 'here' WHERE name = 'root'", "own_key"),
        ("UPDATE certificate SET tbs = x'00' WHERE purpose = 'root'", "certificate"),
    ],
)
def test_what_was_taken_over_is_held_against_the_log(tmp_path: Path, sql: str, kind: str) -> None:
    """Every row that came is told by the entry: an older list or another root cannot be slipped in."""
    home = waiting_home(tmp_path)
    take(home, ceremony_of(home, tmp_path / "c").call)
    assert ask_once(home, calls.VerifyAudit(), calls.AuditVerified).rows_in_part == 0
    with closing(sqlite3.connect(home.ledger)) as stranger, stranger:
        stranger.execute(sql)
    with pytest.raises(RefusedError, match=rf"audit\.rows.*{kind}"):
        ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


def test_a_damaged_result_changes_nothing(tmp_path: Path) -> None:
    """One byte in the note, and the home still waits."""
    home = waiting_home(tmp_path)
    call = ceremony_of(home, tmp_path / "c").call
    note = bytearray(call.files["transcript.note"])
    note[-5] ^= 1
    with pytest.raises(RefusedError, match=r"ceremony\.transcript"):
        take(home, msgspec.structs.replace(call, files={**call.files, "transcript.note": bytes(note)}))
    assert states(home) == {}
    with pytest.raises((RefusedError, NotFoundError)):
        take(home, calls.ImportCeremony({}, call.digest))
