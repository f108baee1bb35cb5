"""Certificates by command: issued for a station's own request, looked up, revoked for good."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cli.demo.papers import write_station_request
from pki.edge.policies import FOLDER
from tests.pki.papers import request
from tests.pki.specimens import SECC_ID

if TYPE_CHECKING:
    from tests.cli.conftest import Bollard, Told


@pytest.fixture
def csr(bollard: Bollard, tmp_path: Path) -> str:
    """A registered station's request."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    write_station_request(tmp_path, "cp", "Test Charging", "S1")
    return str(tmp_path / "cp.csr")


def issue(bollard: Bollard, csr: str, *words: str) -> Told:
    """Issue for CP-1 and answer in JSON."""
    return bollard("-o", "json", "cert", "issue", "--station", "CP-1", "--csr", csr, *words)


def serial_of(told: Told) -> str:
    """The serial of what was issued."""
    certificate = told.json()["certificate"]
    assert isinstance(certificate, dict)
    return str(certificate["serial"])


def test_the_chain_goes_to_stdout_in_pem(bollard: Bollard, csr: str) -> None:
    """Leaf first, bound to the registered serial (A00.FR.511), and nothing else on stdout."""
    told = bollard("cert", "issue", "--station", "CP-1", "--csr", csr)
    chain = x509.load_pem_x509_certificates(told.out.encode())

    assert told.out.startswith("-----BEGIN CERTIFICATE-----")
    assert chain[0].subject.rfc4514_string() == "CN=S1,O=Test Charging"
    assert "recorded in the audit log" in told.err


def test_the_chain_goes_to_a_file_that_was_not_there(bollard: Bollard, csr: str, tmp_path: Path) -> None:
    """An existing file is kept, and nothing is issued for it; ``--yes`` replaces it."""
    out = tmp_path / "cp.pem"
    out.write_text("mine")
    before = bollard("-o", "json", "cert", "list", "--station", "CP-1").rows("certificates")

    assert issue(bollard, csr, "--out", str(out)).code == 7
    assert bollard("-o", "json", "cert", "list", "--station", "CP-1").rows("certificates") == before
    assert bollard("--yes", "cert", "issue", "--station", "CP-1", "--csr", csr, "--out", str(out)).code == 0
    assert out.read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_a_request_with_another_name_exits_with_five(bollard: Bollard, csr: str, tmp_path: Path) -> None:
    """The refusal names its clause."""
    write_station_request(tmp_path, "other", "Test Charging", "S2")
    told = bollard("cert", "issue", "--station", "CP-1", "--csr", csr.replace("cp.csr", "other.csr"))

    assert told.code == 5
    assert "A00.FR." in told.err


def test_what_is_no_request_is_refused_before_it_is_asked(bollard: Bollard, tmp_path: Path) -> None:
    """A dry run tells as much."""
    (tmp_path / "x").write_text("hello")

    assert bollard("--dry-run", "cert", "issue", "--station", "CP-1", "--csr", str(tmp_path / "x")).code == 2


def test_what_was_noticed_is_told(bollard: Bollard, csr: str, tmp_path: Path) -> None:
    """On stderr for people, in the record for programs: what goes in, what was left out, what ends earlier."""
    holder = ec.generate_private_key(ec.SECP256R1())
    names = ((NameOID.COMMON_NAME, "S1"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "Works"))
    wanted = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(*each) for each in names]))
    wanted = wanted.add_extension(x509.BasicConstraints(True, None), critical=True)
    Path(csr).write_bytes(wanted.sign(holder, hashes.SHA256()).public_bytes(Encoding.PEM))
    bollard("ca", "create", "short", "--purpose", "station", "--days", "360")
    bollard("ca", "activate", "short")
    table = bollard("cert", "issue", "--station", "CP-1", "--csr", csr)
    told = issue(bollard, csr)
    assert told.code == 0, told.err
    noticed = {"csr.organisation", "csr.names", "csr.extensions", "plan.shortened"}

    assert {row["code"] for row in told.rows("findings")} == noticed
    assert {row["severity"] for row in told.rows("findings")} == {"warning"}
    assert noticed <= {line.partition("[")[2].partition("]")[0] for line in table.err.splitlines()}
    assert all(f"warning[{code}]" in told.err for code in noticed)


def test_nothing_noticed_is_told_as_that(bollard: Bollard, csr: str) -> None:
    """Programs find an empty list, people no line."""
    told = issue(bollard, csr)

    assert told.rows("findings") == []
    assert "warning" not in told.err


def test_a_dry_run_ends_as_the_real_one_would(bollard: Bollard, csr: str, tmp_path: Path) -> None:
    """A station that is not there, a request with another name, a serial that was never issued."""
    write_station_request(tmp_path, "other", "Test Charging", "S2")
    for words in (
        ("cert", "issue", "--station", "NOPE", "--csr", csr),
        ("cert", "issue", "--station", "CP-1", "--csr", str(tmp_path / "other.csr")),
        ("cert", "revoke", "abcdef"),
    ):
        assert bollard("--dry-run", *words).code == bollard(*words).code > 3
    assert bollard("--dry-run", "cert", "issue", "--station", "CP-1", "--csr", csr).code == 0
    assert bollard("-o", "json", "cert", "list", "--station", "CP-1").rows("certificates") == []


def test_certificates_carry_the_fixed_fields(bollard: Bollard, csr: str) -> None:
    """Scripts depend on these names."""
    serial = serial_of(issue(bollard, csr, "--days", "100"))
    shown = bollard("-o", "json", "cert", "show", serial).json()

    assert {"serial", "subject", "issuer", "not_before", "not_after", "status", "station"} <= set(shown)
    assert (shown["serial"], shown["status"], shown["station"]) == (serial, "valid", "CP-1")


def test_only_what_ends_soon_is_listed(bollard: Bollard, csr: str) -> None:
    """The question that prevents an outage."""
    serial = serial_of(issue(bollard, csr, "--days", "100"))

    def listed(span: str) -> list[object]:
        found = bollard("-o", "json", "cert", "list", "--station", "CP-1", "--expiring", span).rows("certificates")
        return [row["serial"] for row in found]

    assert listed("101d") == [serial]
    assert listed("99d") == []
    bollard("cert", "revoke", serial)
    assert listed("101d") == []
    assert serial in bollard("cert", "list", "--expiring", "101d", "--status", "revoked").out


def test_a_revocation_is_final(bollard: Bollard, csr: str) -> None:
    """Once is enough, twice is a conflict, and unknown serials are not found."""
    serial = serial_of(issue(bollard, csr))

    assert bollard("cert", "revoke", serial, "--reason", "key_compromise").code == 0
    assert bollard("-o", "json", "cert", "show", serial).json()["status"] == "revoked"
    assert bollard("cert", "revoke", serial).code == 7
    assert bollard("cert", "revoke", "abcdef").code == 4


def test_why_and_since_when_is_shown(bollard: Bollard, csr: str) -> None:
    """In each form; a compromise that is learnt later takes the reason's place, not the day's."""
    serial = serial_of(issue(bollard, csr))
    assert bollard("-o", "json", "cert", "show", serial).json()["revoked_at"] is None
    bollard("cert", "revoke", serial, "--reason", "superseded")
    before = bollard("-o", "json", "cert", "show", serial).json()
    assert bollard("cert", "revoke", serial, "--reason", "key_compromise").code == 0
    after = bollard("-o", "json", "cert", "show", serial).json()
    table = bollard("cert", "show", serial).out

    assert (before["reason"], after["reason"]) == ("superseded", "key_compromise")
    assert before["revoked_at"] == after["revoked_at"]
    assert str(after["revoked_at"]) in table
    assert "key_compromise" in table
    listed = bollard("-o", "json", "cert", "list", "--station", "CP-1").rows("certificates")
    assert [row["reason"] for row in listed] == ["key_compromise"]


def test_all_valid_certificates_of_a_station_are_revoked(bollard: Bollard, csr: str) -> None:
    """One command when a station is stolen; a dry run lists what it would take."""
    issued = {serial_of(issue(bollard, csr)), serial_of(issue(bollard, csr))}
    dry = bollard("-o", "json", "--dry-run", "cert", "revoke", "--station", "CP-1").json()["serials"]
    told = bollard("-o", "json", "cert", "revoke", "--station", "CP-1").json()["revoked"]

    assert isinstance(dry, list)
    assert isinstance(told, list)
    assert set(dry) == set(told) == issued
    none_left = bollard("cert", "revoke", "--station", "CP-1")
    assert none_left.code == 4
    assert none_left.err.startswith("error[certificate.unknown]")


@pytest.mark.parametrize(
    "words", [(), ("abcdef", "--reason", "because"), ("abcdef", "--reason", "removeFromCRL"), ("xyz",)]
)
def test_a_revocation_needs_a_name_and_a_reason_of_the_standard(bollard: Bollard, words: tuple[str, ...]) -> None:
    """Usage, exit code 2 (RFC 5280 5.3.1)."""
    assert bollard("cert", "revoke", *words).code == 2


def test_an_authority_in_use_is_revoked_where_that_is_spelled_out(bollard: Bollard, csr: str) -> None:
    """The refusal is the command to copy; then issuing says what is next, and the doctor that it is critical."""
    rows = bollard("-o", "json", "cert", "list", "--purpose", "issuing").rows("certificates")
    (serial,) = (str(row["serial"]) for row in rows if "Station CA" in str(row["subject"]))
    refused = bollard("cert", "revoke", serial, "--reason", "ca_compromise")
    assert refused.code == 7
    assert f"bollard cert revoke {serial} --authority --reason ca_compromise" in refused.err

    assert bollard("cert", "revoke", serial, "--authority", "--reason", "ca_compromise").code == 0
    issuing = bollard("cert", "issue", "--station", "CP-1", "--csr", csr)
    assert issuing.code == 7
    assert "bollard ca rollover station, then bollard ca activate" in issuing.err
    assert "revoked" in {row["state"] for row in bollard("-o", "json", "ca", "list").rows("issuers")}
    told = bollard("-o", "json", "doctor")
    assert told.code == 1
    assert told.rows("symptoms")[0]["what"] == "authority for station"


def test_nothing_is_issued_when_the_chain_could_not_be_written(bollard: Bollard, csr: str, tmp_path: Path) -> None:
    """A folder that is missing is found before the signature, not after."""
    assert issue(bollard, csr, "--out", str(tmp_path / "missing" / "chain.pem")).code == 4
    assert bollard("-o", "json", "cert", "list", "--station", "CP-1").rows("certificates") == []


def test_a_certificate_is_shown_in_pem(bollard: Bollard, csr: str, tmp_path: Path) -> None:
    """On stdout, in a file, and in the record for programs; the one that was issued."""
    serial = serial_of(issue(bollard, csr))
    printed = bollard("cert", "show", serial, "--pem").out
    bollard("cert", "show", serial, "--out", str(tmp_path / "one.pem"))

    assert x509.load_pem_x509_certificate(printed.encode()).serial_number == int(serial, 16)
    assert (tmp_path / "one.pem").read_text().strip() == printed.strip()
    assert str(bollard("-o", "json", "cert", "show", serial, "--pem").json()["pem"]).strip() == printed.strip()
    assert bollard("cert", "show", "abcdef", "--pem").code == 4


def test_lists_know_purposes(bollard: Bollard, csr: str) -> None:
    """Ours, and what others were given."""
    serial = serial_of(issue(bollard, csr))

    assert [
        row["serial"] for row in bollard("-o", "json", "cert", "list", "--purpose", "station").rows("certificates")
    ] == [serial]
    assert len(bollard("-o", "json", "cert", "list", "--purpose", "csms").rows("certificates")) == 2


def test_what_a_station_shows_to_cars_is_issued_by_its_secc_id(bollard: Bollard, csr: str, tmp_path: Path) -> None:
    """Leaf, Sub-CA 2, Sub-CA 1; a name beside the SECCID is one too many."""
    (tmp_path / "secc.csr").write_text(request((SECC_ID,), ("Test Charging",)))
    bollard("ca", "create", "v2g", "--purpose", "v2g", "--edition", "2")
    words = (
        "cert",
        "issue",
        "--certificate-profile",
        "v2g-secc-2",
        "--station",
        "CP-1",
        "--csr",
        str(tmp_path / "secc.csr"),
    )

    assert bollard(*words, "--seccid", SECC_ID, "--name", "x").code == 2
    assert bollard(*words).code == 2
    assert len(x509.load_pem_x509_certificates(bollard(*words, "--seccid", SECC_ID).out.encode())) == 3


def test_a_home_s_own_profile_is_followed(bollard: Bollard, csr: str, home: Path) -> None:
    """By its name, or in place of the one that ships; a version of OCPP has keys of its own."""
    folder = home / "policies" / "certificates"
    folder.mkdir(parents=True)
    shipped = (FOLDER / "certificates" / "station.toml").read_text()
    (folder / "short.toml").write_text(
        shipped.replace("days = 365", "days = 100") + '[versions."ocpp1.6"]\neku = ["client_auth"]\ndays = 50\n'
    )

    def days(*words: str) -> int:
        issued = issue(bollard, csr, "--certificate-profile", "short", *words).json()["certificate"]
        assert isinstance(issued, dict)
        ends, begins = (dt.datetime.fromisoformat(str(issued[name])) for name in ("not_after", "not_before"))
        return (ends - begins).days

    assert days() == 100
    assert bollard("station", "set", "CP-1", "--protocol", "ocpp1.6").code == 0
    assert days() == 50
    assert bollard("station", "set", "CP-1", "--protocol", "ocpp1.5").code == 2
    assert bollard("station", "set", "CP-1").code == 2


def test_a_renewal_needs_something_to_renew(bollard: Bollard, csr: str) -> None:
    """The first certificate is issued, not renewed."""
    words = ("cert", "renew", "--station", "CP-1", "--csr", csr)

    assert bollard(*words).code == 4
    issue(bollard, csr)
    assert bollard(*words).code == 0


@pytest.mark.parametrize(("words", "valid"), [((), 2), (("--supersede",), 1)])
def test_the_former_certificate_stays_until_the_new_one_is_in_use_unless_told_otherwise(
    bollard: Bollard, csr: str, words: tuple[str, ...], valid: int
) -> None:
    """A02.FR.10: the station may need it to fall back on."""
    issue(bollard, csr)
    new = serial_of(bollard("-o", "json", "cert", "renew", "--station", "CP-1", "--csr", csr, *words))
    rows = bollard("-o", "json", "cert", "list", "--station", "CP-1", "--status", "valid").rows("certificates")

    assert len(rows) == valid
    assert new in {row["serial"] for row in rows}
