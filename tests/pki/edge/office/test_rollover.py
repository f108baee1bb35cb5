"""An authority is followed by its successor with nobody left behind: not a certificate, not a station."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from pki.certificate import read_certificates, to_pem
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import ROLLOVER_POINTS
from pki.edge.office import credentials
from pki.errors import ConflictError, InputError, NotFoundError, RefusedError, UnreachableError
from tests.pki.edge.office.test_inventory import set_elsewhere
from tests.worlds import Paper, at_the_desk, connected, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk


async def made(desk: Desk, slot: str, under: str = "", *, active: bool = True) -> str:
    """Make a successor and take it into use; its name."""
    name = (await desk.ask(calls.RollOver(slot, under), calls.RolledOver)).issuer.name
    if active:
        await desk.ask(calls.ActivateIssuer(name), calls.Activated)
    return name


async def states(desk: Desk, slot: str) -> dict[str, str]:
    """How a slot's keys stand."""
    rows = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
    return {row.name: row.state for row in rows if row.slot == slot}


async def station(desk: Desk, number: int = 1) -> calls.CertificateIssued:
    """A station with its certificate."""
    await desk.ask(Paper.of(number).add, calls.StationAdded)
    return await desk.ask(Paper.of(number).issue, calls.CertificateIssued)


def test_a_successor_is_trusted_before_it_signs(tmp_path: Path) -> None:
    """Proxies hear of it at once; until it is activated the former signs on."""

    async def story(desk: Desk) -> None:
        watcher = await desk.office.watch()
        name = await made(desk, "station", active=False)
        async with asyncio.timeout(20):
            while not isinstance(told := await watcher.next(), calls.TrustChanged):
                pass
        assert {row.name: row.state for row in told.issuers if row.slot == "station"} == {
            "station": "active", "station-2": "next",
        }  # fmt: skip
        first = await station(desk)
        await desk.ask(calls.ActivateIssuer(name), calls.Activated)
        second = await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        assert first.certificate.issuer == "CN=Bollard Station CA,O=Example Charging"
        assert second.certificate.issuer == "CN=Bollard Station CA 2,O=Example Charging"
        for answer in (first, second):
            leaf, issuer = read_certificates(answer.chain)
            leaf.verify_directly_issued_by(issuer)

    at_the_desk(make_home(tmp_path), story)


def test_a_restart_finds_the_states_as_they_were_left(tmp_path: Path) -> None:
    """Former, in use, next."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> None:
        await made(desk, "csms")
        await made(desk, "csms", active=False)

    at_the_desk(home, story)
    assert at_the_desk(home, lambda desk: states(desk, "csms")) == {"csms": "old", "csms-2": "active", "csms-3": "next"}
    assert (home.ca / "csms-3.pem").exists()


def test_whoever_was_activated_too_early_can_be_left_again(tmp_path: Path) -> None:
    """The former comes back into use."""

    async def story(desk: Desk) -> dict[str, str]:
        await made(desk, "station")
        await desk.ask(calls.ActivateIssuer("station"), calls.Activated)
        return await states(desk, "station")

    assert at_the_desk(make_home(tmp_path), story) == {"station": "active", "station-2": "old"}


def test_an_authority_is_retired_when_its_last_certificate_is_gone(tmp_path: Path) -> None:
    """Not before, and the refusal names the stations; then it is trusted by nobody."""

    async def story(desk: Desk) -> None:
        held = await station(desk)
        await made(desk, "station")
        with pytest.raises(RefusedError, match=r"rollover\.needed.*CP-001") as refused:
            await desk.ask(calls.RetireIssuer("station"), calls.Done)
        assert [finding.code for finding in refused.value.findings] == ["rollover.live"]
        await desk.ask(calls.RevokeCertificate(held.certificate.serial, "superseded"), calls.Done)
        await desk.ask(calls.RetireIssuer("station"), calls.Done)
        assert await states(desk, "station") == {"station-2": "active"}
        with pytest.raises(ConflictError, match=r"issuer\.state"):
            await desk.ask(calls.ActivateIssuer("station"), calls.Activated)

    at_the_desk(make_home(tmp_path), story)


def test_the_authority_in_use_is_not_retired(tmp_path: Path) -> None:
    """Its successor comes first."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.RetireIssuer("csms"), calls.Done)

    with pytest.raises(ConflictError, match=r"issuer\.state"):
        at_the_desk(make_home(tmp_path), story)


def test_a_rollover_can_be_given_up(tmp_path: Path) -> None:
    """What was never used is needed by nobody; a root's link goes with it."""

    async def story(desk: Desk) -> dict[str, str]:
        await made(desk, "root", active=False)
        await desk.ask(calls.RetireIssuer("root-2"), calls.Done)
        return {**await states(desk, "root"), **await states(desk, "root-2-link")}

    assert at_the_desk(make_home(tmp_path), story) == {"root": "active"}


def whole_rollover(folder: Path) -> Home:
    """A home whose root is being replaced: all authorities stand under the new one, and the servers are renewed."""
    home = make_home(folder)

    async def story(desk: Desk) -> None:
        await station(desk)
        await made(desk, "root")
        for slot in ("csms", "station"):
            await made(desk, slot)
        await desk.ask(calls.Rotate(), calls.Rotated)

    at_the_desk(home, story)
    return home


@pytest.mark.parametrize("root", ["root", "root-2"])
def test_the_chain_presented_during_a_rollover_verifies_under_either_root(tmp_path: Path, root: str) -> None:
    """The link is part of it: openssl finds a path for who knows only the old root, and only the new one."""
    home = whole_rollover(tmp_path)
    chain = read_certificates(ask_once(home, calls.FetchCredentials(), calls.Credentials).ecdsa_chain)
    names = [certificate.subject.rfc4514_string().split(",")[0] for certificate in chain]
    assert names == ["CN=csms.example.org", "CN=Bollard CSMS CA 2", "CN=Bollard Root CA 2"]
    (tmp_path / "leaf.pem").write_text(to_pem(chain[:1]))
    (tmp_path / "above.pem").write_text(to_pem(chain[1:]))

    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(home.ca / f"{root}.pem")]
    done = subprocess.run(
        [*command, "-untrusted", tmp_path / "above.pem", tmp_path / "leaf.pem"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_link_is_the_new_roots_name_and_key_signed_by_the_old_root(tmp_path: Path) -> None:
    """As stations with AdditionalRootCertificateCheck ask for (M05.FR.09); it ends no later than the old root."""
    home = whole_rollover(tmp_path)
    old, new, link = (
        x509.load_pem_x509_certificate((home.ca / f"{name}.pem").read_bytes())
        for name in ("root", "root-2", "root-2-link")
    )
    link.verify_directly_issued_by(old)
    new.verify_directly_issued_by(new)
    assert (link.subject, link.public_key()) == (new.subject, new.public_key())
    assert link.not_valid_after_utc <= old.not_valid_after_utc


def test_an_old_root_is_retired_when_every_station_trusts_the_new_one(tmp_path: Path) -> None:
    """And nothing stands below it any more; then the link is presented no longer."""
    home = whole_rollover(tmp_path)

    async def story(desk: Desk) -> list[str]:
        with pytest.raises(RefusedError, match=r"rollover\.needed") as refused:
            await desk.ask(calls.RetireIssuer("root"), calls.Done)
        assert {finding.code for finding in refused.value.findings} == {"rollover.live", "rollover.unconfirmed"}
        await desk.ask(calls.ConfirmTrust(("CP-001",), "root-2"), calls.Done)
        (held,) = (await desk.ask(calls.ListCertificates("CP-001", "valid"), calls.Certificates)).certificates
        await desk.ask(calls.RevokeCertificate(held.serial), calls.Done)
        with pytest.raises(RefusedError, match=r"csms.*station") as refused:
            await desk.ask(calls.RetireIssuer("root"), calls.Done)
        for name in ("csms", "station", "root"):
            await desk.ask(calls.RetireIssuer(name), calls.Done)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        mine = desk.office._desk
        chain = credentials.presented(mine, mine.active("server-ecdsa"))
        return [certificate.subject.rfc4514_string() for certificate in chain]

    assert len(at_the_desk(home, story)) == 2
    assert not (home.ca / "root.pem").exists()


def test_a_link_can_be_let_go_before_its_root(tmp_path: Path) -> None:
    """For stations that stumble over one certificate more; once."""
    home = whole_rollover(tmp_path)

    async def story(desk: Desk) -> None:
        await desk.ask(calls.RetireIssuer("root-2-link"), calls.Done)
        mine = desk.office._desk
        assert len(credentials.presented(mine, mine.active("server-rsa"))) == 2
        with pytest.raises(InputError, match=r"rollover\.authority"):
            await desk.ask(calls.RetireIssuer("root-2-link"), calls.Done)

    at_the_desk(home, story)


def test_activating_says_how_many_stations_may_not_know_its_root(tmp_path: Path) -> None:
    """Under the first root nobody is unknown: all began with it."""

    async def story(desk: Desk) -> list[int]:
        for number in (1, 2):
            await station(desk, number)
        await made(desk, "root", active=False)
        await desk.ask(calls.ConfirmTrust(("CP-001",), "root-2"), calls.Done)
        names = [await made(desk, "station", active=False), await made(desk, "csms", "root-2", active=False)]
        done = [await desk.ask(calls.ActivateIssuer(name), calls.Activated) for name in names]
        return [each.unconfirmed for each in done]

    assert at_the_desk(make_home(tmp_path), story) == [0, 1]


def test_the_plan_counts_stations_and_certificates(tmp_path: Path) -> None:
    """Before, during and after."""
    home = make_home(tmp_path)

    async def plan(desk: Desk) -> calls.Rollover:
        return await desk.ask(calls.ShowRollover("root"), calls.Rollover)

    async def story(desk: Desk) -> list[calls.Rollover]:
        await station(desk)
        before = await plan(desk)
        await made(desk, "root", active=False)
        await desk.ask(calls.ConfirmTrust(("CP-001",), "root-2"), calls.Done)
        during = await plan(desk)
        await desk.ask(calls.ActivateIssuer("root-2"), calls.Activated)
        await made(desk, "csms")
        return [before, during, await plan(desk)]

    before, during, after = at_the_desk(home, story)
    assert (before.former, before.successor) == ("", "")
    assert (during.former, during.successor) == ("root", "root-2")
    assert [(step.done, step.total) for step in during.steps] == [
        (1, 1), (1, 1), (1, 1), (0, 1), (0, 1), (0, 1), (0, 3), (0, 1),
    ]  # fmt: skip
    assert [(step.done, step.total) for step in after.steps][3:6] == [(1, 1), (1, 1), (0, 1)]


@pytest.mark.parametrize(
    ("call", "kind", "code"),
    [
        pytest.param(calls.RollOver("server-rsa"), InputError, "rollover.slot", id="no authority"),
        pytest.param(calls.RollOver("moon"), NotFoundError, "issuer.none", id="no slot"),
        pytest.param(calls.RollOver("csms", under="server-rsa"), InputError, "rollover.authority", id="under a server"),
        pytest.param(calls.RollOver("csms", under="station"), RefusedError, "plan.refused", id="under an issuing CA"),
        pytest.param(calls.RetireIssuer("server-rsa"), InputError, "rollover.authority", id="a server retired"),
        pytest.param(calls.ActivateIssuer("moon"), NotFoundError, "issuer.unknown", id="nothing activated"),
        pytest.param(calls.ActivateIssuer("csms"), ConflictError, "issuer.state", id="activated already"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, call: calls.Call, kind: type[Exception], code: str) -> None:
    """Nothing is made."""
    home = make_home(tmp_path)
    with pytest.raises(kind, match=code.replace(".", r"\.")):
        ask_once(home, call, type(call).Answer)


def test_a_root_whose_key_is_elsewhere_signs_no_successor(tmp_path: Path) -> None:
    """Neither its own, nor that of an authority below it."""
    home = make_home(tmp_path)
    set_elsewhere(home, "root")

    for slot in ("root", "csms"):
        with pytest.raises(RefusedError, match=r"rollover\.elsewhere"):
            ask_once(home, calls.RollOver(slot), calls.RolledOver)
    assert not (home.keys / "root-2.pem").exists()


@pytest.mark.parametrize("slot", ["root", "csms", "station"])
def test_the_plan_and_the_refusal_name_the_ceremony_where_the_root_is_elsewhere(tmp_path: Path, slot: str) -> None:
    """A plan of commands that are refused when they are typed would be none."""
    home = make_home(tmp_path)
    set_elsewhere(home, "root")
    plan = ask_once(home, calls.ShowRollover(slot), calls.Rollover)
    with pytest.raises(RefusedError, match=r"rollover\.elsewhere") as refused:
        ask_once(home, calls.RollOver(slot), calls.RolledOver)

    assert not [step.command for step in plan.steps if "ca rollover" in step.command]
    assert "bollard ca ceremony plan" in plan.steps[0].command
    assert ("ceremony plan --root-name" if slot == "root" else f"ceremony request {slot}") in refused.value.advice


def test_a_root_of_others_whose_key_is_marked_for_pss_alone_gets_no_link(tmp_path: Path) -> None:
    """RFC 4055 1.2: the link would say another thing of its key than the root itself."""
    run = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True)
    run(["openssl", "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "k.pem"])
    extensions = ("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-sha256", "-sigopt", "rsa_pss_saltlen:digest")
    named = ("-subj", "/O=Others/CN=Marked Root", "-days", "9000", "-out", "root.pem")
    run(["openssl", "req", "-x509", "-key", "k.pem", *named, *extensions])
    pem, key = ((tmp_path / name).read_text() for name in ("root.pem", "k.pem"))
    home = make_home(tmp_path)

    async def story(desk: Desk) -> set[str]:
        await desk.ask(calls.ImportIssuer("marked", "root", pem, private_key=key), calls.IssuerImported)
        with pytest.raises(RefusedError) as refused:
            await desk.ask(calls.RollOver("root"), calls.RolledOver)
        await desk.ask(calls.ActivateIssuer("marked"), calls.Activated)
        return {each.code for each in refused.value.findings}

    assert at_the_desk(home, story) == {"alg.pss_only"}


@pytest.mark.parametrize("point", ROLLOVER_POINTS)
def test_a_crash_while_a_root_is_replaced_is_gone_on_from(tmp_path: Path, point: str) -> None:
    """The same command again ends with one successor that has its link."""
    home = make_home(tmp_path)
    with running_authority(home, crash_at=point) as process:
        with pytest.raises(UnreachableError, match=r"authority\.lost"):
            asyncio.run(_roll(home))
        assert process.wait(20) == -signal.SIGKILL

    found = {row.name: row.state for row in ask_once(home, calls.ListIssuers(), calls.Issuers).issuers}
    if not any(name.endswith("-link") for name in found):
        assert ask_once(home, calls.RollOver("root"), calls.RolledOver).link
    names = [row.name for row in ask_once(home, calls.ListIssuers(), calls.Issuers).issuers]
    assert len([name for name in names if name.startswith("root-") and not name.endswith("-link")]) == 1
    assert len([name for name in names if name.endswith("-link")]) == 1
    ask_once(home, calls.VerifyAudit(), calls.AuditVerified)


async def _roll(home: Home) -> None:
    async with connected(home) as authority:
        await authority.ask(calls.RollOver("root"), calls.RolledOver)
