"""With what the processes of a home are started; that they start is seen where all are brought up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge import log
from secproxy.edge import births, children
from secproxy.edge.claim_wire import Mate
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.edge.children import Child

PYTHON = "/opt/bollard/bin/python3"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return bare_home(tmp_path / "h")


@pytest.fixture
def _as_json() -> Iterator[None]:
    log.begin("supervisor", log.Form.JSON)
    yield
    log.begin("", log.Form.TEXT)


def all_of(home: Home) -> dict[str, Child]:
    """One of each."""
    return {
        "authority": births.authority(home, PYTHON, print),
        "web": births.web(home, PYTHON, 45.0, print, print),
        "worker": births.worker(home, PYTHON, Mate(3, 2), 20.0, print, print),
    }


def test_secrets_go_to_the_authority_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else stands in the environment goes to all."""
    names = ("BOLLARD_PASSPHRASE", "BOLLARD_PASSPHRASE_FILE", "BOLLARD_HSM_PIN", "BOLLARD_KEY_PASSWORD_X")
    for name in (*names, "LANG"):
        monkeypatch.setenv(name, "x")
    for kind, child in all_of(home).items():
        assert {name for name in names if name in child._env} == (set(names) if kind == "authority" else set())
        assert child._env["LANG"] == "x"


def test_each_is_the_command_of_its_name_in_the_interpreter_given(home: Home) -> None:
    """With the home's own path; a worker is told its number, and its generation from the second on."""
    found = {kind: child._argv for kind, child in all_of(home).items()}
    begin = (PYTHON, "-P", "-m", "bollard", "--home", str(home.path.absolute()))

    assert {kind: words[len(begin) :] for kind, words in found.items()} == {
        "authority": ("authority",),
        "web": ("web",),
        "worker": ("worker", "--number", "3", "--generation", "2"),
    }
    assert all(words[: len(begin)] == begin for words in found.values())
    first = births.worker(home, PYTHON, Mate(0), 20.0, print, print)
    assert (first.name, first._argv[len(begin) :]) == ("worker 0", ("worker", "--number", "0"))
    assert births.authority_rehearsal(home, PYTHON) == (*begin, "--dry-run", "authority")


def test_each_is_given_the_time_that_its_farewell_takes(home: Home) -> None:
    """Workers for their stations, web for its downloads, and all a while for themselves before they are killed."""
    found = {kind: child._grace - children.GRACE_SECONDS for kind, child in all_of(home).items()}

    assert found == {"authority": 0.0, "web": 45.0, "worker": 20.0}


@pytest.mark.usefixtures("_as_json")
def test_they_write_lines_as_their_parent_does(home: Home) -> None:
    """Programs read all of them or none."""
    assert all(child._argv[-2:] == ("--log-format", "json") for child in all_of(home).values())


def test_no_session_of_theirs_gives_tickets(home: Home) -> None:
    """OpenSSL reads its file in those that speak TLS."""
    found = all_of(home)
    assert all(found[kind]._env["OPENSSL_CONF"].endswith("openssl.cnf") for kind in ("web", "worker"))
