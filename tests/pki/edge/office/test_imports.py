"""Authorities of others are taken in whole, held against the rules that matter, and work like our own."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from pki.certificate import key_id, read_certificates, to_pem
from pki.chain import Purpose, verify
from pki.edge import calls, clock
from pki.edge.ledger import ceremonies
from pki.edge.office.desk import OwnCertificate
from pki.edge.policies import FOLDER
from pki.errors import BollardError, RefusedError
from pki.holding import Keeper, KeyState
from pki.strength import Padding
from tests.certs import NOW, Party, key_pem, name
from tests.chains import SHA512, pss
from tests.marked import marked_authority
from tests.pki.papers import key
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk

ROOT = Party.root("Their Root", "Others")
MIDDLE = ROOT.issue("Their Policy CA", "Others", ca=True)
STATION_CA = MIDDLE.issue("Their Station CA", "Others", ca=True)
ABOVE = to_pem([MIDDLE.certificate, ROOT.certificate])


def taking(**changed: str) -> calls.ImportIssuer:
    """The call that takes in their station CA with its key and all above it."""
    usual = {"name": "theirs", "purpose": "station", "pem": STATION_CA.pem, "chain": ABOVE}
    return calls.ImportIssuer(**{**usual, "private_key": STATION_CA.key_pem, **changed})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def refused_code(home: Home, call: calls.ImportIssuer) -> tuple[str, set[str]]:
    """How it is refused, and that nothing is left of it."""

    async def story(desk: Desk) -> tuple[str, set[str]]:
        own = set(desk.office._desk.own)
        with pytest.raises(BollardError) as refused:
            await desk.ask(call, calls.IssuerImported)
        assert set(desk.office._desk.own) == own
        return refused.value.code, {each.code for each in refused.value.findings}

    return at_the_desk(home, story)


def test_an_authority_comes_with_all_that_stands_above_it(home: Home) -> None:
    """Their keys stay elsewhere; a restart finds everything as it was."""

    async def story(desk: Desk) -> calls.IssuerImported:
        return await desk.ask(taking(), calls.IssuerImported)

    async def after(desk: Desk) -> list[tuple[str, str, str, str]]:
        rows = (await desk.ask(calls.ListIssuers(), calls.Issuers)).issuers
        return [(row.name, row.purpose, row.state, row.keeper) for row in rows if "theirs" in row.name]

    assert at_the_desk(home, story).issuer.state == "next"
    assert at_the_desk(home, after) == [
        ("theirs", "station", "next", "here"),
        ("theirs-above-1", "above", "active", "elsewhere"),
        ("theirs-above-2", "above", "active", "elsewhere"),
    ]


def test_it_signs_for_stations_once_it_is_in_use(home: Home) -> None:
    """The chain handed out has everything below their root; a certificate of theirs is in our ledger."""

    async def story(desk: Desk) -> calls.CertificateIssued:
        await desk.ask(taking(), calls.IssuerImported)
        mine = desk.office._desk
        own = mine.mine("theirs")
        mine.adopt(OwnCertificate(dataclasses.replace(own.holding, state=KeyState.ACTIVE), own.certificate))
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        return await desk.ask(calls.IssueCertificate("CP-001", Paper.of(1).csr, days=10), calls.CertificateIssued)

    leaf, *above = read_certificates(at_the_desk(home, story).chain)
    assert above == [STATION_CA.certificate, MIDDLE.certificate]
    verify(leaf, [ROOT.certificate], above, Purpose.STATION, clock.now())


def test_it_signs_nothing_whose_chain_is_too_long_for_stations(home: Home) -> None:
    """A02.FR.16 counts all that would be handed out, the authority between theirs and their root as well."""
    (home.policies / "certificates").mkdir(parents=True)
    shipped = (FOLDER / "certificates" / "station.toml").read_text()
    fits_two = len(STATION_CA.pem) + 1_100  # of a leaf, but not of what stands above their station CA
    (home.policies / "certificates" / "station.toml").write_text(f"chain_length = {fits_two}\n{shipped}")

    async def story(desk: Desk) -> set[str]:
        await desk.ask(taking(), calls.IssuerImported)
        mine = desk.office._desk
        own = mine.mine("theirs")
        mine.adopt(OwnCertificate(dataclasses.replace(own.holding, state=KeyState.ACTIVE), own.certificate))
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        with pytest.raises(RefusedError) as refused:
            await desk.ask(calls.IssueCertificate("CP-001", Paper.of(1).csr, days=10), calls.CertificateIssued)
        return {each.code for each in refused.value.findings}

    assert "lint.chain_length" in at_the_desk(home, story)


def test_the_ledger_has_its_row_with_their_key_s_name(home: Home) -> None:
    """Valid, of the right issuer, and never revoked by a slip."""

    async def story(desk: Desk) -> calls.CertificateRow:
        await desk.ask(taking(), calls.IssuerImported)
        serial = f"{STATION_CA.certificate.serial_number:x}"
        with pytest.raises(BollardError, match=r"certificate\.own"):
            await desk.ask(calls.RevokeCertificate(serial), calls.Done)
        fetched = await desk.ask(calls.FetchCertificate(serial), calls.CertificateText)
        assert fetched.pem == STATION_CA.pem
        return fetched.certificate

    row = at_the_desk(home, story)
    assert (row.status, row.purpose) == ("valid", "issuing")
    assert row.issuer_key_id == key_id(MIDDLE.certificate)


def test_it_is_one_act_with_one_entry(home: Home) -> None:
    """That says what was taken in and what was tolerated, and holds nothing of the key."""

    async def story(desk: Desk) -> str:
        taken = await desk.ask(taking(), calls.IssuerImported)
        return (await desk.ask(calls.ListAudit(taken.audit_index, 1), calls.AuditRows)).rows[0].entry

    entry = at_the_desk(home, story)
    told = json.loads(entry)
    taken = told["what"]["taken"]
    assert told["act"] == "issuer.imported"
    assert [(each["holds"], each["keeper"]) for each in taken] == [
        ("theirs", "here"), ("theirs-above-1", "elsewhere"), ("theirs-above-2", "elsewhere"),
    ]  # fmt: skip
    assert [each["serial"] for each in taken] == [
        f"{each.certificate.serial_number:x}" for each in (STATION_CA, MIDDLE, ROOT)
    ]
    assert "PRIVATE" not in entry


def test_its_key_lies_encrypted_like_our_own(home: Home) -> None:
    """And opens with the home's passphrase."""
    at_the_desk(home, lambda desk: desk.ask(taking(), calls.IssuerImported))
    text = (home.keys / "theirs.pem").read_text()

    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert (home.keys / "theirs.pem").stat().st_mode & 0o777 == 0o600


def test_without_its_key_it_is_known_and_signs_nothing(home: Home) -> None:
    """Whoever keeps it signs elsewhere."""

    async def story(desk: Desk) -> str:
        taken = await desk.ask(
            taking(name="", purpose="root", pem=ROOT.pem, chain="", private_key=""), calls.IssuerImported
        )
        assert (taken.issuer.name, taken.issuer.keeper, taken.issuer.state) == ("root-2", Keeper.ELSEWHERE, "next")
        with pytest.raises(BollardError) as refused:
            await desk.ask(calls.CreateIssuer("x", "station", under="root-2"), calls.IssuersCreated)
        return refused.value.code

    assert at_the_desk(home, story) == "issuer.elsewhere"


def test_a_root_with_its_key_signs_new_authorities(home: Home) -> None:
    """As our own root does."""
    long = Party.root("Long Root", "Others")
    long = Party(_lasting(long), long.key)

    async def story(desk: Desk) -> calls.IssuersCreated:
        await desk.ask(
            taking(name="old-root", purpose="root", pem=long.pem, chain="", private_key=long.key_pem),
            calls.IssuerImported,
        )
        return await desk.ask(calls.CreateIssuer("csms-2", "csms", under="old-root"), calls.IssuersCreated)

    (row,) = at_the_desk(home, story).issuers
    verify(read_certificates(row.pem)[0], [long.certificate], [], Purpose.ANY, clock.now())


def test_a_second_one_below_the_same_root_finds_it_there(home: Home) -> None:
    """What stands above is kept once."""
    other = MIDDLE.issue("Their CSMS CA", "Others", ca=True)

    async def story(desk: Desk) -> list[str]:
        await desk.ask(taking(), calls.IssuerImported)
        await desk.ask(calls.ImportIssuer("others", "csms", other.pem, private_key=other.key_pem), calls.IssuerImported)
        return sorted(own for own in desk.office._desk.own if "above" in own)

    assert at_the_desk(home, story) == ["theirs-above-1", "theirs-above-2"]


def form(holder: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, kind: str, password: bytes = b"") -> str:
    """A key in one of the three forms that people have."""
    forms = {"pkcs8": serialization.PrivateFormat.PKCS8, "traditional": serialization.PrivateFormat.TraditionalOpenSSL}
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return holder.private_bytes(serialization.Encoding.PEM, forms[kind], locked).decode()


RSA = rsa.generate_private_key(65537, 2048)
RSA_CA = ROOT.issue("Their RSA CA", "Others", ca=True, key=RSA)


@pytest.mark.parametrize(
    ("party", "text", "password"),
    [
        (STATION_CA, form(STATION_CA.key, "pkcs8"), ""),
        (STATION_CA, form(STATION_CA.key, "traditional"), ""),
        (STATION_CA, form(STATION_CA.key, "pkcs8", b"geheim"), "geheim"),
        (STATION_CA, form(STATION_CA.key, "traditional", b"geheim"), "geheim"),
        (RSA_CA, form(RSA, "traditional"), ""),
        (RSA_CA, form(RSA, "pkcs8", b"geheim"), "geheim"),
    ],
    ids=["PKCS#8", "SEC1", "PKCS#8 locked", "SEC1 locked", "PKCS#1", "RSA locked"],
)
def test_keys_come_in_the_forms_that_people_have(home: Home, party: Party, text: str, password: str) -> None:
    """With a password or without."""
    call = taking(pem=party.pem, private_key=text, password=password)

    assert at_the_desk(home, lambda desk: desk.ask(call, calls.IssuerImported)).issuer.keeper == "here"


EXPIRED = ROOT.issue("Expired CA", "Others", ca=True, start=NOW - dt.timedelta(days=9), end=NOW - dt.timedelta(days=1))
LEAF = ROOT.issue("No CA", "Others")
WEAK_KEY = key("rsa1024")
assert isinstance(WEAK_KEY, rsa.RSAPrivateKey)
WEAK = ROOT.issue("Weak CA", "Others", ca=True, key=WEAK_KEY)
ORPHAN = Party.root("Orphan Root", "Nobody").issue("Orphan CA", "Nobody", ca=True)
PRETENDER = Party.root("Their Root", "Others").issue("Their Policy CA", "Others", ca=True)


@pytest.mark.parametrize(
    ("call", "code", "finding"),
    [
        pytest.param(taking(chain=""), "issuer.chain", "chain.untrusted", id="nothing above it"),
        pytest.param(taking(chain=MIDDLE.pem), "issuer.chain", "chain.untrusted", id="no root"),
        pytest.param(taking(chain=ROOT.pem), "issuer.chain", "chain.untrusted", id="a gap"),
        pytest.param(
            taking(chain=to_pem([PRETENDER.certificate, ROOT.certificate])), "issuer.chain", "chain.untrusted",
            id="one of the same name with another key",
        ),
        pytest.param(taking(pem=ORPHAN.pem, private_key=""), "issuer.chain", "chain.untrusted", id="orphan"),
        pytest.param(taking(pem=LEAF.pem, private_key=LEAF.key_pem), "issuer.refused", "lint.ca", id="a leaf"),
        pytest.param(taking(pem=EXPIRED.pem, private_key=""), "issuer.chain", "chain.expired", id="expired"),
        pytest.param(taking(pem=WEAK.pem, private_key=""), "issuer.refused", "alg.weak", id="a weak key"),
        pytest.param(taking(purpose="root"), "issuer.refused", "issuer.no_root", id="no root as a root"),
        pytest.param(taking(private_key=ROOT.key_pem), "issuer.key_mismatch", "", id="another's key"),
        pytest.param(taking(private_key="hello"), "issuer.key_unreadable", "", id="no key"),
        pytest.param(taking(private_key="x" * 20_000), "issuer.key_unreadable", "", id="a long text"),
        pytest.param(
            taking(private_key=form(STATION_CA.key, "pkcs8", b"a")), "issuer.key_unreadable", "", id="no password"
        ),
        pytest.param(
            taking(private_key=form(STATION_CA.key, "pkcs8", b"a"), password="b"), "issuer.key_unreadable", "",
            id="a wrong password",
        ),
        pytest.param(taking(password="b"), "issuer.key_unreadable", "", id="a password for nothing"),
        pytest.param(taking(pem="hello"), "certificate.unreadable", "", id="no certificate"),
        pytest.param(taking(purpose="toaster"), "issuer.purpose", "", id="no purpose"),
        pytest.param(taking(purpose="v2g", edition="2"), "issuer.purpose", "", id="V2G as a whole"),
        pytest.param(taking(name="station"), "issuer.exists", "", id="a name that is taken"),
        pytest.param(taking(name="../x"), "issuer.name", "", id="a path"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_in_is_refused_by_name(
    home: Home, call: calls.ImportIssuer, code: str, finding: str
) -> None:
    """And nothing is left of it; what stands in a key is never repeated."""
    told, findings = refused_code(home, call)

    assert told == code
    assert not finding or finding in findings


def test_the_same_authority_is_taken_in_once(home: Home) -> None:
    """By its key, whatever it is called."""

    async def story(desk: Desk) -> str:
        await desk.ask(taking(), calls.IssuerImported)
        with pytest.raises(BollardError) as refused:
            await desk.ask(taking(name="again"), calls.IssuerImported)
        return refused.value.code

    assert at_the_desk(home, story) == "issuer.exists"


def test_whom_we_trust_for_firmware_stands_above_no_station(home: Home) -> None:
    """A00.FR.601: else whoever signs a vendor's firmware could make stations too."""

    async def story(desk: Desk) -> set[str]:
        await desk.ask(calls.AddAnchor(ROOT.pem, "firmware", "Volta"), calls.Done)
        with pytest.raises(RefusedError) as refused:
            await desk.ask(taking(), calls.IssuerImported)
        root = taking(name="volta", purpose="manufacturer", vendor="Volta", pem=ROOT.pem, chain="", private_key="")
        assert (await desk.ask(root, calls.IssuerImported)).issuer.slot == "manufacturer:Volta"
        return {each.code for each in refused.value.findings}

    assert at_the_desk(home, story) == {"issuer.hierarchy"}


def test_what_is_merely_written_otherwise_is_tolerated_and_told(home: Home) -> None:
    """A serial that is too short, an extension of theirs: nobody here can change it."""
    odd = _odd()
    call = taking(pem=odd.pem, chain=ROOT.pem, private_key=odd.key_pem)
    found = at_the_desk(home, lambda desk: desk.ask(call, calls.IssuerImported)).findings

    assert {(code, severity) for code, severity, _, _ in found} >= {
        ("lint.serial", "warning"), ("lint.stray_extension", "warning"),
    }  # fmt: skip


def test_a_call_shows_no_key_when_it_is_printed() -> None:
    """Logs and errors print calls."""
    assert "PRIVATE" not in repr(taking())
    assert "geheim" not in repr(taking(password="geheim"))


def test_a_crash_between_key_and_record_is_gone_on_with(home: Home) -> None:
    """The key lies there, the ledger knows nothing: the second run takes it up."""

    async def story(desk: Desk) -> str:
        desk.office._desk.keys.take("theirs", STATION_CA.key)
        return (await desk.ask(taking(), calls.IssuerImported)).issuer.name

    assert at_the_desk(home, story) == "theirs"


@dataclasses.dataclass(frozen=True, slots=True)
class _Odd:
    """A CA as others make them."""

    pem: str
    key_pem: str


def _odd() -> _Odd:
    holder = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("Odd CA", "Others"))
        .issuer_name(ROOT.certificate.subject)
        .public_key(holder.public_key())
        .serial_number(7)
        .not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(NOW + dt.timedelta(days=20))
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(holder.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT.key.public_key()), critical=False)
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), critical=False)
    )
    return _Odd(to_pem([builder.sign(ROOT.key, hashes.SHA256())]), key_pem(holder))


def _lasting(party: Party) -> x509.Certificate:
    """The same root for thirty years."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(party.certificate.subject)
        .issuer_name(party.certificate.subject)
        .public_key(party.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(NOW + dt.timedelta(days=10_950))
    )
    for each in party.certificate.extensions:
        builder = builder.add_extension(each.value, each.critical)
    return builder.sign(party.key, hashes.SHA256())


def test_what_was_taken_in_is_proved_by_the_log(home: Home) -> None:
    """Every row of it, like our own; a row that is changed by hand is found."""

    async def story(desk: Desk) -> int:
        await desk.ask(taking(), calls.IssuerImported)
        proved = await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        await desk.office._desk.ledger.write(
            lambda tx: tx.database.execute("UPDATE own_key SET slot = 'csms' WHERE name = 'theirs'").rowcount
        )
        with pytest.raises(RefusedError, match="theirs"):
            await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        return proved.rows_in_part

    assert at_the_desk(home, story) == 0


def long_lived() -> tuple[Party, Party]:
    """A root of theirs that may sign for years, and a station CA below it."""
    root = Party.root("Long Root", "Others")
    root = Party(_lasting(root), root.key)
    return root, root.issue("Long Station CA", "Others", ca=True)


@pytest.mark.parametrize("retired", [False, True], ids=["waiting", "let go"])
def test_its_key_can_come_later(home: Home, *, retired: bool) -> None:
    """What was taken in without its key gets it by the same call with the key: from then on it signs. One that was let
    go comes back as a newcomer."""

    async def story(desk: Desk) -> tuple[calls.IssuerRow, list[x509.Certificate]]:
        await desk.ask(taking(private_key=""), calls.IssuerImported)
        if retired:
            await desk.ask(calls.RetireIssuer("theirs"), calls.Done)
        brought = await desk.ask(taking(name=""), calls.IssuerImported)
        await desk.ask(calls.ActivateIssuer("theirs"), calls.Activated)
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        issued = await desk.ask(calls.IssueCertificate("CP-001", Paper.of(1).csr, days=10), calls.CertificateIssued)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        return brought.issuer, read_certificates(issued.chain)

    row, (leaf, *above) = at_the_desk(home, story)
    assert (row.name, row.state, row.keeper, row.slot) == ("theirs", "next", "here", "station")
    verify(leaf, [ROOT.certificate], above, Purpose.STATION, clock.now())


def test_the_key_of_one_that_only_stood_above_gives_it_a_place(home: Home) -> None:
    """It is no newcomer's second certificate: the same name, now for the purpose that was asked for."""
    root, station_ca = long_lived()

    async def story(desk: Desk) -> tuple[calls.IssuerRow, calls.IssuerRow]:
        call = taking(pem=station_ca.pem, chain=root.pem, private_key=station_ca.key_pem)
        await desk.ask(call, calls.IssuerImported)
        brought = await desk.ask(
            taking(name="", purpose="root", pem=root.pem, chain="", private_key=root.key_pem), calls.IssuerImported
        )
        made = await desk.ask(calls.CreateIssuer("csms-2", "csms", under="theirs-above-1"), calls.IssuersCreated)
        await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        return brought.issuer, made.issuers[0]

    row, made = at_the_desk(home, story)
    assert (row.name, row.purpose, row.slot, row.state, row.keeper) == (
        "theirs-above-1", "root", "root", "next", "here",
    )  # fmt: skip
    verify(read_certificates(made.pem)[0], [root.certificate], [], Purpose.ANY, clock.now())


def test_that_a_key_came_is_one_act_with_one_entry(home: Home) -> None:
    """A keeper that was changed by hand is found; the entry holds nothing of the key."""

    async def story(desk: Desk) -> str:
        await desk.ask(taking(private_key=""), calls.IssuerImported)
        brought = await desk.ask(taking(), calls.IssuerImported)
        entry = (await desk.ask(calls.ListAudit(brought.audit_index, 1), calls.AuditRows)).rows[0].entry
        await desk.office._desk.ledger.write(
            lambda tx: tx.database.execute("UPDATE own_key SET keeper = 'elsewhere' WHERE name = 'theirs'").rowcount
        )
        with pytest.raises(RefusedError, match="keeper"):
            await desk.ask(calls.VerifyAudit(), calls.AuditVerified)
        return entry

    entry = at_the_desk(home, story)
    told = json.loads(entry)
    assert (told["act"], told["what"]["holds"], told["what"]["keeper"]) == ("issuer.key_taken", "theirs", "here")
    assert "PRIVATE" not in entry


@pytest.mark.parametrize(
    ("call", "code"),
    [
        pytest.param(taking(private_key=ROOT.key_pem), "issuer.key_mismatch", id="another's key"),
        pytest.param(taking(name="again"), "issuer.exists", id="under another name"),
        pytest.param(taking(purpose="csms"), "issuer.exists", id="for another purpose"),
        pytest.param(taking(private_key=""), "issuer.exists", id="without the key again"),
        pytest.param(
            taking(pem=MIDDLE.issue("Their Station CA", "Others", ca=True, key=STATION_CA.key).pem), "issuer.exists",
            id="with another certificate of that key",
        ),
    ],
)  # fmt: skip
def test_a_key_comes_to_the_authority_that_waits_for_it_and_to_no_other(
    home: Home, call: calls.ImportIssuer, code: str
) -> None:
    """And no key file is left of what was refused."""

    async def story(desk: Desk) -> str:
        await desk.ask(taking(private_key=""), calls.IssuerImported)
        with pytest.raises(BollardError) as refused:
            await desk.ask(call, calls.IssuerImported)
        return refused.value.code

    assert at_the_desk(home, story) == code
    assert not (home.keys / "theirs.pem").exists()


def test_a_key_that_is_here_comes_once(home: Home) -> None:
    """As before: the same authority is taken in once."""

    async def story(desk: Desk) -> str:
        await desk.ask(taking(private_key=""), calls.IssuerImported)
        await desk.ask(taking(), calls.IssuerImported)
        with pytest.raises(BollardError) as refused:
            await desk.ask(taking(), calls.IssuerImported)
        return refused.value.code

    assert at_the_desk(home, story) == "issuer.exists"


def test_a_root_that_rests_offline_keeps_its_key_there(home: Home) -> None:
    """Its lists are numbered by ceremonies; lists signed here would begin anew below them (RFC 5280 5.2.3)."""

    async def story(desk: Desk) -> str:
        await desk.ask(taking(purpose="root", pem=ROOT.pem, chain="", private_key=""), calls.IssuerImported)
        came = partial(
            ceremonies.add, digest="d" * 64, root_key_id=key_id(ROOT.certificate), number=3, crl=b"x", at=NOW
        )
        await desk.office._desk.ledger.write(lambda tx: came(tx.database))
        with pytest.raises(BollardError) as refused:
            await desk.ask(taking(purpose="root", pem=ROOT.pem, private_key=ROOT.key_pem), calls.IssuerImported)
        return refused.value.code

    assert at_the_desk(home, story) == "issuer.offline"
    assert not (home.keys / "theirs.pem").exists()


def test_the_key_of_a_revoked_authority_is_not_taken(home: Home) -> None:
    """Whoever revoked it wanted nothing more signed with it; no file of it is left."""

    async def story(desk: Desk) -> str:
        await desk.ask(taking(private_key=""), calls.IssuerImported)
        await desk.ask(calls.RetireIssuer("theirs"), calls.Done)
        await desk.ask(calls.RevokeCertificate(f"{STATION_CA.certificate.serial_number:x}"), calls.Done)
        with pytest.raises(BollardError) as refused:
            await desk.ask(taking(), calls.IssuerImported)
        return refused.value.code

    assert at_the_desk(home, story) == "certificate.state"
    assert not (home.keys / "theirs.pem").exists()


def signing_by(home: Home, taken: calls.ImportIssuer) -> tuple[x509.Certificate, bytes]:
    """What an authority signs once it was taken in and is in use: a station's certificate, and one of its lists."""

    async def take(desk: Desk) -> calls.IssuerImported:
        return await desk.ask(taken, calls.IssuerImported)

    async def sign(desk: Desk) -> tuple[str, bytes]:
        await desk.ask(calls.ActivateIssuer(taken.name), calls.Activated)
        await desk.ask(Paper.of(1).add, calls.StationAdded)
        issued = await desk.ask(calls.IssueCertificate("CP-001", Paper.of(1).csr, days=10), calls.CertificateIssued)
        listed = (await desk.ask(calls.SignCrls(taken.name, whole=True), calls.Crls)).crls[0]
        return issued.chain, (await desk.ask(calls.FetchCrl(taken.name, listed.shard), calls.Crl)).der

    at_the_desk(home, take)
    chain, listed = at_the_desk(home, sign)  # as after a restart: how its key signs is kept with the key
    return read_certificates(chain)[0], listed


def test_an_authority_whose_key_is_marked_for_pss_signs_by_pss(home: Home) -> None:
    """RFC 4055 1.2: its leaves and lists are taken by whoever reads its certificate as it is written."""
    theirs = marked_authority(ROOT, rsa_key(), "Their Marked CA")
    leaf, listed = signing_by(home, taking(pem=theirs.pem, chain=ROOT.pem, private_key=theirs.key_pem))

    verify(leaf, [ROOT.certificate], [theirs.certificate], Purpose.STATION, clock.now())
    assert leaf.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS
    assert x509.load_der_x509_crl(listed).signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS


def test_an_authority_that_was_taken_in_when_the_mark_was_not_seen_signs_by_pss_as_well(home: Home) -> None:
    """What its certificate says counts, not what was once noted beside its key."""
    theirs = marked_authority(ROOT, rsa_key(), "Their Marked CA")
    call = taking(pem=theirs.pem, chain=ROOT.pem, private_key=theirs.key_pem)

    async def story(desk: Desk) -> Padding:
        await desk.ask(call, calls.IssuerImported)
        kept = desk.office._desk.keys
        kept.discard("theirs")
        kept.take("theirs", theirs.key)
        return desk.office._desk.issuer("theirs").padding

    assert at_the_desk(home, story) is Padding.PSS


def test_an_authority_whose_key_is_marked_for_other_signatures_comes_without_it(home: Home) -> None:
    """RFC 4055 3.3: what it signs elsewhere is read here; what it would sign here nobody could read."""
    theirs = marked_authority(ROOT, rsa_key(), "Their Marked CA", pss(SHA512, SHA512, 64))
    call = taking(pem=theirs.pem, chain=ROOT.pem, private_key=theirs.key_pem)
    assert refused_code(home, call) == ("issuer.refused", {"plan.mark", "lint.path_length"})

    async def story(desk: Desk) -> str:
        bare = taking(pem=theirs.pem, chain=ROOT.pem, private_key="")
        return (await desk.ask(bare, calls.IssuerImported)).issuer.keeper

    assert at_the_desk(home, story) == "elsewhere"


def test_how_their_rsa_key_signs_is_said_when_it_comes(home: Home) -> None:
    """A00.FR.505 prefers PSS; nothing of the certificate binds a key without a mark."""
    theirs = ROOT.issue("Their RSA CA", "Others", ca=True, key=rsa_key())
    usual = taking(name="usual", pem=theirs.pem, chain=ROOT.pem, private_key=theirs.key_pem, padding="pss")
    leaf, _ = signing_by(home, usual)

    assert leaf.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"padding": "oaep"}, "issuer.key_padding"),
        ({"padding": "pss", "private_key": ""}, "issuer.key_padding"),
        ({"padding": "pss"}, "key.padding"),
    ],
    ids=["no padding", "no key", "no RSA"],
)
def test_a_padding_that_cannot_be_is_refused(home: Home, changed: dict[str, str], code: str) -> None:
    """Nothing of the authority stays."""
    assert refused_code(home, taking(**changed))[0] == code
    assert not (home.keys / "theirs.pem").exists()


def rsa_key() -> rsa.RSAPrivateKey:
    """An RSA key, made once."""
    made = key("rsa2048", "theirs")
    assert isinstance(made, rsa.RSAPrivateKey)
    return made
