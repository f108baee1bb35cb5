"""``bollard cert verify``: a verdict on stdout, its exit code beside it, and no home anywhere near."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.main import run
from tests.chains import LEAF, chain, crl, entry, ext, raw, root, san
from tests.cli.conftest import Told
from tests.pki.papers import key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard

AT = ("--at", "2026-06-01T12:00:00Z")


def files() -> dict[str, bytes]:
    """A chain, its lists, and things that are none of it."""
    leaf, middle, anchor = chain(san("a.example.org"))
    device = anchor.issue("Device", key("p256", "chain-leaf"), version=b"", without=("551d0e", "551d23"))
    return {
        "leaf.pem": leaf.pem,
        "leaf.der": leaf.der,
        "ca.pem": middle.pem,
        "root.pem": anchor.pem,
        "ca.crl": crl(middle),
        "root.crl": crl(anchor),
        "revoked.crl": crl(middle, entry(7)),
        "bad.der": chain(raw("551d0e", b"\xff"))[0].der,
        "noise": b"\xff\xfe" * 500,
        "half.der": leaf.der[:-9],
        "v1.der": device.der,
    }


@pytest.fixture
def verify(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bollard:
    """The command in a folder with a chain, where no home is."""
    for name, content in files().items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)

    def ask(*words: str) -> Told:
        capsys.readouterr()
        before = words[:2] if words[0] == "-o" else ()
        code = run([*before, "--home", str(tmp_path / "none"), "cert", "verify", *AT, *words[len(before) :]])
        said = capsys.readouterr()
        return Told(code, said.out, said.err)

    return ask


GOOD = ("--anchor", "root.pem", "--intermediate", "ca.pem")


def test_a_good_chain_is_accepted_with_its_path(verify: Bollard) -> None:
    """Zero, and everything a script needs."""
    told = verify("-o", "json", *GOOD, "--purpose", "csms", "--name", "A.example.org", "leaf.der")

    assert told.code == 0
    assert told.json() == {
        "schema_version": 1,
        "accepted": True,
        "purpose": "csms",
        "at": "2026-06-01T12:00:00Z",
        "name": "a.example.org",
        "path": [{"subject": f"CN={name}", "serial": "7"} for name in ("Leaf", "CA", "Root")],
        "findings": [],
    }


def test_a_bad_one_is_refused_with_all_that_is_wrong(verify: Bollard) -> None:
    """Five; the verdict is data on stdout, the error is talk on stderr."""
    told = verify("-o", "json", *GOOD, "--purpose", "csms", "--name", "b.example.org", "--crl", "ca.crl", "leaf.pem")
    findings = told.rows("findings")

    assert told.code == 5
    assert told.json()["accepted"] is False
    assert {str(finding["code"]) for finding in findings} == {"chain.name", "chain.status"}
    assert all({"code", "severity", "clause", "says"} == set(finding) for finding in findings)
    assert '"exit_code": 5' in told.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param((*GOOD, "leaf.pem"), 0, id="good"),
        pytest.param((*GOOD, "--crl", "ca.crl", "--crl", "root.crl", "leaf.pem"), 0, id="good, by all lists"),
        pytest.param((*GOOD, "--crl", "revoked.crl", "--crl", "root.crl", "leaf.pem"), 5, id="revoked"),
        pytest.param((*GOOD, "--at", "2036-01-01", "leaf.pem"), 5, id="long expired"),
        pytest.param((*GOOD, "--at", "2026-06-01T14:00:00+02:00", "leaf.pem"), 0, id="at a time with an offset"),
        pytest.param(("--anchor", "root.pem", "leaf.pem"), 5, id="nothing between"),
        pytest.param((*GOOD, "bad.der"), 5, id="a malformed leaf"),
        pytest.param((*GOOD, "half.der"), 2, id="half a certificate"),
        pytest.param((*GOOD, "noise"), 2, id="noise"),
        pytest.param((*GOOD, "--crl", "leaf.pem", "leaf.pem"), 2, id="a certificate for a list"),
        pytest.param((*GOOD, "missing.pem"), 4, id="a file that is not there"),
        pytest.param((*GOOD, "."), 2, id="a folder, which is there and cannot be read"),
        pytest.param(("--anchor", "missing.pem", "leaf.pem"), 4, id="an anchor that is not there"),
        pytest.param(("leaf.pem",), 2, id="no anchor"),
        pytest.param((*GOOD,), 2, id="no leaf"),
        pytest.param((*GOOD, "--purpose", "world", "leaf.pem"), 2, id="no purpose"),
        pytest.param((*GOOD, "--at", "noon", "leaf.pem"), 2, id="no time"),
        pytest.param((*GOOD, "--name", "*.example.org", "leaf.pem"), 2, id="no name"),
    ],
)
def test_the_exit_code_says_how_it_came_out(verify: Bollard, words: tuple[str, ...], code: int) -> None:
    """0 accepted, 5 refused, 2 what cannot be read, 4 what is not there; never a traceback."""
    told = verify(*words)

    assert (told.code, "Traceback" in told.err) == (code, False)
    assert bool(told.err) is (code != 0)


def test_a_person_sees_the_path_and_the_reasons(verify: Bollard) -> None:
    """In words, each where it belongs."""
    told = verify(*GOOD, "--purpose", "station", "--name", "b.example.org", "leaf.pem")

    assert "accepted  no" in told.out
    assert "CN=Leaf" in told.out
    assert "error[chain.name]" in told.err


def test_a_warning_is_told_with_a_yes(verify: Bollard) -> None:
    """A device's certificate of version 1: nothing weak in it, and worth knowing."""
    told = verify("--anchor", "root.pem", "--purpose", "station", "v1.der")

    assert told.code == 0
    assert "warning[chain.malformed]" in told.err


def test_a_stranger_s_strange_values_bring_no_warning_of_a_library(verify: Bollard, tmp_path: Path) -> None:
    """What a library has to say about them is for programmers."""
    strange = b"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x06\x0c\x03DEU"
    (tmp_path / "strange.der").write_bytes(root().issue(strange, key("p256", "chain-leaf"), ext(LEAF)).der)

    told = verify("--anchor", "root.pem", "strange.der")

    assert (told.code, told.err) == (0, "")
