"""New settings are in force in every process or in none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pki.edge.home import read_settings
from pki.errors import ConflictError
from secproxy.config import Config, parse_config
from secproxy.edge.claim_wire import ReloadDone, Reloaded
from secproxy.edge.effective import put_in_force
from secproxy.edge.policies import read_policies
from secproxy.edge.reloading import Reloader
from secproxy.reload import Reader
from tests.worlds import make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.events import Note

OPEN = '[allow]\nstation = "all"\ncsms = "all"\n'
BEFORE, AFTER = "ws://127.0.0.1:1", "ws://127.0.0.1:2"


@dataclass
class World:
    """A supervisor whose workers say what a test has them say, and who remembers what was in force when."""

    home: Home
    says: list[Reloaded] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    renewed: set[Reader] = field(default_factory=set)
    taken: bool = False
    settled: list[Config] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    unable: str = ""

    def record(self, note: Note) -> None:
        self.notes.append(note)

    def look_for_room(self, config: Config) -> None:
        if self.taken and config.listeners:
            raise ConflictError("up.address", "it is taken")

    async def try_authority(self) -> None:
        self.tried.append(read_settings(self.home))
        if self.unable:
            raise ConflictError("reload.authority", self.unable)

    def make_room(self, config: Config) -> None:
        self.look_for_room(config)

    def settle(self, config: Config) -> None:
        self.settled.append(config)

    async def tell_workers(self) -> list[Reloaded]:
        self.told.append(in_force(self.home))
        return [self.says.pop(0) if self.says else Reloaded()]

    def renew(self, readers: frozenset[Reader]) -> None:
        self.renewed |= readers


def in_force(home: Home) -> str:
    """The one URL of the settings in force."""
    [upstream] = parse_config((home.run / "config.toml").read_text()).upstreams
    return f"ws://{upstream.urls[0].host}:{upstream.urls[0].port}"


def settled(folder: Path) -> tuple[Home, World, Reloader]:
    """A home that is up with a CSMS named in its file."""
    home = make_home(folder)
    change(home, 'upstream = ""', f'upstream = "{BEFORE}"')

    def read() -> Config:
        return parse_config(read_settings(home))

    put_in_force(home, read(), read_policies(home, read().policies))
    world = World(home)
    return home, world, Reloader(home, read(), read, world)


def change(home: Home, old: str, new: str) -> None:
    """Edit the file as an editor does that writes another one in its place."""
    text = home.settings.read_text()
    assert old in text
    fresh = home.settings.with_suffix(".new")
    fresh.write_text(text.replace(old, new, 1))
    fresh.replace(home.settings)


def test_a_change_is_in_force_before_the_workers_are_told(tmp_path: Path) -> None:
    """They read what was written for them; those who need not know are left alone."""
    home, world, reloader = settled(tmp_path)
    change(home, BEFORE, AFTER)
    assert asyncio.run(reloader.reload()) == ReloadDone(("csms.upstream",))
    assert (world.told, in_force(home)) == ([AFTER], AFTER)
    assert world.renewed == {Reader.WORKER}
    assert [note.cause for note in world.notes] == ["config.reloaded"]
    assert asyncio.run(reloader.reload()) == ReloadDone(())
    assert (len(world.told), len(world.notes)) == (1, 1)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("[web]", "[web", "config.syntax"),
        ("profile = 3", "profile = 9", "config.value"),
        ("[web]", "[webb]", "config.value"),
        ("[organisation]\nname =", '[organisation]\nname = "Other" #', "config.fixed"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path, old: str, new: str, code: str) -> None:
    """The settings before it stay in force, no process hears of it, and the event says why."""
    home, world, reloader = settled(tmp_path)
    change(home, BEFORE, AFTER)
    change(home, old, new)
    done = asyncio.run(reloader.reload())
    assert (done.code, bool(done.cause and done.advice), done.changed) == (code, True, ())
    assert (world.told, world.renewed, in_force(home)) == ([], set(), BEFORE)
    assert [(note.cause, note.evidence["code"]) for note in world.notes] == [("config.refused", code)]
    change(home, new, old)
    assert asyncio.run(reloader.reload()) == ReloadDone(("csms.upstream",))


def test_a_collector_that_could_be_sent_nothing_changes_nothing(tmp_path: Path) -> None:
    """Its secret is not there; when it is, the same file is taken in."""
    home, world, reloader = settled(tmp_path)
    secret = tmp_path / "secret"
    sink = f'[[event_sink]]\nname = "x"\nkind = "webhook"\nurl = "http://127.0.0.1:1"\nsecret_file = "{secret}"\n'
    change(home, "[web]", f"{sink}[web]")
    done = asyncio.run(reloader.reload())
    assert (done.code, done.changed, world.renewed) == ("sink.file", (), set())
    assert [(note.cause, note.evidence["code"]) for note in world.notes] == [("config.refused", "sink.file")]
    secret.write_text("x" * 16)
    secret.chmod(0o600)
    assert asyncio.run(reloader.reload()) == ReloadDone(("event_sink",))


def test_when_one_worker_cannot_take_them_all_go_back(tmp_path: Path) -> None:
    """No two workers ever go on by different settings."""
    home, world, reloader = settled(tmp_path)
    world.says = [Reloaded("upstream.file", "no such file", "Write it.")]
    change(home, BEFORE, AFTER)
    done = asyncio.run(reloader.reload())
    assert (done.code, world.told, in_force(home)) == ("upstream.file", [AFTER, BEFORE], BEFORE)
    assert asyncio.run(reloader.reload()) == ReloadDone(("csms.upstream",))


def test_a_new_address_that_is_taken_is_named_before_anybody_is_told(tmp_path: Path) -> None:
    """Workers share their ports, so they would not notice."""
    home, world, reloader = settled(tmp_path)
    world.taken = True
    change(home, "0.0.0.0:8443", "0.0.0.0:9443")
    done = asyncio.run(reloader.reload())
    assert (done.code, world.told) == ("up.address", [])


def test_a_file_is_read_once_it_has_rested(tmp_path: Path) -> None:
    """Whoever writes it in several steps is not read half way; what was read, right or wrong, is not read again."""
    home, _, reloader = settled(tmp_path)
    assert not reloader.touched()
    change(home, BEFORE, AFTER)
    assert [reloader.touched(), reloader.touched()] == [False, True]
    change(home, AFTER, "ws://127.0.0.1:3")
    assert [reloader.touched(), reloader.touched()] == [False, True]
    asyncio.run(reloader.reload())
    assert [reloader.touched(), reloader.touched()] == [False, False]
    home.settings.unlink()
    assert [reloader.touched(), reloader.touched()] == [False, True]


def lay(home: Home, text: str) -> None:
    """Edit the policy that all stations are under."""
    (home.policies / "proxy").mkdir(parents=True, exist_ok=True)
    (home.policies / "proxy" / "baseline.toml").write_text(text)


def test_a_changed_policy_is_put_in_force_like_a_changed_setting(tmp_path: Path) -> None:
    """It is noticed without being told of, and named by the table that names it."""
    home, world, reloader = settled(tmp_path)
    lay(home, OPEN)
    assert [reloader.touched(), reloader.touched()] == [False, True]
    assert asyncio.run(reloader.reload()) == ReloadDone(("policy",))
    assert (home.run / "policy-baseline.toml").read_text() == OPEN
    assert (world.renewed, [note.evidence["changed"] for note in world.notes]) == ({Reader.WORKER}, ["policy"])
    assert asyncio.run(reloader.reload()) == ReloadDone(())
    lay(home, OPEN + "\n")
    change(home, BEFORE, AFTER)
    assert asyncio.run(reloader.reload()) == ReloadDone(("csms.upstream", "policy"))


def test_a_policy_that_is_wrong_or_that_a_worker_cannot_take_changes_nothing(tmp_path: Path) -> None:
    """The one before it stays in force, in the file as well, for a worker that is started again."""
    home, world, reloader = settled(tmp_path)
    lay(home, OPEN)
    asyncio.run(reloader.reload())
    lay(home, "[[rule]]\n")
    done = asyncio.run(reloader.reload())
    assert (done.code, len(world.told)) == ("policy.wrong", 1)
    lay(home, "")
    world.says = [Reloaded("up.address", "taken", "Choose another.")]
    assert asyncio.run(reloader.reload()).code == "up.address"
    assert (home.run / "policy-baseline.toml").read_text() == OPEN
    change(home, "[proxy]", '[policy]\npreset = "nobodys"\n[proxy]')
    assert asyncio.run(reloader.reload()).code == "policy.unknown"


def test_what_only_the_web_process_reads_is_in_force_before_it_is_started_again(tmp_path: Path) -> None:
    """It reads the settings in force, not the file: without them it would come back as it was."""
    home, world, reloader = settled(tmp_path)
    home.settings.write_text(home.settings.read_text() + '\n[metrics]\naddress = "127.0.0.1:9108"\n')
    done = asyncio.run(reloader.reload())

    assert (done.code, done.changed, world.renewed) == ("", ("metrics",), {Reader.WEB})
    assert parse_config((home.run / "config.toml").read_text()).metrics == ("127.0.0.1", 9108)
    assert world.told == []


def untouched(home: Home, world: World) -> bool:
    """Whether nobody was told anything, and what was in force still is."""
    return not (world.told or world.renewed or world.settled or world.notes) and in_force(home) == BEFORE


def test_what_is_only_judged_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """What it said would change does, when it is put in force afterwards."""
    home, world, reloader = settled(tmp_path)
    lay(home, OPEN)
    change(home, BEFORE, AFTER)
    assert asyncio.run(reloader.judge()) == ReloadDone(("csms.upstream", "policy"))
    assert (untouched(home, world), world.tried) == (True, [])
    assert asyncio.run(reloader.reload()) == ReloadDone(("csms.upstream", "policy"))


STARTS = (
    ("[organisation]\nname =", '[organisation]\nname = "Other" #'),
    ("[proxy]", '[log]\nformat = "json"\n[proxy]\nworker_mib = 512'),
)


def test_what_takes_a_new_start_is_named_and_judged_as_that_start_would(tmp_path: Path) -> None:
    """All of it, beside what would be taken in at once; the authority reads the file as it stands now."""
    home, world, reloader = settled(tmp_path)
    change(home, BEFORE, AFTER)
    for old, new in STARTS:
        change(home, old, new)
    done = asyncio.run(reloader.judge())
    assert (done.code, done.changed) == ("config.fixed", ())
    assert done.cause.startswith("[log], [organisation], [proxy.worker_mib] in bollard.toml")
    assert "it holds" in done.advice
    assert (untouched(home, world), world.tried) == (True, [home.settings.read_text()])


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("[proxy]", '[log]\nformat = "loud"\n[proxy]', "config.value"),
        ("[proxy]", "[proxy]\nworker_mib = 1", "config.value"),
        ("[proxy]", '[hsm]\nmodule = "here"\ntoken = "t"\n[proxy]', "settings.hsm"),
        ("0.0.0.0:8443", "0.0.0.0:9443", "up.address"),
        ("[organisation]\nname =", '[organisation]\nname = "Other" #', "reload.authority"),
        ("[proxy]", "[issuing]\nkeep_old_days = 3\n[proxy]", "reload.authority"),
    ],
)
def test_what_a_start_could_not_use_is_refused_in_its_words(tmp_path: Path, old: str, new: str, code: str) -> None:
    """Before anybody is told to start anew for it."""
    home, world, reloader = settled(tmp_path)
    world.taken, world.unable = code == "up.address", "no key" * (code == "reload.authority")
    change(home, old, new)
    assert asyncio.run(reloader.judge()).code == code
    assert untouched(home, world)
