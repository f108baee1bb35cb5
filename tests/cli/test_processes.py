"""What the command line says lies over the settings; the processes get the sum."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.asked import Asked
from cli.processes import Overrides, configured
from cli.render import Output
from pki.errors import InputError
from pki.station import SecurityProfile
from secproxy.config import ListenerConfig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard

NOTHING: Overrides = {"upstream": None, "listen": (), "workers": None, "web": None}


def asked(home: Path) -> Asked:
    """The choices before the noun."""
    return Asked(home, Output.TABLE, yes=False, dry_run=False)


def test_without_options_the_settings_stand(home: Path) -> None:
    """What ``init`` wrote is what runs."""
    config = configured(asked(home), NOTHING)

    assert config.upstreams == ()
    assert [listener.port for listener in config.listeners] == [8443, 8442]
    assert (config.web.host, config.web.port) == ("0.0.0.0", 8440)  # noqa: S104 - what init writes
    assert config.web.public_url == "https://localhost:8440"


def test_each_option_takes_its_settings_place(home: Path) -> None:
    """Listeners all at once, the rest one by one."""
    given: Overrides = {
        "upstream": "ws://127.0.0.1:9000",
        "listen": (("127.0.0.1:1443", 3),),
        "workers": 2,
        "web": "127.0.0.1:1440",
    }
    config = configured(asked(home), given)

    assert [url.port for each in config.upstreams for url in each.urls] == [9000]
    assert config.listeners == (ListenerConfig("127.0.0.1", 1443, SecurityProfile.MUTUAL_TLS),)
    assert (config.workers, config.web.host, config.web.port) == (2, "127.0.0.1", 1440)


@pytest.mark.parametrize("wrong", [{"upstream": "http://x"}, {"web": "somewhere"}, {"listen": (("no address", 3),)}])
def test_a_wrong_option_is_usage(home: Path, wrong: Overrides) -> None:
    """Refused by the same rules as the settings."""
    with pytest.raises(InputError):
        configured(asked(home), NOTHING | wrong)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        pytest.param(["--listen=127.0.0.1:0=3"], "--listen", id="on the command line"),
        pytest.param([], "listener.address", id="in bollard.toml"),
    ],
)
def test_stations_are_not_given_a_port_of_the_systems_choosing(
    home: Path, bollard: Bollard, words: list[str], key: str
) -> None:
    """Nobody could tell them which, and each worker would have another; it is said before anything starts."""
    if not words:
        text = (home / "bollard.toml").read_text()
        (home / "bollard.toml").write_text(text.replace('"0.0.0.0:8442"', '"[::1]:0"'))
    refused = bollard("--dry-run", "up", "--upstream=ws://127.0.0.1:9", *words)

    assert (refused.code, f"{key}: stations need a port" in refused.err) == (2, True)


@pytest.mark.parametrize("name", ["up", "proxy", "authority", "web"])
def test_a_dry_run_starts_nothing(home: Path, bollard: Bollard, name: str) -> None:
    """It says what would run, and ends."""
    assert bollard("-o", "json", "--dry-run", name).json()["call"] == name
    assert not (home / "run/config.toml").exists()


@pytest.mark.parametrize(("name", "code"), [("reload", 7), ("up", 4), ("proxy", 4)])
def test_a_dry_run_reads_the_policies_too(home: Path, bollard: Bollard, name: str, code: int) -> None:
    """With the exit code of the real one; what is refused then is refused now."""
    settings = home / "bollard.toml"
    settings.write_text(settings.read_text() + '\n[policy]\npreset = "nobodys"\n')
    refused = bollard("-o", "json", "--dry-run", name)
    assert (refused.code, "policy.unknown" in refused.err) == (code, True)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [('[log]\nformat = "loud"\n', "config.value"), ('[hsm]\nmodule = "here"\ntoken = "t"\n', "settings.hsm")],
)
def test_a_dry_run_of_a_reload_judges_what_only_a_start_reads(
    home: Path, bollard: Bollard, wrong: str, code: str
) -> None:
    """Though nothing is up that could say what of it is new."""
    settings = home / "bollard.toml"
    before = settings.read_text()
    fine = bollard("-o", "json", "--dry-run", "reload")
    settings.write_text(f"{before}\n{wrong}")
    refused = bollard("-o", "json", "--dry-run", "reload")
    settings.write_text(before)

    assert (fine.json()["call"], "nothing is up here" in fine.err) == ("reload", True)
    assert (refused.code, code in refused.err) == (2, True)


@pytest.mark.parametrize("name", ["up", "proxy", "authority"])
def test_every_mistake_in_the_settings_is_told_whoever_reads_them(home: Path, bollard: Bollard, name: str) -> None:
    """The authority reads other tables than the proxy; whoever corrects the file does so once."""
    (home / "bollard.toml").write_text((home / "bollard.toml").read_text() + "[listenr]\n[log]\nformat = 1\n")
    told = bollard("-o", "json", name)
    says = [finding["says"].partition(": ")[2] for finding in json.loads(told.err)["error"]["findings"]]
    assert [each.partition(": ")[0] for each in says] == ["listenr", "log.format"]


def test_advice_on_an_option_does_not_send_anybody_to_the_settings(home: Path) -> None:
    """What was typed is corrected where it was typed."""
    with pytest.raises(InputError) as refused:
        configured(asked(home), NOTHING | {"web": "somewhere"})

    assert refused.value.advice == "Correct --web."


def test_the_authority_runs_until_it_is_asked_to_end(home: Path, bollard: Bollard) -> None:
    """It says when it is ready, answers commands meanwhile, and ends with 0."""
    argv = [sys.executable, "-m", "bollard", "--home", str(home), "authority"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "authority ready" in process.stderr.readline()
        assert bollard("-o", "json", "status").json()["processes"] == {"authority": True, "proxy": False}
        assert bollard("authority").code == 7
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0


def test_an_upgrade_of_a_home_that_is_down_says_what_starts_it(bollard: Bollard) -> None:
    """Exit code of a peer that cannot be reached."""
    refused = bollard("upgrade")

    assert (refused.code, "bollard up" in refused.err) == (6, True)


def test_a_dry_run_of_the_authority_opens_its_keys(bollard: Bollard, home: Path) -> None:
    """A passphrase that does not fit is found out before anything depends on it."""
    (home / "keys" / "passphrase").write_text("wrong")
    refused = bollard("--dry-run", "authority")

    assert (refused.code > 0, "passphrase.wrong" in refused.err) == (True, True)
