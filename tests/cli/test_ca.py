"""Our authorities and the trust list by command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from cli.demo.papers import make_ca
from pki.edge.policies import FOLDER
from pki.profile import CertificatePurpose
from tests.certs import Party

if TYPE_CHECKING:
    from tests.cli.conftest import Bollard


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """Somebody else's root."""
    path = tmp_path / "stranger.pem"
    path.write_bytes(make_ca("Maker", "Maker Root").pem())
    return str(path)


def test_our_authorities_are_listed_root_first(bollard: Bollard) -> None:
    """The names are what ``show`` and ``export`` take."""
    names = [row["name"] for row in bollard("-o", "json", "ca", "list").rows("issuers")]

    assert names[0] == "root"
    assert {"csms", "station"} <= set(names)


def test_a_root_is_exported_for_stations(bollard: Bollard, tmp_path: Path) -> None:
    """The same PEM on stdout and in a file."""
    printed = bollard("ca", "export", "root").out
    bollard("ca", "export", "root", "--out", str(tmp_path / "root.pem"))

    assert (
        x509.load_pem_x509_certificate(printed.encode()).subject.rfc4514_string()
        == "CN=Bollard Root CA,O=Test Charging"
    )
    assert (tmp_path / "root.pem").read_text().strip() == printed.strip()


def test_an_authority_is_shown_with_its_certificate(bollard: Bollard) -> None:
    """All there is to know of it."""
    assert str(bollard("-o", "json", "ca", "show", "station").json()["pem"]).startswith("-----BEGIN")
    assert bollard("ca", "show", "nosuch").code == 4


def test_trust_is_given_and_taken_back(bollard: Bollard, stranger: str) -> None:
    """By purpose, and by a beginning of the key's id."""
    assert bollard("ca", "trust", "add", stranger, "--purpose", "firmware", "--vendor", "Maker").code == 0
    (row,) = bollard("-o", "json", "ca", "trust", "list").rows("anchors")
    assert (row["purpose"], row["vendor"], row["subject"]) == ("firmware", "Maker", "CN=Maker Root,O=Maker")

    assert bollard("ca", "trust", "remove", str(row["key_id"])[:16], "--purpose", "firmware").code == 0
    assert bollard("-o", "json", "ca", "trust", "list").rows("anchors") == []


def test_a_root_for_cars_is_trusted_by_the_standards_name(bollard: Bollard, stranger: str) -> None:
    """As InstallCertificate calls it."""
    assert bollard("ca", "trust", "add", stranger, "--purpose", "MORootCertificate").code == 0
    (row,) = bollard("-o", "json", "ca", "trust", "list").rows("anchors")
    assert row["purpose"] == "MORootCertificate"
    assert bollard("ca", "trust", "remove", str(row["key_id"])[:16], "--purpose", "MORootCertificate").code == 0


def test_a_firmware_root_needs_its_vendor(bollard: Bollard, stranger: str) -> None:
    """No manufacturer signs for another."""
    assert bollard("ca", "trust", "add", stranger, "--purpose", "firmware").code == 2


def test_what_is_no_certificate_is_not_trusted(bollard: Bollard, tmp_path: Path) -> None:
    """Not even in a dry run."""
    (tmp_path / "x").write_text("hello")

    assert bollard("--dry-run", "ca", "trust", "add", str(tmp_path / "x"), "--purpose", "station").code == 2


def test_a_v2g_hierarchy_is_made_by_one_command(bollard: Bollard) -> None:
    """Three authorities, told one by one; the chain of the lowest is exported with its root last."""
    told = bollard("-o", "json", "ca", "create", "v2g", "--purpose", "v2g", "--edition", "2")
    chain = x509.load_pem_x509_certificates(bollard("ca", "export", "v2g-sub2", "--chain").out.encode())

    assert [row["name"] for row in told.rows("issuers")] == ["v2g-root", "v2g-sub1", "v2g-sub2"]
    assert isinstance(told.json()["audit_index"], int)
    assert [each.subject.rfc4514_string().split(",")[0] for each in chain] == [
        "CN=CPO Sub-CA 2", "CN=CPO Sub-CA 1", "CN=V2G Root CA",
    ]  # fmt: skip


def test_a_manufacturer_s_hierarchy_signs_for_its_vendor_alone(bollard: Bollard, tmp_path: Path) -> None:
    """Our own root for Maker is trusted for Maker's firmware, and for nobody else's (A00.FR.601)."""
    assert bollard("ca", "create", "maker", "--purpose", "manufacturer", "--vendor", "Maker").code == 0
    bollard("ca", "export", "maker", "--out", str(tmp_path / "maker.pem"))
    trust = ("ca", "trust", "add", str(tmp_path / "maker.pem"), "--purpose", "firmware", "--vendor")

    assert bollard(*trust, "Other").code == 5
    assert bollard(*trust, "Maker").code == 0


def test_a_dry_run_makes_nothing(bollard: Bollard) -> None:
    """It says what would be asked."""
    before = bollard("-o", "json", "ca", "list").out

    assert bollard("-o", "json", "--dry-run", "ca", "create", "x", "--purpose", "station").json()["name"] == "x"
    assert bollard("-o", "json", "ca", "list").out == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("x", "--purpose", "toaster"), 2),
        (("x", "--purpose", "v2g"), 2),
        (("x", "--purpose", "v2g", "--edition", "3"), 2),
        (("station", "--purpose", "station"), 7),
        (("x", "--purpose", "station", "--under", "nobody"), 4),
        (("x", "--purpose", "station", "--days", "20000"), 5),
    ],
)
def test_what_cannot_be_made_has_its_exit_code(bollard: Bollard, words: tuple[str, ...], code: int) -> None:
    """Usage, conflict, not found, refused."""
    assert bollard("ca", "create", *words).code == code


@pytest.fixture
def theirs(tmp_path: Path) -> dict[str, str]:
    """A CA of others with its locked key, its root, and the password, each in a file."""
    root = Party.root("Their Root", "Others")
    party = root.issue("Their CA", "Others", ca=True)
    locked = party.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"geheim"),
    )
    texts = {"ca": party.pem, "root": root.pem, "key": locked.decode(), "password": "geheim\n"}
    for name, text in texts.items():
        (tmp_path / f"their-{name}").write_text(text)
    return {name: str(tmp_path / f"their-{name}") for name in texts}


def test_an_authority_of_others_is_taken_in(bollard: Bollard, theirs: dict[str, str]) -> None:
    """With its key, whose password stands in a file; the root above it is there to be exported."""
    words = ("ca", "import", theirs["ca"], "--purpose", "station", "--chain", theirs["root"], "--key", theirs["key"])
    assert bollard(*words).code == 2
    taken = bollard("-o", "json", *words, "--password-file", theirs["password"])

    assert (taken.json()["name"], taken.json()["keeper"], taken.json()["state"]) == ("station-2", "here", "next")
    assert "Their Root" in x509.load_pem_x509_certificate(
        bollard("ca", "export", "station-2-above-1").out.encode()
    ).subject.rfc4514_string()  # fmt: skip


def test_the_password_may_come_from_the_environment(
    bollard: Bollard, theirs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never from the command line, which others can read; a dry run shows neither key nor password."""
    words = ("ca", "import", theirs["ca"], "--purpose", "csms", "--chain", theirs["root"], "--key", theirs["key"])
    monkeypatch.setenv("BOLLARD_KEY_PASSWORD", "geheim")
    dry = bollard("-o", "json", "--dry-run", *words)

    assert (dry.json()["private_key"], dry.json()["password"]) == ("...", "...")
    assert "geheim" not in dry.out + dry.err
    assert bollard(*words).code == 0


@pytest.mark.parametrize("option", ["--key", "--chain", "--password-file"])
def test_an_empty_file_is_no_option_left_out(
    bollard: Bollard, theirs: dict[str, str], tmp_path: Path, option: str
) -> None:
    """Without its key, with what stands above it, by another password: each would be another act than was meant."""
    (tmp_path / "empty").write_text("\n")
    named = {"--chain": theirs["root"], "--key": theirs["key"], "--password-file": theirs["password"]}
    files = {**named, option: str(tmp_path / "empty")}
    options = [word for pair in files.items() for word in pair]
    told = bollard("ca", "import", theirs["ca"], "--purpose", "station", *options)

    assert (told.code, "file.empty" in told.err) == (2, True)
    assert len(bollard("-o", "json", "ca", "list").rows("issuers")) == 4


def test_a_key_that_was_left_out_is_brought_by_the_same_words_with_it(bollard: Bollard, theirs: dict[str, str]) -> None:
    """The next step of the refusal without it says so."""
    words = ("ca", "import", theirs["ca"], "--purpose", "station", "--chain", theirs["root"])
    assert bollard(*words).code == 0
    again = bollard(*words)
    brought = bollard("-o", "json", *words, "--key", theirs["key"], "--password-file", theirs["password"])

    assert (again.code, "--key" in again.err) == (7, True)
    assert (brought.json()["name"], brought.json()["keeper"]) == ("station-2", "here")


def test_certificates_are_taken_in_der_too(bollard: Bollard, theirs: dict[str, str], tmp_path: Path) -> None:
    """As 'cert lint' takes them."""
    for name in ("ca", "root"):
        certificate = x509.load_pem_x509_certificate(Path(theirs[name]).read_bytes())
        (tmp_path / f"{name}.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    ca, root = (str(tmp_path / f"{name}.der") for name in ("ca", "root"))

    assert bollard("ca", "trust", "add", root, "--purpose", "csms").code == 0
    assert bollard("ca", "import", ca, "--purpose", "csms", "--chain", root).code == 0


def test_a_profile_to_check_must_be_named(bollard: Bollard) -> None:
    """An empty name is no question for the list, and names no file."""
    assert bollard("ca", "profiles", "--check", "").code == 4


def test_an_authority_without_its_root_is_refused(bollard: Bollard, theirs: dict[str, str]) -> None:
    """The next step names the option that is missing."""
    told = bollard("ca", "import", theirs["ca"], "--purpose", "station")

    assert told.code == 5
    assert "--chain" in told.err


def test_the_certificate_profiles_are_listed(bollard: Bollard, home: Path) -> None:
    """Those that ship, and this home's own, which take their place."""
    folder = home / "policies" / "certificates"
    folder.mkdir(parents=True)
    shipped = (FOLDER / "certificates" / "csms.toml").read_text()
    (folder / "csms.toml").write_text(shipped.replace("longest_days = 398\n", "").replace("days = 365", "hours = 20"))
    rows = {row["name"]: row for row in bollard("-o", "json", "ca", "profiles").rows("profiles")}

    assert (rows["csms"]["lifetime"], rows["csms"]["source"]) == ("20h", str(folder / "csms.toml"))
    assert (rows["station"]["lifetime"], rows["station"]["source"]) == ("365d", "shipped")
    assert rows.keys() == {purpose.value for purpose in CertificatePurpose}


def test_a_certificate_profile_is_checked_before_it_is_used(bollard: Bollard, tmp_path: Path) -> None:
    """Each mistake with its line and its clause, all at once."""
    text = (FOLDER / "certificates" / "station.toml").read_text()
    good, bad = tmp_path / "mine.toml", tmp_path / "bad.toml"
    good.write_text(text)
    bad.write_text(text.replace("days = 365", "days = 0", 1) + "colour = 1\n")
    told = bollard("ca", "profiles", "--check", str(bad))

    assert bollard("ca", "profiles", "--check", str(good)).code == 0
    assert told.code == 2
    assert "line 5: days = 0" in told.err
    assert "RFC 5280 4.1.2.5" in told.err
    assert f"line {len(bad.read_text().splitlines())}: 'colour'" in told.err
    assert told.err.count("outside 1..36525 (RFC 5280 4.1.2.5)") == 2  # in the cause, and as a finding of its own
    assert "(RFC 5280 4.1.2.5) (RFC 5280 4.1.2.5)" not in told.err


def test_a_home_with_a_wrong_profile_answers_nothing_else(bollard: Bollard, home: Path) -> None:
    """A mistake is found when it is made, not when the first certificate is due."""
    folder = home / "policies" / "certificates"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("days = 1\n")
    told = bollard("ca", "list")

    assert told.code == 2
    assert "mine.toml: line 1: purpose is missing" in told.err


def test_an_authority_is_followed_by_its_successor(bollard: Bollard) -> None:
    """Made, in use, the former let go; the plan tells the way."""
    made = bollard("-o", "json", "ca", "rollover", "csms")
    steps = bollard("-o", "json", "ca", "rollover", "csms", "--plan").rows("steps")

    assert made.json()["issuer"]["name"] == "csms-2"  # type: ignore[index]  # JSON
    assert [row["done"] for row in steps] == [1, 0, 0, 0]
    assert bollard("ca", "retire", "csms").code == 7
    assert bollard("-o", "json", "ca", "activate", "csms-2").json()["unconfirmed"] == 0
    assert bollard("ca", "retire", "csms").code == 5
    assert bollard("rotate").code == 0
    assert bollard("ca", "retire", "csms").code == 0
    names = [row["name"] for row in bollard("-o", "json", "ca", "list").rows("issuers")]
    assert "csms-2" in names
    assert "csms" not in names


def test_a_new_root_comes_with_its_link_and_stations_are_confirmed(bollard: Bollard) -> None:
    """Both can be exported for InstallCertificate; a dry run makes neither."""
    assert bollard("--dry-run", "ca", "rollover", "root").code == 0
    assert bollard("ca", "export", "root-2").code == 4
    made = bollard("-o", "json", "ca", "rollover", "root", "--name", "Root of 2040").json()

    assert made["link"]["subject"] == "CN=Root of 2040,O=Test Charging"  # type: ignore[index]  # JSON
    assert bollard("ca", "export", "root-2-link").out.startswith("-----BEGIN")
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    assert "1 stations are not known" in bollard("ca", "activate", "root-2").err
    assert bollard("ca", "retire", "root").code == 5
    assert bollard("station", "confirm", "CP-1", "--root", "root-2").code == 0
    assert bollard("station", "confirm", "CP-2", "--root", "root-2").code == 4
    plan = {row["says"]: row["done"] for row in bollard("-o", "json", "ca", "rollover", "root", "--plan").rows("steps")}
    assert plan["confirm each station that has it"] == 1


def test_lists_tell_whose_and_which_and_what_only_stands_above(bollard: Bollard, theirs: dict[str, str]) -> None:
    """Two manufacturers and two editions are told apart; a root of others is no second root of ours."""
    bollard("ca", "create", "volta", "--purpose", "manufacturer", "--vendor", "Volta")
    bollard("ca", "create", "v2g", "--purpose", "v2g", "--edition", "20")
    bollard("ca", "import", theirs["ca"], "--purpose", "operator", "--chain", theirs["root"])
    rows = {row["name"]: row for row in bollard("-o", "json", "ca", "list").rows("issuers")}
    header, *_ = bollard("ca", "list").out.splitlines()

    assert rows["volta"]["vendor"] == "Volta"
    assert {str(row["edition"]) for name, row in rows.items() if str(name).startswith("v2g")} == {"20"}
    assert [row["purpose"] for row in rows.values()].count("root") == 1
    assert (rows["operator"]["purpose"], rows["operator-above-1"]["purpose"]) == ("operator", "above")
    assert (rows["station"]["vendor"], rows["station"]["edition"]) == ("", "")
    assert {"vendor", "edition"} <= set(header.split())
