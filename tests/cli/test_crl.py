"""Lists of revoked certificates by command: seen, signed, and written out for others to serve."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard, Told


def test_lists_are_signed_and_written_out(bollard: Bollard, tmp_path: Path) -> None:
    """Each shard in a file, replaced whole a second time, as a nightly job needs it; numbers grow."""
    folder = tmp_path / "lists"
    folder.mkdir()
    told = bollard("-o", "json", "crl", "publish", "station", "--out", str(folder))
    files = sorted(folder.iterdir())
    lists = [x509.load_der_x509_crl(file.read_bytes()) for file in files]

    assert told.code == 0
    assert len(told.rows("crls")) == len(files) == 32
    assert {crl.issuer.rfc4514_string() for crl in lists} == {"CN=Bollard Station CA,O=Test Charging"}
    assert bollard("crl", "publish", "station", "--out", str(folder)).code == 0
    assert [file.read_bytes() for file in files] == [crl.public_bytes(Encoding.DER) for crl in lists]
    assert bollard("crl", "publish", "station", "--now", "--out", str(folder)).code == 0
    assert sorted(folder.iterdir()) == files
    assert all(file.read_bytes() != crl.public_bytes(Encoding.DER) for file, crl in zip(files, lists, strict=True))
    before, after = (_numbers(rows) for rows in (told, bollard("-o", "json", "crl", "show", "station")))
    assert before.keys() == after.keys()
    assert all(after[shard] > before[shard] for shard in before)


def _numbers(told: Told) -> dict[str, int]:
    """Each shard's number."""
    return {str(row["shard"]): int(str(row["number"])) for row in told.rows("crls")}


def test_one_list_of_all_is_written_where_it_is_asked_for(bollard: Bollard, tmp_path: Path) -> None:
    """OpenSSL reads it."""
    assert bollard("crl", "publish", "csms", "--whole", "--out", str(tmp_path)).code == 0
    argv = ["openssl", "crl", "-inform", "DER", "-in", str(tmp_path / "csms.crl"), "-noout", "-text"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    assert "No Revoked Certificates" in said
    assert "Issuing Distribution Point" not in said


def test_lists_are_published_during_a_roots_rollover(bollard: Bollard, tmp_path: Path) -> None:
    """The link has the new root's key, and signs no list of its own."""
    assert bollard("ca", "rollover", "root").code == 0
    told = bollard("crl", "publish", "--out", str(tmp_path))
    assert told.code == 0
    assert (tmp_path / "root-2-0.crl").exists()
    assert bollard("crl", "publish", "--now", "--out", str(tmp_path / "nowhere")).code == 4


def test_one_issuer_that_cannot_sign_stops_no_other(bollard: Bollard, home: Path, tmp_path: Path) -> None:
    """It is named, the others' lists are there, and a script sees by the exit code that one is not."""
    (home / "keys" / "csms.pem").unlink()
    told = bollard("crl", "publish", "--out", str(tmp_path))
    assert told.code == 8
    assert "crl.partly" in told.err
    assert "csms: key.missing" in told.err
    assert {file.name.partition("-")[0] for file in tmp_path.glob("*.crl")} == {"root", "station"}
    assert bollard("crl", "publish", "csms", "--out", str(tmp_path)).code != 8


def test_what_is_not_there_is_said(bollard: Bollard) -> None:
    """An empty table before the first, an error for an authority that is none, nothing done by a dry run."""
    assert bollard("-o", "json", "crl", "show").rows("crls") == []
    assert bollard("crl", "show", "nobody").code == 4
    assert bollard("crl", "publish", "nobody").code == 4
    assert "crl.elsewhere" in bollard("crl", "publish", "ocsp").err
    assert bollard("--dry-run", "crl", "publish").code == 0
    assert bollard("-o", "json", "crl", "show").rows("crls") == []
