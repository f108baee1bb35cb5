"""Authorities are made for every hierarchy, wait where another works, and never stand where they must not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from pki.certificate import read_certificates
from pki.chain import Purpose, verify
from pki.edge import calls, clock
from pki.edge.keys import KeyKind
from pki.edge.office import authorities, hierarchies
from pki.edge.office.front import Office
from pki.errors import BollardError, UnreachableError
from pki.holding import KeyState
from tests.worlds import ORGANISATION, WHO, Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

V2G = calls.CreateIssuer("v2g", "v2g", edition="2")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def experimental(home: Home) -> Home:
    """The same home with the switch on."""
    home.settings.write_text(home.settings.read_text() + "\n[keys]\nunsafe_experimental_ml_dsa = true\n")
    return home


def test_an_experiment_is_warned_of_when_it_is_made_and_with_all_that_it_signs(home: Home) -> None:
    """An ML-DSA authority, and each certificate from it (A00.FR.504)."""

    async def story(desk: Desk) -> list[set[str]]:
        made = await desk.ask(calls.CreateIssuer("ml", "station", key="ml-dsa-44"), calls.IssuersCreated)
        await desk.ask(calls.ActivateIssuer("ml"), calls.Activated)
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        issued = await desk.ask(Paper.of(1).issue, calls.CertificateIssued)
        return [{code for code, *_ in each.findings} for each in (made, issued)]

    assert at_the_desk(experimental(home), story) == [{"alg.experimental"}, {"alg.experimental"}]


def test_a_refused_authority_leaves_no_key(home: Home) -> None:
    """A root with so long a key cannot be installed in any station (A02.FR.16)."""

    async def story(desk: Desk) -> str:
        with pytest.raises(BollardError) as refused:
            await desk.ask(calls.CreateIssuer("mlroot", "root", key="ml-dsa-65"), calls.IssuersCreated)
        assert not desk.office._desk.keys.has("mlroot")
        return refused.value.code

    assert at_the_desk(experimental(home), story) == "lint.refused"
    assert not (home.keys / "mlroot.pem").exists()


def test_a_key_that_lay_there_is_left_when_its_certificate_is_refused(home: Home) -> None:
    """A run that was cut short left it, and the next may be luckier."""

    async def story(desk: Desk) -> str:
        desk.office._desk.keys.make("x", KeyKind.EC_P256)
        with pytest.raises(BollardError) as refused:
            await desk.ask(calls.CreateIssuer("x", "csms", days=36500), calls.IssuersCreated)
        return refused.value.code

    assert at_the_desk(home, story) == "plan.refused"
    assert (home.keys / "x.pem").exists()


def created(home: Home, *wanted: calls.CreateIssuer) -> list[calls.IssuerRow]:
    """What comes of these calls, in order."""

    async def story(desk: Desk) -> list[calls.IssuerRow]:
        made = [await desk.ask(call, calls.IssuersCreated) for call in wanted]
        return [row for each in made for row in each.issuers]

    return at_the_desk(home, story)


@pytest.mark.parametrize(
    ("edition", "key", "algorithm"),
    [("2", "", "ec-p256"), ("20", "", "ec-p521"), ("20", "ed448", "ed448")],
)
def test_a_v2g_hierarchy_is_made_in_one_act(home: Home, edition: str, key: str, algorithm: str) -> None:
    """Root, Sub-CA 1 with room for one below it, Sub-CA 2 with none; the chain verifies."""
    rows = created(home, calls.CreateIssuer("v2g", "v2g", edition=edition, key=key))
    root, sub1, sub2 = (read_certificates(row.pem)[0] for row in rows)

    assert [(row.name, row.slot, row.state) for row in rows] == [
        (f"v2g-{part}", f"v2g-{part}-{edition}", "active") for part in ("root", "sub1", "sub2")
    ]
    constraints = [each.extensions.get_extension_for_class(x509.BasicConstraints) for each in (root, sub1, sub2)]
    assert [each.value.path_length for each in constraints] == [None, 1, 0]
    assert all(each.critical for each in constraints)
    verify(sub2, [root], [sub1], Purpose.ANY, clock.now())
    assert algorithm in (KeyKind.EC_P256, KeyKind.EC_P521, KeyKind.ED448)


def test_a_second_authority_waits_for_its_turn(home: Home) -> None:
    """It is trusted at once and signs when it is activated; a restart finds it so."""
    (row,) = created(home, calls.CreateIssuer("station-2", "station"))

    async def after(desk: Desk) -> tuple[str, KeyState]:
        mine = desk.office._desk
        return mine.active("station").name, mine.mine("station-2").holding.state

    assert (row.state, row.slot, row.purpose) == ("next", "station", "station")
    assert at_the_desk(home, after) == ("station", KeyState.NEXT)


def test_two_authorities_never_share_a_name(home: Home) -> None:
    """The second one's says which it is, unless a name was chosen."""
    plain, chosen = created(
        home,
        calls.CreateIssuer("station-2", "station"),
        calls.CreateIssuer("station-3", "station", common_name="North CA"),
    )

    assert plain.subject == f"CN=Bollard Station CA station-2,O={ORGANISATION}"
    assert chosen.subject == f"CN=North CA,O={ORGANISATION}"


def test_a_manufacturer_s_root_is_the_manufacturer_s(home: Home) -> None:
    """A00.FR.509: its organisation is the vendor; it stands apart from ours."""
    (row,) = created(home, calls.CreateIssuer("volta", "manufacturer", vendor="Volta"))
    root = read_certificates(row.pem)[0]

    assert (row.subject, row.state) == ("CN=Volta Root CA,O=Volta", "active")
    assert root.subject == root.issuer


def test_days_and_key_are_those_asked_for(home: Home) -> None:
    """Within what the certificate profile allows."""
    (row,) = created(home, calls.CreateIssuer("csms-2", "csms", key="rsa-2048", days=100))

    assert (row.not_after - clock.now()).days in {99, 100}
    assert read_certificates(row.pem)[0].public_key().key_size == 2048  # type: ignore[union-attr] # RSA has one


def test_the_next_level_is_made_below_the_one_named(home: Home) -> None:
    """A Sub-CA 2 beside the one in use; it waits."""
    *_, row = created(home, V2G, calls.CreateIssuer("v2g-sub2-b", "v2g", edition="2", under="v2g-sub1"))

    assert (row.slot, row.state, row.purpose) == ("v2g-sub2-2", "next", "v2g-sub2")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (calls.CreateIssuer("station", "station"), "issuer.exists"),
        (calls.CreateIssuer("audit", "station", key="ed25519"), "issuer.name"),
        (calls.CreateIssuer("../x", "station"), "issuer.name"),
        (calls.CreateIssuer("", "station"), "issuer.name"),
        (calls.CreateIssuer("x" * 41, "station"), "issuer.name"),
        (calls.CreateIssuer("x", "toaster"), "issuer.purpose"),
        (calls.CreateIssuer("x", "station", key="rsa-512"), "issuer.key_kind"),
        (calls.CreateIssuer("x", "station", under="nobody"), "issuer.unknown"),
        (calls.CreateIssuer("x", "station", under="csms"), "issuer.under"),
        (calls.CreateIssuer("x", "station", days=99_999), "plan.refused"),
        (calls.CreateIssuer("x", "station", common_name="a\nb"), "name.holder"),
        (calls.CreateIssuer("x", "v2g", edition="2", key="ec-p384"), "plan.refused"),
        (calls.CreateIssuer("x", "v2g", edition="2", under="root"), "issuer.under"),
        (calls.CreateIssuer("x", "manufacturer"), "issuer.vendor"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(home: Home, call: calls.CreateIssuer, code: str) -> None:
    """And no authority comes of it."""

    async def story(desk: Desk) -> tuple[str, int]:
        before = len(desk.office._desk.own)
        with pytest.raises(BollardError) as refused:
            await desk.ask(call, calls.IssuersCreated)
        return refused.value.code, len(desk.office._desk.own) - before

    assert at_the_desk(home, story) == (code, 0)


def test_a_run_that_was_cut_short_is_gone_on_with(home: Home) -> None:
    """A key without a certificate is taken up again; one of another kind is left alone, and told."""

    async def story(desk: Desk) -> str:
        keys = desk.office._desk.keys
        left = keys.make("station-2", KeyKind.EC_P256)
        keys.make("station-3", KeyKind.RSA_2048)
        made = await desk.ask(calls.CreateIssuer("station-2", "station"), calls.IssuersCreated)
        assert read_certificates(made.issuers[0].pem)[0].public_key() == left.public_key()
        with pytest.raises(BollardError) as refused:
            await desk.ask(calls.CreateIssuer("station-3", "station"), calls.IssuersCreated)
        return refused.value.code

    assert at_the_desk(home, story) == "issuer.key_left"


def test_nothing_is_made_of_a_hierarchy_whose_last_authority_would_be_refused(home: Home) -> None:
    """V2G2-010: with a long address and a long name only Sub-CA 2 is too long for cars."""
    text = home.settings.read_text().replace(ORGANISATION, "X" * 60)
    home.settings.write_text(text.replace("[web]", f'[web]\nstatus_url = "http://{"status." * 14}example.org:8480"'))

    async def story(desk: Desk) -> tuple[set[str], list[str], list[str]]:
        before = [*desk.office._desk.own]
        with pytest.raises(BollardError) as refused:
            await desk.ask(V2G, calls.IssuersCreated)
        keys = [name for name in desk.office._desk.keys.names() if name.startswith("v2g")]
        return {each.code for each in refused.value.findings}, [*set(desk.office._desk.own) - set(before)], keys

    assert at_the_desk(home, story) == ({"lint.v2g_length", "lint.profile_length"}, [], [])


def test_a_hierarchy_that_was_cut_short_is_gone_on_with(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command again makes what is left, below what is there; once more, and the names are taken."""
    real, made = authorities.certify, 0

    async def once(*given: Any) -> object:
        nonlocal made
        made += 1
        if made > 1:
            raise UnreachableError("ledger.full", "no room on the disk", "Make room.")
        return await real(*given)

    async def story(desk: Desk) -> list[tuple[str, str]]:
        monkeypatch.setattr(hierarchies, "certify", once)
        with pytest.raises(UnreachableError):
            await desk.ask(V2G, calls.IssuersCreated)
        monkeypatch.setattr(hierarchies, "certify", real)
        rows = (await desk.ask(V2G, calls.IssuersCreated)).issuers
        with pytest.raises(BollardError, match=r"issuer\.exists"):
            await desk.ask(V2G, calls.IssuersCreated)
        root, above, below = (read_certificates(row.pem)[0] for row in rows)
        above.verify_directly_issued_by(root)
        below.verify_directly_issued_by(above)
        return [(row.name, row.state) for row in rows]

    assert at_the_desk(home, story) == [("v2g-root", "active"), ("v2g-sub1", "active"), ("v2g-sub2", "active")]


def test_proxies_are_told_of_a_new_authority(home: Home) -> None:
    """Stations that bear its certificates are trusted before the first one is issued."""

    async def story() -> calls.News:
        office = await Office.open(home)
        watcher = await office.watch()
        await watcher.next()
        await office.handle(calls.CreateIssuer("station-2", "station"), WHO)
        news = await watcher.next()
        await office.close()
        return news

    news = asyncio.run(story())
    assert isinstance(news, calls.TrustChanged)
    assert [(row.name, row.state) for row in news.issuers if row.slot == "station"] == [
        ("station", "active"), ("station-2", "next"),
    ]  # fmt: skip


def test_the_log_says_which_duty_the_new_authority_has(home: Home) -> None:
    """Name, slot and state stand beside serial and subject."""

    async def story(desk: Desk) -> dict[str, object]:
        made = await desk.ask(calls.CreateIssuer("volta", "manufacturer", vendor="Volta"), calls.IssuersCreated)
        rows = (await desk.ask(calls.ListAudit(made.audit_index, 1), calls.AuditRows)).rows
        told: dict[str, object] = json.loads(rows[0].entry)
        return told

    told = at_the_desk(home, story)
    assert told["act"] == "certificate.issued"
    assert {"holds": "volta", "slot": "manufacturer:Volta", "state": "active"}.items() <= dict(told["what"]).items()  # type: ignore[call-overload] # JSON
