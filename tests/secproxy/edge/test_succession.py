"""A supervisor becomes other code: what is handed on arrives, and what cannot take over is found out before."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.errors import ConflictError
from secproxy.claims import Claims, Grant, Wanted
from secproxy.edge import succession
from secproxy.edge.claim_estate import Kept
from secproxy.edge.claim_wire import Mate
from secproxy.edge.sockets import Place
from secproxy.edge.succession import HANDED, REHEARSED, Estate, KeptChild, KeptSocket, Successor, rehearse
from secproxy.lockout import Lockouts
from secproxy.tally import Totals

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "192.0.2.1"


def estate(**other: object) -> Estate:
    """Something of everything."""
    claims, lockouts, totals = Claims(), Lockouts(), Totals()
    claims.tell(Wanted(1, 1, "CP-1", b"\x00\xff"), 5.0)
    claims.tell(Wanted(2, 7, "CP-1", b"\x00\xff"), 6.0)
    for _ in range(6):
        lockouts.attempt("CP-1", HERE, 7.0)
        lockouts.failed(HERE, 7.0)
    lockouts.proved("CP-2", HERE)
    totals.take(1, {"messages_total station": 2}, {"claims": 1})
    desk = Kept(
        mates={1: Mate(0), 2: Mate(1, 2)},
        open={1: Mate(0)},
        claims=claims,
        lockouts=lockouts.kept(),
        totals=totals,
        probes={1: "CP-1"},
    )
    children = [KeptChild("worker 0", 7, 1.5, 2, 9, Mate(0)), KeptChild("web", 0, 0.0, 1, -1)]
    sockets = [KeptSocket(Place("stations", "::1", 8443, 1), 5)]
    made = Estate(3, 1.25, 2, 3, 'name = "Ä"', {"p": "x"}, children, sockets, desk)
    return msgspec.structs.replace(made, **other)


def program(code: str) -> Callable[[], tuple[str, ...]]:
    """Code in the place of what is installed."""
    return lambda: (sys.executable, "-c", code)


def test_what_is_handed_on_arrives_whole_and_lies_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read once, from a file without a name; what is known of stations and of guessers goes on as it was."""
    left = estate()
    with succession._written(left) as file:
        assert str(Path(f"/proc/self/fd/{file}").readlink()).startswith("/memfd:")
        monkeypatch.setenv(HANDED, str(os.dup(file)))
        found = succession.inherited()
    assert found == left
    assert (HANDED in os.environ, succession.inherited(), succession.rehearsed()) == (False, None, None)
    wait = Lockouts(found.desk.lockouts).attempt("CP-1", HERE, 8.0)
    assert wait is not None
    assert Lockouts(found.desk.lockouts).attempt("CP-2", HERE, 8.0) is None
    assert found.desk.claims.tell(Wanted(3, 1, "CP-3", b""), 9.0) == [Grant(3, 1, 2)]


def test_workers_of_code_that_told_nothing_of_it_are_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hand on nothing of what they know, and would not understand the question."""
    fields = msgspec.json.decode(msgspec.json.encode(estate(bequests=1)))
    del fields["bequests"]
    file = os.memfd_create("test")
    os.write(file, msgspec.json.encode(fields))
    monkeypatch.setenv(HANDED, str(file))
    found = succession.inherited()

    assert found is not None
    assert found.bequests == 0


@pytest.mark.parametrize(
    "wrong", [b"{}", b'{"form": 1', msgspec.json.encode(estate(form=99))], ids=["{}", "cut", "form"]
)
def test_what_another_form_hands_on_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: bytes) -> None:
    """Before anything is done with it."""
    file = os.memfd_create("test")
    os.write(file, wrong)
    monkeypatch.setenv(REHEARSED, str(file))
    with pytest.raises(ConflictError) as refused:
        succession.rehearsed()
    assert refused.value.code == "upgrade.form"


@pytest.mark.parametrize(
    ("argv", "words", "expected"),
    [
        ("{tmp}/bollard", ["/old/python", "{tmp}/bollard", "up"], ["{tmp}/bollard", "up"]),
        ("{tmp}/bollard", ["/old/python", "-P", "{tmp}/bollard", "up"], ["{tmp}/bollard", "up"]),
        ("/x/bollard/__main__.py", ["python", "-m", "bollard", "up"], [sys.executable, "-m", "bollard", "up"]),
    ],
)
def test_a_script_is_started_again_as_one_so_that_its_environment_may_be_another(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch, argv: str, words: list[str], expected: list[str]
) -> None:
    """Its first line names the interpreter; without a script it is this one."""
    script = os.path.join(tmp_path, "bollard")  # noqa: PTH118 - a name, as the system has it
    with open(script, "w", opener=lambda path, flags: os.open(path, flags, 0o700)):
        pass
    monkeypatch.setattr(sys, "argv", [argv.format(tmp=tmp_path)])
    monkeypatch.setattr(sys, "orig_argv", [word.format(tmp=tmp_path) for word in words])
    assert list(succession.program()) == [word.format(tmp=tmp_path) for word in expected]


def test_a_rehearsal_reads_what_would_be_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says who it is."""
    code = (
        "import sys; from secproxy.edge import succession;"
        "found = succession.rehearsed(); assert found.desk.probes == {1: 'CP-1'};"
        'print(\'{"executable": "/new/python", "version": "2.0"}\')'
    )
    monkeypatch.setattr(succession, "program", program(code))
    assert asyncio.run(rehearse(estate(), None)) == Successor("/new/python", "2.0")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise SystemExit('the disk is full')", "the disk is full"),
        ("", "does not know how to take over"),
        ("print('bollard ready')", "does not know how to take over"),
        ("import time; time.sleep(60)", "not done within"),
    ],
)
def test_what_cannot_take_over_is_refused_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    """Also what hangs, and what is of a time before there were upgrades."""
    monkeypatch.setattr(succession, "program", program(code))
    if "sleep" in code:
        monkeypatch.setattr(succession, "REHEARSAL_SECONDS", 0.5)
    with pytest.raises(ConflictError) as refused:
        asyncio.run(rehearse(estate(), None))
    assert (refused.value.code, says in refused.value.cause) == ("upgrade.refused", True), refused.value.cause


def test_an_authority_that_would_not_start_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started by the interpreter of the new code."""
    code = f'import sys; print(\'{{"executable": "{sys.executable}", "version": "2.0"}}\')'
    monkeypatch.setattr(succession, "program", program(code))

    def words(successor: Successor) -> tuple[str, ...]:
        return (successor.executable, "-c", "raise SystemExit('passphrase.wrong')")

    with pytest.raises(ConflictError, match=r"passphrase\.wrong"):
        asyncio.run(rehearse(estate(), words))


BECOMES = """
import os, sys
from secproxy.edge import succession
from tests.secproxy.edge.test_succession import estate
from secproxy.edge.claim_estate import Kept
left = succession.inherited()
if left is None:
    lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    listening = os.open("/dev/null", os.O_RDONLY)
    desk = Kept(listening=listening)
    succession.program = lambda: (sys.executable, "-c", os.environ["CODE"], sys.argv[1])
    print(os.getpid(), flush=True)
    with succession.signals_waiting():
        succession.become(estate(lock=lock, desk=desk, children=[], sockets=[]))
import signal
os.fstat(left.lock)
assert os.get_inheritable(left.lock)
succession.keep_from_heirs(left)
assert not os.get_inheritable(left.lock)
print(os.getpid(), flush=True)
sys.stdin.readline()
signal.signal(signal.SIGUSR2, lambda *_: print("heard", flush=True))
succession.hear_signals()
"""


def test_the_same_process_goes_on_with_what_it_held_and_no_signal_is_lost(tmp_path: os.PathLike[str]) -> None:
    """One that came while it had no ears is heard when it has."""
    command = [sys.executable, "-c", BECOMES, os.path.join(tmp_path, "lock")]  # noqa: PTH118 - as above
    with subprocess.Popen(
        command, env=os.environ | {"CODE": BECOMES}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        pids = {int(process.stdout.readline()), int(process.stdout.readline())}
        process.send_signal(signal.SIGUSR2)
        said, _ = process.communicate("go\n", timeout=30)
    assert (pids, said, process.returncode) == ({process.pid}, "heard\n", 0)


def test_what_cannot_be_started_is_no_end(monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> None:
    """Whoever tried goes on, and its children inherit nothing."""
    monkeypatch.setattr(succession, "program", lambda: ("/nonexistent/program",))
    lock = os.open(os.path.join(tmp_path, "lock"), os.O_RDWR | os.O_CREAT)  # noqa: PTH118 - as above
    with pytest.raises(ConflictError) as refused:
        succession.become(estate(lock=lock, desk=Kept(listening=lock), children=[], sockets=[]))
    assert (refused.value.code, os.get_inheritable(lock)) == ("upgrade.refused", False)
    os.close(lock)
